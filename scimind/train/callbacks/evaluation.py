"""Evaluations during a training, at intervals of steps or epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.runtime.stopping import Stopped
from scimind.train.answers.generator import AnswerGenerator
from scimind.train.answers.scores import describe_scores
from scimind.train.evaluation import Evaluator
from scimind.train.run import TrainingRun


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindEvaluation(Callback):
    """Scores the model on the evaluation data: before the first step, at intervals, and at the end.

    Args:
        run: The training.
        evaluator: Scores the network; None for no evaluation.
        step_interval: Steps between two evaluations; 0 evaluates only at the beginning and the end.
        epoch_interval: Epochs between two evaluations; 0 or below for no evaluation by epochs.
        generator: Generates answers at each evaluation; None for none.
    """

    def __init__(
        self,
        run: TrainingRun,
        evaluator: Evaluator | None,
        step_interval: int = 100,
        epoch_interval: int = -1,
        generator: AnswerGenerator | None = None,
    ) -> None:
        super().__init__()
        self._run, self._evaluator, self._generator = run, evaluator, generator
        self._step_interval, self._epoch_interval = step_interval, epoch_interval
        self._next_step, self._next_epoch = step_interval, epoch_interval

    def on_train_begin(self, run_context: Any) -> None:
        """Scores the initial model; one that resumes was scored before, unless a signal came before that."""
        run = self._run
        if run.first_step == 0:
            self._evaluate(run_context)
            return
        if self._step_interval > 0:
            self._next_step = (run.step // self._step_interval + 1) * self._step_interval
        if self._epoch_interval > 0:
            steps = self._epoch_interval * run.steps_per_epoch
            self._next_epoch = (run.step // steps + 1) * self._epoch_interval
        intervals = (self._step_interval, self._epoch_interval * run.steps_per_epoch)
        if run.lacks_evaluation() and any(steps > 0 and run.step % steps == 0 for steps in intervals):
            self._evaluate(run_context)

    def on_train_step_end(self, run_context: Any) -> None:
        """Scores the model at the intervals and at the end."""
        run = self._run
        is_due = run.step >= run.total_steps
        # Compared by order, not by remainder: a data sink counts several steps at once.
        if self._step_interval > 0 and run.step >= self._next_step:
            is_due, self._next_step = True, run.step - run.step % self._step_interval + self._step_interval
        if self._epoch_interval > 0 and run.step >= self._next_epoch * run.steps_per_epoch:
            is_due, self._next_epoch = True, self._next_epoch + self._epoch_interval
        if is_due:
            self._evaluate(run_context)

    def _evaluate(self, run_context: Any) -> None:
        run = self._run
        if self._evaluator is None or run.stop_signal is not None or run.failure is not None:
            return
        try:
            score = self._evaluator.score(lambda: run.received_signal is not None)
            if score is not None and self._generator is not None:
                score = replace(score, answers=self._generator.score())
        finally:
            run_context.original_args().train_network.set_train(True)
        if score is None:
            is_agreed = run.agree_to_stop()  # all workers gave up together, on a signal to one of them
            if not run.records and is_agreed and run.stop_signal is not None:
                raise Stopped(run.stop_signal)  # otherwise a first step follows, and its run never has this score
            run_context.request_stop()
            return
        is_best = run.add_evaluation(score)
        parts = [f"{name} {loss:.4f}" for name, loss in score.losses.items()]
        by_modality = f" ({', '.join(parts)})" if len(parts) > 1 else ""
        note = "  (best so far)" if is_best and run.step > 0 else ""
        run.console.print(
            f"evaluation at step {run.step}: loss {score.loss:.4f}{by_modality}, token accuracy {score.accuracy:.4f} "
            f"on {score.records} records{note}"
        )
        for name, part in score.parts.items():
            run.console.print(
                f"  {name}: loss {part.loss:.4f}, token accuracy {part.accuracy:.4f} on {part.records} records"
            )
        if self._generator is not None:
            run.console.print(f"  {len(self._generator.questions)} answers: {describe_scores(score.answers)}")
