"""Finetuning and evaluation, from a configuration to a result. Loads MindSpore only when a run starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.checkpoint.finding import find_checkpoint
from scimind.config import RunConfig
from scimind.config.canonical import TRAINING_MODES
from scimind.runtime.console import quiet_console
from scimind.runtime.run_folder import RunFolder, replace_text, worker
from scimind.train.callbacks.settings import checkpoint_bytes
from scimind.train.run import EvaluationScore
from scimind.train.settings import TrainSettings, read_settings


@dataclass(frozen=True)
class FinetuneResult:
    """How a finetuning went.

    Args:
        output_dir: The run's folder.
        checkpoint: The last checkpoint, to be given to `predict`; None where none was written.
        steps: Steps that were done.
        total_steps: Steps that were meant.
        first_loss: Loss of the first step; NaN where there was none.
        last_loss: Loss of the last step.
        first_evaluation: Score before the first step; None where nothing was evaluated.
        last_evaluation: Score after the last step that was evaluated.
        best_evaluation: The lowest loss of all evaluations.
        best_step: Where that was.
        seconds: How long the training took.
        stop_signal: The signal that ended it early, None for a run that went to its end.
        first_step: Steps that an earlier run had done; 0 for a run from the beginning.
        skipped_steps: Steps that overflowed and changed no weight.
    """

    output_dir: Path
    checkpoint: Path | None
    steps: int
    total_steps: int
    first_loss: float
    last_loss: float
    first_evaluation: EvaluationScore | None
    last_evaluation: EvaluationScore | None
    best_evaluation: EvaluationScore | None
    best_step: int | None
    seconds: float
    stop_signal: int | None
    first_step: int = 0
    skipped_steps: int = 0

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal ended the run early."""
        return self.stop_signal is not None

    @property
    def exit_status(self) -> int:
        """0, or what a shell expects of a process that a signal ended."""
        return 0 if self.stop_signal is None else 128 + self.stop_signal


def finetune(config: Mapping[str, Any]) -> FinetuneResult:
    """Trains a model on answers, through MindFormers' Trainer.

    Args:
        config: A run's configuration in MindFormers' schema; checked here where it is not a RunConfig of a training.

    Returns:
        How it went. The output folder holds `checkpoint/step_…`, `loss.csv`, `loss.png`, `resolved_config.yaml`,
        `versions.json`, `result.json` and the log.

    Raises:
        SciMindError: A mistake in what was given, reported before anything heavy is done; a full disk; or a loss that
            is not finite.
    """
    config = RunConfig.of(config, *TRAINING_MODES)
    settings = read_settings(config)
    if settings.load_checkpoint and not settings.resume_training:  # else the newest may be damaged, and is skipped
        find_checkpoint(settings.load_checkpoint)
    folder = _create_folder(settings, config, "finetune")
    with quiet_console(folder.log_file, silent=not folder.is_reporter) as console:
        from scimind.train.session import train

        return train(settings, config, folder, console)


def evaluate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Scores a model on the evaluation data.

    Args:
        config: A run's configuration in MindFormers' schema, with `eval_dataset` and `load_checkpoint`; checked here
            where it is not a RunConfig of an evaluation.

    Returns:
        loss (nats of an answer's token), perplexity, perplexity_text and so on for each modality of the answers,
        token_accuracy (0 to 1), tokens, records; and, where the data has names, `parts` with the same for each.
        `evaluation.json` has it too.

    Raises:
        SciMindError: A mistake in what was given.
    """
    config = RunConfig.of(config, "eval")
    settings = read_settings(config, is_training=False)
    if settings.load_checkpoint:
        find_checkpoint(settings.load_checkpoint)
    folder = _create_folder(settings, config, "eval")
    with quiet_console(folder.log_file, silent=not folder.is_reporter) as console:
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


def _create_folder(settings: TrainSettings, config: RunConfig, command: str) -> RunFolder:
    """Returns the run's folder as this worker uses it."""
    rank, size = worker()
    is_reporter = rank == config.reporting_rank(size)
    needed = checkpoint_bytes(settings.callbacks, settings.model_config) if is_reporter else 0
    return RunFolder.create(settings.output_dir, command, rank=rank, is_reporter=is_reporter, needed_bytes=needed)
