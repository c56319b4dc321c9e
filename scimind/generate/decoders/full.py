"""A model as a decoder without a cache."""

from __future__ import annotations

from collections.abc import Mapping

import mindspore as ms
import numpy as np
from mindspore import Tensor

from scimind.generate.decoders.last_logits import LastLogits
from scimind.generate.decoders.protocols import CausalModel


class FullDecoder:
    """Decodes by computing the whole sequence at every step; `use_past: False`. The reference for the others.

    Args:
        model: A model built with `use_past=False`, or any model on a CPU. Its `batch_size` and `seq_length` bound a
            batch.
    """

    def __init__(self, model: CausalModel) -> None:
        model.set_train(False)
        self.model = model
        self.max_length = model.config.seq_length
        self.batch_size = model.config.batch_size
        self._whole = LastLogits(model, one_token=False)
        if not model.use_past:  # with a cache, the model's steps are other graphs with the same inputs
            self._whole.graph_key = getattr(model, "graph_key", None)
        self._ids = np.zeros((0, self.max_length), np.int32)

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after each row of `ids` [b, s], right-padded, of `lengths` [b]."""
        # One shape for every step: one compilation.
        self._ids = np.zeros((len(ids), self.max_length), np.int32)
        self._ids[:, : ids.shape[1]] = ids
        return self._whole(Tensor(self._ids), Tensor(lengths, ms.int32)).asnumpy()

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after one more token per row: `ids` [b] at `positions` [b], from 0."""
        self._ids[np.arange(len(ids)), positions] = ids
        return self._whole(Tensor(self._ids), Tensor(positions + 1, ms.int32)).asnumpy()

    def copy_rows(self, sources: Mapping[int, int], start: int, stop: int) -> None:
        """Gives rows the tokens of others at positions `start` … `stop` - 1; see `CopyingDecoder`."""
        self._ids[list(sources), start:stop] = self._ids[list(sources.values()), start:stop]
