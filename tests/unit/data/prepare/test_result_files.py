"""Files return their counts when they are complete; an empty list leaves no file."""

import json

import numpy as np
import pytest

from scimind.data.prepare.mindrecord import count_records
from scimind.data.prepare.result_files import JsonLines, Rejects, ResultFiles, SplitFiles
from scimind.errors import SciMindError


def record(length: int) -> tuple[np.ndarray, np.ndarray, str]:
    ids = np.arange(1, length + 1, dtype=np.int32)
    return ids, ids, json.dumps({"id": str(length)})


@pytest.mark.parametrize(("packed", "rows"), [(False, 4), (True, 2)])
def test_a_split_returns_its_counts(tmp_path, packed, rows):
    files = SplitFiles(tmp_path, "a", 9, 0, packed=packed)
    for length in (4, 6, 4, 6):
        files.append(*record(length))
    counts = files.close()
    assert (counts.name, counts.records, counts.rows, counts.lengths) == ("a", 4, rows, {4: 2, 6: 2})
    assert count_records(tmp_path / "a.mindrecord") == rows
    assert [talk["id"] for talk in json.loads((tmp_path / "a.json").read_text())] == ["4", "6", "4", "6"]


def test_a_split_without_records_names_the_flag(tmp_path):
    for name, flag in (("a_eval", "--eval-fraction"), ("a_test", "--test-fraction")):
        reason = f"no record for {name}; give more records or another {flag}"
        files = SplitFiles(tmp_path, name, 9, 0, packed=False)
        with ResultFiles(tmp_path, "a", [files]) as results, pytest.raises(SciMindError, match=reason):
            results.splits[name].close()


def test_rejects_are_counted_by_kind_and_defect(tmp_path):
    rejects = Rejects(tmp_path / "a.jsonl")
    entries = [
        {"kind": "too long", "defect": "too long"},
        {"kind": "faulty", "defect": "empty field", "line": 2},
        {"kind": "faulty", "defect": "empty field", "line": 3},
        {"kind": "conflict", "defect": "conflicting answers", "kept": True},
    ]
    for entry in entries:
        rejects.add(entry)
    rejects.close()
    counts = rejects.counts
    assert counts.dropped == {"faulty": 2, "too long": 1} and counts.first == entries[1]
    assert counts.defects == {"too long": 1, "empty field": 2} and counts.kept == {"conflicting answers": 1}
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == entries


def test_an_empty_list_leaves_no_file(tmp_path):
    JsonLines(tmp_path / "a.jsonl").close()
    assert list(tmp_path.iterdir()) == []


def test_half_a_surrogate_pair_is_listed_as_an_escape(tmp_path):
    rejects = Rejects(tmp_path / "a.jsonl")
    entry = {"kind": "faulty", "defect": "encoding", "text": "a\udce8b é"}
    rejects.add(entry)
    rejects.close()
    assert json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8")) == entry
