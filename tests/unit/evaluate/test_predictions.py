from __future__ import annotations

import json

import pytest

from scimind.errors import DataError
from scimind.evaluate.predictions import read_items


def write(path, *lines, end="\n"):
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def pairs(items):
    return [(item.id, item.output, item.reference) for item in items]


def test_reads_lines(tmp_path):
    outputs, right = write(tmp_path / "p.txt", "C", "", "CC"), write(tmp_path / "r.txt", "C", "C", "C")
    assert pairs(read_items(outputs, right)) == [("1", "C", "C"), ("2", "", "C"), ("3", "CC", "C")]
    # Only a line feed ends a line: a separator inside a text does not.
    assert len(read_items(write(tmp_path / "q.txt", "a\u2028b"))) == 1


def test_a_literal_line_break_is_one_in_captions_only(tmp_path):
    path = write(tmp_path / "p.txt", r"C/C=C\n1cccc1")
    assert read_items(path)[0].output == r"C/C=C\n1cccc1"
    assert read_items(path, unescape=True)[0].output == "C/C=C\n1cccc1"


def test_reads_json_lines_and_joins_by_id(tmp_path):
    rows = [{"id": "a", "output": "C", "reference": "CC", "probability": 0.5}, {"id": "b", "output": "N"}]
    path = write(tmp_path / "p.jsonl", *map(json.dumps, rows))
    assert pairs(read_items(path)) == [("a", "C", "CC"), ("b", "N", None)]
    assert read_items(path)[0].extra == {"probability": 0.5}
    right = [{"id": "b", "reference": "NN"}, {"id": "a", "reference": "CC"}]
    joined = read_items(path, write(tmp_path / "r.jsonl", *map(json.dumps, right)))
    assert pairs(joined) == [("a", "C", "CC"), ("b", "N", "NN")]


def test_reads_a_table_with_quotes_as_characters(tmp_path):
    path = write(tmp_path / "p.txt", "SMILES\tground truth\toutput", 'C\t"right\tours"')
    item = read_items(path)[0]
    assert (item.id, item.input, item.reference, item.output) == ("1", "C", '"right', 'ours"')


def test_a_missing_third_column_is_an_empty_output(tmp_path):
    path = write(tmp_path / "p.txt", "SMILES\tground truth\toutput", "C\tone", "N\ttwo\tours")
    first, second = read_items(path)
    assert (first.output, first.has_output, first.reference) == ("", False, "one")
    assert second.has_output


@pytest.mark.parametrize(
    ("lines", "end", "match"),
    [
        (["SMILES\tground truth\toutput", "C\tone\tours", "N\ttwo"], "", r"p\.txt:3: the file is truncated"),
        (["SMILES\tground truth\toutput", "C"], "\n", r"p\.txt:2: the record has 1 columns, the header 3"),
        (["SMILES\tground truth\toutput", "C\tone\ta\tb"], "\n", r"p\.txt:2: the record has 4 columns, the header 3"),
    ],
)
def test_a_short_or_long_row_is_an_error(tmp_path, lines, end, match):
    with pytest.raises(DataError, match=match):
        read_items(write(tmp_path / "p.txt", *lines, end=end))


def test_files_of_different_lengths_are_errors(tmp_path):
    outputs = write(tmp_path / "p.txt", "C", "N", "O")
    with pytest.raises(DataError, match="2 references for 3 predictions"):
        read_items(outputs, write(tmp_path / "r.txt", "C", "N"))
    with pytest.raises(DataError, match="4 references for 3 predictions"):
        read_items(outputs, write(tmp_path / "r.txt", "C", "N", "O", "F"))


def test_files_of_other_items_are_errors(tmp_path):
    path = write(tmp_path / "p.jsonl", *(json.dumps({"id": name, "output": "C"}) for name in "ab"))
    right = write(tmp_path / "r.jsonl", *(json.dumps({"id": name, "reference": "C"}) for name in "ac"))
    with pytest.raises(DataError, match="no reference for 1 predictions, such as id 'b' and no prediction for 1"):
        read_items(path, right)
    twice = write(tmp_path / "t.jsonl", *[json.dumps({"id": "a", "output": "C"})] * 2)
    with pytest.raises(DataError, match=r"t\.jsonl:2: id 'a' is already on line 1"):
        read_items(twice)


