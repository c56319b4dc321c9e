"""Every reader of SciMind, with the strategy for its files and with the commands that read them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from scimind.tokenizer.codec import BUILT_IN_MODEL
from tests.hostile import samples
from tests.hostile.damage import bytes_of, json_files, trees_of, yaml_files
from tests.hostile.reader import FILE, HERE, OUT, QUICK, REPOSITORY, Reader, evaluate, predict, prepare
from tests.hostile.samples import CONVERSATIONS, PAIRS, PREDICTIONS, ROWS


def _tables(make: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> list[bytes]:
    labels = [{"smiles": smiles, "soluble": n % 2} for n, (smiles, _) in enumerate(PAIRS)]
    return [make(ROWS), make(PREDICTIONS), make(labels)]


_READ_TABLE = (prepare("smiles2text"), evaluate("captions"), predict(), predict("--task", "smiles2text"))


def _json_readers() -> list[Reader]:
    every = [*ROWS, *PREDICTIONS, *CONVERSATIONS]
    lists = [ROWS, PREDICTIONS, CONVERSATIONS]

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


def _yaml_readers() -> list[Reader]:
    import yaml

    names = ("scimind_nano_finetune.yaml", "scimind_7b_finetune_910b_model4.yaml", "tasks/multi.yaml")
    texts = [(REPOSITORY / "configs" / name).read_bytes() for name in names]
    trees = [yaml.safe_load(text) for text in texts]
    for tree in trees:
        if "base" in tree:
            tree["base"] = Path(tree["base"]).stem
    tasks = [samples.TASK, samples.DESCRIBING_TASK]
    around = {
        "rows.csv": samples.table(ROWS),
        "labels.csv": samples.LABELS,
        "some.fasta": samples.FASTA,
        "task.yaml": json.dumps(samples.TASK).encode(),
        "p.jsonl": samples.json_lines(PREDICTIONS),
    }
    read_task = [prepare(FILE, f"{HERE}/labels.csv"), prepare(FILE, f"{HERE}/rows.csv")]
    return [
        Reader("configuration", ["x.yaml"], yaml_files(trees, texts), [["check", "--config", FILE]], weight=2),
        Reader(
            "task", ["x.yaml"], yaml_files(tasks), [*read_task, evaluate(FILE, f"{HERE}/p.jsonl")], around, weight=1.5
        ),
        Reader(
            "mixture",
            ["x.yaml"],
            yaml_files([samples.MIXTURE]),
            [["prepare", "--mixture", FILE, "--output", f"{OUT}/p", "--seq-length", "64", "--no-card", *QUICK]],
            around,
        ),
        Reader("rank table", ["x.json"], json_files([samples.RANK_TABLE]), [_rank_table]),
    ]


def _rank_table(path: Path, out: Path) -> None:
    from scimind.launch.rank_table import read_rank_table

    read_rank_table(path).write(out / "again.json")


def _weight_readers() -> list[Reader]:
    weights = samples.llama_weights()
    header, data = samples.safetensors_header(weights)
    whole = samples.safetensors(header, data)
    model = BUILT_IN_MODEL.read_bytes()
    config = json.dumps(samples.LLAMA).encode()
    folder = {"config.json": config, "model.safetensors": whole, "tokenizer.model": model}
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(weights, "part.safetensors")}
    convert = ["convert", "--input", HERE, "--output", f"{OUT}/c", "--dry-run"]
    ours = {
        "layers.0.attention.wq.weight": weights["model.layers.0.self_attn.q_proj.weight"],
        "norm_out.weight": weights["model.norm.weight"],
    }
    changed = trees_of([header]).map(lambda tree: samples.safetensors(tree, data))
    return [
        Reader(
            "safetensors", ["model.safetensors"], st.one_of(changed, bytes_of([whole])), [convert, _tensors], folder
        ),
        Reader(".ckpt", ["model.ckpt"], bytes_of([samples.ckpt(ours)]), [convert, _tensors], {}),
        Reader(
            "safetensors index",
            ["model.safetensors.index.json"],
            json_files([index]),
            [convert],
            {**folder, "part.safetensors": whole},
        ),
        Reader("config.json", ["config.json"], json_files([samples.LLAMA]), [convert], folder),
        Reader(
            "tokenizer settings",
            ["scimind_tokenizer.json"],
            _tokenizer_settings(model),
            [prepare("pretrain", f"{HERE}/a.txt", "--tokenizer", HERE), convert],
            {**folder, "a.txt": b"hello\n"},
        ),
        Reader(
            "SentencePiece model",
            ["tokenizer.model"],
            bytes_of([_small_model(), b""]),
            [prepare("pretrain", f"{HERE}/a.txt", "--tokenizer", FILE)],
            {"a.txt": b"hello <smiles>CCO</smiles>\n"},
        ),
        Reader(
            "fast tokenizer",
            ["tokenizer.json"],
            json_files([{"model": {"type": "BPE"}, "decoder": {"type": "ByteLevel"}}]),
            [[*convert, "--tokenizer", FILE]],
            folder,
            weight=0.5,
        ),
    ]


def _tensors(path: Path, out: Path) -> None:
    from scimind.checkpoint.formats.reading import read_tensors

    for tensor in read_tensors(path).values():
        for _ in tensor.chunks():
            pass


def _tokenizer_settings(model: bytes) -> st.SearchStrategy[bytes]:
    import hashlib

    settings = {"version": 1, "extension": True, "base_size": 4000, "sha256": hashlib.sha256(model).hexdigest()}
    return json_files([settings])


def _small_model() -> bytes:
    """Returns the first pieces of the built-in vocabulary as a SentencePiece model."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(BUILT_IN_MODEL.read_bytes())
    del model.pieces[300:]
    model.trainer_spec.vocab_size = 300
    return bytes(model.SerializeToString())


