"""Settings of generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimind.config.nodes import Section, Value

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
    },
    always=True,
)

_OF_SAMPLING = ("temperature", "top_k", "top_p")


def sampling_faults(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields a sentence for each setting that acts only if tokens are drawn, which they are not.

    Args:
        section: Checked settings of `generation`.
        prefix: The first part of their dotted names.
    """
    for name in _OF_SAMPLING:
        default = GENERATION.fields[name].default  # type: ignore[attr-defined]  # a Value
        if not section.get("do_sample") and section.get(name, default) != default:
            yield (
                f"{prefix}{name} ({section[name]}) acts only with do_sample True; set do_sample to True or {name} to "
                f"{default}"
            )
