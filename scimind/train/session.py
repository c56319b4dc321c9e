"""One training or evaluation inside a quiet console: MindFormers is configured, the model built, the Trainer run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import mindspore as ms
from mindformers import Trainer

import scimind.train.optimizer
import scimind.train.step  # noqa: F401  # both register with MindFormers
from scimind.checkpoint.description import complete_from_tokenizer, describe_model
from scimind.checkpoint.finding import find_checkpoint
from scimind.console import Console, duration
from scimind.errors import ConfigError, SciMindError
from scimind.graph_cache import graph_key
from scimind.run_folder import RunFolder, plain, replace_text
from scimind.train.callbacks import SciMindEvaluation, SciMindLossCurve, SciMindProgress
from scimind.train.checkpoints import SciMindCheckpoint
from scimind.train.evaluation import Evaluator
from scimind.train.finetune import FinetuneResult
from scimind.train.interruption import stops_on_signals
from scimind.train.network import build_model, configure, start
from scimind.train.records import check_preparation, check_records
from scimind.train.settings import TrainSettings, mindformers_tree
from scimind.train.state import EvaluationScore, TrainingRun


def train(settings: TrainSettings, config: Mapping[str, Any], folder: RunFolder, console: Console) -> FinetuneResult:
    """Checks data and weights, trains, and returns how it went; see `scimind.train.finetune.finetune`."""
    fingerprint = complete_from_tokenizer(settings.tree)
    description = describe_model(settings.tree, fingerprint)
    for key, files in (("train_dataset", settings.train_files), ("eval_dataset", settings.eval_files)):
        check_preparation(files, key, fingerprint, packed=settings.packed)
    records = check_records(
        settings.train_files,
        "train_dataset",
        seq_length=settings.seq_length,
        vocab_size=settings.vocab_size,
        batch_size=settings.batch_size,
    ).records
    if settings.eval_files:
        check_records(
            settings.eval_files, "eval_dataset", seq_length=settings.seq_length, vocab_size=settings.vocab_size
        )
    console.print(f"output folder: {folder.root}")
    tree = mindformers_tree(settings)
    mf_config = start(tree, settings.seed)
    workers = int(tree.get("device_num") or 1)
    steps_per_epoch = settings.steps_per_epoch(records, workers)
    if steps_per_epoch < 1:
        raise ConfigError(
            f"train_dataset has {records} records, too few for one step of {workers} workers with batch_size "
            f"({settings.batch_size}); lower runner_config.batch_size"
        )
    network = build_model(mf_config, settings.load_checkpoint, description, console, is_training=True)
    if settings.load_checkpoint:  # training does not move neurons
        description["neuron_order"] = find_checkpoint(settings.load_checkpoint).description.get("neuron_order")
    total = settings.total_steps(steps_per_epoch)
    run = TrainingRun(
        folder=folder,
        console=console,
        total_steps=min(total, settings.stop_step or total),
        steps_per_epoch=steps_per_epoch,
        tokens_per_step=_tokens_per_step(settings, workers),
    )
    what = "rows of packed records" if settings.packed else "records"
    console.print(f"data: {records} {what}, {steps_per_epoch} steps an epoch, {total / steps_per_epoch:.2f} epochs")
    if folder.is_reporter:
        earlier = folder.set_earlier_run_aside()
        if earlier is not None:
            console.print(f"an earlier run's files are now in {earlier}")
        folder.write_description({**config, "model": settings.tree["model"]})
    network.graph_key = graph_key(mindformers_tree(settings, steps_per_epoch))
    evaluator = None
    if settings.eval_files:
        evaluator = _evaluator(network, settings)
    callbacks = _build_callbacks(run, settings, evaluator, description)
    _run_trainer(run, configure(mindformers_tree(settings, steps_per_epoch)), network, callbacks)
    return _finish(run)


def _run_trainer(run: TrainingRun, mf_config: Any, network: ms.nn.Cell, callbacks: list[ms.train.Callback]) -> None:
    """Runs MindFormers' Trainer; however it ends, the curve is drawn and the last good checkpoint named."""
    reaches_end = False
    try:
        with stops_on_signals(run):
            Trainer(args=mf_config, model=network, callbacks=callbacks).finetune()
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
    check_preparation(settings.eval_files, "eval_dataset", fingerprint, packed=settings.packed)
    check_records(settings.eval_files, "eval_dataset", seq_length=settings.seq_length, vocab_size=settings.vocab_size)
    tree = mindformers_tree(settings)
    key = graph_key(tree)
    mf_config = start(tree, settings.seed)
    network = build_model(mf_config, settings.load_checkpoint, describe_model(settings.tree, fingerprint), console)
    network.graph_key = key
    score = _evaluator(network, settings).score()
    assert score is not None, "an evaluation that nobody can stop ends"
    return score


def _build_callbacks(
    run: TrainingRun, settings: TrainSettings, evaluator: Evaluator | None, description: Mapping[str, Any]
) -> list[ms.train.Callback]:
    """Returns SciMind's callbacks in the order in which they work; one worker alone writes files."""
    kinds: list[tuple[type[ms.train.Callback], dict[str, Any]]] = [
        (SciMindProgress, {}),
        (SciMindEvaluation, {"evaluator": evaluator}),
    ]
    if run.folder.is_reporter:
        kinds += [(SciMindLossCurve, {}), (SciMindCheckpoint, {"description": description})]
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


def _tokens_per_step(settings: TrainSettings, workers: int) -> int:
    spread = settings.tree.get("parallel_config", {}) if settings.splits_tensors else {}
    parallel = int(spread.get("data_parallel", 1)) if settings.splits_tensors else workers
    return settings.batch_size * settings.seq_length * parallel


def _evaluator(network: ms.nn.Cell, settings: TrainSettings) -> Evaluator:
    model = settings.model_config
    return Evaluator(
        network,
        settings.eval_files,
        settings.batch_size,
        int(model.get("pad_token_id") or 0),
        settings.eval_limit,
        bos_token_id=int(model.get("bos_token_id", 1)) if settings.packed else None,
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
