"""Embeds sequences in batches of similar length."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.embed.sequences import EmbeddingSettings
from scimind.errors import SciMindError
from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.loop import pad_prompts
from scimind.runtime.console import Console


class Embedder:
    """Computes vectors with a model in memory.

    Args:
        model: A SciMindForCausalLM, built without `use_past` or on a CPU.
        settings: What is embedded, and how.

    Raises:
        SciMindError: The model does not have the layer, or keeps a cache.
    """

    def __init__(self, model: Any, settings: EmbeddingSettings) -> None:
        from scimind.embed.network import PooledStates, layer_number

        if model.config.use_past:
            raise SciMindError("use_past (True) leaves no hidden states; set model.model_config.use_past to False")
        model.set_train(False)
        self.size = int(model.config.hidden_size)
        self.max_length = int(model.config.seq_length)
        self._settings = settings
        self._network = PooledStates(model, layer_number(settings.layer, int(model.config.num_layers)))

    def embed(self, ids: Sequence[Sequence[int]], console: Console | None = None) -> NDArray[np.float32]:
        """Returns a vector for each sequence, float32 [n, d], in the given order.

        Args:
            ids: Token ids of each sequence, BOS first, at most `max_length`.
            console: Shows progress.

        Raises:
            SciMindError: The model's hidden states are not finite.
        """
        vectors = np.zeros((len(ids), self.size), np.float32)
        size = self._settings.batch_size
        rows = bucket_for(min(max(len(ids), 1), size), batch_buckets(size))
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        bar = (console or Console(sys.stderr, silent=True)).progress(len(ids), "embed", unit="sequence", every=10_000)
        with bar as progress:
            for start in range(0, len(order), rows):
                chosen = order[start : start + rows]
                vectors[chosen] = self._embed_batch([ids[index] for index in chosen], rows)
                progress.advance(len(chosen), with_time=True)
        if not np.isfinite(vectors).all():
            raise SciMindError("the model's hidden states are not finite numbers; check its weights")
        return vectors

    def _embed_batch(self, batch: Sequence[Sequence[int]], rows: int) -> NDArray[np.float32]:
        """Returns the vectors of one batch [n, d], padded to `rows` for the network."""
        from mindspore import Tensor

        padded, lengths = pad_prompts(batch, rows, length_buckets(self.max_length))
        weights = np.zeros((rows, 1, padded.shape[1]), np.float32)
        for row, length in enumerate(lengths):
            if self._settings.pooling == "last":
                weights[row, 0, length - 1] = 1
            else:  # without BOS, unless there is nothing else
                first = min(1, length - 1)
                weights[row, 0, first:length] = 1 / (length - first)
        return self._network(Tensor(padded), Tensor(weights)).asnumpy()[: len(batch)]
