"""What the documents say is so: commands parse, paths exist, settings load, examples run, both languages agree."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scimind import cli
from scimind.cli import original
from scimind.cli.run_options import overrides_of
from scimind.config import load_config
from scimind.data.prepare.mixture import read_mixture
from scimind.data.tasks.registry import load_task
from scimind.launch.options import read_job
from scimind.launch.rank_table import make_rank_table

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "README_CN.md")
PAGES = {"docs/distributed.md": "docs/distributed_CN.md", "docs/tasks.md": "docs/tasks_CN.md"}  # and their translations
YAMLS = sorted((ROOT / "configs").glob("**/*.yaml"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A path inside the repository: it begins with one of its folders or is one of its files.
_PATH = re.compile(
    r"(?<![\w./-])(?:(?:configs|docs|scripts|tests|scimind|LPM-24-data)(?:/[\w.-]*\w)*|\w+\.(?:py|md))(?![\w-])"
)


def blocks(document: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))


def commands(text: str) -> list[list[str]]:
    """Returns each command of a shell text as words, lines that end in a backslash joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def our_arguments(words: list[str]) -> tuple[str, list[str]] | None:
    """Returns which of our commands the words call, and its arguments; None for other commands."""
    for script in ("run_scimind.py", "scripts/run_distribute.sh", "scripts/make_rank_table.py"):
        if script in words:
            return script, words[words.index(script) + 1 :]
    return ("scimind", words[1:]) if words[0] == "scimind" else None


def documented() -> list[list[str]]:
    """Returns our commands in the documents and at the head of each YAML."""
    found = [
        words
        for document in ("README.md", "LPM-24-data/README.md", *PAGES)
        for kind, text in blocks(document)
        if kind == "bash"
        for words in commands(text)
    ]
    for path in YAMLS:
        head = [
            line.removeprefix("#   ") for line in path.read_text(encoding="utf-8").splitlines() if line[:4] == "#   "
        ]
        found += [words for line in head for words in commands(line)]
    return [words for words in found if our_arguments(words)]


def test_both_languages_have_the_same_blocks() -> None:
    assert blocks("README.md") == blocks("README_CN.md")
    assert len(blocks("README.md")) >= 6
    for page, translation in PAGES.items():
        assert blocks(page) == blocks(translation) != []


@pytest.mark.parametrize("words", documented(), ids=" ".join)
def test_command_parses_and_its_settings_load(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = our_arguments(words)
    assert found is not None
    program, arguments = found
    if arguments == ["--help"]:
        assert "usage: scimind" in cli.build_parser().format_help()
        return
    if program == "scripts/make_rank_table.py":
        assert subprocess.run([sys.executable, str(ROOT / program), "--help"], capture_output=True).returncode == 0
        known = re.findall(r"--[\w-]+", (ROOT / program).read_text(encoding="utf-8"))
        assert {word for word in arguments if word.startswith("--")} <= set(known)
        return
    if program == "scripts/run_distribute.sh":
        monkeypatch.chdir(tmp_path)
        (tmp_path / "configs").symlink_to(ROOT / "configs")
        table = make_rank_table([(f"10.0.0.{n}", {d: f"10.1.{n}.{d}" for d in range(4)}) for n in (1, 2)])
        table.write("rank_table.json")
        assert read_job(arguments).workers > 1
        return
    args = original.parse(arguments) if program == "run_scimind.py" else cli.parse(arguments)
    if getattr(args, "config", None):
        load_config(ROOT / args.config, overrides_of(args))


def test_commands_are_found_at_all() -> None:
    """The README and the head of every YAML name commands; a change of form must not hide them from the test above."""
    assert len(documented()) >= 6 + len(YAMLS)


@pytest.mark.parametrize("document", [*PAGES, *PAGES.values()])
def test_every_path_that_a_page_names_exists(document: str) -> None:
    named = set(_PATH.findall((ROOT / document).read_text(encoding="utf-8"))) - {Path(page).name for page in PAGES}
    named -= {Path(page).name for page in PAGES.values()}
    assert named & {"scripts/run_distribute.sh", "configs/tasks/multi.yaml"}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(_PATH.findall(text))
    assert {"configs/scimind_nano_finetune.yaml", "scripts/test.sh", "LPM-24-data", "CHANGELOG.md"} <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_valid_and_names_what_exists(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    named = re.findall(r"\b(?:configs|scripts)/[\w.-]*\w", script.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_settings_shown_are_valid(tmp_path: Path) -> None:
    texts = [text for kind, text in blocks("README.md") if kind == "yaml"]
    kinds = set()
    for text in texts:
        section, path = yaml.safe_load(text), tmp_path / "shown.yaml"
        path.write_text(text, encoding="utf-8")
        if "fields" in section:
            kinds.add("task")
            assert load_task(path).name == section["name"]
            continue
        if "tasks" in section:
            kinds.add("mixture")
            assert [source.name for source in read_mixture(path).sources] == list(section["tasks"])
            continue
        kinds.add("model")
        overrides = [f"model.model_config.{name}={json.dumps(value)}" for name, value in section.items()]
        load_config(ROOT / "configs" / "scimind_nano_finetune.yaml", overrides)
    assert kinds == {"task", "mixture", "model"}


def test_conversations_shown_are_json() -> None:
    shown = [json.loads(text) for kind, text in blocks("README.md") if kind == "json"]
    assert shown[0][0]["conversation"][1]["from"] == "gpt"


def test_python_example_runs(tmp_path: Path) -> None:
    examples = [text for kind, text in blocks("README.md") if kind == "python"]
    assert examples
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOG_MF_PATH": str(tmp_path)}
    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.strip()
