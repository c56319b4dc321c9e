"""The score by which L+M-24's leaderboard ranks submissions: the mean gain over a baseline.

Source: `combine_eval.py` of the final evaluation of L+M-24, for captions and for molecules. Its peculiarities are kept:
the gain of edits and FCD is their difference and that of everything else is in percentage points, exact match is left
out, a baseline of 0 gives no gain, and the baseline's FCD, also for withheld combinations, is the largest FCD of all
submissions on all items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scimind.errors import DataError, SciMindError
from scimind.evaluate.metrics_file import REMEDY, read_metrics_file

CAPTION_METRICS = ("bleu2", "bleu4", "rouge1", "rouge2", "rouge_l", "meteor", "withheld_f1", "property_f1")
NODES = (
    "Biomedical",
    "Human Interaction and Organoleptics",
    "Agriculture and Industry",
    "Light and electricity",
    "Agriculture and Industry__icides",
    "Human Interaction and Organoleptics__toxin",
    "Light and electricity__lights",
    "Light and electricity__electros",
    "Biomedical__inhibitors",
    "Biomedical__antis",
    "Biomedical__modulators",
    "Biomedical__antagonists",
    "Biomedical__treatments",
    "Biomedical__agonists",
    "Biomedical__cancer",
    "Biomedical__disease",
)
MOLECULE_METRICS = ("bleu", "levenshtein", "validity", "maccs", "rdk", "morgan", "fcd")
_BY_DIFFERENCE = ("levenshtein", "fcd")
_WITHHELD = "withheld_"


def read_metrics(path: Path) -> dict[str, Any]:
    """Returns the content of a `metrics.json` of captions or molecules by the protocol of L+M-24.

    Raises:
        DataError: The file is missing, malformed, or holds something else.
    """
    content = read_metrics_file(path)
    if content.get("group") not in ("captions", "molecules"):
        raise DataError("holds no metrics of captions or molecules; give the --output of `scimind evaluate`", path)
    if content.get("protocol") != "lpm24":
        raise DataError(f"uses protocol {content.get('protocol')}; evaluate again with --protocol lpm24", path)
    missing = [name for name in ("items", "metrics", "protocol_values", "not_computed") if name not in content]
    if missing:
        raise DataError(f"lacks {', '.join(missing)}; {REMEDY}", path)
    return content


def rank(baseline: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> list[float]:
    """Returns each entry's mean gain over the baseline.

    The baseline itself gains 0, except in FCD, which is compared with the largest one.

    Args:
        baseline: Content of a `metrics.json`; the leaderboard's baseline is MolT5-Small.
        entries: Content of the submissions' `metrics.json` files.

    Raises:
        SciMindError: The tasks or the numbers of items differ, or a metric is missing.
    """
    everyone = [baseline, *entries]
    for entry in entries:
        for key in ("group", "items"):
            if entry[key] != baseline[key]:
                raise SciMindError(
                    f"{key} ({entry[key]}) differs from the baseline's ({baseline[key]}); evaluate the same items"
                )
    if baseline["group"] == "captions":
        tables = [_caption_table(entry) for entry in everyone]
        return [float(np.mean([100 * (table[name] - tables[0][name]) for name in table])) for table in tables[1:]]
    tables = [_molecule_table(entry) for entry in everyone]
    farthest = max(table["fcd"] for table in tables if np.isfinite(table["fcd"])) if _any_fcd(tables) else np.nan
    reference = {**tables[0], "fcd": farthest, f"{_WITHHELD}fcd": farthest}
    return [_molecule_gain(table, reference) for table in tables[1:]]


def _molecule_gain(table: Mapping[str, float], reference: Mapping[str, float]) -> float:
    gains = []
    for name, base in reference.items():
        gain = table[name] - base
        if name.removeprefix(_WITHHELD) in _BY_DIFFERENCE:
            gain = -gain
        else:
            gain *= 100
        gains.append(0.0 if base == 0 or not np.isfinite(gain) else gain)
    return float(np.mean(gains))


def _any_fcd(tables: Sequence[Mapping[str, float]]) -> bool:
    return any(np.isfinite(table["fcd"]) for table in tables)


def _caption_table(entry: Mapping[str, Any]) -> dict[str, float]:
    table = _values(entry, CAPTION_METRICS)
    nodes = entry.get("details", {}).get("properties", {})
    absent = [name for name in NODES if nodes.get(name, {}).get("f1_protocol") is None]
    if absent:
        raise SciMindError(f"the tree of properties lacks {absent[0]!r}; evaluate with L+M-24's nested_props.json")
    return table | {name: nodes[name]["f1_protocol"] for name in NODES}


def _molecule_table(entry: Mapping[str, Any]) -> dict[str, float]:
    return _values(entry, [prefix + name for prefix in ("", _WITHHELD) for name in MOLECULE_METRICS])


def _values(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Returns the protocol's values of metrics, NaN for one that is undefined."""
    absent = [name for name in names if name not in entry["metrics"]]
    if absent:
        reasons = entry["not_computed"]
        reason = next(
            (reasons[name] for name in (*absent, "withheld combinations") if name in reasons), "not in the metrics file"
        )
        raise SciMindError(f"the ranking needs {', '.join(absent)}: {reason}")
    values = {name: entry["protocol_values"].get(name, entry["metrics"][name]["value"]) for name in names}
    return {name: np.nan if value is None else float(value) for name, value in values.items()}
