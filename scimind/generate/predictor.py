"""Answers prompts with a model in memory and writes a file of predictions."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.generate.answer_rules import AnswerRules
from scimind.generate.answer_search import AnswerSearch, Searched
from scimind.generate.batch import Generated
from scimind.generate.buckets import batch_buckets, bucket_for
from scimind.generate.choices import Ranked, rank_batch
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import generate_batch, prompt_fault
from scimind.generate.prediction_file import PredictionWriter
from scimind.generate.prediction_rows import prediction_row
from scimind.generate.prompts import EncodedPrompt
from scimind.generate.row_collector import RowWriter
from scimind.generate.settings import GenerationSettings
from scimind.runtime.console import Console
from scimind.tokenizer import TokenCodec

WINDOW_BATCHES = 8
_POOLED_BATCHES = 8  # batches of prompts whose longest searches continue together


@dataclass
class PredictSummary:
    """The outcome of a prediction run.

    Attributes:
        path: The file of predictions.
        total: Number of prompts in the input.
        continued: Number of predictions that an earlier run had written.
        reasons: Number of this run's answers per finish reason.
        failures: Id and message of each prompt that could not be answered, those of an earlier run included.
        output_tokens: Number of tokens that this run generated.
        seconds: Time that this run spent generating.
    """

    path: Path
    total: int
    continued: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    output_tokens: int = 0
    seconds: float = 0.0

    def complaint(self) -> str:
        """Returns one line about the prompts without an answer: how many, where they are marked, and the first."""
        number = len(self.failures)
        where = (
            f"empty lines in {self.path}; reasons in {self.path.name}.run.json"
            if self.path.suffix == ".txt"
            else f'see "finish_reason": "error" in {self.path}'
        )
        return f"{number} of {self.total} prompts could not be answered ({where}): {self.failures[0]}"

    def __str__(self) -> str:
        """Returns one line for the console."""
        names = {
            "stop": "finished",
            "length": "cut at the length limit",
            "completed": "completed as the rule demands",
            "shortened": "shortened as the rule demands",
            "choice": "chosen",
            "none": "without an answer that fulfils the conditions",
            "error": "failed",
        }
        parts = [f"{self.reasons[reason]} {name}" for reason, name in names.items() if self.reasons[reason]]
        if self.continued:
            parts.insert(0, f"{self.continued} already written")
        rate = f", {self.output_tokens / self.seconds:.0f} tokens/s" if self.output_tokens and self.seconds else ""
        return f"{self.total} prompt{'s' * (self.total != 1)}: {', '.join(parts)}{rate}. Predictions: {self.path}"


class Predictor:
    """Answers prompts with a model.

    Args:
        decoder: The model.
        codec: Its tokenizer.
        settings: How to generate.
        rules: How answers are obtained and read; by default they are generated and left unchanged.
        console: Shows progress; standard error by default.
        search: How answers are searched for; None if each is decoded token by token.
    """

    def __init__(
        self,
        decoder: Decoder,
        codec: TokenCodec,
        settings: GenerationSettings,
        rules: AnswerRules | None = None,
        console: Console | None = None,
        search: AnswerSearch | None = None,
    ) -> None:
        self.decoder, self.codec, self.settings = decoder, codec, settings
        self.rules = rules or AnswerRules()
        self.console = console or Console(sys.stderr)
        self.search = search
        self._prompts_at_a_time = settings.batch_size if search is None else search.prompts_of_a_batch(decoder)

    def predict_file(
        self,
        prompts: Sequence[EncodedPrompt],
        output_path: str | Path,
        run: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ) -> PredictSummary:
        """Answers prompts and writes the answers to a file, continuing an earlier run.

        Args:
            prompts: All prompts of the input file.
            output_path: The file of predictions.
            run: What the answers depend on; see `run_notes`.
            overwrite: Start over instead of continuing.

        Raises:
            DataError: The prediction file is faulty.
        """
        with PredictionWriter(output_path, [prompt.as_row() for prompt in prompts], run, overwrite) as writer:
            try:
                summary = self.predict_prompts(prompts, writer)
            except KeyboardInterrupt:
                done = f"{writer.written} of {len(prompts)} predictions are in {writer.rows_path}"
                self.console.print(f"Interrupted: {done}. Start the same command again to continue.")
                raise
            writer.finish()
        summary.failures = writer.failures
        return summary

    def predict_prompts(self, prompts: Sequence[EncodedPrompt], writer: RowWriter) -> PredictSummary:
        """Answers the prompts that a writer does not have yet, and adds their predictions to it.

        Args:
            prompts: All prompts of the input.
            writer: Receives the predictions; its first `written` prompts are skipped.
        """
        summary = PredictSummary(writer.path, len(prompts), continued=writer.written)
        batch_size = self._prompts_at_a_time
        # One batch size for the whole run, derived from all prompts: a decoder compiles once, and a continued run
        # computes with the same shapes as an uninterrupted one.
        batch_rows = bucket_for(min(len(prompts), batch_size), batch_buckets(batch_size))
        started = time.monotonic()

        def speed() -> str:
            return f"{summary.output_tokens / max(time.monotonic() - started, 1e-9):.0f} tokens/s"

        def count(tokens: int) -> None:
            summary.output_tokens += tokens
            progress.show(speed())

        def answered(number: int) -> None:
            progress.advance(number, speed() if self.rules.choices is None else "", with_time=True)

        lengths = [len(prompt.ids) for prompt in prompts]
        if self.search is None:
            batches = plan_batches(lengths, batch_size, self.decoder.max_length)
        else:
            batches = plan_batches(lengths, batch_size * _POOLED_BATCHES, self.decoder.max_length, 1)
        with self.console.progress(len(prompts), "predict", unit="prompt", every=1, initial=writer.written) as progress:
            for batch in batches:
                new = [index for index in batch if index >= summary.continued]
                if not new:
                    continue
                # Searches tell when they end; of those that are done again, the last ones count.
                again = len(batch) - len(new)
                on_end = _after(again, answered)
                answers = self._answer([prompts[index] for index in batch], batch, batch_rows, count, on_end)
                for index, answer in zip(batch, answers, strict=True):
                    if index >= summary.continued:
                        row = prediction_row(prompts[index], answer, self.codec, self.rules)
                        writer.add(index, row)
                        summary.reasons[row["finish_reason"]] += 1
                writer.flush()
                if self.search is None:
                    answered(len(new))
        summary.seconds = time.monotonic() - started
        return summary

    def _answer(
        self,
        prompts: Sequence[EncodedPrompt],
        numbers: Sequence[int],
        rows: int,
        on_step: Callable[[int], None],
        on_end: Callable[[int], None],
    ) -> Sequence[Generated | Ranked | Searched]:
        """Returns the answers of one batch, generated, searched for or chosen.

        Args:
            prompts: The prompts.
            numbers: Place of each prompt in the input, from 0.
            rows: Prompts to run the decoder with.
            on_step: Called from time to time with the number of tokens generated since the previous call.
            on_end: Called by a search with the number of prompts answered since the previous call.
        """
        ids = [prompt.ids for prompt in prompts]
        if self.search is not None:
            leads = [prompt.lead for prompt in prompts]
            return self.search.answer(
                self.decoder, ids, numbers=numbers, leads=leads, rows=rows, on_step=on_step, on_end=on_end
            )
        if self.rules.choices is not None:
            return rank_batch(self.decoder, ids, self.rules.choices, vocab_size=self.codec.vocab_size, rows=rows)
        return generate_batch(
            self.decoder,
            ids,
            self.settings,
            eos_id=self.codec.eos_id,
            vocab_size=self.codec.vocab_size,
            pad_id=self.codec.pad_id,
            streams=numbers,
            rows=rows,
            on_step=on_step,
        )


def _after(number: int, call: Callable[[int], None]) -> Callable[[int], None]:
    """Returns a function that passes on what it is called with, less the first `number`."""
    left = number

    def passed(count: int) -> None:
        nonlocal left
        skipped = min(left, count)
        left -= skipped
        if count > skipped:
            call(count - skipped)

    return passed


def plan_batches(
    lengths: Sequence[int], batch_size: int, max_length: int, window_batches: int = WINDOW_BATCHES
) -> list[list[int]]:
    """Returns the batches of a run: prompts of similar length together, within windows of the input's order.

    Windows allow predictions to be written in input order during the run. The plan depends on all prompts and not on
    the progress, so that a continued run has the same batches.

    Args:
        lengths: Number of tokens of each prompt.
        batch_size: Number of prompts per batch.
        max_length: The model's number of positions. A prompt that cannot be answered is a separate batch, at no cost.
        window_batches: Number of batches per window.

    Returns:
        Indices of prompts, each once; within a window the batch with the earliest prompt comes first.
    """
    batches: list[list[int]] = []
    for start in range(0, len(lengths), batch_size * window_batches):
        window = range(start, min(start + batch_size * window_batches, len(lengths)))
        unfit = [index for index in window if prompt_fault(lengths[index], max_length)]
        fit = sorted(set(window).difference(unfit), key=lambda index: (lengths[index], index))
        planned = [fit[place : place + batch_size] for place in range(0, len(fit), batch_size)]
        batches += sorted(planned + [[index] for index in unfit], key=min)
    return batches
