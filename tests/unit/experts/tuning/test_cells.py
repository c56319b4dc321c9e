"""The gates' loss and agreement against numpy, and the pass with router `activation` against the model with it."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.experts.tuning.cells import ActivationModel, ActivationPass, GateAgreement, GateLoss, Membership
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


def test_loss_and_agreement_equal_numpy():
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
        assert (z.sum(1) == k[:, 0]).all()  # shared experts are not targets
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
