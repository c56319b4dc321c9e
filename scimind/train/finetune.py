"""Finetuning and evaluation, from configuration to result. Loads MindSpore only when a run starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from scimind.atomic import replace_text
from scimind.checkpoint.finding import find_checkpoint
from scimind.config import RunConfig
from scimind.config.canonical import TRAINING_MODES
from scimind.locking import output_lock
from scimind.runtime.console import quiet_console
from scimind.runtime.measurements import EvaluationScore
from scimind.runtime.run_folder import RunFolder, worker
from scimind.train.callback_settings import checkpoint_bytes
from scimind.train.result import FinetuneResult
from scimind.train.settings import TrainSettings, read_settings


def finetune(config: Mapping[str, Any]) -> FinetuneResult:
    """Trains a model on answers, through MindFormers' Trainer.

    Args:
        config: A run's configuration in MindFormers' schema; checked here unless it is a training's RunConfig.

    Returns:
        The result. The output folder holds `checkpoint/step_…`, `loss.csv`, `loss.png`, `resolved_config.yaml`,
        `versions.json`, `result.json` and the log.

    Raises:
        SciMindError: The configuration or the data is invalid, which is reported before any expensive work; the disk is
            full; or the loss is not finite.
    """
    config = RunConfig.of(config, *TRAINING_MODES)
    settings = read_settings(config)
    if settings.load_checkpoint and not settings.resume_training:  # a resumed run skips damaged checkpoints itself
        find_checkpoint(settings.load_checkpoint)
    with ExitStack() as stack:
        folder = stack.enter_context(_run_folder(settings, config, "finetune"))
        console = stack.enter_context(quiet_console(folder.log_file, silent=not folder.is_reporter))
        from scimind.train.session import train

        return train(settings, config, folder, console)


def evaluate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Scores a model on the evaluation data.

    Args:
        config: A run's configuration in MindFormers' schema, with `eval_dataset` and `load_checkpoint`; checked here
            unless it is an evaluation's RunConfig.

    Returns:
        loss (nats of an answer's token), perplexity, perplexity_text and so on for each modality of the answers,
        token_accuracy (0 to 1), tokens, records; and, if the data has names, `parts` with the same for each name. This
        is also written to `evaluation.json`.

    Raises:
        SciMindError: The configuration or the data is invalid.
    """
    config = RunConfig.of(config, "eval")
    settings = read_settings(config, is_training=False)
    if settings.load_checkpoint:
        find_checkpoint(settings.load_checkpoint)
    with ExitStack() as stack:
        folder = stack.enter_context(_run_folder(settings, config, "eval"))
        console = stack.enter_context(quiet_console(folder.log_file, silent=not folder.is_reporter))
        from scimind.train.session import score_model

        score = score_model(settings, console)
        result: dict[str, Any] = _values(score)
        if score.parts:
            result["parts"] = {name: _values(part) for name, part in score.parts.items()}
        if folder.is_reporter:
            replace_text(folder.root / "evaluation.json", json.dumps(result, indent=2) + "\n")
        for name, part in (("", score), *score.parts.items()):
            console.print(
                f"{f'{name}: ' if name else ''}loss {part.loss:.4f}, perplexity {part.perplexity:.3f}"
                f"{_by_modality(part)}, token accuracy {part.accuracy:.4f} "
                f"({part.tokens} tokens of {part.records} records)"
            )
        return result


def _values(score: EvaluationScore) -> dict[str, float]:
    return {
        "loss": score.loss,
        **score.perplexities,
        "token_accuracy": score.accuracy,
        "tokens": float(score.tokens),
        "records": float(score.records),
    }


def _by_modality(score: EvaluationScore) -> str:
    parts = [f"{name.removeprefix('perplexity_')} {value:.3f}" for name, value in score.perplexities.items()][1:]
    return f" ({', '.join(parts)})" if len(parts) > 1 else ""


@contextmanager
def _run_folder(settings: TrainSettings, config: RunConfig, command: str) -> Iterator[RunFolder]:
    """Creates the run's folder for this worker; the reporter holds its lock for all workers."""
    rank, size = worker()
    is_reporter = rank == config.reporting_rank(size)
    needed = checkpoint_bytes(settings.callbacks, settings.model_config) if is_reporter else 0
    lock = output_lock(settings.output_dir, advice="choose another --output_dir") if is_reporter else nullcontext()
    with lock:
        yield RunFolder.create(settings.output_dir, command, rank=rank, is_reporter=is_reporter, needed_bytes=needed)
