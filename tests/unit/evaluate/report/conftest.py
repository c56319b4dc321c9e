"""Reports on molecules, captions and labels, written once for all tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.evaluate.evaluation import EvaluateOptions, Evaluation, evaluate
from scimind.evaluate.resampling import Resampling

HOSTILE = "</script><img src=x onerror=alert(1)>"
MOLECULES = [
    ("a", "ethanol", "CCO", "OCC"),
    ("b", "a phenol", "Oc1ccccc1C", "Oc1ccccc1N"),
    ("c", "broken", "CCN", "C(("),
    ("d", "nothing", "CC", ""),
    ("e", HOSTILE, "CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)N"),
    *[(f"n{i}", f"chain of {i}", "C" * i, "C" * i + "O") for i in range(1, 41)],
]


def evaluate_rows(path: Path, task: str, rows: list[tuple[str, str, str, str]]) -> Evaluation:
    keys = ("id", "input", "reference", "output")
    path.write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows), encoding="utf-8")
    return evaluate(EvaluateOptions(task, path, resampling=Resampling(samples=20)))


@pytest.fixture(scope="session")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate_rows(tmp_path_factory.mktemp("report") / "molecules.jsonl", "text2smiles", MOLECULES)


@pytest.fixture(scope="session")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    prompt = " [INST]: Please describe the molecule: {|C|}{|C|}{|O|} [/INST]:"
    rows = [
        ("1", prompt, "The molecule is an alcohol.", "The molecule is a primary alcohol."),
        ("2", "CCN", "It has a role as a base.", "It has a role as a base."),
        ("3", "c1ccccc1", "An aromatic ring.", HOSTILE),
    ]
    return evaluate_rows(tmp_path_factory.mktemp("report") / "captions.jsonl", "smiles2text", rows)


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    question = " [INST]: Is {} active? [/INST]:"
    rows = [
        ("1", question.format("<smiles>CCO</smiles>"), "yes", "yes"),
        ("2", question.format("<protein>CCNS</protein>"), "no", "yes"),
        ("3", "CCCC", "no", "no"),
    ]
    return evaluate_rows(tmp_path_factory.mktemp("report") / "labels.jsonl", "classification", rows)


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    question = " [INST]: What is the logP of <smiles>{}</smiles>? [/INST]:"
    rows = [(f"n{i}", question.format("C" * i), f"{i / 2:.1f}", f"{i / 2 + (i % 5 - 2) / 4:.2f}") for i in range(1, 31)]
    rows += [("worst", question.format("c1ccccc1O"), "1.5", "-7.5"), ("word", question.format("CCO"), "0.1", "low")]
    return evaluate_rows(tmp_path_factory.mktemp("report") / "numbers.jsonl", "regression", rows)


@pytest.fixture(scope="session")
def ranked_molecules(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    chains = ["C" * i for i in range(1, 13)]
    prompts = [
        ("an alcohol", "CCO", ["CCN", "OCC", "C((", HOSTILE]),
        ("a phenol", "Oc1ccccc1C", [*chains, "Cc1ccccc1O", "Oc1ccccc1C"]),
        ("an amine", "CCN", ["CCN"]),
        ("nothing", "CC", []),
    ]
    rows = [
        {
            "prompt": prompt,
            "reference": reference,
            "output": answers[0] if answers else "",
            "outputs": [{"output": text, "log_likelihood": -1.5 - 0.75 * i} for i, text in enumerate(answers)],
        }
        for prompt, reference, answers in prompts
    ]
    path = tmp_path_factory.mktemp("report") / "ranked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return evaluate(EvaluateOptions("text2smiles", path, resampling=Resampling(samples=20)))
