"""Predictions on disk: order, restart, changed runs, full disks."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from scimind.errors import DataError
from scimind.generate.prediction_file import PredictionWriter, check_output, text_line

EXPECTED = [{"id": str(number), "prompt": f"prompt {number}"} for number in range(6)]
RUN = {"max_new_tokens": 5, "checkpoint": "abc"}


def row(number):
    return {**EXPECTED[number], "output": f"answer\n{number} ü"}


def write(path, numbers, expected=EXPECTED, run=RUN, overwrite=False):
    """Adds rows, flushes after each, and finishes once all are there."""
    with PredictionWriter(path, expected, run, overwrite) as writer:
        for number in numbers:
            writer.add(number, row(number))
            writer.flush()
        if writer.complete:
            writer.finish()
    return writer


def rows_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_arrive_in_any_order_and_are_written_in_input_order(tmp_path):
    path = tmp_path / "new" / "folder" / "x.jsonl"
    with PredictionWriter(path, EXPECTED, RUN) as writer:
        for number, there in ((2, 0), (0, 1), (1, 3), (4, 3), (5, 3), (3, 6)):
            writer.add(number, row(number))
            writer.flush()
            assert [entry["id"] for entry in rows_of(path)] == [str(n) for n in range(there)]
        writer.finish()
    assert rows_of(path) == [row(number) for number in range(6)]
    notes = json.loads((tmp_path / "new" / "folder" / "x.jsonl.run.json").read_text())
    assert notes["complete"] is True and notes["max_new_tokens"] == 5 and notes["prompts"] == 6


@pytest.mark.parametrize("torn", [b"", b'{"id": "3", "pro', b'{"id": "3"}{\n', b"\x00\x00\n"])
def test_a_run_continues_after_the_last_complete_row(tmp_path, torn):
    path, whole = tmp_path / "x.jsonl", tmp_path / "whole.jsonl"
    write(whole, range(6))
    write(path, range(3))
    with path.open("ab") as file:
        file.write(torn)
    assert write(path, range(6)).written == 6
    assert path.read_bytes() == whole.read_bytes()


def test_a_complete_run_stays_as_it_is(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path, range(6))
    before = path.read_bytes()
    assert write(path, []).written == 6
    assert path.read_bytes() == before


def test_an_input_that_grew_at_its_end_continues(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path, range(3), EXPECTED[:3])
    write(path, range(3, 6))
    assert len(rows_of(path)) == 6


def test_another_run_is_refused_and_overwrite_starts_over(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path, range(3))
    before = path.read_bytes()
    with pytest.raises(DataError, match=r'checkpoint was "abc" and is "other"\); give --overwrite'):
        write(path, [], run={**RUN, "checkpoint": "other"})
    with pytest.raises(DataError, match="x.jsonl:2: does not answer the input's prompt"):
        write(path, [], [EXPECTED[0], {"id": "1", "prompt": "changed"}, *EXPECTED[2:]])
    with pytest.raises(DataError, match=r"more predictions than the input has prompts \(2\)"):
        write(path, [], EXPECTED[:2])
    assert path.read_bytes() == before
    write(path, range(6), run={**RUN, "checkpoint": "other"}, overwrite=True)
    assert len(rows_of(path)) == 6


def test_a_file_of_unknown_origin_is_refused(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("my only copy\n")
    with pytest.raises(DataError, match="exists, but no record of its run is next to it"):
        write(path, [])
    assert path.read_text() == "my only copy\n"
    (tmp_path / "x.jsonl.run.json").write_text("{")
    with pytest.raises(DataError, match="is not the record of a prediction run"):
        write(path, [])


def test_a_broken_row_in_the_middle_is_named(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path, range(4))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"rubbish", *lines[2:]]))
    with pytest.raises(DataError, match="x.jsonl:2: is not a prediction row"):
        write(path, [])


def test_a_text_file_is_assembled_at_the_end(tmp_path):
    path, part = tmp_path / "x.txt", tmp_path / "x.txt.part.jsonl"
    write(path, range(4))
    assert part.exists() and not path.exists()
    write(path, range(4, 6))
    assert not part.exists()
    assert path.read_text("utf-8") == "".join(f"answer\\n{number} ü\n" for number in range(6))
    assert write(path, []).written == 6
    with pytest.raises(DataError, match="checkpoint was"):
        write(path, [], run={**RUN, "checkpoint": "other"})
    with pytest.raises(DataError, match="input was"):
        write(path, [], EXPECTED[:5])
    path.unlink()
    assert write(path, range(6)).written == 6 and path.exists()


def test_a_foreign_text_file_is_not_replaced(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("mine\n")
    with pytest.raises(DataError, match="exists, but no record of its run"):
        write(path, [])
    assert path.read_text() == "mine\n"


def test_line_breaks_of_an_answer():
    assert text_line("a\nb\r\nc\rd") == r"a\nb\nc\nd"
    assert text_line(r"C/C=C\n1cccc1") == r"C/C=C\n1cccc1"


def test_what_is_overwritten_is_kept_until_the_new_run_is_complete(tmp_path):
    path, old = tmp_path / "x.jsonl", tmp_path / ".x.jsonl.old"
    write(path, range(6))
    first = path.read_bytes()
    for _ in range(2):  # the second run that starts over keeps what the first one kept
        with PredictionWriter(path, EXPECTED, RUN, overwrite=True) as writer:
            writer.add(0, row(0))
            writer.flush()
        assert old.read_bytes() == first and len(path.read_bytes().splitlines()) == 1
    write(path, range(1, 6))
    assert path.read_bytes() == first and not old.exists()


@pytest.mark.parametrize("name", ["x.tsv", "x", "x.json"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"must end in .jsonl or .txt or .csv"):
        check_output(tmp_path / name)


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written") as caught:
        check_output(tmp_path / "file" / "x.jsonl")
    assert "\n" not in str(caught.value)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        check_output(tmp_path / "folder.txt")
    check_output(tmp_path / "fine" / "x.jsonl")
    assert list((tmp_path / "fine").iterdir()) == []


def test_a_full_disk_is_one_error_and_written_rows_stay_usable(tmp_path):
    """A limit on the size of files simulates a full disk: the write that exceeds it fails in the middle of a row."""
    pytest.importorskip("resource", reason="the system cannot limit the size of files")
    path = tmp_path / "x.jsonl"
    code = f"""
        import resource
        from scimind.errors import DataError
        from scimind.generate.prediction_file import PredictionWriter
        expected = [{{"id": str(n), "prompt": "p"}} for n in range(6)]
        with PredictionWriter({str(path)!r}, expected, {{}}) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3500, 3500))
            try:
                for n in range(6):
                    writer.add(n, {{**expected[n], "output": "x" * 1000}})
                    writer.flush()
            except DataError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large); 3 of 6 predictions are written and kept" in done.stdout
    assert "make room, then start again to continue" in done.stdout
    assert [entry["id"] for entry in rows_of(path)] == ["0", "1", "2"]
    with PredictionWriter(path, [{"id": str(n), "prompt": "p"} for n in range(6)], {}) as writer:
        assert writer.written == 3
