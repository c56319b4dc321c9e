"""The gates that a model gets if its checkpoint has none."""

from __future__ import annotations

import numpy as np

from scimind.experts.tuning.model import start_gates
from tests.support.models import build, use_mode


def test_gates_start_as_the_mean_row_of_w3():
    use_mode("pynative")
    model = build(router="learned")
    names = [layer.feed_forward.gate.weight.name for layer in model.model.layers]
    before = model.model.layers[1].feed_forward.gate.weight.asnumpy().copy()
    start_gates(model, names[:1])
    first, second = (layer.feed_forward for layer in model.model.layers)
    np.testing.assert_allclose(first.gate.weight.asnumpy()[3], first.w3.weight.asnumpy()[24:32].mean(0), atol=1e-7)
    np.testing.assert_array_equal(second.gate.weight.asnumpy(), before)
