"""Outputs and references with marks around them: tags, quotes, forms of added tokens, and the text of an answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scimind.data.content.selfies import is_selfies, molecule_text
from scimind.data.defects import RecordError
from scimind.data.tasks.outputs import read_sequence, read_text, read_whole
from scimind.errors import DataError, SciMindError
from scimind.evaluate.metrics.molecules import parse_smiles
from scimind.evaluate.predictions import Item

# The tag of the sequences that a group of metrics scores.
_TAGS = {"molecules": "smiles", "reactions": "smiles", "proteins": "protein"}
# A sentence has several words, and one that almost every English sentence has.
_WORD = re.compile(r"(?<!\S)[A-Za-z][a-z]+(?=[\s.,;:]|$)")
_FUNCTION_WORDS = frozenset(
    ("the", "a", "an", "is", "are", "was", "of", "and", "it", "this", "that", "to", "in", "with", "which", "has", "as")
)
_FEWEST_WORDS = 3


def read_marked(items: Sequence[Item], group: str, *, extract: bool) -> tuple[list[Item], dict[str, int]]:
    """Returns the items with outputs and references as they are scored, and counts for the summary.

    A text that consists of a sequence and of marks around it is read as the sequence, see `read_whole`. Every other
    text stays as it is, unless it is extracted.

    Args:
        items: Outputs, and references if there are any.
        group: The group of metrics that scores them.
        extract: Whether a molecule or protein among other text is taken out of an output.

    Raises:
        SciMindError: The group does not score sequences, which `extract` needs.
    """
    tag = _TAGS.get(group)
    if extract and tag is None:
        known = ", ".join(_TAGS).replace(", proteins", " or proteins")
        raise SciMindError(f"--extract works with {known}, not with {group}; leave it out")
    counts: Counter[str] = Counter()
    return [_read(item, tag, counts, extract=extract) for item in items], dict(counts)


def _read(item: Item, tag: str | None, counts: Counter[str], *, extract: bool) -> Item:
    def bare(text: str) -> str:
        return read_text(text) if tag is None else read_whole(text, tag)

    def scored(answer: str) -> str:
        output = bare(answer)
        counts["outputs_read_without_marks"] += output != answer
        if tag is not None and (found := _among_text(output, tag)) is not None:
            output = found if extract else output
            what = "molecules" if tag == "smiles" else "proteins"
            counts[f"{what}_extracted_from_text" if extract else f"outputs_with_{what}_among_other_text"] += 1
        if tag == "smiles" and is_selfies(output.strip()):
            counts["SELFIES_decoded" if extract else "outputs_that_are_SELFIES"] += 1
            output = _decoded(output) if extract else output
        return output

    output, *further = map(scored, item.answers)
    reference = None if item.reference is None else bare(item.reference)
    counts["references_read_without_marks"] += reference != item.reference
    return replace(item, output=output, further=tuple(further), reference=reference)


def _among_text(text: str, tag: str) -> str | None:
    """Returns the sequence in a text that is not itself one and has other words or marks; None if there is none."""
    if not (len(text.split()) > 1 or "<" in text or "|" in text):
        return None
    if tag == "smiles" and parse_smiles(text.strip()) is not None:
        return None  # RDKit reads it up to the first white space, as the published scripts do
    if tag == "protein" and not re.search("[a-z]", text):
        return None  # a sequence with white space, which the metrics read
    found = read_sequence(text, tag)
    return found if found != text.strip() else None


def _decoded(text: str) -> str:
    try:
        return molecule_text(text.strip())[0]
    except RecordError:
        return text  # an invalid output


def check_sequences(items: Sequence[Item], group: str, path: Path) -> None:
    """Checks that outputs scored as molecules or proteins are not the answers to another task.

    A model that knows little, whose outputs are words without grammar, is scored.

    Raises:
        DataError: No output is a molecule or protein, and most are sentences.
    """
    if group not in _TAGS:
        return
    texts = [item.output for item in items if item.output.strip()]
    sentences = sum(map(_is_sentence, texts))
    if 2 * sentences <= len(texts) or any(_is_one(text.strip(), group) for text in texts):
        return
    kind = "protein" if group == "proteins" else "molecule"
    reason = (
        f"none of the {len(texts)} outputs is a {kind}, and {sentences} are sentences; give the task that they "
        f"answer, or --extract if the {kind}s are inside the sentences"
    )
    raise DataError(reason, path)


def _is_one(text: str, group: str) -> bool:
    """Returns whether an output may be a molecule or a protein: RDKit parses it; it is one word or in capitals."""
    if _TAGS[group] == "smiles":
        return parse_smiles(text) is not None
    return len(text.split()) == 1 or not re.search("[a-z]", text)


def _is_sentence(text: str) -> bool:
    words = [word.lower() for word in _WORD.findall(text)]
    return len(words) >= _FEWEST_WORDS and not _FUNCTION_WORDS.isdisjoint(words)
