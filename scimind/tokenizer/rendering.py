"""Parts of a decoded text put together: where spaces go, and how a sequence is written."""

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
    """One token that is no text: the character of a modality, or what a special token shows (modality "special")."""

    modality: str
    character: str


def join_parts(parts: Sequence[str | TokenText], *, tags: bool) -> str:
    """Returns the whole text of decoded parts.

    Encoding drops white space beside a sequence, so any can be put there; a space is, except at the inside of brackets
    and before closing punctuation. Special tokens end a sequence and a text.

    Args:
        parts: Plain text (escaped already where it must be) and tokens, in order.
        tags: Whether sequences stand in tags, which also keeps neighbours apart without a space.
    """
    joined, previous = "", "special"
    for kind, group in groupby(parts, key=lambda part: part.modality if isinstance(part, TokenText) else "text"):
        text = "".join(part.character if isinstance(part, TokenText) else part for part in group)
        if not text:  # A special token that is not shown: it has parted its neighbours, which is all it does.
            continue
        if kind not in ("text", "special") and tags:
            text = _in_tag(kind, text)
        beside_special = "special" in (kind, previous)
        tag_beside_tag = tags and "text" not in (kind, previous)
        before = joined[-1:] if previous == "text" else None
        after = text[0] if kind == "text" else None
        if not beside_special and not tag_beside_tag and _needs_space(before, after):
            joined += " "
        joined += text
        previous = kind
    return joined


def _needs_space(before: str | None, after: str | None) -> bool:
    """Returns whether a space goes between a text's last and a text's first character; None stands for a sequence's."""
    if before is not None and (before.isspace() or before in _NO_SPACE_AFTER):
        return False
    return after is None or not (after.isspace() or after in _NO_SPACE_BEFORE)


def _in_tag(modality: str, characters: str) -> str:
    """Returns a sequence in the tag that encodes to its tokens, or in forms where no tag does."""
    if modality != "nucleotide":
        return in_tag(characters, modality)
    if "U" in characters and "T" in characters:
        return "".join(token_form(modality, character) for character in characters)
    return in_tag(characters, "rna" if "U" in characters else "dna")
