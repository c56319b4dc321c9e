"""The routers by name: a new one is a class in its own module, plus a line here and in `scimind.config.routing`."""

from __future__ import annotations

from collections.abc import Mapping

from scimind.model.routing.activation import ActivationRouter
from scimind.model.routing.learned import LearnedRouter
from scimind.model.routing.modality import ModalityRouter
from scimind.model.routing.router import Router

ROUTERS: Mapping[str, type[Router]] = {
    "activation": ActivationRouter,
    "modality": ModalityRouter,
    "learned": LearnedRouter,
}
