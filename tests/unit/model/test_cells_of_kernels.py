"""Which kernels a network is built from, and that the others give the same numbers."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.config.routing import ROUTERS
from scimind.model.cpu.selection import RankedExperts
from scimind.model.routing.selection import TopExperts
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode, weights_of

K = {"text": 5, "smiles": 2, "nucleotide": 1, "protein": 0}
SETS = {"text": ["0..3"], "smiles": ["2..6"], "nucleotide": ["2..6"], "protein": []}
ROUTINGS = {
    "modality": {"router": "modality", "expert_sets": SETS},
    "activation": {"router": "activation", "experts_per_token": K},
    "learned": {"router": "learned", "experts_per_token": K, "balance_weight": 0.1},
}


def cpu_cells(cell: ms.nn.Cell) -> list[str]:
    """Returns the names of the cells in `cell` that belong to the CPU kernels."""
    return [name for name, part in cell.cells_and_names() if type(part).__module__.startswith("scimind.model.cpu")]


def test_every_router_is_covered():
    assert sorted(ROUTINGS) == sorted(ROUTERS)


@pytest.mark.parametrize("dispatch", ["auto", "masked", "grouped"])
@pytest.mark.parametrize("router", ROUTINGS)
def test_mindformers_kernels_use_no_cpu_cells(router, dispatch):
    use_mode("pynative")
    model = build(kernels="mindformers", dispatch=dispatch, **ROUTINGS[router])
    assert cpu_cells(model) == []
    assert model.dispatch == ("masked" if dispatch == "auto" else dispatch)


@pytest.mark.parametrize("dispatch", ["auto", "masked", "grouped"])
@pytest.mark.parametrize("router", ROUTINGS)
def test_auto_uses_the_cpu_cells_in_every_layer(router, dispatch):
    use_mode("pynative")
    model = build(dispatch=dispatch, **ROUTINGS[router])
    assert model.kernels == "cpu"
    for layer in model.model.layers:
        assert cpu_cells(layer.cpu_attention)
        assert cpu_cells(layer.feed_forward)
        choosing = [
            type(part)
            for _, part in layer.feed_forward.cells_and_names()
            if isinstance(part, (RankedExperts, TopExperts))
        ]
        assert choosing == ([] if router == "modality" else [RankedExperts])


# Compiling takes long; gradients of both forms of dispatch, in both modes, are compared in test_feed_forward.py.
@pytest.mark.parametrize(("dispatch", "mode"), [("auto", "graph"), ("grouped", "pynative")])
@pytest.mark.parametrize("router", ROUTINGS)
def test_all_kernels_train_and_evaluate_alike(router, dispatch, mode):
    use_mode(mode)
    settings = {"num_layers": 1, "dispatch": dispatch, **ROUTINGS[router]}
    ours = build(**settings)
    theirs = build(weights_of(ours), kernels="mindformers", **settings)
    assert (ours.kernels, theirs.kernels) == ("cpu", "mindformers")
    ids = some_ids((2, 17))
    results = []
    for model in (ours, theirs):
        # In a graph, logits are compared in cpu/test_gradients.py, and those of a prompt below.
        scores = logits(model, ids[:, :16]) if mode == "pynative" else np.zeros(1)
        model.set_train(True)
        parameters = model.trainable_params()
        loss, found = ms.value_and_grad(model, None, parameters)(ms.Tensor(ids), ms.Tensor(ids))
        results.append((scores, loss.asnumpy(), [gradient.asnumpy() for gradient in found]))
    (our_scores, our_loss, our_gradients), (their_scores, their_loss, their_gradients) = results
    assert np.abs(our_scores - their_scores).max() < tolerances.NUMPY
    assert our_loss == pytest.approx(their_loss, rel=tolerances.SAME_MATH)
    for ours_of, theirs_of in zip(our_gradients, their_gradients, strict=True):
        scale = np.abs(theirs_of).max()
        assert scale > 0
        assert np.abs(ours_of - theirs_of).max() / scale < tolerances.SAME_MATH


def test_all_kernels_generate_the_same_answers():
    use_mode("graph")
    settings = {"num_layers": 1, **ROUTINGS["learned"]}  # of the others, test_feed_forward.py compares the layers
    ours = build(**settings)
    theirs = build(weights_of(ours), kernels="mindformers", **settings)
    prompts = [[1, 5, 45, 7], [1, 9]]
    answers = [model.generate(prompts, max_new_tokens=6) for model in (ours, theirs)]
    for our_answer, their_answer in zip(*answers, strict=True):
        assert len(our_answer) > 2
        np.testing.assert_array_equal(our_answer, their_answer)
