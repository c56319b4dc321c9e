r"""The forms of sequences in text: what each pattern matches, and what it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scimind.tokenizer import TokenCodec, tags
from scimind.tokenizer.alphabet import BRACKETS, TAG_CHARACTERS, TAG_MODALITIES, token_form

ROOT = Path(__file__).parents[3]
FORMS = "{|C|}{|O|}"


def matches(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match[0] for match in pattern.finditer(text)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("TAGGED", "a <smiles> C\nO </smiles> b", ["<smiles> C\nO </smiles>"]),
        ("TAGGED", r"\<dna>A</dna>", ["<dna>A</dna>"]),
        ("TAGGED", "<dna>A</rna> <peptide>M</peptide> <dna>", []),
        ("TAGGED", "<dna><rna>A</rna></dna>", ["<dna><rna>A</rna></dna>"]),
        ("TAGGED", "<dna>A</dna><dna>C</dna>", ["<dna>A</dna>", "<dna>C</dna>"]),
        ("UNESCAPED_TAGGED", r"\<dna>A</dna> <rna>U</rna>", ["<rna>U</rna>"]),
        ("TAGGED_WORD", "<dna> A </dna><dna></dna>", ["<dna> A </dna>", "<dna></dna>"]),
        ("TAGGED_WORD", r"<dna><rna>A</rna></dna> \<rna>U</rna>", ["<rna>A</rna>"]),
        ("SMILES_CONTENT", r"<smiles>C\\C</smiles><protein>M</protein><smiles></smiles>", [r"C\\C", ""]),
        ("MARKED", f"x{FORMS}<|M|>*|A|*y<dna>A</dna>", [f"{FORMS}<|M|>*|A|*", "<dna>A</dna>"]),
        ("MARKED", "{|CC|} {| <M> *A* <dna>", []),
        ("DOUBLED_BACKSLASHES", r"{|C|}{|\|}{|\|}{|C|}{|\|}", [r"{|\|}{|\|}"]),
        ("MOLECULE", "<smiles> CCO </smiles>", ["<smiles> CCO </smiles>"]),
        ("MOLECULE", f"of {FORMS}.", [FORMS]),
        ("MOLECULE", "<smiles>C C</smiles><smiles></smiles><|M|>", []),
        ("READABLE_RUNS", f"{FORMS}<|M|>*A**C* *|A|*", [FORMS, "<|M|>", "*A**C*"]),
        ("FORM_BRACKETS", "{|C|}<|M|>*|A|*", ["{|", "|}", "<|", "|>"]),
    ],
)
def test_what_a_pattern_matches(name: str, text: str, expected: list[str]) -> None:
    assert matches(getattr(tags, name), text) == expected


def test_groups_hold_tag_and_content() -> None:
    text = f"<smiles> CCO </smiles> {FORMS}"
    assert tags.TAGGED.findall(text) == tags.UNESCAPED_TAGGED.findall(text) == [("smiles", " CCO ")]
    assert tags.TAGGED_WORD.findall(text) == [("smiles", "CCO")]
    assert tags.MOLECULE.findall(text) == [("CCO", ""), ("", FORMS)]


@pytest.mark.parametrize("tag", TAG_CHARACTERS)
def test_a_sequence_goes_into_its_tag_and_comes_out(tag: str) -> None:
    text = tags.in_tag("AC", tag)
    assert text == f"<{tag}>AC</{tag}>" == TokenCodec.wrap("AC", tag)
    assert tags.without_tag(text, tag) == tags.without_tag("AC", tag) == "AC"
    assert tags.first_in_tag(f"It is <{tag}></{tag}>, no: <{tag}> AC </{tag}>.", tag) == "AC"
    assert tags.first_in_tag("AC", tag) is None
    assert tags.UNESCAPED_TAGGED.fullmatch(text)
    assert tags.UNESCAPED_TAGGED.search(TokenCodec.escape(text)) is None
    assert re.findall(tags.TAG_PATTERN, text) == [tags.opening_tag(tag), tags.closing_tag(tag)]
    assert tags.may_hold_sequences(text) and not tags.may_hold_sequences("AC")


@pytest.mark.parametrize("modality", BRACKETS)
def test_forms_in_a_row_are_one_run_of_their_characters(modality: str) -> None:
    characters = "".join(TAG_CHARACTERS[next(tag for tag, kind in TAG_MODALITIES.items() if kind == modality)])
    run = "".join(token_form(modality, character) for character in characters)
    assert matches(tags.FORM_RUNS[modality], f"a {run} b") == [run]
    assert tags.bare_characters(run) == characters
    assert matches(tags.MARKED, run) == [run]
    assert tags.may_hold_sequences(run)


def test_the_short_form_of_nucleotides_has_its_characters_too() -> None:
    assert tags.bare_characters("*A**C*") == "AC"


def test_no_other_module_spells_the_forms_in_a_pattern() -> None:
    spelled = re.compile(r"""r[bf]?"[^"]*(<smiles>|smiles\|protein|\\\{+\\\||<\\\||\\\|\\\})""")
    assert spelled.search((ROOT / "scimind/tokenizer/tags.py").read_text())
    others = [path for folder in ("scimind", "scripts") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in others if spelled.search(path.read_text(encoding="utf-8"))] == ["tags.py"]
