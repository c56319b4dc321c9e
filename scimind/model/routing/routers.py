"""The routers by name: a new one is a class of its own module, and a line here and in `scimind.config.routing`."""

from __future__ import annotations

from collections.abc import Mapping

from scimind.config.routing import RoutingSettings
from scimind.model._mindformers import splits_tensors
from scimind.model.routing.activation import ActivationRouter
from scimind.model.routing.learned import LearnedRouter
from scimind.model.routing.modality import ModalityRouter
from scimind.model.routing.router import Router

ROUTERS: Mapping[str, type[Router]] = {
    "activation": ActivationRouter,
    "modality": ModalityRouter,
    "learned": LearnedRouter,
}


def chosen_dispatch(routing: RoutingSettings, kernels: str) -> str:
    """Returns "masked" or "grouped": what `dispatch: auto` means here.

    Grouped dispatch has shapes that depend on the tokens. MindSpore's CPU runs them; Ascend, and tensors that are split
    over devices, want static ones.

    Args:
        routing: The settings.
        kernels: "mindformers" or "cpu", see `scimind.model.kernels.chosen_kernels`.
    """
    if splits_tensors():
        return "masked"
    if routing.dispatch != "auto":
        return routing.dispatch
    return "grouped" if kernels == "cpu" and ROUTERS[routing.router].prefers_grouped else "masked"
