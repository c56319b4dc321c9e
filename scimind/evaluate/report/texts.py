"""An item's texts in readable form: sequences without token marks, and the parts that two texts have in common."""

from __future__ import annotations

import re

from rapidfuzz.distance import Levenshtein

from scimind.data.encode.rendering import split_system
from scimind.tokenizer.tags import MOLECULE, READABLE_RUNS, bare_characters

_PROMPT = re.compile(r"\s*\[INST\]:\s*(.*?)\s*\[/INST\]:\s*", re.DOTALL)
# The page splits words at the same characters; see report.js.
_SPACE = re.compile(r"[ \t\r\n]+")
_LONGEST = 4096


def readable(text: str) -> str:
    """Returns a prompt or an output with plain sequences and without the marks of questions and system texts."""
    framed = _PROMPT.fullmatch(text)
    question, system = split_system(framed[1] if framed else text)
    shown = f"{system}\n\n{question}" if system else question
    return READABLE_RUNS.sub(lambda match: bare_characters(match[0]), shown)


def molecule_in(text: str | None) -> str | None:
    """Returns the SMILES in a text: in tags, spelled in tokens, or as the only word; None if there is none."""
    if not text:
        return None
    found = MOLECULE.search(text)
    if found is not None:
        return found[1] or bare_characters(found[2])
    alone = text.split()
    return alone[0] if len(alone) == 1 else None


def tagged_molecule_in(text: str | None) -> str | None:
    """Returns the SMILES of the only molecule that a text marks as one; None if it marks none or several."""
    found = list(MOLECULE.finditer(text or ""))
    return molecule_in(found[0][0]) if len(found) == 1 else None


def whole_reaction(asked: str | None, answer: str | None, part: str) -> str | None:
    """Returns the reaction that an answer completes, as `reactants>agents>products`; None if it completes none.

    Args:
        asked: The question, with its molecules or its reaction marked as such.
        answer: The answer, a SMILES.
        part: The part of the reaction that the answer is, see `REACTION_PARTS`.
    """
    given = [molecule_in(found[0]) for found in MOLECULE.finditer(asked or "")]
    words = (answer or "").split()
    if not given or not words:
        return None
    if part == "agents":
        reactants, arrow, products = str(given[0]).partition(">>")
        return f"{reactants}>{words[0]}>{products}" if arrow else None
    if part == "reactants":
        return f"{words[0]}>>{given[0]}"
    return f"{given[0]}>{given[1] if len(given) > 1 else ''}>{words[0]}" if part == "products" else None


def words_of(text: str) -> list[str]:
    """Returns the words of a text as the page splits it."""
    return _SPACE.split(text)


def common_runs(reference: str, output: str, *, by_words: bool) -> list[int] | None:
    """Returns the runs that two texts have in common: those that the fewest edits from one to the other leave.

    Args:
        reference: The right text.
        output: The model's text.
        by_words: Whether words are compared instead of characters.

    Returns:
        Three numbers for each run: its start in the reference, its start in the output, and its length, in words or
        characters; None if a text is too long to compare.
    """
    left = words_of(reference) if by_words else list(reference)
    right = words_of(output) if by_words else list(output)
    if max(len(left), len(right)) > _LONGEST:
        return None
    blocks = Levenshtein.opcodes(left, right).as_matching_blocks()
    return [number for block in blocks if block.size for number in (block.a, block.b, block.size)]
