"""One training or evaluation inside a quiet console: MindFormers is configured, the model built, the Trainer run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import mindspore as ms
import numpy as np
from mindformers import MindFormerConfig, Trainer, build_context
from mindformers.core.parallel_config import build_parallel_config
from mindformers.models import build_network
from mindformers.tools.register.template import ConfigTemplate

import scimind.train.step  # noqa: F401  # registers the training step with MindFormers
from scimind.console import Console
from scimind.errors import ConfigError, SciMindError
from scimind.train import callbacks as own_callbacks
from scimind.train.callbacks import SciMindLossCurve, duration
from scimind.train.description import complete_from_tokenizer, describe_model
from scimind.train.evaluation import Evaluator
from scimind.train.finetune import FinetuneResult
from scimind.train.interruption import stops_on_signals
from scimind.train.records import check_records
from scimind.train.run_folder import RunFolder, plain, replace_text
from scimind.train.settings import TrainSettings, mindformers_tree
from scimind.train.state import EvaluationScore, TrainingRun
from scimind.train.weights import check_description, find_checkpoint, load_weights


def train(settings: TrainSettings, config: Mapping[str, Any], folder: RunFolder, console: Console) -> FinetuneResult:
    """Checks data and weights, trains, and returns how it went; see `scimind.train.finetune.finetune`."""
    fingerprint = complete_from_tokenizer(settings.tree)
    description = describe_model(settings.tree, fingerprint)
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
    tree = mindformers_tree(settings)
    mf_config = _start(tree, settings.seed)
    workers = int(tree.get("device_num") or 1)
    steps_per_epoch = settings.steps_per_epoch(records, workers)
    if steps_per_epoch < 1:
        raise ConfigError(
            f"train_dataset has {records} records, too few for one step of {workers} workers with batch_size "
            f"({settings.batch_size}); lower runner_config.batch_size"
        )
    network = _build_network(mf_config, settings, description, console)
    total = settings.total_steps(steps_per_epoch)
    run = TrainingRun(
        folder=folder,
        console=console,
        total_steps=min(total, settings.stop_step or total),
        steps_per_epoch=steps_per_epoch,
        tokens_per_step=_tokens_per_step(settings, workers),
    )
    console.print(f"data: {records} records, {steps_per_epoch} steps an epoch, {total / steps_per_epoch:.2f} epochs")
    if folder.rank == 0:
        earlier = folder.set_earlier_run_aside()
        if earlier is not None:
            console.print(f"an earlier run's files are now in {earlier}")
        folder.write_description({**config, "model": settings.tree["model"]})
    evaluator = None
    if settings.eval_files:
        evaluator = Evaluator(network, settings.eval_files, settings.batch_size, _pad(settings), settings.eval_limit)
    callbacks = _build_callbacks(run, settings, evaluator, description)
    mf_config = _configure(mindformers_tree(settings, steps_per_epoch))
    try:
        with stops_on_signals(run):
            Trainer(args=mf_config, model=network, callbacks=callbacks).finetune()
    finally:
        for callback in callbacks:
            if isinstance(callback, SciMindLossCurve):
                callback.finish()
        folder.remove_empty_folders()
        if run.last_checkpoint is not None and run.stop_signal is not None:
            console.print(
                f"stopped at step {run.step} of {run.total_steps}; last good checkpoint: {run.last_checkpoint}"
            )
    return _finish(run)


def score_model(settings: TrainSettings, console: Console) -> EvaluationScore:
    """Scores a model on the evaluation data; see `scimind.train.finetune.evaluate`."""
    fingerprint = complete_from_tokenizer(settings.tree)
    check_records(settings.eval_files, "eval_dataset", seq_length=settings.seq_length, vocab_size=settings.vocab_size)
    mf_config = _start(mindformers_tree(settings), settings.seed)
    network = _build_network(mf_config, settings, describe_model(settings.tree, fingerprint), console)
    evaluator = Evaluator(network, settings.eval_files, settings.batch_size, _pad(settings), settings.eval_limit)
    score = evaluator.score()
    assert score is not None, "an evaluation that nobody can stop ends"
    return score


def _configure(tree: dict[str, Any]) -> Any:
    """Returns MindFormers' configuration with its defaults filled in, as it does for a YAML file."""
    try:
        ConfigTemplate.apply_template(tree)
    except KeyError as error:
        raise ConfigError(f"MindFormers refuses the configuration: {error.args[0]}") from error
    config = MindFormerConfig(**tree)
    build_parallel_config(config)
    return config


def _start(tree: dict[str, Any], seed: int) -> Any:
    """Sets device, mode, workers and seeds up, and returns MindFormers' configuration.

    `tree` gets `device_num` and `local_rank` from it. MindFormers builds its context once in a process, so that a second
    run keeps the first one's device and mode.
    """
    config = _configure(tree)
    context = build_context(MindFormerConfig(**tree))
    tree["device_num"], tree["local_rank"] = context.device_num, context.rank_id
    ms.set_seed(seed)
    np.random.seed(seed)
    return config


def _build_network(
    config: Any, settings: TrainSettings, description: Mapping[str, Any], console: Console
) -> ms.nn.Cell:
    """Returns the network with its weights, random ones or the checkpoint's."""
    kind = settings.tree["model"]["arch"]["type"]
    if kind.startswith("SciMind"):
        import scimind.model  # noqa: F401  # registers the model with MindFormers
    checkpoint = find_checkpoint(settings.load_checkpoint) if settings.load_checkpoint else None
    if checkpoint is not None:
        check_description(checkpoint, description)
    network = build_network(
        config.model, default_args={"parallel_config": config.parallel_config, "moe_config": config.moe_config}
    )
    size = sum(math.prod(parameter.shape) for parameter in network.get_parameters())
    if checkpoint is None:
        console.print(f"model: {kind}, {size:,} parameters, random weights")
        return network
    load_weights(network, checkpoint)
    console.print(f"model: {kind}, {size:,} parameters, weights of {checkpoint.weights}")
    return network


def _build_callbacks(
    run: TrainingRun, settings: TrainSettings, evaluator: Evaluator | None, description: Mapping[str, Any]
) -> list[ms.train.Callback]:
    """Returns SciMind's callbacks in the order in which they work; worker 0 alone writes files."""
    given: dict[str, dict[str, Any]] = {"SciMindProgress": {}, "SciMindEvaluation": {"evaluator": evaluator}}
    if run.folder.rank == 0:
        given |= {"SciMindLossCurve": {}, "SciMindCheckpoint": {"description": description}}
    built = []
    for kind, arguments in given.items():
        if kind not in settings.callbacks:
            continue
        try:
            built.append(getattr(own_callbacks, kind)(run=run, **arguments, **settings.callbacks[kind]))
        except TypeError as error:
            raise ConfigError(f"callbacks: {kind} does not take these settings ({error})") from error
    return built


def _tokens_per_step(settings: TrainSettings, workers: int) -> int:
    spread = settings.tree.get("parallel_config", {}) if settings.splits_tensors else {}
    parallel = int(spread.get("data_parallel", 1)) if settings.splits_tensors else workers
    return settings.batch_size * settings.seq_length * parallel


def _pad(settings: TrainSettings) -> int:
    return int(settings.model_config.get("pad_token_id") or 0)


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
    if run.folder.rank == 0:
        replace_text(run.folder.root / "result.json", json.dumps(plain(asdict(result)), indent=2) + "\n")
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
