"""`scimind convert` as a user runs it, and prediction with what it wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformers import LlamaTokenizer

from scimind.checkpoint.convert.weight_names import hugging_face_names
from scimind.cli import main
from scimind.tokenizer import TokenCodec
from tests.support import numpy_llama
from tests.support.shared import shared_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = dict(numpy_llama.SIZES)
    return numpy_llama.save(tmp_path / "hf", numpy_llama.draw(config), config)


def test_a_dry_run_writes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--input", str(folder), "--output", str(tmp_path / "new"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "model.layers.1.mlp.down_proj.weight" in shown and "model.layers.1.feed_forward.w2.weight" in shown
    assert (
        "--from hf (guessed)" in shown
        and "2000 rows -> 2112: 105 new tokens" in shown
        and "nothing was written" in shown
    )
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_a_converted_model_predicts(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, answers = tmp_path / "ours", tmp_path / "answers.jsonl"
    flags = ["--router", "activation", "--num-experts", "8", "--experts-per-token", "text=7,smiles=1"]
    assert main(["convert", "--input", str(folder), "--output", str(output), *flags]) == 0
    shown = capsys.readouterr()
    assert f"scimind predict --config {output / 'predict.yaml'}" in shown.out and "convert MiB" in shown.err
    assert json.loads((output / "scimind.json").read_text())["routing"]["experts_per_token"]["smiles"] == 1
    (tmp_path / "prompts.txt").write_text("What is <smiles>CCO</smiles>?\n")
    run = ["predict", "--config", str(output / "predict.yaml"), "--input", str(tmp_path / "prompts.txt")]
    run += ["--output", str(answers), "--output_dir", str(tmp_path / "run"), "--generation.max_new_tokens=4"]
    assert main(run) == 0
    assert len(answers.read_text().splitlines()) == 1


def test_a_moved_model_answers_the_same_and_can_be_finetuned(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        {
            "id": str(n),
            "conversation": [{"from": "human", "value": f"What is {n}?"}, {"from": "gpt", "value": f"It is {n}."}],
        }
        for n in range(16)
    ]
    (tmp_path / "records.json").write_text(json.dumps(records))
    flags = ["--expert-sets", "text=0..3", "--data", str(tmp_path / "records.json")]
    assert main(["convert", "--input", str(folder), "--output", str(tmp_path / "ours"), *flags]) == 0
    shown = capsys.readouterr().out
    before, after = (float(number) for number in re.search(r": ([\d.]+) before, ([\d.]+) after", shown).groups())
    assert "text 4 of 16 experts (25% of the neurons)" in shown and abs(before - after) > 1e-3

    (tmp_path / "prompts.txt").write_text("What is <smiles>CCO</smiles>?\n")
    answers = []
    for place in ("ours", "moved"):
        if place == "moved":
            (tmp_path / "ours").rename(tmp_path / "moved")
            monkeypatch.chdir(tmp_path / "moved")
        run = ["predict", "--config", str(tmp_path / place / "predict.yaml"), "--input", str(tmp_path / "prompts.txt")]
        run += ["--output", str(tmp_path / f"{place}.jsonl"), "--output_dir", str(tmp_path / "run")]
        assert main(run) == 0  # without a limit: the context of 64 tokens ends the answer
        answers.append((tmp_path / f"{place}.jsonl").read_text())
    assert answers[0] == answers[1]

    data = ["--task", "conversation", "--input", "../records.json", "--seq-length", "64", "--tokenizer", "."]
    assert main(["prepare", *data, "--output", "data", "--name", "train"]) == 0
    tune = ["finetune", "--config", "finetune.yaml", "--train_dataset", "data/train.mindrecord"]
    assert main([*tune, "--runner_config.max_steps=2"]) == 0
    losses = [float(line.split(",")[2]) for line in Path("output/finetuned/loss.csv").read_text().splitlines()[1:]]
    assert abs(losses[0] - after) < 1.0  # it begins with the checkpoint's weights


def test_mistakes_end_in_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = ["--output", str(tmp_path / "new")]
    for arguments, message in (
        (["--input", str(tmp_path / "absent"), *new], "does not exist"),
        (["--input", str(folder), *new, "--from", "scimind"], "named as in hf, not as in scimind"),
        (["--input", str(folder), *new, "--expert-sets", "text"], "--expert-sets (text) must have a form such as"),
        (["--input", str(folder), *new, "--expert-sets", "text=x"], "must be a number, or a span"),
        (["--input", str(folder), *new, "--num-experts", "7"], "must be a multiple of num_experts (7)"),
        (["--input", str(folder), *new, "--vocab-multiple", "0"], "multiple (0) must be at least 1"),
    ):
        assert main(["convert", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_an_exported_tokenizer_gives_the_same_ids_in_transformers(folder: Path, tmp_path: Path) -> None:
    ours, exported = tmp_path / "ours", tmp_path / "exported"
    assert main(["convert", "--input", str(folder), "--output", str(ours)]) == 0
    assert main(["convert", "--input", str(ours), "--output", str(exported), "--to", "hf"]) == 0
    theirs, codec = LlamaTokenizer.from_pretrained(exported), TokenCodec.load(exported)
    for text in ("The molecule {|C|}{|C|}{|O|} is ethanol.", "<|M|><|K|> *|G|**|A|* {|:|}", "plain text, nothing else"):
        assert theirs(text)["input_ids"] == codec.encode(text)
    assert len(theirs) == codec.vocab_size


def test_the_originals_ids_in_transformers(tmp_path: Path) -> None:
    cases = json.loads(shared_file("golden/tokenizer_dev.json").read_text())
    model = shared_file("data/models/llama2_tokenizer.model")
    config = {**numpy_llama.SIZES, "vocab_size": 32000, "hidden_size": 8, "num_attention_heads": 2}
    config |= {"num_key_value_heads": 2, "intermediate_size": 16}
    source = numpy_llama.save(tmp_path / "hf", numpy_llama.draw(config), config)
    flags = ["--tokenizer", str(model), "--no-extension"]
    assert main(["convert", "--input", str(source), "--output", str(tmp_path / "a"), *flags]) == 0
    assert (
        main(["convert", "--input", str(tmp_path / "a"), "--output", str(tmp_path / "b"), "--to", "hf", "--allow-loss"])
        == 0
    )
    theirs = LlamaTokenizer.from_pretrained(tmp_path / "b")
    cases = cases["cases"] if isinstance(cases, dict) else cases
    same = [theirs(case["text"])["input_ids"] == case["ids"] for case in cases]
    assert np.all(same), f"{len(same) - sum(same)} of {len(same)} texts differ"


def test_an_original_checkpoint_of_molecules_only_gets_the_other_tokens(tmp_path: Path) -> None:
    model = shared_file("data/models/llama2_tokenizer.model")
    config = {**numpy_llama.SIZES, "vocab_size": 32066, "hidden_size": 8, "num_attention_heads": 2}
    weights = numpy_llama.draw({**config, "num_key_value_heads": 2, "intermediate_size": 16})
    names = {theirs: ours for theirs, ours in hugging_face_names(2).items()}
    source = tmp_path / "v0"
    source.mkdir()
    save_file({names[name]: value for name, value in weights.items()}, source / "old.safetensors")
    for layer in range(2):
        np.save(source / f"patterns_{layer}.npy", np.eye(16, dtype=bool)[::-1])
    flags = ["--input", str(source), "--output", str(tmp_path / "ours"), "--num-heads", "2"]
    assert main(["convert", *flags]) == 2  # without a tokenizer it is not known how a protein's letters are spelled
    assert main(["convert", *flags, "--tokenizer", str(model)]) == 0
    made = load_file(tmp_path / "ours" / "model.safetensors")
    assert made["lm_head.weight"].shape == (32128, 8)
    np.testing.assert_array_equal(made["lm_head.weight"][:32066], weights["lm_head.weight"])
    assert made["lm_head.weight"][32066:32098].any(axis=1).all()
    w2 = "model.layers.1.feed_forward.w2.weight"
    np.testing.assert_array_equal(made[w2], weights["model.layers.1.mlp.down_proj.weight"][:, ::-1])
    described = json.loads((tmp_path / "ours" / "scimind.json").read_text())
    assert described["modality_ranges"]["protein"] == [[32071, 32098]]
    assert described["routing"]["experts_per_token"] == {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2}
