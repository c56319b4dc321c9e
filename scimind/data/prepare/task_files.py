"""The preparation of one task's files: settings, files and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scimind.data.content.fields import FieldOptions
from scimind.data.prepare.options import DUPLICATES, ON_BAD, PrepareOptions, check_name
from scimind.data.prepare.pipeline import prepare_sources
from scimind.data.prepare.sources import LabelledFile, TaskSource
from scimind.data.prepare.splitting import Split
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec

__all__ = ["DUPLICATES", "ON_BAD", "prepare", "prepare_task"]


def prepare(
    task: str | Path | Task,
    inputs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    seq_length: int,
    policy: str = "drop",
    loss_on_prompt: bool = False,
    name: str | None = None,
    on_bad: str = "stop",
    overwrite: bool = False,
    eval_fraction: float = 0.0,
    test_fraction: float = 0.0,
    split: str = "random",
    identity: float = 0.8,
    seed: int = 0,
    duplicates: str = "drop",
    molecules: str = "checked",
    randomised: int = 0,
    detect: bool = False,
    packed: bool = False,
    workers: int = 1,
    progress: bool = True,
    card: bool = False,
) -> PrepareSummary:
    """Writes `name.json`, `name.mindrecord` with its `.db`, and `name.summary.json`; returns the summary.

    With `eval_fraction`, `name_eval.json` and `name_eval.mindrecord` hold the records set aside, with `test_fraction`
    `name_test…`. Records that were left out are listed in `name.rejects.jsonl`. All files appear together at the end,
    none of them after an error. A run that was interrupted leaves `.name.parts`, from which the same call goes on.

    Args:
        task: One of `TASKS`, a file that describes one, or a task; see `find_task`.
        inputs: The files, in this order; `LABEL=FILE` gives all records of a file a label.
        output_dir: Folder for the results; made if need be.
        codec: The vocabulary.
        seq_length: Positions s that the model reads at once, from 1.
        policy: `drop` or `truncate`, see `Fitter`.
        loss_on_prompt: Whether the prompt is learnt too.
        name: First part of the files' names; by default the input's if there is one, else the task's.
        on_bad: `stop` raises the first faulty record's error, `skip` lists and counts it.
        overwrite: Whether results that exist may be replaced.
        eval_fraction: Share of records to set aside, in [0, 1).
        test_fraction: Share of records to set aside besides.
        split: `random`, `scaffold` or `cluster`, see `Split`. The same molecule or sequence is never in two.
        identity: From which on sequences are alike, see `cluster`.
        seed: Decides about splits, random spellings, negatives and mixtures.
        duplicates: `drop` lists records of equal question and answer, `keep` keeps them.
        molecules: `checked`, `canonical` or `as-is`, see `FieldOptions`.
        randomised: Random spellings of each molecule to learn from besides, from 0.
        detect: Whether sequences without marks are looked for in text, see `wrap_text`.
        packed: Whether short records share a row, see `packing`; a model needs `packed: True` to learn from them.
        workers: Processes that encode; the files are the same whatever their number.
        progress: Whether a bar is shown on standard error.
        card: Whether `name.card.md` and `name.lengths.png` are written too.

    Raises:
        DataError: A file or, with `stop`, a record is faulty; file and line are named.
        SciMindError: A setting is faulty, the folder cannot be written, a file exists, or no record fits.
    """
    options = PrepareOptions(
        seq_length=seq_length,
        policy=policy,
        loss_on_prompt=loss_on_prompt,
        on_bad=on_bad,
        overwrite=overwrite,
        packed=packed,
        workers=workers,
        progress=progress,
        split=Split(split, eval_fraction, test_fraction, seed),
        settings=FieldOptions(molecules, randomised, detect, seed, split),
        duplicates=duplicates,
        identity=identity,
        card=card,
    )
    return prepare_task(task, inputs, output_dir, codec=codec, options=options, name=name)


def prepare_task(
    task: str | Path | Task,
    inputs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    options: PrepareOptions,
    name: str | None = None,
) -> PrepareSummary:
    """Prepares the files of a task; `prepare` with its settings in one object."""
    found = find_task(task)
    files = [LabelledFile.parse(path) for path in inputs]
    if not files:
        raise SciMindError("no input; give at least one file")
    name = check_name(name or (_stem(files[0].path) if len(files) == 1 else found.name))
    return prepare_sources([TaskSource(found, files)], output_dir, name, codec, options)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem
