"""Sequences in the forms found in data sets: spaced, in lower case, as k-mers, fenced by backticks, ambiguous."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from scimind.data.content.ambiguity import meaning_of, resolve
from scimind.data.content.molecules import parse
from scimind.data.defects import EMPTY, LETTER, RecordError
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.codec import TokenCodec
from scimind.tokenizer.tags import MARKED, TAGGED_WORD

# The tag and the sequence.
Wrapped = tuple[str, str]

_FENCE = re.compile(r"```[^\S\n]*\n?([^`]*?)\n?[^\S\n]*```")
_WORD = re.compile(r"[^\s`\"'“”‘’]+")
_PUNCTUATION = ".,;:!?"

# The shortest sequences that detection accepts: shorter ones are as likely to be words, abbreviations or genes.
_SHORTEST_PROTEIN, _SHORTEST_NUCLEOTIDE, _FEWEST_ATOMS = 20, 12, 4
_AMINO_ACIDS = frozenset("ACDEFGHIKLMNPQRSTVWY")


def clean_sequence(tag: str, raw: str, ambiguous: str = "drop", seed: int = 0) -> tuple[str, str]:
    """Returns a protein, DNA or RNA sequence as plain letters, and what was done to ambiguous ones (empty: nothing).

    See `sequence_letters`; `ambiguous` and `seed` are the policy and the seed of `resolve`.

    Raises:
        RecordError: Nothing is left, or a letter does not belong to this kind of sequence.
    """
    text, change = resolve(tag, sequence_letters(tag, raw), ambiguous, seed)
    if not text:
        raise RecordError(EMPTY, f"the {tag} sequence is empty; fill it in or remove the record")
    if foreign := _foreign(tag, text):
        letter = text[foreign - 1]
        reason = f"letter {letter!r} at position {foreign - 1} is not valid in a {tag} sequence"
        meaning = meaning_of(tag, letter)
        remedy = "correct it or remove the record"
        if meaning:
            reason, remedy = f"{reason} ({meaning})", "give --ambiguous split or mask, or remove the record"
        raise RecordError(LETTER, f"{reason}; {remedy}", text=text)
    return text, change


def sequence_letters(tag: str, raw: str) -> str:
    """Returns the letters of a protein, DNA or RNA sequence, which are not checked.

    Fencing backticks, white space and a protein's final `*` (its stop) are removed, lower case becomes upper case, and
    k-mers that overlap in all letters but one (DNABERT's form) are joined.

    Args:
        tag: `protein`, `dna` or `rna`.
        raw: The text of a field.
    """
    if (fence := _FENCE.search(raw)) is not None:
        raw = fence[1]
    words = raw.upper().split()
    text = words[0] + "".join(word[-1] for word in words[1:]) if _are_kmers(words) else "".join(words)
    return text.removesuffix("*") if tag == "protein" else text


def wrap_text(
    text: str, fenced: str | None = None, *, detect: bool = False, plain: bool = True
) -> tuple[str, list[Wrapped], list[Wrapped]]:
    r"""Returns a text with its sequences in tags, the sequences that were in tags or fences, and the detected ones.

    Args:
        text: Text that may contain sequences.
        fenced: The tag for sequences between triple backticks; None leaves backticks unchanged.
        detect: Whether words that look like sequences are tagged: SMILES that RDKit parses, with at least 4 atoms
            and a bracket, bond or ring; at least 20 amino acids; at least 12 bases.
        plain: Whether text that merely looks like a tag is escaped as plain text: a tag that is not closed, is empty,
            or does not contain a sequence; and the forms of added tokens. False keeps all marks unchanged.
    """
    known: list[Wrapped] = []
    found: list[Wrapped] = []
    parts: list[str] = []
    for tag, piece in _split(text, fenced) if plain else _split_marked(text):
        if tag == "mark":
            parts.append(piece)
        elif tag:
            known.append((tag, piece))
            _append_tag(parts, tag, piece)
        else:
            words = _detected(piece, found) if detect else iter([("", piece)])
            for kind, word in words:
                if kind:
                    _append_tag(parts, kind, word)
                elif word:
                    parts.append(TokenCodec.escape(word) if plain else word)
    return "".join(parts), known, found


def _append_tag(parts: list[str], tag: str, sequence: str) -> None:
    """Appends a sequence in its tag; backslashes right before it are doubled so that they do not escape it."""
    if parts and parts[-1].endswith("\\"):
        bare = parts[-1].rstrip("\\")
        parts[-1] = bare + "\\" * (2 * (len(parts[-1]) - len(bare)))
    parts.append(TokenCodec.wrap(sequence, tag))


def _split(text: str, fenced: str | None) -> Iterator[tuple[str, str]]:
    """Yields (tag, sequence) for each marked sequence, and ("", text) for the text between them."""
    spans = []
    for match in TAGGED_WORD.finditer(text):
        if match[2] and not _foreign(match[1], match[2]):
            spans.append((match.start(), match.end(), match[1], match[2]))
    for match in _FENCE.finditer(text) if fenced else ():
        sequence = "".join(match[1].split())
        if sequence and fenced and not _foreign(fenced, sequence):
            spans.append((match.start(), match.end(), fenced, sequence))
    position = 0
    for start, stop, tag, sequence in sorted(spans):
        if start >= position:
            yield "", text[position:start]
            yield tag, sequence
            position = stop
    yield "", text[position:]


def _split_marked(text: str) -> Iterator[tuple[str, str]]:
    """Yields ("mark", text) for tags with their content and for forms of added tokens, ("", text) for the rest."""
    position = 0
    for match in MARKED.finditer(text):
        yield "", text[position : match.start()]
        yield "mark", match[0]
        position = match.end()
    yield "", text[position:]


def _detected(text: str, found: list[Wrapped]) -> Iterator[tuple[str, str]]:
    """Yields (tag, word) for words that are sequences, and ("", text) for the text between them."""
    position = 0
    for match in _WORD.finditer(text):
        word = match[0].rstrip(_PUNCTUATION)
        tag = next((tag for tag, is_one in _DETECTORS.items() if is_one(word)), "")
        if tag:
            yield "", text[position : match.start()]
            yield tag, word
            found.append((tag, word))
            position = match.start() + len(word)
    yield "", text[position:]


def _is_smiles(word: str) -> bool:
    if len(word) < _FEWEST_ATOMS or not set("()[]=#123@").intersection(word) or "C" not in word.upper():
        return False
    if _foreign("smiles", word):
        return False
    try:
        return int(parse(word).GetNumHeavyAtoms()) >= _FEWEST_ATOMS
    except RecordError:
        return False


_DETECTORS: dict[str, Callable[[str], bool]] = {
    "dna": lambda word: len(word) >= _SHORTEST_NUCLEOTIDE and set(word) <= set("ACGT"),
    "rna": lambda word: len(word) >= _SHORTEST_NUCLEOTIDE and set(word) <= set("ACGU"),
    "protein": lambda word: len(word) >= _SHORTEST_PROTEIN and set(word) <= _AMINO_ACIDS and len(set(word)) > 4,
    "smiles": _is_smiles,
}


def _are_kmers(words: list[str]) -> bool:
    size = len(words[0]) if len(words) > 1 else 1
    return size > 1 and all(
        len(second) == size and first[1:] == second[:-1] for first, second in zip(words, words[1:], strict=False)
    )


def _foreign(tag: str, text: str) -> int:
    """Returns the number, from 1, of the first character that the tag does not accept; 0 if it accepts all."""
    left = text.lstrip(TAG_CHARACTERS[tag])
    return len(text) - len(left) + 1 if left else 0
