"""The command from a user's view: verbs, exit status, one-line errors, and nothing loaded before it is needed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import scimind
from scimind.cli import VERBS, main, parse
from scimind.cli.exit_status import guarded
from scimind.errors import SciMindError

ROOT = Path(__file__).parents[3]
NANO = str(ROOT / "configs" / "scimind_nano_finetune.yaml")
HEAVY = ("mindspore", "mindformers", "numpy", "rdkit", "sentencepiece")


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "code",
    [
        "import scimind",
        "from scimind.cli import main; main(['--help'])",
        "from scimind.cli import main; main(['--version'])",
    ],
    ids=["import", "help", "version"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    done = run_python("-X", "importtime", "-c", code)
    assert done.returncode == 0, done.stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "scimind" in loaded  # the listing works
    assert not loaded.intersection(HEAVY)


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {verb}" in shown for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_module_and_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.util.find_spec(f"scimind.cli.{verb}") is not None
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: scimind {verb}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"scimind {scimind.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["finetune"],
        ["check", "--config", NANO, "stray"],
        ["check", "--config", NANO, "--no_value"],
        ["check", "--config", NANO, "--seed", "two"],
        ["check", "--config", NANO, "--use_parallel", "perhaps"],
        ["check", "--conf", NANO],
    ],
)
def test_wrong_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_users_mistake_is_one_line_with_status_2() -> None:
    done = run_python(
        "-c", "import sys; from scimind.cli import main; sys.exit(main())", "check", "--config", "none.yaml"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert (
        done.stderr
        == "scimind: error: none.yaml: no such file; give the path of a YAML file such as those in configs/\n"
    )


def test_message_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        raise SciMindError("first\n  second")

    assert guarded("scimind", body) == 2
    assert capsys.readouterr().err == "scimind: error: first second\n"


def test_interruption_is_one_line_with_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        raise KeyboardInterrupt

    assert guarded("scimind", body) == 130
    assert capsys.readouterr().err == "scimind: stopped\n"


def test_fault_of_the_program_keeps_its_traceback() -> None:
    def body() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded("scimind", body)


def test_closed_pipe_is_not_a_fault() -> None:
    code = "import sys; from scimind.cli import main; sys.exit(main())"
    command = f'"{sys.executable}" -c "{code}" check --config "{NANO}" | head -n 1'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
    assert done.stderr == ""


def test_settings_of_the_yaml_are_collected() -> None:
    args = parse(["check", "--config", NANO, "--a.b=1", "--c.d", "2"])
    assert args.overrides == ["--a.b=1", "--c.d=2"]


@pytest.mark.parametrize("path", ["x" * 5000, "~no_such_user/x", "y" * 300])
@pytest.mark.parametrize(
    "arguments",
    [["convert", "--output", "o", "--input"], ["prepare", "--input", "x", "--task", "pretrain", "--output"]],
)
def test_a_path_that_cannot_be_looked_up_is_a_mistake(tmp_path, monkeypatch, capsys, arguments, path):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, path]) == 2
    error = capsys.readouterr().err
    assert "cannot be used" in error and error.count("\n") == 1 and len(error) < 300
    assert list(tmp_path.iterdir()) == []


def test_unknown_arguments_are_named_on_one_line(capsys):
    for arguments in (["evaluate", "--task", "captions", "--a=b\nc"], ["check", "--config", NANO, "a\nb"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"scimind {arguments[0]}: error: unrecognized")
