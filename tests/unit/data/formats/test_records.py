"""What a file holds is recognised by its content, noted, and given as the records that it holds, or refused."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import threading
import time
from dataclasses import replace

import pytest

from scimind.data.defects import MOST_ATOMS
from scimind.data.formats.columns import Columns, parse_columns
from scimind.data.formats.encoding import encoding_of
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import kept_pipes
from scimind.data.formats.rows import read_rows
from scimind.data.formats.sniffing import format_of
from scimind.data.formats.tables import is_quoted
from scimind.data.tasks.registry import find_task
from scimind.errors import DataError, SciMindError

TEXTS = find_task("smiles2text").columns
PROMOTERS = replace(find_task("promoter").columns, optional=frozenset({"label"}))
TABLE = "SMILES,Description\nCCO,Ethanol.\n"
PAIR = [("CCO", "Ethanol.")]


def pairs(path, columns=TEXTS, notes=None):
    rows = list(read_rows(path, columns, notes))
    assert not [row for row in rows if isinstance(row, DataError)]
    return [tuple(row.values.get(name) for name in columns.names) for row in rows]


def compressed(kind: str, data: bytes) -> bytes:
    if kind == "zstd":
        return pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return {"gzip": gzip, "bzip2": bz2, "xz": lzma}[kind].compress(data)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_compression_is_recognised_by_the_first_bytes(write, kind):
    notes = FileNotes()
    data = compressed(kind, TABLE.encode())
    assert pairs(write("any.csv", data), notes=notes) == PAIR
    assert notes.description().startswith(f"CSV, {kind}, separator comma, utf-8, header SMILES, Description")
    two = compressed(kind, TABLE.encode()) + compressed(kind, b"CCN,Ethylamine.\n")
    assert pairs(write("two.csv", two)) == [*PAIR, ("CCN", "Ethylamine.")]
    with pytest.raises(DataError, match=f"is a truncated or corrupt {kind} file"):
        pairs(write("cut.csv", data[:-5]))


def test_a_pipe_is_read_once_and_kept_as_long_as_needed(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text(TABLE))
    writer.start()
    with kept_pipes():
        assert pairs(path) == PAIR
        assert pairs(path) == PAIR
    writer.join()


def test_devices_and_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="it is a device"):
        pairs(type(tmp_path)("/dev/zero"))
    with pytest.raises(DataError, match="it is a folder"):
        pairs(tmp_path)
    with pytest.raises(DataError, match="neither text nor a data format"):
        path = tmp_path / "x.bin"
        path.write_bytes(b"\x01\0\0\0model")
        pairs(path)


MOL = """{name}
     made
{comment}
  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    1.5000    0.0000    0.0000 {atom}   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
