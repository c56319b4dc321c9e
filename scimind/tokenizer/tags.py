r"""The forms of sequences in text: in tags, `<smiles>CCO</smiles>`, or as added tokens, `{|C|}{|C|}{|O|}`.

Encoding uses `segmentation`, which rejects faulty marks. The patterns here find sequences in text without encoding it:
they match any character in a form, and ignore escapes unless they say otherwise.
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

READABLE_RUNS = re.compile(rf"{FORM_RUNS['smiles'].pattern}|{FORM_RUNS['protein'].pattern}|(?:\*[GACTU]\*)+")
"""Consecutive added tokens, with nucleotides in the short form `*G*`; see `bare_characters`."""

FORM_BRACKETS = re.compile("|".join((*_BRACKETS["smiles"], *_BRACKETS["protein"])))
"""A bracket of an added token of molecules or proteins."""


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
    size = FORM_LENGTH if run[1] == "|" else len("*G*")
    return run[size // 2 :: size]
