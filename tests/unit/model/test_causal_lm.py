from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindformers.models.llama import LlamaConfig, LlamaForCausalLM

from tests.support import tolerances
from tests.support.models import CPU_TYPES, SMALL, build, logits, loss, some_ids, use_mode, weights_of

ALL = {"router": "activation", "experts_per_token": dict.fromkeys(("text", "smiles", "nucleotide", "protein"), 8)}
ALL_SETS = {"router": "modality", "expert_sets": dict.fromkeys(("text", "smiles", "nucleotide", "protein"), ["0..7"])}


def dense(weights, **settings):
    config = {
        k: v for k, v in {**SMALL, **CPU_TYPES, **settings}.items() if k not in ("num_experts", "modality_ranges")
    }
    model = LlamaForCausalLM(LlamaConfig(**config))
    for parameter in model.get_parameters():
        parameter.set_data(ms.Tensor(weights[parameter.name]))
    return model


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("dispatch", ["masked", "grouped"])
@pytest.mark.parametrize("routing", [ALL, ALL_SETS], ids=["activation", "modality"])
@pytest.mark.parametrize("n_kv_heads", [None, 2], ids=["multi-head", "grouped-query"])
def test_all_experts_equal_the_dense_llama(routing, dispatch, mode, n_kv_heads):
    use_mode(mode)
    model = build(dispatch=dispatch, n_kv_heads=n_kv_heads, **routing)
    reference = dense(weights_of(model), n_kv_heads=n_kv_heads)
    ids = some_ids((2, 17))
    np.testing.assert_allclose(
        logits(model, ids[:, :16]), logits(reference, ids[:, :16]), atol=tolerances.SAME_MATH, rtol=0
    )
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
    model = build()
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
