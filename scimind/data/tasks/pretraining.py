"""The task of next-token prediction: plain text, SMILES lists and FASTA, without questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scimind.data.content.ambiguity import BASES, GAPS, SHORTEST_STRETCH, stretches
from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.content.molecules import random_smiles
from scimind.data.content.selfies import settle_selfies
from scimind.data.content.sequences import sequence_letters
from scimind.data.defects import ENCODING, LONG_LINE, RecordError
from scimind.data.formats.columns import SYNONYMS, Columns, checked_choice
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import name_of
from scimind.data.formats.records import first_names, has_header
from scimind.data.formats.rows import Row, read_rows
from scimind.data.formats.sniffing import FASTA, FASTQ, STRUCTURES, TEXT, format_of
from scimind.data.formats.text_files import LONGEST_LINE, broken_byte, lines_of, open_text
from scimind.data.tasks.task import MOST_SEEDS, Sample, Task, group_of
from scimind.errors import DataError
from scimind.hashing import digest
from scimind.tokenizer.codec import TokenCodec

CONTENTS = ("text", "smiles", "protein", "dna", "rna")

_NAMED = 0.9  # share of the letters of DNA or RNA that are bases, or N; a protein has others

_SUFFIXES = {
    **{".smi": "smiles", ".smiles": "smiles", ".fa": "fasta", ".fasta": "fasta", ".faa": "protein", ".fna": "dna"},
    **{".fastq": "fasta", ".fq": "fasta"},
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_TABLES = (".csv", ".tsv")
# The names of a column by which its kind is known; sequences are judged by their letters.
_NAMES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content"),
    "smiles": SYNONYMS["smiles"],
    "protein": ("protein", "protein_sequence", "aa_sequence", "amino_acid_sequence"),
    "dna": ("dna", "dna_sequence"),
    "rna": ("rna", "rna_sequence"),
    "fasta": ("sequence", "seq", "nucleotide_sequence"),
}
_FIELDS = {
    kind: Field("content", "tagged" if kind == "text" else kind, ("text", "sequence", "smiles", "molecule"))
    for kind in CONTENTS
}


@dataclass(frozen=True)
class PretrainTask(Task):
    """Records that are trained on as a whole, from BOS to EOS.

    The kind of a file is given as `KIND=FILE`, or follows from its extension: `.smi` and `.smiles` hold one SMILES at
    the beginning of each line; `.fa`, `.fasta` and `.fastq` sequences, which are DNA or RNA if they have only its
    letters and at most a tenth are ambiguous bases other than N, else protein; `.faa` protein; `.fna` DNA. In tables
    and JSON, the name of a column decides: `smiles`, `sequence`, `text` and the like. Other files are text, one record
    per line.
    """

    @classmethod
    def standard(cls) -> PretrainTask:
        """Returns the task that comes with the package."""
        return cls("pretrain", metrics="language_model", description="Train on text, SMILES lists and FASTA directly.")

    def rows(self, path: Path, label: str | None, notes: FileNotes, options: FieldOptions) -> Iterator[Row | DataError]:
        """Yields the records of a file; see the base class."""
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _COMPRESSED]
        suffix = suffixes[-1] if suffixes else ""
        if label is not None and label not in CONTENTS:
            raise DataError(f"content ({label}) must be one of {', '.join(CONTENTS)}; write it as KIND=FILE", path)
        kind = label or _SUFFIXES.get(suffix, "")
        found, head = format_of(path)
        if found == TEXT or (kind == "text" and found in (FASTA, FASTQ)) or (not kind and _is_quotation(found, head)):
            is_table, kind = self._kind_of_table(path, suffix, kind)
        else:
            is_table = True
            if found in (FASTA, FASTQ):
                kind = kind or "fasta"
            elif found == STRUCTURES:
                kind = kind or "smiles"
            else:
                _, kind = self._kind_of_table(path, suffix, kind)
        if is_table:
            names = _NAMES["fasta"] if kind in ("protein", "dna", "rna") else ()
            columns = Columns({"content": (*_NAMES[kind], *names)}, chosen=self.chosen)
            rows = read_rows(path, columns, notes)
        else:
            rows = _line_rows(path, notes, kind)
        for row in settle_selfies(rows, ["content"] if kind == "smiles" else []):
            if isinstance(row, DataError):
                yield row
                continue
            content = row.values["content"]
            of_row = _kind_of(content) if kind == "fasta" else kind
            parts = _stretches(of_row, content) if options.ambiguous == "split" else []
            for number, part in enumerate(parts or [content], start=1):
                name = f"{row.id}-{number}" if len(parts) > 1 else row.id
                yield replace(row, id=name, values={**row.values, "content": part, "kind": of_row})

    def with_columns(self, chosen: Mapping[str, str]) -> Task:
        """Returns the task with the column of the `content`; see the base class."""
        return replace(self, chosen=checked_choice(chosen, ["content"], f"task {self.name}")) if chosen else self

    def _kind_of_table(self, path: Path, suffix: str, kind: str) -> tuple[bool, str]:
        """Returns whether a file is a table or JSON with a column to train on, and the kind of its content.

        Raises:
            DataError: Several columns may be meant, or a table has none.
        """
        known = Columns({name: names for name, names in _NAMES.items() if not kind or name == kind}, chosen=self.chosen)
        cells = first_names(path, known)
        is_text = format_of(path)[0] in (TEXT, FASTA, FASTQ)
        may_be_lines = is_text and suffix not in _TABLES
        if self.chosen:
            return True, kind or "text"
        if may_be_lines and (not has_header(path, known) or (len(cells) < 2 and kind in ("", "text"))):
            return False, kind or "text"
        if kind:
            return not is_text or known.is_header(cells) or len(cells) > 1, kind
        columns = {name: _NAMES[name] for name in _NAMES if Columns({name: _NAMES[name]}).matches(cells)}
        if len(columns) == 1:
            return True, next(iter(columns))
        if is_text and len(cells) < 2:
            return False, "text"
        there = ", ".join(map(repr, cells))
        reason = f"{'several columns' if columns else 'no column'} may be trained on (the columns are {there})"
        raise DataError(f"{reason}; write KIND=FILE, such as smiles={path.name}, or --columns content=NAME", path, 1)

    def sample(self, values: Mapping[str, Any], options: FieldOptions) -> Sample:
        """Returns the sample of a record; see the base class."""
        kind, raw = values["kind"], values["content"]
        value = read_field(_FIELDS[kind], raw, options)
        variants = []
        if value.molecule is not None and options.randomised:
            seed = digest(f"{options.seed}:{value.canonical}") % MOST_SEEDS
            drawn = random_smiles(value.molecule, options.randomised, seed)
            variants = [TokenCodec.wrap(smiles, "smiles") for smiles in drawn]
        return Sample(
            text=value.shown,
            entity=value.entity or value.canonical,
            tag=value.tag,
            group=group_of(value) if options.scaffolds else "",
            question=value.canonical,
            text_variants=tuple(variants),
            repairs=value.repairs,
            detected=value.detected,
            readings=value.readings,
            changes=value.changes,
        )


def _kind_of(raw: str) -> str:
    """Returns the kind of a sequence, judged by its letters, of which up to a tenth may be ambiguous bases."""
    letters = sequence_letters("dna", raw)
    for kind, bases in (("dna", "ACGT"), ("rna", "ACGU")):
        named = sum(map(letters.count, (*bases, "N")))
        if not letters.strip("".join((bases, *BASES, GAPS))) and named >= _NAMED * len(letters):
            return kind
    return "protein"


def _stretches(kind: str, raw: str) -> list[str]:
    """Returns the stretches of a sequence between ambiguous letters that are long enough; none of other contents."""
    if kind not in ("protein", "dna", "rna"):
        return []
    parts = [part for _, part in stretches(kind, sequence_letters(kind, raw))]
    return [part for part in parts if len(part) >= SHORTEST_STRETCH]


def _is_quotation(found: str, head: str) -> bool:
    """Returns whether a text only looks like FASTA because its first line begins with >."""
    lines = head.split("\n", 2)
    return found == FASTA and len(lines) > 1 and lines[0].startswith(">") and len(lines[1].split()) > 1


def _line_rows(path: Path, notes: FileNotes, kind: str) -> Iterator[Row | DataError]:
    """Yields the records of a file with one per line; of a SMILES list, the first words of its lines."""
    notes.format = "SMILES list" if kind == "smiles" else "lines"
    for number, text in enumerate(lines_of(open_text(path, notes)[1], LONGEST_LINE), start=1):
        if not text.strip():
            continue
        first = text.split(maxsplit=1)[0]
        if number == 1 and kind != "text" and Columns({"content": _NAMES[kind]}).matches([first]):
            notes.add_remark(f"the first line {first} is a header")
        elif len(text) > LONGEST_LINE:
            reason = f"the line has more than {LONGEST_LINE:,} characters; split it"
            yield RecordError(LONG_LINE, reason, path, number, text)
        elif (broken := broken_byte(text)) is not None:
            yield RecordError(ENCODING, broken, path, number)
        else:
            yield Row(f"{name_of(path)}-{number}", {"content": first if kind == "smiles" else text}, path, number)
