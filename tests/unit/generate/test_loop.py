"""Batches of answers from small real models: cached compared with full, batched with one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import ConfigError
from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.loop import generate_batch, pad_prompts
from scimind.generate.settings import GenerationSettings
from tests.support.toys import CachedToy, FullToy

VOCABULARY = 40
EOS = 2
PROMPTS = [list(np.random.default_rng(seed).integers(3, VOCABULARY, 3 + 7 * seed)) for seed in range(6)]
GREEDY = GenerationSettings(max_new_tokens=30)
SAMPLED = GenerationSettings(max_new_tokens=30, do_sample=True, temperature=1.3, top_k=20, top_p=0.9, seed=4)


def run(decoder, prompts, settings=GREEDY, **more):
    return generate_batch(decoder, prompts, settings, eos_id=EOS, vocab_size=VOCABULARY, **more)


def one_at_a_time(model, prompt, limit=30):
    """Greedy decoding without batches, padding or a cache."""
    ids: list[int] = []
    while len(ids) < limit and len(prompt) + len(ids) < model.max_length:
        token = int(model.logits([*prompt, *ids])[:VOCABULARY].argmax())
        if token == EOS:
            return ids, "stop"
        ids.append(token)
    return ids, "length"


@pytest.mark.parametrize("settings", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_cached_equals_full(settings):
    assert run(CachedToy(VOCABULARY), PROMPTS, settings) == run(FullToy(VOCABULARY), PROMPTS, settings)


def test_other_weights_give_other_answers():
    assert run(CachedToy(VOCABULARY, seed=1), PROMPTS) != run(FullToy(VOCABULARY), PROMPTS)


def test_greedy_equals_one_at_a_time_and_some_stop():
    model = CachedToy(VOCABULARY)
    answers = run(model, PROMPTS)
    assert [(answer.ids, answer.finish_reason) for answer in answers] == [one_at_a_time(model, p) for p in PROMPTS]
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}


def test_sampling_depends_on_the_stream_and_not_on_the_batch():
    together = run(CachedToy(VOCABULARY), PROMPTS, SAMPLED)
    alone = [run(CachedToy(VOCABULARY), [prompt], SAMPLED, streams=[n])[0] for n, prompt in enumerate(PROMPTS)]
    assert together == alone
    backwards = run(CachedToy(VOCABULARY), PROMPTS[::-1], SAMPLED, streams=range(5, -1, -1))
    assert backwards[::-1] == together
    assert run(CachedToy(VOCABULARY), PROMPTS, SAMPLED, streams=range(6, 12)) != together


def test_shapes_come_from_buckets_and_stay_during_a_batch():
    model = CachedToy(VOCABULARY)
    run(model, PROMPTS[:3])
    assert model.shapes[0] == (4, 32)
    assert set(model.shapes[1:]) == {(4,)}
    run(model, PROMPTS[:1], rows=8)
    assert model.shapes[-1] == (8,)
    assert length_buckets(96) == (32, 64, 96)
    assert length_buckets(20) == (20,)
    assert batch_buckets(6) == (1, 2, 4, 6)
    assert [bucket_for(size, (1, 2, 4, 6)) for size in (1, 3, 6)] == [1, 4, 6]


def test_padding():
    ids, lengths = pad_prompts([[5, 6, 7], [8]], 4, (2, 4))
    assert ids.tolist() == [[5, 6, 7, 0], [8, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0]]
    assert lengths.tolist() == [3, 1, 1, 1]
    assert ids.dtype == lengths.dtype == np.int32


def test_a_prompt_that_does_not_fit_is_reported_and_the_others_are_answered():
    model = CachedToy(VOCABULARY, max_length=24)
    prompts = [PROMPTS[1], list(range(3, 27)), [], PROMPTS[0]]
    answers = run(model, prompts)
    assert [answer.finish_reason == "error" for answer in answers] == [False, True, True, False]
    assert "24 tokens" in answers[1].message and "seq_length (24)" in answers[1].message
    assert answers[2].message == "the prompt is empty"
    assert (answers[0].ids, answers[0].finish_reason) == one_at_a_time(model, PROMPTS[1])
    assert run(model, [[]])[0].finish_reason == "error"


def test_an_answer_ends_at_the_last_position():
    model = CachedToy(VOCABULARY, max_length=24)
    model.bias[EOS] = -1e9
    answers = run(model, [PROMPTS[0], list(range(3, 26))])
    assert [len(answer.ids) for answer in answers] == [21, 1]
    assert {answer.finish_reason for answer in answers} == {"length"}


def test_max_new_tokens_and_reported_steps():
    model, steps = CachedToy(VOCABULARY), []
    model.bias[EOS] = -1e9
    answers = run(model, PROMPTS[:2], GenerationSettings(max_new_tokens=3), on_step=steps.append)
    assert [len(answer.ids) for answer in answers] == [3, 3]
    assert steps == [2, 2, 2]
    assert len(model.shapes) == 3  # the last token is not read again


def test_weights_that_are_not_finite_are_reported():
    model = CachedToy(VOCABULARY)
    model.embedding[PROMPTS[0][-1]] = np.nan
    answers = run(model, [PROMPTS[0], [3, 3, 3]], GenerationSettings(max_new_tokens=1))
    assert answers[0].finish_reason == "error" and "not finite" in answers[0].message


def test_repetition_penalty_sees_prompt_and_answer():
    model = CachedToy(VOCABULARY)
    model.head[:] = 0.0
    model.bias[:VOCABULARY] = np.linspace(2, 1, VOCABULARY)
    model.bias[EOS] = 0.1
    settings = GenerationSettings(max_new_tokens=4, repetition_penalty=1000.0)
    assert run(model, [[0, 3]], settings)[0].ids == [1, 4, 5, 6]
    assert run(model, [[0, 3]], GenerationSettings(max_new_tokens=4))[0].ids == [0, 0, 0, 0]


def test_too_many_prompts_are_refused():
    with pytest.raises(ConfigError, match="batch_size"):
        run(CachedToy(VOCABULARY), PROMPTS, GenerationSettings(batch_size=2))
    with pytest.raises(ConfigError, match="rows"):
        run(CachedToy(VOCABULARY), PROMPTS, rows=2)
