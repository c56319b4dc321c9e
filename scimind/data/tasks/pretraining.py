"""The task of next-token prediction: plain text, SMILES lists and FASTA, without questions."""

from __future__ import annotations

import json
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
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.rows import Columns, Row, read_rows
from scimind.data.formats.text_files import LONGEST_LINE, FileNotes, broken_byte, lines_of, open_text
from scimind.data.tasks.task import MOST_SEEDS, Sample, Task, group_of
from scimind.errors import DataError
from scimind.hashing import digest
from scimind.tokenizer.codec import TokenCodec

CONTENTS = ("text", "smiles", "protein", "dna", "rna")

_NAMED = 0.9  # share of the letters of DNA or RNA that are bases, or N; a protein has others

_SUFFIXES = {".smi": "smiles", ".smiles": "smiles", ".fa": "fasta", ".fasta": "fasta", ".faa": "protein", ".fna": "dna"}
_FIELDS = {
    kind: Field("content", "tagged" if kind == "text" else kind, ("text", "sequence", "smiles", "molecule"))
    for kind in CONTENTS
}


@dataclass(frozen=True)
class PretrainTask(Task):
    """Records that are trained on as a whole, from BOS to EOS.

    The kind of a file is given as `KIND=FILE`, or follows from its extension: `.smi` and `.smiles` hold one SMILES at
    the beginning of each line; `.fa` and `.fasta` sequences, which are DNA or RNA if they have only its letters and at
    most a tenth are ambiguous bases other than N, else protein; `.faa` protein; `.fna` DNA. Other files are text, one
    record per line; `.json` and `.jsonl` hold objects with a `text`.
    """

    @classmethod
    def standard(cls) -> PretrainTask:
        """Returns the task that comes with the package."""
        return cls("pretrain", metrics="language_model", description="Train on text, SMILES lists and FASTA directly.")

    def rows(self, path: Path, label: str | None, notes: FileNotes, options: FieldOptions) -> Iterator[Row | DataError]:
        """Yields the records of a file; see the base class."""
        suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
        kind = label or _SUFFIXES.get(suffix.lower(), "text")
        if kind not in (*CONTENTS, "fasta"):
            raise DataError(f"content ({kind}) must be one of {', '.join(CONTENTS)}; write it as KIND=FILE", path)
        start, _ = open_text(path, FileNotes())
        if kind in ("fasta", "protein", "dna", "rna") and start == ">":
            columns = Columns({"content": ("sequence",)})
            found: Iterator[Row | DataError] = read_rows(path, columns, notes)
        elif suffix.lower() in (".json", ".jsonl") and start in "[{":
            found = _json_rows(path, *open_text(path, notes))
        else:
            found = _line_rows(path, lines_of(open_text(path, notes)[1], LONGEST_LINE), first_word=kind == "smiles")
        for row in settle_selfies(found, ["content"] if kind == "smiles" else []):
            if isinstance(row, DataError):
                yield row
                continue
            content = row.values["content"]
            of_row = _kind_of(content) if kind == "fasta" else kind
            parts = _stretches(of_row, content) if options.ambiguous == "split" else []
            for number, part in enumerate(parts or [content], start=1):
                name = f"{row.id}-{number}" if len(parts) > 1 else row.id
                yield replace(row, id=name, values={"content": part, "kind": of_row})

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


def _line_rows(path: Path, lines: Iterator[str], *, first_word: bool) -> Iterator[Row | DataError]:
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        if len(text) > LONGEST_LINE:
            reason = f"the line has more than {LONGEST_LINE:,} characters; split it"
            yield RecordError(LONG_LINE, reason, path, number, text)
        elif (broken := broken_byte(text)) is not None:
            yield RecordError(ENCODING, broken, path, number)
        else:
            yield Row(f"{path.stem}-{number}", {"content": text.split()[0] if first_word else text}, path, number)


def _json_rows(path: Path, start: str, blocks: Iterator[str]) -> Iterator[Row | DataError]:
    for number, value in enumerate(json_values(path, start, blocks), start=1):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            yield DataError('a record must be an object with a "text"', path, line, json.dumps(fields))
        elif (broken := broken_byte(fields["text"])) is not None:
            yield RecordError(ENCODING, broken, path, line)
        else:
            yield Row(str(fields.get("id", f"{path.stem}-{number}")), {"content": fields["text"]}, path, line)
