"""Which decoder a model in memory gets."""

from __future__ import annotations

from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.decoders.paged import PagedDecoder
from scimind.generate.decoders.protocols import CausalModel
from scimind.model._mindformers import runs_on_cpu


def decoder_of(model: CausalModel) -> CachedDecoder | PagedDecoder | FullDecoder:
    """Returns the decoder for a model in memory: with a cache on a CPU or if the model was built with `use_past`.

    On a CPU the decoder is stored on the model, so that its graphs serve every later call.
    """
    if runs_on_cpu():
        if not hasattr(model, "cached_decoder"):
            model.cached_decoder = CachedDecoder(model)
        return model.cached_decoder
    return PagedDecoder(model) if model.use_past else FullDecoder(model)
