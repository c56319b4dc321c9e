"""The rule of a protein, DNA or RNA sequence: its letters, its length and, if asked, its reading frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scimind.errors import ConfigError
from scimind.tokenizer.alphabet import NUCLEOTIDE_CHARACTERS, TAG_CHARACTERS

_LETTERS = {
    "protein": "ACDEFGHIKLMNPQRSTVWYUOXBZ",
    "dna": TAG_CHARACTERS["dna"],
    "rna": TAG_CHARACTERS["rna"],
    "nucleotide": NUCLEOTIDE_CHARACTERS,
}


@dataclass(frozen=True)
class SequenceRule:
    """Accepts sequences of one kind.

    Args:
        kind: "protein", "dna", "rna", or "nucleotide" for either of them. Amino acids are the 20 usual ones, U, O, and
            the ambiguous B, X and Z.
        min_length: Fewest letters, at least 1.
        max_length: Most letters; None for any number.
        reading_frame: Whether the letters must be whole codons, of which only the last may be a stop codon.
        start_codon: Whether the first codon must be AUG; needs `reading_frame`.
        stop_codon: Whether the last codon must be a stop codon; needs `reading_frame`.

    Raises:
        ConfigError: The kind is unknown, a protein has a reading frame, a codon is asked for without one, or no length
            is possible.
    """

    kind: str
    min_length: int = 1
    max_length: int | None = None
    reading_frame: bool = False
    start_codon: bool = False
    stop_codon: bool = False

    def __post_init__(self) -> None:
        """Checks the settings."""
        if self.kind not in _LETTERS:
            raise ConfigError(f"kind ({self.kind!r}) must be one of {', '.join(_LETTERS)}")
        if self.reading_frame and self.kind not in ("dna", "rna"):
            raise ConfigError("only DNA and RNA have a reading frame; leave reading_frame out")
        if (self.start_codon or self.stop_codon) and not self.reading_frame:
            raise ConfigError("start_codon and stop_codon need reading_frame; set it")
        if self.min_length < 1:
            raise ConfigError(f"min_length ({self.min_length}) must be at least 1")
        if self.max_length is not None and self.max_length < (fewest := self._shortest("")):
            raise ConfigError(f"max_length ({self.max_length}) leaves no possible sequence; give at least {fewest}")

    def accepts_prefix(self, text: str) -> bool:
        """Returns whether a sequence may begin with `text`."""
        return self.extend("", text) is not None

    def accepts(self, text: str) -> bool:
        """Returns whether `text` is a whole sequence."""
        return self.accepts_prefix(text) and self.ends(text)

    def ends(self, state: str) -> bool:
        """Returns whether no letter is missing."""
        return self.shortest_end(state) == 0

    def start(self) -> str:
        """Returns the state of the empty text: states are texts."""
        return ""

    def extend(self, state: str, text: str) -> str | None:
        """Returns the longer sequence, or None if no accepted one begins with it."""
        longer = state + text
        if any(letter not in _LETTERS[self.kind] for letter in text):
            return None
        if self.reading_frame and not self._is_in_frame(longer, len(state)):
            return None
        if self.max_length is not None and len(longer) + self.shortest_end(longer) > self.max_length:
            return None
        return longer

    def text(self, state: str) -> str:
        """Returns the state itself."""
        return state

    def shortest_end(self, state: str) -> int:
        """Returns the number of letters that are missing, exactly; 0 for a whole sequence."""
        return self._shortest(state) - len(state)

    def closings(self, state: str, room: int) -> Iterator[str]:
        """Returns one ending of the fewest letters, if there is room for it."""
        missing, ending = self.shortest_end(state), ""
        if missing > room:
            return
        while missing > len(ending):
            longer = (letter for letter in _LETTERS[self.kind] if self._is_nearer(state + ending, letter))
            ending += next(longer)
        yield ending

    def key(self, text: str) -> str:
        """Returns the sequence itself."""
        return text

    def _is_nearer(self, state: str, letter: str) -> bool:
        """Returns whether one letter less is missing after `letter`."""
        longer = self.extend(state, letter)
        return longer is not None and self.shortest_end(longer) == self.shortest_end(state) - 1

    def _shortest(self, text: str) -> int:
        """Returns the length of the shortest sequence that begins with `text`."""
        shortest = max(len(text), self.min_length)
        if not self.reading_frame:
            return shortest
        if text and len(text) % 3 == 0 and text[-3:] in self._stops:
            return len(text)
        shortest = -(-shortest // 3) * 3
        if not self.stop_codon:
            return shortest
        begun = text[len(text) // 3 * 3 :]
        end = len(text) - len(begun) + 3
        if (begun or self.start_codon and not text) and not any(stop.startswith(begun or "A") for stop in self._stops):
            end += 3
        return max(shortest, end)

    def _is_in_frame(self, text: str, known: int) -> bool:
        """Returns whether the codons of `text` are allowed where they are, those before `known` being known."""
        start, stops = self._spelled("ATG"), self._stops
        if self.start_codon and not (text.startswith(start) or start.startswith(text)):
            return False
        if any(text[place : place + 3] in stops for place in range(max(0, known // 3 * 3 - 3), len(text) - 3, 3)):
            return False
        return len(text) >= self.min_length or len(text) % 3 != 0 or text[-3:] not in stops

    @property
    def _stops(self) -> tuple[str, ...]:
        return tuple(map(self._spelled, ("TAA", "TAG", "TGA")))

    def _spelled(self, codon: str) -> str:
        return codon if self.kind == "dna" else codon.replace("T", "U")
