from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scimind.cli import main

LOSSES = """step,epoch,loss,eval_loss,learning_rate,seconds,eval_accuracy
0,0,,3.0,,1,0.1
1,0.1,2.5,,0.1,2,
2,0.2,2.0,1.5,0.1,3,0.5
"""


@pytest.fixture
def predictions(tmp_path):
    path = tmp_path / "predictions.jsonl"
    rows = [("a", "OCC", "CCO"), ("b", "C(", "CCO"), ("c", "", "CN"), ("d", "CN", "CN")]
    path.write_text("".join(json.dumps({"id": i, "output": o, "reference": r}) + "\n" for i, o, r in rows))
    return path


@pytest.fixture
def metrics(predictions, tmp_path):
    path, items = tmp_path / "metrics.json", tmp_path / "items.jsonl"
    arguments = ["--task", "text2smiles", "--predictions", predictions, "--output", path, "--items", items]
    assert main(["evaluate", *map(str, arguments), "--bootstrap", "20"]) == 0
    return path


def report(*arguments):
    return main(["report", *map(str, arguments)])


def test_metrics_and_items_of_an_evaluation_are_shown(predictions, metrics, tmp_path, capsys):
    page = tmp_path / "out" / "report.html"
    assert report("--predictions", predictions, "--metrics", metrics, "--output", page) == 0
    assert f"4 items, {page.stat().st_size / 1e3:.0f} KB\n" in capsys.readouterr().out
    whole = page.read_text()
    # Without the table, the items are scored again, with the same page; a fresh evaluation has the same items too.
    (tmp_path / "items.jsonl").unlink()
    assert report("--predictions", predictions, "--metrics", metrics, "--output", page) == 0
    assert page.read_text() == whole
    fresh = ("--task", "text2smiles", "--bootstrap", 20)
    assert report("--predictions", predictions, *fresh, "--output", page, "--title", "Other") == 0
    assert "<h1>Other</h1>" in page.read_text()
    data = [text.split('id="data">')[1].split("</script>")[0] for text in (whole, page.read_text())]
    assert data[0] == data[1]


def test_metrics_of_another_program_need_only_their_values(predictions, metrics, tmp_path):
    content = json.loads(metrics.read_text())
    content["metrics"] = {name: {"value": score["value"]} for name, score in content["metrics"].items()}
    metrics.write_text(json.dumps(content))
    page = tmp_path / "report.html"
    assert report("--predictions", predictions, "--metrics", metrics, "--output", page) == 0
    assert "higher is better" not in page.read_text().split("<script")[0]


