"""One training or evaluation in a quiet console: configures MindFormers, builds the model and runs the Trainer."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mindspore as ms
from mindformers import Trainer

import scimind.train.optimizer
import scimind.train.step  # noqa: F401  # both register with MindFormers
from scimind.atomic import remove_leftovers
from scimind.checkpoint.description import complete_from_tokenizer, describe_model
from scimind.checkpoint.finding import find_checkpoint, step_folders
from scimind.config import RunConfig
from scimind.config.mindformers import model_tree
from scimind.errors import ConfigError, SciMindError
from scimind.generate.predict import codec_of
from scimind.modality import modality_table
from scimind.model.loading import build_model, configure, start
from scimind.runtime.console import Console
from scimind.runtime.graph_cache import graph_key
from scimind.runtime.loss_curve import read_loss_table
from scimind.runtime.measurements import EvaluationScore
from scimind.runtime.run_folder import RunFolder, worker
from scimind.train.alarms.answers import alike_answers
from scimind.train.answers.building import build_generator
from scimind.train.callbacks.building import build_callbacks
from scimind.train.callbacks.loss_curve import SciMindLossCurve
from scimind.train.evaluation import Evaluator
from scimind.train.feed.dataset_checks import check_preparation, check_records
from scimind.train.feed.record_batches import RecordBatches, training_data
from scimind.train.feed.row_answers import only_answer
from scimind.train.result import FinetuneResult, finish
from scimind.train.resume.interruption import stops_on_signals
from scimind.train.resume.points import (
    ResumePoint,
    check_resume_point,
    continue_run,
    describe_position,
    find_resume_point,
)
from scimind.train.resume.sharded_checkpoints import Pieces, find_pieces
from scimind.train.resume.state import SciMindResume
from scimind.train.run import TrainingRun
from scimind.train.settings import TrainSettings, trainer_tree
from scimind.train.workers.workers import Workers, weights_checksum


@dataclass(frozen=True)
class _Origin:
    """Where a training starts; if both are None, at the first step.

    Args:
        point: A checkpoint of SciMind's to resume from.
        pieces: A sharded checkpoint to resume from, which MindFormers loads.
    """

    point: ResumePoint | None = None
    pieces: Pieces | None = None

    @property
    def step(self) -> int:
        """Number of completed global steps."""
        checkpoint = self.point or self.pieces
        return 0 if checkpoint is None else checkpoint.step

    def weights(self, load_checkpoint: str | None) -> str | None:
        """Returns the checkpoint with the model's weights; None for random ones, or if MindFormers loads them."""
        if self.pieces is not None:
            return None
        return load_checkpoint if self.point is None else str(self.point.folder)


def train(settings: TrainSettings, config: RunConfig, folder: RunFolder, console: Console) -> FinetuneResult:
    """Checks data and weights, trains, and returns the result; see `scimind.train.finetune.finetune`."""
    origin = _find_origin(settings, folder, console)
    fingerprint = complete_from_tokenizer(settings.tree)
    description = describe_model(settings.tree, fingerprint)
    records = _check_training_data(settings, config, fingerprint, console)
    _check_evaluation(settings, fingerprint)
    console.print(f"output folder: {folder.root}")
    tree = trainer_tree(settings)
    mf_config = start(tree, settings.seed)
    workers = int(tree.get("device_num") or 1)
    position = _describe_run(settings, records, workers)
    if origin.point is not None:
        check_resume_point(origin.point, position, console.print)
    trainer_config = trainer_tree(settings, int(position["steps_per_epoch"]), origin.step)
    if origin.pieces is not None:
        trainer_config["load_ckpt_format"] = origin.pieces.file_format
    start_weights = origin.weights(settings.load_checkpoint)
    network = build_model(mf_config, start_weights, description, console, is_training=True)
    network.graph_key = graph_key(trainer_config)
    order = find_checkpoint(start_weights).description.get("neuron_order") if start_weights else None
    if order is not None:  # training does not reorder neurons
        description["neuron_order"] = order
    team = _build_team(settings, workers, position | {"step": origin.step}, network)
    run = _build_run(settings, folder, console, team, position, origin)
    console.print(_data_line(settings, position))
    if run.step >= run.total_steps:
        console.print(f"nothing left to do: the checkpoint already has all {run.total_steps} steps")
        _evaluate_end(run, settings, network)
        return _end(run)
    if folder.is_reporter:
        if origin.pieces is None:
            _clear(run, origin.point)
        folder.write_description({**config, "model": settings.tree["model"]})
    evaluator = _evaluator(network, settings, team) if settings.eval_files else None
    # One worker generates answers; the others wait for it at the next step.
    generator = build_generator(network, settings, config, console.print) if folder.is_reporter else None
    callbacks = build_callbacks(run, settings, evaluator, generator, description, position)
    if origin.point is not None:
        callbacks.insert(0, SciMindResume(origin.point.optimizer, origin.point.state["random"]))
    data = _training_data(settings, position, run) if settings.feeds_records else None
    _run_trainer(run, configure(trainer_config), network, callbacks, data, origin.pieces)
    return _end(run)


