"""The training step's overflow check and the score of answers, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from scimind.data.prepare.mindrecord import MindRecordWriter
from scimind.evaluate.metrics.perplexity import LossRow, score_losses
from scimind.evaluate.resampling import Resampling
from scimind.modality import MODALITY_NAMES, modality_table
from scimind.train.evaluation import AnswerScoreCell, Evaluator
from scimind.train.optimizer import SciMindAdamW
from scimind.train.step import SciMindTrainOneStepCell


class Loss(nn.Cell):
    """A loss whose gradient is its input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor([1.0, 2.0], ms.float32), name="weight")
        self.other = ms.Parameter(ms.Tensor([3.0], ms.float32), name="other")

    def construct(self, x: Any) -> Any:
        """Returns the loss."""
        return (self.weight * x).sum() + self.other.sum()


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
@pytest.mark.parametrize(
    ("gradient", "overflows"), [([0.5, 0.25], False), ([0.5, np.inf], True), ([np.nan, 0.25], True)]
)
def test_a_gradient_that_is_not_finite_changes_no_weights(mode: int, gradient: list[float], overflows: bool) -> None:
    ms.set_context(mode=mode)
    network = Loss()
    step = SciMindTrainOneStepCell(network, nn.SGD(network.trainable_params(), learning_rate=1.0), scale_sense=4.0)
    outputs = step.set_train()(ms.Tensor(gradient, ms.float32))
    ms.set_context(mode=ms.GRAPH_MODE)
    assert bool(outputs[1].asnumpy()) is overflows
    expected = ([1.0, 2.0], [3.0]) if overflows else ([0.5, 1.75], [2.0])
    np.testing.assert_allclose(network.weight.asnumpy(), expected[0])
    np.testing.assert_allclose(network.other.asnumpy(), expected[1])


class Half(nn.Cell):
    """A loss in float16 whose gradient is its input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor([1.0, 2.0], ms.float32), name="weight")

    def construct(self, x: Any) -> Any:
        """Returns the loss, float32."""
        return ops.cast((ops.cast(self.weight, ms.float16) * ops.cast(x, ms.float16)).sum(), ms.float32)


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_a_moving_loss_scale_halves_at_an_overflow_and_grows_again(mode: int) -> None:
    ms.set_context(mode=mode)
    network = Half()
    optimizer = SciMindAdamW(network.trainable_params(), learning_rate=0.5)
    scale = nn.DynamicLossScaleUpdateCell(2.0**16, 2, 2)
    step = SciMindTrainOneStepCell(network, optimizer, scale_sense=scale).set_train()
    x = ms.Tensor([1.5, 0.25], ms.float32)
    seen = []
    for _ in range(6):
        before = [parameter.asnumpy().copy() for parameter in optimizer.get_parameters()]
        outputs = step(x)
        after = [parameter.asnumpy() for parameter in optimizer.get_parameters()]
        changed = any((one != other).any() for one, other in zip(before, after, strict=True))
        seen.append((bool(outputs[1].asnumpy()), changed, float(outputs[2].asnumpy())))
    ms.set_context(mode=ms.GRAPH_MODE)
    # float16 ends at 65504: 1.5 times 2**15 is below, 1.5 times 2**16 above. Weights, moments and step do not change.
    skipped, done = (True, False, 2.0**15), (False, True)
    assert seen[0] == seen[3] == skipped
    assert [entry[:2] for entry in (*seen[1:3], *seen[4:])] == [done] * 4
    assert [entry[2] for entry in seen] == [2.0**15, 2.0**15, 2.0**16, 2.0**15, 2.0**15, 2.0**16]
    assert int(optimizer.global_step.asnumpy().item()) == 4


class Fixed(nn.Cell):
    """A model whose logits are looked up in a table by the input token."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = ms.Tensor(table)

    def construct(self, input_ids: Any) -> Any:
        """Returns logits [b, s, v] and the input, as a causal language model does."""
        return self.table[input_ids], input_ids


def test_answers_are_scored_as_numpy_scores_them() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    random = np.random.default_rng(0)
    table = random.normal(0, 30, (11, 11)).astype(np.float32)  # large enough to overflow a plain exponential
    input_ids = random.integers(0, 11, (4, 9)).astype(np.int32)
    labels = random.integers(0, 11, (4, 9)).astype(np.int32)
    labels[:, :3] = -100
    logits = table.astype(np.float64)[input_ids]
    counted = (labels >= 0) & (input_ids != 0)
    log_sum = np.logaddexp.reduce(logits, axis=-1)
    target = np.take_along_axis(logits, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    expected = (
        ((log_sum - target) * counted).sum(),
        ((logits.argmax(-1) == labels) & counted).sum(),
        counted.sum(),
    )

    cell = AnswerScoreCell(Fixed(table), pad_token_id=0).set_train(False)
    score = [float(part.asnumpy().sum()) for part in cell(ms.Tensor(input_ids), ms.Tensor(labels))]
    np.testing.assert_allclose(score, expected, rtol=1e-5)

    # The twin: one changed label changes the score.
    labels[0, 5] = (labels[0, 5] + 1) % 11
    input_ids[0, 5] = max(input_ids[0, 5], 1)
    other = [float(part.asnumpy().sum()) for part in cell(ms.Tensor(input_ids), ms.Tensor(labels))]
    assert abs(other[0] - score[0]) > 1e-3


def test_each_modality_has_the_loss_of_its_own_labels(tmp_path: Path) -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    random = np.random.default_rng(1)
    table = random.normal(0, 3, (11, 11)).astype(np.float32)
    ids = random.integers(1, 11, (5, 9)).astype(np.int32)
    labels = ids.copy()
    labels[:, :4] = -100
    path = tmp_path / "data.mindrecord"
    writer = MindRecordWriter(path, 8)
    for row, of_row in zip(ids, labels, strict=True):
        writer.append(row, of_row)
    writer.close()
    modalities = modality_table(11, {"smiles": [[6, 9]], "protein": [[9, 11]]})
    # Two rows per batch: the last batch is filled up.
    score = Evaluator(Fixed(table), {"": [path]}, 2, modalities=modalities).score()
    assert score is not None and score.records == 5

    logits, target = table.astype(np.float64)[ids[:, 3:-1]], ids[:, 4:]
    loss = np.logaddexp.reduce(logits, axis=-1) - np.take_along_axis(logits, target[..., None], axis=-1)[..., 0]
    expected = {
        name: loss[(target >= low) & (target < high)].mean()
        for name, low, high in (("text", 1, 6), ("smiles", 6, 9), ("protein", 9, 11))
    }
    assert score.losses == pytest.approx(expected, rel=1e-5)
    assert score.loss == pytest.approx(loss.mean(), rel=1e-5)
    assert score.perplexities["perplexity_smiles"] == pytest.approx(np.exp(expected["smiles"]), rel=1e-5)

    # `scimind evaluate` computes the same from these losses, token by token; the twin: another border changes them.
    rows = [
        LossRow(MODALITY_NAMES[modalities[token]], value)
        for token, value in zip(target.ravel(), loss.ravel(), strict=True)
    ]
    found = score_losses(rows, Resampling(samples=0)).scores
    assert score.perplexities == pytest.approx({name: value.value for name, value in found.items()}, rel=1e-5)
    other = Evaluator(Fixed(table), {"": [path]}, 2, modalities=modality_table(11, {"smiles": [[5, 9]]})).score()
    assert other is not None and other.losses["smiles"] != pytest.approx(expected["smiles"], rel=1e-3)
