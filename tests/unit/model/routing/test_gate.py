from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.config.routing import RoutingSettings
from scimind.model.routing.gate import Gate, LoadBalance
from tests.support import tolerances
from tests.support.models import use_mode

T, D, E = 12, 8, 4


def gate(mode: str, kernels: str = "cpu") -> Gate:
    use_mode(mode)
    ms.set_seed(5)
    return Gate(RoutingSettings.create(num_experts=E, router="learned"), D, 0.5, kernels=kernels)


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.standard_normal((T, D)).astype(np.float32)
    k = random.integers(0, E + 1, (T, 1)).astype(np.int32)
    return x, k, np.zeros((T, E), bool)


class Weighted(ms.nn.Cell):
    """The sum of each chosen expert's weight times a number."""

    def __init__(self, of: Gate, numbers: np.ndarray) -> None:
        super().__init__()
        self.gate, self.numbers = of, ms.Tensor(numbers)

    def construct(self, x, k, shared):
        _, active, through = self.gate(x, k, shared)
        return ((1.0 + through) * active.astype(ms.float32) * self.numbers).sum()


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_weight_is_exactly_one_with_the_gradient_of_the_sigmoid(mode):
    cell = gate(mode)
    x, k, shared = inputs()
    score, active, through = (part.asnumpy() for part in cell(ms.Tensor(x), ms.Tensor(k), ms.Tensor(shared)))
    assert (1 + through == 1).all()
    assert (active.sum(1) == k[:, 0]).all()
    np.testing.assert_allclose(score, x @ cell.weight.asnumpy().T, atol=tolerances.SAME_MATH)
    numbers = np.random.default_rng(2).standard_normal((T, E)).astype(np.float32)
    ours = ms.grad(Weighted(cell, numbers), None, [cell.weight])(ms.Tensor(x), ms.Tensor(k), ms.Tensor(shared))[0]
    p = 1 / (1 + np.exp(-score.astype(float)))
    expected = (active * numbers * p * (1 - p)).T @ x
    np.testing.assert_allclose(ours.asnumpy(), expected, atol=tolerances.SAME_MATH)
    everywhere = (numbers * p * (1 - p)).T @ x
    assert np.abs(ours.asnumpy() - everywhere).max() > 100 * tolerances.SAME_MATH


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("kernels", ["cpu", "mindformers"])
def test_ties_go_to_the_lower_expert(kernels, mode):
    cell = gate(mode, kernels)
    cell.weight.set_data(ms.Tensor(np.zeros((E, D), np.float32)))
    x, _, shared = inputs()
    active = cell(ms.Tensor(x), ms.Tensor(np.full((T, 1), 2, np.int32)), ms.Tensor(shared))[1].asnumpy()
    assert active.tolist() == [[True, True, False, False]] * T


def twin(score: np.ndarray, active: np.ndarray, member: np.ndarray) -> float:
    found = []
    for m in range(member.shape[1]):
        rows = member[:, m] > 0
        if rows.any():
            p = np.exp(score[rows].astype(float))
            p /= p.sum(1, keepdims=True)
            f = active[rows].sum(0) / active[rows].sum()
            found.append(E * (f * p.mean(0)).sum())
    return float(np.mean(found))


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_load_balance_by_modality(mode):
    use_mode(mode)
    random = np.random.default_rng(3)
    score = (3 * random.standard_normal((T, E))).astype(np.float32)
    active = score >= np.sort(score, 1)[:, -2:-1]
    member = np.eye(3, dtype=np.float32)[random.integers(0, 2, T)]  # the third modality has no tokens
    member[0] = 0  # padding
    ours = LoadBalance(E)(ms.Tensor(score), ms.Tensor(active), ms.Tensor(member)).asnumpy()
    assert ours == pytest.approx(twin(score, active, member), abs=tolerances.SAME_MATH)
    together = member.sum(1, keepdims=True)
    assert abs(ours - twin(score, active, together)) > 100 * tolerances.SAME_MATH


def test_even_use_is_one_and_modalities_may_differ():
    use_mode("pynative")
    score = np.zeros((8, E), np.float32)
    active = np.eye(E, dtype=bool)[np.arange(8) % E]
    one = np.ones((8, 1), np.float32)
    assert LoadBalance(E)(ms.Tensor(score), ms.Tensor(active), ms.Tensor(one)).asnumpy() == pytest.approx(1)
    nobody = LoadBalance(E)(ms.Tensor(score), ms.Tensor(active), ms.Tensor(0 * one)).asnumpy()
    assert nobody == 0
