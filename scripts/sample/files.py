"""The files of the sample: conversation JSON, prediction input and references, for both directions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sample.assemble import molecules
from sample.describe import describe
from scimind.data import find_task

SEED = 24
NUMBER_OF_MOLECULES = 2000
TEST_EVERY = 10  # one in this many records is for testing

TASKS = ("smiles2text", "text2smiles")


def pairs(seed: int = SEED) -> Iterator[tuple[str, str]]:
    """Yields pairs of canonical SMILES and description without end; a seed always gives the same sequence."""
    rng = random.Random(seed + 1)
    for smiles in molecules(seed):
        text = describe(smiles, rng)
        if text is not None:
            yield smiles, text


def spelled(smiles: str) -> str:
    """Returns a SMILES in the original form, with every character as its token: `{|C|}{|O|}`."""
    return "".join(f"{{|{character}|}}" for character in smiles)


def question(task: str, smiles: str, text: str) -> str:
    """Returns the question of a task about a molecule, in the original form; arguments as for `record`."""
    return find_task(task).question.format(molecule=spelled(smiles), description=text)


def record(task: str, number: int, smiles: str, text: str) -> dict[str, object]:
    """Returns a conversation of one round.

    Args:
        task: `smiles2text` or `text2smiles`.
        number: The number of the molecule, from 1.
        smiles: The molecule.
        text: Its description.
    """
    answer = text if task == "smiles2text" else spelled(smiles)
    turns = [{"from": "human", "value": question(task, smiles, text)}, {"from": "gpt", "value": answer}]
    return {"id": f"sample-{task}-{number:04d}", "conversation": turns}


def prompt_line(question: str) -> str:
    r"""Returns a question as a line of a prediction input file: rendered, with line breaks as a literal `\n`."""
    return f" [INST]: {question} [/INST]:".replace("\n", "\\n")


def write(folder: Path, number: int = NUMBER_OF_MOLECULES, seed: int = SEED) -> dict[str, int]:
    """Writes all files of the sample and returns the number of records of each split.

    Args:
        folder: The folder for `smiles2text/` and `text2smiles/`; existing files are replaced.
        number: Number of molecules, for training and testing together.
        seed: Seed of the molecules and phrasings.
    """
    numbered = [(place, *pair) for place, pair in enumerate(islice(pairs(seed), number), start=1)]
    test = [item for item in numbered if item[0] % TEST_EVERY == 0]
    train = [item for item in numbered if item[0] % TEST_EVERY]
    for task in TASKS:
        (folder / task).mkdir(parents=True, exist_ok=True)
        for split, items in (("train", train), ("test", test)):
            _write_json(folder / task / f"{split}.json", [record(task, *item) for item in items])
        prompts = [prompt_line(question(task, smiles, text)) for _, smiles, text in test]
        _write_lines(folder / task / "test_prompts.txt", prompts)
        references = [text if task == "smiles2text" else smiles for _, smiles, text in test]
        _write_lines(folder / task / "test_references.txt", references)
    return {"train": len(train), "test": len(test)}


def _write_json(path: Path, records: list[dict[str, object]]) -> None:
    """Writes a JSON list with one record per line, so that a change shows as changed lines."""
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in records)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
