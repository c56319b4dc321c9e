"""A file of prompts to a file of predictions."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.data.tasks.task import Task
from scimind.errors import ConfigError
from scimind.generate.answer_rules import AnswerRules, prediction_row, read_rules
from scimind.generate.batch import Generated
from scimind.generate.choices import Choices, Ranked, rank_batch
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import batch_buckets, bucket_for, generate_batch, prompt_fault
from scimind.generate.prediction_file import PredictionWriter, check_output
from scimind.generate.prompts import EncodedPrompt, Prompt, encode_prompts, read_prompts
from scimind.generate.provenance import run_notes
from scimind.generate.settings import GenerationSettings
from scimind.runtime.console import Console, duration, quiet_console
from scimind.runtime.run_folder import RunFolder
from scimind.tokenizer import TokenCodec

WINDOW_BATCHES = 8
_FAILURES_SHOWN = 5


@dataclass
class PredictSummary:
    """What a run did.

    Attributes:
        path: The file of predictions.
        total: Prompts of the input.
        continued: Predictions that an earlier run had written.
        reasons: Number of this run's answers per finish reason.
        failures: Id and message of this run's prompts without an answer.
        output_tokens: Tokens that this run generated.
        seconds: Time of this run's generation.
    """

    path: Path
    total: int
    continued: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    output_tokens: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Returns one line for the console."""
        names = {
            "stop": "ended by themselves",
            "length": "cut at the length limit",
            "choice": "chosen",
            "error": "failed",
        }
        parts = [f"{self.reasons[reason]} {name}" for reason, name in names.items() if self.reasons[reason]]
        if self.continued:
            parts.insert(0, f"{self.continued} were there already")
        rate = f", {self.output_tokens / self.seconds:.0f} tokens/s" if self.output_tokens and self.seconds else ""
        return f"{self.total} prompts: {', '.join(parts)}{rate}. Predictions: {self.path}"


def predict(
    config: Mapping[str, Any],
    input_path: str | Path,
    output_path: str | Path,
    task: str | Path | Task | None = None,
    *,
    choices: str | Path | None = None,
    overwrite: bool = False,
) -> PredictSummary:
    """Answers every prompt of a file with the model of a configuration.

    Args:
        config: The run configuration; its `generation` section holds the settings, `load_checkpoint` the weights.
        input_path: Prompts, see `read_prompts`.
        output_path: `.jsonl` or `.txt`, see `PredictionWriter`. An interrupted run continues when it is started again.
        task: What is asked, see `find_task`: the file may hold bare molecules, sequences or raw records, and answers
            are read as the task's. Where the answer is one of few, the most likely one is taken, with probabilities.
        choices: A file of answers, one a line, of which each prompt gets the most likely one.
        overwrite: Start over instead of continuing.

    Returns:
        Counts of the run, also printed.

    Raises:
        SciMindError: Settings, prompts, checkpoint or the prediction file are at fault.
    """
    # All that can be checked without the model comes before it, for it takes its time.
    settings = GenerationSettings.from_config(config)
    codec = codec_of(config)
    rules = read_rules(task, choices)
    if rules.choices:
        Choices.encode(codec, rules.choices)  # tells what is wrong with them
    prompts = read_prompts(input_path, task)
    check_output(output_path)
    run = run_notes(settings, codec.fingerprint(), config.get("load_checkpoint"), rules)
    folder = RunFolder.create(config.get("output_dir") or "output", "predict")
    with quiet_console(folder.log_file) as console:
        from scimind.generate.decoders.full import load_decoder

        decoder = load_decoder(config, settings, console)
        summary = predict_file(
            decoder,
            codec,
            prompts,
            settings,
            input_path,
            output_path,
            run,
            answers=rules,
            overwrite=overwrite,
            console=console,
        )
        console.print(str(summary))
    return summary


def codec_of(config: Mapping[str, Any]) -> TokenCodec:
    """Returns the tokenizer that a configuration names.

    Raises:
        ConfigError: It names none.
    """
    tokenizer = (config.get("processor") or {}).get("tokenizer")
    if not tokenizer:
        raise ConfigError("processor.tokenizer is missing; without it no prompt can be read")
    return TokenCodec(tokenizer.get("vocab_file"), extension=tokenizer.get("extension", True))


