"""The baseline answer that a model has to beat."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from tests.support.shared import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "most_frequent_answer.py"))


def conversations(path: Path, pairs: list[tuple[str, str]]) -> str:
    turns = [[{"from": "human", "value": asked}, {"from": "gpt", "value": answer}] for asked, answer in pairs]
    path.write_text(json.dumps([{"id": str(n), "conversation": turn} for n, turn in enumerate(turns)]))
    return str(path)


def test_the_most_frequent_answer_or_the_one_in_the_middle() -> None:
    most_frequent = SCRIPT["most_frequent"]
    assert most_frequent(["no", "yes", "yes"]) == "yes"
    assert most_frequent(["a b c", "a b x", "a b c d", "z"]) in ("a b c", "a b c d")
    assert most_frequent(["z", "a b c", "y", "a b c d", "a b c e"]) == "a b c"


def test_it_answers_every_question(tmp_path: Path, capsys) -> None:
    train = conversations(tmp_path / "train.json", [("q", "yes"), ("r", "no"), ("s", "no")])
    test = conversations(tmp_path / "test.json", [("t", "yes"), ("u", "no")])
    output = tmp_path / "x.jsonl"
    assert SCRIPT["main"]([train, test, str(output)]) == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["id"], row["output"], row["reference"]) for row in rows] == [("0", "no", "yes"), ("1", "no", "no")]
    assert SCRIPT["main"]([str(tmp_path / "none.json"), test, str(output)]) == 2
    assert "none.json: no such file" in capsys.readouterr().err
    assert SCRIPT["main"]([]) == 2
