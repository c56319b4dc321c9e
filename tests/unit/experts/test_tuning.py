"""The gates' loss against numpy, and the choice of records."""

from __future__ import annotations

import math

import mindspore as ms
import numpy as np
import pytest

from scimind.errors import ConfigError
from scimind.experts.tuning import TuneSettings, _batches, agreement_of
from scimind.experts.tuning_cells import ActivationModel, ActivationPass, GateAgreement, GateLoss, Membership
from scimind.experts.tuning_model import start_gates
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode, weights_of

K = {"text": 5, "smiles": 2, "nucleotide": 1, "protein": 0}
SHARED = {"text": [0], "smiles": [7]}


def models():
    learned = build(router="learned", experts_per_token=K, shared_experts=SHARED)
    weights = {name: value for name, value in weights_of(learned).items() if ".gate." not in name}
    return learned, build(weights, router="activation", experts_per_token=K, shared_experts=SHARED)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_the_activation_pass_is_the_model_with_router_activation(mode):
    use_mode(mode)
    learned, activation = models()
    ids = some_ids((2, 16))
    learned.set_train(False)
    ours = ActivationModel(ActivationPass(learned))(ms.Tensor(ids)).asnumpy()
    np.testing.assert_allclose(ours, logits(activation, ids), atol=tolerances.SAME_MATH, rtol=0)
    assert np.abs(ours - logits(learned, ids)).max() > 100 * tolerances.SAME_MATH


def test_loss_and_agreement_are_numpys():
    use_mode("pynative")
    learned, _ = models()
    learned.set_train(False)
    ids = some_ids((2, 16))
    ids[1, 10:] = 0
    run, membership = ActivationPass(learned), Membership(learned)
    member = membership(ms.Tensor(ids)).asnumpy()
    assert (member.sum(1) == (ids.reshape(-1) != 0)).all()
    _, inputs, targets, plan = run(ms.Tensor(ids))
    k = plan["k"].asnumpy()
    losses, both, wanted = [], [], []
    for i, (x, target) in enumerate(zip(inputs, targets, strict=True)):
        z = target.asnumpy()
        assert (z.sum(1) == k[:, 0]).all()  # shared experts are no target
        gate = learned.model.layers[i].feed_forward.gate.weight.asnumpy().astype(float)
        score = x.asnumpy() @ gate.T
        p = 1 / (1 + np.exp(-score))
        cost = -(z * np.log(p) + (1 - z) * np.log(1 - p)).mean(1)
        losses.append(np.mean([cost[member[:, m] > 0].mean() for m in range(4) if member[:, m].any()]))
        rank = np.argsort(np.argsort(-score, 1, kind="stable"), 1)
        hits = (rank < k) & z
        both.append([hits[member[:, m] > 0].sum() for m in range(4)])
        wanted.append([z[member[:, m] > 0].sum() for m in range(4)])
    cell = GateLoss(run, membership)
    assert cell(ms.Tensor(ids)).asnumpy() == pytest.approx(np.mean(losses), abs=tolerances.SAME_MATH)
    counted = [part.asnumpy() for part in GateAgreement(cell)(ms.Tensor(ids))]
    assert counted[0].tolist() == both and counted[1].tolist() == wanted
    assert counted[2] == pytest.approx(np.mean(losses), abs=tolerances.SAME_MATH)
    more = GateLoss(run, membership, 0.5)(ms.Tensor(ids)).asnumpy() - np.mean(losses)
    assert 0.5 * 0.8 < more < 0.5 * 8


def test_gates_start_as_the_mean_row_of_w3():
    use_mode("pynative")
    model = build(router="learned")
    names = [layer.feed_forward.gate.weight.name for layer in model.model.layers]
    before = model.model.layers[1].feed_forward.gate.weight.asnumpy().copy()
    start_gates(model, names[:1])
    first, second = (layer.feed_forward for layer in model.model.layers)
    np.testing.assert_allclose(first.gate.weight.asnumpy()[3], first.w3.weight.asnumpy()[24:32].mean(0), atol=1e-7)
    np.testing.assert_array_equal(second.gate.weight.asnumpy(), before)


def test_each_record_is_seen_once_a_round():
    order = _batches(records=10, batch_size=4, steps=5, seed=1)
    assert [len(batch) for batch in order] == [4] * 5
    assert sorted(np.concatenate(order)[:10]) == list(range(10))
    assert np.array_equal(order, _batches(10, 4, 5, 1)) and not np.array_equal(order, _batches(10, 4, 5, 2))


def test_recall_of_a_modality_without_tokens_is_unknown():
    found = agreement_of(np.array([[7, 1, 0, 0]]), np.array([[14, 2, 0, 0]]), 0.1, 2.0)
    assert found.recall[0]["text"] == found.recall[0]["smiles"] == 0.5
    assert math.isnan(found.mean_recall("protein"))
    assert found.to_dict()["mean_recall"]["protein"] is None


def test_every_fault_of_the_settings_is_told():
    with pytest.raises(ConfigError) as caught:
        TuneSettings(steps=0, batch_size=0, learning_rate=0.0, load_balance=-1.0)
    assert [fault.split()[0] for fault in caught.value.faults] == [
        "--steps",
        "--batch-size",
        "--learning-rate",
        "--load-balance",
    ]
