"""Settings of generation."""

from __future__ import annotations

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
        "batch_size": Value(int, 8, low=1),
        "seed": Value(int, 0, low=0),
    },
    always=True,
)
