"""What SciMind costs as the work grows: only our own figures, with one process per point."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from decoding import ANSWER, PROMPT, SciMindDecoding
from llama import SIZES, SMOKE
from pairs import Measuring
from report import Cost
from tokenizer import record_texts
from training import BATCH_SIZE, SciMindTraining
from worker import Side, Work, Worker

# Half of the experts for text, half for the rest: the configuration's default, at any number of experts.
_HALVES = {"router": "modality", "num_experts": 16}
_LENGTHS, _BATCHES = (128, 256, 512, 1024), (4, 8, 16, 32)
_EXPERTS, _VOCABULARIES = (2, 4, 16, 64), (1024, 4096, 16384, 32768)
_ROWS, _RECORDS = (1, 4, 16), (2_000, 8_000, 32_000)


def training_costs(how: Measuring, *, smoke: bool) -> Iterator[Cost]:
    """Yields a routed training step by sequence length, batch, experts and vocabulary."""
    base = SMOKE if smoke else SIZES
    batch_size = 2 if smoke else BATCH_SIZE
    points = [
        *(("sequence length", n, replace(base, seq_length=n), 4, _HALVES) for n in ((8,) if smoke else _LENGTHS)),
        *(("batch", n, base, n, _HALVES) for n in ((1,) if smoke else _BATCHES)),
        *(("experts", n, base, batch_size, {**_HALVES, "num_experts": n}) for n in ((2,) if smoke else _EXPERTS)),
        *(("vocabulary", n, replace(base, vocab_size=n), 4, _HALVES) for n in ((128,) if smoke else _VOCABULARIES)),
    ]
    for grows, value, sizes, rows, routing in points:
        given = {"sizes": sizes, "batch_size": rows, "routing": routing}
        details = {**sizes.to_model_config(), "batch_size": rows, "routing": routing}
        work = "training step" if grows == "batch" else f"training step, batch {rows}"
        side = Side("SciMind", SciMindTraining, given)
        yield _cost(work, grows, value, side, "tokens", rows * sizes.seq_length, details, how)


def decoding_costs(how: Measuring, *, smoke: bool) -> Iterator[Cost]:
    """Yields decoding with a cache by batch."""
    prompt, answer = (4, 6) if smoke else (PROMPT, ANSWER)
    sizes = replace(SMOKE if smoke else SIZES, seq_length=prompt + answer)
    for rows in (1,) if smoke else _ROWS:
        given = {"sizes": sizes, "rows": rows, "prompt": prompt, "routing": _HALVES}
        details = {**sizes.to_model_config(), "batch_size": rows, "prompt": prompt, "answer": answer}
        side = Side("SciMind", SciMindDecoding, given)
        yield _cost("decoding", "batch", rows, side, "tokens", rows * answer, details, how)


def record_costs(how: Measuring, *, smoke: bool) -> Iterator[Cost]:
    """Yields `scimind prepare` by records, with one run in a new process each, as a user starts it."""
    once = replace(how, warm_up=0, repeats=1)
    for records in (20,) if smoke else _RECORDS:
        side = Side("SciMind", Preparation, {"records": records})
        yield _cost("scimind prepare", "records", records, side, "records", records, {}, once)


class Preparation(Work):
    """`scimind prepare` on conversations in the sample's form.

    Args:
        records: Number of records.
    """

    def __init__(self, records: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="scimind-bench-")
        self.input = Path(self.folder.name, "records.json")
        with self.input.open("w", encoding="utf-8") as stream:
            for index, text in enumerate(record_texts(records, 0)):
                question, answer = text.removeprefix(" [INST]: ").split(" [/INST]: ", 1)
                turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
                stream.write(json.dumps({"id": str(index), "conversation": turns}) + "\n")

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns no outputs, as it has no other side to compare with."""
        return {}

    def run(self) -> None:
        """Prepares the records once."""
        from scimind.cli import main

        output = Path(self.folder.name, "prepared")
        given = ["--task", "conversation", "--input", str(self.input), "--output", str(output), "--overwrite"]
        if main(["prepare", *given]):
            raise RuntimeError("scimind prepare failed; see the log for the reason")

    def facts(self) -> dict[str, str]:
        """Returns no facts: those of the other lines apply."""
        return {}


def _cost(
    work: str, grows: str, value: int, side: Side, unit: str, units: int, details: dict[str, Any], how: Measuring
) -> Cost:
    """Returns a point's median time and peak memory."""
    how.say(f"{work}, {grows} {value}")
    with Worker(side, how.log) as worker:
        seconds = [worker.seconds() for _ in range(how.warm_up + how.repeats)][how.warm_up :]
        record = {"seconds": seconds, "details": details, "facts": [worker.facts]}
        return Cost(work, grows, value, median(seconds), unit, units, worker.peak_bytes(), record)
