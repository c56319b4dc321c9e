"""Conversations that are longer than the model's sequence: dropped or cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scimind.data.conversation import Conversation, Round
from scimind.data.encode.rendering import IGNORED_LABEL, encode_conversation
from scimind.errors import SciMindError, TokenError
from scimind.modality import Modality, modality_of, modality_table
from scimind.tokenizer import TokenCodec

POLICIES = ("drop", "truncate")

_SHORTEST_PIECE = 16  # ids of a piece of a cut text: a shorter one would hold more marks than text


@dataclass(frozen=True)
class Fitted:
    """A conversation, its ids and labels (of equal length, at most seq_length + 1), and whether it was cut."""

    conversation: Conversation
    ids: list[int]
    labels: list[int]
    truncated: bool = False


class Fitter:
    """Encodes conversations so that they fit the model's sequence, or reports that they do not.

    Args:
        codec: The vocabulary.
        seq_length: Sequence length s of the model; a record holds one more id, since labels are shifted.
        policy: `drop` leaves out longer records. `truncate` removes tokens of plain text from the end of questions,
            the oldest question first; the system text, molecules, other sequences and answers are never cut, and
            records that are still too long are left out.
        loss_on_prompt: See `encode_conversation`.

    Raises:
        SciMindError: `seq_length` is not positive, or the policy is unknown.
    """

    def __init__(
        self, codec: TokenCodec, seq_length: int, policy: str = "drop", *, loss_on_prompt: bool = False
    ) -> None:
        if seq_length < 1:
            raise SciMindError(f"seq_length ({seq_length}) must be at least 1")
        if policy not in POLICIES:
            raise SciMindError(f"policy ({policy!r}) must be one of {', '.join(POLICIES)}")
        self.codec, self.seq_length, self.policy, self.loss_on_prompt = codec, seq_length, policy, loss_on_prompt
        self._table = modality_table(codec.vocab_size, codec.modality_ranges)

    def fit(self, conversation: Conversation) -> tuple[Fitted | None, int]:
        """Returns the encoded conversation, None if it cannot fit, and its length in ids before any cut.

        Raises:
            TokenError: A character has no token.
        """
        ids, labels = encode_conversation(self.codec, conversation, self.loss_on_prompt)
        length = len(ids)
        if length <= self.seq_length + 1:
            return Fitted(conversation, ids, labels), length
        return (self._truncate(conversation, ids) if self.policy == "truncate" else None), length

    def fit_text(self, record: Conversation) -> tuple[list[Fitted], int]:
        """Returns a record without questions in encoded form, and its length in ids before any cut.

        With `truncate` a text that is too long becomes several records, without cutting a sequence. Without it, or if a
        single sequence is too long, the list is empty. All ids except BOS are labels.

        Raises:
            TokenError: A character has no token.
        """
        assert record.text is not None
        encoding = self.codec.encode_with_offsets(record.text, eos=True)
        ids, width = encoding.ids, self.seq_length + 1
        if len(ids) <= width:
            return [Fitted(record, ids, [IGNORED_LABEL, *ids[1:]])], len(ids)
        if self.policy != "truncate" or width < _SHORTEST_PIECE:
            return [], len(ids)
        pieces: list[Fitted] = []
        for text in self._pieces(record.text, ids, encoding.offsets, width - 2):
            piece = self.codec.encode(text, eos=True)
            if len(piece) > width:
                return [], len(ids)
            cut = replace(record, id=f"{record.id}-{len(pieces) + 1}", text=text)
            pieces.append(Fitted(cut, piece, [IGNORED_LABEL, *piece[1:]], truncated=True))
        return pieces, len(ids)

    def _pieces(self, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], room: int) -> Iterator[str]:
        """Yields a text in pieces of at most `room` ids that end between words; the whole rest if none can."""
        is_text = modality_of(np.array(ids, dtype=np.int64), self._table) == Modality.TEXT
        start, begin, last = 1, 0, len(ids) - 1
        while last - start > room:
            for stop in range(start + room, start, -1):
                place = offsets[stop][0] if is_text[stop] else offsets[stop - 1][1]
                is_between = is_text[stop] or is_text[stop - 1]
                if is_between and place > begin and (text[place].isspace() or text[place - 1].isspace()):
                    break
            else:
                break
            yield text[begin:place].strip()
            start, begin = stop, place
        yield text[begin:].strip()

    def _truncate(self, conversation: Conversation, ids: Sequence[int]) -> Fitted | None:
        rounds = list(conversation.rounds)
        whole = self._sequence_ids(ids)
        for number, (question, answer) in enumerate(rounds):
            excess = len(ids) - self.seq_length - 1
            while excess > 0:
                shorter = self._cut(question, excess)
                if shorter == question:
                    break
                question = shorter
                rounds[number] = Round(question, answer)
                shortened = replace(conversation, rounds=tuple(rounds))
                try:
                    ids, labels = encode_conversation(self.codec, shortened, self.loss_on_prompt)
                except TokenError:
                    return None  # the cut left a backslash right before a tag, which escapes it
                excess = len(ids) - self.seq_length - 1
            if excess <= 0:
                # Such a backslash before a token's form raises no error, but turns the form into text.
                cut = replace(conversation, rounds=tuple(rounds))
                return Fitted(cut, list(ids), labels, truncated=True) if self._sequence_ids(ids) == whole else None
        return None

    def _cut(self, question: str, number: int) -> str:
        """Returns the question without its last `number` text tokens, but with at least one token left."""
        encoding = self.codec.encode_with_offsets(question, bos=False)
        kinds = modality_of(np.array(encoding.ids, dtype=np.int64), self._table)
        spans = {
            span
            for span, kind in zip(encoding.offsets, kinds, strict=True)
            if kind == Modality.TEXT and span[0] < span[1]
        }
        removable = sorted(spans)[all(kind == Modality.TEXT for kind in kinds) :]
        for start, stop in reversed(removable[-number:]):
            question = question[:start] + question[stop:]
        return question.rstrip()

    def _sequence_ids(self, ids: Sequence[int]) -> list[int]:
        """Returns the ids that are not text, in order."""
        array = np.asarray(ids, dtype=np.int64)
        return [int(index) for index in array[modality_of(array, self._table) != Modality.TEXT]]
