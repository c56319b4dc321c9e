"""Tasks: how a raw record becomes a question and an answer, how an output is read, which metrics apply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from scimind.data.content.fields import TAG_OF_KIND, Field, FieldOptions, FieldValue, read_field, readings_of
from scimind.data.content.molecules import random_smiles, scaffold
from scimind.data.content.selfies import settle_selfies
from scimind.data.content.sequences import Wrapped
from scimind.data.conversation import Round
from scimind.data.defects import Change, RecordError
from scimind.data.formats.columns import SYNONYMS, Columns, checked_choice
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.rows import ENTITY, Row, read_rows
from scimind.data.tasks.negatives import with_negatives
from scimind.data.tasks.outputs import Output
from scimind.data.tasks.records import Only, Rows, Wide
from scimind.errors import DataError, SciMindError
from scimind.hashing import digest
from scimind.tokenizer.codec import TokenCodec
from scimind.tokenizer.tags import opening_tag

CONFLICTS = ("keep", "list", "first", "drop")

PLACE = re.compile(r"\{(\w+)\}")
MOST_SEEDS = 2**31 - 1
_RECOGNISED = (*TAG_OF_KIND, "label", "number")
_LONGEST_WORD = 20  # longer texts of a sequence's letters are no names


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
        system: The system text of a conversation; empty if there is none.
        readings: How often something was read differently from how it is written, or not used, by what was done.
        changes: Other changes that were made to raw values.
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
    system: str = ""
    readings: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task defined by templates and fields; a subclass may read and build its records in another way.

    Args:
        name: The name for `--task`.
        question: The question, with fields in braces; `{choices}` means the choices of the output.
        answer: The answer, likewise.
        fields: The fields of a raw record.
        key: The field whose values must not be in two splits; by default the first molecule or sequence, else the
            first field.
        headerless: The fields of a file without a header, in order.
        output: The kind of answer, and how it is read.
        metrics: The group of metrics that scores outputs, one of `GROUPS`; empty for none.
        conflicts: What to do with records that ask the same but answer differently, one of `CONFLICTS`: `keep` them,
            keep and `list` them, keep those that answer like the `first` one, or `drop` them all. Empty drops them if
            the answer has one truth, which a label or choice has, and keeps them otherwise.
        negatives: Name of the method that makes negatives for files without labels, see `negatives`; empty for none.
        description: A sentence for readers.
        only: Which rows of a file are records of this task; see `with_only`.
        wide: How a table with a column for each label is read.
        synonyms: Whether columns are also found by the names that published tables give to such fields.
        chosen: The column that the user chose for a field, see `with_columns`.
    """

    name: str
    question: str = ""
    answer: str = ""
    fields: tuple[Field, ...] = ()
    key: str = ""
    headerless: tuple[str, ...] = ()
    output: Output = field(default_factory=Output)
    metrics: str = ""
    conflicts: str = ""
    negatives: str = ""
    description: str = ""
    only: Only = field(default_factory=Only)
    wide: Wide = field(default_factory=Wide)
    synonyms: bool = False
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """The columns of the fields in a table."""
        return Columns(
            names={spec.name: spec.columns for spec in self.fields},
            fallback={spec.name: spec.fallback for spec in self.fields if spec.fallback},
            optional=frozenset(spec.name for spec in self.fields if spec.optional),
            headerless=self.headerless,
            synonyms=self._synonyms(),
            chosen=self.chosen,
            fits={spec.name: partial(_fits, spec) for spec in self.fields if spec.kind in _RECOGNISED},
        )

    def with_columns(self, chosen: Mapping[str, str]) -> Task:
        """Returns the task with the columns that the user chose: a name, or a number from 1, for each field.

        Raises:
            SciMindError: The field does not exist.
        """
        fields = [spec.name for spec in self.fields]
        return replace(self, chosen=checked_choice(chosen, fields, f"task {self.name}")) if chosen else self

    def with_only(self, values: Mapping[str, Sequence[str]]) -> Task:
        """Returns the task for only those rows of a file that have one of some values in each of some columns.

        Raises:
            SciMindError: The task does not read tables.
        """
        if values and not self.question:
            raise SciMindError(f"--only: task {self.name} does not read records with columns; leave it out")
        only = Only({**self.only.values, **values}, self.only.required | set(values))
        return replace(self, only=only) if values else self

    @property
    def key_field(self) -> str:
        """The name of the field that decides about splits."""
        kinds = [spec.name for spec in self.fields if spec.kind in TAG_OF_KIND] or [self.fields[0].name]
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
    def molecules(self) -> tuple[str, ...]:
        """The names of the fields that are molecules or reactions."""
        return tuple(spec.name for spec in self.fields if TAG_OF_KIND.get(spec.kind) == "smiles")

    @property
    def label_field(self) -> Field | None:
        """The field of kind `label`, if there is one."""
        return next((spec for spec in self.fields if spec.kind == "label"), None)

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The answers that are labels, with their spellings in files; empty if answers are not, or are not known."""
        if self.label_field is not None and self.label_field.labels:
            return self.label_field.labels
        return {choice: () for choice in self.output.choices}

    @property
    def number_field(self) -> Field | None:
        """The field whose value is the answer, if the answer is a number."""
        return self.answered_fields[0] if self.output.kind == "number" else None

    @property
    def conflict_rule(self) -> str:
        """What to do with contradictory records, one of `CONFLICTS`."""
        has_one_truth = self.output.kind == "choice" or any(spec.kind == "label" for spec in self.answered_fields)
        return self.conflicts or ("drop" if has_one_truth else "keep")

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
            columns = replace(columns, optional=columns.optional | {labels.name})
        if label is not None and labels is None:
            raise DataError(f"{label}= gives a label, but task {self.name} has none; leave it out", path)
        rows = self.read(path, columns, notes)
        if label is not None and labels is not None:
            return (_with(row, labels.name, label) for row in rows)
        if labels is not None and self.negatives:
            return with_negatives(rows, self.key_field, labels, options)
        return rows

    def read(self, path: Path, columns: Columns, notes: FileNotes) -> Rows:
        """Yields the records of the task in a file, with the values that some columns hold.

        Args:
            path: The file.
            columns: The columns of the fields, and of others.
            notes: Filled with how the file was understood.

        Raises:
            DataError: The file as a whole cannot be read.
        """
        columns = self.wide.added_to(self.only.added_to(columns))
        rows = self.only.records(settle_selfies(read_rows(path, columns, notes), self.molecules), path, notes)
        return self.wide.records(rows, next((spec.default for spec in self.fields if spec.name == self.wide.names), ""))

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
            entity=values.get(ENTITY, key.entity or key.canonical),
            tag=key.tag,
            group=group_of(key) if options.scaffolds else "",
            question="\x1f".join(read[name].canonical for name in asked if name in read),
            answer="\x1f".join(read[name].canonical for name in answered if name in read),
            variants=tuple(self._variants(read, options)),
            repairs=sum(value.repairs for value in read.values()),
            detected=tuple(wrapped for value in read.values() for wrapped in value.detected),
            label=None if label is None else read[label.name].canonical,
            readings=readings_of(read.values()),
            changes=tuple(change for value in read.values() for change in value.changes),
        )

    def ask(self, options: FieldOptions | None = None, /, **values: str) -> str:
        """Returns the question of the task.

        Args:
            options: How fields are read; by default molecules are not checked.
            values: The raw value of each field in the question: plain text, a SMILES, a sequence.

        Raises:
            RecordError: A value is empty or faulty.
            DataError: A value is missing.
        """
        options, shown = options or FieldOptions(molecules="as-is"), {}
        for spec in self.asked_fields:
            if spec.name not in values and not spec.optional:
                raise DataError(f"the question of task {self.name} needs the {spec.name}; give it")
            shown[spec.name] = read_field(spec, values.get(spec.name), options).shown
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
        tag = opening_tag(TAG_OF_KIND[spec.kind]) if spec.kind in TAG_OF_KIND else ""
        return len(self._filled(before, {other.name: other.default for other in self.asked_fields}).lstrip() + tag)

    def _synonyms(self) -> dict[str, tuple[str, ...]]:
        """Returns further names of columns for the fields whose kind no other field has."""
        found = {}
        for spec in self.fields:
            kinds = ("protein", "dna", "rna") if spec.kind in ("protein", "dna", "rna") else (spec.kind,)
            if sum(other.kind in kinds for other in self.fields) == 1:
                # Structures and FASTA have no columns, and are found by these names.
                read = {"smiles": ("structure",), "label": (), "text": ()}.get(spec.kind, ("sequence",))
                found[spec.name] = SYNONYMS.get(spec.kind, ()) if self.synonyms else read
        return found

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


def group_of(value: FieldValue) -> str:
    """Returns what stays together in a split by scaffold: a molecule's scaffold (empty without a ring), a reaction."""
    return value.entity if value.molecule is None else scaffold(value.molecule)


def _with(row: Row | DataError, name: str, value: object) -> Row | DataError:
    """Returns a row with an additional value; an error is returned unchanged."""
    if isinstance(row, DataError):
        return row
    return Row(row.id, {**row.values, name: value}, row.path, row.line)


def _fits(spec: Field, text: str) -> bool:
    """Returns whether a text is a value of a field rather than the name of a column."""
    try:
        value = read_field(spec, text, FieldOptions())
    except RecordError:
        return False
    if spec.kind == "smiles":
        return value.molecule is not None
    return spec.kind in ("label", "number") or text.isupper() or len(text) >= _LONGEST_WORD
