"""Options of the commands that run a model, under MindFormers' names, and the settings that they stand for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scimind.config.sections.device import DEVICES
from scimind.config.shipped import data_file
from scimind.data.tasks.registry import TASKS


def _boolean(text: str) -> bool:
    """Returns True or False for these words in any case."""
    lower = text.lower()
    if lower in ("true", "false"):
        return lower == "true"
    raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")


def _boolean_or_text(text: str) -> bool | str:
    """Returns a boolean where the text is one, else the text."""
    return _boolean(text) if text.lower() in ("true", "false") else text


@dataclass(frozen=True)
class _Option:
    """One option and the setting that it overrides."""

    flags: tuple[str, ...]
    setting: str
    kind: Any
    help: str
    choices: tuple[str, ...] | None = None


_COMMON = (
    _Option(("--load_checkpoint",), "load_checkpoint", str, "weights to start from"),
    _Option(("--output_dir",), "output_dir", str, "folder for all that the run writes"),
    _Option(("--seed",), "seed", int, "seed of the run"),
    _Option(("--mode",), "context.mode", int, "0 graph, 1 pynative"),
    _Option(("--device_target",), "context.device_target", str, "device to run on", DEVICES),
    _Option(("--device_id",), "context.device_id", int, "number of the device"),
    _Option(("--use_parallel",), "use_parallel", _boolean, "True to run on several devices, else False"),
)
_TRAINING = (
    _Option(
        ("--train_dataset", "--train_dataset_dir"),
        "train_dataset.data_loader.dataset_dir",
        str,
        "MindRecord file or folder to train on",
    ),
    _Option(
        ("--eval_dataset", "--eval_dataset_dir"),
        "eval_dataset.data_loader.dataset_dir",
        str,
        "MindRecord file or folder to evaluate on",
    ),
    _Option(("--do_eval",), "do_eval", _boolean, "True to evaluate while training, else False"),
    _Option(("--resume_training",), "resume_training", _boolean_or_text, "True, or the checkpoint's name, to go on"),
    _Option(("--epochs",), "runner_config.epochs", int, "times that each record is seen"),
    _Option(("--num_samples",), "train_dataset.data_loader.num_samples", int, "records to train on"),
)
_PREDICTION = (
    _Option(("--predict_data", "--input"), "input_data", data_file, "prompts: a text file, conversation JSON"),
    _Option(("--save_file", "--output"), "save_file", str, "where to write: x.txt or x.jsonl"),
    _Option(
        ("--task",), "task", str, f"what is asked, and how answers are read: one of {', '.join(TASKS)}, a .yaml or .py"
    ),
    _Option(("--choices",), "choices", str, "a file of answers, one a line, of which the likeliest is taken"),
    _Option(("--predict_batch_size",), "generation.batch_size", int, "prompts answered at a time"),
    _Option(("--max_new_tokens",), "generation.max_new_tokens", int, "most tokens of an answer"),
    _Option(("--do_sample",), "generation.do_sample", _boolean, "True to sample, False for the likeliest token"),
)
_GROUPS = {"training": _TRAINING, "prediction": _PREDICTION}


def add_run_options(parser: argparse.ArgumentParser, *groups: str) -> None:
    """Adds --config and the common options, and those of the groups `training` and `prediction` that are named."""
    parser.add_argument(
        "--config", required=True, metavar="YAML", help="configuration of the run, or the name of a shipped one"
    )
    for option in _COMMON:
        _add(parser, option)
    for group in groups:
        section = parser.add_argument_group(group)
        for option in _GROUPS[group]:
            _add(section, option)
        if group == "prediction":
            section.add_argument("--overwrite", action="store_true", help="start over, do not go on with x.jsonl")
    parser.epilog = "Any setting of the YAML can be given too: --section.name=value, such as --runner_config.epochs=2."


def _add(parser: Any, option: _Option) -> None:
    """Adds one option to a parser or a group of it; its value is None where it is not given."""
    names = option.choices
    parser.add_argument(
        *option.flags,
        dest=_dest(option),
        type=option.kind,
        choices=names,
        metavar=None if names else "X",
        help=option.help,
    )


def _dest(option: _Option) -> str:
    """Returns the attribute of the parsed arguments that holds an option."""
    return option.flags[0].lstrip("-")


def overrides_of(args: argparse.Namespace) -> list[str]:
    """Returns parsed arguments as overrides for load_config: options first, `--section.name=value` after them."""
    overrides = []
    for option in (*_COMMON, *_TRAINING, *_PREDICTION):
        value = getattr(args, _dest(option), None)
        if value is not None:
            overrides.append(f"{option.setting}={json.dumps(value, ensure_ascii=False)}")  # JSON is YAML too
    return overrides + list(args.overrides)


def overrides_among(rest: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Returns the arguments that argparse does not know as overrides.

    `--a.b=value` and `--a.b value` are both understood, as in MindFormers; anything else ends the process with 2.
    """
    overrides: list[str] = []
    waiting = list(rest)
    while waiting:
        name = waiting.pop(0)
        if not name.startswith("--"):
            parser.error(f"unrecognized arguments: {name}")
        if "=" in name:
            overrides.append(name)
        elif waiting and not waiting[0].startswith("--"):
            overrides.append(f"{name}={waiting.pop(0)}")
        else:
            parser.error(f"{name} needs a value: {name}=value")
    return overrides
