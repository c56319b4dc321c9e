"""Files of predictions and references, read for scoring; files of different lengths are an error, never truncated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scimind.data.formats import sniffing
from scimind.data.formats.columns import IDENTITY, SYNONYMS, Columns, checked_choice, normalised
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.records import RecordFile, first_names, open_records, plain_lines
from scimind.data.formats.rows import read_rows
from scimind.data.formats.text_files import open_text, repair_backslashes
from scimind.errors import DataError
from scimind.evaluate.ranked_answers import Answer, RankedRow, answers_of, group_by_rank, likelihood_in
from scimind.tokenizer.tags import FORM_BRACKETS

_OUTPUT = ("output", "outputs", "prediction", "predictions", "predicted", "generated", "response")
_INPUT = ("input", "prompt")
_REFERENCE = ("ground truth", "reference")
# Names of a table's first column that do not mean the input, which has no name in published tables.
_NO_INPUT = ("probability", "probabilities", "cid", "rank")
_CLASSIFIER_START = "[CLS] "


@dataclass(frozen=True)
class Item:
    """A prompt's output with its reference.

    Attributes:
        id: The prompt's id, or the number of its line among the outputs, from 1.
        output: The model's text, as written in the file; of several answers the best.
        reference: The right text; None if there is none.
        input: The model's input, such as a SMILES or a description; None if the file does not give it.
        line: Line of the predictions file, from 1.
        has_output: False if a table's row ends before the output column; the output is then the empty text.
        extra: Further columns or keys, such as `probability`.
        further: The answers after the first, best first; empty unless the prompt has several.
        log_likelihoods: Of each of several answers, in nats; None where the file does not give it.
    """

    id: str
    output: str
    reference: str | None = None
    input: str | None = None
    line: int = 0
    has_output: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    further: tuple[str, ...] = ()
    log_likelihoods: tuple[float | None, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers, best first: at least the output."""
        return (self.output, *self.further)


def read_items(
    predictions: str | Path,
    references: str | Path | None = None,
    *,
    columns: Sequence[str] = (),
    unescape: bool = False,
    chosen: Mapping[str, str] | None = None,
    notes: dict[str, FileNotes] | None = None,
) -> list[Item]:
    r"""Reads outputs and references.

    Args:
        predictions: JSON, a table in text, parquet or an Excel workbook with a column `output` and optionally `id`,
            `reference` or `ground truth` and others, as `scimind predict`, MolT5 and L+M-24 write them; or one output
            per line. Several answers to a prompt are a list in JSON, or a table's rows with the same id and a `rank`.
        references: The same with `reference`, `ground truth` or one of `columns`; or one reference per line. They are
            joined by id if they are JSON with ids, or a table with the predictions' ids; otherwise they must be in the
            order of the predictions. None takes the references in the predictions file.
        columns: Further names of the column of references, such as `SMILES`.
        unescape: Whether a literal `\n` in a file with one output per line is a line break, as written by
            `scimind predict`.
        chosen: The column of `output`, `reference`, `input` or `id` that is not found by its name, or its number.
        notes: Filled with how `predictions` and `references` were understood.

    Returns:
        One item per prompt, in order.

    Raises:
        DataError: A file is missing, empty, malformed or truncated; the numbers of items differ, the files do not
            belong together, or the ranks of a prompt's answers are not 1, 2, 3, …
    """
    path, notes = Path(predictions), {} if notes is None else notes
    picked = checked_choice(chosen or {}, ["output", "reference", "input"], "a file of predictions")
    apart = {name: column for name, column in picked.items() if references is None or name != "reference"}
    items = _read(path, unescape, apart, notes.setdefault("predictions", FileNotes()))
    if not items:
        raise DataError("the file has no records; give a file with records", path)
    items = _by_prompt(items, path)
    if references is None:
        return items
    apart = {name: column for name, column in picked.items() if name == "reference"}
    about = notes.setdefault("references", FileNotes())
    right = _read_references(Path(references), columns, unescape, apart, about)
    joined = _join_by_id(items, right, Path(references)) if right.ids else _join_by_line(items, right, path)
    for before, after in zip(items, joined, strict=True):
        if before.reference is not None and before.reference.strip() != (after.reference or "").strip():
            reason = (
                f"item {before.id} has a different reference in the predictions file ({before.reference[:40]!r}); "
                "give files that belong together and have the same order"
            )
            raise DataError(reason, references, None, after.reference or "")
    return joined


