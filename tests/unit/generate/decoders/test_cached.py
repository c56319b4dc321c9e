"""Greedy answers of several steps a call: across the cache's lengths, and with rows that leave."""

from __future__ import annotations

import pytest
from mindspore import ops

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings
from scimind.model.cpu.decoding import weights
from tests.support.models import build, load, some_ids, use_mode, weights_of

GREEDY = GenerationSettings(max_new_tokens=140, batch_size=4, do_sample=False)
# Two layers in one of them: graphs of one take half as long to compile.
HEADS = {"multi-head": {"num_layers": 1}, "grouped-query": {"n_kv_heads": 2, "num_layers": 2}}
PROMPTS = [list(map(int, some_ids((1, length), seed=length)[0])) for length in (5, 9, 20, 3)]


def answers(decoder, eos: int, **more) -> list[list[int]]:
    found = generate_batch(decoder, PROMPTS, GREEDY, eos_id=eos, vocab_size=62, pad_id=0, **more)
    return [answer.ids for answer in found]


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("router", ["modality", "activation", "learned"])
def test_greedy_answers_are_those_of_whole_sequences(router: str, heads: str) -> None:
    use_mode("graph")
    settings = {"router": router, **HEADS[heads], "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    full, ours = FullDecoder(build(weights_of(model), **settings)), CachedDecoder(model)
    endless = answers(full, eos=63)
    assert max(map(len, endless)) > 128  # the cache grew
    assert answers(ours, eos=63) == endless
    # A token of the second answer ends that one, and maybe others, before the rest.
    eos = endless[1][7]
    assert answers(ours, eos) == answers(full, eos)
    for _ in range(6):  # MindSpore runs a graph otherwise from its sixth call on
        assert answers(ours, eos=63) == endless  # the next batches are whole again
    if heads == "multi-head":  # of many rows, which are multiplied in another order
        assert answers(ours, eos=63, rows=8) == endless

    # The twin: one weight changed gives other answers.
    values = weights_of(model)
    assert sorted(values) == sorted(weights_of(build(**settings)))  # no name was changed by the decoder
    values["model.layers.0.attention.wo.weight"] *= -1.0
    load(model, values)
    load(full.model, values)
    changed = answers(full, eos=63)
    assert changed != endless
    assert answers(ours, eos=63) == changed


def test_copies_of_weights_follow_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode("graph")
    settings = {"num_layers": 1, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    ours = CachedDecoder(model)
    before = answers(ours, eos=63)
    # A step of training writes into the data that are there.
    queries = model.model.layers[0].attention.wq.weight
    address = queries.data_ptr()
    ops.assign(queries, queries * -1.0)
    assert queries.data_ptr() == address
    after = answers(ours, eos=63)
    assert after == answers(FullDecoder(build(weights_of(model), **settings)), eos=63)
    assert after != before
    # Large weights are not copied, and give the same answers.
    monkeypatch.setattr(weights, "MOST_JOINED", 0)
    plain = CachedDecoder(model)
    assert not plain._experts.weights.are_copies
    assert answers(plain, eos=63) == after


def test_rows_that_end_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode("graph")
    settings = {"num_layers": 1, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    model = build(**settings)
    decoder = CachedDecoder(model)
    endless = answers(decoder, eos=63)
    sizes = []
    keep = decoder.keep
    monkeypatch.setattr(decoder, "keep", lambda rows: (sizes.append(len(rows)), keep(rows)))
    # The token that ends most answers and leaves at least one.
    ends = {token: sum(token in answer for answer in endless) for answer in endless for token in answer}
    eos = max((token for token, rows in ends.items() if rows < 4), key=lambda token: ends[token])
    found = answers(decoder, eos, shrink_to=(1, 2, 3))
    for ids, whole in zip(found, endless, strict=True):
        assert ids == (whole[: whole.index(eos)] if eos in whole else whole)
    assert sizes
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) < 4


SETS = {"text": ["0..5"], "smiles": [1, 2, 6], "nucleotide": [0], "protein": ["0..6"]}


def test_tokens_of_one_modality_compute_its_experts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode("graph")
    settings = {"expert_sets": SETS, "batch_size": 4, "seq_length": 160, "init_method_std": 0.5}
    values = weights_of(build(**settings))
    values["lm_head.weight"][52:] = 0
    values["lm_head.weight"][:38] = 0
    mixed = {name: value.copy() for name, value in values.items()}  # answers have molecules and two tokens of text
    values["lm_head.weight"][:40] = 0  # answers are molecules
    model = build(values, **settings)
    full, ours = FullDecoder(build(values, **settings)), CachedDecoder(model)
    used = []
    choose = ours._experts_for
    monkeypatch.setattr(ours, "_experts_for", lambda ids: (used.append(choose(ids)), used[-1])[1])
    found = answers(ours, eos=63)
    assert found == answers(full, eos=63)
    assert all(40 <= token < 52 for ids in found for token in ids)
    assert {experts.group for experts in used} == {1}

    # An expert of the group's changes the answers; one that nobody uses does not.
    for neuron in (1 * 8, 7 * 8):
        changed = {name: value.copy() for name, value in values.items()}
        for layer in range(2):
            changed[f"model.layers.{layer}.feed_forward.w2.weight"][:, neuron : neuron + 8] *= -3.0
        load(model, changed)
        is_same = answers(ours, eos=63) == found
        assert is_same is (neuron == 7 * 8)

    # Tokens of all kinds: groups are left, and come back.
    load(model, mixed)
    del used[:]
    assert answers(ours, eos=63) == answers(FullDecoder(build(mixed, **settings)), eos=63)
    assert {-1} < {experts.group for experts in used}
