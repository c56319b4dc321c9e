"""How answers are generated: lengths, sampling, batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.config.nodes import Section
from scimind.config.schema import Faults
from scimind.config.sections.generation import GENERATION
from scimind.errors import ConfigError

_CONFIG = Section({"generation": GENERATION})  # what of a run's configuration is read here


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
        """Checks every value, and gives it the type of its field."""
        faults = Faults(GENERATION)
        checked = GENERATION.check(dataclasses.asdict(self), "", faults)
        if faults:
            raise ConfigError(faults)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

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
        if isinstance(section, Mapping):
            section = {name: value for name, value in section.items() if value is not None}
        faults = Faults(_CONFIG)
        checked = GENERATION.check(section, "generation", faults)
        if faults:
            raise ConfigError(faults, source)
        return cls(**checked)