def answers(item: Item, asked: str) -> bool:
    """Returns whether an item's prompt contains an input, or the item has no prompt.

    Args:
        item: Its input may be the whole prompt, with sequences spelled in tokens, such as `{|C|}{|O|}`.
        asked: A bare input, such as a SMILES or a description.
    """
    return item.input is None or _bare(asked) in _bare(item.input)


def caption_text(text: str) -> str:
    """Returns a caption as the published scripts read it: without a leading `[CLS] ` or outer white space."""
    return text.removeprefix(_CLASSIFIER_START).strip()


def lines_to_end(path: Path) -> list[str]:
    """Returns the lines of a file without their line ends.

    Raises:
        DataError: The file is missing, empty or not text, or a line is too long.
    """
    return [text for _, text in plain_lines(path, FileNotes())]


def read_objects(path: Path, notes: FileNotes | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of a JSON file with their line numbers.

    Raises:
        DataError: A record is not a JSON object.
    """
    notes = FileNotes() if notes is None else notes
    start, blocks = open_text(path, notes, strict=True)
    if start not in "[{":
        raise DataError("not a JSON object; give JSON or JSON Lines", path, 1, next(blocks).lstrip()[:100])
    for value in json_values(path, start, blocks, notes):
        if isinstance(value, DataError):
            raise value
        line, entry = value
        if not isinstance(entry, dict):
            raise DataError("not a JSON object; fix or remove it", path, line, json.dumps(entry)[:200])
        yield line, entry


def read_table(
    path: Path, columns: Columns, notes: FileNotes | None = None
) -> tuple[RecordFile, list[tuple[int, dict[str, Any]]]]:
    """Returns a table in text, parquet or a workbook with its rows: their line numbers and values by column.

    With tabs, a row may end one column early; the last column is then missing from its keys.

    Raises:
        DataError: A row has too few or too many columns, or the file is truncated in its last row.
    """
    notes = FileNotes() if notes is None else notes
    table = open_records(path, columns, notes, strict=True, every_row=True)
    rows: list[tuple[int, dict[str, Any]]] = []
    for record in table.records:
        if isinstance(record, DataError):
            raise record
        rows.append(record)
    if rows and notes.ends_open and table.keys and len(rows[-1][1]) < len(table.keys):
        shown = "\t".join(map(str, rows[-1][1].values()))
        raise DataError("the file is truncated in its last row; write it again", path, rows[-1][0], shown)
    return table, rows


def read_molecules(path: Path) -> list[str]:
    """Returns the SMILES in a file: of a table's column, of JSON, or the first word of each line.

    Raises:
        DataError: The file is missing, empty or malformed, or no column holds molecules.
    """
    columns = Columns({"molecule": SYNONYMS["smiles"]})
    if not _is_records(path, columns, "molecule"):
        return [(text.split(maxsplit=1) or [""])[0] for text in lines_to_end(path)]
    found = []
    for row in read_rows(path, columns):
        if isinstance(row, DataError):
            raise row
        found.append(str(row.values["molecule"] or "").strip())
    return found


def _bare(text: str) -> str:
    """Returns a text without token marks and white space and with doubled backslashes made single."""
    return repair_backslashes("".join(FORM_BRACKETS.sub("", text).split()))[0]


@dataclass(frozen=True)
class _References:
    path: Path
    texts: list[str]
    ids: list[str]
    inputs: list[str | None]


def _read(path: Path, unescape: bool, chosen: Mapping[str, str], notes: FileNotes) -> list[Item]:
    columns = Columns(
        {"output": _OUTPUT, "reference": _REFERENCE, "input": _INPUT},
        optional=frozenset(("reference", "input")),
        chosen=chosen,
    )
    if not _is_records(path, columns, "output"):
        lines = plain_lines(path, notes)
        return [Item(str(n), text.replace("\\n", "\n") if unescape else text, line=n) for n, text in lines]
    if sniffing.format_of(path)[0] == sniffing.JSON:
        entries = enumerate(read_objects(path, notes), 1)
        return [_from_object(path, line, number, entry, columns) for number, (line, entry) in entries]
    table, rows = read_table(path, columns, notes)
    return _from_rows(path, table, rows, columns, notes)


def _is_records(path: Path, columns: Columns, field: str) -> bool:
    """Returns whether a file has named columns or keys rather than one value per line.

    Raises:
        DataError: It is a table that has no column for the field.
    """
    found, _ = sniffing.format_of(path)
    if found not in (sniffing.TEXT, sniffing.FASTA, sniffing.FASTQ):
        if found == sniffing.STRUCTURES:
            raise DataError(f"is {found}, which is not read here; give a table with a column {field}", path)
        return True
    is_sequences = found != sniffing.TEXT
    if is_sequences and path.suffix.lower() in (".fa", ".fasta", ".faa", ".fastq", ".fq"):
        raise DataError(f"is {found}, which is not read here; give one {field} per line or a table", path)
    cells = first_names(path, columns)
    if is_sequences or not cells:
        return False
    if columns.chosen or (columns.is_header(cells) and (len(cells) > 1 or field in columns.found(cells))):
        columns.find(cells, path, 1)
        return True
    if len(cells) > 1 and path.suffix.lower() in (".csv", ".tsv"):
        columns.find(cells, path, 1)
    return False


def _from_object(path: Path, line: int, number: int, entry: dict[str, Any], columns: Columns) -> Item:
    keys = list(entry)
    try:
        places = columns.find(keys, path, line)
    except DataError as error:
        raise DataError('each line needs "output" with a text', path, line, json.dumps(entry)) from error
    values = {name: entry[keys[place]] for name, place in places.items()}
    answers, reference = answers_of(entry, keys[places["output"]], path, line), values.get("reference")
    if reference is not None and not isinstance(reference, str):
        raise DataError('"reference" must be a text', path, line, json.dumps(entry))
    taken = {keys[place] for place in places.values()}
    extra = {key: value for key, value in entry.items() if key not in taken}
    asked = values.get("input")
    item = Item(
        str(values.get(IDENTITY, number)),
        answers[0].text,
        reference,
        asked if isinstance(asked, str) and asked else None,  # empty if the prompt could not be read
        line,
        True,
        extra,
    )
    return _with_answers(item, answers)


def _with_answers(item: Item, answers: Sequence[Answer]) -> Item:
    """Returns an item with all its answers, of which it has the first."""
    if len(answers) == 1:
        return item
    further = tuple(answer.text for answer in answers[1:])
    return replace(item, further=further, log_likelihoods=tuple(answer.log_likelihood for answer in answers))


def _by_prompt(items: Sequence[Item], path: Path) -> list[Item]:
    """Returns one item per id: those with the same id and a `rank` are the answers to a prompt.

    Raises:
        DataError: An id is repeated without ranks, the ranks are not 1, 2, 3, …, or the references of a prompt differ.
    """
    rows = [RankedRow(item.id, None if item.further else item.extra.get("rank"), item.line) for item in items]
    prompts = []
    for group in group_by_rank(rows, path):
        first, *others = (items[place] for place in group)
        for item in others:
            if item.reference != first.reference:
                reason = f"id {item.id!r} has another reference on line {first.line}; give a prompt one reference"
                raise DataError(reason, path, item.line)
        answers = [Answer(item.output, likelihood_in(item.extra.get("log_likelihood"))) for item in (first, *others)]
        prompts.append(_with_answers(first, answers))
    return prompts


def _from_rows(
    path: Path, table: RecordFile, rows: Sequence[tuple[int, dict[str, Any]]], columns: Columns, notes: FileNotes
) -> list[Item]:
    keys, header = table.keys or [], table.header or []
    places = columns.find(header, path, 1)
    notes.columns = {name: header[place] for name, place in places.items()}
    named = {name: keys[place] for name, place in places.items()}
    other = [key for key in keys if key not in named.values()]
    if "input" not in named and other and normalised(other[0]) not in _NO_INPUT:
        named["input"] = other.pop(0)
    items = []
    for number, (line, row) in enumerate(rows, 1):
        values = {name: str(row[key]) for name, key in named.items() if row.get(key) is not None}
        extra = {key.lower(): row[key] for key in other if key in row}
        output, identity = values.get("output", ""), values.get(IDENTITY) or str(number)
        has_output = "output" in values
        items.append(Item(identity, output, values.get("reference"), values.get("input"), line, has_output, extra))
    return items


def _read_references(
    path: Path, columns: Sequence[str], unescape: bool, chosen: Mapping[str, str], notes: FileNotes
) -> _References:
    known = Columns({"reference": (*_REFERENCE, *columns)}, chosen=chosen)
    if not _is_records(path, known, "reference"):
        if "\t" in (first := sniffing.head_of(path).lstrip().split("\n", 1)[0]):
            known.find(first.split("\t"), path, 1)
        texts = [text.replace("\\n", "\n") if unescape else text for _, text in plain_lines(path, notes)]
        return _References(path, texts, [], [None] * len(texts))
    if sniffing.format_of(path)[0] == sniffing.JSON:
        return _references_of_objects(path, columns, known, notes)
    table, rows = read_table(path, known, notes)
    keys, header = table.keys or [], table.header or []
    places = known.find(header, path, 1)
    notes.columns = {name: header[place] for name, place in places.items()}
    column = keys[places["reference"]]
    asked = next((key for key in keys if normalised(key) not in ("id", "cid", "output") and key != column), "")
    texts, inputs = [], []
    for line, row in rows:
        if row.get(column) is None:
            shown = "\t".join(map(str, row.values()))
            raise DataError(f"the row ends before its column {column!r}; fix it", path, line, shown)
        texts.append(str(row[column]))
        inputs.append(None if row.get(asked) is None else str(row[asked]))
    return _References(path, texts, [], inputs)


def _references_of_objects(path: Path, columns: Sequence[str], known: Columns, notes: FileNotes) -> _References:
    texts, ids = [], []
    for line, entry in read_objects(path, notes):
        keys = list(entry)
        wider = known if known.chosen else Columns({"reference": ("reference", "output", *_REFERENCE, *columns)})
        try:
            places = wider.find(keys, path, line)
        except DataError as error:
            raise DataError('each line needs "reference" with a text', path, line, json.dumps(entry)) from error
        text = entry[keys[places["reference"]]]
        if not isinstance(text, str):
            raise DataError('each line needs "reference" with a text', path, line, json.dumps(entry))
        texts.append(text)
        if IDENTITY in places:
            ids.append(str(entry[keys[places[IDENTITY]]]))
    if len(ids) not in (0, len(texts)):
        raise DataError(f"{len(ids)} of {len(texts)} lines have an id; give all lines one, or none", path)
    return _References(path, texts, ids, [None] * len(texts))


def _join_by_line(items: list[Item], right: _References, path: Path) -> list[Item]:
    if len(right.texts) != len(items):
        reason = f"{len(right.texts)} references for {len(items)} predictions of {path}; both must have the same order"
        raise DataError(reason, right.path)
    joined = []
    for item, text, asked in zip(items, right.texts, right.inputs, strict=True):
        if asked is not None and not answers(item, asked):
            reason = f"item {item.id} answers {(item.input or '')[:40]!r}, but its reference is for {asked[:40]!r}"
            raise DataError(f"{reason}; bring both files into the same order", right.path)
        joined.append(replace(item, reference=text, input=item.input if item.input is not None else asked))
    return joined


def _join_by_id(items: list[Item], right: _References, path: Path) -> list[Item]:
    if len(set(right.ids)) != len(right.ids):
        twice = next(name for name in right.ids if right.ids.count(name) > 1)
        raise DataError(f"id {twice!r} appears more than once; make the ids unique", path)
    by_id = dict(zip(right.ids, right.texts, strict=True))
    absent = [item.id for item in items if item.id not in by_id]
    unused = sorted(set(right.ids) - {item.id for item in items})
    if absent or unused:
        parts = [f"no reference for {len(absent)} predictions, such as id {absent[0]!r}"] if absent else []
        parts += [f"no prediction for {len(unused)} references, such as id {unused[0]!r}"] if unused else []
        raise DataError(f"{' and '.join(parts)}; give files of the same items", path)
    return [replace(item, reference=by_id[item.id]) for item in items]
