"""Encodes batches of raw records to ids, labels and JSON: the part of a preparation that may run in other processes."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from scimind.data.content.fields import FieldOptions
from scimind.data.conversation import Conversation
from scimind.data.defects import LETTER, MALFORMED, RecordError
from scimind.data.encode.length import Fitted, Fitter
from scimind.data.encode.rendering import IGNORED_LABEL
from scimind.data.formats.rows import Row
from scimind.data.tasks.task import Sample, Task
from scimind.errors import TokenError, excerpt
from scimind.hashing import digest
from scimind.modality import MODALITY_NAMES, modality_of, modality_table
from scimind.parallel import ordered_map
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.batch import RaggedRows
from scimind.tokenizer.tags import TAGGED

Record = TypeVar("Record")
NamedValues = tuple[str, Mapping[str, Any]]

# Records per task: enough that sending a task costs little compared with the work in it.
_RECORDS_AT_ONCE = 500
# Starting a process takes a quarter of a second, enough to encode some thousand records.
_FEWEST_TASKS = 6

TAGS = ("", *TAG_CHARACTERS)  # the `tag` of a record is an index into this


class Fault(NamedTuple):
    """A fault of a record: the name of the defect, the reason, the offending text."""

    defect: str
    reason: str
    text: str = ""


@dataclass(frozen=True)
class EncodedRecords:
    """The results of encoding several records, in few arrays, which are cheap to send to processes and to write.

    Args:
        records: Arrays [records]: `length`, number of ids before any cut, 0 for a faulty record; `entity`, `group`,
            `question`, `answer`, digests, uint64; `repairs`; `tag`.
        rows: Arrays [rows]: `owner`, number of the record; `size`, number of ids; `variant` and `truncated`, bool;
            `kinds`, ids of each modality [rows, modalities]; `answer_tokens`, number of labels. A record that fits has
            one row, or more if it has variants or was cut into pieces.
        ids: The ids of all rows, concatenated, int32.
        labels: The labels of all rows, likewise.
        json: The JSON of each row.
        faults: The faults of faulty records, by record number.
        readings: How often something was read differently from how it is written, or not used, by what was done.
        detected: Record number, tag and sequence of each detected untagged sequence.
        changes: Record number, and the name, reason and text of each `Change`.
        labelled: The label of each record, by record number, if its task has labels.
        sequences: The entity of each record if these are kept, else empty.
    """

    records: dict[str, NDArray[Any]]
    rows: dict[str, NDArray[Any]]
    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    json: list[str]
    faults: dict[int, Fault]
    readings: dict[str, int]
    detected: list[tuple[int, str, str]]
    changes: list[tuple[int, str, str, str]]
    labelled: dict[int, str]
    sequences: list[str]


@dataclass(frozen=True)
class RecordEncoder:
    """Encodes records; can be sent to other processes.

    Args:
        fitter: Encodes a conversation and decides whether it fits.
        task: The task, which defines what a raw record means.
        options: How fields are read.
        keeps_sequences: Whether the entity of each record is kept as text, which splits by cluster need.
    """

    fitter: Fitter
    task: Task
    options: FieldOptions
    keeps_sequences: bool = False
    _table: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codec = self.fitter.codec
        object.__setattr__(self, "_table", modality_table(codec.vocab_size, codec.modality_ranges))

    def __call__(self, records: Sequence[NamedValues]) -> EncodedRecords:
        """Returns the encoded records, which are given by their ids and values."""
        fitted: list[tuple[int, Fitted, bool]] = []
        samples: list[Sample] = []
        lengths, faults = [], {}
        for number, (name, values) in enumerate(records):
            sample, length = Sample(), 0
            try:
                sample = self.task.sample(values, self.options)
                rows, length = self._fit(name, sample)
                fitted += [(number, one, is_variant) for one, is_variant in rows]
            except RecordError as error:
                faults[number] = Fault(error.defect, error.reason, error.text)
            except TokenError as error:
                faults[number] = _locate(error, sample)
            samples.append(sample)
            lengths.append(length)
        return EncodedRecords(
            records={
                "length": np.array(lengths, dtype=np.int32),
                "entity": _digests([sample.entity for sample in samples]),
                "group": _digests([self._group(sample) for sample in samples]),
                "question": _digests([sample.question for sample in samples]),
                "answer": _digests([sample.answer for sample in samples]),
                "repairs": np.array([sample.repairs for sample in samples], dtype=np.int32),
                "tag": np.array([TAGS.index(sample.tag) for sample in samples], dtype=np.uint8),
            },
            **self._rows(fitted),
            faults=faults,
            readings=dict(sum((Counter(sample.readings) for sample in samples), Counter())),
            detected=[(number, *wrapped) for number, sample in enumerate(samples) for wrapped in sample.detected],
            changes=[(number, *change) for number, sample in enumerate(samples) for change in sample.changes],
            labelled={number: sample.label for number, sample in enumerate(samples) if sample.label is not None},
            sequences=[sample.entity for sample in samples] if self.keeps_sequences else [],
        )

    def _fit(self, name: str, sample: Sample) -> tuple[list[tuple[Fitted, bool]], int]:
        """Returns the fitting rows of a record and its variants, each with whether it is a variant, and its length."""
        if sample.text is not None:
            pieces, length = self.fitter.fit_text(Conversation(name, (), text=sample.text))
            rows = [(piece, False) for piece in pieces]
            for number, text in enumerate(sample.text_variants if pieces else (), start=1):
                with suppress(TokenError):  # a random spelling without a token is not used
                    variants, _ = self.fitter.fit_text(Conversation(f"{name}-random-{number}", (), text=text))
                    rows += [(piece, True) for piece in variants]
            return rows, length
        one, length = self.fitter.fit(Conversation(name, sample.rounds, system=sample.system))
        rows = [] if one is None else [(one, False)]
        for number, rounds in enumerate(sample.variants if rows else (), start=1):
            with suppress(TokenError):
                variant, _ = self.fitter.fit(Conversation(f"{name}-random-{number}", rounds, system=sample.system))
                rows += [] if variant is None else [(variant, True)]
        return rows, length

    def _group(self, sample: Sample) -> str:
        """Returns the group that must stay together: a scaffold (empty without a ring), else the entity."""
        if self.options.scaffolds and sample.tag == "smiles":
            return f"scaffold {sample.group}"
        return sample.entity

    def _rows(self, fitted: Sequence[tuple[int, Fitted, bool]]) -> dict[str, Any]:
        ids = RaggedRows.of([one.ids for _, one, _ in fitted])
        labels = RaggedRows.of([one.labels for _, one, _ in fitted]).ids
        owner = np.repeat(np.arange(len(fitted)), ids.lengths)
        width = len(MODALITY_NAMES)
        places = owner * width + modality_of(ids.ids, self._table)
        return {
            "rows": {
                "owner": np.array([number for number, _, _ in fitted], dtype=np.int32),
                "size": ids.lengths,
                "variant": np.array([is_variant for _, _, is_variant in fitted], dtype=bool),
                "truncated": np.array([one.truncated for _, one, _ in fitted], dtype=bool),
                "kinds": np.bincount(places, minlength=len(fitted) * width).reshape(-1, width).astype(np.int32),
                "answer_tokens": np.bincount(owner[labels != IGNORED_LABEL], minlength=len(fitted)).astype(np.int32),
            },
            "ids": ids.ids,
            "labels": labels,
            "json": [json.dumps(one.conversation.to_json(), ensure_ascii=False) for _, one, _ in fitted],
        }


def encode_tasks(
    encode: Callable[[list[NamedValues]], EncodedRecords],
    records: Iterator[Record],
    workers: int,
    is_done: Callable[[int], bool],
) -> Generator[tuple[int, list[Record], EncodedRecords], None, None]:
    """Yields, in order, the number of each task, its records, and the encoded rows among them.

    Args:
        encode: Encodes the records of a task.
        records: Rows, and anything else, which is passed through.
        workers: Number of encoding processes.
        is_done: Returns whether the task with a given number is to be skipped.
    """
    waiting: deque[tuple[int, list[Record]]] = deque()

    def tasks() -> Iterator[list[NamedValues]]:
        number = 0
        while task := list(islice(records, _RECORDS_AT_ONCE)):
            if not is_done(number):
                waiting.append((number, task))
                yield [(row.id, row.values) for row in task if isinstance(row, Row)]
            number += 1

    with closing(ordered_map(encode, tasks(), workers, fewest=_FEWEST_TASKS)) as results:
        for result in results:
            number, task = waiting.popleft()
            yield number, task, result


def _digests(texts: Sequence[str]) -> NDArray[np.uint64]:
    return np.array([digest(text) for text in texts], dtype=np.uint64)


def _locate(error: TokenError, sample: Sample) -> Fault:
    """Returns the fault of a record with a character that has no token, with the position in the sequence itself."""
    reason, defect = str(error), LETTER if error.character not in ("", "<") else MALFORMED
    texts = [sample.text] if sample.text is not None else [sample.system, *chain.from_iterable(sample.rounds)]
    for text in texts:
        for tag in TAGGED.finditer(text or ""):
            if text and tag.start(2) <= error.position < tag.end(2) and text[error.position] == error.character:
                place = f"at position {error.position - tag.start(2)} of {excerpt(tag[2])!r}"
                return Fault(defect, reason.replace(f"at position {error.position}", place, 1))
    return Fault(defect, reason)
