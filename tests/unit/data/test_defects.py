"""In a file with every defect, all are found and listed, and the rest is prepared."""

import gzip
import json

import pytest

from scimind.data import prepare, read_conversations
from scimind.data.defects import (
    CONFLICT,
    DEFECTS,
    DUPLICATE,
    EMPTY,
    ENCODING,
    LABEL,
    LETTER,
    LONG_LINE,
    MALFORMED,
    TOO_LONG,
    UNPARSABLE,
)
from scimind.errors import DataError

GOOD = [("CCO", "An alcohol."), ("c1ccccc1", "Benzene."), ("CC(=O)O", "Acetic acid.")]


def rejects(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.rejects.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_defect_of_molecules_is_listed_and_the_rest_prepared(codec, write, tmp_path, monkeypatch):
    for module in ("records", "tables"):
        monkeypatch.setattr(f"scimind.data.formats.{module}.LONGEST_LINE", 500)
    lines = [
        b"SMILES\tdescription",
        b"CCO\tAn alcohol.",
        b"C1CC\tA ring that is open.",  # 3
        b"CN(C)(C)(C)C\tToo many bonds.",
        b"C?C\tA letter that is none.",  # 5
        b"CC\t",
        b"\tNo molecule.",  # 7
        b"CCC\tLatin \xe9.",
        b"CC",  # 9
        b"CCCC\t" + b"long " * 200,
        b"OCC\tAn alcohol.",  # 11: the same molecule, spelled otherwise
        b"CCO\tA fluid.",
        b"c1ccccc1\tBenzene.",
        b"CC(=O)O\tAcetic acid.",
        b"CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC\tLong.",  # 15
    ]
    path = write("bad.tsv", b"\xef\xbb\xbf" + b"\r\n".join(lines))
    given = {"codec": codec, "seq_length": 50, "progress": False}
    summary = prepare("smiles2text", [path], tmp_path / "out", on_bad="skip", **given)
    found = {(entry["line"], entry["defect"]) for entry in rejects(tmp_path / "out", "bad") if not entry.get("kept")}
    assert found == {
        (3, UNPARSABLE),
        (4, UNPARSABLE),
        (5, LETTER),
        (6, EMPTY),
        (7, EMPTY),
        (8, ENCODING),
        (9, MALFORMED),
        (10, LONG_LINE),
        (11, DUPLICATE),
        (15, TOO_LONG),
    }
    kept = [entry for entry in rejects(tmp_path / "out", "bad") if entry.get("kept")]
    assert [entry["line"] for entry in kept if entry["kind"] == "conflict"] == [2, 12]
    assert summary.kept["line ends or encoding"] == 2
    assert sum("byte order mark" in entry["reason"] or "carriage" in entry["reason"] for entry in kept) == 2
    assert summary.read == 14 == summary.written + sum(summary.dropped.values())
    assert {talk.rounds[0].answer for talk in read_conversations(tmp_path / "out/bad.json")} == {
        text for _, text in [*GOOD, ("CCO", "A fluid.")]
    }
    assert summary.defects.keys() <= set(DEFECTS)
    # The twin: strict, the first of them ends it.
    with pytest.raises(DataError, match=r"bad\.tsv:3: RDKit cannot parse the SMILES \(not valid SMILES syntax\)"):
        prepare("smiles2text", [path], tmp_path / "strict", on_bad="stop", **given)


def test_defects_of_sequences_and_labels(codec, write, tmp_path):
    rows = ["ACGTAC\t1", "ACGNAC\t1", "ACGTAC\t0", "TTTTTT\tmaybe", "GGGGGG\t0", "cccc aaaa\tpromoter"]
    path = write("p.tsv", "sequence\tlabel\n" + "\n".join(rows))
    summary = prepare("promoter", [path], tmp_path, codec=codec, seq_length=60, on_bad="skip", progress=False)
    found = [(entry["line"], entry["defect"]) for entry in rejects(tmp_path, "p")]
    assert found == [(2, CONFLICT), (3, LETTER), (4, CONFLICT), (5, LABEL)]
    assert summary.written == 2
    answers = [talk.rounds[0] for talk in read_conversations(tmp_path / "p.json")]
    assert [pair.answer for pair in answers] == ["no", "yes"]
    assert "<dna>GGGGGG</dna>" in answers[0].question
    assert "<dna>CCCCAAAA</dna>" in answers[1].question


def test_an_open_quote_costs_one_line(codec, write, tmp_path):
    path = write("q.csv", 'molecule,caption\nC,"open\nCC,Ethane.\nCCC,"Pro""pane"\n')
    summary = prepare("smiles2text", [path], tmp_path, codec=codec, seq_length=60, on_bad="skip", progress=False)
    assert [entry["line"] for entry in rejects(tmp_path, "q")] == [2]
    assert summary.written == 2


def test_a_broken_list_costs_the_records_after_the_fault(codec, write, tmp_path):
    rows = [json.dumps({"molecule": "C" * n, "caption": "x"}) for n in (1, 2)]
    paths = [write("a.json", f"[{rows[0]},\n{{"), write("b.json", f"[{rows[1]}]")]
    summary = prepare("smiles2text", paths, tmp_path, codec=codec, seq_length=60, on_bad="skip", progress=False)
    (entry,) = rejects(tmp_path, "smiles2text")
    assert summary.written == 2 and entry["line"] == 2 and "the rest of the file was left out" in entry["reason"]


def test_compressed_utf16_and_parquet_files(codec, write, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    text = "molecule\tcaption\nCCO\tAn é.\n"
    parquet.write_table(pa.table({"caption": ["An é."], "molecule": ["CCO"]}), tmp_path / "d.parquet")
    paths = [
        write("a.tsv.gz", gzip.compress(text.encode())),
        write("b.tsv", text.encode("utf-16")),
        tmp_path / "d.parquet",
    ]
    for path in paths:
        out = tmp_path / path.name.replace(".", "_")
        prepare("smiles2text", [path], out, codec=codec, seq_length=60, name="x", progress=False)
        (talk,) = read_conversations(out / "x.json")
        assert talk.rounds[0].answer == "An é."
    with pytest.raises(DataError, match="is a truncated or corrupt gzip file"):
        prepare("smiles2text", [write("c.gz", gzip.compress(text.encode())[:-9])], out, codec=codec, on_bad="stop")
    with pytest.raises(DataError, match="is a truncated or corrupt parquet file"):
        prepare("smiles2text", [write("c.parquet", b"PAR1 and no more")], out, codec=codec, on_bad="stop")
