"""Options of the commands that run a model, under MindFormers' names, and the settings that they override."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scimind.config.schema import homes_of
from scimind.config.sections.device import DEVICES
from scimind.config.sections.generation import AMBIGUOUS, VALID
from scimind.config.sections.root import MOLECULES, SCHEMA
from scimind.config.shipped import data_file
from scimind.config.yaml_loader import parse_yaml
from scimind.data.tasks.registry import ALLOW_CODE, TASKS


def _boolean(text: str) -> bool:
    """Returns the boolean that the word true or false, in any case, stands for."""
    lower = text.lower()
    if lower in ("true", "false"):
        return lower == "true"
    raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")


def _boolean_or_text(text: str) -> bool | str:
    """Returns a boolean if the text is one, else the text."""
    return _boolean(text) if text.lower() in ("true", "false") else text


@dataclass(frozen=True)
class _Option:
    """An option and the setting that it overrides."""

    flags: tuple[str, ...]
    setting: str
    kind: Any
    metavar: str
    help: str
    choices: tuple[str, ...] | None = None


_TRUE_FALSE = "{True,False}"
_COMMON = (
    _Option(("--load_checkpoint",), "load_checkpoint", str, "PATH", "checkpoint, or output folder of a run, to load"),
    _Option(("--output_dir",), "output_dir", str, "DIR", "folder for everything that the run writes"),
    _Option(("--seed",), "seed", int, "INT", "seed of the run"),
    _Option(("--mode",), "context.mode", int, "{0,1}", "MindSpore's execution mode: 0 is graph, 1 is pynative"),
    _Option(("--device_target",), "context.device_target", str, "DEVICE", "type of device to run on", DEVICES),
    _Option(("--device_id",), "context.device_id", int, "INT", "number of the device on this server, from 0"),
    _Option(("--use_parallel",), "use_parallel", _boolean, _TRUE_FALSE, "whether to run on several devices"),
)
_TRAINING = (
    _Option(
        ("--train_dataset", "--train_dataset_dir"),
        "train_dataset.data_loader.dataset_dir",
        str,
        "PATH",
        "MindRecord file or folder to train on",
    ),
    _Option(
        ("--eval_dataset", "--eval_dataset_dir"),
        "eval_dataset.data_loader.dataset_dir",
        str,
        "PATH",
        "MindRecord file or folder to evaluate on",
    ),
    _Option(("--do_eval",), "do_eval", _boolean, _TRUE_FALSE, "whether to evaluate while training"),
    _Option(
        ("--resume_training",),
        "resume_training",
        _boolean_or_text,
        "{True,False,NAME}",
        "whether to resume an interrupted run, from its latest checkpoint or the one called NAME",
    ),
    _Option(("--epochs",), "runner_config.epochs", int, "N", "passes over the training data"),
    _Option(("--num_samples",), "train_dataset.data_loader.num_samples", int, "N", "number of records to train on"),
)
_PREDICTION = (
    _Option(
        ("--predict_data", "--input"),
        "input_data",
        data_file,
        "FILE",
        "prompts: a text file with one per line, a table with a column prompt, conversation JSON, or a data file of "
        "--task; - for standard input",
    ),
    _Option(
        ("--save_file", "--output"),
        "save_file",
        str,
        "FILE",
        "file for the answers, .txt, .jsonl or .csv; - for lines of JSON on standard output",
    ),
    _Option(
        ("--task",),
        "task",
        str,
        "TASK",
        f"task that defines the questions and how answers are read: one of {', '.join(TASKS)}; or a .yaml or .py "
        "file; the code of a .py file runs",
    ),
    _Option(
        ("--choices",),
        "choices",
        str,
        "FILE",
        "possible answers, one per line; the likeliest one is taken instead of generating text",
    ),
    _Option(
        ("--ambiguous",),
        "ambiguous",
        str,
        "{drop,split,mask}",
        "letters of a sequence that stand for several, such as N in DNA: refuse it, take the longest stretch without "
        "them, or replace them",
        AMBIGUOUS,
    ),
    _Option(
        ("--molecules",),
        "molecules",
        str,
        "",
        "molecules that RDKit cannot parse: report them as errors (checked), or ask about them with a warning (as-is); "
        "with --task (default: checked)",
        MOLECULES,
    ),
    _Option(("--predict_batch_size",), "generation.batch_size", int, "N", "number of prompts answered at a time"),
    _Option(("--max_new_tokens",), "generation.max_new_tokens", int, "N", "maximum length of an answer in tokens"),
    _Option(
        ("--do_sample",),
        "generation.do_sample",
        _boolean,
        _TRUE_FALSE,
        "whether to sample each token instead of taking the likeliest",
    ),
    _Option(
        ("--valid",),
        "generation.valid",
        str,
        "",
        "answers that the rule of their kind accepts, such as SMILES that RDKit reads: require them, prefer them, or "
        "none of it (default: require where a task's answer is a molecule, protein, DNA, RNA or number, else none)",
        VALID,
    ),
    _Option(
        ("--num_return_sequences", "--n"),
        "generation.num_return_sequences",
        int,
        "N",
        "number of different answers to each prompt, the best first (default: 1)",
    ),
    _Option(
        ("--num_beams",), "generation.num_beams", int, "N", "beams of the search for them (default: one per answer)"
    ),
    _Option(
        ("--samples_per_prompt",),
        "generation.samples_per_prompt",
        int,
        "N",
        "samples drawn for each prompt with --do_sample True, of which the best accepted ones are taken (default: "
        "until there is one for each answer)",
    ),
    _Option(
        ("--rank_by",),
        "generation.rank_by",
        str,
        "NAME",
        "order of the answers: likelihood, votes (likelihoods summed over the spellings of a molecule), or a number "
        "computed from the molecule, the largest first, such as qed (default: likelihood)",
    ),
    _Option(
        ("--where",),
        "generation.where",
        str,
        "CONDITIONS",
        "conditions that answers must fulfil, which are molecules, such as \"MolWt < 500 and not has('[N+](=O)[O-]')\"",
    ),
    _Option(("--prefix",), "generation.prefix", str, "TEXT", "what each answer begins with, such as c1ccccc1"),
)
_GROUPS = {"training": _TRAINING, "prediction": _PREDICTION}


def add_run_options(parser: argparse.ArgumentParser, *groups: str) -> None:
    """Adds --config, the options of the named groups (`training`, `prediction`), and the common options."""
    parser.add_argument(
        "--config", required=True, metavar="YAML", help="configuration of the run, or the name of a shipped one"
    )
    for group in groups:
        section = parser.add_argument_group(group)
        for option in _GROUPS[group]:
            _add(section, option)
        if group == "prediction":
            section.add_argument(
                "--columns",
                action="append",
                default=[],
                metavar="FIELD=COLUMN",
                help="column of a field of the task, or of the prompt or id, such as molecule=my_smiles or prompt=2",
            )
            section.add_argument("--allow_code", "--allow-code", action="store_true", help=ALLOW_CODE)
            section.add_argument(
                "--overwrite", action="store_true", help="start over instead of resuming an unfinished output file"
            )
    section = parser.add_argument_group("run")
    for option in _COMMON:
        _add(section, option)
    parser.epilog = (
        "Options that are not given keep the value in the configuration. Any of its settings can be overridden as "
        "--section.name=value, such as --runner_config.epochs=2; a name that only one setting has needs no section, "
        "such as --weight_decay=0.1."
    )


_OF_ANSWERS = ("--task", "--valid", "--num_return_sequences", "--max_new_tokens", "--do_sample", "--where", "--prefix")


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a prediction that one question has."""
    for option in _PREDICTION:
        if option.flags[0] in _OF_ANSWERS:
            _add(parser, option)
    parser.add_argument("--seed", type=int, metavar="INT", help="seed of drawn tokens")
    parser.epilog = (
        "Any other setting of a configuration can be overridden as --section.name=value, such as "
        "--generation.temperature=0.7; a name that only one setting has needs no section, such as --temperature=0.7."
    )


