"""The callback that warns of a training that goes wrong."""

from __future__ import annotations

from typing import Any

from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.train.alarms.answers import endless_answers
from scimind.train.alarms.loss import LossWatch
from scimind.train.answers.generator import AnswerGenerator
from scimind.train.run import TrainingRun


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindAlarms(Callback):
    """Warns, once each, of a loss that diverges and of generated answers that do not end.

    Args:
        run: The training.
        generator: What generates answers; None if nothing does.
    """

    def __init__(self, run: TrainingRun, generator: AnswerGenerator | None = None) -> None:
        super().__init__()
        self._run, self._generator = run, generator
        self._loss = LossWatch()

    def on_train_begin(self, run_context: Any) -> None:
        """Reads the steps of an earlier run, which were warned of then, or looks at the evaluation before the first."""
        for record in self._run.records:
            self._loss.add(record.step, record.loss)
        if self._run.first_step == 0 and self._run.records:
            self._look_at_answers()

    def on_train_step_end(self, run_context: Any) -> None:
        """Looks at the step, and at its evaluation if there was one."""
        record = self._run.records[-1]
        self._warn(self._loss.add(record.step, record.loss))
        self._look_at_answers()

    def _look_at_answers(self) -> None:
        generator, record = self._generator, self._run.records[-1]
        if generator is None or record.evaluation is None:
            return
        warning = endless_answers(
            record.evaluation.answers["cut"],
            step=record.step,
            is_late=2 * record.step >= self._run.total_steps,
            limit=generator.limit,
            allowed=generator.allowed,
            longest=generator.longest_reference,
            without_end=sum(not question.has_end for question in generator.questions),
            questions=len(generator.questions),
        )
        if warning is not None:
            self._generator = None
            self._warn(warning)

    def _warn(self, warning: str | None) -> None:
        if warning is not None:
            self._run.console.print(f"warning: {warning}")
