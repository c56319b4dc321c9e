"""The rule of a number: sign, places, point and decimals, as a task writes its values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scimind.data.content.numbers import MOST_PLACES
from scimind.tokenizer import TokenCodec

_CHARACTERS = "-.0123456789"
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # SentencePiece's


class NumberRule:
    """Accepts numbers in the one form that training answers have: `4.90` and `-0.35`, not `+4.9`, `04.90` or `-0.00`.

    A blank may come first, since the piece of an answer's first character has one. States are texts.

    Args:
        digits: Number of decimals, at least 0; without any there is no point.
    """

    def __init__(self, digits: int) -> None:
        self._digits = digits
        decimals = rf"(?:\.\d{{0,{digits}}})?" if digits else ""
        self._prefix = re.compile(rf" ?-?(?:(?:0|[1-9]\d{{0,{MOST_PLACES - 1}}}){decimals})?", re.ASCII)
        all_decimals = rf"\.\d{{{digits}}}" if digits else ""
        self._whole = re.compile(rf" ?-?\d+{all_decimals}", re.ASCII)

    def accepts_prefix(self, text: str) -> bool:
        """Returns whether a number may begin with `text`."""
        return self.extend("", text) is not None

    def accepts(self, text: str) -> bool:
        """Returns whether `text` is a whole number."""
        return self.accepts_prefix(text) and self.ends(text)

    def start(self) -> str:
        """Returns the state of the empty text."""
        return ""

    def extend(self, state: str, text: str) -> str | None:
        """Returns the longer text, or None if no number begins with it."""
        longer = state + text
        if self._prefix.fullmatch(longer) is None or (self._whole.fullmatch(longer) and _is_minus_zero(longer)):
            return None
        return longer

    def text(self, state: str) -> str:
        """Returns the state itself."""
        return state

    def ends(self, state: str) -> bool:
        """Returns whether all decimals are there."""
        return self._whole.fullmatch(state) is not None

    def shortest_end(self, state: str) -> int:
        """Returns the number of characters that are missing, exactly; 0 for a whole number."""
        places, point, decimals = state.lstrip(" -").partition(".")
        missing = self._digits - len(decimals) + (not point if self._digits else 0)
        return missing + (not places)

    def closings(self, state: str, room: int) -> Iterator[str]:
        """Returns the ending of zeros, with a one at the end of what would be minus zero, if there is room for it."""
        missing = self.shortest_end(state)
        if missing > room:
            return
        places, point, _ = state.lstrip(" -").partition(".")
        ending = ("" if places else "0") + ("." if self._digits and not point else "")
        ending += "0" * (missing - len(ending))
        if missing and _is_minus_zero(state + ending):
            ending = ending[:-1] + "1"
        yield ending

    def key(self, text: str) -> str:
        """Returns the number without the blank."""
        return text.strip()


def _is_minus_zero(text: str) -> bool:
    return "-" in text and not text.strip(" -.0")


def number_texts(codec: TokenCodec) -> dict[int, str]:
    """Returns what each piece spells that has nothing but characters of numbers, and perhaps a blank before them."""
    pieces = {token: codec.token(token).replace(_SPACE, " ") for token in range(codec.base_size)}
    return {
        token: text for token, text in pieces.items() if not text.removeprefix(" ").strip(_CHARACTERS) and text != ""
    }
