"""The interface of routers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype

from scimind.config.routing import RoutingSettings
from scimind.model.shared_cells import CellFactory


@dataclass(frozen=True)
class PlannerSettings:
    """The settings of a planner.

    Args:
        routing: The routing settings.
        vocab_size: v, rows of the embedding.
        dispatch: "masked" or "grouped".
        compute_dtype: Type of the model's products.
        data_parallel: Ways in which the batch is split.
        pad_token_id: Id of the padding token, which the load balance leaves out.
    """

    routing: RoutingSettings
    vocab_size: int
    dispatch: str
    compute_dtype: mstype
    data_parallel: int = 1
    pad_token_id: int = 0


@dataclass(frozen=True)
class RouterSettings:
    """The settings of a layer's router.

    Args:
        routing: The routing settings.
        dim: d.
        neurons: h.
        dispatch: "masked" or "grouped".
        kernels: "mindformers" or "cpu".
        cells: Factory of the cells that the model's layers share.
        parallel_config: MindFormers' parallel configuration.
        init_method_std: Standard deviation of a new parameter's initial values.
    """

    routing: RoutingSettings
    dim: int
    neurons: int
    dispatch: str
    kernels: str
    cells: CellFactory
    parallel_config: Any
    init_method_std: float = 0.01


class Router(Protocol):
    """Assigns the tokens of a layer to experts. An nn.Cell, made from `RouterSettings`, one per layer.

    A router has a plan: a dictionary with the fields of a TypedDict, made once per step from the token ids and passed
    to all layers. It is a dictionary because that is the only type with named fields that MindSpore's graph mode keeps
    in the graph: gradients through a NamedTuple or a dataclass are silently zero.
    """

    def __init__(self, settings: RouterSettings) -> None: ...

    @staticmethod
    def planner(settings: PlannerSettings) -> nn.Cell:
        """Returns the cell that makes the plan for tokens [b, s] or [t] int32."""
        ...

    def choose(self, x: Tensor, u: Tensor, plan: Any) -> Tensor:
        """Returns 1 or true where a token uses an expert [t, e]; arguments as in `weigh`."""
        ...

    def weigh(self, x: Tensor, u: Tensor, plan: Any) -> tuple[Tensor, Any]:
        """Returns each expert's weight [t, e], 0 where it is not active, and the load balance float32 [].

        The balance is None if the training loss has no term for it. Used by masked dispatch.

        Args:
            x: Input of the feed-forward [t, d].
            u: Activations of all neurons [t, e, f].
            plan: The step's plan.
        """
        ...

    def compute(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, plan: Any) -> tuple[Tensor, Any]:
        """Returns y [t, d], computed from active experts only, and the load balance as `weigh` does.

        Used by grouped dispatch.

        Args:
            x: Input of the feed-forward [t, d].
            w1: [h, d].
            w3: [h, d].
            w2: [d, h].
            plan: The step's plan.
        """
        ...
