"""How answers are generated: lengths, sampling, batches."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.errors import ConfigError


@dataclass(frozen=True)
class GenerationSettings:
    """Settings of one generation run, checked when they are made.

    Args:
        max_new_tokens: Longest answer in tokens, at least 1.
        do_sample: Draw each token from the distribution; False takes the most likely one.
        temperature: Divides the logits before sampling, above 0. Used with `do_sample`, as are the next two.
        top_k: Sample among the k most likely tokens; 0 means all.
        top_p: Sample among the fewest tokens whose probabilities sum to at least this share, in (0, 1].
        repetition_penalty: Divides positive and multiplies negative logits of tokens that prompt or answer already
            hold, above 0; 1 changes nothing.
        seed: Start of the random numbers, at least 0. Each prompt has its own stream, so that batches and restarts
            change no answer.
        batch_size: Prompts that are decoded together, at least 1.

    Raises:
        ConfigError: One or several values break their rule; all faults are named at once.
    """

    max_new_tokens: int = 256
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        """Checks every value."""
        faults = [
            *_integer_faults("max_new_tokens", self.max_new_tokens, 1),
            *_integer_faults("top_k", self.top_k, 0),
            *_integer_faults("seed", self.seed, 0),
            *_integer_faults("batch_size", self.batch_size, 1),
            *_positive_faults("temperature", self.temperature),
            *_positive_faults("top_p", self.top_p, at_most=1.0),
            *_positive_faults("repetition_penalty", self.repetition_penalty),
        ]
        if not isinstance(self.do_sample, bool):
            faults.append(f"do_sample ({self.do_sample!r}) must be true or false")
        if faults:
            raise ConfigError(faults)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], source: str | Path | None = None) -> GenerationSettings:
        """Returns the settings of a run configuration's `generation` section.

        Args:
            config: The run configuration. Keys that the section does not give, and values of None, keep their default.
            source: The file that the configuration was read from, for error messages.

        Raises:
            ConfigError: A key is unknown (its nearest valid name is given) or a value breaks its rule.
        """
        section = config.get("generation")
        if section is None:
            section = {}
        if not isinstance(section, Mapping):
            raise ConfigError(f"generation ({section!r}) must be a section of keys and values", source)
        names = [field.name for field in dataclasses.fields(cls)]
        faults = []
        for key in section:
            if key not in names:
                nearest = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)[0]
                faults.append(f"generation.{key} is unknown; the nearest valid key is {nearest}")
        if faults:
            raise ConfigError(faults, source)
        try:
            return cls(**{name: section[name] for name in names if name in section and section[name] is not None})
        except ConfigError as error:
            raise ConfigError([f"generation.{fault}" for fault in error.faults], source) from error


def _integer_faults(name: str, value: object, at_least: int) -> list[str]:
    """Returns a sentence if `value` is no integer of at least `at_least`, else nothing."""
    if isinstance(value, bool) or not isinstance(value, int):
        return [f"{name} ({value!r}) must be an integer"]
    return [] if value >= at_least else [f"{name} ({value}) must be at least {at_least}"]


def _positive_faults(name: str, value: object, at_most: float = math.inf) -> list[str]:
    """Returns a sentence if `value` is no finite number above 0 and of at most `at_most`, else nothing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [f"{name} ({value!r}) must be a number"]
    if math.isfinite(value) and 0 < value <= at_most:
        return []
    return [f"{name} ({value}) must be above 0" + (f" and at most {at_most:g}" if at_most < math.inf else "")]
