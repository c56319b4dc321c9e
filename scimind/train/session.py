"""One training or evaluation inside a quiet console: MindFormers is configured, the model built, the Trainer run."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import mindspore as ms
from mindformers import Trainer

import scimind.train.optimizer
import scimind.train.step  # noqa: F401  # both register with MindFormers
from scimind.checkpoint.description import complete_from_tokenizer, describe_model
from scimind.checkpoint.finding import find_checkpoint, remove_temporary_folders, step_folders
from scimind.config import RunConfig
from scimind.config.mindformers import model_tree
from scimind.errors import ConfigError, SciMindError
from scimind.modality import modality_table
from scimind.model.loading import build_model, configure, start
from scimind.runtime.console import Console, duration
from scimind.runtime.graph_cache import graph_key
from scimind.runtime.loss_curve import read_loss_table
from scimind.runtime.run_folder import RunFolder, plain, replace_text, worker
from scimind.train.callbacks.checkpoint import SciMindCheckpoint
from scimind.train.callbacks.progress import SciMindEvaluation, SciMindLossCurve, SciMindProgress
from scimind.train.evaluation import Evaluator
from scimind.train.feed.dataset_checks import check_preparation, check_records
from scimind.train.feed.record_batches import RecordBatches, training_data
from scimind.train.finetune import FinetuneResult
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
from scimind.train.run import EvaluationScore, TrainingRun
from scimind.train.settings import TrainSettings, trainer_tree
from scimind.train.workers.workers import Workers, weights_checksum


def train(settings: TrainSettings, config: RunConfig, folder: RunFolder, console: Console) -> FinetuneResult:
    """Checks data and weights, trains, and returns how it went; see `scimind.train.finetune.finetune`."""
    point, pieces = _find_start(settings, folder, console)
    start_weights = settings.load_checkpoint if point is None else str(point.folder)
    if pieces is not None:
        start_weights = None  # MindFormers loads them
    fingerprint = complete_from_tokenizer(settings.tree)
    description = describe_model(settings.tree, fingerprint)
    check_preparation(settings.train_files, "train_dataset", fingerprint, packed=settings.packed)
    records = check_records(
        settings.train_files,
        "train_dataset",
        seq_length=settings.seq_length,
        vocab_size=settings.vocab_size,
        batch_size=settings.batch_size,
    ).records
    _check_evaluation(settings, fingerprint)
    console.print(f"output folder: {folder.root}")
    tree = trainer_tree(settings)
    mf_config = start(tree, settings.seed)
    workers = int(tree.get("device_num") or 1)
    steps_per_epoch = settings.steps_per_epoch(records)
    if steps_per_epoch < 1:
        raise ConfigError(
            f"train_dataset has {records} records, too few for one step of {workers} workers with batch_size "
            f"({settings.batch_size}); lower runner_config.batch_size"
        )
    total = settings.total_steps(steps_per_epoch)
    done = point.step if point is not None else pieces.step if pieces is not None else 0
    position = describe_position(settings, records, workers, total)
    if point is not None:
        check_resume_point(point, position, console.print)
    trainer_config = trainer_tree(settings, steps_per_epoch, done)
    if pieces is not None:
        trainer_config["load_ckpt_format"] = pieces.file_format
    network = build_model(mf_config, start_weights, description, console, is_training=True)
    network.graph_key = graph_key(trainer_config)
    if start_weights:  # training does not move neurons
        description["neuron_order"] = find_checkpoint(start_weights).description.get("neuron_order")
    team = _build_team(settings, workers, position | {"step": done}, network)
    run = TrainingRun(
        folder=folder,
        console=console,
        total_steps=min(total, settings.stop_step or total),
        steps_per_epoch=steps_per_epoch,
        tokens_per_step=settings.records_per_step(workers) * settings.seq_length,
        workers=team,
        first_step=done,
    )
    if point is not None:
        continue_run(run, point)
    elif pieces is not None and folder.is_reporter:
        run.records = read_loss_table(folder.loss_table, done)
    what = "rows of packed records" if settings.packed else "records"
    if settings.feeds_records:
        what += f", {settings.batch_size * settings.workers} a step"
    console.print(f"data: {records} {what}, {steps_per_epoch} steps an epoch, {total / steps_per_epoch:.2f} epochs")
    if run.step >= run.total_steps:
        console.print(f"nothing is left to do: the checkpoint has all {run.total_steps} steps")
        return _end(run)
    if folder.is_reporter:
        if pieces is None:
            _clear(run, point)
        folder.write_description({**config, "model": settings.tree["model"]})
    evaluator = None
    if settings.eval_files:
        evaluator = _evaluator(network, settings, team)
    callbacks = _build_callbacks(run, settings, evaluator, description, position)
    if point is not None:
        callbacks.insert(0, SciMindResume(point.optimizer, point.state["random"]))
    data = _training_data(settings, records, team.rank, run.first_step, total) if settings.feeds_records else None
    _run_trainer(run, configure(trainer_config), network, callbacks, data, pieces)
    return _end(run)


def _find_start(
    settings: TrainSettings, folder: RunFolder, console: Console
) -> tuple[ResumePoint | None, Pieces | None]:
    """Returns the checkpoint from which a training goes on, SciMind's or one in pieces; none where it begins."""
    if not settings.resume_training:
        return None, None
    if settings.splits_tensors:
        return None, find_pieces(settings, folder.root, console.print)
    return find_resume_point(settings, folder.root, console.print), None


def _end(run: TrainingRun) -> FinetuneResult:
    """Returns the result when all workers have come to their end: one that is gone would end the others too."""
    result = _finish(run)
    run.workers.wait()
    return result


