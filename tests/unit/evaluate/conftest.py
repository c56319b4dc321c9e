"""MolT5-small's published predictions of molecules on ChEBI-20, scored once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.evaluate.metrics.molecules import MoleculeScores, score_molecule
from scimind.evaluate.parallel_scoring import score_each
from scimind.evaluate.predictions import Item, read_items
from scimind.parallel import available_cores
from tests.support.once import made_once
from tests.support.shared import shared_file


@pytest.fixture(scope="session")
def molt5_molecules() -> tuple[Path, list[Item], list[MoleculeScores]]:
    path = shared_file("data/chebi20/pred-molt5-small-caption2smiles.txt")
    items = read_items(path)
    scores = made_once("molt5_molecules", lambda: score_each(score_molecule, items, available_cores()))
    return path, items, scores
