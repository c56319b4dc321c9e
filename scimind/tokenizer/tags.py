r"""The forms of sequences in text: in tags, `<smiles>CCO</smiles>`, or as added tokens, `{|C|}{|C|}{|O|}`.

Encoding uses `segmentation`, which rejects faulty marks. The patterns here find sequences in text without encoding it:
they match any character in a form, and ignore escapes unless they say otherwise.

Other projects write tags in capitals, with spaces around the content (SMolInstruct: `<SMILES> CCO </SMILES>`). The
tokenizer takes those for text; `with_own_tags` turns them into the tags above when a file is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from scimind.tokenizer.alphabet import BRACKETS, TAG_MODALITIES, token_form

FORM_LENGTH = len(token_form("smiles", "C"))

_TAGS = "|".join(TAG_MODALITIES)
_BRACKETS = {modality: (re.escape(opening), re.escape(closing)) for modality, (opening, closing) in BRACKETS.items()}
_FORMS = {modality: f"{opening}.{closing}" for modality, (opening, closing) in _BRACKETS.items()}
BACKSLASH = token_form("smiles", "\\")

TAG_PATTERN = f"</?(?:{_TAGS})>"
"""An opening or a closing tag."""

TAGGED = re.compile(rf"<({_TAGS})>(.*?)</\1>", re.DOTALL)
"""A tag (group 1) with its content (group 2), up to the next closing tag of its name."""

UNESCAPED_TAGGED = re.compile(rf"(?<!\\){TAGGED.pattern}", re.DOTALL)
r"""As `TAGGED`, without a backslash before the tag."""

TAGGED_WORD = re.compile(rf"(?<!\\)<({_TAGS})>\s*([^<>]*?)\s*</\1>")
r"""An unescaped tag (group 1) without another mark in it, with its stripped content (group 2)."""

SMILES_CONTENT = re.compile("(?<=<smiles>)[^<]*(?=</smiles>)")
"""The content of the tag of a molecule, without the tag."""

FORM_RUNS = {modality: re.compile(f"(?:{form})+") for modality, form in _FORMS.items()}
"""By modality: consecutive added tokens, such as `{|C|}{|O|}`; see `bare_characters`."""

MARKED = re.compile(f"{TAGGED.pattern}|(?:{'|'.join(_FORMS.values())})+", re.DOTALL)
"""A tag with its content, or consecutive added tokens, of any modality."""

DOUBLED_BACKSLASHES = re.compile(f"(?:{re.escape(BACKSLASH)}){{2,}}")
r"""Several consecutive `{|\|}`: two bonds in a row do not exist, so the file has doubled its backslashes."""

MOLECULE = re.compile(rf"<smiles>\s*([^<\s]+)\s*</smiles>|({FORM_RUNS['smiles'].pattern})")
"""A molecule in its tag (group 1, stripped) or as added tokens (group 2)."""

READABLE_RUNS = re.compile("|".join(run.pattern for run in FORM_RUNS.values()))
"""Consecutive added tokens of one modality; see `bare_characters`."""

FORM_BRACKETS = re.compile("|".join(bracket for pair in _BRACKETS.values() for bracket in pair))
"""A bracket of an added token."""

# The tags of other projects whose content is a sequence, a molecule as SELFIES, or text.
_SEQUENCE_TAGS = {tag.upper(): tag for tag in TAG_MODALITIES}
SELFIES_TAGS = ("SELFIES", "selfies")
_TEXT_TAGS = ("IUPAC", "MOLFORMULA", "NUMBER", "BOOLEAN")
FOREIGN_TAGS = (*_SEQUENCE_TAGS, *SELFIES_TAGS, *_TEXT_TAGS)
"""The names of the tags that `with_own_tags` reads."""

_FOREIGN = re.compile(rf"(?<!\\)<({'|'.join(FOREIGN_TAGS)})>\s*([^<]*?)\s*</\1>")
# Marks that no tag is made of: names in capitals, known names in any other spelling, and Galactica's marks.
_KNOWN = "|".join((*TAG_MODALITIES, *{name.lower() for name in FOREIGN_TAGS}))
_TAG_LIKE = re.compile(rf"(?<!\\)(?:<\s*/?\s*(?:[A-Z][A-Z0-9_]+|(?i:{_KNOWN}))\s*>|\[(?:START|END)_[A-Z_]+\])")


_SEQUENCE_ENDS = (*(closing for _, closing in BRACKETS.values()), "</")


def may_hold_sequences(text: str) -> bool:
    """Returns whether a text contains the end of a tag or an added token; otherwise it contains no sequence."""
    return any(end in text for end in _SEQUENCE_ENDS)


def opening_tag(tag: str) -> str:
    """Returns the tag before a sequence, such as `<smiles>`."""
    return f"<{tag}>"


def closing_tag(tag: str) -> str:
    """Returns the tag after a sequence, such as `</smiles>`."""
    return f"</{tag}>"


def in_tag(sequence: str, tag: str) -> str:
    """Returns a sequence in its tag, such as `<smiles>CCO</smiles>`."""
    return f"{opening_tag(tag)}{sequence}{closing_tag(tag)}"


def without_tag(text: str, tag: str) -> str:
    """Returns a text without the tag at its beginning and end."""
    return text.removeprefix(opening_tag(tag)).removesuffix(closing_tag(tag))


def first_in_tag(text: str, tag: str) -> str | None:
    """Returns the stripped content of the first tag with this name that is not empty and contains no tag, or None."""
    match = re.search(rf"{opening_tag(tag)}\s*([^<]+?)\s*{closing_tag(tag)}", text)
    return None if match is None else match[1]


def bare_characters(run: str) -> str:
    """Returns the characters of consecutive added tokens of one form, such as CO for `{|C|}{|O|}`."""
    return run[FORM_LENGTH // 2 :: FORM_LENGTH]


def with_own_tags(text: str, smiles_of: Callable[[str], str], readings: Counter[str]) -> str:
    """Returns a text with the tags of other projects replaced by ours, or by their content.

    `<SMILES> CCO </SMILES>` becomes `<smiles>CCO</smiles>`, likewise PROTEIN, DNA and RNA; the content of SELFIES
    becomes a SMILES in a tag; IUPAC, MOLFORMULA, NUMBER and BOOLEAN become their content. A tag that is escaped by a
    backslash, empty, not closed, or whose sequence contains white space stays text.

    Args:
        text: Any text.
        smiles_of: Returns the SMILES of SELFIES.
        readings: Counts what was read, as `<SMILES> read as <smiles>`.
    """
    if "</" not in text:
        return text

    def replaced(match: re.Match[str]) -> str:
        name, content = match.groups()
        if not content or (name not in _TEXT_TAGS and content != "".join(content.split())):
            return match[0]
        if name in _TEXT_TAGS:
            readings[f"<{name}> read as text"] += 1
            return content
        tag = _SEQUENCE_TAGS.get(name, "smiles")
        readings[f"<{name}> read as {opening_tag(tag)}"] += 1
        return in_tag(content if name in _SEQUENCE_TAGS else smiles_of(content), tag)

    return _FOREIGN.sub(replaced, text)


def count_kept_marks(text: str, readings: Counter[str], *, own: bool = False) -> None:
    """Counts the marks of a text that look like tags and are text for the tokenizer, as `<MOL> kept as text`.

    Args:
        text: A text as `with_own_tags` returns it. Escaped marks are not counted: they are meant as text.
        readings: Counts each name once per opening mark, or per closing mark if there is no opening one.
        own: Whether SciMind's tags are text too, as in a caption.
    """
    if "<" not in text and "[" not in text:
        return
    found = Counter("".join(match[0].split()) for match in _TAG_LIKE.finditer(text))
    for mark, count in found.items():
        opening = mark.replace("</", "<").replace("[END_", "[START_")
        if (own or re.fullmatch(TAG_PATTERN, mark) is None) and (mark == opening or opening not in found):
            readings[f"{mark} kept as text"] += count
