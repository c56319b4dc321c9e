"""Files of predictions and references, read for scoring; files of different lengths are an error, never truncated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scimind.data.formats.text_files import lines_of, open_text, repair_backslashes
from scimind.errors import DataError
from scimind.small_files import parse_small_json
from scimind.tokenizer.tags import FORM_BRACKETS

_OUTPUT = ("output",)
_REFERENCE = ("ground truth", "reference")
_CLASSIFIER_START = "[CLS] "


@dataclass(frozen=True)
class Item:
    """One output with its reference.

    Attributes:
        id: The prompt's id, or the number of its line among the outputs, from 1.
        output: The model's text, as written in the file.
        reference: The right text; None if there is none.
        input: The model's input, such as a SMILES or a description; None if the file does not give it.
        line: Line of the predictions file, from 1.
        has_output: False if a table's row ends before the output column; the output is then the empty text.
        extra: Further columns or keys, such as `probability`.
    """

    id: str
    output: str
    reference: str | None = None
    input: str | None = None
    line: int = 0
    has_output: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


def read_items(
    predictions: str | Path,
    references: str | Path | None = None,
    *,
    columns: Sequence[str] = (),
    unescape: bool = False,
) -> list[Item]:
    r"""Reads outputs and references.

    Args:
        predictions: JSON lines with `output` and optionally `id`, `reference`, `prompt`; a tab-separated table whose
            first line names the columns `output` and `ground truth`, as MolT5 and L+M-24 write it; or one output per
            line.
        references: JSON lines with `id` and `reference`, which are joined by id; a table whose first line names
            `ground truth`, `reference` or one of `columns`; or one reference per line. The last two must be in the
            order of the predictions. None takes the references in the predictions file.
        columns: Further names of the column of references, such as `SMILES`.
        unescape: Whether a literal `\n` in a file with one output per line is a line break, as written by
            `scimind predict`.

    Returns:
        One item per output, in order.

    Raises:
        DataError: A file is missing, empty, malformed or truncated; the numbers of items differ, or the files do not
            belong together.
    """
    path = Path(predictions)
    items = _read(path, unescape)
    seen: dict[str, int] = {}
    for item in items:
        if item.id in seen:
            raise DataError(f"id {item.id!r} is already on line {seen[item.id]}; make the ids unique", path, item.line)
        seen[item.id] = item.line
    if references is None:
        return items
    right = _read_references(Path(references), columns, unescape)
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


def lines_to_end(path: Path) -> tuple[list[str], bool]:
    """Returns the lines of a file without their line ends, and whether the last line has a line end.

    Raises:
        DataError: The file is missing, empty or not UTF-8.
    """
    lines = list(lines_of(open_text(path)[1]))
    is_ended = lines[-1] == ""
    return (lines[:-1] if is_ended else lines), is_ended


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of JSON lines with their line numbers.

    Raises:
        DataError: A line is empty or not a JSON object.
    """
    for number, line in enumerate(lines_to_end(path)[0], 1):
        try:
            entry = parse_small_json(line)
        except ValueError as error:
            raise DataError(f"not a JSON object ({error}); fix or remove the line", path, number, line) from error
        yield number, entry