def _find_origin(settings: TrainSettings, folder: RunFolder, console: Console) -> _Origin:
    """Returns where a training starts, after looking for a checkpoint if it is to resume."""
    if not settings.resume_training:
        return _Origin()
    if settings.splits_tensors:
        return _Origin(pieces=find_pieces(settings, folder.root, console.print))
    return _Origin(point=find_resume_point(settings, folder.root, console.print))


def _check_training_data(settings: TrainSettings, config: RunConfig, fingerprint: str | None, console: Console) -> int:
    """Checks the training data and returns its number of records; see `check_preparation` and `check_records`.

    It warns if all answers are the same.
    """
    check_preparation(settings.train_files, "train_dataset", fingerprint, packed=settings.packed)
    records = check_records(
        settings.train_files,
        "train_dataset",
        seq_length=settings.seq_length,
        vocab_size=settings.vocab_size,
        batch_size=settings.batch_size,
    )
    alike = only_answer(settings.train_files)
    if alike is not None:
        has_tokenizer = bool((config.get("processor") or {}).get("tokenizer"))
        console.print(f"warning: {alike_answers(codec_of(config) if has_tokenizer else None, *alike)}")
    return records


def _describe_run(settings: TrainSettings, records: int, workers: int) -> dict[str, Any]:
    """Returns `describe_position` of the run: its data and its steps.

    Raises:
        ConfigError: There are too few records for a step.
    """
    steps_per_epoch = settings.steps_per_epoch(records)
    if steps_per_epoch < 1:
        raise ConfigError(
            f"train_dataset has {records} records, too few for one step of {workers} workers with batch_size "
            f"({settings.batch_size}); lower runner_config.batch_size"
        )
    return describe_position(settings, records, workers, settings.total_steps(steps_per_epoch))


def _build_run(
    settings: TrainSettings,
    folder: RunFolder,
    console: Console,
    team: Workers,
    position: Mapping[str, Any],
    origin: _Origin,
) -> TrainingRun:
    """Returns the state of a training, including an earlier run's measurements if it resumes from one."""
    total_steps = int(position["total_steps"])
    run = TrainingRun(
        folder=folder,
        console=console,
        total_steps=min(total_steps, settings.stop_step or total_steps),
        steps_per_epoch=int(position["steps_per_epoch"]),
        tokens_per_step=int(position["records_per_step"]) * settings.seq_length,
        workers=team,
        first_step=origin.step,
    )
    if origin.point is not None:
        continue_run(run, origin.point)
    elif origin.pieces is not None and folder.is_reporter:
        run.records = read_loss_table(folder.loss_table, origin.step)
    return run


def _data_line(settings: TrainSettings, position: Mapping[str, Any]) -> str:
    """Returns the console's line on the data: records, steps and epochs."""
    what = "rows of packed records" if settings.packed else "records"
    if settings.feeds_records:
        what += f", {settings.batch_size * settings.workers} per step"
    steps = position["steps_per_epoch"]
    return f"data: {position['records']} {what}, {steps} steps per epoch, {position['total_steps'] / steps:.2f} epochs"


def _end(run: TrainingRun) -> FinetuneResult:
    """Returns the result once all workers have finished, since a worker that exits early would end the others."""
    result = finish(run)
    run.workers.wait()
    return result


def _check_evaluation(settings: TrainSettings, fingerprint: str | None) -> None:
    """Checks the evaluation data of each name; see `check_preparation` and `check_records`."""
    for name, files in settings.eval_files.items():
        key = f"eval_dataset {name}" if name else "eval_dataset"
        check_preparation(files, key, fingerprint, packed=settings.packed)
        check_records(files, key, seq_length=settings.seq_length, vocab_size=settings.vocab_size)


def _build_team(settings: TrainSettings, workers: int, position: Mapping[str, Any], network: ms.nn.Cell) -> Workers:
    """Returns the processes that train together, after checking that they start with the same."""
    team = Workers() if settings.splits_tensors else Workers(max(0, worker()[0]), workers)
    run = f"{network.graph_key} {position}"
    team.check_same("configurations, data, checkpoints or versions", zlib.crc32(run.encode()))
    team.check_same("initial weights", weights_checksum(network) if workers > 1 else 0)
    return team


