"""Logits with the CPU's cache, compared with those of whole sequences."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from tests.support import tolerances
from tests.support.models import build, some_ids, use_mode, weights_of

# Only one of them has two layers: graphs of one layer take half as long to compile.
HEADS = {"multi-head": {"num_layers": 1}, "grouped-query": {"n_kv_heads": 2, "num_layers": 2}}


def decode(decoder, prompts: np.ndarray, lengths: np.ndarray, steps: int):
    """Returns greedy tokens [b, steps], never padding, and the logits that chose them [steps, b, v]."""
    scores, tokens = [decoder.prefill(prompts, lengths)], []
    for i in range(steps):
        tokens.append(scores[-1][:, 1:].argmax(-1).astype(np.int32) + 1)
        scores.append(decoder.step(tokens[-1], lengths + i))
    return np.stack(tokens, 1), np.stack(scores)


def forms():
    """Returns all pairs of a router, a form of attention and a mode, in half of the combinations."""
    for i, router in enumerate(["modality", "activation", "learned"]):
        for j, heads in enumerate(HEADS):
            yield router, heads, ("graph", "pynative")[(i + j) % 2]


@pytest.mark.parametrize("router, heads, mode", forms())
def test_cached_decoding_equals_full_decoding(router, heads, mode):
    use_mode(mode)
    settings = {"router": router, "batch_size": 3, **HEADS[heads]}
    steps = 8 if mode == "graph" else 3  # a step takes a second there
    full = build(**settings)
    cached = build(weights_of(full), use_past=True, **settings)
    lengths = np.array([5, 7, 2], np.int32)
    prompts = some_ids((3, 8))
    prompts[np.arange(8) >= lengths[:, None]] = 0
    cached, full = CachedDecoder(cached), FullDecoder(full)
    # A second batch finds an old cache; in graph mode it has the first one's shape and so reuses its graphs.
    for rows in ([0, 1, 2], [2, 0, 1] if mode == "graph" else [1, 2]):
        tokens, scores = decode(cached, prompts[rows], lengths[rows], steps)
        expected, expected_scores = decode(full, prompts[rows], lengths[rows], steps)
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
