"""A model as a decoder with MindFormers' cache, PagedAttention, which is available on Ascend."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor

from scimind.config import facts
from scimind.errors import ConfigError
from scimind.generate.decoders.last_logits import LastLogits
from scimind.generate.decoders.protocols import CausalModel


class CachePlaces:
    """The places of a batch's keys and values in the blocks of PagedAttention: row i has blocks i·n … (i + 1)·n - 1.

    A fixed place for every row needs no bookkeeping from step to step. Not run on Ascend; modelled on MindFormers'
    BlockTables.

    Args:
        config: The model's configuration.

    Raises:
        ConfigError: `num_blocks` is too small for `batch_size` sequences of `seq_length`.
    """

    def __init__(self, config: Any) -> None:
        self.size = config.block_size
        self.blocks = facts.blocks_of_a_row(config.seq_length, config.block_size)
        needed = config.batch_size * self.blocks
        if ms.get_context("device_target") != "CPU" and config.num_blocks < needed:
            raise ConfigError(
                f"num_blocks ({config.num_blocks}) is too small for batch_size ({config.batch_size}) sequences of "
                f"seq_length ({config.seq_length}); set it to {needed}"
            )

    def tables(self, rows: int) -> np.ndarray:
        """Returns the blocks of each row, int32 [b, n]."""
        return np.arange(rows * self.blocks, dtype=np.int32).reshape(rows, self.blocks)

    def slots(self, positions: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Returns the slot of each token, int32 [b·s]; −1 for padding, which is not stored.

        Args:
            positions: Position of each token in its row [b, s].
            used: Whether it is a token rather than padding, bool [b, s].
        """
        first = np.arange(len(positions))[:, None] * self.blocks * self.size
        return np.where(used, first + positions, -1).astype(np.int32).reshape(-1)


class PagedDecoder:
    """Decodes with keys and values kept by PagedAttention, on Ascend; `use_past: True`.

    Args:
        model: A model built with `use_past=True`. Its `batch_size` and `seq_length` bound a batch.
    """

    def __init__(self, model: CausalModel) -> None:
        model.set_train(False)
        self.model = model
        self.max_length = model.config.seq_length
        self.batch_size = model.config.batch_size
        self._whole, self._one = LastLogits(model, one_token=False), LastLogits(model, one_token=True)
        self._places = CachePlaces(model.config)

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Empties the cache; returns logits [b, v] after each row of `ids` [b, s], right-padded, of `lengths` [b]."""
        self.model.add_flags_custom(is_first_iteration=True)
        positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        return self._run(self._whole, ids, lengths, positions, positions < lengths[:, None])

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after one more token per row: `ids` [b] at `positions` [b], from 0."""
        self.model.add_flags_custom(is_first_iteration=False)
        return self._run(self._one, ids[:, None], positions + 1, positions[:, None], np.array(True))

    def _run(
        self, cell: LastLogits, ids: np.ndarray, lengths: np.ndarray, positions: np.ndarray, used: np.ndarray
    ) -> np.ndarray:
        tables, slots = self._places.tables(len(ids)), self._places.slots(positions, used)
        return cell(Tensor(ids, ms.int32), Tensor(lengths, ms.int32), Tensor(tables), Tensor(slots)).asnumpy()
