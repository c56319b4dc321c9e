"""Activations of a model on domain data: u of every neuron, layer by layer, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.config import RunConfig
from scimind.errors import ConfigError, DataError
from scimind.modality import modality_table
from scimind.runtime.console import Console
from scimind.train.feed.dataset_checks import check_records, find_records

_TOKENS_OF_A_BATCH = 4096


@dataclass(frozen=True)
class LayerActivations:
    """u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ) of one layer for the tokens of one batch; padding is left out.

    Args:
        layer: Number of the layer, from 0.
        u: float32 [t, h].
        modality: Each token's modality, int32 [t].
        inputs: x [t, d], the input of the layer's feed-forward.
        last: Whether this is the batch's last layer.
    """

    layer: int
    u: NDArray[np.float32]
    modality: NDArray[np.int32]
    inputs: NDArray[np.float32]
    last: bool


class ActivationReader:
    """Runs a model over MindRecord files and yields each layer's activations.

    The layers are called one after another, outside a graph, so that only one layer's activations exist at a time.

    Args:
        config: The run's configuration; `load_checkpoint` names the weights.
        data: MindRecord files or folders of them.
        max_tokens: Stops reading records at this number of tokens (input positions that are not padding).
        routed: Whether the layers' outputs follow the model's router. Otherwise all experts contribute, as in the
            dense model whose neurons are to be divided, and existing experts do not matter.
        seed: Determines which records are read.
        console: Shows the progress.

    Raises:
        SciMindError: The data or the weights do not fit the configuration.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Sequence[str | Path],
        *,
        max_tokens: int,
        routed: bool = False,
        seed: int = 0,
        console: Console | None = None,
    ) -> None:
        from scimind.checkpoint.description import complete_from_tokenizer
        from scimind.model.loading import load_model
        from scimind.train.feed.dataset_checks import check_preparation

        model = config.model_config
        if model["type"] != "SciMindConfig":
            raise ConfigError(f"model.model_config.type ({model['type']}) must be SciMindConfig to have modalities")
        self.seq_length, self.max_tokens = int(model["seq_length"]), max_tokens
        self.files = [file for path in data for file in find_records(path, "--data")]
        tree = config.to_dict()
        fingerprint = complete_from_tokenizer(tree)
        check_preparation(self.files, "--data", fingerprint, packed=bool(model.get("packed")))
        vocab_size = int(model["vocab_size"])
        records = check_records(self.files, "--data", seq_length=self.seq_length, vocab_size=vocab_size)
        self.records = np.random.default_rng(seed).permutation(records)
        tree["context"]["mode"] = 1  # one layer at a time, see above
        self.network = load_model(tree, console=console)
        self.num_layers, self.neurons = (
            int(model["num_layers"]),
            int(self.network.model.layers[0].feed_forward.hidden_dim),
        )
        self.modalities = modality_table(vocab_size, tree["model"]["model_config"].get("modality_ranges") or {})
        self._pad, self._routed, self._console = int(model.get("pad_token_id") or 0), routed, console

    def read(self, title: str) -> Iterator[LayerActivations]:
        """Yields the activations of each layer of each batch; every call yields the same.

        Args:
            title: The purpose of the pass, shown with the progress.
        """
        bar = nullcontext() if self._console is None else self._console.progress(self.max_tokens, title, unit="token")
        with bar as progress:
            tokens = 0
            for ids in self._batches():
                kept = ids != self._pad  # [b, s]
                # The last batch is cut so that exactly max_tokens tokens are read.
                kept &= (np.cumsum(kept) + tokens <= self.max_tokens).reshape(kept.shape)
                modality = self.modalities[ids[kept]]
                for layer, (x, u) in enumerate(self._run(ids)):
                    yield LayerActivations(layer, u[kept], modality, x[kept], last=layer == self.num_layers - 1)
                tokens += int(kept.sum())
                if progress is not None:
                    progress.advance(int(kept.sum()))
                if tokens >= self.max_tokens:
                    return
            if tokens == 0:
                raise DataError("--data holds nothing but padding; prepare it again", self.files[0])

    def _batches(self) -> Iterator[NDArray[np.int32]]:
        """Yields input ids [b, s] of the sampled records."""
        from mindspore.dataset import MindDataset, SubsetSampler

        size = max(1, _TOKENS_OF_A_BATCH // self.seq_length)
        names = [str(file) for file in self.files]
        most = self.max_tokens + 1  # a record has at least one token
        sampler = SubsetSampler([int(record) for record in self.records[:most]])
        data = MindDataset(names, columns_list=["input_ids"], sampler=sampler).batch(size)
        for (ids,) in data.create_tuple_iterator(num_epochs=1, output_numpy=True):
            yield ids[:, :-1].astype(np.int32)

    def _run(self, ids: NDArray[np.int32]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yields each layer's x [b, s, d] and u [b, s, h] as SciMindModel computes them."""
        import mindspore as ms

        model = self.network.model
        tokens = ms.Tensor(ids)
        freqs_cis, mask, plan = model.positions(*ids.shape), model.casual_mask(tokens), model.planner(tokens)
        h = model.cast(model.tok_embeddings(tokens), model.dtype)  # [b, s, d]
        for layer in model.layers:
            h = layer.attend(h, freqs_cis, mask, (None, None, None, None, None))
            x = layer.normalise(h)
            feed_forward = layer.feed_forward
            u = feed_forward.mul(feed_forward.w3(x), feed_forward.w1(x))  # [b, s, h]
            change = feed_forward(x, plan) if self._routed else feed_forward.w2(u)
            if self._routed and layer.has_balance:
                change = change[0]
            h = layer.add_residual(h, change)
            yield x.astype(ms.float32).asnumpy(), u.astype(ms.float32).asnumpy()
