"""The rule of a molecule: a SMILES that RDKit accepts."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import count

from scimind.data.content.molecules import canonical_smiles, parse
from scimind.data.defects import RecordError
from scimind.generate.validity.molecule_state import MoleculeState

_CLOSING_CHARACTERS = ("C", "c", "n", "o", ")", ">")
_CLOSING_BRACKETS = ("]", "C]", "1]", "H1]", "+]", "-]", "a]", "e]", "i]", "r]", "n]")
_CLOSING_LABELS = ("0", "10", "1)")
_MOST_CLOSING_STATES = 400


class MoleculeRule:
    """Accepts what RDKit parses and sanitises, and refuses a prefix as soon as valence, rings or aromaticity forbid it.

    Prefixes are judged by `MoleculeState`, whole answers by RDKit. What RDKit reads and this rule refuses: oxides of
    five-valent nitrogen and of halogens without charges (`CN(=O)=O`), dative bonds of atoms whose bonds are all used,
    isotopes above 999, charges beyond ±15, rings that are closed in another fragment (`C1.C1`), white space.
    """

    def accepts_prefix(self, text: str) -> bool:
        """Returns whether a SMILES may begin with `text`."""
        return self.extend(self.start(), text) is not None

    def accepts(self, text: str) -> bool:
        """Returns whether `text` is a whole SMILES and a molecule for RDKit; the empty text is neither."""
        state = self.extend(self.start(), text)
        return state is not None and self.ends(state)

    def ends(self, state: MoleculeState) -> bool:
        """Returns whether nothing is open and RDKit accepts the text."""
        return state.is_complete and canonical_text(state.text) is not None

    def start(self) -> MoleculeState:
        """Returns the state of the empty text."""
        return MoleculeState()

    def extend(self, state: MoleculeState, text: str) -> MoleculeState | None:
        """Returns the state after more characters, or None if no molecule is spelled like that."""
        longer = state.copy()
        return longer if all(map(longer.read, text)) else None

    def text(self, state: MoleculeState) -> str:
        """Returns the SMILES so far."""
        return state.text

    def shortest_end(self, state: MoleculeState) -> int:
        """Returns a lower bound of the number of characters to a molecule; 0 if nothing is open."""
        return state.shortest_end()

    def closings(self, state: MoleculeState, room: int) -> Iterator[str]:
        """Returns endings of at most `room` characters after which nothing is open, the shortest first.

        They close brackets, branches and rings, with carbon, aromatic carbon, nitrogen and oxygen where an atom is
        needed. The search for them (A*, with `shortest_end` as its bound) ends after some hundred states.
        """
        order = count()
        waiting = [(state.shortest_end(), 0, next(order), state)]
        begun = len(state.text)
        for _ in range(_MOST_CLOSING_STATES):
            if not waiting:
                return
            _, _, _, place = heapq.heappop(waiting)
            if place.is_complete:
                yield place.text[begun:]
            for text in self._steps(place):
                longer = self.extend(place, text)
                if longer is None:
                    continue
                used = len(longer.text) - begun
                total = used + longer.shortest_end()
                if total <= room:
                    heapq.heappush(waiting, (total, -used, next(order), longer))

    def key(self, text: str) -> str:
        """Returns RDKit's canonical SMILES of an accepted text."""
        canonical = canonical_text(text)
        if canonical is None:
            raise ValueError(f"{text!r} is not a molecule")
        return canonical

    @staticmethod
    def _steps(place: MoleculeState) -> Iterable[str]:
        """Returns what may come next in an ending."""
        if place.last == "bracket":
            return _CLOSING_BRACKETS
        labels = [ring.label for ring in place.rings.values()]
        if place.last == "label":
            return [rest for label in labels if (rest := label.removeprefix(place.content)) != label] or _CLOSING_LABELS
        return (*labels, *_CLOSING_CHARACTERS)


@lru_cache(maxsize=1 << 12)
def canonical_text(text: str) -> str | None:
    """Returns RDKit's canonical SMILES, None if `text` is not a molecule. White space would begin a name."""
    if not text or text.split() != [text]:
        return None
    try:
        return canonical_smiles(parse(text))
    except RecordError:
        return None
