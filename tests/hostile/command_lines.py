"""Strategies for command lines: the options of every verb, with right, wrong and strange values."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from scimind.cli import VERBS, build_parser
from tests.hostile import samples
from tests.hostile.reader import REPOSITORY

# Files in the folder in which commands run. They are written anew before each command.
FILES = {
    "rows.csv": samples.table(samples.ROWS),
    "labels.csv": samples.LABELS,
    "p.jsonl": samples.json_lines(samples.PREDICTIONS),
    "talks.json": samples.json_list(samples.CONVERSATIONS),
    "some.fasta": samples.FASTA,
    "list.smi": samples.SMILES_LIST,
    "one.sdf": samples.SDF,
    "task.yaml": json.dumps(samples.TASK).encode(),
    "mixture.yaml": json.dumps(samples.MIXTURE).encode(),
    "empty.txt": b"",
    "noise.bin": bytes(range(256)),
    "weights.ckpt": samples.ckpt({"a": samples.llama_weights()["lm_head.weight"]}),
    "deep.json": b"[" * 5000,
}
_PATHS = (
    *FILES,
    ".",
    "..",
    "none",
    "folder/none",
    "new.json",
    "new.jsonl",
    "new.tsv",
    "new.html",
    "rows.csv/x",
    "",
    "~none",
    "-",
)
_WORDS = (
    *("smiles2text", "pretrain", "captions", "molecules", "classification", "conversation", "task.yaml", "nothing"),
    *(
        "0",
        "1",
        "-1",
        "2",
        "0.5",
        "1.5",
        "1e9",
        "nan",
        "inf",
        "99999999999999999999",
        "1e400",
        "0x10",
        "１",
        "7" * 5000,
    ),
    *("", " ", "=", "a=b", "molecule=smiles", "=x", "text=1", "text=8,smiles=8", "text=0..7,smiles=8..15", "text=9..1"),
    *(
        "True",
        "False",
        "None",
        "null",
        "[]",
        "{}",
        "[1, 2",
        "é漢",
        "\udcff",
        "a\nb",
        "--",
        "-x",
        "%s",
        "{x}",
        "..",
        "a" * 5000,
    ),
)
_SETTINGS = (
    *(
        "seed",
        "run_mode",
        "output_dir",
        "runner_config.epochs",
        "model.model_config.num_layers",
        "lr_schedule.learning_rate",
    ),
    *(
        "parallel_config.data_parallel",
        "model.model_config",
        "generation.top_k",
        "processor.tokenizer.vocab_file",
        "a.b",
    ),
    *("callbacks.0.type", "callbacks", "model.model_config.expert_sets", "train_dataset", "optimizer", "x", "", "."),
)
_CONFIGS = ("scimind_nano_predict", "scimind_nano_finetune", str(REPOSITORY / "configs/scimind_7b_finetune.yaml"))
# What takes long with a large value that is allowed, or starts processes.
_SLOW = {"--workers": ("1", "0", "-3", "x"), "--bootstrap": ("0", "3", "-1", "x"), "--fcd": ()}
_SUB_VERBS = ("build", "assign", "report", "tune", "nothing")


def command_lines() -> st.SearchStrategy[list[str]]:
    """Returns a strategy for arguments of `scimind`."""
    return st.sampled_from([*VERBS, "nothing", ""]).flatmap(_of_verb)


def _of_verb(verb: str) -> st.SearchStrategy[list[str]]:
    if verb not in VERBS:
        return st.lists(st.sampled_from([verb, *_WORDS, "--version"]), max_size=3)
    parser = next(iter(_children(build_parser(verb)).get(verb, [])), None)
    assert parser is not None
    children = _children(parser)
    if not children:
        return _with_options([verb], parser)
    names = st.sampled_from(_SUB_VERBS)
    return names.flatmap(lambda name: _with_options([verb, name], children.get(name, [parser])[0]))


def _children(parser: argparse.ArgumentParser) -> dict[str, list[argparse.ArgumentParser]]:
    """Returns the parsers of the sub-commands."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: [child] for action in actions for name, child in action.choices.items()}


def _with_options(start: Sequence[str], parser: argparse.ArgumentParser) -> st.SearchStrategy[list[str]]:
    """Returns a strategy for a command: its required options, most often, and some others in any order."""
    actions = [action for action in parser._actions if action.option_strings and "--help" not in action.option_strings]
    required = [action for action in actions if action.required]

    @st.composite
    def build(draw: st.DrawFn) -> list[str]:
        chosen = [action for action in required if draw(st.integers(0, 9))]
        chosen += draw(st.lists(st.sampled_from(actions), max_size=5)) if actions else []
        groups = [_option(draw, action) for action in chosen]
        if start[0] == "prepare" and draw(st.booleans()):
            groups += [["--task", "smiles2text"], ["--input", "rows.csv"], ["--seq-length", "64"], ["--no-card"]]
        if start[0] in ("evaluate", "report") and draw(st.booleans()):
            groups += [["--predictions", "p.jsonl"], ["--task", "captions"]]
        for _ in range(draw(st.integers(0, 2))):
            groups.append([f"--{draw(st.sampled_from(_SETTINGS))}={draw(st.sampled_from(_WORDS))}"])
        if start[0] in ("prepare", "evaluate", "report"):
            groups.append(["--workers", "1"])
        if start[0] in ("evaluate", "report"):
            groups.append(["--bootstrap", "2"])
        return [*start, *(word for group in draw(st.permutations(groups)) for word in group)]

    return build()


def _option(draw: st.DrawFn, action: argparse.Action) -> list[str]:
    flag = draw(st.sampled_from(list(action.option_strings)))
    if action.nargs == 0:
        return [flag]
    if flag in _SLOW:
        return [flag, draw(st.sampled_from(_SLOW[flag]))] if _SLOW[flag] else []
    values: list[str] = [*_WORDS, *_PATHS]
    if flag == "--config":
        values = [*_CONFIGS * 20, *_PATHS]
    elif action.choices and draw(st.integers(0, 3)):
        values = list(map(str, action.choices))
    elif action.type in (Path,) or "FILE" in str(action.metavar) or "DIR" in str(action.metavar):
        values = [*_PATHS * 3, *_WORDS]
    found = [draw(st.sampled_from(values)) for _ in range(draw(st.integers(1, 2)) if action.nargs == "+" else 1)]
    return [f"{flag}={found[0]}"] if len(found) == 1 and draw(st.booleans()) else [flag, *found]


def lay_out(folder: Path) -> None:
    """Writes the files that commands read, into a folder that is emptied first except for itself."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
