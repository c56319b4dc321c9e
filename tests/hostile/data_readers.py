"""Readers of data files: JSON, tables, sequences, structures, workbooks, parquet, compressed files."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.hostile import samples
from tests.hostile.damage import bytes_of, json_files, trees_of
from tests.hostile.reader import FILE, HERE, OUT, QUICK, Reader, evaluate, predict, prepare
from tests.hostile.samples import CONVERSATIONS, PAIRS, PREDICTIONS, RANKED, RANKED_ROWS, ROWS


def _tables(make: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> list[bytes]:
    labels = [{"smiles": smiles, "soluble": n % 2} for n, (smiles, _) in enumerate(PAIRS)]
    return [make(ROWS), make(PREDICTIONS), make(RANKED_ROWS), make(labels)]


_READ_TABLE = (prepare("smiles2text"), evaluate("captions"), predict(), predict("--task", "smiles2text"))


def _json_readers() -> list[Reader]:
    every = [*ROWS, *PREDICTIONS, *CONVERSATIONS]
    lists = [ROWS, PREDICTIONS, RANKED, CONVERSATIONS]

    def lines_of(rows: Any) -> bytes:
        return samples.json_lines([json.loads(json.dumps(row)) for row in rows] if isinstance(rows, list) else [rows])

    def escaped(rows: Any) -> bytes:  # half a surrogate pair stays an escape
        return b"\n".join(json.dumps(row).encode() for row in (rows if isinstance(rows, list) else [rows]))

    wrapped = [{"data": ROWS, "version": 1}, {"rows": PREDICTIONS, "note": ["x"]}, {"a": ROWS, "b": ROWS}]
    return [
        Reader("JSON list", ["x.json"], json_files(lists), _READ_TABLE),
        Reader(
            "JSON Lines",
            ["x.jsonl", "x.json"],
            st.one_of(trees_of(lists).map(escaped), bytes_of([lines_of(rows) for rows in (every, *lists)])),
            _READ_TABLE,
        ),
        Reader("wrapped JSON", ["x.json"], json_files(wrapped), _READ_TABLE),
        Reader(
            "conversations",
            ["x.json", "x.jsonl"],
            json_files([CONVERSATIONS, CONVERSATIONS[:1], CONVERSATIONS[1:2], CONVERSATIONS[2:]]),
            [prepare("conversation"), predict(), prepare("pretrain")],
        ),
    ]


def table_of(target: str, *arguments: str) -> list[str]:
    """Returns the command that prepares a file of molecules and a target without a task."""
    columns = ["--molecule", "smiles", "--target", target, *arguments]
    return ["prepare", "--table", FILE, *columns, "--output", f"{OUT}/t", "--seq-length", "64", "--no-card", *QUICK]


def _table_readers() -> list[Reader]:
    around = {"task.yaml": json.dumps(samples.TASK).encode(), "rows.csv": samples.table(ROWS)}
    own = prepare(f"{HERE}/task.yaml")
    return [
        Reader("CSV", ["x.csv", "x.txt"], bytes_of(_tables(samples.table)), [*_READ_TABLE, own], around),
        Reader(
            "TSV",
            ["x.tsv", "x.txt"],
            bytes_of(_tables(lambda rows: samples.table(rows, "\t")) + [b"CCO\tEthanol.\nC\tMethane.\n"]),
            [*_READ_TABLE, own],
            around,
        ),
        Reader(
            "measured values",
            ["x.csv"],
            bytes_of([samples.MEASURED, samples.MEASURED.replace(b",", b"\t"), samples.LABELS]),
            [
                table_of("measured", "--kind", "number", "--unit", "nM"),
                table_of("measured", "--kind", "class"),
                table_of("soluble", "--kind", "labels"),
            ],
        ),
        Reader("semicolons", ["x.csv"], bytes_of(_tables(lambda rows: samples.table(rows, ";"))), _READ_TABLE),
        Reader(
            "text",
            ["x.txt", "x"],
            bytes_of(
                [b"What is <smiles>CCO</smiles>?\nHello\n\nA <protein>MKT</protein>\n", b"CCO\nC\n", b"one\\ntwo\n"]
            ),
            [prepare("pretrain"), predict(), predict("--task", "smiles2text"), evaluate("captions")],
        ),
        Reader(
            "references",
            ["x.txt", "x.tsv", "x.jsonl"],
            bytes_of([b"a\nb\nc\nd\n", samples.json_lines(PREDICTIONS), samples.table(ROWS, "\t")]),
            [
                evaluate("captions", f"{HERE}/p.jsonl", "--references", FILE),
                evaluate("molecules", f"{HERE}/p.jsonl", "--training", FILE),
                predict("--choices", FILE),
            ],
            {"p.jsonl": samples.json_lines([{"id": row["id"], "output": row["output"]} for row in PREDICTIONS])},
        ),
    ]


def _sequence_readers() -> list[Reader]:
    return [
        Reader(
            "FASTA",
            ["x.fa", "x.faa", "x.txt"],
            bytes_of([samples.FASTA]),
            [prepare("pretrain"), prepare("pretrain", f"dna={FILE}", "--ambiguous", "split"), prepare("promoter")],
        ),
        Reader("FASTQ", ["x.fq", "x.fastq"], bytes_of([samples.FASTQ]), [prepare("pretrain")]),
        Reader(
            "SMILES list",
            ["x.smi", "x.can"],
            bytes_of([samples.SMILES_LIST]),
            [prepare("pretrain"), prepare("pretrain", FILE, "--randomised", "2"), predict("--task", "smiles2text")],
        ),
        Reader(
            "SDF",
            ["x.sdf", "x.mol"],
            bytes_of([samples.SDF, samples.MOL]),
            [prepare("smiles2text"), prepare("pretrain"), predict("--task", "smiles2text")],
        ),
    ]


def _binary_readers() -> list[Reader]:
    books = [samples.workbook(ROWS), samples.workbook(PREDICTIONS, sheets=2)]
    with zipfile.ZipFile(io.BytesIO(books[1])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    @st.composite
    def inner(draw: st.DrawFn) -> bytes:
        name = draw(st.sampled_from(sorted(parts)))
        return samples.rezipped(books[1], {name: draw(bytes_of([parts[name]]))})

    @st.composite
    def typed(draw: st.DrawFn) -> bytes:
        """Returns a parquet file in which one column has another type."""
        import pyarrow as pa

        kinds: list[st.SearchStrategy[Any]] = [
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
            st.binary(max_size=5),
            st.booleans(),
            st.datetimes(),
            st.timedeltas(),
            st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
            st.lists(st.text(max_size=3), max_size=3),
            st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), min_size=1),
            st.none(),
            st.text(max_size=5),
        ]
        kind = draw(st.sampled_from(kinds))
        name = draw(st.sampled_from(["molecule", "caption", "id", "output", ""]))
        rows = [{**row, "output": "x", name: draw(st.one_of(kind, st.none()))} for row in ROWS]
        try:
            return samples.parquet(rows)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            return samples.parquet(ROWS)

    columns = [samples.parquet(ROWS), samples.parquet(PREDICTIONS, compression="none", use_dictionary=False)]
    small = samples.compressed(samples.json_lines(ROWS)[:200])
    packed = [content for rows in (ROWS, PREDICTIONS) for content in samples.compressed(samples.table(rows)).values()]
    bombs = [gzip.compress(b'{"molecule":"C","caption":"' + b"a" * 20_000_000, mtime=0)]
    return [
        Reader("XLSX", ["x.xlsx", "x.csv"], st.one_of(bytes_of(books), inner()), _READ_TABLE),
        Reader("parquet", ["x.parquet"], st.one_of(bytes_of(columns), typed()), _READ_TABLE),
        *(
            Reader(
                kind,
                [f"x.csv.{kind}", f"x.{kind}"],
                bytes_of(
                    [small[kind], *(item for item in packed if item[:2] == small[kind][:2]), *bombs[: kind == "gz"]]
                ),
                _READ_TABLE,
                weight=0.5,
            )
            for kind in ("gz", "bz2", "xz", "zst")
        ),
    ]


def data_readers() -> list[Reader]:
    """Returns the readers of data files."""
    return [*_json_readers(), *_table_readers(), *_sequence_readers(), *_binary_readers()]