def _record_readers() -> list[Reader]:
    from scimind.evaluate.lpm24.ranking import CAPTION_METRICS, MOLECULE_METRICS

    scored = samples.json_lines(PREDICTIONS)
    of_molecules = (*MOLECULE_METRICS, *(f"withheld_{name}" for name in MOLECULE_METRICS))
    captions, molecules = (
        samples.metrics("captions", CAPTION_METRICS, scored),
        samples.metrics("molecules", of_molecules, scored),
    )
    items = {
        "p.jsonl": samples.json_lines(PREDICTIONS),
        "items.jsonl": samples.json_lines([{**row, "bleu": 0.5} for row in PREDICTIONS]),
    }
    report = ["report", "--predictions", f"{HERE}/p.jsonl", "--output", f"{OUT}/r.html", *QUICK, "--drawings", "1"]
    run = {"complete": False, "failures": [], "input": "0", "prompts": 2, "settings": {"seed": 0}}
    experts = {
        "sizes": {"layers": 1, "experts": 2, "neurons_per_expert": 4},
        "kept": {
            "k": [1, 2],
            "tokens": {"text": 5},
            "partition": {"text": {"layers": [[0.5, 1.0]], "mean": [0.5, 1.0]}},
            "random": {"text": {"layers": [[0.5, 1.0]], "mean": [0.5, 1.0]}},
        },
    }
    properties = {"Biomedical": ["toxin", {"antis": ["anti a", "anti b"]}], "Light": ["lamp"]}
    losses = b"step,epoch,loss,learning_rate,seconds,eval_loss,eval_accuracy\n"
    losses += b"1,0.5,2.5,0.001,1.0,,\n2,1.0,2.0,0.001,2.0,2.2,0.4\n"
    description = {"format": 1, "method": "random", "num_experts": 2, "num_layers": 1, "neurons": 4, "fingerprint": "x"}
    return [
        Reader(
            "metrics.json",
            ["m.json"],
            json_files([captions, molecules]),
            [["evaluate", "--task", "captions", "--rank", FILE, f"{HERE}/good.json"], [*report, "--metrics", FILE]],
            {**items, "good.json": json.dumps(captions).encode()},
        ),
        Reader(
            "items",
            ["i.jsonl"],
            st.one_of(bytes_of([items["items.jsonl"]]), json_files([PREDICTIONS[0]])),
            [[*report, "--metrics", f"{HERE}/good.json", "--items", FILE]],
            {**items, "good.json": json.dumps(captions).encode()},
        ),
        Reader(
            "report on experts",
            ["e.json"],
            json_files([experts]),
            [[*report, "--task", "captions", "--bootstrap", "0", "--experts", FILE]],
            items,
        ),
        Reader(
            "loss.csv",
            ["loss.csv"],
            bytes_of([losses]),
            [[*report, "--task", "captions", "--bootstrap", "0", "--losses", FILE]],
            items,
        ),
        Reader(
            "properties",
            ["n.json"],
            json_files([properties]),
            [evaluate("captions", f"{HERE}/p.jsonl", "--properties", FILE)],
            items,
        ),
        Reader(
            "withheld combinations",
            ["w.txt"],
            bytes_of([b"('bitter', 'sweet')\t3\n(\"a b\", 'c')\n"]),
            [evaluate("captions", f"{HERE}/p.jsonl", "--withheld", FILE)],
            items,
            0.5,
        ),
        Reader(
            "word pieces",
            ["v.txt"],
            bytes_of([b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\nmolecule\n##s\n"]),
            [evaluate("captions", f"{HERE}/p.jsonl", "--wordpiece_vocab", FILE)],
            items,
            0.5,
        ),
        Reader(
            "run.json",
            ["x.jsonl.run.json"],
            json_files([run]),
            [_continued],
            {"x.jsonl": samples.json_lines([{"id": "1", "output": "a"}])},
        ),
        Reader(
            "rows to continue",
            ["x.jsonl"],
            bytes_of([samples.json_lines([{"id": "1", "output": "a"}])]),
            [_continued],
            {"x.jsonl.run.json": json.dumps(run).encode()},
        ),
        Reader(
            "partition.json", ["partition.json"], json_files([description]), [_partition], {"patterns_0.npy": _labels()}
        ),
        Reader("patterns", ["patterns_0.npy"], bytes_of([_labels(), _labels(np.eye(2, 4))]), [_partition], {}),
    ]


def _labels(values: Any = (0, 1, 1, 0)) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values, np.int32))
    return stream.getvalue()


