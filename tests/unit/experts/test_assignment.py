"""Experts for modalities: runs of experts, the best experts in them, and errors for impossible requests."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import SciMindError
from scimind.experts.activations import LayerActivations
from scimind.experts.assignment import assign, expert_sets, lay_out, place_experts, read_groups
from scimind.experts.measures import KeptActivation
from scimind.modality import MODALITY_NAMES

TOKENS = {"text": 5, "smiles": 5, "nucleotide": 0, "protein": 5}


class Recorded:
    """Activations that were recorded beforehand."""

    def __init__(self, batches: list[LayerActivations]) -> None:
        self._batches = batches

    def read(self, title: str) -> list[LayerActivations]:
        return self._batches


def spans(text: str, experts: int = 16) -> list[tuple[int, int]]:
    return [(run.first, run.stop) for run in lay_out(read_groups(text, experts), experts)]


def test_groups_are_read() -> None:
    assert read_groups("text=8,smiles+protein=4", 16) == [(("text",), 8), (("smiles", "protein", "nucleotide"), 4)]
    sets = expert_sets(lay_out(read_groups("smiles=4, text=14", 16), 16))
    assert list(sets) == list(MODALITY_NAMES)
    assert (sets["smiles"], sets["text"], sets["protein"]) == (["0..3"], ["2..15"], ["2..15"])
    for text in ("text=0", "text=17", "text", "txt=3", "text=2,text=3", "text=2,,"):
        with pytest.raises(SciMindError, match="--experts-per-modality"):
            read_groups(text, 16)


def test_runs_overlap_with_neighbours_only() -> None:
    assert spans("text=8,smiles=8") == [(0, 8), (8, 16)]
    assert spans("text=12,smiles=8") == [(0, 12), (8, 16)]
    assert spans("text=16,smiles=16") == [(0, 16), (0, 16)]
    assert spans("text=4,smiles=4") == [(0, 4), (4, 8)]
    assert spans("text=8,smiles=6,protein=6") == [(0, 8), (6, 12), (10, 16)]
    with pytest.raises(SciMindError, match="only neighbouring groups may overlap"):
        spans("text=16,smiles=16,protein=16")


def test_the_best_experts_are_placed_in_each_run() -> None:
    activation = np.zeros((4, 6))
    activation[0, [1, 3]] = 1  # text
    activation[1, [0, 4]] = 1  # smiles
    activation[:2, [2, 5]] = 2  # both
    runs = lay_out([(("text",), 3), (("smiles",), 3)], 5)
    assert [(run.first, run.stop) for run in runs] == [(0, 3), (2, 5)]
    runs = lay_out([(("text",), 4), (("smiles",), 4)], 6)  # 0..3 and 2..5
    new = place_experts(activation, runs, TOKENS)
    assert sorted(new) == list(range(6))
    assert set(new[[1, 3]]) == {0, 1} and set(new[[0, 4]]) == {4, 5} and list(new[[2, 5]]) == [2, 3]
    assert list(new[[1, 3]]) == [0, 1]  # equals keep the old order
    with pytest.raises(SciMindError, match="has no tokens of nucleotide"):
        place_experts(activation, lay_out([(("text",), 2), (("nucleotide",), 2)], 6), TOKENS)


def planted_activations(seed: int = 0) -> tuple[list[np.ndarray], list[LayerActivations], list[np.ndarray]]:
    """Returns labels and activations of two layers with 8 experts, of which 4 are strong for text and 4 for SMILES."""
    random = np.random.default_rng(seed)
    labels, batches, of_text = [], [], []
    modality = np.repeat([0, 1], 20).astype(np.int32)
    for layer in range(2):
        labels.append(random.permutation(np.repeat(np.arange(8), 4)))
        of_text.append(random.permutation(8)[:4])
        is_text = np.isin(labels[-1], of_text[-1])
        u = np.abs(random.standard_normal((40, 32))) * np.where(is_text == (modality == 0)[:, None], 3, 0.1)
        batches.append(LayerActivations(layer, u.astype(np.float32), modality, u[:, :3], last=layer == 1))
    return labels, batches, of_text


def test_planted_experts_become_the_runs() -> None:
    labels, batches, of_text = planted_activations()
    runs = lay_out(read_groups("text=4,smiles=4", 8), 8)
    placed, held = assign(Recorded(batches), labels, 8, runs, "sum")  # type: ignore[arg-type]
    for old, new, chosen in zip(labels, placed, of_text, strict=True):
        assert (np.bincount(new) == 4).all()
        np.testing.assert_array_equal(new < 4, np.isin(old, chosen))
    assert held["text"] > 0.99 and held["smiles"] > 0.99
    swapped = [np.random.default_rng(1).permutation(of) for of in labels]  # the twin that must fail
    _, held = assign(Recorded(batches), swapped, 8, runs, "sum")  # type: ignore[arg-type]
    assert held["text"] < 0.9


@pytest.mark.parametrize("score", ["sum", "abs", "square"])
def test_kept_activation_is_that_of_the_best_experts(score: str) -> None:
    random = np.random.default_rng(0)
    labels, modality = random.permutation(np.repeat(np.arange(4), 3)), np.array([0, 1, 1, 0, 1], np.int32)
    u = random.standard_normal((5, 12)).astype(np.float32)
    counts = KeptActivation({"p": [labels]}, 4, score)
    counts.add(LayerActivations(0, u[:2], modality[:2], u[:2], last=True))
    counts.add(LayerActivations(0, u[2:], modality[2:], u[2:], last=True))
    function = {"sum": lambda x: x, "abs": abs, "square": np.square}[score]
    for m in (0, 1):
        for k in range(1, 5):
            shares = []
            for row in u[modality == m].astype(float):
                best = sorted(range(4), key=lambda e: -function(row[labels == e]).sum())[:k]
                shares.append((row[np.isin(labels, best)] ** 2).sum() / (row**2).sum())
            assert counts.kept("p")[0, m, k - 1] == pytest.approx(np.mean(shares), abs=1e-6)
    assert counts.tokens == {"text": 2, "smiles": 3, "nucleotide": 0, "protein": 0}
    assert counts.energy("p")[0, 0].sum() == pytest.approx(1)
