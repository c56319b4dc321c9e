"""Many conversations to ids, labels and JSON at once: the part of a preparation that may run in other processes."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scimind.data.conversation import Conversation, Round
from scimind.data.fitting import Fitted, Fitter
from scimind.data.rendering import IGNORED_LABEL
from scimind.errors import TokenError
from scimind.modality import MODALITY_NAMES, modality_of, modality_table
from scimind.parallel import ordered_map
from scimind.tokenizer.batch import RaggedRows

Found = TypeVar("Found")
NamedRounds = tuple[str, tuple[Round, ...]]

# Records of a task: enough that sending it costs little beside the work in it.
_RECORDS_AT_ONCE = 500
# Processes take a quarter of a second to start, in which some thousand records are encoded.
_FEWEST_TASKS = 6


@dataclass(frozen=True)
class EncodedRecord:
    """What became of one record.

    Args:
        length: Its ids before any cut.
        ids: int32 [n]; None where it does not fit.
        labels: int32 [n].
        json: The record as conversation JSON has it.
        truncated: Whether its question was cut.
    """

    length: int
    ids: NDArray[np.int32] | None = None
    labels: NDArray[np.int32] | None = None
    json: str = ""
    truncated: bool = False


@dataclass(frozen=True)
class EncodedRecords:
    """What became of several records, in few arrays, which travel between processes at little cost.

    Args:
        lengths: Ids of each record before any cut; 0 where it is faulty.
        ids: The ids of those that fit, one behind the other; a length of 0 stands for the others.
        labels: int32, as many.
        json: The conversation JSON of each, empty where it does not fit.
        truncated: Numbers of those that were cut.
        faults: The faults of those that are faulty, by number.
        tokens: Ids of each modality, int64 [modalities].
        answer_tokens: Labels that are learnt.
    """

    lengths: list[int]
    ids: RaggedRows
    labels: NDArray[np.int32]
    json: list[str]
    truncated: frozenset[int]
    faults: dict[int, TokenError]
    tokens: NDArray[np.int64]
    answer_tokens: int

    def __iter__(self) -> Iterator[EncodedRecord | TokenError]:
        """Yields the records one by one; a faulty one is its fault."""
        stop = 0
        sizes = self.ids.lengths.tolist()
        for number, (length, size, text) in enumerate(zip(self.lengths, sizes, self.json, strict=True)):
            if number in self.faults:
                yield self.faults[number]
            elif not size:
                yield EncodedRecord(length)
            else:
                start, stop = stop, stop + size
                ids, labels = self.ids.ids[start:stop], self.labels[start:stop]
                yield EncodedRecord(length, ids, labels, text, number in self.truncated)


@dataclass(frozen=True)
class RecordEncoder:
    """Encodes conversations; can be sent to another process.

    Args:
        fitter: Encodes one and decides whether it fits.
    """

    fitter: Fitter
    _table: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codec = self.fitter.codec
        object.__setattr__(self, "_table", modality_table(codec.vocab_size, codec.modality_ranges))

    def __call__(self, records: Sequence[NamedRounds]) -> EncodedRecords:
        """Returns what becomes of records, which are given by their ids and rounds."""
        found: list[Fitted | None] = []
        lengths, faults = [], {}
        for number, (name, rounds) in enumerate(records):
            try:
                fitted, length = self.fitter.fit(Conversation(name, rounds))
            except TokenError as error:
                fitted, length, faults[number] = None, 0, error
            found.append(fitted)
            lengths.append(length)
        ids = RaggedRows.of([() if fitted is None else fitted.ids for fitted in found])
        labels = RaggedRows.of([() if fitted is None else fitted.labels for fitted in found]).ids
        kinds = modality_of(ids.ids, self._table)
        return EncodedRecords(
            lengths=lengths,
            ids=ids,
            labels=labels,
            json=["" if fitted is None else _as_json(fitted.conversation) for fitted in found],
            truncated=frozenset(number for number, fitted in enumerate(found) if fitted and fitted.truncated),
            faults=faults,
            tokens=np.bincount(kinds, minlength=len(MODALITY_NAMES)),
            answer_tokens=int(np.count_nonzero(labels != IGNORED_LABEL)),
        )


def encode_tasks(
    encode: RecordEncoder, records: Iterator[Found], workers: int
) -> Generator[tuple[list[Found], EncodedRecords], None, None]:
    """Yields what was found, task by task and in order, with what became of the conversations among it.

    Args:
        encode: Encodes a task.
        records: Conversations, and anything else, which is handed through.
        workers: Processes that encode.
    """
    waiting: deque[list[Found]] = deque()

    def tasks() -> Iterator[list[NamedRounds]]:
        while task := list(islice(records, _RECORDS_AT_ONCE)):
            waiting.append(task)
            yield [(found.id, found.rounds) for found in task if isinstance(found, Conversation)]

    with closing(ordered_map(encode, tasks(), workers, fewest=_FEWEST_TASKS)) as results:
        for result in results:
            yield waiting.popleft(), result


def _as_json(conversation: Conversation) -> str:
    return json.dumps(conversation.to_json(), ensure_ascii=False)
