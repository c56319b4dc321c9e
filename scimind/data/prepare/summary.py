"""What a preparation did: counts, for the console and for the JSON file beside the records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass
class PrepareSummary:
    """Counts of one preparation.

    Args:
        task: What was asked for.
        inputs: The files that were read.
        files: The files that were written, by name; the last is this summary.
        seq_length: Positions s of the model; rows have s + 1 columns.
        policy: What was done with longer records.
        loss_on_prompt: Whether prompts are labels.
        tokenizer: `fingerprint`, `vocab_size`, `modality_ranges` of the vocabulary that made the ids.
        read: Records that were found, faulty ones included.
        packed: Whether a row holds several records.
        written: Records in the MindRecord files, `evaluation` included.
        rows: Rows of the MindRecord files; as many as records unless `packed`.
        fill: Share of a row's positions that are no padding, with a record in each (`record`) and as it is (`row`).
        evaluation: Records set aside for evaluation or test.
        truncated: Records of `written` whose question was cut.
        repaired: Records whose molecules had doubled backslashes.
        dropped: Records that were left out, by reason.
        defects: The same records, by what is wrong with them.
        kept: What is listed among the rejects although it was kept: mended files, other answers to the same question.
        splits: Records of each MindRecord file, by its name.
        split: How records were set aside: `by`, `seed`, `evaluation`, `test`, `groups`.
        settings: How records were read.
        detected: Sequences that were found without marks, by modality.
        labels: Records of each label, the most frequent first, of tasks with labels.
        tasks: Of each task of a mixture: `read`, `train`, `wanted`, `epochs`, `share`.
        checksums: SHA-256 of each input and each written file.
        tokens: Ids of the written records by modality; BOS and EOS are text.
        answer_tokens: Labels of the written records that are learnt.
        lengths: Quantiles of the length in ids of all records that could be encoded, before any cut.
        version: SciMind's version.
    """

    task: str
    inputs: list[str]
    files: list[str]
    seq_length: int
    policy: str
    loss_on_prompt: bool
    tokenizer: dict[str, object]
    version: str
    packed: bool = False
    read: int = 0
    written: int = 0
    rows: int = 0
    fill: dict[str, float] = field(default_factory=dict)
    evaluation: int = 0
    truncated: int = 0
    repaired: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: {"faulty": 0, "too long": 0})
    tokens: dict[str, int] = field(default_factory=dict)
    answer_tokens: int = 0
    lengths: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    detected: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    checksums: dict[str, dict[str, str]] = field(default_factory=dict)

    def set_lengths(self, counts: Mapping[int, int]) -> None:
        """Fills `lengths` from the number of records of each length; a quantile is a length that occurs."""
        if counts:
            values = sorted(counts)
            ends = np.cumsum([counts[value] for value in values])  # of each length in the sorted list of all
            places = [math.ceil(share * (int(ends[-1]) - 1)) for share in _QUANTILES.values()]
            found = [values[int(np.searchsorted(ends, place, side="right"))] for place in places]
            self.lengths = dict(zip(_QUANTILES, found, strict=True))

    def set_fill(self) -> None:
        """Fills `fill` from the other counts."""
        positions, width = sum(self.tokens.values()), self.seq_length + 1
        self.fill = {"record": positions / (self.written * width), "row": positions / (self.rows * width)}

    def to_json(self) -> dict[str, object]:
        """Returns the summary as its file holds it."""
        return asdict(self)

    def table(self) -> str:
        """Returns a few lines for a person."""
        rows = [("records read", f"{self.read:,}")]
        rows += [(f"left out, {reason}", f"{count:,}") for reason, count in self.dropped.items() if count]
        if set(self.defects) - {"too long", "duplicate", "conflicting answers"}:
            rows += [(f"  {defect}", f"{count:,}") for defect, count in self.defects.items() if defect != "too long"]
        rows += [(f"listed and kept, {defect}", f"{count:,}") for defect, count in self.kept.items()]
        if self.repaired:
            rows.append(("backslashes repaired", f"{self.repaired:,}"))
        if self.truncated:
            rows.append(("questions cut", f"{self.truncated:,}"))
        rows.append(("records written", f"{self.written:,}"))
        if self.evaluation:
            rows.append(("of these to evaluate", f"{self.evaluation:,}"))
        rows += [(f"detected, {tag}", f"{count:,}") for tag, count in self.detected.items()]
        rows += [
            (f"task {name}", f"{task['wanted']:,} of {task['train']:,} ({task['epochs']:.2f} epochs)")
            for name, task in self.tasks.items()
        ]
        if self.packed:
            rows.append(("rows written", f"{self.rows:,} ({self.written / self.rows:.1f} records in a row)"))
            rows.append(("rows filled", f"{self.fill['row']:.1%} (unpacked {self.fill['record']:.1%})"))
        rows += [(f"{name} tokens", f"{count:,}") for name, count in self.tokens.items() if count]
        rows.append(("answer tokens", f"{self.answer_tokens:,}"))
        quantiles = ", ".join(f"{name} {value:,}" for name, value in self.lengths.items())
        rows.append(("length in tokens", f"{quantiles} (room for {self.seq_length + 1:,})"))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
