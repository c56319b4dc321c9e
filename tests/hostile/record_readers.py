"""Readers of configurations, tasks and mixtures, and of what commands write for each other: metrics, items, runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.hostile import samples
from tests.hostile.damage import bytes_of, json_files, yaml_files
from tests.hostile.reader import FILE, HERE, OUT, QUICK, REPOSITORY, Reader, evaluate, prepare
from tests.hostile.samples import PREDICTIONS, RANKED, ROWS


def configuration_readers() -> list[Reader]:
    """Returns the readers of YAML files and rank tables."""
    import yaml

    names = ("scimind_nano_finetune.yaml", "scimind_7b_finetune_910b_model4.yaml", "tasks/multi.yaml")
    texts = [(REPOSITORY / "configs" / name).read_bytes() for name in names]
    trees = [yaml.safe_load(text) for text in texts]
    for tree in trees:
        if "base" in tree:
            tree["base"] = Path(tree["base"]).stem
    tasks = [samples.TASK, samples.DESCRIBING_TASK, samples.NUMBER_TASK]
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


def record_readers() -> list[Reader]:
    """Returns the readers of what commands write for each other."""
    from scimind.evaluate.lpm24.ranking import CAPTION_METRICS, MOLECULE_METRICS

    scored = samples.json_lines(PREDICTIONS)
    rows = [{**row, "answers": ranked["outputs"]} for row, ranked in zip(PREDICTIONS, RANKED, strict=True)]
    of_molecules = (*MOLECULE_METRICS, *(f"withheld_{name}" for name in MOLECULE_METRICS))
    captions, molecules = (
        samples.metrics("captions", CAPTION_METRICS, scored),
        samples.metrics("molecules", of_molecules, scored),
    )
    items = {
        "p.jsonl": samples.json_lines(PREDICTIONS),
        "items.jsonl": samples.json_lines([{**row, "bleu": 0.5} for row in rows]),
    }
    report = ["report", "--predictions", f"{HERE}/p.jsonl", "--output", f"{OUT}/r.html", *QUICK, "--drawings", "1"]
    numbers = [
        {"id": row["id"], "reference": "1", "output": "2", "measured": 1.0, "predicted": 2.0, "absolute_error": 1.0}
        for row in PREDICTIONS
    ]
    regression = samples.metrics("regression", ("rmse", "baseline_rmse", "unparsed"), scored)
    regression["settings"] |= {"baseline": "always answering 1, the mean of the training values", "unit": "nM"}
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
            st.one_of(bytes_of([items["items.jsonl"]]), json_files([rows[0]])),
            [[*report, "--metrics", f"{HERE}/good.json", "--items", FILE]],
            {**items, "good.json": json.dumps(captions).encode()},
        ),
        Reader(
            "items that are numbers",
            ["i.jsonl"],
            st.one_of(bytes_of([samples.json_lines(numbers)]), json_files([numbers[0]])),
            [[*report, "--metrics", f"{HERE}/good.json", "--items", FILE]],
            {**items, "good.json": json.dumps(regression).encode()},
        ),
        Reader(
            "metrics of numbers",
            ["m.json"],
            json_files([regression]),
            [[*report, "--metrics", FILE, "--items", f"{HERE}/numbers.jsonl"]],
            {**items, "numbers.jsonl": samples.json_lines(numbers)},
        ),
        Reader(
            "record of predictions",
            ["p.jsonl.run.json"],
            json_files([{"task": "promoter", "task_file": None}, {"task": "x", "task_file": "x.yaml"}]),
            [["evaluate", "--predictions", f"{HERE}/p.jsonl", *QUICK, "--bootstrap", "0"]],
            {
                "p.jsonl": samples.json_lines(
                    [{"output": "yes", "reference": "no"}, {"output": "a", "reference": "yes"}]
                )
            },
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
