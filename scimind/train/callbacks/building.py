"""Creating the callbacks of a training from their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mindspore as ms

from scimind.errors import ConfigError
from scimind.train.answers.generator import AnswerGenerator
from scimind.train.callbacks.alarms import SciMindAlarms
from scimind.train.callbacks.checkpoint import SciMindCheckpoint
from scimind.train.callbacks.evaluation import SciMindEvaluation
from scimind.train.callbacks.loss_curve import SciMindLossCurve
from scimind.train.callbacks.progress import SciMindProgress
from scimind.train.evaluation import Evaluator
from scimind.train.run import TrainingRun
from scimind.train.settings import TrainSettings


def build_callbacks(
    run: TrainingRun,
    settings: TrainSettings,
    evaluator: Evaluator | None,
    generator: AnswerGenerator | None,
    description: Mapping[str, Any],
    position: Mapping[str, Any],
) -> list[ms.train.Callback]:
    """Returns SciMind's callbacks in the order in which they run.

    The order ensures that a row of the loss table holds what was measured at its step. Only one worker writes files.

    Args:
        run: The training.
        settings: Its settings; their `callbacks` are the arguments of each callback by name.
        evaluator: Scores the network; None for no evaluation.
        generator: Generates answers at each evaluation; None for none.
        description: The content of `scimind.json`, see `describe_model`.
        position: The content of `training.json`, see `describe_position`.

    Raises:
        ConfigError: A callback does not have a setting.
    """
    kinds: list[tuple[type[ms.train.Callback], dict[str, Any]]] = [
        (SciMindProgress, {}),
        (SciMindEvaluation, {"evaluator": evaluator, "generator": generator}),
    ]
    if run.folder.is_reporter:
        names = list(settings.eval_files)
        kinds += [
            (SciMindLossCurve, {"names": names, "answers": generator.names if generator else ()}),
            (SciMindCheckpoint, {"description": description, "position": position}),
        ]
    callbacks = []
    for kind, arguments in kinds:
        own_settings = settings.callbacks.get(kind.__name__)
        if own_settings is None:
            continue
        try:
            callbacks.append(kind(run=run, **arguments, **own_settings))
        except TypeError as error:
            raise ConfigError(f"callbacks: {kind.__name__} does not accept these settings ({error})") from error
    if run.folder.is_reporter:
        callbacks.append(SciMindAlarms(run, generator))
    return callbacks