def _continued(path: Path, out: Path) -> None:
    from scimind.generate.prediction_file import PredictionWriter

    expected = [{"id": "1"}, {"id": "2"}]
    with PredictionWriter(path.with_name("x.jsonl"), expected, {"settings": {"seed": 0}}) as writer:
        for number in range(2):
            writer.add(number, {"id": str(number + 1), "output": "a"})
        writer.flush()
        writer.finish()


def _partition(path: Path, out: Path) -> None:
    from scimind.checkpoint.partition import check_made_from, read_partition

    read_partition(path.parent, 1, 4, 2)
    check_made_from(path.parent, "x")


def _checkpoint_readers() -> list[Reader]:
    weights = samples.ckpt({"a.weight": np.ones((2, 2), np.float32)})
    description = {
        "format": 1,
        "vocab_size": 6,
        "modality_ranges": {"text": [[0, 6]]},
        "routing": {"router": "modality", "num_experts": 2},
        "model": {"vocab_size": 6, "hidden_size": 4, "num_layers": 1, "num_heads": 2, "intermediate_size": 4},
        "checksums": {"a.weight": "00000000"},
        "tokenizer_fingerprint": "x",
        "versions": {},
    }
    seal = {"model.ckpt": {"bytes": len(weights), "crc32": "00000000"}}
    state = {
        **{
            "format": 1,
            "step": 3,
            "total_steps": 9,
            "steps_per_epoch": 3,
            "records_per_step": 2,
            "records": 6,
            "seed": 0,
        },
        **{"seconds": 1.5, "random": {}, "best_evaluation": None, "load_checkpoint": None},
    }
    convert = ["convert", "--input", HERE, "--output", f"{OUT}/c", "--dry-run", "--num-heads", "2"]
    folder = {"model.ckpt": weights, "optimizer.ckpt": weights}
    ask = [item if item != f"{OUT}/weights.ckpt" else HERE for item in predict()]
    ask[ask.index("--input") + 1] = f"{HERE}/p.txt"
    around = {**folder, "p.txt": b"hello\n"}
    return [
        Reader("scimind.json", ["scimind.json"], json_files([description]), [convert, ask], around),
        Reader("checksums.json", ["checksums.json"], json_files([seal]), [_seal], around),
        Reader("training.json", ["training.json"], json_files([state]), [_resume_state], around),
    ]


def _seal(path: Path, out: Path) -> None:
    from scimind.checkpoint.seal import fault_of_folder

    fault_of_folder(path.parent)
    fault_of_folder(path.parent, ["model.ckpt"])


def _resume_state(path: Path, out: Path) -> None:
    from scimind.train.resume import points

    points._read(path.parent)
    points._origin(path.parent)


def all_readers() -> list[Reader]:
    """Returns the readers of files, in the order of the data's path."""
    return [
        *_yaml_readers(),
        *_json_readers(),
        *_table_readers(),
        *_sequence_readers(),
        *_binary_readers(),
        *_weight_readers(),
        *_checkpoint_readers(),
        *_record_readers(),
    ]
