"""The model whose gates are tuned: loaded, given new gates if it has none, trained and measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from scimind.checkpoint.finding import Checkpoint, find_checkpoint
from scimind.config.mindformers import model_tree
from scimind.experts.tuning.cells import ActivationModel, ActivationPass, GateAgreement, GateLoss, Membership
from scimind.experts.tuning.report import Agreement
from scimind.model.loading import build_model, start
from scimind.runtime.console import Console
from scimind.train.evaluation import AnswerScoreCell


def load_for_tuning(
    config: Mapping[str, Any], description: Mapping[str, Any], batch_size: int, console: Console
) -> tuple[Any, Checkpoint]:
    """Returns a model with router `learned`, its weights loaded and its gates initialised, and its checkpoint.

    Args:
        config: A checked configuration; `load_checkpoint` names the weights.
        description: What `describe_model` returns for the model.
        batch_size: Rows of a batch.
        console: Reports what was built.

    Raises:
        CheckpointError: The weights are not this model's.
    """
    tree = model_tree(config, batch_size=batch_size)
    weights, lacking = config["load_checkpoint"], list[str]()
    network = build_model(
        start(tree, config["seed"]), weights, description, console, is_training=True, new_gates=lacking
    )
    network.set_train(False)
    start_gates(network, lacking)
    if lacking:
        console.print(f"gates: {len(lacking)} new ones, initialised with each expert's mean row of w3")
    return network, find_checkpoint(weights)


def start_gates(network: nn.Cell, names: Sequence[str]) -> None:
    """Sets gates to the mean of each expert's rows of w3.

    This is the direction to which an expert's neurons respond overall: of w1, w3, zeros and random values, it agrees
    best with activation before tuning. After tuning, all are equal.

    Args:
        network: The model; changed in place.
        names: Parameters of the gates to set.
    """
    for layer in network.model.layers:
        gate, w3 = layer.feed_forward.gate.weight, layer.feed_forward.w3.weight
        if gate.name in names:
            rows = w3.asnumpy().astype(np.float32)
            mean = rows.reshape(gate.shape[0], -1, gate.shape[1]).mean(1)  # [h, d] -> [e, f, d] -> [e, d]
            gate.set_data(ms.Tensor(mean, gate.dtype))


class GateTuner:
    """Trains and measures the gates; the rest of the model is frozen.

    Args:
        network: A SciMindForCausalLM with router `learned`.
        learning_rates: Adam's learning rates, one per step.
        load_balance: Weight of the load balance.
        batch_size: Rows of a batch.
    """

    def __init__(self, network: nn.Cell, learning_rates: Sequence[float], load_balance: float, batch_size: int) -> None:
        self.batch_size = batch_size
        run = ActivationPass(network)
        loss = GateLoss(run, Membership(network), load_balance)
        gates = [layer.feed_forward.gate.weight for layer in network.model.layers]
        optimizer = nn.Adam(gates, learning_rate=list(learning_rates))
        self._step = nn.TrainOneStepCell(loss, optimizer)
        self._step.set_train(False)
        self._agreement = GateAgreement(loss)
        pad = int(network.config.pad_token_id)
        self._pad = pad
        self._learned = AnswerScoreCell(network, pad)
        self._activation = AnswerScoreCell(ActivationModel(run), pad)

    def step(self, records: np.ndarray) -> float:
        """Takes one step on input_ids [batch_size, s + 1] and returns the loss before it."""
        return float(self._step(ms.Tensor(records[:, :-1])).asnumpy())

    def agreement(self, input_ids: np.ndarray, labels: np.ndarray) -> Agreement:
        """Returns how well the gates agree with activation on records [n, s + 1]."""
        both: Any = 0.0
        picked: Any = 0.0
        loss, rows = 0.0, 0
        for ids, _, count in self._batches(input_ids, labels):
            parts = [part.asnumpy().astype(np.float64) for part in self._agreement(ms.Tensor(ids[:, :-1]))]
            both, picked = both + parts[0], picked + parts[1]
            loss, rows = loss + float(parts[2]) * count, rows + count
        return Agreement.of_counts(both, picked, loss / rows, self._score(self._learned, input_ids, labels))

    def activation_loss(self, input_ids: np.ndarray, labels: np.ndarray) -> float:
        """Returns the cross entropy of an answer's token with router `activation`; NaN if there are no answers."""
        return self._score(self._activation, input_ids, labels)

    def _score(self, cell: AnswerScoreCell, input_ids: np.ndarray, labels: np.ndarray) -> float:
        cell.set_train(False)
        loss, tokens = 0.0, 0.0
        for ids, of_batch, _ in self._batches(input_ids, labels):
            parts = cell(ms.Tensor(ids[:, :-1]), ms.Tensor(of_batch[:, 1:]))
            batch_loss, _, batch_tokens = (float(part.asnumpy().sum(dtype=np.float64)) for part in parts)
            loss, tokens = loss + batch_loss, tokens + batch_tokens
        return loss / tokens if tokens else float("nan")

    def _batches(self, input_ids: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Yields batches of one shape, the last one filled up with padding, and the number of rows that are records."""
        for first in range(0, len(input_ids), self.batch_size):
            ids = input_ids[first : first + self.batch_size]
            of_batch = labels[first : first + self.batch_size]
            count = len(ids)
            missing = ((0, self.batch_size - count), (0, 0))
            yield (
                np.pad(ids, missing, constant_values=self._pad),
                np.pad(of_batch, missing, constant_values=-100),
                count,
            )
