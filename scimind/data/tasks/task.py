"""Tasks: how a raw record becomes a question and an answer, how an output is read, which metrics apply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.data.content.fields import SEQUENCE_KINDS, Field, FieldOptions, FieldValue, read_field
from scimind.data.content.molecules import random_smiles, scaffold
from scimind.data.content.sequences import Wrapped
from scimind.data.conversation import Round
from scimind.data.formats.rows import ENTITY, Columns, Row, read_rows
from scimind.data.formats.text_files import FileNotes
from scimind.data.tasks.negatives import with_negatives
from scimind.data.tasks.outputs import Output
from scimind.errors import DataError
from scimind.hashing import digest
from scimind.tokenizer.codec import TokenCodec
from scimind.tokenizer.tags import opening_tag

CONFLICTS = ("keep", "list", "drop")

PLACE = re.compile(r"\{(\w+)\}")
MOST_SEEDS = 2**31 - 1


@dataclass(frozen=True)
class Sample:
    """The question and answer, or the text, that a raw record becomes.

    Args:
        rounds: One or several pairs of question and answer; empty if there is only a `text`.
        text: Text that is trained on without a question.
        entity: What must not be in two splits: a canonical SMILES, an exact sequence, the text of the question.
        tag: `smiles`, `protein`, `dna` or `rna`, for the entity; empty for text.
        group: The scaffold of the entity, if requested and if there is one.
        question: A form of the question that is equal for records that ask the same.
        answer: A form of the answer that is equal for records that answer the same.
        variants: The rounds with random SMILES.
        text_variants: The text with random SMILES.
        repairs: Number of doubled backslashes that were made single.
        detected: Detected untagged sequences.
        label: The answer, if it is a label.
    """

    rounds: tuple[Round, ...] = ()
    text: str | None = None
    entity: str = ""
    tag: str = ""
    group: str = ""
    question: str = ""
    answer: str = ""
    variants: tuple[tuple[Round, ...], ...] = ()
    text_variants: tuple[str, ...] = ()
    repairs: int = 0
    detected: tuple[Wrapped, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Task:
    """A task defined by templates and fields; a subclass may read and build its records in another way.

    Args:
        name: The name for `--task`.
        question: The question, with fields in braces; `{choices}` stands for the choices of the output.
        answer: The answer, likewise.
        fields: The fields of a raw record.
        key: The field whose values must not be in two splits; by default the first molecule or sequence, else the
            first field.
        headerless: The fields of a file without a header, in order.
        output: The kind of answer, and how it is read.
        metrics: The group of metrics that scores outputs, one of `GROUPS`; empty for none.
        conflicts: What to do with records that ask the same but answer differently: `keep` them, keep and `list` them,
            or `drop` them.
        negatives: Name of the method that makes negatives for files without labels, see `negatives`; empty for none.
        description: A sentence for readers.
    """

    name: str
    question: str = ""
    answer: str = ""
    fields: tuple[Field, ...] = ()
    key: str = ""
    headerless: tuple[str, ...] = ()
    output: Output = field(default_factory=Output)
    metrics: str = ""
    conflicts: str = "keep"
    negatives: str = ""
    description: str = ""

    @property
    def columns(self) -> Columns:
        """The columns of the fields in a table."""
        return Columns(
            names={spec.name: spec.columns for spec in self.fields},
            fallback={spec.name: spec.fallback for spec in self.fields if spec.fallback},
            optional=frozenset(spec.name for spec in self.fields if spec.optional),
            headerless=self.headerless,
        )

    @property
    def key_field(self) -> str:
        """The name of the field that decides about splits."""
        kinds = [spec.name for spec in self.fields if spec.kind in SEQUENCE_KINDS] or [self.fields[0].name]
        return self.key or kinds[0]

    @property
    def asked_fields(self) -> tuple[Field, ...]:
        """The fields of the question."""
        return tuple(spec for spec in self.fields if spec.name in PLACE.findall(self.question))

    @property
    def answered_fields(self) -> tuple[Field, ...]:
        """The fields of the answer."""
        return tuple(spec for spec in self.fields if spec.name in PLACE.findall(self.answer))

    @property
    def label_field(self) -> Field | None:
        """The field of kind `label`, if there is one."""
        return next((spec for spec in self.fields if spec.kind == "label"), None)

    def rows(self, path: Path, label: str | None, notes: FileNotes, options: FieldOptions) -> Iterator[Row | DataError]:
        """Yields the raw records of a file; a faulty record is yielded as its error.

        Args:
            path: The file.
            label: The label of all its records, if the user gives one for the file.
            notes: Filled with the repairs made to the file.
            options: How fields are read; its seed is used for negatives.

        Raises:
            DataError: The file as a whole cannot be read.
        """
        columns, labels = self.columns, self.label_field
        if labels is not None and (label is not None or self.negatives):
            columns = Columns(columns.names, columns.fallback, columns.optional | {labels.name}, columns.headerless)
        if label is not None and labels is None:
            raise DataError(f"{label}= gives a label, but task {self.name} has none; leave it out", path)
        rows = read_rows(path, columns, notes)
        if label is not None and labels is not None:
            return (_with(row, labels.name, label) for row in rows)
        if labels is not None and self.negatives:
            return with_negatives(rows, self.key_field, labels, options.seed)
        return rows

    def sample(self, values: Mapping[str, Any], options: FieldOptions) -> Sample:
        """Returns the sample of a raw record.

        Args:
            values: The values of the row, by field.
            options: How fields are read.

        Raises:
            RecordError: A field is empty or faulty.
        """
        read = {spec.name: read_field(spec, values.get(spec.name), options) for spec in self.fields}
        key, label = read[self.key_field], self.label_field
        asked, answered = (PLACE.findall(template) for template in (self.question, self.answer))
        return Sample(
            rounds=self._rounds({name: value.shown for name, value in read.items()}),
            entity=values.get(ENTITY, key.canonical),
            tag=key.tag,
            group=scaffold(key.molecule) if options.scaffolds and key.molecule is not None else "",
            question="\x1f".join(read[name].canonical for name in asked if name in read),
            answer="\x1f".join(read[name].canonical for name in answered if name in read),
            variants=tuple(self._variants(read, options)),
            repairs=sum(value.repairs for value in read.values()),
            detected=tuple(wrapped for value in read.values() for wrapped in value.detected),
            label=None if label is None else read[label.name].canonical,
        )

    def ask(self, **values: str) -> str:
        """Returns the question of the task.

        Args:
            values: The raw value of each field in the question: plain text, a SMILES, a sequence.

        Raises:
            RecordError: A value is empty or faulty.
            DataError: A value is missing.
        """
        shown = {}
        for spec in self.asked_fields:
            if spec.name not in values and not spec.optional:
                raise DataError(f"the question of task {self.name} needs the {spec.name}; give it")
            shown[spec.name] = read_field(spec, values.get(spec.name), FieldOptions(molecules="as-is")).shown
        return self._fill(self.question, shown)

    def answer_with(self, values: Mapping[str, Any]) -> str:
        """Returns the answer of a record, whatever its question.

        Args:
            values: The raw value of each field in the answer.

        Raises:
            RecordError: A value is empty or faulty.
        """
        options = FieldOptions(molecules="as-is")
        shown = {spec.name: read_field(spec, values.get(spec.name), options).shown for spec in self.answered_fields}
        return self._fill(self.answer, shown)

    def place_of(self, name: str) -> int:
        """Returns the position at which a field's text begins in a question whose other fields are empty."""
        spec = next(spec for spec in self.asked_fields if spec.name == name)
        before = self.question.partition(f"{{{name}}}")[0]
        tag = opening_tag(spec.kind) if spec.kind in SEQUENCE_KINDS else ""
        return len(self._filled(before, {other.name: "" for other in self.asked_fields}).lstrip() + tag)

    def _rounds(self, shown: Mapping[str, str]) -> tuple[Round, ...]:
        return (Round(self._fill(self.question, shown), self._fill(self.answer, shown)),)

    def _fill(self, template: str, shown: Mapping[str, str]) -> str:
        """Returns a template with its fields filled in."""
        return self._filled(template, shown).strip()

    def _filled(self, template: str, shown: Mapping[str, str]) -> str:
        texts = {**shown, "choices": TokenCodec.escape(", ".join(self.output.choices))}
        return PLACE.sub(lambda place: texts[place[1]] if place[1] in texts else place[0], template)

    def _variants(self, read: Mapping[str, FieldValue], options: FieldOptions) -> Iterator[tuple[Round, ...]]:
        """Yields the record with random SMILES, as many distinct ones as the options request."""
        molecules = {name: value for name, value in read.items() if value.molecule is not None}
        if not options.randomised or not molecules:
            return
        spellings = {
            name: random_smiles(
                value.molecule, options.randomised, digest(f"{options.seed}:{value.canonical}") % MOST_SEEDS
            )
            for name, value in molecules.items()
        }
        for number in range(max(map(len, spellings.values()))):
            shown = {name: value.shown for name, value in read.items()}
            for name, drawn in spellings.items():
                shown[name] = TokenCodec.wrap(drawn[number % len(drawn)], "smiles")
            yield self._rounds(shown)


def _with(row: Row | DataError, name: str, value: object) -> Row | DataError:
    """Returns a row with an additional value; an error is returned unchanged."""
    if isinstance(row, DataError):
        return row
    return Row(row.id, {**row.values, name: value}, row.path, row.line)
