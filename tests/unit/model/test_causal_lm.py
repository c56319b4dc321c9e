from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindformers.models.llama import LlamaConfig, LlamaForCausalLM

from scimind.errors import ConfigError
from tests.support import tolerances
from tests.support.models import CPU_TYPES, SMALL, build, logits, loss, some_ids, use_mode, weights_of

ALL = {"router": "activation", "experts_per_token": dict.fromkeys(("text", "smiles", "nucleotide", "protein"), 8)}
ALL_LEARNED = {**ALL, "router": "learned"}
ALL_SETS = {"router": "modality", "expert_sets": dict.fromkeys(("text", "smiles", "nucleotide", "protein"), ["0..7"])}
LAYERS = {"graph": 1, "pynative": 2}  # graphs take twice as long to compile with twice the layers


def dense(weights, **settings):
    config = {
        k: v for k, v in {**SMALL, **CPU_TYPES, **settings}.items() if k not in ("num_experts", "modality_ranges")
    }
    return with_weights(LlamaForCausalLM(LlamaConfig(**config)), weights)


def with_weights(model, weights):
    for parameter in model.get_parameters():
        parameter.set_data(ms.Tensor(weights[parameter.name]))
    return model


@pytest.fixture(scope="module")
def references():
    """Returns dense Llamas by mode and heads; their graphs are shared by all routings."""
    return {}


def forms():
    """Returns all routings with both dispatches in both modes; graphs have the heads that the other mode has not."""
    for i, routing in enumerate([ALL, ALL_SETS, ALL_LEARNED]):
        for j, dispatch in enumerate(["masked", "grouped"]):
            for k, mode in enumerate(LAYERS):
                n_kv_heads = (None, 2)[(i + j + k) % 2]
                yield pytest.param(routing, dispatch, mode, n_kv_heads, id=f"{routing['router']}-{dispatch}-{mode}")


@pytest.mark.parametrize("routing, dispatch, mode, n_kv_heads", forms())
def test_all_experts_equal_the_dense_llama(routing, dispatch, mode, n_kv_heads, references):
    use_mode(mode)
    settings = {"n_kv_heads": n_kv_heads, "num_layers": LAYERS[mode]}
    model = build(dispatch=dispatch, **settings, **routing)
    weights = weights_of(model)
    if (mode, n_kv_heads) not in references:
        references[mode, n_kv_heads] = dense(weights, **settings)
    reference = with_weights(references[mode, n_kv_heads], weights)
    ids = some_ids((2, 17))
    np.testing.assert_allclose(
        logits(model, ids[:, :16]), logits(reference, ids[:, :16]), atol=tolerances.SAME_MATH, rtol=0
    )
    if mode == "pynative":  # of graphs, test_cells_of_kernels.py compares losses and gradients
        assert abs(loss(model, ids, ids) - loss(reference, ids, ids)) < tolerances.SAME_MATH


def test_one_expert_less_is_noticed():
    use_mode("pynative")
    model = build(router="activation", experts_per_token=dict.fromkeys(ALL["experts_per_token"], 7))
    ids = some_ids((2, 16))
    assert np.abs(logits(model, ids) - logits(dense(weights_of(model)), ids)).max() > 100 * tolerances.SAME_MATH


def test_parameters_are_llamas():
    use_mode("pynative")
    model = build()
    names = {p.name: p.shape for p in model.get_parameters()}
    assert names == {p.name: p.shape for p in dense(weights_of(model)).get_parameters()}


def test_a_shorter_batch_gives_the_same_logits():
    use_mode("graph")
    model = build(num_layers=1)
    ids = some_ids((2, 16))
    np.testing.assert_allclose(logits(model, ids[:, :9]), logits(model, ids)[:, :9], atol=tolerances.SAME_MATH, rtol=0)


def test_loss_counts_answers_only():
    use_mode("pynative")
    model = build()
    ids = some_ids((2, 17))
    labels = ids.copy()
    labels[:, :10] = -100
    scores = logits(model, ids[:, :16]).astype(float)
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    picked = np.take_along_axis(log_p, ids[:, 1:, None], -1)[..., 0]
    assert abs(loss(model, ids, labels) + picked[:, 9:].mean()) < tolerances.NUMPY
    assert abs(loss(model, ids, ids) + picked.mean()) < tolerances.NUMPY


def test_a_gate_is_the_only_additional_parameter():
    use_mode("pynative")
    names = {p.name: p.shape for p in build(router="learned").get_parameters()}
    gates = {f"model.layers.{i}.feed_forward.gate.weight": (8, 32) for i in range(2)}
    assert names == {p.name: p.shape for p in build().get_parameters()} | gates


@pytest.mark.parametrize("dispatch", ["masked", "grouped"])
def test_the_load_balance_is_added_to_the_loss(dispatch):
    use_mode("pynative")
    settings = {"router": "learned", "dispatch": dispatch, "num_layers": 2}
    plain = build(**settings)
    balanced = build(weights_of(plain), **settings, balance_weight=0.5)
    ids = some_ids((2, 17))
    labels = ids.copy()
    labels[:, :5] = -100
    scores, whole = logits(plain, ids[:, :16]), loss(balanced, ids, labels)
    np.testing.assert_array_equal(logits(balanced, ids[:, :16]), scores)
    more = whole - loss(plain, ids, labels)
    assert 0.5 * 0.8 < more < 0.5 * 8  # about 1 for an even use, at most e
    balanced.model.set_train(True)
    hidden, balance = balanced.model(ms.Tensor(ids[:, :16]))
    assert hidden.shape == (2, 16, 32)
    assert abs(more - 0.5 * balance.asnumpy().item()) < tolerances.SAME_MATH
    # As a graph, of one layer, which takes half as long to compile.
    settings["num_layers"] = 1
    short = build(**settings, balance_weight=0.5)
    scores, whole = logits(short, ids[:, :16]), loss(short, ids, labels)
    use_mode("graph")
    short = build(weights_of(short), **settings, balance_weight=0.5)
    np.testing.assert_allclose(logits(short, ids[:, :16]), scores, atol=tolerances.SAME_MATH, rtol=0)
    assert abs(loss(short, ids, labels) - whole) < tolerances.SAME_MATH


def test_settings_that_exclude_a_load_balance_are_refused():
    with pytest.raises(ConfigError, match="calculate_per_token_loss"):
        build(router="learned", balance_weight=0.1, calculate_per_token_loss=True)
