"""Importing the package has no side effects: no environment variables, no folder in the current directory."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scimind.runtime import mindformers_log

ROOT = Path(__file__).parents[3]
# Their own imports set LOG_MF_PATH first.
ROOMS = ("model", "train")


def run_in(folder: Path, code: str, *arguments: str) -> list[str]:
    """Runs a program as a user who has not set a log folder would; returns the lines that it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "LOG_MF_PATH"}
    environment["PYTHONPATH"] = str(ROOT)
    environment["TMPDIR"] = str(folder / "tmp")
    (folder / "tmp").mkdir()
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "code", ["import scimind", "import scimind; scimind.TokenCodec().encode('a<smiles>C</smiles>')"]
)
def test_neither_the_package_nor_its_tokenizer_touches_the_environment(tmp_path: Path, code: str) -> None:
    printed = run_in(tmp_path, f"import os; before = dict(os.environ); {code}; print(before == dict(os.environ))")
    assert printed[-1] == "True"
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


# Imports each module up to its first import of MindFormers, as if it were the first of the process; the last one whole.
IMPORTS = """
import importlib, os, sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == "mindformers":
            print("folder", os.environ.get("LOG_MF_PATH"))
            raise ImportError("stopped")

first, *others = sys.argv[1:]
sys.meta_path.insert(0, stop := Stop())
for module in others:
    try:
        importlib.import_module(module)
    except ImportError:
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "scimind"]:
        del sys.modules[name]
    os.environ.pop("LOG_MF_PATH", None)
sys.meta_path.remove(stop)
importlib.import_module(first)
assert "mindformers" in sys.modules
print("folder", os.environ["LOG_MF_PATH"])
"""


def test_nothing_appears_where_a_module_is_imported(tmp_path: Path) -> None:
    modules = ["scimind.model.causal_lm", "scimind.train.session", "scimind.tokenizer.tokenizer"]
    printed = run_in(tmp_path, IMPORTS, *modules)  # also what MindFormers logs
    folders = [Path(line.split()[1]) for line in printed if line.startswith("folder ")]
    assert len(folders) == 3 and {folder.parent for folder in folders} == {tmp_path / "tmp"}
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_mindformers_is_imported_only_after_its_log_folder_is_set() -> None:
    importers = set()
    for file in sorted((ROOT / "scimind").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "mindformers" for name in names):
                importers.add(str(file.relative_to(ROOT / "scimind")))
    others = {name for name in importers if name.split("/")[0] not in ROOMS}
    assert len(importers) > len(others) and others == {"tokenizer/tokenizer.py"}


def test_a_run_has_its_own_log_unless_the_user_chose_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOG_MF_PATH", raising=False)
    mindformers_log.use_temporary_folder()
    mindformers_log.use_folder(tmp_path / "run")
    assert os.environ["LOG_MF_PATH"] == str(tmp_path / "run")
    monkeypatch.setenv("LOG_MF_PATH", "chosen")
    mindformers_log.use_temporary_folder()
    mindformers_log.use_folder(tmp_path / "run")
    assert os.environ["LOG_MF_PATH"] == "chosen"
