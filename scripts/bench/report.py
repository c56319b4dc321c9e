"""The tables: as Markdown to paste into a document, and as JSON with every measured time."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

from llama import cores
from pairs import Measured

_GIB = 2**30


@dataclass(frozen=True)
class Row:
    """A line of the table of comparisons.

    Args:
        work: The work.
        ours: Our side and its figure.
        against: The other side and its figure.
        ratio: The ratio, with its spread.
        asked: The requirement.
        is_met: Whether the ratio meets the requirement; None if there is none.
        record: All measurements, for the JSON.
    """

    work: str
    ours: str
    against: str = ""
    ratio: str = ""
    asked: str = ""
    is_met: bool | None = None
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """A line of the table of costs as the work grows.

    Args:
        work: The work.
        grows: The quantity that grows, such as "batch".
        value: Its value.
        seconds: Median seconds.
        unit: What is counted, such as "tokens".
        units: Number of units per run.
        peak: Bytes of peak memory.
        record: All measurements, for the JSON.
    """

    work: str
    grows: str
    value: int
    seconds: float
    unit: str
    units: int
    peak: int
    record: dict[str, Any] = field(default_factory=dict)


def pair_rows(measured: Measured) -> list[Row]:
    """Returns the line of a measured pair's times, and those of its memory for which there is a requirement."""
    pair = measured.pair
    record = asdict(measured) | {"ratio": measured.ratio, "ratios": measured.ratios}
    record["pair"] = {"ours": pair.ours.name, "theirs": pair.theirs.name, "details": dict(pair.details)}
    rows = [
        Row(
            work=pair.work,
            ours=f"{pair.ours.name}: {_seconds(median(measured.ours))}",
            against=f"{pair.theirs.name}: {_seconds(median(measured.theirs))}",
            ratio=f"{measured.ratio:.2f} ({min(measured.ratios):.2f}–{max(measured.ratios):.2f})",
            asked="" if pair.at_least is None else f"at least {pair.at_least:g}",
            is_met=None if pair.at_least is None else measured.ratio >= pair.at_least,
            record=record,
        )
    ]
    for kind, both, at_least in (
        ("peak memory", measured.peaks, pair.memory_at_least),
        ("extra memory", measured.extras, pair.extra_memory_at_least),
    ):
        if at_least is None:
            continue
        ratio = both[1] / both[0]
        rows.append(
            Row(
                work=f"{pair.work}, {kind}",
                ours=f"{pair.ours.name}: {both[0] / _GIB:.2f} GiB",
                against=f"{pair.theirs.name}: {both[1] / _GIB:.2f} GiB",
                ratio=f"{ratio:.2f}",
                asked=f"at least {at_least:g}",
                is_met=ratio >= at_least,
                record={"bytes": both},
            )
        )
    return rows


def markdown(rows: Sequence[Row | Cost]) -> str:
    """Returns the tables of comparisons and of costs; an empty table is left out."""
    parts = []
    comparisons = [row for row in rows if isinstance(row, Row)]
    if comparisons:
        lines = [
            [row.work, row.ours, row.against or "–", row.ratio or "–", _asked(row), _memory(row)] for row in comparisons
        ]
        parts.append(_table(["work", "ours", "against", "ratio", "asked for", "peak memory"], lines))
    costs = [row for row in rows if isinstance(row, Cost)]
    if costs:
        lines = [
            [
                cost.work,
                f"{cost.grows} {cost.value:,}",
                _seconds(cost.seconds),
                f"{cost.units / cost.seconds:,.0f} {cost.unit}",
                f"{cost.peak / _GIB:.2f} GiB",
            ]
            for cost in costs
        ]
        parts.append(_table(["work", "at", "time", "per second", "peak memory"], lines))
    return "\n".join([f"{_machine(rows)}\n", *parts])


def write(folder: Path, rows: Sequence[Row | Cost]) -> tuple[Path, Path]:
    """Writes `bench.md` and `bench.json` to a folder, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = folder / "bench.md", folder / "bench.json"
    text.write_text(markdown(rows), encoding="utf-8")
    content = {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "python": platform.python_version(), "cores": cores()},
        "rows": [{"kind": type(row).__name__, **asdict(row)} for row in rows],
    }
    data.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    return text, data


def _machine(rows: Sequence[Row | Cost]) -> str:
    """Returns cores, versions and threads of all sides in one line."""
    found = {"cores": str(cores()), "Python": platform.python_version()}
    for row in rows:
        for side in row.record.get("facts", ()):
            found |= side
    return ", ".join(f"{name} {value}" for name, value in found.items()) + "."


def _seconds(value: float) -> str:
    return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.2f} s"


def _asked(row: Row) -> str:
    return row.asked + {True: ", met", False: ", not met", None: ""}[row.is_met] or "–"


def _memory(row: Row) -> str:
    peaks = row.record.get("peaks") if "ratios" in row.record else None
    return f"{peaks[0] / _GIB:.2f}, {peaks[1] / _GIB:.2f} GiB" if peaks else "–"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