def _training_data(settings: TrainSettings, position: Mapping[str, Any], run: TrainingRun) -> ms.dataset.Dataset:
    """Returns a worker's batches from the step at which the run starts, counted from 0, to the end of all epochs."""
    batches = RecordBatches(
        settings.train_files,
        settings.record_order(position["records"]),
        rank=run.workers.rank,
        first_step=run.first_step,
        steps=position["total_steps"] - run.first_step,
        tokens=settings.seq_length + 1,
        ignore_token_id=int(settings.model_config.get("ignore_token_id", -100)),
    )
    return training_data(batches)


def _clear(run: TrainingRun, point: ResumePoint | None) -> None:
    """Moves aside what is in the way in the output folder: an earlier run, or its checkpoints after `point`."""
    folder = run.folder
    remove_leftovers(folder.checkpoint, "step_*")
    if point is None or point.folder.parent != folder.checkpoint:
        earlier, what = folder.set_earlier_run_aside(), "an earlier run's files"
    else:
        checkpoints = step_folders(folder.checkpoint)
        later = checkpoints[checkpoints.index(point.folder) + 1 :]
        earlier, what = folder.set_later_steps_aside(later), f"checkpoints after step {point.step}"
    if earlier is not None:
        run.console.print(f"moved {what} to {earlier}")


def _run_trainer(
    run: TrainingRun,
    mf_config: Any,
    network: ms.nn.Cell,
    callbacks: list[ms.train.Callback],
    data: ms.dataset.Dataset | None,
    pieces: Pieces | None,
) -> None:
    """Runs MindFormers' Trainer; draws the curve and names the last good checkpoint, however the run ends."""
    reaches_end = False
    try:
        with stops_on_signals(run):
            trainer = Trainer(args=mf_config, model=network, train_dataset=data, callbacks=callbacks)
            trainer.finetune(**({} if pieces is None else pieces.arguments))
        if run.workers.size == 1 and run.stop_signal is None and run.step < run.total_steps:
            run.agree_to_stop()  # Ctrl-C ends MindSpore's data set, possibly before a step has checked for it
        if run.failure is not None:
            raise SciMindError(run.failure)
        reaches_end = run.stop_signal is None
    finally:
        for callback in callbacks:
            if isinstance(callback, SciMindLossCurve):
                callback.finish()
        if run.folder.is_reporter:
            run.folder.remove_empty_folders()
        if not reaches_end:
            checkpoint = run.last_checkpoint or "none was written"
            run.console.print(f"ended at step {run.step} of {run.total_steps}; last good checkpoint: {checkpoint}")


def _evaluate_end(run: TrainingRun, settings: TrainSettings, network: ms.nn.Cell) -> None:
    """Makes the evaluation after the last step if a signal came before it."""
    if not settings.eval_files or not run.lacks_evaluation():
        return
    score = _evaluator(network, settings, run.workers).score()
    assert score is not None, "an evaluation without `is_stopped` is never abandoned"
    run.add_evaluation(score)
    if run.folder.is_reporter:
        curve = SciMindLossCurve(run, list(settings.eval_files))
        curve.on_train_begin(None)
        curve.finish()


def score_model(settings: TrainSettings, console: Console) -> EvaluationScore:
    """Scores a model on the evaluation data; see `scimind.train.finetune.evaluate`."""
    fingerprint = complete_from_tokenizer(settings.tree)
    _check_evaluation(settings, fingerprint)
    tree = model_tree(settings.tree, batch_size=settings.batch_size)
    key = graph_key(tree)
    mf_config = start(tree, settings.seed)
    network = build_model(mf_config, settings.load_checkpoint, describe_model(settings.tree, fingerprint), console)
    network.graph_key = key
    team = Workers() if settings.splits_tensors else Workers(max(0, worker()[0]), settings.workers)
    team.check_same("weights", weights_checksum(network) if settings.workers > 1 else 0)
    score = _evaluator(network, settings, team).score()
    assert score is not None, "an evaluation without `is_stopped` is never abandoned"
    return score


def _evaluator(network: ms.nn.Cell, settings: TrainSettings, workers: Workers) -> Evaluator:
    model = settings.model_config
    return Evaluator(
        network,
        settings.eval_files,
        settings.batch_size // settings.accumulation_steps,
        int(model.get("pad_token_id") or 0),
        settings.eval_limit,
        bos_token_id=int(model.get("bos_token_id", 1)) if settings.packed else None,
        workers=workers,
        modalities=modality_table(settings.vocab_size, model.get("modality_ranges") or {}),
    )
