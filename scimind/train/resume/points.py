"""Where a training resumes: the last good checkpoint, and a check that it was written by the same run.

A position in the data is a number of global steps, each of which reads the same number of records regardless of the
number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.checkpoint.finding import OPTIMIZERS, TRAINING, WEIGHTS, find_checkpoint, step_folders
from scimind.checkpoint.seal import fault_of_folder
from scimind.errors import CheckpointError, ConfigError
from scimind.runtime.loss_curve import read_loss_table
from scimind.runtime.measurements import EvaluationScore, StepRecord
from scimind.small_files import read_small_json
from scimind.train.run import TrainingRun
from scimind.train.settings import TrainSettings

_FORMAT = 1
_NUMBERS = ("step", "total_steps", "steps_per_epoch", "records_per_step", "records", "seed", "seconds")


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint from which a training resumes.

    Args:
        folder: The checkpoint.
        state: The content of its `training.json`.
    """

    folder: Path
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Number of completed global steps."""
        return int(self.state["step"])

    @property
    def optimizer(self) -> Path:
        """The file with moments, step and loss scale."""
        return next(self.folder / name for name in OPTIMIZERS if (self.folder / name).is_file())


def describe_position(settings: TrainSettings, records: int, workers: int, total_steps: int) -> dict[str, Any]:
    """Returns what a run's `training.json` holds in addition to the step, the state and the scores.

    Args:
        settings: The run's settings.
        records: Number of records in the training data.
        workers: Number of processes that train together.
        total_steps: Number of steps of the run.
    """
    return {
        "format": _FORMAT,
        "total_steps": total_steps,
        "steps_per_epoch": settings.steps_per_epoch(records),
        "records_per_step": settings.records_per_step(workers),
        "records": records,
        "seed": settings.seed,
        "workers": workers,
        "load_checkpoint": _absolute(settings.load_checkpoint),
    }


def find_resume_point(settings: TrainSettings, output_dir: Path, say: Callable[[str], None]) -> ResumePoint | None:
    """Finds the checkpoint from which a training resumes, and reports the damaged ones that it skips.

    It looks in the output folder, unless `load_checkpoint` names other checkpoints of a training. So a command that was
    killed can be repeated unchanged: its checkpoints record the weights that they started with.

    Args:
        settings: The run's settings; `resume_training` is True or the name of a checkpoint, such as step_000300.
        output_dir: The run's output folder.
        say: Called with messages on what is skipped and what is found.

    Returns:
        The last good checkpoint, or None if none has been written yet.

    Raises:
        CheckpointError: There are checkpoints, but none is good or has the name; or `load_checkpoint` does not exist.
    """
    given, own = settings.load_checkpoint, step_folders(output_dir / "checkpoint")
    is_own = given is None or any(_origin(folder) == _absolute(given) for folder in own)
    folders = own if is_own else _folders_in(str(given))
    place = output_dir if is_own else given
    if not folders:
        say(f"{place} has no checkpoint of a training yet; starting with the first step")
        return None
    if isinstance(settings.resume_training, str):
        name = settings.resume_training
        found = ", ".join(folder.name for folder in folders)
        folders = [folder for folder in folders if folder.name == name]
        if not folders:
            raise CheckpointError(f"resume_training ({name}) is not a checkpoint in {place}; give {found} or True")
    faults = []
    for folder in reversed(folders):
        state, fault = _read(folder)
        if fault is None:
            say(f"resuming from {folder}")
            return ResumePoint(folder, state)
        say(f"skipping {folder}: {fault}")
        faults.append(f"{folder.name}: {fault}")
    raise CheckpointError(
        f"{place} has no checkpoint from which a training can resume ({'; '.join(faults[:3])}); give another with "
        "load_checkpoint, or start over with resume_training False"
    )


def check_resume_point(point: ResumePoint, now: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Compares a checkpoint's run with the one that resumes from it.

    Args:
        point: The checkpoint.
        now: `describe_position` of the run.
        say: Called with messages on permitted differences that change the losses.

    Raises:
        ConfigError: The records would be read in another order or in other batches; the error lists all differences.
    """
    reasons = {
        "records_per_step": "a step has {0} records; set runner_config.global_batch_size to {1}",
        "records": "train_dataset has {0} records; give the data that has {1}",
        "steps_per_epoch": "an epoch has {0} steps; use the train_dataset settings that give {1}",
        "seed": "seed is {0}; set it to {1}",
    }
    faults = [text.format(now[key], point.state[key]) for key, text in reasons.items() if now[key] != point.state[key]]
    if faults:
        raise ConfigError(
            [f"resume_training: the run of {point.folder} read its data differently: {faults[0]}", *faults[1:]]
        )
    if now["total_steps"] != point.state["total_steps"]:
        say(
            f"note: the run now has {now['total_steps']} steps instead of {point.state['total_steps']}, which changes "
            "the learning rate"
        )


def continue_run(run: TrainingRun, point: ResumePoint) -> None:
    """Passes to a training what an earlier one measured up to the checkpoint from which it resumes.

    Args:
        run: The training, before its first step.
        point: The checkpoint; the losses come from its run's table if that still exists.
    """
    state, best = point.state, point.state.get("best_evaluation")
    score = EvaluationScore.of_json(best) if best else None
    run.first_step, run.last_checkpoint = point.step, point.folder
    run.earlier_seconds, run.skipped_steps = float(state["seconds"]), int(state.get("skipped_steps") or 0)
    if run.folder.is_reporter and point.folder.parent == run.folder.checkpoint:
        run.records = read_loss_table(run.folder.loss_table, point.step, score)
    if score is not None:
        step = int(state["best_step"])
        kept = [record for record in run.records if record.step == step]
        run.best = kept[0] if kept else StepRecord(step, step / run.steps_per_epoch, math.nan, math.nan, 0.0)
        run.best.evaluation = score


def _folders_in(path: str) -> list[Path]:
    """Returns the training checkpoints that a path refers to, oldest first; empty if it has only weights."""
    given = Path(path).expanduser()
    if not given.exists():
        find_checkpoint(path)  # raises the error
    folder = (given.parent if given.is_file() else given).resolve()
    if any((folder / name).is_file() for name in WEIGHTS):
        return [folder] if (folder / TRAINING).is_file() else []
    return step_folders(folder) or step_folders(folder / "checkpoint")


def _origin(folder: Path) -> str | None:
    """Returns the `load_checkpoint` of the run that wrote a checkpoint, or None if it cannot be read."""
    try:
        return read_small_json(folder / TRAINING).get("load_checkpoint")
    except (OSError, ValueError):
        return None


def _read(folder: Path) -> tuple[dict[str, Any], str | None]:
    """Returns the content of a checkpoint's `training.json`, and what is wrong with the checkpoint, or None."""
    fault = fault_of_folder(folder)
    if fault is not None:
        return {}, f"it is damaged, {fault}"
    if not any((folder / name).is_file() for name in OPTIMIZERS):
        return {}, "it was written without the optimizer's state (save_optimizer)"
    try:
        state = read_small_json(folder / TRAINING)
        if state["format"] != _FORMAT:
            return {}, f"{TRAINING} has format {state['format']}, this version reads {_FORMAT}"
        missing = [key for key in (*_NUMBERS, "random") if key not in state]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, f"{TRAINING} cannot be read"
    return state, f"{TRAINING} lacks {', '.join(missing)}" if missing else None


def _absolute(path: str | None) -> str | None:
    return str(Path(path).expanduser().resolve()) if path else None
