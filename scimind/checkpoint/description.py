"""The description of a checkpoint: everything that is needed to use its weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from scimind.checkpoint.finding import Checkpoint
from scimind.errors import CheckpointError, ConfigError
from scimind.runtime.run_folder import plain, versions

FORMAT = 1
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_layers",
    "num_heads",
    "n_kv_heads",
    "intermediate_size",
    "seq_length",
    "rms_norm_eps",
    "theta",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "tie_word_embeddings",
)
# The maximum sequence length and the special tokens' ids may change between uses; these keys change the outputs.
_COMPARED = (
    *("vocab_size", "hidden_size", "num_layers", "num_heads", "n_kv_heads", "intermediate_size"),
    *("rms_norm_eps", "theta", "tie_word_embeddings"),
)
_MOST_PADDING_ROWS = 1024


def describe_model(tree: Mapping[str, Any], fingerprint: str | None = None) -> dict[str, Any]:
    """Returns the content of `scimind.json` for a model.

    Args:
        tree: The configuration that the model is built from.
        fingerprint: The tokenizer's; None if unknown.

    Returns:
        Sizes, modality ranges, routing, tokenizer and versions, as JSON values.
    """
    model = tree["model"]["model_config"]
    described: dict[str, Any] = {
        "format": FORMAT,
        "vocab_size": model.get("vocab_size"),
        "modality_ranges": model.get("modality_ranges") or {},
        "routing": _routing(model),
        "model": {
            "arch": tree["model"]["arch"]["type"],
            "type": model.get("type"),
            **{key: model[key] for key in _SIZES if model.get(key) is not None},
        },
        "tokenizer_fingerprint": fingerprint,
        "versions": versions(),
    }
    return dict(plain(described))


def _routing(model: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a SciMind model's routing including all defaults; empty for other models."""
    if model.get("type") != "SciMindConfig":
        return {}
    from scimind.config.routing import RoutingSettings

    names = [entry.name for entry in fields(RoutingSettings)]
    given = {name: model[name] for name in names if model.get(name) is not None}
    routing = RoutingSettings.create(**given, vocab_size=model.get("vocab_size")).to_dict()
    return {name: value for name, value in routing.items() if name != "modality_ranges"}


def complete_from_tokenizer(tree: dict[str, Any]) -> str | None:
    """Fills in `modality_ranges` from the tokenizer, and checks that the vocabulary is the tokenizer's.

    Args:
        tree: A configuration; `model.model_config` is completed in place. Only a SciMind model's tokenizer is read.

    Returns:
        The tokenizer's fingerprint; None if the configuration names no tokenizer.

    Raises:
        ConfigError: The model's vocabulary or modality ranges differ from the tokenizer's.
    """
    tokenizer = (tree.get("processor") or {}).get("tokenizer")
    model = tree["model"]["model_config"]
    if not tokenizer or model.get("type") != "SciMindConfig":
        return None
    from scimind.modality import normalise_ranges
    from scimind.tokenizer import TokenCodec

    codec = TokenCodec(tokenizer.get("vocab_file"), extension=tokenizer.get("extension", True))
    rows = int(model["vocab_size"])
    if not codec.vocab_size <= rows <= codec.vocab_size + _MOST_PADDING_ROWS:
        raise ConfigError(
            f"model.model_config.vocab_size ({rows}) is not the tokenizer's ({codec.vocab_size}, padded "
            f"{codec.padded_vocab_size()}); set vocab_size to {codec.padded_vocab_size()} or give the model's "
            "processor.tokenizer.vocab_file"
        )
    ranges = {name: [list(pair) for pair in pairs] for name, pairs in normalise_ranges(codec.modality_ranges).items()}
    given = model.get("modality_ranges")
    if given and normalise_ranges(given) != normalise_ranges(ranges):
        raise ConfigError(f"model.model_config.modality_ranges ({given}) are not the tokenizer's ({ranges}); omit them")
    model["modality_ranges"] = ranges
    return str(codec.fingerprint())


def routing_differences(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> list[str]:
    """Returns how a checkpoint's routing differs from a model's, apart from how it is computed or trained.

    Args:
        checkpoint: The checkpoint; without a description there are no differences.
        expected: What `describe_model` returns for the model.
    """
    there, here = checkpoint.description.get("routing") or {}, expected.get("routing") or {}
    return [
        f"routing.{key} is {_as_json(there[key])}, the model's is {_as_json(here[key])}"
        for key in there
        if key not in ("dispatch", "balance_weight") and key in here and _as_json(there[key]) != _as_json(here[key])
    ]


def check_description(checkpoint: Checkpoint, expected: Mapping[str, Any], known_faults: Iterable[str] = ()) -> None:
    """Compares a checkpoint's description with a model, before the weights are read.

    Args:
        checkpoint: The checkpoint; one without a description passes.
        expected: What `describe_model` returns for the model.
        known_faults: Differences found earlier.

    Raises:
        CheckpointError: A size, a modality's ids or the tokenizer differs; the error lists all differences.
    """
    faults = list(known_faults)
    there, here = checkpoint.description.get("model", {}), expected.get("model", {})
    for key in _COMPARED:
        if key in there and key in here and there[key] != here[key]:
            faults.append(f"{key} is {there[key]}, the model's is {here[key]}")
    for key in ("modality_ranges", "tokenizer_fingerprint"):
        stated, wanted = checkpoint.description.get(key), expected.get(key)
        if stated and wanted and _as_json(stated) != _as_json(wanted):
            faults.append(f"{key} is {_as_json(stated)}, the model's is {_as_json(wanted)}")
    if faults:
        raise CheckpointError(
            f"{checkpoint.weights}: {'; '.join(faults)}; give the model_config and the tokenizer of the weights"
        )


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
