"""Preparing files: what is written, counted and left out, and what happens if files cannot be written."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scimind.cli import prepare as verb
from scimind.data import TASKS, encode_conversation, prepare, read_conversations
from scimind.data.encode.length import POLICIES
from scimind.data.encode.rendering import IGNORED_LABEL
from scimind.data.prepare.mindrecord import COLUMNS, count_records
from scimind.data.prepare.options import ON_BAD
from scimind.data.prepare.splitting import SPLITS
from scimind.data.prepare.summary import lengths_to_keep
from scimind.errors import DataError, SciMindError
from scimind.tokenizer import TokenCodec
from tests.support.shared import ROOT, shared_file

TABLE = "CID\tSMILES\tdescription\n1\tCCO\tAn alcohol.\n2\tC/C=C\\\\C\tAn alkene.\n3\tC\tMethane.\n"


def _rows(path: Path) -> list[dict[str, np.ndarray]]:
    """Reads a MindRecord file as training does."""
    import mindspore.dataset as dataset

    found = dataset.MindDataset(str(path), columns_list=list(COLUMNS), shuffle=False)
    return list(found.create_dict_iterator(num_epochs=1, output_numpy=True))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("task", ["smiles2text", "text2smiles"])
def test_rows_hold_the_conversations(codec, write, tmp_path, task):
    out = tmp_path / "out ü" / "deep"
    summary = prepare(task, [write("chebi.txt", TABLE)], out, codec=codec, seq_length=100, card=False, progress=False)
    assert _names(out) == {f"chebi.{end}" for end in ("json", "mindrecord", "mindrecord.db", "summary.json")}
    talks = list(read_conversations(out / "chebi.json"))
    rows = _rows(out / "chebi.mindrecord")
    assert [talk.id for talk in talks] == ["1", "2", "3"]
    assert len(rows) == len(talks) == summary.written == count_records(out / "chebi.mindrecord")
    for row, talk in zip(rows, talks, strict=True):
        ids, labels = encode_conversation(codec, talk)
        assert all(row[name].dtype == np.int32 and row[name].shape == (101,) for name in COLUMNS)
        assert row["input_ids"].tolist() == ids + [codec.pad_id] * (101 - len(ids))
        assert row["labels"].tolist() == labels + [IGNORED_LABEL] * (101 - len(ids))


def test_summary_counts(codec, write, tmp_path):
    summary = prepare("smiles2text", [write("a.txt", TABLE)], tmp_path, codec=codec, seq_length=100, progress=False)
    rows = _rows(tmp_path / "a.mindrecord")
    assert (summary.read, summary.written, summary.repaired, summary.dropped) == (3, 3, 1, {"faulty": 0, "too long": 0})
    assert summary.tokens["smiles"] == len("CCO" + "C/C=C\\C" + "C")
    assert sum(summary.tokens.values()) == sum(int((row["input_ids"] != 0).sum()) for row in rows)
    assert summary.answer_tokens == sum(int((row["labels"] != IGNORED_LABEL).sum()) for row in rows)
    lengths = sorted(int((row["input_ids"] != 0).sum()) for row in rows)
    assert (summary.lengths["min"], summary.lengths["median"], summary.lengths["max"]) == tuple(lengths)
    stored = json.loads((tmp_path / "a.summary.json").read_text(encoding="utf-8"))
    assert stored == summary.to_json()
    assert stored["tokenizer"]["fingerprint"] == codec.fingerprint()
    assert "3" in summary.table()


def test_prepared_json_gives_the_same_rows_again(codec, write, tmp_path):
    prepare("text2smiles", [write("a.txt", TABLE)], tmp_path / "one", codec=codec, seq_length=64, progress=False)
    prepare("conversation", [tmp_path / "one/a.json"], tmp_path / "two", codec=codec, seq_length=64, progress=False)
    one, two = (_rows(tmp_path / name / "a.mindrecord") for name in ("one", "two"))
    assert all((x[name] == y[name]).all() for x, y in zip(one, two, strict=True) for name in COLUMNS)


def test_sample_is_prepared_whole(codec, sample, tmp_path):
    for task in ("smiles2text", "text2smiles"):
        files = [sample / task / "train.json", sample / task / "test.json"]
        summary = prepare("conversation", files, tmp_path, codec=codec, seq_length=256, name=task, progress=False)
        assert (summary.read, summary.written) == (2000, 2000)
        assert summary.tokens["protein"] == summary.tokens["nucleotide"] == 0
        assert count_records(tmp_path / f"{task}.mindrecord") == 2000


def test_many_rows_over_several_pages(codec, write, tmp_path):
    path = write("a.tsv", "molecule\tcaption\n" + "CCO\tAn alcohol.\n" * 3001)
    prepare("smiles2text", [path], tmp_path, codec=codec, seq_length=600, duplicates="keep", progress=False)
    rows = _rows(tmp_path / "a.mindrecord")
    assert len(rows) == 3001
    assert all((row["input_ids"] == rows[0]["input_ids"]).all() for row in rows)


def test_evaluation_split_is_the_same_in_both_directions(codec, write, tmp_path):
    path = write(
        "a.txt", "CID\tSMILES\tdescription\n" + "".join(f"{i}\t{'C' * (i + 1)}\tAlkane {i}.\n" for i in range(200))
    )
    ids = []
    for task in ("smiles2text", "text2smiles"):
        out = tmp_path / task
        summary = prepare(task, [path], out, codec=codec, seq_length=264, eval_fraction=0.2, progress=False)
        sets = [{talk.id for talk in read_conversations(out / name)} for name in ("a.json", "a_eval.json")]
        assert not sets[0] & sets[1]
        assert len(sets[0] | sets[1]) == summary.written == 200
        assert 20 <= len(sets[1]) == summary.evaluation == count_records(out / "a_eval.mindrecord") <= 60
        ids.append(sets)
    assert ids[0] == ids[1]


BAD = "molecule,caption\nCCO,An alcohol.\nC?C,What.\nC\nC,Methane.\n,None.\nCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC,Long.\n"


def test_stop_names_file_line_and_position_and_leaves_nothing(codec, write, tmp_path):
    path = write("bad.csv", BAD)
    for task in ("smiles2text", "text2smiles"):
        with pytest.raises(DataError) as caught:
            prepare(task, [path], tmp_path / "out", codec=codec, seq_length=32, on_bad="stop", progress=False)
        assert str(caught.value).startswith(f"{path}:3: character '?' at position 1 of 'C?C' has no token in <smiles>")
        assert _names(tmp_path / "out") == set()


def test_skip_lists_what_is_left_out(codec, write, tmp_path):
    path, out = write("bad.csv", BAD), tmp_path / "out"
    summary = prepare("smiles2text", [path], out, codec=codec, seq_length=32, on_bad="skip", progress=False)
    assert (summary.read, summary.written, summary.dropped) == (6, 2, {"faulty": 3, "too long": 1})
    lines = [json.loads(line) for line in (out / "bad.rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["line"], line["kind"]) for line in lines] == [
        (3, "faulty"),
        (4, "faulty"),
        (6, "faulty"),
        (7, "too long"),
    ]
    assert all(line["file"] == str(path) and line["reason"] for line in lines)
    assert "bad.rejects.jsonl" in summary.files
    again = prepare(
        "smiles2text", [path], out, codec=codec, seq_length=99, on_bad="skip", overwrite=True, progress=False
    )
    assert again.dropped == {"faulty": 3, "too long": 0}


def test_unknown_character_in_a_conversation(codec, write, tmp_path):
    talk = {
        "id": "x",
        "conversation": [{"from": "human", "value": "q <protein>MK1</protein>"}, {"from": "gpt", "value": "a"}],
    }
    path = write("a.json", [talk])
    with pytest.raises(DataError, match=r"a\.json:1: character '1' at position 2 of 'MK1' has no token in <protein>"):
        prepare("conversation", [path], tmp_path / "out", codec=codec, seq_length=32, on_bad="stop", progress=False)


def test_results_are_not_replaced_unasked(codec, write, tmp_path):
    path, out = write("a.txt", TABLE), tmp_path / "out"
    prepare("smiles2text", [path], out, codec=codec, seq_length=100, progress=False)
    before = (out / "a.mindrecord").read_bytes()
    with pytest.raises(SciMindError, match="exists; give --overwrite"):
        prepare("text2smiles", [path], out, codec=codec, seq_length=100, progress=False)
    with pytest.raises(DataError):
        prepare(
            "smiles2text",
            [write("a.txt", BAD.replace(",", "\t"))],
            out,
            codec=codec,
            seq_length=100,
            on_bad="stop",
            overwrite=True,
            progress=False,
        )
    assert (out / "a.mindrecord").read_bytes() == before
    path = write("a.txt", "molecule,caption\nC,x\n")
    prepare("smiles2text", [path], out, codec=codec, seq_length=50, overwrite=True, progress=False)
    assert [row["labels"].shape for row in _rows(out / "a.mindrecord")] == [(51,)]
    assert not [name for name in _names(out) if name.startswith(".partial")]


def test_the_length_that_keeps_a_share_of_the_records_is_told(codec, write, tmp_path):
    lengths = dict.fromkeys(range(11, 111), 1)  # a hundred records of 11 to 110 ids
    assert lengths_to_keep(lengths) == {"95%": 104, "99%": 108, "100%": 109}
    assert lengths_to_keep({161: 7}) == {"95%": 160, "99%": 160, "100%": 160}
    assert lengths_to_keep({}) == {}
    # As many records are kept as it says.
    table = "CID\tSMILES\tdescription\n" + "".join(f"{n}\t{'C' * n}\tAn alkane.\n" for n in range(1, 101))
    path, options = write("a.txt", table), {"codec": codec, "progress": False, "overwrite": True}
    first = prepare("smiles2text", [path], tmp_path, seq_length=60, **options)
    assert 0 < first.written < 95
    shown = f"95% {first.needed['95%']}, 99% {first.needed['99%']}, 100% {first.needed['100%']}"
    assert next(line for line in first.table().split("\n") if "would keep" in line).endswith(shown)
    for share, count in (("95%", 95), ("99%", 99), ("100%", 100)):
        again = prepare("smiles2text", [path], tmp_path, seq_length=first.needed[share], **options)
        assert again.written == count
    assert "would keep" not in again.table()


def test_an_input_is_never_replaced(codec, sample, tmp_path):
    path = tmp_path / "train.json"
    path.write_bytes((sample / "smiles2text/test.json").read_bytes())
    with pytest.raises(SciMindError, match="is an input and would be replaced"):
        prepare("conversation", [path], tmp_path, codec=codec, seq_length=256, overwrite=True, progress=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seq_length": 0}, r"seq_length \(0\) must be at least 1"),
        ({"seq_length": -4}, r"seq_length \(-4\) must be at least 1"),
        (
            {"seq_length": 3},
            r"no record fits seq_length \(3\); the shortest needs \d+, the longest \d+; "
            r"raise seq_length \(\d+ keeps 95%, \d+ keeps 99%, \d+ keeps 100% of the records\)",
        ),
        ({"policy": "cut"}, "policy .'cut'. must be one of drop, truncate"),
        ({"on_bad": "ignore"}, "on_bad .'ignore'. must be one of stop, skip"),
        ({"task": "mao"}, "task .'mao'. must be one of smiles2text, text2smiles, .*; or give a file"),
        ({"split": "stratified"}, "split .'stratified'. must be one of random, scaffold, cluster"),
        ({"test_fraction": 0.6, "eval_fraction": 0.4}, "must be less than 1"),
        ({"identity": 0.0}, r"identity \(0.0\) must be greater than 0"),
        ({"molecules": "fast"}, "molecules .'fast'. must be one of as-is, checked, canonical"),
        ({"molecules": "as-is", "split": "scaffold"}, "split scaffold needs RDKit to read molecules"),
        ({"inputs": []}, "no input"),
        ({"name": "a/b"}, "must be a file name without folders"),
        ({"eval_fraction": 1.0}, r"eval_fraction \(1.0\) must be at least 0 and less than 1"),
        ({"eval_fraction": 1e-9}, "no record for a_eval"),
    ],
)
def test_faulty_settings(codec, write, tmp_path, change, reason):
    given = {"task": "smiles2text", "inputs": [write("a.txt", TABLE)], "output_dir": tmp_path / "out", "seq_length": 64}
    with pytest.raises(SciMindError, match=reason):
        prepare(**(given | {"codec": codec, "on_bad": "stop", "progress": False} | change))
    assert not (tmp_path / "out").exists() or _names(tmp_path / "out") == set()


@pytest.mark.parametrize("folder", ["a.txt", "a.txt/deeper", "/proc/nowhere"])
def test_unwritable_folder(codec, write, tmp_path, folder):
    path = write("a.txt", TABLE)
    with pytest.raises(SciMindError, match="cannot be written") as caught:
        prepare("smiles2text", [path], tmp_path / folder, codec=codec, seq_length=64, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [1000, 100_000])
def test_no_room(write, tmp_path, limit):
    """A file size limit simulates a full disk: the first stops the JSON, the second MindSpore's writer."""
    path = write("a.txt", TABLE + "".join(f"{i}\tC\tMethane {i}.\n" for i in range(20)))
    script = f"""
import resource, signal
from scimind.data import prepare
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    prepare("smiles2text", [{str(path)!r}], {str(tmp_path / "out")!r}, codec=TokenCodec(), seq_length=64)
except SciMindError as error:
    print(error)
    raise SystemExit(2)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stdout
    assert _names(tmp_path / "out") == set()


def test_count_of_a_file_that_is_not_mindrecord(write, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        count_records(tmp_path / "none.mindrecord")
    with pytest.raises(DataError, match="is not a complete MindRecord file"):
        count_records(write("x.mindrecord", "text"))


def _run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(parser.parse_args([str(argument) for argument in arguments]))


def test_command(write, tmp_path, capsys):
    path, out = write("a.txt", TABLE), tmp_path / "out"
    assert (
        _run("--task", "smiles2text", "--input", path, "--output", out, "--seq_length", 40, "--policy", "truncate") == 0
    )
    printed = capsys.readouterr()
    assert "records written       3" in printed.out
    assert f"wrote {out / 'a.mindrecord'}" in printed.out
    assert f"/{path.stat().st_size}" in printed.err.replace(".0", "")
    assert json.loads((out / "a.summary.json").read_text())["seq_length"] == 40


def test_command_takes_a_tokenizer(codec, write, tmp_path):
    path = write("a.txt", TABLE)
    TokenCodec(extension=False).save(tmp_path / "plain")
    codec.save(tmp_path / "extended")
    base = ("--task", "smiles2text", "--input", path, "--seq-length", 64, "--output", tmp_path / "out", "--overwrite")
    found = {}
    for name, flags in {
        "folder": ("--tokenizer", tmp_path / "plain"),
        "model": ("--tokenizer", tmp_path / "plain/tokenizer.model", "--no-extension"),
        "built-in": (),
    }.items():
        assert _run(*base, *flags) == 0
        found[name] = json.loads((tmp_path / "out/a.summary.json").read_text())["tokenizer"]
    assert found["folder"] == found["model"] != found["built-in"]
    with pytest.raises(SciMindError, match="with the extension; leave --no-extension out"):
        _run(*base, "--tokenizer", tmp_path / "extended", "--no-extension")
    with pytest.raises(SciMindError):
        _run(*base, "--tokenizer", tmp_path / "nowhere")


def test_command_offers_all_tasks():
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    choices = {action.dest: action.choices for action in parser._actions if action.choices}
    assert (choices["policy"], choices["on_bad"], choices["split"]) == (POLICIES, ON_BAD, SPLITS)
    assert all(name in parser.format_help() for name in TASKS)


def test_command_skips_unless_it_is_strict(write, tmp_path):
    path, out = write("bad.csv", BAD), tmp_path / "out"
    given = ("--task", "smiles2text", "--input", path, "--output", out, "--seq-length", 99)
    with pytest.raises(DataError, match=r"bad\.csv:3: "):
        _run(*given, "--strict")
    assert _run(*given) == 0
    assert (out / "bad.rejects.jsonl").read_text(encoding="utf-8").count("\n") == 3
    assert (out / "bad.card.md").is_file() and (out / "bad.lengths.png").read_bytes()[:4] == b"\x89PNG"


def test_importing_loads_no_mindspore():
    script = "import sys, scimind.data, scimind.cli.prepare; print('mindspore' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("task", ["smiles2text", "text2smiles"])
def test_chebi20(codec, tmp_path, task):
    path = shared_file("data/chebi20/validation.txt")
    summary = prepare(task, [path], tmp_path, codec=codec, seq_length=2048, progress=False)
    assert (summary.read, summary.written, summary.repaired) == (3301, 3301, 502)
    assert not any(summary.dropped.values())
    assert "\\\\\\\\" not in (tmp_path / "validation.json").read_text(encoding="utf-8")
    assert count_records(tmp_path / "validation.mindrecord") == 3301


def test_lpm24_examples(codec, tmp_path):
    for name, task in (("smiles2caption_example", "smiles2text"), ("caption2smiles_example", "text2smiles")):
        path = shared_file(f"data/lpm24/{name}.txt")
        summary = prepare(task, [path], tmp_path, codec=codec, seq_length=512, progress=False)
        assert summary.read == summary.written == sum(bool(line.strip()) for line in path.open(encoding="utf-8")) - 1