def test_another_order_is_an_error(tmp_path):
    table = write(tmp_path / "r.txt", "CID\tSMILES\tdescription", "1\tCCO\tethanol", "2\tCCN\tethylamine")
    good = write(tmp_path / "p.txt", "SMILES\tground truth\toutput", "CCO\tethanol\ta", "CCN\tethylamine\tb")
    assert [item.reference for item in read_items(good, table, columns=("description",))] == ["ethanol", "ethylamine"]
    swapped = write(tmp_path / "q.txt", "SMILES\tground truth\toutput", "CCN\tethylamine\tb", "CCO\tethanol\ta")
    with pytest.raises(DataError, match="item 1 answers 'CCN'"):
        read_items(swapped, table, columns=("description",))
    with pytest.raises(DataError, match="item 1 has a different reference in the predictions file"):
        read_items(swapped, write(tmp_path / "lines.txt", "ethanol", "ethylamine"))
    prompts = [
        {"prompt": "Describe: {|C|}{|C|}{|N|}", "output": "x"},
        {"prompt": "<smiles>CCO</smiles>", "output": "y"},
    ]
    with pytest.raises(DataError, match="bring both files into the same order"):
        read_items(write(tmp_path / "p.jsonl", *map(json.dumps, prompts)), table, columns=("description",))
    assert read_items(write(tmp_path / "g.jsonl", *map(json.dumps, prompts[::-1])), table, columns=("description",))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{\n", r"p\.jsonl:2: broken JSON"),
        ('{"output": "C"}\n[]\n', r"p\.jsonl:2: not a JSON object"),
        ('{"output": 3}\n', r'p\.jsonl:1: each line needs "output"'),
        ('{"output": "C"}\n{"output": "', r"p\.jsonl:2: broken JSON"),
        ("", "empty"),
    ],
)
def test_corrupt_json_lines_are_errors(tmp_path, text, match):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=match):
        read_items(path)


def test_a_missing_file_and_another_encoding_are_errors(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_items(tmp_path / "none.txt")
    (tmp_path / "l.txt").write_bytes("C\nnaïve\n".encode("latin-1"))
    assert read_items(tmp_path / "l.txt")[1].output == "naïve"
    (tmp_path / "p.txt").write_bytes(b"C\n\xef\n")
    with pytest.raises(DataError, match=r"p\.txt:2: byte 0xef is not UTF-8"):
        read_items(tmp_path / "p.txt")
    table = write(tmp_path / "r.txt", "a\tb", "1\t2")
    with pytest.raises(DataError, match="no column for the reference"):
        read_items(write(tmp_path / "o.txt", "C"), table)


def test_nucleotides_in_forms_are_matched_with_their_reference(tmp_path):
    prompt = " [INST]: Is it a promoter? *|A|**|C|**|G|* [/INST]:"
    path = write(tmp_path / "p.jsonl", json.dumps({"output": "yes", "prompt": prompt}))
    right = write(tmp_path / "r.tsv", "sequence\treference", "ACG\tno")
    assert read_items(path, right)[0].reference == "no"
    wrong = write(tmp_path / "w.tsv", "sequence\treference", "ACC\tno")
    with pytest.raises(DataError, match="its reference is for 'ACC'"):
        read_items(path, wrong)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", 'description,ground truth,output\n"an alcohol, small",CCO,CCO\nan amine,CCN,CC\n'),
        ("p.txt", "description;prediction;reference\nan alcohol, small;CCO;CCO\nan amine;CC;CCN\n"),
        ("p.tsv", "Description\tReference\tPredicted\nan alcohol, small\tCCO\tCCO\nan amine\tCCN\tCC"),
        ("p.json", '{"rows": [{"output": "CCO", "ground truth": "CCO"}, {"output": "CC", "reference": "CCN"}]}'),
    ],
)
def test_tables_of_all_forms_give_the_same_items(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert pairs(read_items(path)) == [("1", "CCO", "CCO"), ("2", "CC", "CCN")]


def test_parquet_and_workbooks(tmp_path):
    import pandas as pd

    table = pd.DataFrame({"output": ["CCO", ""], "reference": ["CCO", "CCN"]})
    table.to_parquet(tmp_path / "p.parquet")
    table.to_csv(tmp_path / "p.csv", index=False)
    for name in ("p.parquet", "p.csv"):
        assert pairs(read_items(tmp_path / name)) == [("1", "CCO", "CCO"), ("2", "", "CCN")]
    table[["output"]].to_csv(tmp_path / "one.csv", index=False)
    assert [item.output for item in read_items(tmp_path / "one.csv")] == ["CCO", ""]


def test_columns_can_be_chosen_and_a_table_without_outputs_is_refused(tmp_path):
    path = write(tmp_path / "p.csv", "key,ours,theirs", 'a,"C,C",N')
    with pytest.raises(DataError, match=r"no column for the output; .*'key', 'ours', 'theirs'"):
        read_items(path)
    chosen = {"output": "ours", "reference": "3", "id": "key"}
    assert pairs(read_items(path, chosen=chosen)) == [("a", "C,C", "N")]
    right = write(tmp_path / "r.csv", "theirs", "N")
    assert pairs(read_items(path, right, chosen={"output": "ours", "reference": "theirs"})) == [("1", "C,C", "N")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "id,output\n"), ("a.tsv", "output\treference\n"), ("a.json", '{"rows": []}'), ("a.txt", "\n")],
)
def test_a_file_without_records_is_an_error(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"{name}:.*(no records|is empty|each line needs)"):
        read_items(tmp_path / name)
