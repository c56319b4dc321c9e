"""Loss, logits and gradients of the CPU kernels against MindFormers' operators and their automatic gradients."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.errors import ConfigError
from tests.support import tolerances
from tests.support.models import build, load, logits, some_ids, use_mode, weights_of

# Two layers in only one case, since graphs of one layer take half as long to compile.
HEADS = {
    "multi-head": {"n_kv_heads": 4, "num_layers": 2},
    "grouped-query": {"n_kv_heads": 2, "num_layers": 1},
    "one-key": {"n_kv_heads": 1, "num_layers": 1},
}


def gradients(model, ids: np.ndarray, labels: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Returns the training loss and each parameter's gradient."""
    model.set_train(True)
    parameters = model.trainable_params()
    step = ms.value_and_grad(model, None, parameters)
    loss, found = step(ms.Tensor(ids, ms.int32), ms.Tensor(labels, ms.int32))
    return loss.asnumpy().item(), {p.name: g.asnumpy() for p, g in zip(parameters, found, strict=True)}


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Returns the largest difference, relative to the largest gradient of its parameter."""
    return max(np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max() for name in theirs)


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Returns ids followed by padding, and labels that ignore a question."""
    ids = some_ids((2, 17), seed=4)
    labels = ids.copy()
    labels[:, :4] = -100
    ids[1, 12:], labels[1, 12:] = 0, -100
    return ids, labels


# As graphs, test_cells_of_kernels.py compares several heads.
@pytest.mark.parametrize(
    ("heads", "mode"), [*((heads, "pynative") for heads in HEADS), ("grouped-query", "graph"), ("one-key", "graph")]
)
def test_training_equals_mindformers(heads: str, mode: str) -> None:
    use_mode(mode)
    ids, labels = batch()
    settings = {"dispatch": "masked", **HEADS[heads]}
    theirs = build(kernels="mindformers", **settings)
    ours = build(weights_of(theirs), **settings)
    assert (theirs.kernels, ours.kernels) == ("mindformers", "cpu")
    wanted, wanted_gradients = gradients(theirs, ids, labels)
    loss, found = gradients(ours, ids, labels)
    assert loss == pytest.approx(wanted, rel=tolerances.SAME_MATH)
    assert largest_difference(found, wanted_gradients) < tolerances.SAME_MATH
    if mode == "pynative" or heads == "grouped-query":  # evaluation compiles other graphs; one of them is enough
        assert np.abs(logits(ours, ids[:, :-1]) - logits(theirs, ids[:, :-1])).max() < tolerances.NUMPY

    # The twin: changing one weight of one key changes the gradient.
    changed = weights_of(ours)
    changed["model.layers.0.attention.wk.weight"][0, 0] += 0.1
    load(ours, changed)
    assert largest_difference(gradients(ours, ids, labels)[1], wanted_gradients) > 1e-3


def test_a_loss_is_correct_where_its_probability_underflows() -> None:
    use_mode("graph")
    ids, labels = batch()
    settings = {"dispatch": "masked", "num_layers": 1}
    theirs = build(kernels="mindformers", **settings)
    weights = weights_of(theirs)
    weights["lm_head.weight"] *= 3000  # logits so far apart that exp(−difference) is 0 in float32
    load(theirs, weights)
    wanted, wanted_gradients = gradients(theirs, ids, labels)
    loss, found = gradients(build(weights, **settings), ids, labels)
    assert wanted > 120
    assert loss == pytest.approx(wanted, rel=tolerances.SAME_MATH)
    assert largest_difference(found, wanted_gradients) < tolerances.NUMPY  # of logits in the thousands


def test_unsupported_settings_fall_back_or_are_refused() -> None:
    assert build(compute_dtype="float16").kernels == "mindformers"
    with pytest.raises(ConfigError, match="kernels .cpu. does not work with compute_dtype"):
        build(compute_dtype="float16", kernels="cpu")
    with pytest.raises(ConfigError, match="kernels .'fast'. must be one of auto, mindformers, cpu"):
        build(kernels="fast")
