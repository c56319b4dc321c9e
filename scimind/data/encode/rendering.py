"""Encodes conversations as token ids and labels: the one renderer of training and inference.

A round is ` [INST]: {question} [/INST]: {answer}</s>`. Prompt and answer are encoded separately, so that a prompt has
the same ids with and without its answer. These equal the ids of the whole text, since SentencePiece starts a word at
a space. A system text precedes the first question, between Llama-2's marks; see `with_system`.
"""

from __future__ import annotations

from collections.abc import Sequence

from scimind.data.conversation import Conversation
from scimind.errors import SciMindError, TokenError
from scimind.tokenizer import TokenCodec

IGNORED_LABEL = -100  # MindFormers' and PyTorch's label for a position without loss

_SYSTEM_START, _SYSTEM_END = "<<SYS>>\n", "\n<</SYS>>\n\n"

Rounds = Sequence[tuple[str, str | None]]


def render_prompt(question: str) -> str:
    """Returns the text of a round up to its answer."""
    return f" [INST]: {question} [/INST]:"


def with_system(question: str, system: str) -> str:
    """Returns the first question of a conversation with its system text before it; unchanged if that is empty.

    Source: Llama-2's chat format, `<<SYS>>`, the text, and `<</SYS>>` on lines of their own, then an empty line.
    """
    return f"{_SYSTEM_START}{system.strip()}{_SYSTEM_END}{question}" if system.strip() else question


def split_system(question: str) -> tuple[str, str]:
    """Returns the question and the system text before it, which `with_system` joined; the latter may be empty."""
    if not question.startswith(_SYSTEM_START):
        return question, ""
    system, end, rest = question.removeprefix(_SYSTEM_START).partition(_SYSTEM_END)
    return (rest, system) if end else (question, "")


def encode_prompt(codec: TokenCodec, rounds: str | Rounds, system: str = "") -> list[int]:
    """Returns the ids that a model is to continue: BOS, the answered rounds, the last question.

    Args:
        codec: The vocabulary.
        rounds: One question, or pairs of question and answer, where the last answer is None.
        system: The system text, which precedes the first question; without it, nothing does.

    Raises:
        TokenError: A character has no token; its position in the question or answer is given.
        SciMindError: The last question has an answer, or an earlier one has none.
    """
    rounds = [(rounds, None)] if isinstance(rounds, str) else rounds
    if not rounds or rounds[-1][1] is not None or any(answer is None for _, answer in rounds[:-1]):
        raise SciMindError("a prompt needs an answer to each question except the last; leave the last answer out")
    ids, _ = _encode_rounds(codec, rounds, system)
    return ids


def encode_conversation(
    codec: TokenCodec, conversation: Conversation | Rounds, loss_on_prompt: bool = False
) -> tuple[list[int], list[int]]:
    """Returns the ids and labels of a conversation, both of length n ≥ 4.

    Args:
        codec: The vocabulary.
        conversation: At least one round, with an answer to every question.
        loss_on_prompt: Whether prompts are labels too, as in the original, instead of -100. BOS is never a label.

    Returns:
        ids: BOS, then for each round the ids of the prompt and of the answer, and EOS.
        labels: The id itself at trained positions (answers, each with its EOS), -100 elsewhere. Not shifted.

    Raises:
        TokenError: A character has no token; its position in the question or answer is given.
        SciMindError: A question has no answer.
    """
    rounds: Rounds
    if isinstance(conversation, Conversation):
        rounds, system = conversation.rounds, conversation.system
    else:
        rounds, system = conversation, ""
    if not rounds or any(answer is None for _, answer in rounds):
        raise SciMindError("a training conversation needs an answer to each question; add it or remove the record")
    ids, labels = _encode_rounds(codec, rounds, system)
    return ids, [IGNORED_LABEL, *ids[1:]] if loss_on_prompt else labels


def _encode_rounds(codec: TokenCodec, rounds: Rounds, system: str) -> tuple[list[int], list[int]]:
    """Returns the ids of the rounds, and their labels for training on answers."""
    ids, labels = [codec.bos_id], [IGNORED_LABEL]
    for number, (question, answer) in enumerate(rounds):
        prompt_ids = _encode_question(codec, question, system if number == 0 else "")
        # The space between prompt and answer is the ▁ of the answer's first piece.
        answer_ids = [] if answer is None else codec.encode(answer.strip(), bos=False, eos=True)
        ids += prompt_ids + answer_ids
        labels += [IGNORED_LABEL] * len(prompt_ids) + answer_ids
    return ids, labels


def _encode_question(codec: TokenCodec, question: str, system: str) -> list[int]:
    try:
        return codec.encode(render_prompt(with_system(question, system)), bos=False)
    except TokenError:
        # These raise the same error with the position in the system text or in the question itself.
        codec.encode(system, bos=False)
        codec.encode(question, bos=False)
        raise
