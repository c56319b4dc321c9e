"""A table in any form gives the same rows or is refused; what pandas writes is the independent source."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.rows import read_rows
from scimind.data.tasks.registry import find_task
from scimind.errors import DataError

ROWS = [
    ("CCO", 'An "alcohol", clear; thin.', 1.5),
    ("C/C=C\\C", "Zwei Äpfel à 20 °C", -0.25),
    ("c1ccccc1", '"Benzene"', 12.0),
    ("CC(=O)O", "one\nand two", 3.125),
    ("CCN", "semi;colon, comma\ttab", 100.5),
]
COLUMNS = Columns(
    {"molecule": ("smiles",), "text": ("text",), "value": ("value",)},
    fits=find_task("smiles2text").columns.fits,
)
FORMS = list(itertools.product(",;\t", (0, 1), ("utf-8", "utf-8-sig", "utf-16", "latin-1"), ".,", (True, False)))


def expected(decimal: str) -> list[tuple[str, str, str]]:
    return [(smiles, text, str(value)) for smiles, text, value in ROWS]


@pytest.mark.parametrize(("separator", "quoting", "encoding", "decimal", "header"), FORMS)
@pytest.mark.parametrize(("end", "order"), [("\n", (0, 1, 2)), ("\r\n", (2, 0, 1))])
def test_a_table_is_read_as_it_was_written_or_refused(
    tmp_path, separator, quoting, encoding, decimal, header, end, order
):
    names = ["smiles", "text", "value"]
    table = pd.DataFrame(ROWS, columns=names)[[names[place] for place in order]]
    path = tmp_path / "table.csv"
    form = {"sep": separator, "quoting": quoting, "encoding": encoding, "decimal": decimal, "header": header}
    table.to_csv(path, index=False, lineterminator=end, **form)
    try:
        rows = list(read_rows(path, COLUMNS))
    except DataError as error:
        assert "\n" not in str(error)
        assert not header, f"a table with a header must be read: {error}"
        return
    assert not [row for row in rows if isinstance(row, DataError)]
    # A quoted line end is one of the file's, which are all read as line feeds.
    found = [(row.values["molecule"], row.values["text"], row.values["value"]) for row in rows]
    assert found == expected(decimal)


def test_the_property_fails_for_another_table(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame(ROWS, columns=["smiles", "value", "text"]).to_csv(path, index=False)
    found = [(row.values["molecule"], row.values["text"], row.values["value"]) for row in read_rows(path, COLUMNS)]
    assert found != expected(".")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("smiles;value\nCCO;4,94\nCCN;3\n", ["4.94", "3"]),
        ("smiles;value\nCCO;4,94\nCCN;none\n", ["4,94", "none"]),
        ("smiles;value\nCCO;1,234\nCCN;2,345\n", ["1.234", "2.345"]),
        ("smiles\tvalue\nCCO\t1,234\nCCN\t2,3\n", ["1.234", "2.3"]),
    ],
)
def test_decimal_commas_become_points_in_columns_of_numbers(write, content, expected):
    notes = FileNotes()
    columns = Columns({"molecule": ("smiles",), "value": ("value",)})
    rows = list(read_rows(write("a.csv", content), columns, notes))
    assert [row.values["value"] for row in rows] == expected
    assert ("decimal commas of value became points" in notes.description()) is ("." in expected[0])


def test_a_comma_that_may_separate_thousands_is_refused(write):
    path = write("a.csv", 'smiles,value\nCCO,"1,234"\n')
    with pytest.raises(DataError, match="the comma in 1,234 of column 2 may be a decimal comma or separate thousands"):
        list(read_rows(path, Columns({"molecule": ("smiles",), "value": ("value",)})))
