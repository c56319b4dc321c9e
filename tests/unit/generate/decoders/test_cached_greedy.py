"""Greedy answers with several steps per call: across the cache's lengths, and with rows that leave the batch."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from mindspore import ops

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings
from scimind.model import SciMindForCausalLM
from scimind.model.decoding import weights
from tests.support.models import build, load, some_ids, use_mode, weights_of

GREEDY = GenerationSettings(max_new_tokens=140, batch_size=4, do_sample=False)
# Only one of them has two layers: graphs of one layer take half as long to compile.
HEADS = {"multi-head": {"num_layers": 1}, "grouped-query": {"n_kv_heads": 2, "num_layers": 2}}
PROMPTS = [list(map(int, some_ids((1, length), seed=length)[0])) for length in (5, 9, 20, 3)]
NEVER = 63  # a token that is in no answer
ALL_EXPERTS = "all experts"


def answers(decoder, eos: int = NEVER, **more) -> list[list[int]]:
    generated = generate_batch(decoder, PROMPTS, GREEDY, eos_id=eos, vocab_size=62, pad_id=0, **more)
    return [answer.ids for answer in generated]


@dataclass
class Twins:
    """A model with a cache and one with the same weights but without a cache, whose graphs serve several tests.

    Args:
        model: The model of `cached`.
        settings: Settings of both.
        cached: Decodes with a cache.
        full: Decodes without.
        endless: Answers that no token ends.
    """

    model: SciMindForCausalLM
    settings: dict
    cached: CachedDecoder
    full: FullDecoder
    endless: list[list[int]]


@pytest.fixture(
    scope="module",
    params=[(router, heads) for heads in HEADS for router in ("modality", "activation", "learned")],
    ids="-".join,
)
def twins(request: pytest.FixtureRequest) -> Twins:
    router, heads = request.param
    use_mode("graph")
    settings = {"router": router, **HEADS[heads], "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    full = FullDecoder(build(weights_of(model), **settings))
    return Twins(model, settings, CachedDecoder(model), full, answers(full))


def test_greedy_answers_equal_those_of_whole_sequences(twins: Twins) -> None:
    assert max(map(len, twins.endless)) > 128  # the cache grew
    assert answers(twins.cached) == twins.endless


def test_a_token_ends_the_answers_that_it_is_in(twins: Twins) -> None:
    eos = twins.endless[1][7]  # ends the second answer, and maybe others, before the rest
    assert answers(twins.cached, eos) == answers(twins.full, eos)


def test_later_batches_are_whole_again(twins: Twins) -> None:
    answers(twins.cached, twins.endless[1][7])
    for _ in range(6):  # MindSpore runs a graph differently from its sixth call on
        assert answers(twins.cached) == twins.endless


def test_padding_rows_do_not_change_answers(twins: Twins) -> None:
    if twins.settings["num_layers"] > 1:
        pytest.skip("more rows compile more graphs; one layer shows the same")
    assert answers(twins.cached, rows=8) == twins.endless  # 8 rows are multiplied in another order


def test_one_changed_weight_gives_other_answers(twins: Twins) -> None:
    before = weights_of(twins.model)
    assert sorted(before) == sorted(weights_of(build(**twins.settings)))  # no name was changed by the decoder
    changed = {**before, "model.layers.0.attention.wo.weight": -before["model.layers.0.attention.wo.weight"]}
    try:
        load(twins.model, changed)
        load(twins.full.model, changed)
        others = answers(twins.full)
        assert others != twins.endless
        assert answers(twins.cached) == others
    finally:
        load(twins.model, before)
        load(twins.full.model, before)


@pytest.fixture
def one_layer() -> tuple[SciMindForCausalLM, dict]:
    use_mode("graph")
    settings = {"num_layers": 1, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    return build(**settings), settings


def test_copies_of_weights_follow_training(one_layer: tuple[SciMindForCausalLM, dict]) -> None:
    model, settings = one_layer
    decoder = CachedDecoder(model)
    before = answers(decoder)
    # A training step writes into the existing data.
    queries = model.model.layers[0].attention.wq.weight
    address = queries.data_ptr()
    ops.assign(queries, queries * -1.0)
    assert queries.data_ptr() == address
    after = answers(decoder)
    assert ALL_EXPERTS in decoder.copied
    assert after == answers(FullDecoder(build(weights_of(model), **settings)))
    assert after != before


def test_large_weights_are_not_copied(
    one_layer: tuple[SciMindForCausalLM, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = one_layer
    expected = answers(CachedDecoder(model))
    monkeypatch.setattr(weights, "MOST_JOINED", 0)
    plain = CachedDecoder(model)
    assert answers(plain) == expected
    assert ALL_EXPERTS not in plain.copied


def test_rows_that_end_leave_the_batch(one_layer: tuple[SciMindForCausalLM, dict]) -> None:
    class Watched(CachedDecoder):
        """Records the sizes to which the batch shrinks."""

        def keep(self, rows) -> None:
            self.sizes = [*getattr(self, "sizes", []), len(rows)]
            super().keep(rows)

    decoder = Watched(one_layer[0])
    endless = answers(decoder)
    # The token that ends most answers and leaves at least one.
    ends = {token: sum(token in answer for answer in endless) for answer in endless for token in answer}
    eos = max((token for token, rows in ends.items() if rows < 4), key=lambda token: ends[token])
    shrunk = answers(decoder, eos, shrink_to=(1, 2, 3))
    for ids, whole in zip(shrunk, endless, strict=True):
        assert ids == (whole[: whole.index(eos)] if eos in whole else whole)
    assert decoder.sizes
    assert decoder.sizes == sorted(decoder.sizes, reverse=True)
    assert max(decoder.sizes) < 4


# Experts 1, 2 and 6 for molecules, with 8 neurons each.
SETS = {"text": ["0..5"], "smiles": [1, 2, 6], "nucleotide": [0], "protein": ["0..6"]}
MOLECULES = "neurons ((8, 24), (48, 56))"


@pytest.fixture(scope="module")
def some_experts() -> dict:
    """Settings, weights whose answers are molecules, and weights whose answers also have two tokens of text."""
    use_mode("graph")
    settings = {"expert_sets": SETS, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    values = weights_of(build(**settings))
    values["lm_head.weight"][52:] = 0
    values["lm_head.weight"][:38] = 0
    mixed = {name: value.copy() for name, value in values.items()}
    values["lm_head.weight"][:40] = 0
    return {"settings": settings, "molecules": values, "mixed": mixed}


def test_tokens_of_one_modality_compute_only_its_experts(some_experts: dict) -> None:
    settings, values = some_experts["settings"], some_experts["molecules"]
    model = build(values, **settings)
    decoder = CachedDecoder(model)
    molecules = answers(decoder)
    assert molecules == answers(FullDecoder(build(values, **settings)))
    assert all(40 <= token < 52 for ids in molecules for token in ids)
    assert decoder.copied == {MOLECULES}
    # An expert of the group changes the answers; an unused expert does not.
    for neuron in (1 * 8, 7 * 8):
        changed = {name: value.copy() for name, value in values.items()}
        for layer in range(2):
            changed[f"model.layers.{layer}.feed_forward.w2.weight"][:, neuron : neuron + 8] *= -3.0
        load(model, changed)
        is_same = answers(decoder) == molecules
        assert is_same is (neuron == 7 * 8)


def test_tokens_of_all_kinds_leave_a_group_and_come_back(some_experts: dict) -> None:
    settings, values = some_experts["settings"], some_experts["mixed"]
    decoder = CachedDecoder(build(values, **settings))
    assert answers(decoder) == answers(FullDecoder(build(values, **settings)))
    assert {ALL_EXPERTS, MOLECULES} <= decoder.copied
