"""The model against outputs recorded from the original code."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import tolerances
from tests.support.golden import RANGES, SHARED, TEXT_14_ELSE_2, golden_case
from tests.support.models import build, logits, loss, use_mode


def original(variant: str, dispatch: str):
    case = golden_case(variant)
    model = build(
        case.weights,
        batch_size=case.meta["batch"],
        seq_length=case.meta["seq"],
        hidden_size=case.meta["dim"],
        num_layers=case.meta["layers"],
        num_heads=case.meta["heads"],
        intermediate_size=case.meta["intermediate"],
        vocab_size=case.meta["vocab"],
        num_experts=16,
        router="activation",
        dispatch=dispatch,
        experts_per_token=TEXT_14_ELSE_2,
        shared_experts=SHARED[variant],
        modality_ranges=RANGES,
    )
    return case, model


def difference(case, model) -> float:
    """Returns the largest difference of logits where the input is not padding."""
    ids = case.arrays["ids"][:, :-1]
    ours = logits(model, ids)[..., :: case.meta["logit_stride"]]
    return float(np.abs(ours - case.arrays["logits"])[ids != 0].max())


# All pairs of a variant, a dispatch and a mode, in half of the combinations.
@pytest.mark.parametrize(
    ("variant", "dispatch", "mode"),
    [
        ("intended", "masked", "graph"),
        ("intended", "grouped", "pynative"),
        ("released", "masked", "pynative"),
        ("released", "grouped", "graph"),
    ],
)
def test_reproduces_the_original(variant, dispatch, mode):
    use_mode(mode)
    case, model = original(variant, dispatch)
    ids, labels = case.arrays["ids"], case.arrays["labels"]
    inputs = ids[:, :-1]
    ours = logits(model, inputs)
    seen = inputs != 0
    assert np.abs(ours[..., :: case.meta["logit_stride"]] - case.arrays["logits"])[seen].max() < tolerances.GOLDEN
    assert (ours.argmax(-1) == case.arrays["argmax"])[seen].all()
    assert abs(loss(model, ids, labels) - case.arrays["loss"][0]) < tolerances.GOLDEN


def test_two_experts_swapped_are_noticed():
    use_mode("pynative")
    case, model = original("intended", "masked")
    f = case.meta["intermediate"] // 16
    for name in ("w1", "w3"):
        parameter = getattr(model.model.layers[0].feed_forward, name).weight
        swapped = parameter.asnumpy().copy()
        swapped[:f], swapped[-f:] = parameter.asnumpy()[-f:], parameter.asnumpy()[:f]
        parameter.set_data(type(parameter.value())(swapped))
    assert difference(case, model) > 100 * tolerances.GOLDEN


def test_the_other_variant_is_noticed():
    use_mode("pynative")
    case = golden_case("released")
    _, model = original("intended", "masked")
    assert difference(case, model) > 100 * tolerances.GOLDEN
