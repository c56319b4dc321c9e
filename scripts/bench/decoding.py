"""Greedy decoding: `scimind.generate` with a cache, against transformers' `generate` and against no cache.

Before anything is timed, all generated tokens are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from llama import (
    DENSE,
    ROUTED,
    SIZES,
    SMOKE,
    active_neurons,
    load_weights,
    mindspore_facts,
    random_weights,
    run_config,
    token_rows,
    torch_facts,
    torch_llama,
)
from pairs import Pair
from worker import Side, Work

from scimind.checkpoint.convert.sizes import ModelSizes

PROMPT, ANSWER = 64, 128


def pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields decoding of one and of sixteen rows, dense and routed, against transformers' dense model."""
    for rows, at_least in ((1, 1.5), (2 if smoke else 16, 1.2)):
        given, details = _given(smoke, rows)
        work = f"decoding, batch {rows}"
        torch = Side("PyTorch, dense", TorchDecoding, given, "torch")
        ours = Side("SciMind, dense", SciMindDecoding, {**given, "routing": DENSE})
        yield Pair(work, ours, torch, at_least, details={**details, "routing": DENSE})
        for answers, only_smiles in (("", False), (", molecules", True)):
            plain = {**given, "only_smiles": only_smiles}
            routing = {**plain, "routing": ROUTED}
            torch = Side("PyTorch, dense", TorchDecoding, plain, "torch")
            routed = Side("SciMind, routed", SciMindDecoding, routing)
            checked = routed, Side("PyTorch, routed by masks", TorchDecoding, routing, "torch")
            yield Pair(work + answers, routed, torch, checked=checked, details={**details, "routing": ROUTED})


def cache_pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields decoding of one and of four rows with a cache against the same without a cache."""
    for rows in (1, 2 if smoke else 4):
        given, details = _given(smoke, rows)
        given |= {"routing": DENSE}
        ours = Side("SciMind, with cache", SciMindDecoding, given)
        theirs = Side("SciMind, without cache", SciMindDecoding, {**given, "use_past": False})
        yield Pair(f"decoding, batch {rows}", ours, theirs, 10.0, details={**details, "routing": DENSE})


def _given(smoke: bool, rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the arguments of all sides, and the sizes for the record."""
    prompt, answer = (4, 6) if smoke else (PROMPT, ANSWER)
    sizes = replace(SMOKE if smoke else SIZES, seq_length=prompt + answer)
    details = {**sizes.to_model_config(), "batch_size": rows, "prompt": prompt, "answer": answer}
    return {"sizes": sizes, "rows": rows, "prompt": prompt}, details


class SciMindDecoding(Work):
    """Answers of `scimind.generate`, which end only at their full length.

    Args:
        sizes: The model's sizes; `seq_length` is the length of prompt and answer together.
        rows: Number of prompts in the batch.
        prompt: Number of tokens of each prompt.
        routing: Routing settings.
        use_past: Whether keys and values are kept.
        only_smiles: Whether answers are molecules.
    """

    def __init__(
        self,
        sizes: ModelSizes,
        rows: int,
        prompt: int,
        routing: Mapping[str, Any],
        use_past: bool = True,
        only_smiles: bool = False,
    ) -> None:
        from scimind.generate.decoders.choosing import decoder_of
        from scimind.generate.decoders.full import FullDecoder
        from scimind.generate.settings import GenerationSettings
        from scimind.model.loading import load_model

        model = load_model(run_config(sizes, routing, rows), use_past=use_past, batch_size=rows)
        load_weights(model, random_weights(sizes, only_smiles=only_smiles))
        self.decoder = decoder_of(model) if use_past else FullDecoder(model)
        self.prompts = token_rows(sizes, rows, prompt).tolist()
        self.settings = GenerationSettings(max_new_tokens=sizes.seq_length - prompt, batch_size=rows)
        self.vocab_size = sizes.vocab_size

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the answers' tokens [b, answer]."""
        return {"tokens": np.array(self._answers(), np.int64)}

    def run(self) -> None:
        """Answers the batch once."""
        self._answers()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return mindspore_facts()

    def _answers(self) -> list[list[int]]:
        from scimind.generate.loop import generate_batch

        answers = generate_batch(self.decoder, self.prompts, self.settings, eos_id=-1, vocab_size=self.vocab_size)
        return [answer.ids for answer in answers]


class TorchDecoding(Work):
    """Answers of transformers' `generate` with its default cache, which end only at their full length.

    Args:
        sizes: The model's sizes; `seq_length` is the length of prompt and answer together.
        rows: Number of prompts in the batch.
        prompt: Number of tokens of each prompt.
        routing: Routing settings whose inactive neurons are set to 0, only to compare; None leaves the layers dense.
        only_smiles: Whether answers are molecules.
    """

    def __init__(
        self,
        sizes: ModelSizes,
        rows: int,
        prompt: int,
        routing: Mapping[str, Any] | None = None,
        only_smiles: bool = False,
    ) -> None:
        import torch

        self.model = torch_llama(sizes, only_smiles=only_smiles).eval()
        self.ids = torch.from_numpy(token_rows(sizes, rows, prompt)).long()
        self.length = sizes.seq_length - prompt
        if routing is not None:
            table = torch.from_numpy(active_neurons(sizes, routing)).float()  # [v, h]
            inputs: list[Any] = []
            self.model.model.embed_tokens.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
            for layer in self.model.model.layers:
                layer.mlp.down_proj.register_forward_pre_hook(lambda module, given: (given[0] * table[inputs[-1]],))

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the answers' tokens [b, answer]."""
        return {"tokens": self._answers().numpy()}

    def run(self) -> None:
        """Answers the batch once."""
        self._answers()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return torch_facts()

    def _answers(self) -> Any:
        import torch

        with torch.inference_mode():
            whole = self.model.generate(
                self.ids,
                attention_mask=torch.ones_like(self.ids),
                max_new_tokens=self.length,
                min_new_tokens=self.length,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
        return whole[:, self.ids.shape[1] :]
