"""Whole answers from the real model: with its cache and without, in batches and alone."""

from __future__ import annotations

import pytest

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings
from tests.support.models import build, some_ids, use_mode, weights_of

SAMPLED = GenerationSettings(max_new_tokens=10, batch_size=3, do_sample=True, top_k=30, top_p=0.9, seed=2)
PROMPTS = [list(map(int, some_ids((1, length), seed=length)[0])) for length in (5, 33, 42)]  # 42 + 10 exceeds 48
EOS = 2


@pytest.fixture(scope="module")
def decoders():
    use_mode("pynative")
    settings = {"batch_size": 3, "seq_length": 48, "num_layers": 1}
    model = build(**settings)
    return CachedDecoder(build(weights_of(model), use_past=True, **settings)), FullDecoder(model)


def run(decoder, prompts, **more):
    return generate_batch(decoder, prompts, SAMPLED, eos_id=EOS, vocab_size=62, **more)


@pytest.fixture(scope="module")
def together(decoders):
    return run(decoders[0], PROMPTS)


def test_cached_equals_full_and_batched_equals_alone(decoders, together):
    cached, full = decoders
    assert together == run(full, PROMPTS)
    assert together[2] == run(cached, PROMPTS[2:], streams=[2])[0]
    assert len(together[2].ids) <= 6
    assert all(token < 62 for answer in together for token in answer.ids)


def test_another_prompt_gives_another_answer(decoders, together):
    other = [*PROMPTS[0][:-1], (PROMPTS[0][-1] + 7) % 60 + 2]
    assert run(decoders[0], [other, *PROMPTS[1:]])[0] != together[0]
