from __future__ import annotations

import zipfile

import pytest

from scimind.errors import DataError, SciMindError
from scimind.evaluate.lpm24.submission import read_submission, write_submission
from scimind.evaluate.predictions import Item
from tests.support.shared import shared_file

ITEMS = [Item("1", "CCO ", input="Describe <smiles>CCO</smiles>"), Item("2", "a\nb", input="{|C|}{|N|}"), Item("3", "")]


def test_writes_one_line_per_output(tmp_path):
    path = tmp_path / "out" / "submit.zip"
    assert write_submission(path, ITEMS) == {"lines": 3, "empty": 1, "joined": 1}
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["submit.txt"]
        assert archive.read("submit.txt") == b"CCO\na b\n\n"
    first = path.read_bytes()
    write_submission(path, ITEMS)
    assert path.read_bytes() == first


def test_the_published_example_is_read_back(tmp_path):
    lines = shared_file("data/lpm24/submit_example.txt").read_text(encoding="utf-8").split("\n")
    items = [Item(str(number), line) for number, line in enumerate(lines)]
    write_submission(tmp_path / "s.zip", items)
    assert read_submission(tmp_path / "s.zip", len(items)) == [line.strip() for line in lines]


def test_the_inputs_are_compared(tmp_path):
    inputs = tmp_path / "eval.txt"
    inputs.write_text("CCO\nCN\nCC\n")
    write_submission(tmp_path / "s.zip", ITEMS, inputs)
    inputs.write_text("CN\nCCO\nCC\n")
    with pytest.raises(DataError, match=r"eval\.txt:1: item 1 .* answers a different prompt"):
        write_submission(tmp_path / "s.zip", ITEMS, inputs)
    inputs.write_text("CCO\nCN\n")
    with pytest.raises(DataError, match="2 inputs for 3 outputs"):
        write_submission(tmp_path / "s.zip", ITEMS, inputs)
    with pytest.raises(SciMindError, match=r"must end in \.zip"):
        write_submission(tmp_path / "s.txt", ITEMS)


def test_wrong_submissions_are_found(tmp_path):
    def made(**members):
        with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("_", "."), content)
        return tmp_path / "w.zip"

    with pytest.raises(DataError, match=r"it holds answers\.txt"):
        read_submission(made(answers_txt="a\n"))
    with pytest.raises(DataError, match="must hold only"):
        read_submission(made(submit_txt="a\n", other_txt=""))
    with pytest.raises(DataError, match="not UTF-8"):
        read_submission(made(submit_txt=b"\xff\n"))
    with pytest.raises(DataError, match="2 lines for 3 inputs"):
        read_submission(made(submit_txt="a\nb\n"), 3)
    with pytest.raises(DataError, match="is empty"):
        read_submission(made(submit_txt=""))
    (tmp_path / "w.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="not a readable zip"):
        read_submission(tmp_path / "w.zip")