def read_table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a tab-separated table with a header, with their line numbers.

    Quotes are ordinary characters, as in the published files. A row may end one column early; the last column is then
    missing from its keys.

    Raises:
        DataError: A row has too few or too many columns, or the file is truncated in its last row.
    """
    lines, is_ended = lines_to_end(path)
    names = [name.strip().lower() for name in lines[0].split("\t")]
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) == len(names) - 1 and number == len(lines) and not is_ended:
            raise DataError("the file is truncated in its last row; write it again", path, number, line)
        if not len(names) - 1 <= len(fields) <= len(names):
            raise DataError(
                f"the row has {len(fields)} columns, the header {len(names)}; fix the row", path, number, line
            )
        yield number, dict(zip(names, fields, strict=False))


def _bare(text: str) -> str:
    """Returns a text without token marks and white space and with doubled backslashes made single."""
    return repair_backslashes("".join(FORM_BRACKETS.sub("", text).split()))[0]


@dataclass(frozen=True)
class _References:
    path: Path
    texts: list[str]
    ids: list[str]
    inputs: list[str | None]


def _read(path: Path, unescape: bool) -> list[Item]:
    if path.suffix == ".jsonl":
        return [_from_object(path, number, entry) for number, entry in read_objects(path)]
    lines, _ = lines_to_end(path)
    names = [name.strip().lower() for name in lines[0].split("\t")]
    if len(names) > 1 and "output" in names:
        return [_from_row(number, row, names) for number, row in read_table(path)]
    texts = [line.replace("\\n", "\n") for line in lines] if unescape else lines
    return [Item(str(number), text, line=number) for number, text in enumerate(texts, 1)]


def _from_object(path: Path, number: int, entry: dict[str, Any]) -> Item:
    output, reference = entry.get("output"), entry.get("reference")
    if not isinstance(output, str):
        raise DataError('each line needs "output" with a text', path, number, json.dumps(entry))
    if reference is not None and not isinstance(reference, str):
        raise DataError('"reference" must be a text', path, number, json.dumps(entry))
    asked = entry.get("input", entry.get("prompt"))
    known = ("id", "output", "reference", "input", "prompt")
    extra = {key: value for key, value in entry.items() if key not in known}
    asked = asked if isinstance(asked, str) else None
    return Item(str(entry.get("id", number)), output, reference, asked, number, True, extra)


def _from_row(number: int, row: dict[str, str], names: Sequence[str]) -> Item:
    other = [name for name in names if name not in ("id", *_OUTPUT, *_REFERENCE)]
    reference = next((row[name] for name in _REFERENCE if name in row), None)
    asked = row.get(other[0]) if other else None
    extra = {name: row[name] for name in other[1:] if name in row}
    if other and other[0] in ("probability", "probabilities"):
        asked, extra = None, {name: row[name] for name in other if name in row}
    identity = row.get("id") or str(number - 1)
    return Item(identity, row.get("output", ""), reference, asked, number, "output" in row, extra)


def _read_references(path: Path, columns: Sequence[str], unescape: bool) -> _References:
    if path.suffix == ".jsonl":
        texts, ids = [], []
        for number, entry in read_objects(path):
            text = next((entry[key] for key in ("reference", "output", *columns) if key in entry), None)
            if not isinstance(text, str):
                raise DataError('each line needs "reference" with a text', path, number, json.dumps(entry))
            texts.append(text)
            if "id" in entry:
                ids.append(str(entry["id"]))
        if len(ids) not in (0, len(texts)):
            raise DataError(f"{len(ids)} of {len(texts)} lines have an id; give all lines one, or none", path)
        return _References(path, texts, ids, [None] * len(texts))
    lines, _ = lines_to_end(path)
    names = [name.strip().lower() for name in lines[0].split("\t")]
    column = next((name for name in (*_REFERENCE, *(c.lower() for c in columns)) if name in names), None)
    if len(names) > 1 and column is None:
        wanted = ", ".join((*_REFERENCE, *columns))
        raise DataError(f"no column holds references; name one of the columns {wanted}", path, 1, lines[0])
    if column is None:
        texts = [line.replace("\\n", "\n") for line in lines] if unescape else lines
        return _References(path, texts, [], [None] * len(texts))
    texts, inputs = [], []
    for number, row in read_table(path):
        if column not in row:
            raise DataError(f"the row ends before its column {column!r}; fix it", path, number, "\t".join(row.values()))
        texts.append(row[column])
        inputs.append(next((row[name] for name in names if name not in ("id", "cid", column, "output")), None))
    return _References(path, texts, [], inputs)


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