M  END
"""


def test_structures_are_read_with_titles_and_properties(write):
    from rdkit import Chem

    notes = FileNotes()
    records = [MOL.format(name="m1", comment="", atom="O"), MOL.format(name="", comment="", atom="N")]
    text = "".join(f"{record}>  <Description>\nNumber {n}.\n\n$$$$\n" for n, record in enumerate(records))
    rows = list(read_rows(write("a.sdf", text), TEXTS, notes))
    assert [(row.id, row.values["molecule"], row.values["description"]) for row in rows] == [
        ("m1", "CO", "Number 0."),
        ("a-2", "CN", "Number 1."),
    ]
    assert [row.line for row in rows] == [1, 13]
    assert notes.format == "SDF"
    molecule = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    path = write("a.mol", Chem.MolToV3KMolBlock(molecule))
    columns = Columns({"molecule": ("smiles",)}, synonyms={"molecule": ("structure",)})
    assert pairs(path, columns) == [(Chem.MolToSmiles(molecule),)]


def test_a_structure_that_rdkit_cannot_read_is_one_fault(write):
    bad = MOL.format(name="bad", comment="", atom="Zz")
    text = f"{bad}>  <caption>\nx\n\n$$$$\n" + MOL.format(name="b", comment="", atom="O") + ">  <caption>\ny\n\n$$$$\n"
    first, second = read_rows(write("a.sdf", text), TEXTS)
    assert str(first).endswith("correct it or remove the record: 'bad'") and second.values["description"] == "y"


def test_a_structure_on_which_rdkit_would_work_for_hours_is_one_fault(write):
    count = MOST_ATOMS + 1
    atoms = "".join(f"M  V30 {number} C 0 0 0 0\n" for number in range(1, count + 1))
    head = f"a\n\n\n  0  0  0  0  0  0  0  0  0  0999 V3000\nM  V30 BEGIN CTAB\nM  V30 COUNTS {count} 0 0 0 0\n"
    text = f"{head}M  V30 BEGIN ATOM\n{atoms}M  V30 END ATOM\nM  V30 END CTAB\nM  END\n"
    (found,) = read_rows(write("a.mol", text), TEXTS)
    assert "the molecule has 10,001 atoms, too many for RDKit" in str(found)


def test_a_long_row_of_digits_is_recognised_at_once(write):
    start = time.process_time()
    assert format_of(write("a.txt", f"a\nb\nc\n{'7' * 20_000}\n"))[0] == "text"
    assert time.process_time() - start < 1


def test_a_structure_with_broken_bytes_is_one_fault(write):
    good = MOL.format(name="b", comment="", atom="O") + ">  <caption>\ny\n\n$$$$\n"
    bad = good.encode().replace(b"y\n", b"\x82\xff\n")
    first, second = read_rows(write("a.sdf", bad + good.encode()), TEXTS)
    assert "is not UTF-8" in str(first) and second.values["description"] == "y"


def test_workbooks_and_parquet(tmp_path):
    import pandas as pd

    table = pd.DataFrame({"n": [1.5], "canonical smiles": ["CCO"], "Text": ["Ethanol."]})
    pytest.importorskip("openpyxl")
    notes = FileNotes()
    table.to_excel(tmp_path / "a.any", index=False, engine="openpyxl", sheet_name="Data")
    assert pairs(tmp_path / "a.any", notes=notes) == PAIR
    assert notes.format == "Excel workbook" and list(notes.header) == ["n", "canonical smiles", "Text"]
    table.to_parquet(tmp_path / "b")
    assert pairs(tmp_path / "b") == PAIR
    whole = (tmp_path / "b").read_bytes()
    (tmp_path / "c").write_bytes(gzip.compress(whole))
    assert pairs(tmp_path / "c") == PAIR
    for place in (10, 40, len(whole) // 3):
        damaged = bytearray(whole)
        damaged[place : place + 30] = bytes(255 - byte for byte in damaged[place : place + 30])
        (tmp_path / "d").write_bytes(damaged)
        try:
            assert pairs(tmp_path / "d")
        except DataError as error:
            assert "is a truncated or corrupt parquet file" in str(error)
    with pytest.raises(DataError, match="is a zip archive"):
        import zipfile

        with zipfile.ZipFile(tmp_path / "z.csv", "w") as archive:
            archive.writestr("a.csv", TABLE)
        pairs(tmp_path / "z.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.fa", ";by a tool\n#x\n\n>p1 first\nACGT\n;inside\n\nACGT\n>p2\nacgg\n"),
        ("a.txt", ">p1 first\nACGTACGT\n>p2\nacgg"),
        ("a.fastq", "@p1 first\nACGTACGT\n+\n>;;;@@@@\n@p2\nacgg\n+p2\n@>>>\n"),
    ],
)
def test_fasta_and_fastq(write, name, content):
    rows = list(read_rows(write(name, content), PROMOTERS))
    assert [(row.id, row.values["sequence"]) for row in rows] == [("p1", "ACGTACGT"), ("p2", "acgg")]


def test_faults_of_fastq_have_their_lines(write):
    found = list(read_rows(write("a.fq", "@a\nACGT\n+\n!!!!\n@b\nACGT\n+\n!!\n@c\nAC\n"), PROMOTERS))
    assert found[0].values["sequence"] == "ACGT"
    assert "a.fq:8: the FASTQ record has 4 letters and 2 qualities" in str(found[1])
    assert "a.fq:9: the last FASTQ record has 2 of 4 lines" in str(found[2])


def test_a_record_of_many_short_lines_has_the_limit_of_a_line(write):
    text = ">long\n" + ("ACGT" * 15 + "\n") * 20_000 + ">short\nACGT\n"
    first, second = read_rows(write("a.fa", text), PROMOTERS)
    assert "the record has more than 1,048,576 characters" in str(first) and second.values["sequence"] == "ACGT"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"data": [{"smiles": "CCO", "text": "Ethanol."}], "version": 2}', PAIR),
        ('{\n "version": 2,\n "rows": [\n {"smiles": "CCO",\n "text": "Ethanol."}]}', PAIR),
        ('{"smiles": "CCO", "text": "Ethanol."}', PAIR),
        ('{"smiles": "CCO",\n "text": "Ethanol."}', PAIR),
        ('{"smiles": "CCO", "text": "Ethanol."}\n{"smiles": "C", "text": "x"}', [*PAIR, ("C", "x")]),
    ],
)
def test_json_in_all_its_forms(write, content, expected):
    assert pairs(write("a.txt", content)) == expected


def test_an_object_that_wraps_a_long_list_is_read_as_a_stream(write):
    rows = [{"smiles": "C" * 20, "text": "x" * 100}] * 10_000
    notes = FileNotes()
    assert len(pairs(write("a.json", {"about": "x", "items": rows}), notes=notes)) == 10_000
    assert "records under the key 'items'" in notes.description()
    with pytest.raises(DataError, match=r"one JSON object with several lists \(items, more\)"):
        pairs(write("b.json", {"items": rows, "more": rows}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": [{"x": 1}], "b": [{"y": 2}]}', r"one JSON object with several lists \(a, b\)"),
        ("[" * 100_000, "nested too deeply"),
        ('{"smiles": "C", "text": ' + "[" * 100_000, "nested too deeply"),
        ('{"smiles": "C", "text": ' + "9" * 5000 + "}", "broken JSON"),
        ('[{"smiles": "C", "text": "' + "a" * 2_000_000, "has more than 1,048,576 characters"),
        ('{"version": 1}', r"no column for the molecule.*'version'"),
    ],
)
def test_json_that_cannot_be_read_is_one_line(write, content, reason):
    with pytest.raises(DataError, match=reason) as caught:
        pairs(write("a.json", content))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_tables_without_a_header_keep_their_labels(write):
    notes = FileNotes()
    assert pairs(write("a.csv", "ACGTACGTAC,1\nCCGTACGTAC,0\n"), PROMOTERS, notes) == [
        ("ACGTACGTAC", "1"),
        ("CCGTACGTAC", "0"),
    ]
    assert "no header, sequence from column 1, label from column 2" in notes.description()
    for content in ("ACGTACGTAC,1,x\nCCGTACGTAC,0,y\n", "ACGTACGTAC,maybe\nCCGTACGTAC,0\n"):
        with pytest.raises(DataError, match=r"no column for the sequence; .*'ACGTACGTAC', "):
            pairs(write("b.csv", content), PROMOTERS)


def test_columns_are_found_by_names_of_published_tables(write):
    assert pairs(write("a.csv", ",Canonical-SMILES,text\n0,CCO,Ethanol.\n")) == PAIR
    with pytest.raises(DataError, match=r"several columns may be the molecule \('IsomericSMILES', 'CanonicalSMILES'\)"):
        pairs(write("b.csv", "IsomericSMILES,CanonicalSMILES,text\nCCO,CCO,x\n"))
    with pytest.raises(DataError, match=r"several columns may be the molecule .*--columns molecule=1"):
        pairs(write("c.csv", "smiles,smiles,text\nCCO,CCO,x\n"))


def test_the_user_chooses_columns(write):
    task = find_task("smiles2text")
    path = write("a.csv", "a,b,c\nx,CCO,Ethanol.\n")
    for text in (["molecule=b,description=c"], ["molecule=b", "description=3"]):
        assert pairs(path, task.with_columns(parse_columns(text)).columns) == PAIR
    bare = write("b.csv", "x,CCO,Ethanol.\n")
    assert pairs(bare, task.with_columns({"molecule": "2", "description": "3"}).columns) == PAIR
    with pytest.raises(DataError, match="no column 'd' for the molecule .*'a', 'b', 'c'"):
        pairs(path, task.with_columns({"molecule": "d", "description": "c"}).columns)
    with pytest.raises(SciMindError, match="has no field mol; the fields are molecule, description, id"):
        task.with_columns({"mol": "b"})
    with pytest.raises(SciMindError, match="must have the form FIELD=COLUMN"):
        parse_columns(["molecule"])


LATIN = "smiles\ttext\nCCO\tfür 20 °C\nCCN\tcafé\n".encode("cp1252")


def test_the_encoding_follows_a_rule(write):
    notes = FileNotes()
    assert pairs(write("a.tsv", LATIN), notes=notes) == [("CCO", "für 20 °C"), ("CCN", "café")]
    assert notes.encoding == "cp1252" and "cp1252" in notes.description()
    # Broken bytes do not make a file Windows-1252: not among UTF-8, not outside of words, not in rows.
    for broken in (b"caf\xe9 \xc3\xa9", b"x \xe9 y", b"a\xe9\xe8\xe0\xe7b", b"\xff", b"a\x81b"):
        first, second = read_rows(write("b.tsv", b"smiles\ttext\nCCO\tgood\nCCN\t" + broken + b"\n"), TEXTS)
        assert first.values["description"] == "good" and "is not UTF-8" in str(second)
    assert encoding_of(iter([b"caf\xc3", b"\xa9"])) == "utf-8"
    assert encoding_of(iter([b"caf\xe9", b" und"])) == "cp1252"


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_line_ends_and_marks(write, end, mark):
    text = "smiles\ttext\nCCO\té\nCCN\tx"
    path = write("a.tsv", text.replace("\n", end.decode()).encode(mark))
    assert pairs(path) == [("CCO", "é"), ("CCN", "x")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a"\t"b"\n"x"\t"y ""z"""\n', True),
        ('a\tb\nx\t"y ""z"""\n', True),
        ('a\tb\nx\t"two\nlines"\n', True),
        ('a\tb\nx\t"whole"\n', False),
        ('a\tb\nx\tsay "y"\n', False),
        ('a\tb\tc\nx\t"open\tclose"\n', False),
        ('a\tb\nx\t"open\n', False),
        ("a\tb\nx\ty\n", False),
    ],
)
def test_quotes_with_tabs(text, expected):
    assert is_quoted(iter(text.split("\n")), "\t") is expected


def test_one_line_of_json_takes_no_longer_than_lines(write):
    import time

    records = [{"smiles": "CCO", "text": f"Ethanol {number}."} for number in range(30_000)]
    paths = [write("a.json", records), write("b.jsonl", "\n".join(map(json.dumps, records)))]
    times = []
    for path in paths:
        started = time.process_time()
        assert sum(1 for _ in read_rows(path, TEXTS)) == len(records)
        times.append(time.process_time() - started)
    assert times[0] < 2 * times[1]


def test_a_mixture_names_columns_of_its_tasks(write):
    from scimind.data.prepare.mixture import read_mixture

    mixture = "tasks:\n  a: {task: moa, input: [a.csv], columns: {molecule: drug, mechanism: 3}}\n"
    (source,) = read_mixture(write("m.yaml", mixture)).sources
    assert source.task.chosen == {"molecule": "drug", "mechanism": "3"}
    with pytest.raises(SciMindError, match="task moa has no field mol"):
        read_mixture(write("n.yaml", mixture.replace("molecule", "mol")))
