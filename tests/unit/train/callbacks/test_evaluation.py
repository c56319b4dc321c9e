"""When a training is scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from scimind.runtime.console import quiet_console
from scimind.runtime.measurements import EvaluationScore
from scimind.runtime.run_folder import RunFolder
from scimind.runtime.stopping import Stopped
from scimind.train.callbacks.evaluation import SciMindEvaluation
from scimind.train.run import TrainingRun


class Scores:
    """Scores that need no model, and how many there were."""

    count = 0

    def score(self, is_stopped: Callable[[], bool]) -> EvaluationScore:
        self.count += 1
        return EvaluationScore(2.0, 0.5, 1, 1)


@pytest.mark.parametrize(
    ("first_step", "scored", "expected"),
    [(6, False, 1), (6, True, 0), (7, False, 0), (8, False, 1)],
    ids=["stopped before", "scored", "not due", "due by epoch"],
)
def test_an_evaluation_that_a_signal_prevented_is_made_when_the_run_resumes(
    tmp_path: Path, first_step: int, scored: bool, expected: int
) -> None:
    cell = SimpleNamespace(set_train=lambda _: None)
    context = SimpleNamespace(original_args=lambda: SimpleNamespace(train_network=cell))
    folder = RunFolder.create(tmp_path, "finetune")
    with quiet_console(folder.log_file) as console:
        run = TrainingRun(folder, console, total_steps=9, steps_per_epoch=4, tokens_per_step=1, first_step=first_step)
        run.add_step(first_step, 1.0, 0.1)
        if scored:
            run.add_evaluation(EvaluationScore(3.0, 0.5, 1, 1))
        scores = Scores()
        callback = SciMindEvaluation(run, scores, step_interval=3, epoch_interval=1)  # type: ignore[arg-type]
        callback.on_train_begin(context)
        assert scores.count == expected
        assert (run.records[-1].evaluation is not None) == (scored or bool(expected))


def test_a_signal_during_the_first_evaluation_stops_before_the_first_step(tmp_path: Path) -> None:
    """A step would be kept in a checkpoint, and the run that resumes from it never have the first score."""
    cell = SimpleNamespace(set_train=lambda _: None)
    context = SimpleNamespace(original_args=lambda: SimpleNamespace(train_network=cell))
    folder = RunFolder.create(tmp_path, "finetune")
    with quiet_console(folder.log_file) as console:
        run = TrainingRun(folder, console, total_steps=9, steps_per_epoch=4, tokens_per_step=1)
        run.received_signal = 15
        abandoned = SimpleNamespace(score=lambda is_stopped: None if is_stopped() else 1)
        with pytest.raises(Stopped) as caught:
            SciMindEvaluation(run, abandoned).on_train_begin(context)  # type: ignore[arg-type]
    assert caught.value.number == 15
