"""Tasks in Python files: they run if the user names them, and otherwise only with --allow_code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.cli import main
from tests.support.workplace import make_workplace

CODE = """
from pathlib import Path
from scimind.data import find_task
Path(__file__).with_name("RAN").touch()
TASK = find_task("smiles2text")
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("code") / "work")


@pytest.fixture
def code(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, under a separate name, since Python imports a module once; the folder of inputs is the current."""
    monkeypatch.chdir(workplace)
    file = tmp_path / f"task_{tmp_path.name}.py"
    file.write_text(CODE)
    return file


def commands_of(code: Path, tmp_path: Path) -> dict[str, list[str]]:
    """Returns commands that find the task in a file."""
    (tmp_path / "mixture.yaml").write_text(f"tasks: {{a: {{task: {code}, input: [{Path('table.tsv').resolve()}]}}}}\n")
    (tmp_path / "run.yaml").write_text(f"base: {Path('model/predict.yaml').resolve()}\ntask: {code}\n")
    metrics = json.loads(Path("metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps({**metrics, "task": str(code)}))
    out = str(tmp_path / "out")
    return {
        "prepare": ["prepare", "--mixture", f"{tmp_path}/mixture.yaml", "--output", out, "--workers", "1"],
        "predict": ["predict", "--config", f"{tmp_path}/run.yaml", "--input", "none.txt", "--output", f"{out}/x.jsonl"],
        "report": ["report", "--metrics", f"{tmp_path}/metrics.json", "--predictions", "answers.jsonl"]
        + ["--output", f"{tmp_path}/x.html"],
    }


@pytest.mark.parametrize("verb", ["prepare", "predict", "report"])
def test_code_that_only_a_file_names_does_not_run(
    verb: str, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(commands_of(code, tmp_path)[verb]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"task ({code}) is a Python file, which would run; add --allow_code if you trust it" in line
    assert not code.with_name("RAN").exists() and not (tmp_path / "out").exists()


def test_it_runs_with_allow_code(code: Path, tmp_path: Path) -> None:
    command = [*commands_of(code, tmp_path)["prepare"], "--seq_length", "64", "--no-card", "--allow_code"]
    assert main(command) == 0
    assert code.with_name("RAN").exists()


@pytest.mark.parametrize("more", [["--allow_code"], ["--task", "{code}"]])
def test_or_if_the_user_names_it_too(
    more: list[str], code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*commands_of(code, tmp_path)["predict"], *(part.format(code=code) for part in more)]
    assert main(command) == 2  # there are no prompts
    assert "none.txt: no such file" in capsys.readouterr().err
    assert code.with_name("RAN").exists()


def test_help_says_that_it_is_code(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("prepare", "predict", "evaluate", "report"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        assert "of a .py file runs" in " ".join(capsys.readouterr().out.split())
