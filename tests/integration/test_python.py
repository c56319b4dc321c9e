"""The model in Python, and the commands without a file: the same answers as `scimind predict`, by a small model."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest

import scimind
from scimind.api.model import Model
from scimind.checkpoint.source import configuration_of
from scimind.cli import main
from tests.support.shared import ROOT
from tests.support.small_run import SMALLER, small_run

SETTINGS = {"generation.max_new_tokens": 6, "generation.batch_size": 4}
QUESTION = "Please describe the molecule: <smiles>CCO</smiles>"
FLAGS = [f"--{name}={value}" for name, value in SETTINGS.items()]


@pytest.fixture(scope="module")
def model() -> Model:
    return scimind.load(small_run() / "out", SETTINGS)


def test_predictions_are_the_rows_of_the_command(model: Model, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    smiles = ["CCO", "c1ccccc1", "CC(C", "CC(=O)O"]
    (tmp_path / "molecules.csv").write_text("\n".join(["id,smiles", *(f"m{n},{one}" for n, one in enumerate(smiles))]))
    config = ["--config", "scimind_nano_predict", "--load_checkpoint", str(small_run() / "out"), *SMALLER, *FLAGS]
    config += ["--output_dir", str(tmp_path)]
    command = ["predict", *config, "--task", "smiles2text", "--input", f"{tmp_path}/molecules.csv"]
    assert main([*command, "--output", "-"]) == 3
    shown = capfd.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert "1 of 4 prompts could not be answered" in shown.err and len(rows) == 4
    records = [{"id": f"m{n}", "smiles": one} for n, one in enumerate(smiles)]
    with pytest.warns(UserWarning, match="1 of 4 records could not be answered: m2: RDKit cannot parse"):
        found = model.predict("smiles2text", records)
    for row, one in zip(rows, found, strict=True):
        message = {"message": re.sub(r"^line \d+: ", "", row["message"])} if "message" in row else {}
        assert {**row, **message} == one.row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = model.predict("smiles2text", pandas.DataFrame({"smiles": smiles}, index=list("abcd")))
    assert list(frame["answer"]) == [row["output"] for row in rows] and list(frame.index) == list("abcd")
    assert model.ask("CCO", task="smiles2text") == rows[0]["output"] == model.ask(QUESTION)
    assert not re.search("Tensor|WARNING", shown.out + shown.err)


def test_moved_folders_checkpoints_and_the_class_itself_hold_the_same_model(model: Model, tmp_path: Path) -> None:
    shutil.copytree(small_run() / "out", tmp_path / "moved")
    (checkpoint,) = (tmp_path / "moved" / "checkpoint").glob("step_*")
    alone = shutil.copytree(checkpoint, tmp_path / "alone")
    wanted = model.embed(["CCO", "CCN"])
    for path in (tmp_path / "moved", alone):
        assert np.array_equal(scimind.load(path, SETTINGS).embed(["CCO", "CCN"]), wanted)
    network = scimind.SciMindForCausalLM.from_pretrained(alone)
    name = "model.tok_embeddings.embedding_weight"
    weights = [dict(one.parameters_and_names())[name].asnumpy() for one in (network, model.network)]
    assert np.array_equal(*weights)


def test_scores_are_the_log_likelihoods_of_answers(model: Model) -> None:
    (found,) = model.predict(None, [QUESTION], n=3, num_beams=4)
    assert len(found.answers) > 1 and all(one.finish_reason in ("stop", "length") for one in found.answers)
    choices = ["yes", "no", "The molecule is ethanol."]
    (chosen,) = model.predict(None, [QUESTION], choices=choices)
    scores = model.score(QUESTION, choices)
    wanted = [chosen.row["log_likelihoods"][text] for text in choices]
    assert scores.dtype == np.float64 and np.allclose(scores, wanted, atol=1e-4)
    others = model.score([QUESTION, "Something else?", QUESTION], choices)
    assert np.allclose(others[[0, 2]], scores[[0, 2]], atol=1e-4) and abs(others[1] - scores[1]) > 1e-3
    with pytest.raises(scimind.SciMindError, match="2 prompts and 1 answers"):
        model.score(["a", "b"], ["c"])


def test_vectors_are_the_means_of_hidden_states_one_by_one(model: Model) -> None:
    import mindspore as ms

    smiles = ["CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C", "C" * 40]
    vectors, last = model.embed(smiles), model.embed(smiles, pooling="last")
    assert vectors.shape == (5, 32) and vectors.dtype == np.float32
    for number, text in enumerate(smiles):
        ids = np.array([model.codec.encode(f"<smiles>{text}</smiles>")], np.int32)
        states = model.network.model(ms.Tensor(ids)).asnumpy()[0]  # [s, d]
        assert np.allclose(vectors[number], states[1:].mean(axis=0), atol=1e-5)
        assert np.allclose(last[number], states[-1], atol=1e-5)
        if len(text) > 1:
            assert not np.allclose(vectors[number], states[:-1].mean(axis=0), atol=1e-5), (
                "the check must be able to fail"
            )
    table = model.network.model.tok_embeddings.embedding_weight.asnumpy()
    ids = model.codec.encode("<smiles>CCO</smiles>")[1:]
    assert np.allclose(model.embed("CCO", layer=0)[0], table[ids].mean(axis=0), atol=1e-6)
    with pytest.raises(scimind.SciMindError, match=r"layer \(5\) must be 0 .* to 1"):
        model.embed("CCO", layer=5)
    with pytest.raises(scimind.SciMindError, match="sequence 1: RDKit cannot parse.*it ends too early"):
        model.embed(["CCO", "CC(C"])


def test_tokens_use_the_experts_of_their_modality(model: Model) -> None:
    use = model.experts(QUESTION)
    assert use.active.shape == (1, len(use.tokens), 16)
    for place, modality in enumerate(use.modalities):
        assert use.of_token(place) == list(range(8) if modality == "text" else range(8, 16))
    assert use.tokens[use.modalities.index("smiles")] == "{|C|}"


def test_chosen_experts_are_those_that_the_network_computes(tmp_path: Path) -> None:
    """With router `activation`, a token's experts have the k largest sums of neurons."""
    from scimind.experts.use import experts_used

    sizes = {"num_layers": 2, "hidden_size": 32, "router": "activation", "expert_sets": {}, "experts_per_token": None}
    settings = {f"model.model_config.{name}": value for name, value in sizes.items()} | {"load_checkpoint": ""}
    with pytest.warns(UserWarning, match="random"):
        model = scimind.load("scimind_nano_predict", settings)
    use = model.experts(QUESTION)
    k = model.network.config.routing.experts_per_token
    assert use.active.sum(axis=2).tolist() == [[k[name] for name in use.modalities]] * 2
    shorter = experts_used(model.network, model.codec.encode("<smiles>CCO</smiles>"))
    assert shorter.shape == (2, 4, 16)


