from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import SciMindError
from scimind.generate.decoders.full import CachedDecoder, CachePlaces, FullDecoder
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode, weights_of

# Two layers in one of them: graphs of one take half as long to compile.
HEADS = {"multi-head": {"num_layers": 1}, "grouped-query": {"n_kv_heads": 2, "num_layers": 2}}


def decode(decoder, prompts: np.ndarray, lengths: np.ndarray, steps: int):
    """Returns greedy tokens [b, steps], never padding, and the logits that chose them [steps, b, v]."""
    scores, tokens = [decoder.prefill(prompts, lengths)], []
    for i in range(steps):
        tokens.append(scores[-1][:, 1:].argmax(-1).astype(np.int32) + 1)
        scores.append(decoder.step(tokens[-1], lengths + i))
    return np.stack(tokens, 1), np.stack(scores)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("router", ["modality", "activation", "learned"])
def test_cached_decoding_equals_full_decoding(router, heads, mode):
    use_mode(mode)
    settings = {"router": router, "batch_size": 3, **HEADS[heads]}
    steps = 8 if mode == "graph" else 3  # which take a second each
    full = build(**settings)
    cached = build(weights_of(full), use_past=True, **settings)
    lengths = np.array([5, 7, 2], np.int32)
    prompts = some_ids((3, 8))
    prompts[np.arange(8) >= lengths[:, None]] = 0
    cached, full = CachedDecoder(cached), FullDecoder(full)
    # A second batch finds an old cache; in graph mode it has the first one's shape, and so its graphs.
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


def test_full_decoder_gives_the_models_logits():
    use_mode("pynative")
    model = build()
    ids = some_ids((2, 6))
    ours = FullDecoder(model).prefill(ids, np.array([6, 4], np.int32))
    expected = logits(model, ids)
    np.testing.assert_allclose(ours, [expected[0, 5], expected[1, 3]], atol=tolerances.SAME_MATH, rtol=0)


@pytest.mark.parametrize("use_past", [True, False])
def test_generate_gives_prompt_and_answer(use_past):
    use_mode("pynative")
    model = build(use_past=use_past)
    prompts = [[1, 5, 45, 46], [1, 9], [1, 50, 51, 8, 7]]
    answered = model.generate(prompts, max_new_tokens=4)
    assert len(answered) == 3
    for prompt, ids in zip(prompts, answered, strict=True):
        assert ids[: len(prompt)].tolist() == prompt
        assert len(ids) == len(prompt) + 4 or ids[-1] == model.config.eos_token_id
        assert ids.max() < model.config.real_vocab_size
    padded = np.array([[1, 5, 45, 46, 0], [1, 9, 0, 0, 0], [1, 50, 51, 8, 7]])
    assert [a.tolist() for a in model.generate(padded, max_new_tokens=4)] == [a.tolist() for a in answered]
    assert model.generate(prompts[1], max_new_tokens=4)[0].tolist() == answered[1].tolist()


def test_generate_names_what_is_wrong():
    use_mode("pynative")
    model = build()
    with pytest.raises(SciMindError, match="max_new_tokens"):
        model.generate([1, 2], max_new_tokens=-1)
    with pytest.raises(SciMindError, match="top_kk"):
        model.generate([1, 2], top_kk=1)
    with pytest.raises(SciMindError, match="seq_length"):
        model.generate([[1] * 16])


def test_every_token_has_a_slot_of_its_own_in_its_rows_blocks():
    use_mode("pynative")
    places = CachePlaces(build(use_past=True, batch_size=3, seq_length=20, block_size=8).config)
    lengths = np.array([5, 20, 1])
    positions = np.broadcast_to(np.arange(20), (3, 20))
    used = positions < lengths[:, None]
    slots = places.slots(positions, used).reshape(3, 20)
    assert (slots[~used] == -1).all()
    assert len(set(slots[used])) == lengths.sum()
    tables = places.tables(3)
    for row in range(3):
        for position in range(lengths[row]):
            assert slots[row, position] == tables[row, position // 8] * 8 + position % 8
    step = places.slots(np.array([[5], [6], [1]]), np.array(True))
    assert step.tolist() == [5, 24 + 6, 48 + 1]