def predict_file(
    decoder: Decoder,
    codec: TokenCodec,
    prompts: Sequence[Prompt],
    settings: GenerationSettings,
    input_path: str | Path,
    output_path: str | Path,
    run: Mapping[str, Any],
    *,
    answers: AnswerRules | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> PredictSummary:
    """Answers prompts into a file, continuing what an earlier run left.

    Args:
        decoder: The model.
        codec: Its tokenizer.
        prompts: All prompts of the input file.
        settings: How to generate.
        input_path: The input file, for error messages.
        output_path: The file of predictions.
        run: What the answers depend on, see `run_notes`.
        answers: How answers are found and read; by default they are generated and left as they are.
        overwrite: Start over instead of continuing.
        console: Shows the progress; standard error by default.

    Raises:
        DataError: A prompt cannot be encoded, or the prediction file is at fault.
    """
    encoded = encode_prompts(codec, prompts, input_path)
    answers = answers or AnswerRules()
    console = console or Console(sys.stderr)
    with PredictionWriter(output_path, [prompt.as_row() for prompt in encoded], run, overwrite) as writer:
        try:
            summary = predict_prompts(decoder, codec, encoded, settings, writer, console, answers)
        except KeyboardInterrupt:
            done = f"{writer.written} of {len(encoded)} predictions are in {writer.rows_path}"
            console.print(f"Interrupted: {done}. Start the same command again to continue.")
            raise
        writer.finish()
    for failure in summary.failures[:_FAILURES_SHOWN]:  # a text file has no room for them
        console.print(failure)
    if len(summary.failures) > _FAILURES_SHOWN:
        console.print(f"… and {len(summary.failures) - _FAILURES_SHOWN} more")
    return summary


def predict_prompts(
    decoder: Decoder,
    codec: TokenCodec,
    prompts: Sequence[EncodedPrompt],
    settings: GenerationSettings,
    writer: PredictionWriter,
    console: Console,
    rules: AnswerRules,
) -> PredictSummary:
    """Answers the prompts that a writer does not have yet, and hands them to it.

    Args:
        decoder: The model.
        codec: Its tokenizer.
        prompts: All prompts of the input.
        settings: How to generate.
        writer: Where the predictions go; its first `written` prompts are passed over.
        console: Shows the progress.
        rules: How answers are found and read.
    """
    choices = Choices.encode(codec, rules.choices) if rules.choices else None
    summary = PredictSummary(writer.path, len(prompts), continued=writer.written)
    # One batch size for the whole run, decided by all prompts: a decoder compiles once, and a run that continues
    # computes with the same shapes as one that was never interrupted.
    batch_rows = bucket_for(min(len(prompts), settings.batch_size), batch_buckets(settings.batch_size))
    started = time.monotonic()

    def count(tokens: int) -> None:
        summary.output_tokens += tokens
        progress.show(f"{summary.output_tokens / max(time.monotonic() - started, 1e-9):.0f} tokens/s")

    def answer(ids: Sequence[Sequence[int]], numbers: Sequence[int]) -> Sequence[Generated | Ranked]:
        if choices is not None:
            return rank_batch(decoder, ids, choices, vocab_size=codec.vocab_size, rows=batch_rows)
        return generate_batch(
            decoder,
            ids,
            settings,
            eos_id=codec.eos_id,
            vocab_size=codec.vocab_size,
            pad_id=codec.pad_id,
            streams=numbers,
            rows=batch_rows,
            on_step=count,
        )

    with console.progress(len(prompts), "predict", unit="prompt", every=1, initial=writer.written) as progress:
        for batch in plan_batches([len(prompt.ids) for prompt in prompts], settings.batch_size, decoder.max_length):
            new = [index for index in batch if index >= summary.continued]
            if not new:
                continue
            answers = answer([prompts[index].ids for index in batch], batch)
            for index, found in zip(batch, answers, strict=True):
                if index >= summary.continued:
                    row = prediction_row(prompts[index], found, codec, rules, choices)
                    writer.add(index, row)
                    summary.reasons[row["finish_reason"]] += 1
                    if found.message:
                        summary.failures.append(f"prompt {prompts[index].id}: {found.message}")
            writer.flush()
            seconds = max(time.monotonic() - started, 1e-9)
            speed = f"{summary.output_tokens / seconds:.0f} tokens/s, " if choices is None else ""
            progress.advance(len(new), f"{speed}{duration(progress.remaining())} left")
    summary.seconds = time.monotonic() - started
    return summary


def plan_batches(
    lengths: Sequence[int], batch_size: int, max_length: int, window_batches: int = WINDOW_BATCHES
) -> list[list[int]]:
    """Returns the batches of a run: prompts of similar length together, within windows of the input's order.

    Windows let predictions be written in input order while the run goes on. The plan depends on all prompts and not on
    what is done, so that a run that continues meets the same batches.

    Args:
        lengths: Tokens of each prompt.
        batch_size: Prompts of a batch.
        max_length: Positions of the model. A prompt that cannot be answered is a batch of its own and costs nothing.
        window_batches: Batches of a window.

    Returns:
        Indices of prompts, every one once; within a window the batch that holds the earliest prompt comes first.
    """
    batches: list[list[int]] = []
    for start in range(0, len(lengths), batch_size * window_batches):
        window = range(start, min(start + batch_size * window_batches, len(lengths)))
        unfit = [index for index in window if prompt_fault(lengths[index], max_length)]
        fit = sorted(set(window).difference(unfit), key=lambda index: (lengths[index], index))
        planned = [fit[place : place + batch_size] for place in range(0, len(fit), batch_size)]
        batches += sorted(planned + [[index] for index in unfit], key=min)
    return batches