def test_errors_are_one_line_and_name_what_is_wrong(model: Model) -> None:
    for call, message in (
        (lambda: model.ask("CC(C", task="smiles2text"), "^RDKit cannot parse"),
        (lambda: model.ask(""), "the prompt is empty"),
        (lambda: model.predict("none", ["C"]), "none"),
        (lambda: model.predict("smiles2text", []), "no records"),
        (lambda: model.ask(QUESTION, tempature=2), "tempature"),
        (lambda: model.embed("CCO", "smile"), "must be one of smiles, protein"),
    ):
        with pytest.raises(scimind.SciMindError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_ask_prints_the_answer_and_nothing_else(model: Model, capfd: pytest.CaptureFixture) -> None:
    out = str(small_run() / "out")
    assert main(["ask", "--model", out, QUESTION, *FLAGS]) == 0
    assert capfd.readouterr().out == model.ask(QUESTION) + "\n"
    assert main(["ask", "--model", out, QUESTION, "--n", "2", *FLAGS]) == 0
    assert capfd.readouterr().out.splitlines() == model.ask(QUESTION, n=2)
    assert main(["ask", "--model", out, "CC(C", "--task", "smiles2text", *FLAGS]) == 2
    shown = capfd.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1 and "RDKit cannot parse" in shown.err


def test_embed_writes_a_row_for_each_row_and_names_those_it_cannot_read(
    model: Model, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "x.csv").write_text("id,smiles\na,CCO\nb,CC(C\nc,CCN\n")
    command = ["embed", "--model", str(small_run() / "out"), "--input", f"{tmp_path}/x.csv", "--column", "smiles"]
    assert main([*command, "--output", f"{tmp_path}/x.npy"]) == 3
    shown = capfd.readouterr()
    assert "x.csv:3: RDKit cannot parse the SMILES" in shown.err and "2 of 3 sequences" in shown.err
    vectors = np.load(tmp_path / "x.npy")
    assert np.array_equal(vectors[[0, 2]], model.embed(["CCO", "CCN"])) and np.isnan(vectors[1]).all()
    assert main([*command[:-1], "nothing", "--output", f"{tmp_path}/y.npy"]) == 2
    assert not (tmp_path / "y.npy").exists()


def test_embed_reads_files_of_all_kinds(model: Model, tmp_path: Path) -> None:
    command = ["embed", "--model", str(small_run() / "out")]
    (tmp_path / "x.txt").write_text("CCO\nCCN\n")
    (tmp_path / "x.fa").write_text(">a\nMKV\n>b\nMKVL\n")
    assert main([*command, "--input", f"{tmp_path}/x.txt", "--output", f"{tmp_path}/x.npy"]) == 0
    assert np.array_equal(np.load(tmp_path / "x.npy"), model.embed(["CCO", "CCN"]))
    proteins = ["--modality", "protein", "--pooling", "last"]
    assert main([*command, *proteins, "--input", f"{tmp_path}/x.fa", "--output", f"{tmp_path}/x.parquet"]) == 0
    table = pandas.read_parquet(tmp_path / "x.parquet")
    assert list(table["id"]) == ["a", "b"]
    assert np.array_equal(np.stack(table["vector"]), model.embed(["MKV", "MKVL"], "protein", "last"))


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Path]:
    """A folder as the quick start leaves it, with the small model, whose answers are short, as `output/nano`."""
    nano = shutil.copytree(small_run() / "out", tmp_path / "output" / "nano")
    (checkpoint,) = (nano / "checkpoint").glob("step_*")
    configuration_of(nano, ["generation.max_new_tokens=12"]).save(checkpoint / "predict.yaml")
    yield tmp_path


def test_the_notebook_runs_and_holds_the_examples_of_the_pages(workplace: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "docs/notebook.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is stored without outputs"
    for page in ("README.md", "docs/python.md", "docs/python.zh.md"):
        blocks = re.findall(r"^```py\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
        assert blocks
        lines = "\n".join(cells).splitlines()
        assert not [line for block in blocks for line in block.splitlines() if line not in lines], page
    nbclient.NotebookClient(notebook, timeout=170, resources={"metadata": {"path": str(workplace)}}).execute()
    results = [
        "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert any("16)" in text for text in results) and (workplace / "output/short/result.json").is_file()
