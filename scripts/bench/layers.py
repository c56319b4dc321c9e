"""The kinds of feed-forward layers that are compared. Loads MindSpore: import it only in the processes of sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindformers.models.llama.llama_layer import LlamaFeedForward
from mindformers.modules.transformer import TransformerOpParallelConfig
from mindspore import Tensor, nn, ops

from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.config.facts import chosen_dispatch
from scimind.config.routing import RoutingSettings
from scimind.modality import modality_table
from scimind.model.feed_forward import RoutedFeedForward
from scimind.model.routing.router import PlannerSettings
from scimind.model.routing.routers import ROUTERS


def build_layer(kind: str, sizes: ModelSizes, routing: Mapping[str, Any], active: np.ndarray | None) -> nn.Cell:
    """Returns a cell of (x [1, t, d], plan); its parameters are w1, w2 and w3 of `feed_forward`.

    Its `plan` computes from the tokens [1, t] what all layers of a step need to know about them.

    Args:
        kind: "routed", "dense", "reference" or "original".
        sizes: d, h and the vocabulary.
        routing: Routing settings with modality ranges.
        active: The neurons that each token uses, bool [t, h]; only for the reference.
    """
    settings = RoutingSettings.create(**routing, vocab_size=sizes.vocab_size, intermediate_size=sizes.intermediate_size)
    given = {
        "dim": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "hidden_dim": 4 * sizes.hidden_size,
        "compute_dtype": ms.float32,
        "param_init_type": ms.float32,
    }
    if kind == "routed":
        return Routed(settings, sizes.vocab_size, given)
    dense = LlamaFeedForward(**given)
    if kind == "dense":
        return Masked(dense, None)
    if kind == "reference":
        assert active is not None
        return Masked(dense, Tensor(active.astype(np.float32)))
    return Original(dense, settings, sizes.vocab_size)


class Gradient(nn.Cell):
    """A layer's output, and the gradients of its input and of its parameters in order."""

    def __init__(self, layer: nn.Cell, parameters: list[Any]) -> None:
        super().__init__(auto_prefix=False)
        self.layer, self.parameters = layer, ms.ParameterTuple(parameters)
        self.gradient = ops.GradOperation(get_all=True, get_by_list=True, sens_param=True)

    def plan(self, tokens: Tensor) -> Any:
        """Returns the layer's plan."""
        return self.layer.plan(tokens)

    def construct(self, x: Tensor, plan: Any, change: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Returns y and the gradients of x [1, t, d] and of the parameters, given that of y [1, t, d]."""
        y = self.layer(x, plan)
        of_inputs, of_parameters = self.gradient(self.layer, self.parameters)(x, plan, change)
        return y, of_inputs[0], of_parameters


class Once(nn.Cell):
    """A layer, or its gradient, with its plan.

    Args:
        layer: The layer or its gradient.
    """

    def __init__(self, layer: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.layer = layer

    def construct(self, tokens: Tensor, x: Tensor, *more: Tensor) -> Any:
        """Returns the layer's result for tokens [1, t], x [1, t, d] and, for a gradient, its further argument."""
        return self.layer(x, self.layer.plan(tokens), *more)


class Repeated(nn.Cell):
    """The layer several times in a row in one graph; the plan is computed once, as for the layers of a step.

    MindSpore runs a small graph in the calling thread, which then waits busily for the kernels' threads: on few cores
    it takes one of their cores in some calls and not in others. A graph with a loop runs in those threads, like the
    graph of a network. The content of a loop is computed each time.

    Args:
        layer: The layer or its gradient.
    """

    def __init__(self, layer: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.layer = layer
        self.depend = ops.Depend()

    def construct(self, times: Tensor, tokens: Tensor, x: Tensor, *more: Tensor) -> Tensor:
        """Returns the number of computations, int32 [1], which is `times` [1]; for the other arguments see `Once`."""
        plan = self.layer.plan(tokens)
        done = times * 0
        while done < times:
            done = done + self.depend(1, self.layer(x, plan, *more))
        return done


class Routed(nn.Cell):
    """SciMind's routed layer."""

    def __init__(self, settings: RoutingSettings, vocab_size: int, given: Mapping[str, Any]) -> None:
        super().__init__()
        dispatch = chosen_dispatch(settings.dispatch, settings.router, "cpu", splits=False)
        self.planner = ROUTERS[settings.router].planner(PlannerSettings(settings, vocab_size, dispatch, ms.float32))
        self.feed_forward = RoutedFeedForward(
            routing=settings, dispatch=dispatch, kernels="cpu", parallel_config=TransformerOpParallelConfig(), **given
        )

    def plan(self, tokens: Tensor) -> Any:
        """Returns the routing plan."""
        return self.planner(tokens)

    def construct(self, x: Tensor, plan: Any) -> Tensor:
        """Returns y [1, t, d]."""
        return self.feed_forward(x, plan)


class Masked(nn.Cell):
    """MindFormers' dense layer, unchanged or with a mask of neurons that is known in advance."""

    def __init__(self, dense: nn.Cell, mask: Tensor | None) -> None:
        super().__init__()
        self.feed_forward, self.mask = dense, mask

    def plan(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Returns an empty plan."""
        return ()

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [1, t, d]."""
        if self.mask is None:
            return self.feed_forward(x)
        dense = self.feed_forward
        return dense.w2(dense.w1(x) * dense.w3(x) * self.mask)


class Original(nn.Cell):
    """The original's algorithm: scores by a product, the best experts for each k, and gathered masks that are summed.

    The top-k of each modality is computed for every token; a product at the end selects the one that counts.
    """

    def __init__(self, dense: nn.Cell, settings: RoutingSettings, vocab_size: int) -> None:
        super().__init__()
        self.feed_forward = dense
        experts = np.eye(settings.num_experts, dtype=np.float32)
        self.patterns = Tensor(np.repeat(experts, dense.hidden_dim // settings.num_experts, axis=1))  # [e, h]
        self.counts = (settings.experts_per_token["text"], settings.experts_per_token["smiles"])
        is_text = modality_table(vocab_size, settings.modality_ranges) == 0
        self.is_text = Tensor(is_text.astype(np.float32)[:, None])  # [v, 1]
        self.scores = ops.MatMul(transpose_b=True)
        self.best = ops.TopK(sorted=True)
        self.gather = ops.Gather()
        self.sum = ops.ReduceSum()

    def plan(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Returns which tokens are text [t, 1]."""
        return (self.gather(self.is_text, tokens.reshape(-1), 0),)

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [1, t, d]."""
        dense, text = self.feed_forward, plan[0]
        u = dense.w1(x) * dense.w3(x)  # [1, t, h]
        score = self.scores(u.reshape(-1, u.shape[-1]), self.patterns)  # [t, e]
        mask = self.mask_of(score, self.counts[0]) * text + self.mask_of(score, self.counts[1]) * (1.0 - text)
        return dense.w2(u * mask)

    def mask_of(self, score: Tensor, count: int) -> Tensor:
        """Returns the neurons [t, h] of each token's `count` best experts, from scores [t, e]."""
        chosen = self.best(score, count)[1]  # [t, k]
        return self.sum(self.gather(self.patterns, chosen, 0), 1)  # [t, k, h] -> [t, h]
