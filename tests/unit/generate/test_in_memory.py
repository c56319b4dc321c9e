"""Records in memory are read as `scimind predict` reads a file of them, without a model."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import DataError, SciMindError
from scimind.generate.in_memory import _questions
from scimind.generate.settings import GenerationSettings
from scimind.tokenizer import TokenCodec

CODEC = TokenCodec()


def texts(records: list, task: str | None = None, **more: object) -> list[tuple[str, str | None, str]]:
    asked = _questions(records, CODEC, GenerationSettings(), task, **more)
    return [(prompt.text, prompt.reference, prompt.fault) for prompt in asked.prompts]


def test_texts_are_questions_or_what_a_task_asks_about() -> None:
    assert texts(["Why?", "two\nlines"]) == [
        (" [INST]: Why? [/INST]:", None, ""),
        (" [INST]: two\nlines [/INST]:", None, ""),
    ]
    (found,) = texts(["CCO"], "smiles2text")
    assert found[0] == " [INST]: Please describe the molecule: <smiles>CCO</smiles> [/INST]:"
    assert texts([{"molecule": "CCO", "description": "Ethanol."}], "smiles2text") == [(found[0], "Ethanol.", "")]


def test_numbers_of_numpy_and_missing_values_are_read_as_in_a_file() -> None:
    record = {"smiles": "CCO", "y": np.float32(1.5), "note": float("nan"), "caption": None}
    assert texts([record], "smiles2text")[0][1] is None
    assert texts([{"my": "CCO"}], "smiles2text", columns={"molecule": "my"})[0][2] == ""


def test_faults_name_the_record() -> None:
    with pytest.raises(DataError, match="records:2: is a int; give a text, or a dictionary by column"):
        texts(["C", 3])
    with pytest.raises(DataError, match="records:1: no column for the molecule"):
        texts([{"a": "x", "b": "y"}], "smiles2text")
    with pytest.raises(SciMindError, match="asks with"):
        texts(["CCO"], _two_fields())


def _two_fields() -> str:
    from scimind.data.tasks.registry import TASKS, find_task

    return next(name for name in TASKS if len([spec for spec in find_task(name).asked_fields if not spec.optional]) > 1)
