"""The tokenizer that belongs to weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import SourceCheckpoint
from scimind.checkpoint.convert.vocabulary import ORIGINAL_PIECES
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens
from scimind.tokenizer.storage import SETTINGS_NAME

_FAST = "tokenizer.json"


def find_codec(source: SourceCheckpoint, options: ConvertOptions) -> tuple[TokenCodec | None, list[str]]:
    """Returns the tokenizer of the result, and how it was found; None if the result needs none.

    Raises:
        SciMindError: The tokenizer is missing, or it is not a SentencePiece model.
    """
    place = options.tokenizer or source.folder
    default = source.kind != "scimind-v0" if options.extension is None else options.extension
    if place.is_dir() and (place / SETTINGS_NAME).is_file():
        codec = TokenCodec.load(place)
        if options.extension is not None and options.extension != codec.extension:
            codec = TokenCodec(codec.model_file, extension=options.extension)
        return codec, [f"tokenizer: {place}"]
    if options.tokenizer is not None and not place.is_dir():
        if place.suffix == ".json" and place.is_file():
            raise SciMindError(_fault_of_fast(place))
        return TokenCodec(place, extension=default), [f"tokenizer: {place}"]
    if (place / "tokenizer.model").is_file():
        return TokenCodec(place / "tokenizer.model", extension=default), [f"tokenizer: {place / 'tokenizer.model'}"]
    complete = source.kind == "scimind-v0" and source.sizes.vocab_size == ORIGINAL_PIECES + len(added_tokens(False))
    if options.to == "hf" or source.kind == "scimind" or complete:
        return None, ["no tokenizer found next to the weights: none is written"]
    if (place / _FAST).is_file():
        raise SciMindError(_fault_of_fast(place / _FAST))
    raise SciMindError(
        f"{place}: has no tokenizer.model; give --tokenizer, a SentencePiece model or a SciMind tokenizer folder"
    )


def _fault_of_fast(file: Path) -> str:
    """Returns why a file of the tokenizers library cannot be used, and what to do."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kinds = set(_types(content))
    except (OSError, ValueError, RecursionError) as error:
        return f"{file}: cannot be read ({type(error).__name__}); give --tokenizer, a SentencePiece model"
    if "ByteLevel" in kinds:
        return (
            f"{file}: is a byte-level BPE tokenizer, as in Llama 3 and GPT-2; SciMind reads SentencePiece models only, "
            "as in Llama 2 (tokenizer.model), and another tokenizer does not fit these weights: convert a model with a "
            "SentencePiece tokenizer"
        )
    return (
        f"{file}: is the fast form of a tokenizer, which SciMind does not read; give --tokenizer, the SentencePiece "
        "model (tokenizer.model) that it was made from"
    )


def _types(value: Any) -> Iterator[str]:
    """Yields each `type` in a tokenizer's parts, except in its vocabulary."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for key, part in value.items():
            if key != "model":
                yield from _types(part)
    elif isinstance(value, list):
        for part in value:
            yield from _types(part)
