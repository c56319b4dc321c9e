"""The report on a partition: the figures of `report.json`, and the same as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.experts.activations import ActivationReader
from scimind.experts.measures import MEASURE, KeptActivation, similarity
from scimind.experts.neurons import NeuronWeights
from scimind.modality import MODALITY_NAMES

RANDOM_PARTITIONS = 3
_DIGITS = 6
_SHOWN = (1, 2, 4, 8)


def random_labels(neurons: int, num_experts: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Returns a random partition of a layer, int64 [h]."""
    return random.permutation(contiguous_labels(neurons, num_experts))


def contiguous_labels(neurons: int, num_experts: int) -> NDArray[np.int64]:
    """Returns the partition of a layer whose neurons are already in expert order, int64 [h]."""
    return np.repeat(np.arange(num_experts), neurons // num_experts)


def similarity_report(
    weights: NeuronWeights, layers: Sequence[NDArray[Any]], num_experts: int, on: str
) -> dict[str, Any]:
    """Returns each layer's mean cosine of two neurons of the same expert, and that of any two neurons."""
    pairs = [similarity(weights.vectors(i, on), labels, num_experts) for i, labels in enumerate(layers)]
    within, anywhere = zip(*pairs, strict=True)
    return {
        "measure": f"mean cosine of two neurons' weights ({on}); random: of any two, which a random partition has",
        "within_experts": {"mean": _rounded(np.mean(within)), "layers": _rounded(within)},
        "random": {"mean": _rounded(np.mean(anywhere)), "layers": _rounded(anywhere)},
    }


def kept_report(
    reader: ActivationReader, layers: Sequence[NDArray[Any]], num_experts: int, score: str, seed: int
) -> dict[str, Any]:
    """Returns the share of activation that each modality keeps at each k, with that of random partitions.

    `use` holds the mean share of each expert, in the experts' order.
    """
    random = np.random.default_rng([seed, 1])
    partitions: dict[str, Sequence[NDArray[Any]]] = {"partition": layers}
    for number in range(RANDOM_PARTITIONS):
        partitions[f"random {number}"] = [random_labels(reader.neurons, num_experts, random) for _ in layers]
    counts = KeptActivation(partitions, num_experts, score)
    for batch in reader.read("kept activation"):
        counts.add(batch)
    chance = np.mean([counts.kept(name) for name in partitions if name != "partition"], axis=0)
    return {
        "measure": f"{MEASURE}; score: {score}",
        "data": [file.name for file in reader.files],
        "tokens": counts.tokens,
        "k": list(range(1, num_experts + 1)),
        "partition": _by_modality(counts.kept("partition"), counts.tokens),
        "random": _by_modality(chance, counts.tokens),
        "use": _by_modality(counts.energy("partition"), counts.tokens),
    }


def _by_modality(kept: NDArray[np.float64], tokens: dict[str, int]) -> dict[str, Any]:
    return {
        name: {"mean": _rounded(kept[:, m].mean(axis=0)), "layers": _rounded(kept[:, m])}
        for m, name in enumerate(MODALITY_NAMES)
        if tokens[name]
    }


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, np.float64), _DIGITS).tolist()


def report_text(report: dict[str, Any]) -> str:
    """Returns the text of `report.json`."""
    return json.dumps(report, indent=1) + "\n"


def report_table(report: dict[str, Any]) -> list[str]:
    """Returns the report as lines for display."""
    sizes, alike = report["sizes"], report["similarity"]
    lines = [
        f"{sizes['layers']} layers, {sizes['experts']} experts of {sizes['neurons_per_expert']} neurons each",
        f"{alike['measure']}: {alike['within_experts']['mean']:.4f}, random {alike['random']['mean']:.4f}",
    ]
    kept = report.get("kept")
    if kept is None:
        return lines
    shown = sorted({k for k in _SHOWN if k < len(kept["k"])} | {max(1, len(kept["k"]) * 7 // 8)})
    lines += [
        "",
        f"kept activation: {kept['measure']}",
        f"{'modality':12}{'tokens':>9}  " + _row(f"k={k}" for k in shown),
    ]
    for name in kept["partition"]:
        for kind in ("partition", "random"):
            label, tokens = (name, f"{kept['tokens'][name]:,}") if kind == "partition" else ("  random", "")
            means = kept[kind][name]["mean"]
            lines.append(f"{label:12}{tokens:>9}  " + _row(f"{means[k - 1]:.3f}" for k in shown))
    return lines


def _row(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>8}" for cell in cells)
