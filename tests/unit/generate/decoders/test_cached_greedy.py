"""Greedy answers with several steps per call: across the cache's lengths, and with rows that leave the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from mindspore import Tensor, ops

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings
from scimind.model import SciMindForCausalLM
from scimind.model.decoding import weights
from tests.support.models import build, load, some_ids, use_mode, weights_of

LONG, SHORT = 140, 100  # tokens of an answer; only long answers outgrow the cache's first length
# All routers and both forms of attention, which do not depend on each other. Only one of them has two layers: graphs of
# one layer take half as long to compile.
MODELS = {
    "modality": {"num_layers": 1},
    "activation": {"num_layers": 1},
    "learned": {"n_kv_heads": 2, "num_layers": 2},
}
PROMPTS = [list(map(int, some_ids((1, length), seed=length)[0])) for length in (5, 9, 20, 3)]
NEVER = 63  # a token that is in no answer
ALL_EXPERTS = "all experts"


def answers(decoder, eos: int = NEVER, longest: int = LONG, **more) -> list[list[int]]:
    settings = GenerationSettings(max_new_tokens=longest, batch_size=4, do_sample=False)
    generated = generate_batch(decoder, PROMPTS, settings, eos_id=eos, vocab_size=62, pad_id=0, **more)
    return [answer.ids for answer in generated]


def train(model: SciMindForCausalLM, weights: dict[str, np.ndarray]) -> None:
    """Writes `weights` into the existing data, as a training step does, so that graphs stay valid."""
    for parameter in model.get_parameters():
        if parameter.name in weights:
            address = parameter.data_ptr()
            ops.assign(parameter, Tensor(weights[parameter.name]))
            assert parameter.data_ptr() == address


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


@pytest.fixture(scope="module", params=list(MODELS))
def twins(request: pytest.FixtureRequest) -> Twins:
    use_mode("graph")
    router = request.param
    settings = {"router": router, **MODELS[router], "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    full = FullDecoder(build(weights_of(model), **settings))
    return Twins(model, settings, CachedDecoder(model), full, answers(full))


one_model = pytest.mark.parametrize("twins", ["modality"], indirect=True)  # for what is the same for all


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


@one_model
def test_padding_rows_do_not_change_answers(twins: Twins) -> None:
    eight = [ids[:SHORT] for ids in twins.endless]
    assert answers(twins.cached, longest=SHORT, rows=8) == eight  # 8 rows are multiplied in another order


@one_model
def test_copies_of_weights_follow_training(twins: Twins) -> None:
    queries = "model.layers.0.attention.wq.weight"
    before = {queries: weights_of(twins.model)[queries]}
    try:
        for model in (twins.model, twins.full.model):
            train(model, {queries: -before[queries]})
        after = answers(twins.cached)
        assert ALL_EXPERTS in twins.cached.copied
        assert after == answers(twins.full)
        assert after != twins.endless
    finally:
        for model in (twins.model, twins.full.model):
            train(model, before)


@one_model
def test_large_weights_are_not_copied(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MOST_JOINED", 0)
    plain = CachedDecoder(twins.model)
    assert answers(plain, longest=SHORT) == [ids[:SHORT] for ids in twins.endless]
    assert ALL_EXPERTS not in plain.copied


@one_model
def test_rows_that_end_leave_the_batch(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, keep = [], twins.cached.keep

    def recorded(rows) -> None:
        """Records the sizes to which the batch shrinks."""
        sizes.append(len(rows))
        keep(rows)

    monkeypatch.setattr(twins.cached, "keep", recorded)
    endless = [ids[:SHORT] for ids in twins.endless]
    # The token that ends most answers and leaves at least one.
    ends = {token: sum(token in answer for answer in endless) for answer in endless for token in answer}
    eos = max((token for token, rows in ends.items() if rows < 4), key=lambda token: ends[token])
    shrunk = answers(twins.cached, eos, SHORT, shrink_to=(1, 2, 3))
    for ids, whole in zip(shrunk, endless, strict=True):
        assert ids == (whole[: whole.index(eos)] if eos in whole else whole)
    assert sizes
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) < 4


def test_one_changed_weight_gives_other_answers(twins: Twins) -> None:
    """The last test of these models, since a weight in other data makes the decoder compile its graphs again."""
    before = weights_of(twins.model)
    assert sorted(before) == sorted(weights_of(build(**twins.settings)))  # no name was changed by the decoder
    changed = {**before, "model.layers.0.attention.wo.weight": -before["model.layers.0.attention.wo.weight"]}
    load(twins.model, changed)
    load(twins.full.model, changed)
    others = answers(twins.full, longest=SHORT)
    assert others != [ids[:SHORT] for ids in twins.endless]
    assert answers(twins.cached, longest=SHORT) == others


# Experts 1, 2 and 6 for molecules, with 8 neurons each.
SETS = {"text": ["0..5"], "smiles": [1, 2, 6], "nucleotide": [0], "protein": ["0..6"]}
MOLECULES = "neurons ((8, 24), (48, 56))"


@dataclass
class SomeExperts:
    """Decoders of one model with and without a cache, and two sets of weights for it.

    Args:
        cached: Decodes with a cache.
        full: Decodes without.
        molecules: Weights whose answers are molecules.
        mixed: Weights whose answers also have two tokens of text.
    """

    cached: CachedDecoder
    full: FullDecoder
    molecules: dict[str, np.ndarray]
    mixed: dict[str, np.ndarray]

    def answers(self, weights: dict[str, np.ndarray]) -> list[list[int]]:
        """Returns the answers with the cache, which must equal those without."""
        train(self.cached.model, weights)
        train(self.full.model, weights)
        found = answers(self.cached, longest=SHORT)
        assert found == answers(self.full, longest=SHORT)
        return found


@pytest.fixture(scope="module")
def some_experts() -> SomeExperts:
    use_mode("graph")
    settings = {"expert_sets": SETS, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    values = weights_of(model)
    values["lm_head.weight"][52:] = 0
    values["lm_head.weight"][:38] = 0
    mixed = {name: value.copy() for name, value in values.items()}
    values["lm_head.weight"][:40] = 0
    return SomeExperts(CachedDecoder(model), FullDecoder(build(**settings)), values, mixed)


def test_tokens_of_one_modality_compute_only_its_experts(some_experts: SomeExperts) -> None:
    values = some_experts.molecules
    molecules = some_experts.answers(values)
    assert all(40 <= token < 52 for ids in molecules for token in ids)
    assert some_experts.cached.copied == {MOLECULES}
    # An expert of the group changes the answers; an unused expert does not.
    for neuron in (1 * 8, 7 * 8):
        changed = {name: value.copy() for name, value in values.items()}
        for layer in range(2):
            changed[f"model.layers.{layer}.feed_forward.w2.weight"][:, neuron : neuron + 8] *= -3.0
        is_same = some_experts.answers(changed) == molecules
        assert is_same is (neuron == 7 * 8)


def test_tokens_of_all_kinds_leave_a_group_and_come_back(some_experts: SomeExperts) -> None:
    some_experts.answers(some_experts.mixed)
    assert {ALL_EXPERTS, MOLECULES} <= some_experts.cached.copied
