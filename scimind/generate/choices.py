"""Choices ranked by their likelihood as the whole answer to a prompt.

Shapes: b rows of the batch (padded to a bucket), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scimind.errors import ConfigError, TokenError
from scimind.generate.buckets import length_buckets
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import pad_prompts, prompt_fault
from scimind.tokenizer import TokenCodec


@dataclass(frozen=True)
class Choices:
    """The answers from which a model chooses.

    Attributes:
        texts: The text of each answer, as it is reported.
        ids: The tokens of each, EOS included.
    """

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]

    @classmethod
    def encode(cls, codec: TokenCodec, texts: Sequence[str]) -> Choices:
        """Returns choices with the same tokens as prepared answers have.

        Args:
            codec: The tokenizer.
            texts: At least two answers; anything in them that looks like a tag or a token is text.

        Raises:
            ConfigError: There are fewer than two answers, one is empty, or two have the same tokens.
        """
        if len(texts) < 2:
            raise ConfigError(f"choices ({', '.join(texts) or 'none'}) must be at least two; add to them")
        seen: dict[tuple[int, ...], str] = {}
        for text in texts:
            try:
                ids = tuple(codec.encode(codec.escape(text.strip()), bos=False, eos=True))
            except TokenError as error:
                raise ConfigError(f"choice {text!r}: {error}") from error
            if len(ids) == 1:
                raise ConfigError("a choice is empty; remove it")
            if ids in seen:
                raise ConfigError(f"choices {seen[ids]!r} and {text!r} are the same answer; remove one of them")
            seen[ids] = text
        return cls(tuple(texts), tuple(seen))

    @property
    def longest(self) -> int:
        """Number of tokens of the longest choice, without EOS."""
        return max(map(len, self.ids)) - 1


@dataclass(frozen=True)
class Ranked:
    """The likelihoods that a model gives to the choices after one prompt.

    Attributes:
        log_likelihoods: Logarithm of each choice's probability as the whole answer, EOS included [n], in nats; empty
            after an error.
        message: What went wrong; empty unless there was an error.
    """

    log_likelihoods: tuple[float, ...] = ()
    message: str = ""

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The choices' probabilities given that no other answer is possible: 0 … 1, with sum 1 [n]."""
        shifted = np.exp(np.array(self.log_likelihoods) - max(self.log_likelihoods, default=0.0))
        return tuple((shifted / shifted.sum()).tolist())

    @property
    def best(self) -> int:
        """Index of the most likely choice; the first one on a tie."""
        return int(np.argmax(self.log_likelihoods))


def rank_batch(
    decoder: Decoder, prompts: Sequence[Sequence[int]], choices: Choices, *, vocab_size: int, rows: int
) -> list[Ranked]:
    """Ranks choices after each prompt of a batch.

    Prompts are read once. Choices with the same first tokens share them: the decoder runs one step for each token of
    the tree that the choices form, whatever the number of prompts.

    Args:
        decoder: The model.
        prompts: Token ids of each prompt. One that is empty or too long gets a message; the others are answered.
        choices: The answers.
        vocab_size: Number of real tokens; the padding rows after them are never answered.
        rows: Rows to run the decoder with, at least the number of prompts.

    Returns:
        One result per prompt, in the same order.
    """
    faults = [_fault(len(prompt), choices, decoder.max_length) for prompt in prompts]
    live = [index for index, fault in enumerate(faults) if not fault]
    ranked = [Ranked(message=fault) for fault in faults]
    if not live:
        return ranked
    ids, lengths = pad_prompts([prompts[index] for index in live], rows, length_buckets(decoder.max_length))
    tree = _Tree(decoder, lengths, choices, vocab_size)
    tree.visit(log_probabilities(decoder.prefill(ids, lengths), vocab_size), np.zeros(rows), range(len(choices.ids)), 0)
    for index, scores in zip(live, tree.scores.T, strict=False):
        if np.isfinite(scores).all():
            ranked[index] = Ranked(tuple(scores.tolist()))
        else:
            fault = "the model's logits are not finite numbers; check its weights and its compute type"
            ranked[index] = Ranked(message=fault)
    return ranked


def log_probabilities(logits: NDArray[np.floating], vocab_size: int) -> NDArray[np.float64]:
    """Returns log-probabilities [b, vocab_size] from logits [b, v], computed in float64."""
    real = np.asarray(logits, np.float64)[:, :vocab_size]
    with np.errstate(invalid="ignore"):
        shifted = real - real.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class _Tree:
    """Walks choices token by token, depth first: after the prompt, the decoder holds the path to the current node.

    Args:
        decoder: A decoder that has read the prompts.
        lengths: Tokens of each prompt [b].
        choices: The answers.
        vocab_size: Number of real tokens.
    """

    def __init__(self, decoder: Decoder, lengths: NDArray[np.int32], choices: Choices, vocab_size: int) -> None:
        self._decoder, self._lengths, self._choices, self._vocab_size = decoder, lengths, choices, vocab_size
        self.scores = np.zeros((len(choices.ids), len(lengths)))  # [n, b]

    def visit(
        self, following: NDArray[np.float64], total: NDArray[np.float64], members: Sequence[int], depth: int
    ) -> None:
        """Scores the choices that share their first tokens.

        Args:
            following: Log-probabilities of the token after the shared ones [b, v].
            total: Log-likelihood of the shared tokens [b].
            members: Indices of the choices.
            depth: Number of tokens that they share.
        """
        groups: dict[int, list[int]] = {}
        for member in members:
            groups.setdefault(self._choices.ids[member][depth], []).append(member)
        for token, group in groups.items():
            reached = total + following[:, token]
            if len(self._choices.ids[group[0]]) == depth + 1:  # EOS, which ends one choice
                self.scores[group[0]] = reached
                continue
            logits = self._decoder.step(np.full(len(total), token, np.int32), self._lengths + np.int32(depth))
            self.visit(log_probabilities(logits, self._vocab_size), reached, group, depth + 1)


def _fault(length: int, choices: Choices, max_length: int) -> str:
    """Returns why choices cannot be ranked after a prompt, or "" if they can."""
    fault = prompt_fault(length, max_length)
    if not fault and length + choices.longest > max_length:
        return (
            f"prompt length ({length} tokens) leaves no room for the longest choice ({choices.longest}) in the model's "
            f"seq_length ({max_length}); shorten the prompt or use a model with a longer seq_length"
        )
    return fault
