"""Assigning experts to modalities for router `modality`: one run of experts each, the same in all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.experts.measures import KeptActivation
from scimind.modality import MODALITY_NAMES

if TYPE_CHECKING:
    from scimind.experts.activations import ActivationReader


@dataclass(frozen=True)
class ExpertRun:
    """Consecutive experts that some modalities use.

    Args:
        modalities: Their names.
        first: The first expert.
        stop: One past the last expert.
    """

    modalities: tuple[str, ...]
    first: int
    stop: int


def read_groups(text: str, num_experts: int) -> list[tuple[tuple[str, ...], int]]:
    """Parses groups such as `text=8,smiles+protein=8`: modalities and their number of experts.

    Modalities that are not named join the last group.

    Raises:
        SciMindError: A name is not a modality or is repeated, or a number is not in 1 … e.
    """
    groups: list[tuple[tuple[str, ...], int]] = []
    for part in text.split(","):
        names, _, number = part.partition("=")
        modalities = tuple(name.strip() for name in names.split("+"))
        for name in modalities:
            if name not in MODALITY_NAMES or any(name in known for known, _ in groups) or modalities.count(name) > 1:
                raise SciMindError(
                    f"--experts-per-modality ({text}) names {name!r}, which is not a modality or is repeated; the "
                    f"modalities are {', '.join(MODALITY_NAMES)}"
                )
        if not number.strip().isdecimal() or not 1 <= int(number) <= num_experts:
            raise SciMindError(
                f"--experts-per-modality ({text}): {part.strip()!r} must be MODALITY=N or MODALITY+MODALITY=N with N "
                f"in 1 … num_experts ({num_experts})"
            )
        groups.append((modalities, int(number)))
    named = {name for modalities, _ in groups for name in modalities}
    rest = tuple(name for name in MODALITY_NAMES if name not in named)
    groups[-1] = (groups[-1][0] + rest, groups[-1][1])
    return groups


def lay_out(groups: Sequence[tuple[tuple[str, ...], int]], num_experts: int) -> list[ExpertRun]:
    """Returns each group's run of experts, placed one after another in the groups' order.

    If the groups ask for more experts than there are, neighbouring groups overlap, all by about the same number. If
    they ask for fewer, the last experts belong to no group.

    Args:
        groups: Modalities and their number of experts.
        num_experts: e.

    Raises:
        SciMindError: The overlap is too large for neighbours alone.
    """
    sizes = [size for _, size in groups]
    shared = [0] * (len(groups) - 1)
    for _ in range(max(0, sum(sizes) - num_experts)):
        # One more shared expert, for the neighbours that share the fewest; no expert has three groups.
        open_pairs = [
            i
            for i in range(len(shared))
            if shared[i] + (shared[i - 1] if i else 0) < sizes[i]
            and shared[i] + (shared[i + 1] if i + 1 < len(shared) else 0) < sizes[i + 1]
        ]
        if not open_pairs:
            raise SciMindError(
                f"--experts-per-modality asks for {sum(sizes)} experts of {num_experts}; that is too many if only "
                "neighbouring groups may overlap; lower the numbers, or combine modalities, such as "
                "smiles+protein=8"
            )
        shared[min(open_pairs, key=lambda i: shared[i])] += 1
    runs, first = [], 0
    for (modalities, size), overlap in zip(groups, [*shared, 0], strict=True):
        runs.append(ExpertRun(modalities, first, first + size))
        first += size - overlap
    return runs


def place_experts(
    activation: NDArray[np.float64], runs: Sequence[ExpertRun], tokens: Mapping[str, int]
) -> NDArray[np.int64]:
    """Returns the new number of each expert of one layer, int64 [e].

    Maximises the sum over groups of the activation that their experts hold, averaged over those of the group's
    modalities that have tokens; an expert in an overlap counts for both groups. The result is optimal. Experts of the
    same groups keep their old order.

    Args:
        activation: Each expert's share of the activation of a modality's tokens [modalities, e].
        runs: The groups' runs.
        tokens: Number of tokens of each modality that `activation` was measured on.

    Raises:
        SciMindError: A group has no tokens.

    Source: Kuhn, The Hungarian method for the assignment problem (1955).
    """
    from scipy.optimize import linear_sum_assignment

    num_experts = activation.shape[1]
    value = np.zeros((num_experts, num_experts))  # [expert, place]
    users = np.zeros((len(runs), num_experts), bool)  # [group, place]
    for number, run in enumerate(runs):
        rows = [MODALITY_NAMES.index(name) for name in run.modalities if tokens[name]]
        if not rows:
            raise SciMindError(
                f"--data has no tokens of {' or '.join(run.modalities)}; give data that does, or combine the "
                "modality with another, such as smiles+protein=8"
            )
        value[:, run.first : run.stop] += activation[rows].mean(axis=0)[:, None]
        users[number, run.first : run.stop] = True
    experts, places = linear_sum_assignment(value, maximize=True)
    kinds = np.array([int("".join("1" if used else "0" for used in column), 2) for column in users.T])  # [place]
    result = np.empty(num_experts, np.int64)
    for kind in np.unique(kinds):
        result[np.sort(experts[kinds[places] == kind])] = np.flatnonzero(kinds == kind)
    return result


def expert_sets(runs: Sequence[ExpertRun]) -> dict[str, list[str]]:
    """Returns the runs as model_config's `expert_sets`, in the modalities' order."""
    found = {name: [f"{run.first}..{run.stop - 1}"] for run in runs for name in run.modalities}
    return {name: found[name] for name in MODALITY_NAMES}


def assign(
    reader: ActivationReader, layers: Sequence[NDArray[Any]], num_experts: int, runs: Sequence[ExpertRun], score: str
) -> tuple[list[NDArray[Any]], dict[str, float]]:
    """Renumbers each layer's experts so that each group's best experts lie in its run.

    Args:
        reader: The model and the data.
        layers: The expert of each neuron, one [h] array per layer.
        num_experts: e.
        runs: What `lay_out` returns.
        score: The score of router `activation`.

    Returns:
        The new labels, and each modality's share of the sum of u² held by its experts, mean over tokens and layers.
    """
    counts = KeptActivation({"given": layers}, num_experts, score)
    for batch in reader.read("activation of the experts"):
        counts.add(batch)
    energy = counts.energy("given")  # [layers, modalities, e]
    numbers = [place_experts(of_layer, runs, counts.tokens) for of_layer in energy]
    placed = [new[labels] for new, labels in zip(numbers, layers, strict=True)]
    held = {}
    for run in runs:
        for name in run.modalities:
            if counts.tokens[name]:
                m = MODALITY_NAMES.index(name)
                inside = [(new >= run.first) & (new < run.stop) for new in numbers]
                shares = [of_layer[m, mask].sum() for of_layer, mask in zip(energy, inside, strict=True)]
                held[name] = round(float(np.mean(shares)), 6)
    return placed, held
