"""The loss of answers, in total and by modality, and the token accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from scimind.modality import MODALITY_NAMES, modality_of
from scimind.runtime.graph_cache import KeptGraph
from scimind.runtime.measurements import EvaluationScore
from scimind.train.feed.dataset_checks import COLUMNS
from scimind.train.workers.workers import Workers


class AnswerScoreCell(KeptGraph, nn.Cell):
    """Scores one batch: each position's logits are immediately reduced to three numbers.

    Args:
        network: A causal language model whose first output in evaluation mode is logits [b, s, v].
        pad_token_id: Input positions with this id are ignored, as in MindFormers' loss.
    """

    def __init__(self, network: nn.Cell, pad_token_id: int) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.graph_key = getattr(network, "graph_key", None)
        self.pad_token_id = pad_token_id
        self.gather = ops.GatherD()
        self.argmax = ops.Argmax(axis=-1, output_type=ms.int32)

    def construct(self, input_ids, labels):  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
        """Returns each position's loss, whether its prediction is right, and whether it counts, float32 [t, 1] each.

        Positions that do not count are 0 in all three.

        Args:
            input_ids: Input tokens, int32 [b, s].
            labels: The tokens that follow, int32 [b, s]; negative for positions that are ignored.
        """
        output = self.network(input_ids)
        logits = output[0] if isinstance(output, tuple) else output
        logits = ops.cast(ops.reshape(logits, (-1, logits.shape[-1])), ms.float32)  # [b, s, v] -> [t, v]
        labels = ops.reshape(labels, (-1, 1))  # [b, s] -> [t, 1]
        is_answer = ops.logical_and(labels >= 0, ops.reshape(input_ids, (-1, 1)) != self.pad_token_id)
        weight = ops.cast(is_answer, ms.float32)
        target = ops.maximum(labels, 0)
        largest = ops.ReduceMax(keep_dims=True)(logits, 1)
        total = ops.ReduceSum(keep_dims=True)(ops.exp(logits - largest), 1)
        losses = ops.log(total) + largest - self.gather(logits, 1, target)  # [t, 1]
        is_right = ops.cast(ops.equal(ops.expand_dims(self.argmax(logits), 1), target), ms.float32)
        return losses * weight, is_right * weight, weight


class Evaluator:
    """Scores a model on a data set, batch by batch.

    Args:
        network: A causal language model.
        files: The MindRecord files by name; each name is scored separately. Data without names has the name "".
        batch_size: Rows of a batch; the last one is filled up, so that the graph's shapes do not change.
        pad_token_id: The tokenizer's padding token.
        limit: Reads at most this many rows of each name.
        bos_token_id: The token that begins each record if a row holds several; None if it holds one.
        workers: The workers among which the batches are divided; each gets the overall score.
        modalities: The modality of every id, [v]; None for the total score only.
    """

    def __init__(
        self,
        network: nn.Cell,
        files: Mapping[str, list[Path]],
        batch_size: int,
        pad_token_id: int = 0,
        limit: int | None = None,
        *,
        bos_token_id: int | None = None,
        workers: Workers | None = None,
        modalities: np.ndarray | None = None,
    ) -> None:
        self._network, self._files, self._batch_size, self._limit = network, files, batch_size, limit
        self._bos_token_id = bos_token_id
        self._workers = workers or Workers()
        self._modalities = modalities
        self._cell = AnswerScoreCell(network, pad_token_id)

    def score(self, is_stopped: Callable[[], bool] = lambda: False) -> EvaluationScore | None:
        """Reads the whole data set.

        Args:
            is_stopped: Called after each batch; the evaluation is abandoned if it returns True.

        Returns:
            The score, NaN if no token of an answer was found; None if the evaluation was abandoned. The network is left
            in evaluation mode.
        """
        self._cell.set_train(False)
        parts: dict[str, EvaluationScore] = {}
        for name, files in self._files.items():
            score = self._score_files(files, is_stopped)
            if score is None:
                return None
            parts[name] = score
        return parts[""] if list(parts) == [""] else EvaluationScore.of_parts(parts)

    def _score_files(self, files: list[Path], is_stopped: Callable[[], bool]) -> EvaluationScore | None:
        """Returns the score of the files of one name, or None if it was abandoned."""
        # Losses, right predictions and tokens of each modality.
        sums, records = np.zeros((len(MODALITY_NAMES), 3)), 0.0
        is_given_up = False
        for input_ids, labels, count in self._batches(files):
            parts = self._cell(ms.Tensor(input_ids[:, :-1]), ms.Tensor(labels[:, 1:]))
            modality = self._modality(labels[:, 1:])
            for place, part in enumerate(parts):
                sums[:, place] += np.bincount(modality, part.asnumpy().ravel(), len(MODALITY_NAMES))
            records += count
            if is_stopped():
                is_given_up = True
                break
        given_up, records, *totals = self._workers.total([is_given_up, records, *sums.ravel()])
        if given_up:
            return None
        sums = np.reshape(totals, sums.shape)
        loss, right, tokens = sums.sum(axis=0)
        if tokens == 0:
            return EvaluationScore(math.nan, math.nan, 0, int(records))
        losses = {
            name: float(sums[i, 0] / sums[i, 2])
            for i, name in enumerate(MODALITY_NAMES)
            if self._modalities is not None and sums[i, 2]
        }
        return EvaluationScore(float(loss / tokens), float(right / tokens), int(tokens), int(records), losses)

    def _modality(self, labels: np.ndarray) -> np.ndarray:
        """Returns the modality of each label, [b, s] -> [t]; meaningless for labels that do not count."""
        if self._modalities is None:
            return np.zeros(labels.size, np.int32)
        return modality_of(np.maximum(labels.ravel(), 0), self._modalities)

    def _batches(self, files: list[Path]) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Yields this worker's input_ids and labels, int32 [b, s + 1], and the number of records in them."""
        from mindspore.dataset import MindDataset

        settings: dict[str, Any] = {} if self._limit is None else {"num_samples": self._limit}
        data = MindDataset([str(file) for file in files], columns_list=list(COLUMNS), shuffle=False, **settings)
        rows = data.batch(self._batch_size).create_tuple_iterator(num_epochs=1, output_numpy=True)
        for input_ids, labels in islice(rows, self._workers.rank, None, self._workers.size):
            is_packed = self._bos_token_id is not None
            count = int(np.count_nonzero(input_ids == self._bos_token_id)) if is_packed else len(input_ids)
            missing = self._batch_size - len(input_ids)
            input_ids = np.pad(input_ids.astype(np.int32), ((0, missing), (0, 0)))
            labels = np.pad(labels.astype(np.int32), ((0, missing), (0, 0)), constant_values=-100)
            yield input_ids, labels, count
