"""The data card: a readable account of what a preparation read, wrote and left out, with a histogram of lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scimind.data.prepare.summary import PrepareSummary

_BINS = 50
_LABELS_SHOWN = 30


def write_card(folder: Path, name: str, summary: PrepareSummary, lengths: Mapping[str, Counter[int]]) -> None:
    """Writes `name.card.md` and `name.lengths.png`.

    Args:
        folder: Folder of the two files.
        name: Prefix of their names.
        summary: The counts.
        lengths: Number of records of each length in ids, by file.
    """
    _draw(folder / f"{name}.lengths.png", summary, lengths)
    (folder / f"{name}.card.md").write_text(_text(name, summary), encoding="utf-8", newline="\n")


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[str]:
    shown = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return ["", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in shown), ""]


def _text(name: str, summary: PrepareSummary) -> str:
    split = summary.split
    lines = [f"# {name}", "", f"Task {summary.task}, prepared by SciMind {summary.version}."]
    lines += _table(
        ("input", "SHA-256"), [(f"`{path}`", f"`{checksum}`") for path, checksum in summary.checksums["inputs"].items()]
    )
    lines += ["## Records"]
    counts: list[tuple[object, ...]] = [("read", summary.read)]
    counts += [(f"left out: {defect}", count) for defect, count in summary.defects.items()]
    counts += [(f"listed and kept: {defect}", count) for defect, count in summary.kept.items()]
    counts += [("doubled backslashes repaired", summary.repaired)] if summary.repaired else []
    counts += [(f"`{reading}`", count) for reading, count in summary.readings.items()]
    counts += [("cut", summary.truncated)] if summary.truncated else []
    counts += [(f"in {file}", count) for file, count in summary.splits.items()]
    lines += _table(("records", "number"), counts)
    lines.append(f"Records left out and repairs are listed with file, line and reason in `{name}.rejects.jsonl`.")
    if split["evaluation"] or split["test"]:
        lines += ["", f"Split: {split['by']}, seed {split['seed']}; no molecule or sequence is in two splits."]
    if summary.tasks:
        lines += ["", "## Mixture"]
        rows: list[tuple[object, ...]] = [
            (task, counts["train"], counts["wanted"], f"{counts['epochs']:.3f}", f"{counts['share']:.3f}")
            for task, counts in summary.tasks.items()
        ]
        lines += _table(("task", "different records", "records written", "epochs", "share"), rows)
    lines += ["", "## Tokens"]
    lines += _table(
        ("modality", "ids"),
        [*summary.tokens.items(), ("trained on as answers", summary.answer_tokens)],
    )
    quantiles = ", ".join(f"{quantile} {value:,}" for quantile, value in summary.lengths.items())
    lines += [f"Length in ids before any cut: {quantiles}; the maximum is {summary.seq_length + 1:,}.", ""]
    lines += [f"![Records by length]({name}.lengths.png)"]
    if summary.detected:
        lines += ["", f"## Detected sequences, listed in `{name}.detected.jsonl`"]
        lines += _table(("modality", "number"), list(summary.detected.items()))
    if summary.labels:
        lines += ["", "## Labels of readable records"]
        lines += _table(("label", "records"), list(summary.labels.items())[:_LABELS_SHOWN])
        if len(summary.labels) > _LABELS_SHOWN:
            lines.append(f"and {len(summary.labels) - _LABELS_SHOWN:,} more, see `{name}.summary.json`.")
    return "\n".join(lines).rstrip() + "\n"


def _draw(path: Path, summary: PrepareSummary, lengths: Mapping[str, Counter[int]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    longest = max((max(counts) for counts in lengths.values() if counts), default=1)
    edges = np.linspace(0, longest + 1, min(_BINS, longest + 1) + 1).tolist()
    for name, counts in lengths.items():
        values, weights = list(counts), list(counts.values())
        axes.hist(values, bins=edges, weights=weights, histtype="step", label=f"{name} ({sum(weights):,} records)")
    axes.set_xlabel("length (token ids)")
    axes.set_ylabel("records")
    axes.set_yscale("log")
    axes.axvline(summary.seq_length + 1, color="grey", linestyle=":", label="maximum")
    if longest < summary.seq_length / 2:
        axes.set_xlim(0, longest * 1.05)
    axes.legend()
    FigureCanvasAgg(figure).print_png(str(path), metadata={"Software": "SciMind"})
