from __future__ import annotations

import numpy as np
import pytest

from scimind.generate.decoders import CachedDecoder, FullDecoder
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode, weights_of


def decode(decoder, prompts: np.ndarray, lengths: np.ndarray, steps: int):
    """Returns greedy tokens [b, steps] and the logits that chose them [steps, b, v]."""
    scores, tokens = [decoder.prefill(prompts, lengths)], []
    for i in range(steps):
        tokens.append(scores[-1].argmax(-1).astype(np.int32))
        scores.append(decoder.step(tokens[-1], lengths + i))
    return np.stack(tokens, 1), np.stack(scores)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("n_kv_heads", [None, 2], ids=["multi-head", "grouped-query"])
@pytest.mark.parametrize("router", ["modality", "activation"])
def test_cached_decoding_equals_full_decoding(router, n_kv_heads, mode):
    use_mode(mode)
    settings = {"router": router, "n_kv_heads": n_kv_heads, "batch_size": 3}
    full = build(**settings)
    cached = build(weights_of(full), use_past=True, **settings)
    lengths = np.array([5, 7, 2], np.int32)
    prompts = some_ids((3, 8))
    prompts[np.arange(8) >= lengths[:, None]] = 0
    cached, full = CachedDecoder(cached), FullDecoder(full)
    for b in (3, 2):  # a second, smaller batch finds an old cache
        tokens, scores = decode(cached, prompts[-b:], lengths[-b:], 8)
        expected, expected_scores = decode(full, prompts[-b:], lengths[-b:], 8)
        assert tokens.tolist() == expected.tolist()
        np.testing.assert_allclose(scores, expected_scores, atol=tolerances.SAME_MATH, rtol=0)


def test_another_position_is_noticed():
    use_mode("pynative")
    model = build(use_past=True)
    cached, full = CachedDecoder(model), FullDecoder(build(weights_of(model)))
    ids = some_ids((2, 6))
    cached.prefill(ids, np.array([6, 6], np.int32))
    full.prefill(ids, np.array([6, 6], np.int32))
    token = np.array([9, 9], np.int32)
    wrong = cached.step(token, np.array([7, 7], np.int32))
    assert np.abs(wrong - full.step(token, np.array([6, 6], np.int32))).max() > 100 * tolerances.SAME_MATH


def test_full_decoder_gives_the_models_logits():
    use_mode("pynative")
    model = build()
    ids = some_ids((2, 6))
    ours = FullDecoder(model).prefill(ids, np.array([6, 4], np.int32))
    expected = logits(model, ids)
    np.testing.assert_allclose(ours, [expected[0, 5], expected[1, 3]], atol=tolerances.SAME_MATH, rtol=0)
