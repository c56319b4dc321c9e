"""The summary of a preparation: counts for the console and for the JSON file next to the records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scimind._version import __version__
from scimind.data.defects import TOO_LONG
from scimind.data.formats.opening import regular_file
from scimind.data.prepare.options import PrepareOptions
from scimind.data.prepare.result_files import RejectCounts, SplitCounts
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.writing import RecordCounts
from scimind.hashing import file_checksum
from scimind.modality import MODALITY_NAMES
from scimind.tokenizer import TokenCodec

_READING = ("molecules", "randomised", "detect", "duplicates", "ambiguous")  # settings
_MOST_FILES = 10
_KEPT_SHARES = (95, 99, 100)  # percent
_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class PrepareSummary:
    """The counts of one preparation.

    Args:
        task: The task, or the tasks of a mixture.
        inputs: The files that were read.
        formats: How each file was understood, by path: format, separator, encoding, header, columns.
        files: The names of the files that were written; the last is this summary.
        seq_length: Sequence length s of the model; rows have s + 1 columns.
        policy: What was done with longer records.
        loss_on_prompt: Whether prompts are labels.
        tokenizer: `fingerprint`, `vocab_size` and `modality_ranges` of the tokenizer that made the ids.
        read: Number of records found, including faulty ones.
        packed: Whether a row may hold several records.
        written: Number of records in the MindRecord files, including `evaluation`.
        rows: Number of rows of the MindRecord files; equal to `written` unless `packed`.
        fill: Share of positions that are not padding, with one record per row (`record`) and as written (`row`).
        evaluation: Number of records set aside for evaluation or testing.
        truncated: Number of written records whose question was cut.
        contradictory: Number of readable records with the question of another one and a different answer.
        repaired: Number of records whose molecules had doubled backslashes.
        readings: How often something was read differently from how it is written, or not used, by what was done.
        dropped: Number of records left out, by reason.
        defects: The same records, by defect.
        kept: Number of listed entries that were not left out: repaired files, other answers to the same question.
        splits: Number of records of each MindRecord file, by name.
        split: How records were set aside: `by`, `seed`, `evaluation`, `test`, and for clusters `identity`.
        settings: How records were read.
        detected: Number of detected untagged sequences, by modality.
        labels: Number of records of each label, the most frequent first, for tasks with labels.
        tasks: For each task of a mixture: `read`, `train`, `wanted`, `epochs`, `share`.
        checksums: SHA-256 of each input and each written file.
        tokens: Number of ids of the written records by modality; BOS and EOS are text.
        answer_tokens: Number of labels of the written records.
        lengths: Quantiles of the length in ids before any cut, over all records that could be encoded.
        needed: The seq_length that would keep 95, 99 and 100 % of those records without a cut, by `95%` and so on.
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
    contradictory: int = 0
    repaired: int = 0
    readings: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    answer_tokens: int = 0
    lengths: dict[str, int] = field(default_factory=dict)
    needed: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    detected: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    checksums: dict[str, dict[str, str]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Returns the summary as JSON values, as written to its file."""
        return asdict(self)

    def table(self) -> str:
        """Returns the summary as a table for the console."""
        rows = [(f"read {Path(path).name}", how) for path, how in list(self.formats.items())[:_MOST_FILES]]
        if len(self.formats) > _MOST_FILES:
            rows.append(("read further files", f"{len(self.formats) - _MOST_FILES:,}, see formats in the summary file"))
        rows.append(("records read", f"{self.read:,}"))
        rows += [(f"left out, {reason}", f"{count:,}") for reason, count in self.dropped.items() if count]
        if set(self.defects) - {"too long", "duplicate", "conflicting answers"}:
            rows += [(f"  {defect}", f"{count:,}") for defect, count in self.defects.items() if defect != "too long"]
        rows += [(f"listed and kept, {defect}", f"{count:,}") for defect, count in self.kept.items()]
        if self.contradictory:
            rows.append(("asked again with another answer", f"{self.contradictory:,}"))
        if self.repaired:
            rows.append(("backslashes repaired", f"{self.repaired:,}"))
        rows += [(reading, f"{count:,}") for reading, count in self.readings.items()]
        if self.truncated:
            rows.append(("questions cut", f"{self.truncated:,}"))
        rows.append(("records written", f"{self.written:,}"))
        if self.evaluation:
            rows.append(("of these set aside", f"{self.evaluation:,}"))
        rows += [(f"detected, {tag}", f"{count:,}") for tag, count in self.detected.items()]
        rows += [
            (f"task {name}", f"{task['wanted']:,} of {task['train']:,} ({task['epochs']:.2f} epochs)")
            for name, task in self.tasks.items()
        ]
        if self.packed:
            rows.append(("rows written", f"{self.rows:,} ({self.written / self.rows:.1f} records per row)"))
            rows.append(("rows filled", f"{self.fill['row']:.1%} (unpacked {self.fill['record']:.1%})"))
        rows += [(f"{name} tokens", f"{count:,}") for name, count in self.tokens.items() if count]
        rows.append(("answer tokens", f"{self.answer_tokens:,}"))
        quantiles = ", ".join(f"{name} {value:,}" for name, value in self.lengths.items())
        rows.append(("length in tokens", f"{quantiles} (room for {self.seq_length + 1:,}: seq_length + 1)"))
        if self.truncated or self.dropped.get(TOO_LONG):
            rows.append(("seq_length that would keep", ", ".join(f"{k} {v:,}" for k, v in self.needed.items())))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


class Written(NamedTuple):
    """The counts made while files were written: of records, of each split (training first), of rejects."""

    records: RecordCounts
    splits: Sequence[SplitCounts]
    rejects: RejectCounts


def summarise(
    sources: Sequence[TaskSource],
    codec: TokenCodec,
    options: PrepareOptions,
    written: Written,
    tasks: dict[str, dict[str, Any]],
) -> PrepareSummary:
    """Returns the summary of a preparation, without the files that were written.

    Args:
        sources: The tasks with their files.
        codec: The vocabulary.
        options: All settings.
        written: The counts.
        tasks: The entry of each task of a mixture, see `PrepareSummary`.
    """
    records, splits, rejects = written
    tokens = dict(zip(MODALITY_NAMES, records.tokens.tolist(), strict=True))
    total, rows = sum(split.records for split in splits), sum(split.rows for split in splits)
    positions, width = sum(tokens.values()), options.seq_length + 1
    files = [file for source in sources for file in source.files]
    splitting = {
        "by": options.split,
        "evaluation": options.eval_fraction,
        "test": options.test_fraction,
        "seed": options.seed,
    }
    return PrepareSummary(
        task=" + ".join(source.name or source.task.name for source in sources),
        inputs=[str(file) for file in files],
        files=[],
        seq_length=options.seq_length,
        policy=options.policy,
        loss_on_prompt=options.loss_on_prompt,
        tokenizer={
            "fingerprint": codec.fingerprint(),
            "vocab_size": codec.vocab_size,
            "modality_ranges": codec.modality_ranges,
        },
        version=__version__,
        packed=options.packed,
        read=records.read,
        written=total,
        rows=rows,
        fill={"record": positions / (total * width), "row": positions / (rows * width)},
        evaluation=sum(split.records for split in splits[1:]),
        truncated=records.truncated,
        contradictory=records.contradictory,
        repaired=records.repaired,
        readings=dict(sorted(records.readings.items())),
        dropped=dict(rejects.dropped),
        tokens=tokens,
        answer_tokens=records.answer_tokens,
        lengths=_quantiles(records.lengths),
        needed=lengths_to_keep(records.lengths),
        defects=dict(rejects.defects),
        kept=dict(rejects.kept),
        splits={split.name: split.records for split in splits},
        split=splitting | ({"identity": options.identity} if options.split == "cluster" else {}),
        settings={
            **{name: getattr(options, name) for name in _READING},
            "on_conflict": {source.name or source.task.name: options.conflict_rule(source.task) for source in sources},
        },
        detected=dict(sorted(records.detected.items())),
        labels=dict(sorted(records.labels.items(), key=lambda item: (-item[1], item[0]))),
        tasks=tasks,
        checksums={"inputs": {str(file.path): file_checksum(regular_file(file.path)) for file in files}},
    )


def _quantiles(counts: Mapping[int, int]) -> dict[str, int]:
    """Returns quantiles of lengths from the number of records of each length; a quantile is a length that occurs."""
    if not counts:
        return {}
    values = sorted(counts)
    ends = np.cumsum([counts[value] for value in values])  # end of each length in the sorted list of all lengths
    places = [math.ceil(share * (int(ends[-1]) - 1)) for share in _QUANTILES.values()]
    lengths = [values[int(np.searchsorted(ends, place, side="right"))] for place in places]
    return dict(zip(_QUANTILES, lengths, strict=True))


def lengths_to_keep(counts: Mapping[int, int]) -> dict[str, int]:
    """Returns the smallest seq_length that keeps at least 95, 99 and 100 % of all records, by `95%` and so on.

    Args:
        counts: Number of records of each length in ids; a record of n ids fits a seq_length of n - 1.
    """
    if not counts:
        return {}
    values = sorted(counts)
    ends = np.cumsum([counts[value] for value in values])
    places = np.searchsorted(100 * ends, [share * ends[-1] for share in _KEPT_SHARES])
    return {f"{share}%": values[place] - 1 for share, place in zip(_KEPT_SHARES, places.tolist(), strict=True)}
