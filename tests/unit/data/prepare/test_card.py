"""The numbers in the data card agree with the files that were written with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scimind.cli import main as scimind
from scimind.modality import MODALITY_NAMES

ROOM = 71  # ids per row; enough for all records


def tables(card: str) -> dict[str, dict[str, str]]:
    """Returns the tables of a card by their first heading, each as a mapping from first to second cell."""
    found: dict[str, dict[str, str]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        head, rule, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        assert set(rule) == {"---"}
        found[head[0]] = {row[0]: row[1] for row in rows}
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of sixty molecules and a broken one, prepared with two splits."""
    folder = tmp_path_factory.mktemp("card")
    rows = [f"{'C' * (number // 2 + 1)}{'NO'[number % 2]}\tMolecule of the number {number}." for number in range(60)]
    (folder / "molecules.txt").write_text("SMILES\tdescription\n" + "\n".join(rows) + "\nC(C\tThis one is broken.\n")
    flags = ["--seq-length", str(ROOM - 1), "--eval-fraction", "0.2", "--seed", "3", "--name", "set"]
    status = scimind(
        ["prepare", "--task", "smiles2text", "--input", str(folder / "molecules.txt"), "--output", str(folder), *flags]
    )
    assert status == 0
    return folder


def written(folder: Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Returns the rows of each MindRecord file, read the way training does."""
    from mindspore.dataset import MindDataset

    columns = ["input_ids", "labels"]
    return {
        file.stem: list(
            MindDataset(str(file), columns_list=columns, shuffle=False).create_dict_iterator(1, output_numpy=True)
        )
        for file in sorted(folder.glob("*.mindrecord"))
    }


def test_the_numbers_of_records_are_those_of_the_files(folder: Path) -> None:
    counts = tables((folder / "set.card.md").read_text())["records"]
    files = written(folder)
    assert len(files) == 2 and all(files.values())
    assert {name: counts[f"in {name}"] for name in files} == {name: str(len(rows)) for name, rows in files.items()}
    rejects = [json.loads(line) for line in (folder / "set.rejects.jsonl").read_text().splitlines()]
    left_out = {name: int(value) for name, value in counts.items() if name.startswith("left out: ")}
    assert sum(left_out.values()) == len(rejects) == 1
    assert int(counts["read"]) == 61 == sum(map(len, files.values())) + len(rejects)


def test_the_numbers_of_tokens_are_those_of_the_rows(folder: Path) -> None:
    rows = [row for rows in written(folder).values() for row in rows]
    shown = tables((folder / "set.card.md").read_text())["modality"]
    ranges = json.loads((folder / "set.summary.json").read_text())["tokenizer"]["modality_ranges"]
    ids = np.concatenate([row["input_ids"] for row in rows])
    counted: Counter[str] = Counter()
    for name in MODALITY_NAMES[1:]:
        counted[name] = sum(int(((ids >= first) & (ids < last)).sum()) for first, last in ranges[name])
    counted["text"] = int((ids != 0).sum()) - counted.total()
    assert counted["smiles"] > 60
    assert {name: int(shown.get(name, "0").replace(",", "")) for name in MODALITY_NAMES} == dict(counted)
    learnt = sum(int((row["labels"] >= 0).sum()) for row in rows)
    assert int(shown["trained on as answers"].replace(",", "")) == learnt


def test_the_card_names_its_inputs(folder: Path) -> None:
    card = (folder / "set.card.md").read_text()
    checksum = hashlib.sha256((folder / "molecules.txt").read_bytes()).hexdigest()
    assert tables(card)["input"] == {f"`{folder / 'molecules.txt'}`": f"`{checksum}`"}
    assert "Split: random, seed 3;" in card
    longest = max(int((row["input_ids"] != 0).sum()) for rows in written(folder).values() for row in rows)
    assert f"max {longest}; the maximum is {ROOM}." in card
    assert "![Records by length](set.lengths.png)" in card
    assert (folder / "set.lengths.png").read_bytes().startswith(b"\x89PNG")
