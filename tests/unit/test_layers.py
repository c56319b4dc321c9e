"""The package keeps the import contract in pyproject.toml, which a single wrong import of any kind breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the import linter on the package in a folder."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Returns the folder of a copy of the package with its contract."""
    shutil.copytree(ROOT / "scimind", tmp_path / "scimind", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_the_contract(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "arrow"),
    [
        ("errors.py", "import scimind.tokenizer", "scimind.errors is not allowed to import scimind.tokenizer"),
        ("model/config.py", "def f():\n    import scimind.generate.api", "scimind.model is not allowed to import"),
        (
            "data/tasks/task.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scimind.train import finetune",
            "scimind.data is not allowed to import scimind.train",
        ),
        ("data/formats/rows.py", "import scimind.data.prepare.fates", "No cycles are allowed in scimind.data"),
    ],
    ids=["plain", "lazy", "type-only", "circle-inside-a-package"],
)
def test_a_forbidden_import_is_found(copy: Path, file: str, line: str, arrow: str) -> None:
    target = copy / "scimind" / file
    target.write_text(target.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert arrow in done.stdout
