"""The documentation is true: commands parse, paths exist, settings load, examples run, both languages agree."""

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
from scimind.cli import run_scimind
from scimind.cli.run_options import overrides_of
from scimind.config import load_config
from scimind.data.prepare.mixture import read_mixture
from scimind.data.tasks.registry import load_task
from scimind.launch.options import read_job
from scimind.launch.rank_table import make_rank_table

ROOT = Path(__file__).parents[2]
# Each page and its translation.
PAGES = {"README.md": "README_CN.md"} | {
    str(page.relative_to(ROOT)): str(page.with_suffix(".zh.md").relative_to(ROOT))
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if not page.name.endswith(".zh.md")
}
DOCUMENTS = [*PAGES, *PAGES.values(), "LPM-24-data/README.md"]
YAMLS = sorted((ROOT / "configs").glob("**/*.yaml"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))
README_LINES = 150
# Longer lines of code are cut off by the site's column, on a screen of 1,280 pixels.
SITE_COLUMNS = 90

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A path in the repository: it starts with one of its folders or is one of its files.
_PATH = re.compile(
    r"(?<![\w./-])(?:(?:configs|docs|scripts|tests|scimind|LPM-24-data)(?:/[\w.-]*\w)*|\w+\.(?:py|md))(?![\w-])"
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|href)=\"([^\"#]+)\"")


def blocks(document: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))


