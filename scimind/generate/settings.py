"""How answers are generated: lengths, sampling, batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.config.nodes import Section
from scimind.config.schema import Faults
from scimind.config.sections.generation import GENERATION, generation_faults
from scimind.errors import ConfigError
from scimind.generate.search.model import ATTEMPTS

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
        batch_size: Number of rows that are decoded together, at least 1: one for each prompt, or one for each of its
            beams or samples.
        valid: What an answer may be: "none" for anything the model writes; "require" for answers that the rule of
            their kind accepts, such as SMILES that RDKit reads, see `scimind.generate.validity`; "prefer" for these
            where the search finds one within its budget, else the model's own. None requires it of molecules,
            proteins, DNA, RNA and numbers, and of nothing else.
        num_return_sequences: Number of distinct answers to a prompt, at least 1.
        num_beams: Beams of the search for them; None means as many as answers, and 1 is greedy.
        num_beam_groups: Groups of beams that differ from each other; must divide `num_beams`.
        diversity_penalty: What a token loses for each beam of an earlier group that has chosen it, at least 0.
        length_penalty: Exponent of the length by which a beam's log-likelihood is divided.
        samples_per_prompt: Number of samples that are drawn for each prompt with `do_sample`, of which accepted ones
            count; None means that they are drawn until as many as answers are accepted.
        rank_by: "likelihood", "votes" (likelihoods summed over all spellings of the same molecule that were found), or
            a number that is computed from the molecule, the largest first, such as "qed" or "-abs(MolLogP - 2)".
        where: Conditions on molecules, see `scimind.generate.wishes`; None for none.
        prefix: What every answer begins with; None for nothing.
        min_sequence_length: Fewest letters of a protein or nucleic acid.
        max_sequence_length: Most letters of it; None for any number.
        reading_frame: Whether DNA and RNA may be anything ("none"), must be whole codons with a stop codon only at
            the end ("open"), or also begin with AUG and end with a stop codon ("coding").

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
    valid: str | None = None
    num_return_sequences: int = 1
    num_beams: int | None = None
    num_beam_groups: int = 1
    diversity_penalty: float = 0.0
    length_penalty: float = 1.0
    samples_per_prompt: int | None = None
    rank_by: str = "likelihood"
    where: str | None = None
    prefix: str | None = None
    min_sequence_length: int = 1
    max_sequence_length: int | None = None
    reading_frame: str = "none"

    def __post_init__(self) -> None:
        """Checks every value and converts it to the type of its field."""
        faults = Faults(GENERATION)
        checked = GENERATION.check(dataclasses.asdict(self), "", faults)
        faults.extend(generation_faults(checked))
        if faults:
            raise ConfigError(faults)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def longest_answer(self) -> int:
        """Maximum length of an answer in tokens, if the context has room for it."""
        return _LONGEST_ANSWER if self.max_new_tokens is None else self.max_new_tokens

    @property
    def beams(self) -> int:
        """Number of beams; 1 if tokens are drawn."""
        return 1 if self.do_sample else self.num_beams or self.num_return_sequences

    @property
    def samples(self) -> int:
        """Number of accepted samples that are wanted; 0 if tokens are not drawn."""
        return (self.samples_per_prompt or self.num_return_sequences) if self.do_sample else 0

    @property
    def draws(self) -> int:
        """Maximum number of samples that are drawn for them."""
        return (self.samples_per_prompt or ATTEMPTS * self.num_return_sequences) if self.do_sample else 0

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
