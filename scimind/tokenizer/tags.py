r"""How sequences are written in text: in tags, `<smiles>CCO</smiles>`, or as added tokens, `{|C|}{|C|}{|O|}`.

A text is encoded by `segmentation`, which refuses faulty marks. The patterns here are for all who look for sequences in
text without encoding it: they match the forms alone, whatever character is in them, and do not look at escapes except
where they say so.
"""

from __future__ import annotations

import re

from scimind.tokenizer.alphabet import BRACKETS, TAG_MODALITIES, token_form

FORM_LENGTH = len(token_form("smiles", "C"))

_TAGS = "|".join(TAG_MODALITIES)
_BRACKETS = {modality: (re.escape(opening), re.escape(closing)) for modality, (opening, closing) in BRACKETS.items()}
_FORMS = {modality: f"{opening}.{closing}" for modality, (opening, closing) in _BRACKETS.items()}
BACKSLASH = token_form("smiles", "\\")

TAG_PATTERN = f"</?(?:{_TAGS})>"
"""An opening or a closing tag."""

TAGGED = re.compile(rf"<({_TAGS})>(.*?)</\1>", re.DOTALL)
"""A tag (group 1) with all that it holds (group 2), up to the next closing tag of its name."""

UNESCAPED_TAGGED = re.compile(rf"(?<!\\){TAGGED.pattern}", re.DOTALL)
r"""As `TAGGED`, where no backslash is before the tag."""

TAGGED_WORD = re.compile(rf"(?<!\\)<({_TAGS})>\s*([^<>]*?)\s*</\1>")
r"""An unescaped tag (group 1) that holds no other mark, with its stripped content (group 2)."""

SMILES_CONTENT = re.compile("(?<=<smiles>)[^<]*(?=</smiles>)")
"""What a tag of a molecule holds, without the tag."""

FORM_RUNS = {modality: re.compile(f"(?:{form})+") for modality, form in _FORMS.items()}
"""By modality: added tokens in a row, such as `{|C|}{|O|}`; see `bare_characters`."""

MARKED = re.compile(f"{TAGGED.pattern}|(?:{'|'.join(_FORMS.values())})+", re.DOTALL)
"""A tag with all that it holds, or added tokens in a row, of any modality."""

DOUBLED_BACKSLASHES = re.compile(f"(?:{re.escape(BACKSLASH)}){{2,}}")
r"""Several `{|\|}` in a row: two bonds, which no molecule has, so that a file has doubled its backslashes."""

MOLECULE = re.compile(rf"<smiles>\s*([^<\s]+)\s*</smiles>|({FORM_RUNS['smiles'].pattern})")
"""A molecule in its tag (group 1, stripped) or as added tokens (group 2)."""

READABLE_RUNS = re.compile(rf"{FORM_RUNS['smiles'].pattern}|{FORM_RUNS['protein'].pattern}|(?:\*[GACTU]\*)+")
"""Added tokens in a row, nucleotides in the short form `*G*`; see `bare_characters`."""

FORM_BRACKETS = re.compile("|".join((*_BRACKETS["smiles"], *_BRACKETS["protein"])))
"""A bracket of the added tokens of molecules and proteins."""


_SEQUENCE_ENDS = (*(closing for _, closing in BRACKETS.values()), "</")


def may_hold_sequences(text: str) -> bool:
    """Returns whether a text has what ends a tag or an added token; without, it holds no sequence."""
    return any(end in text for end in _SEQUENCE_ENDS)


def opening_tag(tag: str) -> str:
    """Returns a tag as it is written before its sequence, such as `<smiles>`."""
    return f"<{tag}>"


def closing_tag(tag: str) -> str:
    """Returns a tag as it is written after its sequence, such as `</smiles>`."""
    return f"</{tag}>"


def in_tag(sequence: str, tag: str) -> str:
    """Returns a sequence in its tag, such as `<smiles>CCO</smiles>`."""
    return f"{opening_tag(tag)}{sequence}{closing_tag(tag)}"


def without_tag(text: str, tag: str) -> str:
    """Returns a text without the tag that it begins or ends with."""
    return text.removeprefix(opening_tag(tag)).removesuffix(closing_tag(tag))


def first_in_tag(text: str, tag: str) -> str | None:
    """Returns the stripped content of the first tag of a name that holds something and no tag; None without one."""
    match = re.search(rf"{opening_tag(tag)}\s*([^<]+?)\s*{closing_tag(tag)}", text)
    return None if match is None else match[1]


def bare_characters(run: str) -> str:
    """Returns the characters of added tokens in a row, such as CO for `{|C|}{|O|}`, all of them of one form."""
    size = FORM_LENGTH if run[1] == "|" else len("*G*")
    return run[size // 2 :: size]