def commands(text: str) -> list[list[str]]:
    """Returns each command of a shell text as words, with lines joined that end in a backslash."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def commands_of(document: str) -> list[list[str]]:
    return [words for kind, text in blocks(document) if kind == "bash" for words in commands(text)]


def our_arguments(words: list[str]) -> tuple[str, list[str]] | None:
    """Returns which of our commands the words call, and its arguments; None for other commands."""
    for script in ("run_scimind.py", "scripts/run_distribute.sh", "scripts/make_rank_table.py", "scimind.launch"):
        if script in words:
            return script, words[words.index(script) + 1 :]
    return ("scimind", words[1:]) if words[0] == "scimind" else None


def configuration_of(given: str) -> Path | str:
    """Returns the file that a path in the repository means; the name of a shipped configuration stays.

    One that an earlier command of the page writes next to a converted checkpoint has the settings of the nano model's.
    """
    if given.startswith("checkpoints/"):
        return ROOT / "configs" / f"scimind_nano_{Path(given).name}"
    return ROOT / given if (ROOT / given).exists() else given


def what_quickstart_recommends() -> list[list[str]]:
    """Returns the commands that the quick start prints at its end."""
    text = (ROOT / "scripts" / "quickstart.sh").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^([A-Z]+)=(\S+)$", text, re.MULTILINE))
    printed = text.partition('say "Next')[2].rstrip('"\n').replace("\\\\\n", " ")
    for name, value in variables.items():
        printed = printed.replace(f"${name}", value)
    return [words for words in commands(printed.partition("\n")[2]) if our_arguments(words)]


def documented() -> list[list[str]]:
    """Returns our commands in the documents, at the head of each YAML and at the end of the quick start."""
    found = [words for document in ("LPM-24-data/README.md", *PAGES) for words in commands_of(document)]
    for path in YAMLS:
        head = [
            line.removeprefix("#   ") for line in path.read_text(encoding="utf-8").splitlines() if line[:4] == "#   "
        ]
        found += [words for line in head for words in commands(line)]
    found += what_quickstart_recommends()
    return [list(words) for words in dict.fromkeys(tuple(words) for words in found if our_arguments(words))]


def test_readme_is_short() -> None:
    for document in ("README.md", "README_CN.md"):
        assert len((ROOT / document).read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_code_is_not_cut_off_on_the_site() -> None:
    pages = [page for page in [*PAGES, *PAGES.values()] if page.startswith("docs/")]
    lines = {
        (page, line) for page in pages for kind, text in blocks(page) if kind != "text" for line in text.splitlines()
    }
    assert len(lines) > 100
    # Plain text, such as a console's output, wraps there (docs/style.css).
    assert [line for line in sorted(lines) if len(line[1]) > SITE_COLUMNS] == []


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_blocks(page: str) -> None:
    assert (ROOT / PAGES[page]).exists()
    assert blocks(page) == blocks(PAGES[page])


def test_pages_have_blocks() -> None:
    assert len(blocks("README.md")) >= 6
    assert len([page for page in PAGES if blocks(page)]) >= 14


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
    if program in ("scripts/run_distribute.sh", "scimind.launch"):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "configs").symlink_to(ROOT / "configs")
        table = make_rank_table([(f"10.0.0.{n}", {d: f"10.1.{n}.{d}" for d in range(4)}) for n in (1, 2)])
        table.write("rank_table.json")
        assert read_job(arguments).workers > 1
        return
    args = run_scimind.parse(arguments) if program == "run_scimind.py" else cli.parse(arguments)
    if getattr(args, "config", None):
        load_config(configuration_of(args.config), overrides_of(args))


def test_commands_are_found_at_all() -> None:
    """All pages and YAML headers name commands; a change of format must not hide them from the test above."""
    assert len(documented()) >= 40 + len(YAMLS)
    assert {words[1] for words in what_quickstart_recommends()} == {"predict", "prepare", "finetune"}


def scored_otherwise(all_words: list[list[str]]) -> list[str]:
    """Returns the files that a list of commands predicts for one task but scores for another."""
    tasks: dict[str, str] = {}
    wrong = []
    for words in all_words:
        program, arguments = our_arguments(words) or ("", [])
        if program == "run_scimind.py" and "predict" in arguments:
            args = run_scimind.parse(arguments)
        elif program == "scimind" and arguments[0] in ("predict", "evaluate", "report"):
            args = cli.parse(arguments)
        else:
            continue
        if hasattr(args, "save_file"):
            # The sample's folders have the names of their tasks.
            task = args.task or load_config(configuration_of(args.config)).get("task")
            task = task or Path(args.predict_data).parent.name
            tasks[str(args.save_file)] = str(task)
        elif args.task and str(args.task) != tasks.get(str(args.predictions), str(args.task)):
            wrong.append(str(args.predictions))
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_predictions_are_scored_for_the_task_that_they_answer(page: str) -> None:
    assert scored_otherwise(commands_of(page)) == []


def test_a_wrong_task_is_noticed() -> None:
    wrong = (
        "scimind predict --config configs/scimind_nano_predict.yaml --input LPM-24-data/smiles2text/test_prompts.txt "
        "--output output/x.jsonl\nscimind evaluate --task text2smiles --predictions output/x.jsonl\n"
    )
    assert scored_otherwise(commands(wrong)) == ["output/x.jsonl"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_exists(document: str) -> None:
    path = ROOT / document
    named = set(_PATH.findall(path.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists() and not (path.parent / name).exists()] == []


def test_paths_are_found_at_all() -> None:
    named = set(_PATH.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"configs/scimind_nano_finetune.yaml", "scripts/test.sh", "LPM-24-data", "CHANGELOG.md"} <= named


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_inside_the_repository_resolve(document: str) -> None:
    text = _BLOCK.sub("", (ROOT / document).read_text(encoding="utf-8"))
    links = {first or second for first, second in _LINK.findall(text)}
    inside = {link for link in links if not re.match(r"[a-z]+:", link) and not link.endswith(".html")}
    assert [link for link in sorted(inside) if not (ROOT / document).parent.joinpath(link).exists()] == []
    if document in ("README.md", "README_CN.md"):
        assert {"docs/images/architecture.svg", "docs/images/report.png", "LICENSE"} <= inside


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_valid_and_names_what_exists(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    named = re.findall(r"\b(?:configs|scripts)/[\w.-]*\w", script.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_settings_shown_are_valid(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    texts = [text for page in PAGES for kind, text in blocks(page) if kind == "yaml"]
    kinds = []
    for text in texts:
        section, path = yaml.safe_load(text), tmp_path / "shown.yaml"
        path.write_text(text, encoding="utf-8")
        if "fields" in section:
            kinds.append("task")
            assert load_task(path).name == section["name"]
        elif "tasks" in section:
            kinds.append("mixture")
            assert [source.name for source in read_mixture(path).sources] == list(section["tasks"])
        elif "base" in section:
            kinds.append("run")
            assert load_config(path)["output_dir"] == section["output_dir"]
        else:
            kinds.append("model")
            overrides = [f"model.model_config.{name}={json.dumps(value)}" for name, value in section.items()]
            if section["router"] != "modality":
                overrides.append("model.model_config.expert_sets={}")
            load_config(ROOT / "configs" / "scimind_nano_finetune.yaml", overrides)
    assert set(kinds) == {"task", "mixture", "run", "model"}
    assert len(kinds) >= 7


def test_conversations_shown_are_json() -> None:
    shown = [json.loads(text) for page in PAGES for kind, text in blocks(page) if kind == "json"]
    assert shown[0][0]["conversation"][1]["from"] == "gpt"


def test_python_example_runs(tmp_path: Path) -> None:
    """The last line of output of the network's example is the prompt with a few random words."""
    examples = [(page, text) for page in PAGES for kind, text in blocks(page) if kind == "python"]
    assert "docs/python.md" in dict(examples)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOG_MF_PATH": str(tmp_path)}
    for page, example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert ("Please describe the molecule" in done.stdout.splitlines()[-1]) == (page == "docs/python.md")
