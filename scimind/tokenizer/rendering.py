"""Joins the parts of a decoded text: where spaces go, and how sequences are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from scimind.tokenizer.alphabet import token_form
from scimind.tokenizer.tags import in_tag

_NO_SPACE_AFTER = "([{"
_NO_SPACE_BEFORE = ".,;:!?)]}"


@dataclass(frozen=True)
class TokenText:
    """A token that is not text: a character of a modality, or the text of a special token (modality "special")."""

    modality: str
    character: str


def join_parts(parts: Sequence[str | TokenText], *, tags: bool) -> str:
    """Returns the whole text of decoded parts.

    Encoding drops white space next to a sequence, so any can be added there: a space is, except inside brackets and
    before closing punctuation. Special tokens end a sequence or a text.

    Args:
        parts: Plain text (already escaped where necessary) and tokens, in order.
        tags: Whether sequences are written in tags, which also separate neighbours without a space.
    """
    joined, previous = "", "special"
    for kind, group in groupby(parts, key=lambda part: part.modality if isinstance(part, TokenText) else "text"):
        text = "".join(part.character if isinstance(part, TokenText) else part for part in group)
        if not text:  # A special token that is not shown only separates its neighbours.
            continue
        if kind not in ("text", "special") and tags:
            text = _in_tag(kind, text)
        next_to_special = "special" in (kind, previous)
        between_tags = tags and "text" not in (kind, previous)
        before = joined[-1:] if previous == "text" else None
        after = text[0] if kind == "text" else None
        if not next_to_special and not between_tags and _needs_space(before, after):
            joined += " "
        joined += text
        previous = kind
    return joined


def _needs_space(before: str | None, after: str | None) -> bool:
    """Returns whether a space is needed between two characters, where None stands for a character of a sequence."""
    if before is not None and (before.isspace() or before in _NO_SPACE_AFTER):
        return False
    return after is None or not (after.isspace() or after in _NO_SPACE_BEFORE)


def _in_tag(modality: str, characters: str) -> str:
    """Returns a sequence in the tag that encodes to its tokens, or as forms without such a tag."""
    if modality != "nucleotide":
        return in_tag(characters, modality)
    if "U" in characters and "T" in characters:
        return "".join(token_form(modality, character) for character in characters)
    return in_tag(characters, "rna" if "U" in characters else "dna")
