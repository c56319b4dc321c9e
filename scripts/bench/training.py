"""Training steps: the model, optimizer and clipping of `scimind finetune`, against transformers on PyTorch.

Before anything is timed, the losses of three steps are compared, and AdamW's first moment after the first one, which is
the clipped gradient of each weight times 1 − β₁.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
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
from scimind.checkpoint.convert.weight_names import expected_shapes, hugging_face_names
from scimind.config.sections.model import PACKING_FIELDS, ROUTING_FIELDS

BATCH_SIZE = 16
_CHECKED_STEPS = 3
_FIRST_MOMENT = "adam_m."  # MindFormers' prefix


def pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields a dense and a routed step against PyTorch's dense one."""
    given, details = _given(smoke)
    torch = Side("PyTorch, dense", TorchTraining, given, "torch")
    yield Pair("training step, dense", _side(given, DENSE), torch, 1.0, details={**details, "routing": DENSE})
    routed = _side(given, ROUTED)
    reference = Side("PyTorch, routed by masks", TorchTraining, {**given, "routing": ROUTED}, "torch")
    checked = routed, reference
    yield Pair("training step, routed", routed, torch, 1.3, checked=checked, details={**details, "routing": ROUTED})


def mindformers_pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields a routed step against a step of MindFormers' dense Llama, in time and memory."""
    given, details = _given(smoke)
    mindformers = _side(given, None)
    yield Pair(
        "training step, routed",
        _side(given, ROUTED),
        mindformers,
        memory_at_least=3.0,
        checked=(_side(given, DENSE), mindformers),
        details={**details, "routing": ROUTED},
    )


def _given(smoke: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the arguments of all sides, and the sizes for the record."""
    sizes, batch_size = (SMOKE, 2) if smoke else (SIZES, BATCH_SIZE)
    return {"sizes": sizes, "batch_size": batch_size}, {**sizes.to_model_config(), "batch_size": batch_size}


def _side(given: Mapping[str, Any], routing: Mapping[str, Any] | None) -> Side:
    """Returns our step with a routing; with None, the same step on MindFormers' dense Llama."""
    kind = "MindFormers, dense" if routing is None else "SciMind, dense" if routing is DENSE else "SciMind, routed"
    return Side(kind, SciMindTraining, {**given, "routing": routing})


class SciMindTraining(Work):
    """The step that `scimind finetune` repeats, without its data set.

    Args:
        sizes: The model's sizes.
        batch_size: Number of rows per step.
        routing: Routing settings; None builds MindFormers' own dense Llama with the same step and optimizer.
        cache_dir: Where compiled graphs are kept; if empty, they are not kept.
        weights: Returns the model's weights for its sizes; None keeps the model's random ones.
    """

    def __init__(
        self,
        sizes: ModelSizes,
        batch_size: int,
        routing: Mapping[str, Any] | None,
        cache_dir: str = "",
        weights: Callable[[ModelSizes], Mapping[str, np.ndarray]] | None = random_weights,
    ) -> None:
        if cache_dir:
            os.environ.pop("MS_COMPILER_CACHE_ENABLE", None)
            os.environ["SCIMIND_CACHE_DIR"] = cache_dir
        import mindspore as ms
        from mindformers.core import build_lr, build_optim
        from mindformers.trainer.optimizer_grouped_parameters import get_optimizer_grouped_parameters
        from mindformers.wrapper import build_wrapper

        import scimind.train.session  # noqa: F401  # registers with MindFormers what training needs
        from scimind.model.loading import build_model, start
        from scimind.runtime.graph_cache import graph_key
        from scimind.train.settings import read_settings, trainer_tree

        settings = read_settings(run_config(sizes, routing or DENSE, batch_size), is_training=False, needs_data=False)
        tree = trainer_tree(settings)
        if routing is None:
            own = ROUTING_FIELDS | PACKING_FIELDS
            model = {key: value for key, value in tree["model"]["model_config"].items() if key not in own}
            tree["model"] = {"model_config": {**model, "type": "LlamaConfig"}, "arch": {"type": "LlamaForCausalLM"}}
            tree["optimizer"]["type"] = "AdamW"
        key = graph_key(tree)  # before `start`, which adds objects to the tree
        config = start(tree, settings.seed)
        network = build_model(config, None, {})
        network.graph_key = key
        if weights is not None:
            load_weights(network, weights(sizes))
        rate = build_lr(config.lr_schedule)
        groups = get_optimizer_grouped_parameters(network, config.optimizer.weight_decay, rate, config.optimizer.type)
        optimizer = build_optim(config.optimizer, default_args={"params": groups, "learning_rate": rate})
        self.moments = {parameter.name: parameter for parameter in optimizer.get_parameters()}
        self.step = build_wrapper(config.runner_wrapper, default_args={"network": network, "optimizer": optimizer})
        self.step.set_train(True)
        self.names = list(expected_shapes(sizes))
        self.ids = ms.Tensor(token_rows(sizes, batch_size, sizes.seq_length + 1))

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the first losses and the first moments."""
        losses = [self._loss()]
        found = {name: self.moments[_FIRST_MOMENT + name].asnumpy().copy() for name in self.names}
        losses += [self._loss() for _ in range(_CHECKED_STEPS - 1)]
        return {**found, "losses": np.array(losses)}

    def run(self) -> None:
        """Performs one step and waits for its loss."""
        self._loss()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return mindspore_facts()

    def _loss(self) -> float:
        return float(self.step(self.ids, self.ids)[0].asnumpy())


class TorchTraining(Work):
    """The same step with transformers: AdamW and clip_grad_norm_ with the same settings.

    Args:
        sizes: The model's sizes.
        batch_size: Number of rows per step.
        routing: Routing settings whose inactive neurons are set to 0 before the last product; None leaves the layer
            dense. Only to compare: the work is still that of a dense layer.
    """

    def __init__(self, sizes: ModelSizes, batch_size: int, routing: Mapping[str, Any] | None = None) -> None:
        import torch

        config = run_config(sizes, DENSE, batch_size)
        optimizer = config["optimizer"]
        self.max_norm = config["runner_wrapper"]["max_grad_norm"]
        self.model = torch_llama(sizes).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            config["lr_schedule"]["learning_rate"],
            betas=tuple(optimizer["betas"]),
            eps=optimizer["eps"],
            weight_decay=optimizer["weight_decay"],
        )
        self.names = hugging_face_names(sizes.num_layers)
        ids = torch.from_numpy(token_rows(sizes, batch_size, sizes.seq_length + 1)).long()
        self.inputs, self.labels = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
        if routing is not None:
            mask = torch.from_numpy(active_neurons(sizes, routing)[self.inputs.numpy()]).float()  # [b, s, h]
            for layer in self.model.model.layers:
                layer.mlp.down_proj.register_forward_pre_hook(lambda module, inputs: (inputs[0] * mask,))

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the first losses and the first moments, under our names."""
        losses = [self._loss()]
        parameters = dict(self.model.named_parameters())
        found = {
            ours: self.optimizer.state[parameters[theirs]]["exp_avg"].numpy().copy()
            for theirs, ours in self.names.items()
        }
        losses += [self._loss() for _ in range(_CHECKED_STEPS - 1)]
        return {**found, "losses": np.array(losses)}

    def run(self) -> None:
        """Performs one step and waits for its loss."""
        self._loss()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return torch_facts()

    def _loss(self) -> float:
        import torch

        loss = self.model(input_ids=self.inputs, labels=self.labels, shift_labels=self.labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.detach())
