"""Records written in any form are read back as they were: what is not refused must be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimind.data.formats.columns import Columns
from scimind.data.formats.rows import read_rows
from scimind.data.tasks.registry import find_task
from scimind.errors import DataError
from tests.hostile import samples

_COLUMNS = find_task("smiles2text").columns
_SMILES = ["CCO", "c1ccccc1O", "C[N+](C)(C)C", "OC(=O)/C=C/C", "[Na+].[Cl-]", "N[C@@H](C)C(=O)O"]
_CONTROLS = [chr(number) for number in range(32)] + ["\x7f", "\x85", "\u2028", "\u2029", "\ufeff"]
# Captions of a table are on one line, and readers leave out white space around them; quotes and separators may occur.
_CAPTIONS = st.text(st.characters(codec="utf-8", exclude_characters=_CONTROLS), min_size=1, max_size=40).map(
    lambda text: f"A {text} b."
)
_RECORDS = st.lists(st.tuples(st.sampled_from(_SMILES), _CAPTIONS), min_size=1, max_size=6)
_FORMS: dict[str, Callable[[Any], bytes]] = {
    "a.json": samples.json_list,
    "a.jsonl": samples.json_lines,
    "wrapped.json": lambda rows: json.dumps({"data": rows}).encode(),
    "a.csv": samples.table,
    "a.csv.gz": lambda rows: samples.compressed(samples.table(rows))["gz"],
    "a.json.zst": lambda rows: samples.compressed(samples.json_list(rows))["zst"],
    "semicolons.csv": lambda rows: samples.table(rows, ";"),
    "a.parquet": samples.parquet,
}
_FEW = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read(path: Path) -> list[tuple[str, str]]:
    """Returns the pairs of molecule and caption in a file."""
    found = []
    for row in read_rows(path, _COLUMNS):
        if isinstance(row, DataError):
            raise row
        found.append((row.values["molecule"], row.values["description"]))
    return found


@pytest.mark.parametrize("name", _FORMS)
@_FEW
@given(records=_RECORDS)
def test_what_is_written_is_read(tmp_path: Path, name: str, records: list[tuple[str, str]]) -> None:
    rows = [{"molecule": smiles, "caption": text} for smiles, text in records]
    (tmp_path / name).write_bytes(_FORMS[name](rows))
    assert read(tmp_path / name) == records
    # Its twin: another record is another result.
    rows[-1]["caption"] += "x"
    (tmp_path / name).write_bytes(_FORMS[name](rows))
    assert read(tmp_path / name) != records


@_FEW
@given(
    records=st.lists(st.tuples(st.text("ACGTN", min_size=1, max_size=30), st.integers(1, 9)), min_size=1, max_size=5)
)
def test_sequences_are_read_wherever_their_lines_end(tmp_path: Path, records: list[tuple[str, int]]) -> None:
    columns = Columns({"sequence": ("sequence",)})
    text = ""
    for number, (sequence, width) in enumerate(records):
        lines = [sequence[at : at + width] for at in range(0, len(sequence), width)]
        text += f">s{number} note\n" + "\n".join(lines) + "\n"
    (tmp_path / "a.fa").write_text(text)
    found = [row.values["sequence"] for row in read_rows(tmp_path / "a.fa", columns) if not isinstance(row, DataError)]
    assert found == [sequence for sequence, _ in records]