def _check_evaluation(settings: TrainSettings, fingerprint: str | None) -> None:
    """Checks the evaluation data of each name; see `check_preparation` and `check_records`."""
    for name, files in settings.eval_files.items():
        key = f"eval_dataset {name}" if name else "eval_dataset"
        check_preparation(files, key, fingerprint, packed=settings.packed)
        check_records(files, key, seq_length=settings.seq_length, vocab_size=settings.vocab_size)


def _build_team(settings: TrainSettings, workers: int, position: Mapping[str, Any], network: ms.nn.Cell) -> Workers:
    """Returns the processes that train together, after a comparison of what they begin with."""
    team = Workers() if settings.splits_tensors else Workers(max(0, worker()[0]), workers)
    run = f"{network.graph_key} {position}"
    team.check_same("configurations, data, checkpoints or versions", zlib.crc32(run.encode()))
    team.check_same("weights at the start", weights_checksum(network) if workers > 1 else 0)
    return team


def _training_data(
    settings: TrainSettings, records: int, rank: int, first_step: int, total_steps: int
) -> ms.dataset.Dataset:
    """Returns a worker's batches from a step, from 0, to the end."""
    batches = RecordBatches(
        settings.train_files,
        settings.record_order(records),
        rank=rank,
        first_step=first_step,
        steps=total_steps - first_step,
        tokens=settings.seq_length + 1,
        ignore_token_id=int(settings.model_config.get("ignore_token_id", -100)),
    )
    return training_data(batches)


def _clear(run: TrainingRun, point: ResumePoint | None) -> None:
    """Moves what is in the way in the output folder aside: an earlier run, or what one did behind `point`."""
    folder = run.folder
    remove_temporary_folders(folder.checkpoint)
    if point is None or point.folder.parent != folder.checkpoint:
        earlier, what = folder.set_earlier_run_aside(), "an earlier run's files"
    else:
        checkpoints = step_folders(folder.checkpoint)
        later = checkpoints[checkpoints.index(point.folder) + 1 :]
        earlier, what = folder.set_later_steps_aside(later), f"checkpoints behind step {point.step}"
    if earlier is not None:
        run.console.print(f"{what} are now in {earlier}")


def _run_trainer(
    run: TrainingRun,
    mf_config: Any,
    network: ms.nn.Cell,
    callbacks: list[ms.train.Callback],
    data: ms.dataset.Dataset | None,
    pieces: Pieces | None,
) -> None:
    """Runs MindFormers' Trainer; however it ends, the curve is drawn and the last good checkpoint named."""
    reaches_end = False
    try:
        with stops_on_signals(run):
            trainer = Trainer(args=mf_config, model=network, train_dataset=data, callbacks=callbacks)
            trainer.finetune(**({} if pieces is None else pieces.arguments))
        if run.workers.size == 1 and run.stop_signal is None and run.step < run.total_steps:
            run.agree_to_stop()  # MindSpore's data set ends at Ctrl-C, maybe before the step that would have asked
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
    assert score is not None, "an evaluation that nobody can stop ends"
    return score


def _build_callbacks(
    run: TrainingRun,
    settings: TrainSettings,
    evaluator: Evaluator | None,
    description: Mapping[str, Any],
    position: Mapping[str, Any],
) -> list[ms.train.Callback]:
    """Returns SciMind's callbacks in the order in which they work; one worker alone writes files."""
    kinds: list[tuple[type[ms.train.Callback], dict[str, Any]]] = [
        (SciMindProgress, {}),
        (SciMindEvaluation, {"evaluator": evaluator}),
    ]
    if run.folder.is_reporter:
        names = list(settings.eval_files)
        kinds += [
            (SciMindLossCurve, {"names": names}),
            (SciMindCheckpoint, {"description": description, "position": position}),
        ]
    built = []
    for kind, arguments in kinds:
        given = settings.callbacks.get(kind.__name__)
        if given is None:
            continue
        try:
            built.append(kind(run=run, **arguments, **given))
        except TypeError as error:
            raise ConfigError(f"callbacks: {kind.__name__} does not take these settings ({error})") from error
    return built


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


def _finish(run: TrainingRun) -> FinetuneResult:
    """Writes `result.json`, says where everything is, and returns the result."""
    trained = [record for record in run.records if record.step > 0]
    scores = [record.evaluation for record in run.records if record.evaluation is not None]
    result = FinetuneResult(
        output_dir=run.folder.root,
        checkpoint=run.last_checkpoint,
        steps=run.step,
        total_steps=run.total_steps,
        first_loss=trained[0].loss if trained else math.nan,
        last_loss=trained[-1].loss if trained else math.nan,
        first_evaluation=run.records[0].evaluation if run.records and run.records[0].step == 0 else None,
        last_evaluation=scores[-1] if scores else None,
        best_evaluation=run.best.evaluation if run.best else None,
        best_step=run.best.step if run.best else None,
        seconds=run.seconds,
        stop_signal=run.stop_signal,
        first_step=run.first_step,
        skipped_steps=run.skipped_steps,
    )
    if run.folder.is_reporter:
        values = {name: None if value != value else value for name, value in plain(asdict(result)).items()}  # no NaN
        replace_text(run.folder.root / "result.json", json.dumps(values, indent=2) + "\n")
    if not result.is_interrupted and result.steps < result.total_steps:
        raise SciMindError(
            f"the data ended at step {result.steps} of {result.total_steps}; see the log {run.folder.log_file}"
        )
    run.console.print(
        f"{'stopped' if result.is_interrupted else 'done'}: {result.steps} steps in {duration(result.seconds)}, loss "
        f"{result.first_loss:.4f} -> {result.last_loss:.4f}"
    )
    for label, path in (("loss curve", run.folder.loss_plot), ("checkpoint", result.checkpoint)):
        if path is not None and path.exists():
            run.console.print(f"{label}: {path}")
    return result
