r"""The forms of sequences in text: what each pattern matches, and what it does not."""

from __future__ import annotations

import re
from collections import Counter
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
        ("READABLE_RUNS", f"{FORMS}<|M|>*|A|**|C|* *A*", [FORMS, "<|M|>", "*|A|**|C|*"]),
        ("FORM_BRACKETS", "{|C|}<|M|>*|A|* *A*", ["{|", "|}", "<|", "|>", "*|", "|*"]),
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


@pytest.mark.parametrize(
    ("text", "expected", "reading"),
    [
        ("Describe <SMILES> CCO </SMILES>.", "Describe <smiles>CCO</smiles>.", "<SMILES> read as <smiles>"),
        ("<PROTEIN>MKV</PROTEIN>", "<protein>MKV</protein>", "<PROTEIN> read as <protein>"),
        ("<DNA> ACGT </DNA>", "<dna>ACGT</dna>", "<DNA> read as <dna>"),
        ("<RNA>\nACGU\n</RNA>", "<rna>ACGU</rna>", "<RNA> read as <rna>"),
        ("It is <IUPAC> propan-2-ol </IUPAC>.", "It is propan-2-ol.", "<IUPAC> read as text"),
        ("<MOLFORMULA> C6H6 </MOLFORMULA>", "C6H6", "<MOLFORMULA> read as text"),
        ("<NUMBER> -0.77 </NUMBER>", "-0.77", "<NUMBER> read as text"),
        ("<BOOLEAN> Yes </BOOLEAN>", "Yes", "<BOOLEAN> read as text"),
        ("<SELFIES> [C] </SELFIES>", "<smiles>(C)</smiles>", "<SELFIES> read as <smiles>"),
        ("<SMILES> CC>>CO </SMILES>", "<smiles>CC>>CO</smiles>", "<SMILES> read as <smiles>"),
    ],
)
def test_tags_of_other_projects_become_ours(text: str, expected: str, reading: str) -> None:
    readings: Counter[str] = Counter()
    assert tags.with_own_tags(text, lambda selfies: selfies.translate({91: "(", 93: ")"}), readings) == expected
    assert readings == {reading: 1}
    assert tags.with_own_tags(expected, str, readings) == expected and readings.total() == 1


@pytest.mark.parametrize(
    "text",
    [
        "<smiles>CCO</smiles>",
        r"\<SMILES> CCO </SMILES>",
        "<SMILES> two words </SMILES>",
        "<SMILES></SMILES> <SMILES> CCO </DNA>",
        "<number> 5 </number>",
        "a < b </i>",
    ],
)
def test_other_marks_stay_as_they_are(text: str) -> None:
    readings: Counter[str] = Counter()
    assert tags.with_own_tags(text, str, readings) == text and not readings


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<MOL>CCO</MOL> and <MOL>C</MOL>", {"<MOL> kept as text": 2}),
        ("CCO</SMILES>", {"</SMILES> kept as text": 1}),
        ("<Smiles>C</Smiles> < number >", {"<Smiles> kept as text": 1, "<number> kept as text": 1}),
        ("[START_SMILES]C[END_SMILES]", {"[START_SMILES] kept as text": 1}),
        (r"\<SMILES> <smiles>C</smiles> <b> [INST] [C][N] <A>", {}),
    ],
)
def test_what_looks_like_a_tag_and_stays_text_is_counted(text: str, kept: dict[str, int]) -> None:
    readings: Counter[str] = Counter()
    tags.count_kept_marks(text, readings)
    assert readings == kept


def test_our_tags_count_where_they_are_text() -> None:
    readings: Counter[str] = Counter()
    tags.count_kept_marks("<smiles>C</smiles>", readings, own=True)
    assert readings == {"<smiles> kept as text": 1}


@pytest.mark.parametrize("name", tags.FOREIGN_TAGS)
def test_an_escaped_tag_of_another_project_is_text_and_stays_it(name: str) -> None:
    text = f"a <{name}> C </{name}> b"
    escaped = TokenCodec.escape(text)
    readings: Counter[str] = Counter()
    assert tags.with_own_tags(escaped, str, readings) == escaped != text and not readings
    codec = TokenCodec()
    assert codec.encode(escaped) == codec.encode(text)
    assert codec.encode(escaped) != codec.encode(tags.with_own_tags(text, str, readings))


def test_no_other_module_spells_the_forms_in_a_pattern() -> None:
    spelled = re.compile(r"""r[bf]?"[^"]*(<smiles>|smiles\|protein|\\\{+\\\||<\\\||\\\|\\\})""")
    assert spelled.search((ROOT / "scimind/tokenizer/tags.py").read_text())
    others = [path for folder in ("scimind", "scripts") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in others if spelled.search(path.read_text(encoding="utf-8"))] == ["tags.py"]
