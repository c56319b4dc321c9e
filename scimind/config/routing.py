"""The settings that decide which experts a token uses, checked before a model is built. Does not load MindSpore."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scimind.errors import ConfigError
from scimind.modality import MODALITY_NAMES, ModalityRanges, normalise_ranges

ROUTERS = ("activation", "modality", "learned")
# The routers for which `dispatch: auto` means "grouped" with the CPU kernels. `activation` would save one product of
# three, which the gathers cost again; `learned` gathers for each expert, which only pays off for large hidden sizes.
GROUPED_BY_DEFAULT = ("modality",)
DISPATCHES = ("auto", "masked", "grouped")
KERNELS = ("auto", "mindformers", "cpu")
SCORES = ("sum", "abs", "square")

_SPAN = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class RoutingSettings:
    """The experts that a token of each modality uses, and how the feed-forward layer computes them.

    Create instances with `RoutingSettings.create`, which fills in defaults and checks everything.

    Args:
        num_experts: e, the number of equal, contiguous parts of a feed-forward layer's neurons.
        router: "activation" chooses the top-k experts by their activation, "learned" by the score of a small gate,
            "modality" uses a fixed set for each modality.
        dispatch: "masked" computes all neurons and masks them, "grouped" computes active neurons only, "auto" chooses.
        score: How an expert's score is computed from its neurons u: the sum of u ("sum"), of |u| ("abs"), or of u²
            ("square"). Router "activation".
        experts_per_token: k for each modality, 0 … e. Routers "activation" and "learned".
        shared_experts: Experts that every token of a modality uses in addition to its top-k. The same routers.
        expert_sets: The experts of each modality. Router "modality".
        modality_ranges: Half-open ranges of token ids for each modality except text.
        balance_weight: Weight of the load balance in the training loss, see `scimind.model.routing.gate.LoadBalance`; 0
            leaves it out. Router "learned".
    """

    num_experts: int
    router: str
    dispatch: str
    score: str
    experts_per_token: Mapping[str, int]
    shared_experts: Mapping[str, tuple[int, ...]]
    expert_sets: Mapping[str, tuple[int, ...]]
    modality_ranges: Mapping[str, list[tuple[int, int]]]
    balance_weight: float = 0.0

    @classmethod
    def create(
        cls,
        *,
        num_experts: int = 16,
        router: str = "modality",
        dispatch: str = "auto",
        score: str = "sum",
        experts_per_token: Mapping[str, int] | None = None,
        shared_experts: Mapping[str, Sequence[Any]] | None = None,
        expert_sets: Mapping[str, Sequence[Any]] | None = None,
        modality_ranges: ModalityRanges | None = None,
        balance_weight: float = 0.0,
        vocab_size: int | None = None,
        intermediate_size: int | None = None,
    ) -> RoutingSettings:
        """Returns checked settings.

        Defaults: text takes the first half of the experts and the other modalities the second (router "modality"); text
        takes 7/8 of the experts and the others 1/8 (the other routers, the original's 14 and 2 of 16).

        Args:
            num_experts: See the class, as for all down to `balance_weight`. Expert lists may contain spans: "0..13".
            router: See the class.
            dispatch: See the class.
            score: See the class.
            experts_per_token: See the class.
            shared_experts: See the class.
            expert_sets: See the class.
            modality_ranges: See the class; None means that all tokens are text.
            balance_weight: See the class.
            vocab_size: v, to check `modality_ranges`; not checked if None.
            intermediate_size: h, which must be a multiple of `num_experts`; not checked if None.

        Raises:
            ConfigError: With all faults.
        """
        faults: list[str] = []
        if not _is_count(num_experts) or num_experts < 1:
            raise ConfigError(f"num_experts ({num_experts!r}) must be a whole number, at least 1")
        for name, value, choices in (
            ("router", router, ROUTERS),
            ("dispatch", dispatch, DISPATCHES),
            ("score", score, SCORES),
        ):
            if value not in choices:
                faults.append(f"{name} ({value!r}) must be one of {', '.join(choices)}")
        if intermediate_size is not None and intermediate_size % num_experts:
            faults.append(
                f"intermediate_size ({intermediate_size}) must be a multiple of num_experts ({num_experts}); "
                "change one of them"
            )
        if isinstance(balance_weight, bool) or not isinstance(balance_weight, (int, float)) or not balance_weight >= 0:
            faults.append(f"balance_weight ({balance_weight!r}) must be a number, at least 0")
        elif balance_weight and router != "learned":
            faults.append(f"balance_weight ({balance_weight}) only works with router learned; set it to 0")
        half = num_experts // 2
        default_sets = {m: range(half) if m == "text" and half else range(half, num_experts) for m in MODALITY_NAMES}
        eighth = max(1, num_experts // 8)
        default_k = {m: max(1, num_experts - eighth) if m == "text" else eighth for m in MODALITY_NAMES}

        per_token = _by_modality("experts_per_token", experts_per_token, default_k, faults)
        for modality, k in per_token.items():
            if not _is_count(k) or not 0 <= k <= num_experts:
                faults.append(f"experts_per_token.{modality} ({k!r}) must be in 0 … num_experts ({num_experts})")
        shared = _by_modality("shared_experts", shared_experts, {m: () for m in MODALITY_NAMES}, faults)
        sets = _by_modality("expert_sets", expert_sets, default_sets, faults)
        shared = {m: _experts(f"shared_experts.{m}", v, num_experts, faults) for m, v in shared.items()}
        sets = {m: _experts(f"expert_sets.{m}", v, num_experts, faults) for m, v in sets.items()}
        ranges: Mapping[str, Any] = {}
        try:
            ranges = normalise_ranges(modality_ranges or {}, vocab_size)
        except ConfigError as error:
            faults += error.faults
        except ValueError as error:
            faults.append(str(error))
        if faults:
            raise ConfigError(faults)
        weight = float(balance_weight)
        return cls(num_experts, router, dispatch, score, per_token, shared, sets, ranges, weight)

    def active_experts(self, modality: str) -> int:
        """Returns the maximum number of experts that a token of `modality` uses in the last product."""
        if self.router == "modality":
            return len(self.expert_sets[modality])
        return min(self.num_experts, self.experts_per_token[modality] + len(self.shared_experts[modality]))

    @property
    def has_balance(self) -> bool:
        """Whether the training loss has a load-balance term."""
        return self.balance_weight > 0

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain lists and numbers, suitable for YAML, JSON and `create`."""
        return {
            "num_experts": self.num_experts,
            "router": self.router,
            "dispatch": self.dispatch,
            "score": self.score,
            "experts_per_token": dict(self.experts_per_token),
            "shared_experts": {m: list(v) for m, v in self.shared_experts.items()},
            "expert_sets": {m: list(v) for m, v in self.expert_sets.items()},
            "modality_ranges": {m: [list(span) for span in v] for m, v in self.modality_ranges.items()},
            "balance_weight": self.balance_weight,
        }


def runs(experts: Iterable[int]) -> list[tuple[int, int]]:
    """Returns a set of experts as half-open runs of neighbours: {0, 1, 4} as [(0, 2), (4, 5)]."""
    found: list[tuple[int, int]] = []
    for expert in sorted(set(experts)):
        if found and found[-1][1] == expert:
            found[-1] = (found[-1][0], expert + 1)
        else:
            found.append((expert, expert + 1))
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _by_modality(name: str, given: Mapping[str, Any] | None, default: Mapping[str, Any], faults: list[str]) -> dict:
    """Returns a value for each modality, and appends a fault for each name that is not a modality."""
    if given is None:
        return dict(default)
    if not isinstance(given, Mapping):
        faults.append(f"{name} ({given!r}) must give a value for each modality: {', '.join(MODALITY_NAMES)}")
        return dict(default)
    for key in given:
        if key not in MODALITY_NAMES:
            faults.append(f"{name} names an unknown modality ({key!r}); the modalities are {', '.join(MODALITY_NAMES)}")
    return {m: given.get(m, default[m]) for m in MODALITY_NAMES}


def _experts(name: str, given: Any, num_experts: int, faults: list[str]) -> tuple[int, ...]:
    """Returns the sorted expert numbers in a list that may contain spans such as "0..13"."""
    experts: set[int] = set()
    for item in [given] if isinstance(given, str) or not isinstance(given, Iterable) else given:
        span = _SPAN.fullmatch(item.strip()) if isinstance(item, str) else None
        if span:
            experts.update(range(int(span[1]), int(span[2]) + 1))
        elif _is_count(item):
            experts.add(int(item))
        else:
            faults.append(f"{name} contains {item!r}; give experts as numbers, or as a span such as 0..13")
    outside = [e for e in experts if not 0 <= e < num_experts]
    if outside:
        faults.append(f"{name} names expert {min(outside)}; experts must be in 0 … {num_experts - 1}")
    return tuple(sorted(experts))
