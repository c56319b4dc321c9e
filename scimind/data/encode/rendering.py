"""Conversations to token ids and labels: the one renderer of training and inference.

A round is ` [INST]: {question} [/INST]: {answer}</s>`. Prompt and answer are encoded each on its own, so that a
prompt has the same ids with and without its answer. They are those of the whole text, since SentencePiece starts a
word at a space.
"""

from __future__ import annotations

from collections.abc import Sequence

from scimind.data.conversation import Conversation
from scimind.errors import SciMindError, TokenError
from scimind.tokenizer import TokenCodec

IGNORED_LABEL = -100  # MindFormers' and PyTorch's mark for a position without loss

Rounds = Sequence[tuple[str, str | None]]


def render_prompt(question: str) -> str:
    """Returns the text of a round up to its answer."""
    return f" [INST]: {question} [/INST]:"


def encode_prompt(codec: TokenCodec, rounds: str | Rounds) -> list[int]:
    """Returns the ids that a model is to go on from: BOS, the rounds that have an answer, the last question.

    Args:
        codec: The vocabulary.
        rounds: One question, or pairs of a question and its answer, the last answer None.

    Raises:
        TokenError: A character without a token, with its position in the question or answer.
        SciMindError: There is no open question at the end, or one before it.
    """
    rounds = [(rounds, None)] if isinstance(rounds, str) else rounds
    if not rounds or rounds[-1][1] is not None or any(answer is None for _, answer in rounds[:-1]):
        raise SciMindError("a prompt needs an answer to each question but the last; leave the last answer out")
    ids, _ = _encode_rounds(codec, rounds)
    return ids


def encode_conversation(
    codec: TokenCodec, conversation: Conversation | Rounds, loss_on_prompt: bool = False
) -> tuple[list[int], list[int]]:
    """Returns the ids and labels of a conversation, both of its length n ≥ 4.

    Args:
        codec: The vocabulary.
        conversation: At least one round, every question answered.
        loss_on_prompt: Whether prompts are labels too, as in the original; else they are -100. BOS is never one.

    Returns:
        ids: BOS, then of each round the prompt's, the answer's, EOS.
        labels: The id itself where it is learnt (answers, each with its EOS), -100 elsewhere. Not shifted.

    Raises:
        TokenError: A character without a token, with its position in the question or answer.
        SciMindError: A question without an answer.
    """
    rounds = conversation.rounds if isinstance(conversation, Conversation) else conversation
    if not rounds or any(answer is None for _, answer in rounds):
        raise SciMindError("a conversation to learn from needs an answer to each question; add it or remove the record")
    ids, labels = _encode_rounds(codec, rounds)
    return ids, [IGNORED_LABEL, *ids[1:]] if loss_on_prompt else labels


def _encode_rounds(codec: TokenCodec, rounds: Rounds) -> tuple[list[int], list[int]]:
    """Returns the ids of the rounds, and their labels where answers are learnt."""
    ids, labels = [codec.bos_id], [IGNORED_LABEL]
    for question, answer in rounds:
        prompt_ids = _encode_question(codec, question)
        # The space between prompt and answer is the ▁ of the answer's first piece.
        answer_ids = [] if answer is None else codec.encode(answer.strip(), bos=False, eos=True)
        ids += prompt_ids + answer_ids
        labels += [IGNORED_LABEL] * len(prompt_ids) + answer_ids
    return ids, labels


def _encode_question(codec: TokenCodec, question: str) -> list[int]:
    try:
        return codec.encode(render_prompt(question), bos=False)
    except TokenError:
        codec.encode(question, bos=False)  # raises the same fault with the position that the user can count
        raise
