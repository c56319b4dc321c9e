"""Logits of whole sequences, compared with the model's."""

from __future__ import annotations

import numpy as np

from scimind.generate.decoders.full import FullDecoder
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode


def test_full_decoder_returns_the_models_logits():
    use_mode("pynative")
    model = build()
    ids = some_ids((2, 6))
    ours = FullDecoder(model).prefill(ids, np.array([6, 4], np.int32))
    expected = logits(model, ids)
    np.testing.assert_allclose(ours, [expected[0, 5], expected[1, 3]], atol=tolerances.SAME_MATH, rtol=0)
