"""Settings of generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimind.config.nodes import Section, Value

VALID = ("none", "prefer", "require")
READING_FRAMES = ("none", "open", "coding")
RANKINGS = ("likelihood", "votes")
MOST_ANSWERS = 1_000

# What is done with letters of sequences that stand for several, for `scimind prepare` too.
AMBIGUOUS = ("drop", "split", "mask")

# Ours. MindFormers has the first four in model_config, where they are accepted too.
GENERATION = Section(
    {
        "do_sample": Value(bool, False),
        "top_k": Value(int, 0, low=0),
        "top_p": Value(float, 1.0, above=0, high=1),
        "repetition_penalty": Value(float, 1.0, above=0),
        "temperature": Value(float, 1.0, above=0),
        "max_new_tokens": Value(int, None, low=1, nullable=True),  # None: 256, or as many as the context has room for
        "batch_size": Value(int, 8, low=1, high=65_536),
        "seed": Value(int, 0, low=0, high=2**32 - 1),
        "valid": Value(str, None, choices=VALID, nullable=True),  # None: as the task's kind of answer needs it
        "num_return_sequences": Value(int, 1, low=1, high=MOST_ANSWERS),
        "num_beams": Value(int, None, low=1, high=MOST_ANSWERS, nullable=True),  # None: num_return_sequences
        "num_beam_groups": Value(int, 1, low=1, high=MOST_ANSWERS),
        "diversity_penalty": Value(float, 0.0, low=0),
        "length_penalty": Value(float, 1.0),
        "samples_per_prompt": Value(int, None, low=1, high=MOST_ANSWERS, nullable=True),  # None: num_return_sequences
        "rank_by": Value(str, "likelihood", filled=True),
        "where": Value(str, None, filled=True, nullable=True),
        "prefix": Value(str, None, filled=True, nullable=True),
        "min_sequence_length": Value(int, 1, low=1),
        "max_sequence_length": Value(int, None, low=1, nullable=True),
        "reading_frame": Value(str, "none", choices=READING_FRAMES),
    },
    always=True,
)


def generation_faults(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields a sentence for each setting of `generation` that has no effect, or contradicts another one.

    Args:
        section: Checked settings of `generation`.
        prefix: The first part of their dotted names.
    """
    values = {name: section.get(name, node.default) for name, node in GENERATION.fields.items()}  # type: ignore[attr-defined]
    samples = values["do_sample"]
    for names, needed, acts in (
        (("temperature", "top_k", "top_p", "samples_per_prompt"), "do_sample True", samples),
        (("num_beam_groups", "diversity_penalty", "length_penalty"), "more than one beam", _beams(values) > 1),
    ):
        for name in names:
            default = GENERATION.fields[name].default  # type: ignore[attr-defined]  # a Value
            if not acts and values[name] != default:
                yield (
                    f"{prefix}{name} ({values[name]}) acts only with {needed}; set {_REMEDY[needed]} or {name} to "
                    f"{'null' if default is None else default}"
                )
    number, beams, drawn = values["num_return_sequences"], values["num_beams"], values["samples_per_prompt"]
    if samples and (beams or 1) > 1:
        yield f"{prefix}num_beams ({beams}) and do_sample True exclude each other; leave one out"
    elif not samples and beams is not None and number > beams:
        yield f"{prefix}num_return_sequences ({number}) must be at most num_beams ({beams}); raise num_beams"
    if samples and drawn is not None and number > drawn:
        yield f"{prefix}num_return_sequences ({number}) must be at most samples_per_prompt ({drawn}); raise it"
    if _beams(values) % values["num_beam_groups"]:
        yield f"{prefix}num_beam_groups ({values['num_beam_groups']}) must divide num_beams ({_beams(values)})"
    if values["diversity_penalty"] and values["num_beam_groups"] == 1 and _beams(values) > 1:
        yield (
            f"{prefix}diversity_penalty ({values['diversity_penalty']}) needs num_beam_groups above 1; set it, "
            "or leave the penalty out"
        )


def _beams(values: Mapping[str, Any]) -> int:
    """Returns the number of beams; 1 where tokens are drawn."""
    return 1 if values["do_sample"] else int(values["num_beams"] or values["num_return_sequences"])


_REMEDY = {"do_sample True": "do_sample to True", "more than one beam": "num_beams above 1"}
