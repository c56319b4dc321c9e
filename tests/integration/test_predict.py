"""Prediction in processes that are killed and restarted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from scimind.cli.run_scimind import main as run_scimind

WORKER = Path(__file__).with_name("predict_with_toy.py")
ROOT = Path(__file__).resolve().parents[2]
MOLECULES = [f"{'C' * (1 + number * 5 % 23)}{'O' if number % 2 else 'c1ccccc1'}" for number in range(200)]


@pytest.fixture(scope="module")
def predict(warm_commands):
    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command = [warm_commands.programs / "python", str(WORKER), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)

    return run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("input") / "molecules.txt"
    path.write_text("\n".join(MOLECULES) + "\n")
    return path


@pytest.fixture(scope="module")
def uninterrupted(predict, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for name in ("x.jsonl", "x.txt"):
        done = predict(source, folder / name, "smiles2text")
        assert done.returncode == 0, done.stderr
        assert "200 prompts: " in done.stdout
    return folder


def test_killed_twice_and_restarted_gives_the_same_bytes(predict, source, uninterrupted, tmp_path):
    path = tmp_path / "x.jsonl"
    written = []
    for batches in (21, 12):
        assert predict(source, path, "smiles2text", batches).returncode == -signal.SIGKILL
        written.append(path.read_bytes().count(b"\n"))
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert 0 < written[0] < written[1] < 200
    done = predict(source, path, "smiles2text")
    assert done.returncode == 0, done.stderr
    assert f"{written[1]} already written" in done.stdout
    assert [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()] == [str(n) for n in range(1, 201)]
    assert path.read_bytes() == (uninterrupted / "x.jsonl").read_bytes()


def test_a_text_file_after_a_kill_has_the_same_bytes(predict, source, uninterrupted, tmp_path):
    path = tmp_path / "x.txt"
    assert predict(source, path, "smiles2text", 30).returncode == -signal.SIGKILL
    assert not path.exists()
    assert predict(source, path, "smiles2text").returncode == 0
    assert path.read_bytes() == (uninterrupted / "x.txt").read_bytes()
    assert path.read_bytes().count(b"\n") == 200


def test_a_changed_input_is_refused_in_one_line(predict, source, uninterrupted, tmp_path):
    path, other = tmp_path / "x.jsonl", tmp_path / "other.txt"
    assert predict(source, path, "smiles2text", 20).returncode == -signal.SIGKILL
    before = path.read_bytes()
    other.write_text("\n".join(MOLECULES[::-1]) + "\n")
    done = predict(other, path, "smiles2text")
    assert done.returncode == 2
    assert "the input changed" in done.stderr and "--overwrite" in done.stderr and done.stderr.count("\n") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("CC?\n", "bad.txt: line 1: character '?' at position 2 has no token"),
        (
            "see below\n\nC1CC\n",
            "bad.txt: none of the 3 prompts can be asked; the first: line 1: not a SMILES but what looks like a name",
        ),
    ],
)
def test_a_file_of_which_nothing_can_be_asked_stops_before_anything_is_written(predict, tmp_path, content, message):
    source = tmp_path / "bad.txt"
    source.write_text(content)
    done = predict(source, tmp_path / "x.jsonl", "smiles2text")
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "x.jsonl").exists()


def test_a_second_process_uses_the_graphs_of_the_first_and_its_own_weights(warm_commands, tmp_path, monkeypatch):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("CCO\nCC(=O)Oc1ccccc1C(=O)O\n")

    def arguments(seed: int) -> list[str]:
        options = {"load_checkpoint": "", "seed": seed, "model.model_config.num_layers": 1, "output_dir": tmp_path}
        options |= {"generation.max_new_tokens": 8, "predict_data": prompts, "task": "smiles2text"}
        options |= {"config": ROOT / "configs" / "scimind_nano_predict.yaml", "save_file": tmp_path / "x.jsonl"}
        return ["--run_mode=predict", "--overwrite", *(f"--{name}={value}" for name, value in options.items())]

    def answers(seed: int) -> tuple[str, int]:
        """Returns the answers of random weights, and how many cached graphs were found."""
        command = [warm_commands.programs / "python", ROOT / "run_scimind.py", *arguments(seed)]
        environment = {**os.environ, "SCIMIND_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        log = max(tmp_path.glob("**/*.log"), key=lambda file: file.stat().st_mtime).read_text()
        return (tmp_path / "x.jsonl").read_text("utf-8"), log.count("Use the compilation cache")

    first, found = answers(0)
    assert found == 0
    other, found = answers(1)
    assert found >= 3  # a prompt's graph, the cache's and a step's
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "0")
    assert run_scimind(arguments(1)) == 0  # compiled
    assert other == (tmp_path / "x.jsonl").read_text("utf-8")
    assert other != first
