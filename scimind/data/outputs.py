"""How a model's answer is read back: text, a molecule or another sequence, one of several choices, a list of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scimind.tokenizer.alphabet import TAG_CHARACTERS

OUTPUTS = ("text", "smiles", "protein", "dna", "rna", "choice", "names")


@dataclass(frozen=True)
class Output:
    """What the answer of a task is.

    Args:
        kind: One of `OUTPUTS`. `choice` may also be ranked by the likelihood of `choices`.
        choices: The answers of kind `choice`; empty where they are those of the data.
        positive: The choice whose probability is told, for tasks of two; empty for others.
    """

    kind: str = "text"
    choices: tuple[str, ...] = ()
    positive: str = ""

    def read(self, output: str) -> str | list[str] | None:
        """Returns what an output says, None where it says nothing that the task asks for.

        Args:
            output: Text as the model gave it, sequences in tags or without.

        Returns:
            The stripped text; the bare SMILES or sequence (the first in tags, else the longest word that is spelled
            as one); the choice, as `choices` spells it; the names, in order and without repetition.
        """
        text = output.strip()
        if self.kind in TAG_CHARACTERS:
            return read_sequence(text, self.kind)
        if self.kind == "choice" and self.choices:
            return read_choice(text, self.choices)
        if self.kind == "names":
            return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip(" \n."))))
        return text or None


def read_sequence(text: str, tag: str) -> str | None:
    """Returns the first sequence in tags, else the longest word of the tag's characters alone; None without one."""
    found = re.search(rf"<{tag}>\s*([^<]+?)\s*</{tag}>", text)
    if found is not None:
        return found[1]
    allowed = TAG_CHARACTERS[tag]
    words = [word for word in (part.strip("`,;") for part in text.split()) if word and not word.strip(allowed)]
    words = [word for word in words if not word.lstrip(allowed)]
    return max(words, key=len, default=None)


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Returns the choice that stands first in a text as whole words, in any case; the longest of several there."""
    best: tuple[int, int, str] | None = None
    for choice in choices:
        if (match := re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text, re.IGNORECASE)) is not None:
            place = (match.start(), -len(choice), choice)
            best = place if best is None or place < best else best
    return None if best is None else best[2]