def test_training_and_experts_are_shown(predictions, metrics, tmp_path):
    losses, experts, page = tmp_path / "loss.csv", tmp_path / "experts.json", tmp_path / "r.html"
    losses.write_text(LOSSES)
    shares = {"text": {"mean": [0.7, 1.0], "layers": [[0.8, 1.0], [0.6, 1.0]]}}
    use = {"text": {"mean": [0.25, 0.75], "layers": [[0.125, 0.875], [0.375, 0.625]]}}
    kept = {"measure": "m", "tokens": {"text": 5}, "k": [1, 2], "partition": shares, "random": shares, "use": use}
    sizes = {"layers": 2, "experts": 2, "neurons_per_expert": 4}
    experts.write_text(json.dumps({"sizes": sizes, "kept": kept}))
    base = ("--predictions", predictions, "--metrics", metrics, "--output", page)
    assert report(*base, "--losses", tmp_path, "--experts", experts) == 0
    text = page.read_text()
    assert "line line2" in text  # steps, their mean, evaluations
    assert ">0.88</td>" in text
    del kept["use"]  # a report of an earlier version
    experts.write_text(json.dumps({"sizes": sizes, "kept": kept}))
    assert report(*base, "--experts", experts) == 0
    assert ">0.88</td>" not in page.read_text()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda experts: experts["sizes"].pop("neurons_per_expert"), "sizes.neurons_per_expert is missing"),
        (lambda experts: experts["kept"].pop("random"), "kept.random is missing"),
        (lambda experts: experts["kept"]["random"].update(text=None), "kept.random.text.mean is missing"),
        (lambda experts: experts["kept"]["partition"]["text"].update(layers=[[0.5]]), "must have 2 shares"),
        (lambda experts: experts["kept"].update(k=[]), "at least one item"),
        (lambda experts: experts["kept"].update(tokens={"text": "x"}), "kept.tokens.text ('x')"),
        (lambda experts: experts["sizes"].update(layers=10**30), "sizes.layers"),
    ],
)
def test_a_report_on_experts_that_no_page_can_show_is_refused(predictions, tmp_path, capsys, change, reason):
    shares = {"text": {"mean": [0.7, 1.0], "layers": [[0.8, 1.0], [0.6, 1.0]]}}
    kept = {"measure": "m", "tokens": {"text": 5}, "k": [1, 2], "partition": shares, "random": dict(shares)}
    experts = {"sizes": {"layers": 2, "experts": 2, "neurons_per_expert": 4}, "kept": kept}
    change(experts)
    (tmp_path / "e.json").write_text(json.dumps(experts))
    arguments = ["--predictions", predictions, "--task", "text2smiles", "--output", tmp_path / "r.html"]
    assert report(*arguments, "--experts", tmp_path / "e.json") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "is not a report on experts" in error and reason in error


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "no predictions"),
        (["--predictions", "P"], "no task"),
        (["--predictions", "P", "--task", "text2smiles", "--items", "i.jsonl"], "--items needs --metrics"),
        (["--predictions", "P", "--task", "text2smiles", "--drawings", "-1"], "--drawings (-1)"),
        (["--predictions", "none.jsonl", "--task", "text2smiles"], "none.jsonl: no such file"),
        (["--predictions", "P", "--metrics", "none.json"], "none.json: no such file"),
        (["--predictions", "P", "--metrics", "P"], "cannot be read"),
        (["--predictions", "L", "--metrics", "M"], "was not computed from"),
        (["--predictions", "P", "--metrics", "M", "--task", "smiles2text"], "--task (smiles2text)"),
        (["--predictions", "P", "--metrics", "M", "--items", "L"], "as .jsonl"),
        (["--predictions", "P", "--metrics", "M", "--items", "S"], "has 1 rows, but the metrics are of 4 items"),
        (["--predictions", "P", "--metrics", "M", "--experts", "M"], "has no activation"),
        (["--predictions", "P", "--metrics", "M", "--losses", "M"], "holds no loss"),
        (["--predictions", "P", "--metrics", "M", "--losses", "none.csv"], "no such file"),
    ],
)
def test_a_mistake_ends_in_one_line(predictions, metrics, tmp_path, capsys, arguments, match):
    (tmp_path / "loss.csv").write_text(LOSSES)
    (tmp_path / "short.jsonl").write_text('{"id": "a"}\n')
    names = {"P": predictions, "M": metrics, "L": tmp_path / "loss.csv", "S": tmp_path / "short.jsonl"}
    capsys.readouterr()
    arguments = [str(names.get(argument, argument)) for argument in arguments]
    assert report(*arguments, "--output", tmp_path / "r.html") == 2
    error = capsys.readouterr().err
    assert match in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


def test_the_page_must_end_in_html(predictions, tmp_path, capsys):
    assert report("--predictions", predictions, "--task", "text2smiles", "--output", tmp_path / "r.pdf") == 2
    assert "must end in .html" in capsys.readouterr().err


def test_report_and_evaluate_load_no_mindspore(predictions, tmp_path):
    (tmp_path / "loss.csv").write_text(LOSSES)
    arguments = ["--task", "text2smiles", "--predictions", str(predictions)]
    files = ["--losses", str(tmp_path), "--output", str(tmp_path / "r.html")]
    code = (
        "import sys; from scimind.cli import main; "
        f"assert main({['evaluate', *arguments]!r}) == main({['report', *arguments, *files]!r}) == 0; "
        "loaded = {'mindspore', 'mindformers', 'torch'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
