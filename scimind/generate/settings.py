"""How answers are generated: lengths, sampling, batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.config.nodes import Section
from scimind.config.schema import Faults
from scimind.config.sections.generation import GENERATION, sampling_faults
from scimind.errors import ConfigError

_LONGEST_ANSWER = 256
_CONFIG = Section({"generation": GENERATION})  # the part of a run's configuration that is read here


@dataclass(frozen=True)
class GenerationSettings:
    """Settings of one generation run, checked on construction.

    Args:
        max_new_tokens: Maximum length of an answer in tokens, at least 1; None means 256. The context bounds it too.
        do_sample: Draw each token from the distribution; False takes the most likely one.
        temperature: Divides the logits before sampling, above 0. Used with `do_sample`, as are the next two.
        top_k: Sample among the k most likely tokens; 0 means all.
        top_p: Sample among the fewest tokens whose probabilities sum to at least this share, in (0, 1].
        repetition_penalty: Divides positive and multiplies negative logits of tokens that prompt or answer already
            contain, above 0; 1 disables it.
        seed: Seed of the random numbers, at least 0. Each prompt has its own stream, so that batching and restarts do
            not change any answer.
        batch_size: Number of prompts that are decoded together, at least 1.

    Raises:
        ConfigError: One or more values break their rule; all faults are reported at once.
    """

    max_new_tokens: int | None = None
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        """Checks every value and converts it to the type of its field."""
        faults = Faults(GENERATION)
        checked = GENERATION.check(dataclasses.asdict(self), "", faults)
        faults.extend(sampling_faults(checked))
        if faults:
            raise ConfigError(faults)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def longest_answer(self) -> int:
        """Maximum length of an answer in tokens, if the context has room for it."""
        return _LONGEST_ANSWER if self.max_new_tokens is None else self.max_new_tokens

    @classmethod
    def from_config(cls, config: Mapping[str, Any], source: str | Path | None = None) -> GenerationSettings:
        """Returns the settings of a run configuration's `generation` section.

        Args:
            config: The run configuration. Missing keys and values of None keep their defaults.
            source: The file that the configuration was read from, for error messages.

        Raises:
            ConfigError: A key is unknown (the nearest valid name is suggested) or a value breaks its rule.
        """
        section = config.get("generation")
        if isinstance(section, Mapping):
            section = {name: value for name, value in section.items() if value is not None}
        faults = Faults(_CONFIG)
        checked = GENERATION.check(section, "generation", faults)
        if faults:
            raise ConfigError(faults, source)
        return cls(**checked)
