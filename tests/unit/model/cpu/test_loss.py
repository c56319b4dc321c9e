"""The loss in blocks of rows, and its gradients, against the formula in numpy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from scimind.model.cpu.attention import blocks
from scimind.model.cpu.loss import AnswerLoss, rows_of_block
from tests.support.models import use_mode

T, D, V = 22, 6, 10
RNG = np.random.default_rng(5)
X, WEIGHT = RNG.standard_normal((T, D)), 3 * RNG.standard_normal((V, D))
LABELS = RNG.integers(0, V, T)
ROW_WEIGHT = RNG.random(T) * (np.arange(T) % 3 > 0)
LABELS[ROW_WEIGHT == 0] = -100


def expected(labels: np.ndarray = LABELS) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns the loss and its gradients with respect to hidden states and output embedding, in float64."""
    logits = X @ WEIGHT.T
    probability = np.exp(logits - logits.max(1, keepdims=True))
    probability /= probability.sum(1, keepdims=True)
    share = ROW_WEIGHT / ROW_WEIGHT.sum()
    right = np.maximum(labels, 0)
    change = (probability - np.eye(V)[right]) * share[:, None]
    return float(-(np.log(probability[np.arange(T), right]) * share).sum()), change @ WEIGHT, change.T @ X


def computed(block: int, *, training: bool) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns the same from twice the loss, halved, to check that a factor after the loss reaches the gradients."""
    cell = AnswerLoss(block)
    cell.set_train(training)
    labels, row_weight = Tensor(LABELS, ms.int32), Tensor(ROW_WEIGHT, ms.float32)

    def twice(x: Tensor, weight: Tensor) -> Tensor:
        return 2 * cell(x, weight, labels, row_weight)[0]

    step = ms.value_and_grad(twice, (0, 1))
    loss, (of_x, of_weight) = step(Tensor(X, ms.float32), Tensor(WEIGHT, ms.float32))
    return float(loss.asnumpy()[0]) / 2, of_x.asnumpy() / 2, of_weight.asnumpy() / 2


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize(("block", "count"), [(2**22, 1), (8 * V, 3), (1, 7)])
def test_blocks_change_nothing(block: int, count: int, mode: str) -> None:
    use_mode(mode)
    assert len(blocks(T, rows_of_block(T, V, block))) == count
    wanted = expected()
    for training in (True, False):
        for ours, theirs in zip(computed(block, training=training), wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    # The twin: another label in one row changes the loss and the gradients.
    labels = LABELS.copy()
    labels[1] = (labels[1] + 1) % V
    for ours, theirs in zip(computed(block, training=True), expected(labels), strict=True):
        assert np.abs(ours - theirs).max() > 1e-3
