"""SciMindForCausalLM as a decoder: next-token logits for a batch of rows, with a cache and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.errors import ConfigError
from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.settings import GenerationSettings
from scimind.model import SciMindForCausalLM
from scimind.model._mindformers import runs_on_cpu
from scimind.runtime.console import Console
from scimind.runtime.graph_cache import KeptGraph


class _LastLogits(KeptGraph, nn.Cell):
    """Returns float32 logits [b, v] after the last token of each row.

    Args:
        model: The model.
        one_token: Whether rows hold one token each (a cached step) and not whole sequences.
    """

    def __init__(self, model: SciMindForCausalLM, *, one_token: bool) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.lm_head = model.model, model.lm_head
        self.one_token = one_token
        self.hidden_size = model.config.hidden_size
        self.gather = P.Gather()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(
        self, ids: Tensor, lengths: Tensor, block_tables: Tensor = None, slot_mapping: Tensor = None
    ) -> Tensor:
        """Returns logits for ids [b, s] and lengths [b], which count cached tokens too; the rest see `CachePlaces`."""
        b, s = ids.shape
        h = self.model(ids, None, lengths, None, None, block_tables, slot_mapping)
        h = self.reshape(h, (b * s, self.hidden_size))  # [b, s, d] -> [t, d]
        if not self.one_token:
            h = self.gather(h, ms.ops.arange(0, b * s, s, dtype=ms.int32) + lengths - 1, 0)  # [t, d] -> [b, d]
        return self.cast(self.lm_head(h), ms.float32)


class CachePlaces:
    """Where a batch's keys and values stand in the blocks of PagedAttention: row i has blocks i·n … (i + 1)·n.

    A fixed place for every row needs no bookkeeping from step to step. Not run on Ascend; written after MindFormers'
    BlockTables.

    Args:
        config: The model's configuration.

    Raises:
        ConfigError: `num_blocks` is too small for `batch_size` sequences of `seq_length`.
    """

    def __init__(self, config: Any) -> None:
        self.size = config.block_size
        self.blocks = blocks_of_a_row(config.seq_length, config.block_size)
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
            used: Whether it is a token and not padding, bool [b, s].
        """
        first = np.arange(len(positions))[:, None] * self.blocks * self.size
        return np.where(used, first + positions, -1).astype(np.int32).reshape(-1)


def blocks_of_a_row(seq_length: int, block_size: int) -> int:
    """Returns how many blocks of PagedAttention hold one sequence."""
    return -(-seq_length // block_size)


class PagedDecoder:
    """Decodes with keys and values kept by PagedAttention, which Ascend has; `use_past: True`.

    Args:
        model: A model built with `use_past=True`. Its `batch_size` and `seq_length` bound a batch.
    """

    def __init__(self, model: SciMindForCausalLM) -> None:
        model.set_train(False)
        self.model = model
        self.max_length = model.config.seq_length
        self.batch_size = model.config.batch_size
        self._whole, self._one = _LastLogits(model, one_token=False), _LastLogits(model, one_token=True)
        self._places = CachePlaces(model.config)

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after each row of `ids` [b, s], right-padded, of `lengths` [b]; empties the cache."""
        self.model.add_flags_custom(is_first_iteration=True)
        positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        return self._run(self._whole, ids, lengths, positions, positions < lengths[:, None])

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after one more token a row: `ids` [b] at `positions` [b], from 0."""
        self.model.add_flags_custom(is_first_iteration=False)
        return self._run(self._one, ids[:, None], positions + 1, positions[:, None], np.array(True))

    def _run(
        self, cell: _LastLogits, ids: np.ndarray, lengths: np.ndarray, positions: np.ndarray, used: np.ndarray
    ) -> np.ndarray:
        tables, slots = self._places.tables(len(ids)), self._places.slots(positions, used)
        return cell(Tensor(ids, ms.int32), Tensor(lengths, ms.int32), Tensor(tables), Tensor(slots)).asnumpy()


class FullDecoder:
    """Decodes by computing the whole sequence at every step; `use_past: False`. The reference for the others.

    Args:
        model: A model built with `use_past=False`, or any on a CPU. Its `batch_size` and `seq_length` bound a batch.
    """

    def __init__(self, model: SciMindForCausalLM) -> None:
        model.set_train(False)
        self.model = model
        self.max_length = model.config.seq_length
        self.batch_size = model.config.batch_size
        self._whole = _LastLogits(model, one_token=False)
        if not model.use_past:  # the model's own steps are other graphs of the same inputs
            self._whole.graph_key = getattr(model, "graph_key", None)
        self._ids = np.zeros((0, self.max_length), np.int32)

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after each row of `ids` [b, s], right-padded, of `lengths` [b]."""
        # One shape for every step: one compilation.
        self._ids = np.zeros((len(ids), self.max_length), np.int32)
        self._ids[:, : ids.shape[1]] = ids
        return self._whole(Tensor(self._ids), Tensor(lengths, ms.int32)).asnumpy()

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns logits [b, v] after one more token a row: `ids` [b] at `positions` [b], from 0."""
        self._ids[np.arange(len(ids)), positions] = ids
        return self._whole(Tensor(self._ids), Tensor(positions + 1, ms.int32)).asnumpy()


def decoder_of(model: SciMindForCausalLM) -> CachedDecoder | PagedDecoder | FullDecoder:
    """Returns the decoder for a model in memory: with a cache on a CPU, and where the model was built with `use_past`.

    On a CPU it stays with the model, so that its graphs serve every later call.
    """
    if runs_on_cpu():
        if not hasattr(model, "cached_decoder"):
            model.cached_decoder = CachedDecoder(model)
        return model.cached_decoder
    return PagedDecoder(model) if model.use_past else FullDecoder(model)


def load_decoder(
    config: Mapping[str, Any], settings: GenerationSettings, console: Console | None = None
) -> CachedDecoder | PagedDecoder | FullDecoder:
    """Returns the decoder that a configuration describes, with its weights loaded.

    Args:
        config: A run's configuration; `model_config.use_past` chooses the decoder, `load_checkpoint` names the weights.
        settings: How to generate; its `batch_size` is the model's.
        console: Is told what was built.

    Raises:
        SciMindError: A mistake in the configuration, or weights that are not this model's.
    """
    from scimind.train.network import load_model

    use_past = bool(config["model"]["model_config"].get("use_past", False))
    model = load_model(config, use_past=use_past, batch_size=settings.batch_size, console=console)
    return decoder_of(model) if use_past else FullDecoder(model)
