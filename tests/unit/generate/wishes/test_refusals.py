"""Texts that are not conditions are refused in one line, with the column and what to do."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rdkit import Chem

from scimind.errors import ConfigError
from scimind.generate.wishes import parse_wish

PAGE = Path(__file__).parents[4] / "docs" / "conditions.md"

# The text, the column of its fault, and parts of the message.
REFUSED: list[tuple[str, int, tuple[str, ...]]] = [
    ("molwt < 500", 1, ("'molwt'", "nearest is MolWt")),
    ("TPSA > 3 and MolWT < 500", 14, ("'MolWT'", "nearest is MolWt")),
    ("MW < 500", 1, ("nearest is MolWt",)),
    ("logP < 5", 1, ("nearest is MolLogP",)),
    ("Has('C')", 1, ("nearest is has('SMARTS')",)),
    ("numatoms > 5", 1, ("nearest is HeavyAtomCount",)),
    ("MolWt", 1, ("MolWt is a number, not a condition", "MolWt < 5")),
    ("TPSA > 3 and MolWt", 14, ("is a number, not a condition",)),
    ("not MolWt", 5, ("is a number, not a condition",)),
    ("5", 1, ("is a number, not a condition",)),
    ("formula", 1, ("is a formula, not a condition",)),
    ("'CCO'", 1, ("is a text, not a condition", "has('CCO')")),
    ("has('C') > 2", 1, ("is a condition, not a number", "count('C')")),
    ("+has('C')", 2, ("is a condition, not a number",)),
    ("(MolWt < 5) < 3", 2, ("is a condition, not a number",)),
    ("MolWt + formula < 3", 9, ("is a formula, not a number",)),
    ("MolWt < '500'", 9, ("is a text, not a number", "without quotes")),
    ("formula == 3", 12, ("3 is not a text",)),
    ("formula < 'CH4'", 9, ("== or !=",)),
    ("formula == scaffold", 12, ("is not a text",)),
    ("formula == 'CH4' == 'CH4'", 18, ("joined with and",)),
    ("formula == 'c9h8o4'", 13, ("is not a formula",)),
    ("formula == 'C9H8X4'", 17, ("'X'", "not an element")),
    ("formula == 'Ca(OH)2'", 15, ("without parentheses",)),
    ("formula == ''", 13, ("is not a formula",)),
    ("formula == 'Ca2+'", 16, ("two ways", "Ca+2", "Ca2+1")),
    ("formula in ('CH4', 5)", 20, ("5 is not a text",)),
    ("scaffold == 'Cc1ccccc1'", 14, ("its scaffold is 'c1ccccc1'",)),
    ("scaffold == 'CC'", 14, ("it has no ring",)),
    ("has('[N+](=O)[O-')", 16, ("SMARTS", "syntax error")),
    ("has('C1CC')", 6, ("SMARTS", "unclosed ring")),
    ("has('')", 6, ("empty",)),
    ("has('C C')", 7, ("SMARTS",)),
    ("has('C1=CC=CC=C1')", 6, ("write 'c1ccccc1'",)),
    ("count('c1ccc1')", 8, ("write 'C1=CC=C1'",)),
    ("similarity('c1cccc1') > 0.5", 13, ("SMILES", "kekulize")),
    ("similarity('CC(C)(C)(C)C') > 0.5", 13, ("Explicit valence",)),
    ("similarity('[H]*C(C)(C)(C)(C)C') > 0.5", 13, ("Explicit valence",)),  # of which RDKit would also warn
    ("MolWt = 500", 7, ("'='", "write ==")),
    ("MolWt <> 500", 7, ("write !=",)),
    ("MolWt < 500 AND TPSA > 3", 13, ("'AND'", "write and")),
    ("MolWt < 500 && TPSA > 3", 13, ("write and",)),
    ("MolWt ≤ 500", 7, ("write <=",)),
    ("MolWt ** 2 < 5", 7, ("'**'", "+ - * /")),
    ("MolWt % 2 < 5", 7, ("'%'", "+ - * /")),
    ("MolWt.real < 5", 6, ("'.'", "attributes are not allowed")),
    ("MolWt[0] < 5", 6, ("'['", "subscripts")),
    ("[MolWt for x in y]", 1, ("'['", "not allowed")),
    ("lambda: MolWt", 1, ("'lambda'", "functions are has('SMARTS')")),
    ("(a := 5) < MolWt", 2, ("'a'", "functions are")),
    ("(MolWt := 5) < 7", 8, ("':='",)),
    ("__import__('os')", 1, ("'__import__'", "functions are has('SMARTS'), count('SMARTS'), similarity('SMILES')")),
    ("eval('MolWt')", 1, ("'eval' is not a function",)),
    ("MolWt(mol) < 5", 6, ("not a function", "without parentheses")),
    ("has", 1, ("has('SMARTS')",)),
    ("has(C)", 5, ("'C'", "has('SMARTS')")),
    ("has(smarts='C')", 5, ("'smarts'", "has('SMARTS')")),
    ("has('C', 'N')", 8, ("','", "single text")),
    ("has('C' 'N')", 9, ("'N'", "single text")),
    ("has(f'C')", 5, ("'f'",)),
    ("f'{MolWt}' == 'a'", 1, ("'f'", "remove it")),
    ("True", 1, ("'True'",)),
    ("MolWt < 5 if True else TPSA < 5", 11, ("'if'",)),
    ("MolWt is 5", 7, ("'is'", "write ==")),
    ("MolWt < 1e999", 9, ("finite",)),
    ("MolWt < 5 / (2 - 2)", 9, ("finite",)),
    ("1 < 2", 1, ("same for all molecules",)),
    ("MolWt < 500,", 12, ("and",)),
    ("MolWt <", 8, ("ends",)),
    ("(MolWt < 5", 11, (") is expected",)),
    ("MolWt < 5)", 10, ("')'",)),
    ("has('C", 5, ("not closed",)),
    ("MolWt in 5", 10, ("RingCount in (1, 2)",)),
    ("MolWt in ()", 11, ("')'",)),
    ("MolWt not 5", 11, ("'5'",)),
    ("(" * 31 + "MolWt < 5" + ")" * 31, 31, ("30 levels",)),
    ("not " * 31 + "has('C')", 121, ("30 levels",)),
    ("MolWt < 5 # light", 11, ("'#'",)),
]


@pytest.mark.parametrize(("text", "column", "parts"), REFUSED, ids=[text[:40] for text, _, _ in REFUSED])
def test_a_fault_is_named_with_its_column(
    text: str, column: int, parts: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=rf"^column {column} of the conditions: .*; .*$") as error:
        parse_wish(text)
    assert [part for part in parts if part not in str(error.value)] == []
    assert capfd.readouterr() == ("", "")  # RDKit prints nothing


def test_the_nearest_valid_text_is_accepted() -> None:
    """What the messages recommend is understood, so that the refusals above are not due to something else."""
    for text in ("MolWt < 500", "has('c1ccccc1')", "has('C1=CC=C1')", "formula == 'Ca+2'", "formula == 'Ca2+1'"):
        assert parse_wish(text).text == text
    assert parse_wish("(" * 30 + "MolWt < 5" + ")" * 30).text == "MolWt < 5"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="empty"):
        parse_wish(text)


def test_a_long_text_is_refused() -> None:
    condition = "MolWt < 500"
    assert parse_wish(condition + " " * (2_000 - len(condition))).text == condition
    with pytest.raises(ConfigError, match=r"2,001 characters; at most 2,000"):
        parse_wish(condition + " " * (2_001 - len(condition)))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2_000,
        "-" * 2_000,
        "not " * 500,
        "+".join(["MolWt"] * 333) + "<1",
        "<".join(["1"] * 990) + "<MolWt",
        " or ".join(["has('C')"] * 160),
        "MolWt<" + "9" * 1_990,
        "MolWt<" + "0." * 900,
        "'" * 1_999,
        "a" * 2_000,
        "has('" + "C" * 1_990 + "')",
        "has('" + "[$(" * 480 + "C" + ")]" * 270 + "')",
        "has('" + "[" * 1_990 + "')",
        "similarity('" + "C(" * 900 + "')>1",
        "scaffold == '" + "C1CC1" * 390 + "'",
        "scaffold == '" + "C1CC1" * 95 + "'",
        "scaffold == '" + "*" * 300 + "'",
        "formula == '" + "C9" * 990 + "'",
        "RingCount in (" + "1," * 900 + ")",
    ],
    ids=lambda text: text[:20],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    try:
        parse_wish(text)
    except ConfigError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 500
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "text", ["(" * 30 + "MolWt < 5" + ")" * 30, "not (" * 14 + "1 - (-MolWt) < 5" + ")" * 14], ids=["flat", "deep"]
)
def test_the_deepest_text_leaves_room_on_the_stack(text: str) -> None:
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(len(inspect.stack()) + 400)  # of usually 1,000
        assert not parse_wish(text).fits(Chem.MolFromSmiles("C"))
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("page", [PAGE, PAGE.with_suffix(".zh.md")], ids=["en", "zh"])
def test_what_the_documentation_shows_is_understood(page: Path) -> None:
    shown = page.read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```text\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    cells = [
        code for row in re.findall(r"^\|.*\| (.*) \|$", shown, re.MULTILINE) for code in re.findall(r"`(.*?)`", row)
    ]
    assert [len(lines) >= 9, len(cells) >= 8] == [True, True]
    for text in [*lines, *cells]:
        assert parse_wish(text).text == text
    with pytest.raises(ConfigError) as error:
        parse_wish("molwt < 500")
    assert f"\n{error.value}\n" in shown


def test_conditions_need_no_mindspore() -> None:
    code = (
        "import sys; from scimind.generate.wishes import parse_wish; parse_wish('MolWt < 500'); "
        "sys.exit(any(name.partition('.')[0] in ('mindspore', 'mindformers') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PAGE.parents[1]).returncode == 0