def answer_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that the options of `add_answer_options` and `--section.name=value` give, by dotted name."""
    settings = {} if args.seed is None else {"generation.seed": args.seed}
    for option in _PREDICTION:
        if option.flags[0] in _OF_ANSWERS and option.setting.startswith("generation."):
            value = getattr(args, _dest(option))
            settings |= {} if value is None else {option.setting: value}
    for override in args.overrides:
        name, _, text = override.removeprefix("--").partition("=")
        settings[name] = parse_yaml(text) if text else ""
    return settings


def _add(parser: Any, option: _Option) -> None:
    """Adds an option to a parser or an argument group; its value is None if it is not given."""
    names = option.choices
    parser.add_argument(
        *option.flags,
        dest=_dest(option),
        type=option.kind,
        choices=names,
        metavar=None if names else option.metavar,
        help=option.help,
    )


def _dest(option: _Option) -> str:
    """Returns the name of the attribute of the parsed arguments that holds an option."""
    return option.flags[0].lstrip("-")


def overrides_of(args: argparse.Namespace) -> list[str]:
    """Returns parsed arguments as overrides for `load_config`: options first, then `--section.name=value`."""
    overrides = []
    for option in (*_COMMON, *_TRAINING, *_PREDICTION):
        value = getattr(args, _dest(option), None)
        if value is not None:
            overrides.append(f"{option.setting}={json.dumps(value, ensure_ascii=False)}")  # JSON is YAML too
    return overrides + list(args.overrides)


def overrides_among(rest: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Returns the arguments that argparse does not recognise as overrides.

    `--a.b=value` and `--a.b value` both work, as in MindFormers, and so does the last part of a name that only one
    setting has, such as `--learning_rate`; anything else ends the process with status 2.
    """
    overrides: list[str] = []
    waiting = list(rest)
    while waiting:
        name = waiting.pop(0)
        if not name.startswith("--"):
            parser.error(f"unrecognized arguments: {' '.join(name.split())}")
        name, equals, value = name.partition("=")
        if not equals:
            if not waiting or waiting[0].startswith("--"):
                parser.error(f"{name} needs a value: {name}=value")
            value = waiting.pop(0)
        overrides.append(f"--{_in_full(name.removeprefix('--'), parser)}={value}")
    return overrides


def _in_full(name: str, parser: argparse.ArgumentParser) -> str:
    """Returns the dotted name of the only setting called `name`; a name that is none is returned as it is."""
    if "." in name or name in SCHEMA.fields:
        return name
    homes = [home for home in homes_of(name, SCHEMA) if ".dataset_config." not in home]
    if len(homes) > 1:
        parser.error(f"--{name} may mean {' or '.join(f'--{home}' for home in homes)}; give one of them")
    return homes[0] if homes else name
