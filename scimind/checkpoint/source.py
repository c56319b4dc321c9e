"""From the path of a model, whatever it is, to the configuration with which its weights are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from scimind.checkpoint.convert.configurations import PREDICT, configuration_texts
from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.checkpoint.finding import Checkpoint, find_checkpoint
from scimind.config import RunConfig, load_config
from scimind.config.canonical import keep_answers_cache, move_to_one_place
from scimind.config.reading import apply_overrides, read_yaml
from scimind.config.shipped import configuration_names
from scimind.errors import CheckpointError, ConfigError
from scimind.tokenizer import TokenCodec

_RESOLVED = "resolved_config.yaml"
_YAML = (".yaml", ".yml")
# A single process uses the model, however it was trained, and nothing is resumed.
_FOR_USE = ("run_mode=predict", "use_parallel=False", "resume_training=False")


def configuration_of(source: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Returns the configuration with which a model answers prompts; `load_checkpoint` in it names the weights.

    Args:
        source: A run's output folder, a checkpoint's folder, a folder of `scimind convert`, a file of weights, a YAML
            file, or the name of a shipped configuration. Folders may have been moved: the configuration is looked for
            next to the weights and in the run's folder around them, and made from `scimind.json` if there is none.
        overrides: `a.b=value`, see `load_config`.

    Raises:
        ConfigError: There is no such file, folder or configuration, or its settings are wrong.
        CheckpointError: The folder has no weights, or nothing says what model they belong to.
    """
    path = Path(source).expanduser()
    is_configuration = path.suffix in _YAML or (not path.exists() and str(source) in configuration_names())
    if is_configuration and (path.is_file() or not path.exists()):
        return load_config(path if path.is_file() else source, [*_FOR_USE, *overrides])
    if not path.exists():
        names = ", ".join(configuration_names())
        raise ConfigError(
            f"{source}: no such file, folder or shipped configuration; give a run's output folder, a checkpoint, a "
            f"YAML file or one of {names}"
        )
    checkpoint = find_checkpoint(path)
    chosen = [*_FOR_USE, f"load_checkpoint={yaml.safe_dump(str(checkpoint.weights.resolve()), width=10**6).strip()}"]
    for folder in _folders_of(checkpoint.weights.resolve()):
        if (folder / PREDICT).is_file():
            return load_config(folder / PREDICT, [*chosen, *overrides])
        if (folder / _RESOLVED).is_file():
            return _trained(folder / _RESOLVED, [*chosen, *overrides])
    return _described(checkpoint, [*chosen, *overrides])


def _folders_of(weights: Path) -> Iterator[Path]:
    """Yields the folders that may hold the configuration of a file of weights: its own, then the run's around it."""
    yield weights.parent
    for folder in weights.parents[1:3]:
        if folder.name == "checkpoint":
            yield folder
            yield folder.parent


def _trained(file: Path, overrides: Sequence[str]) -> RunConfig:
    """Returns the settings of a training for answering prompts."""
    tree = read_yaml(file)
    move_to_one_place(tree)
    # Filled in for the training; of no use, or out of range, for answers.
    for section, name in ((tree.get("generation"), "max_new_tokens"), (_model_config(tree), "batch_size")):
        if isinstance(section, dict):
            section.pop(name, None)
    apply_overrides(tree, overrides)
    move_to_one_place(tree, second_wins=True)
    keep_answers_cache(tree)
    return RunConfig(tree, file)


def _model_config(tree: Mapping[str, Any]) -> Any:
    model = tree.get("model")
    return model.get("model_config") if isinstance(model, dict) else None


def _described(checkpoint: Checkpoint, overrides: Sequence[str]) -> RunConfig:
    """Returns the configuration of weights of which only `scimind.json` is known.

    Raises:
        CheckpointError: There is no such file, it lacks a size, or the tokenizer is not the shipped one.
    """
    found = checkpoint.description
    sizes = {name: value for name, value in (found.get("model") or {}).items() if name in _SIZES and value is not None}
    sizes.setdefault("n_kv_heads", sizes.get("num_heads"))
    codec = TokenCodec()
    try:
        text = configuration_texts(ModelSizes(**sizes), found, codec, "float32")[PREDICT]
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{checkpoint.weights}: nothing next to it says what model it is; give a folder with {_RESOLVED}, "
            f"{PREDICT} or scimind.json, or a YAML file whose load_checkpoint names these weights"
        ) from error
    if found.get("tokenizer_fingerprint") not in (None, codec.fingerprint()):
        raise CheckpointError(
            f"{checkpoint.weights}: its tokenizer is not the shipped one; give a YAML file whose "
            "processor.tokenizer.vocab_file names it"
        )
    tree = yaml.safe_load(text)
    tree["processor"]["tokenizer"].pop("vocab_file")
    apply_overrides(tree, overrides)
    return RunConfig(tree, checkpoint.weights.parent)


_SIZES = {field.name for field in fields(ModelSizes)}
