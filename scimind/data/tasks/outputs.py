"""How a model's answer is read back: text, a molecule or another sequence, one of several choices, a list of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scimind.data.content.molecules import parse
from scimind.data.defects import RecordError
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.tags import first_in_tag

_SHORTEST_SEQUENCE = 12  # letters of a protein or a nucleic acid among words

# The groups of metrics, and what the column of the references may be called in a table.
GROUPS: dict[str, tuple[str, ...]] = {
    "captions": ("description", "caption"),
    "molecules": ("SMILES", "molecule"),
    "proteins": ("sequence", "protein"),
    "names": ("properties", "property"),
    "classification": ("label", "mechanism"),
    "language_model": (),
}
# What an answer may be, and the group of metrics that scores it.
OUTPUTS = {
    "text": "captions",
    "smiles": "molecules",
    "protein": "proteins",
    "dna": "",
    "rna": "",
    "choice": "classification",
    "names": "names",
}


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
            The stripped text; the bare SMILES or sequence, see `read_sequence`; the choice, as `choices` spells it;
            the names, in order and without repetition.
        """
        text = output.strip()
        if self.kind in TAG_CHARACTERS:
            return read_sequence(text, self.kind)
        if self.kind == "choice" and self.choices:
            return read_choice(text, self.choices)
        if self.kind == "names":
            return read_names(text)
        return text or None


def read_sequence(text: str, tag: str) -> str | None:
    """Returns the sequence that a text gives, None where it gives none.

    That is the first one in tags; else the text, if it is one word of the tag's characters; else the longest of its
    words that is a molecule by RDKit, or a sequence that is long enough to be no English word.
    """
    tagged = first_in_tag(text, tag)
    if tagged is not None:
        return tagged
    parts = [part.strip("`\"',;.:!?") for part in text.split()]
    words = [word for word in parts if word and not word.strip(TAG_CHARACTERS[tag])]
    if len(parts) > 1:
        words = [word for word in words if _is_no_english(word, tag)]
    return max(words, key=len, default=None)


def _is_no_english(word: str, tag: str) -> bool:
    """Returns whether a word of a tag's characters that stands among others is a sequence."""
    if tag != "smiles":
        return len(word) >= _SHORTEST_SEQUENCE
    try:
        parse(word)
    except RecordError:
        return False
    return True


def read_names(text: str) -> list[str]:
    """Returns the names between commas, in order and without repetition."""
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip(" \n."))))


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Returns the choice that stands first in a text as whole words, in any case; the longest of several there."""
    best: tuple[int, int, str] | None = None
    for choice in choices:
        if (match := re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text, re.IGNORECASE)) is not None:
            place = (match.start(), -len(choice), choice)
            best = place if best is None or place < best else best
    return None if best is None else best[2]
