"""The pages for contributors are true: commands, paths, markers and forms exist, and machine-readable files parse."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimind import __version__
from tests.support import tiers

ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:bash|make|python|pip|scimind|coverage) [^`\n]+|\.ci/run)`")
_PATH = re.compile(r"`((?:\.ci|\.github|configs|docs|scripts|tests|scimind|LPM-24-data)(?:/[\w.-]*\w)*|[A-Z]\w+\.md)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
_WELL_KNOWN = (["source", ".venv/bin/activate"], ["pre-commit", "install"], ["coverage", "html"])


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, kind: str) -> list[str]:
    return [text for language, text in _BLOCK.findall(text_of(name)) if language == kind]


def commands(name: str) -> list[list[str]]:
    """Returns the commands in the shell blocks, sentences and tables of a page, as words."""
    in_blocks = [line for text in blocks(name, "bash") for line in text.replace("\\\n", " ").splitlines()]
    inline = _INLINE.findall(_BLOCK.sub("", text_of(name)))
    return [words for line in (*in_blocks, *inline) if (words := shlex.split(line, comments=True))]


def our_parser_accepts(arguments: list[str]) -> bool:
    from scimind import cli

    return "--help" in arguments or bool(cli.parse(arguments))


def bench_accepts(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "bench"))
    return bool(importlib.import_module("run").build_parser().parse_args(arguments))


def pytest_accepts(arguments: list[str], config: pytest.Config) -> bool:
    marked = arguments[arguments.index("-m") + 1] if "-m" in arguments else ""
    names = set(re.findall(r"\w+", marked)) - {"and", "or", "not"}
    paths = [word for word in arguments if word.startswith("tests/")]
    flags = {word for word in arguments if word.startswith("--")}
    assert all((ROOT / path).exists() for path in paths)
    config.getoption("fast")  # raises an error if the option is not defined
    return names <= registered_markers(config) and flags <= {"--fast"}


def registered_markers(config: pytest.Config) -> set[str]:
    return {line.partition(":")[0] for line in config.getini("markers")}


def makefile_targets() -> set[str]:
    return set(re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "words"), [(page, words) for page in PAGES for words in commands(page)], ids=lambda value: "".join(value)
)
def test_command_works(
    page: str, words: list[str], monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    match words:
        case ["scimind", *arguments]:
            assert our_parser_accepts(arguments)
        case ["bash", "scripts/test.sh", *arguments]:
            assert set(arguments) <= {"--fast", "--checks"}
            assert all(re.search(rf"^ +{word}\)", text_of("scripts/test.sh"), re.MULTILINE) for word in arguments)
        case ["bash", "scripts/fuzz.sh", minutes]:
            assert float(minutes) > 0 and (ROOT / "scripts/fuzz.sh").stat().st_mode & 0o100
        case ["python", "scripts/bench/run.py", *arguments]:
            assert bench_accepts(arguments, monkeypatch)
        case ["python", "-m", "pytest", *arguments]:
            assert pytest_accepts(arguments, pytestconfig)
        case ["make", target, *variables]:
            assert target in makefile_targets()
            assert all(variable.startswith("ARGS=") for variable in variables)
        case ["pip", "install", "--editable", what]:
            extra = what.removeprefix(".[").removesuffix("]")
            assert re.search(rf"^{extra} = \[", text_of("pyproject.toml"), re.MULTILINE)
        case [".ci/run"]:
            assert (ROOT / ".ci/run").stat().st_mode & 0o100
        case _:
            assert words in _WELL_KNOWN


def test_commands_are_found_at_all() -> None:
    kinds = {words[0] for words in commands("CONTRIBUTING.md")}
    assert kinds >= {"scimind", "bash", "python", "make", "pip", ".ci/run"}


def test_a_command_that_does_not_exist_is_noticed(pytestconfig: pytest.Config) -> None:
    with pytest.raises(SystemExit):
        our_parser_accepts(["prepare", "--no-such-flag"])
    assert not pytest_accepts(["-m", "no_such_marker"], pytestconfig)
    assert "no_such_target" not in makefile_targets()


@pytest.mark.parametrize("page", PAGES)
def test_every_path_and_link_exists(page: str) -> None:
    named = {*_PATH.findall(text_of(page)), *_LINK.findall(text_of(page))}
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_example_task_is_valid(tmp_path: Path) -> None:
    from scimind.data import find_task

    [shown] = blocks("CONTRIBUTING.md", "yaml")
    path = tmp_path / "solubility.yaml"
    path.write_text(shown, encoding="utf-8")
    assert find_task(path).name == yaml.safe_load(shown)["name"] == "solubility"


def test_the_markers_shown_are_those_that_tests_get(pytestconfig: pytest.Config) -> None:
    table = text_of("CONTRIBUTING.md").partition("| marker |")[2].partition("\n\n")[0]
    shown = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert shown == {*tiers.KINDS, "browser", "slow"}
    assert shown <= registered_markers(pytestconfig)


def test_markers_follow_from_the_folder() -> None:
    assert set(tiers.markers_of(Path(__file__))) >= {"docs"}
    assert set(tiers.markers_of(tiers.TESTS / "integration" / "test_any.py")) == {"integration", "slow"}
    assert set(tiers.markers_of(tiers.TESTS / tiers.BROWSER[0])) >= {"unit", "browser"}
    assert tiers.markers_of(tiers.TESTS / "unit" / "data" / "test_any.py") == ("unit",)
    assert tiers.markers_of(ROOT / "scripts" / "test.sh") == ()


def test_tiers_name_what_exists() -> None:
    folders = {path.name for path in tiers.TESTS.iterdir() if list(path.glob("**/test_*.py"))}
    assert folders == set(tiers.KINDS)
    assert [place for place in (*tiers.SLOW, *tiers.BROWSER) if not (tiers.TESTS / place).exists()] == []


def test_make_shows_its_targets_and_runs_our_scripts() -> None:
    makefile = text_of("Makefile")
    assert set(re.findall(r"make (\w+)", makefile.partition("help:")[2].partition("\n\n")[0])) == {
        target for target in makefile_targets() if target != "help"
    }
    named = re.findall(r"\bscripts/[\w./]*\w", makefile)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_pre_commit_runs_the_checks_of_the_test_script_with_local_tools() -> None:
    repos = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    script = text_of("scripts/test.sh")
    for hook in repos[0]["hooks"]:
        assert hook["language"] == "system"
        assert f'run "{hook["name"]}" {hook["entry"].removesuffix(" --force-exclude")}' in script


def test_workflow_calls_the_same_script_as_any_ci() -> None:
    workflow = yaml.safe_load(text_of(".github/workflows/ci.yml"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert workflow["permissions"] == {"contents": "read"}
    # YAML reads a bare `on` as true, and GitHub as the name.
    assert "pull_request" in workflow[True]


@pytest.mark.parametrize("form", ["bug", "feature"])
def test_issue_form_has_what_github_asks_for(form: str) -> None:
    content: dict[str, Any] = yaml.safe_load(text_of(f".github/ISSUE_TEMPLATE/{form}.yml"))
    assert content["name"] and content["description"] and content["body"]
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len(set(ids))
    for field in content["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in content["body"])


def test_changelog_keeps_its_form() -> None:
    """As required by https://keepachangelog.com/en/1.1.0/: newest version first, with dates, in known groups."""
    titles = re.findall(r"^## (.*)$", text_of("CHANGELOG.md"), re.MULTILINE)
    versions = [title for title in titles if title != "Unreleased"]
    assert titles.index(versions[0]) <= 1
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", title) for title in versions)
    numbers = [tuple(map(int, title.split()[0].split("."))) for title in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    assert __version__ in [title.split()[0] for title in versions]
    groups = set(re.findall(r"^### (.*)$", text_of("CHANGELOG.md"), re.MULTILINE))
    assert groups <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_citation_has_what_its_format_asks_for() -> None:
    """Software and paper have the required keys of the Citation File Format 1.2.0."""
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0" and citation["message"]
    paper = citation["preferred-citation"]
    assert paper["type"] == "conference-paper" and paper["conference"]["name"] and paper["year"] == 2024
    for cited in (citation, paper):
        assert cited["title"] and all(author["name"] for author in cited["authors"])
    assert paper["title"] in text_of("README.md").replace("\n", " ")
