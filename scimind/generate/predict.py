"""A file of prompts to a file of predictions."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scimind.generate.decoding import Decoder, Generated, batch_buckets, bucket_for, generate_batch, prompt_fault
from scimind.generate.notes import run_notes
from scimind.generate.prompts import EncodedPrompt, Prompt, encode_prompts, read_prompts
from scimind.generate.settings import GenerationSettings
from scimind.generate.writing import PredictionWriter, check_output
from scimind.tokenizer import TokenCodec

WINDOW_BATCHES = 8
_FAILURES_SHOWN = 5
_REFRESH_SECONDS, _REFRESH_SECONDS_IN_A_LOG = 0.5, 30.0


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
            "error": "failed",
        }
        parts = [f"{self.reasons[reason]} {name}" for reason, name in names.items() if self.reasons[reason]]
        if self.continued:
            parts.insert(0, f"{self.continued} were there already")
        rate = f", {self.output_tokens / self.seconds:.0f} tokens/s" if self.seconds else ""
        return f"{self.total} prompts: {', '.join(parts)}{rate}. Predictions: {self.path}"


def predict(
    config: Mapping[str, Any],
    input_path: str | Path,
    output_path: str | Path,
    task: str | None = None,
    *,
    overwrite: bool = False,
) -> PredictSummary:
    """Answers every prompt of a file with the model of a configuration.

    Args:
        config: The run configuration; its `generation` section holds the settings, `load_checkpoint` the weights.
        input_path: Prompts, see `read_prompts`.
        output_path: `.jsonl` or `.txt`, see `PredictionWriter`. An interrupted run continues when it is started again.
        task: "smiles2text" or "text2smiles" where the file holds bare molecules or descriptions.
        overwrite: Start over instead of continuing.

    Returns:
        Counts of the run, also printed.

    Raises:
        SciMindError: Settings, prompts, checkpoint or the prediction file are at fault.
    """
    from scimind.generate.decoders import load_decoder

    # All that can be checked without the model comes before it, for it takes its time.
    settings = GenerationSettings.from_config(config)
    prompts = read_prompts(input_path, task)
    check_output(output_path)
    decoder = load_decoder(config)
    run = run_notes(settings, decoder.codec.fingerprint(), config.get("load_checkpoint"))
    summary = predict_file(decoder, decoder.codec, prompts, settings, input_path, output_path, run, overwrite=overwrite)
    print(summary)
    return summary


def predict_file(
    decoder: Decoder,
    codec: TokenCodec,
    prompts: Sequence[Prompt],
    settings: GenerationSettings,
    input_path: str | Path,
    output_path: str | Path,
    run: Mapping[str, Any],
    *,
    overwrite: bool = False,
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
        overwrite: Start over instead of continuing.

    Raises:
        DataError: A prompt cannot be encoded, or the prediction file is at fault.
    """
    encoded = encode_prompts(codec, prompts, input_path)
    with PredictionWriter(output_path, [prompt.as_row() for prompt in encoded], run, overwrite) as writer:
        try:
            summary = predict_prompts(decoder, codec, encoded, settings, writer)
        except KeyboardInterrupt:
            done = f"{writer.written} of {len(encoded)} predictions are in {writer.rows_path}"
            print(f"Interrupted: {done}. Start the same command again to continue.", file=sys.stderr)
            raise
        writer.finish()
    for failure in summary.failures[:_FAILURES_SHOWN]:  # a text file has no room for them
        print(failure, file=sys.stderr)
    if len(summary.failures) > _FAILURES_SHOWN:
        print(f"… and {len(summary.failures) - _FAILURES_SHOWN} more", file=sys.stderr)
    return summary


def predict_prompts(
    decoder: Decoder,
    codec: TokenCodec,
    prompts: Sequence[EncodedPrompt],
    settings: GenerationSettings,
    writer: PredictionWriter,
) -> PredictSummary:
    """Answers the prompts that a writer does not have yet, and hands them to it.

    Args:
        decoder: The model.
        codec: Its tokenizer.
        prompts: All prompts of the input.
        settings: How to generate.
        writer: Where the predictions go; its first `written` prompts are passed over.
    """
    summary = PredictSummary(writer.path, len(prompts), continued=writer.written)
    # One batch size for the whole run, decided by all prompts: a decoder compiles once, and a run that continues
    # computes with the same shapes as one that was never interrupted.
    batch_rows = bucket_for(min(len(prompts), settings.batch_size), batch_buckets(settings.batch_size))
    interval = _REFRESH_SECONDS if sys.stderr.isatty() else _REFRESH_SECONDS_IN_A_LOG
    started = time.monotonic()
    shown = [started]
    with tqdm(total=len(prompts), initial=writer.written, unit="prompt", mininterval=interval, ncols=100) as bar:

        def count(tokens: int) -> None:
            summary.output_tokens += tokens
            now = time.monotonic()
            bar.set_postfix_str(f"{summary.output_tokens / max(now - started, 1e-9):.0f} tokens/s", refresh=False)
            if now - shown[0] > interval:  # between two batches too: a batch of long answers takes its time
                bar.refresh()
                shown[0] = now

        for batch in plan_batches([len(prompt.ids) for prompt in prompts], settings.batch_size, decoder.max_length):
            new = [index for index in batch if index >= summary.continued]
            if not new:
                continue
            answers = generate_batch(
                decoder,
                [prompts[index].ids for index in batch],
                settings,
                eos_id=codec.eos_id,
                vocab_size=codec.vocab_size,
                streams=batch,
                rows=batch_rows,
                on_step=count,
            )
            for index, answer in zip(batch, answers, strict=True):
                if index >= summary.continued:
                    writer.add(index, _prediction(prompts[index], answer, codec))
                    summary.reasons[answer.finish_reason] += 1
                    if answer.message:
                        summary.failures.append(f"prompt {prompts[index].id}: {answer.message}")
            writer.flush()
            bar.update(len(new))
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


def _prediction(prompt: EncodedPrompt, answer: Generated, codec: TokenCodec) -> dict[str, Any]:
    """Returns the row of one answer, in the order in which people read it."""
    prediction: dict[str, Any] = {
        "id": prompt.id,
        "prompt": prompt.text,
        "output": codec.decode(answer.ids) if answer.ids else "",
        "finish_reason": answer.finish_reason,
        "prompt_tokens": len(prompt.ids),
        "output_tokens": len(answer.ids),
    }
    if prompt.reference is not None:
        prediction["reference"] = prompt.reference
    if answer.message:
        prediction["message"] = answer.message
    return prediction
