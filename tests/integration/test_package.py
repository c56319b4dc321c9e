"""The wheel has everything that a run needs: it is unpacked elsewhere and used from an empty folder."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimind.config.shipped import configuration_names

ROOT = Path(__file__).parents[2]
CONTENT = ("pyproject.toml", "README.md", "LICENSE", "scimind", "configs", "LPM-24-data")
MAIN = "import sys; from scimind.cli import main; sys.exit(main(sys.argv[1:]))"
CHECK_ALL = (
    "import sys; from scimind.cli import main; sys.exit(max(main(['check', '--config', n]) for n in sys.argv[1:]))"
)


def has_setuptools() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= 77
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the wheel's content and nothing else."""
    if not has_setuptools():
        pytest.skip("setuptools 77 or later, which builds the wheel, is not in this environment")
    folder = tmp_path_factory.mktemp("package")
    (folder / "source").mkdir()
    for name in CONTENT:  # the build writes next to its sources
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        options = {"symlinks": True, "ignore": shutil.ignore_patterns("__pycache__")} if copy is shutil.copytree else {}
        copy(ROOT / name, folder / "source" / name, **options)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", "."]
    subprocess.run([*command, "./source"], cwd=folder, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    shutil.rmtree(folder / "source")
    yield folder / "site"


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def test_each_shipped_configuration_is_checked_by_its_name(installed: Path, tmp_path: Path) -> None:
    names = configuration_names()
    done = run(installed, tmp_path, "-c", CHECK_ALL, *names)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("# Resolved configuration of ") == len(names) > 20
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_prepared(installed: Path, tmp_path: Path) -> None:
    arguments = ("prepare", "--task", "conversation", "--input", "sample:smiles2text/test.json", "--output", "out")
    done = run(installed, tmp_path, "-c", MAIN, *arguments, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "test.mindrecord").is_file()


@pytest.mark.parametrize(
    "command",
    [
        ("-c", MAIN, "check"),
        ("-m", "scimind.cli.run_scimind", "--run_mode", "finetune"),
        ("-m", "scimind.launch", "--workers", "2"),
    ],
    ids=["scimind", "run_scimind", "launch"],
)
def test_an_unknown_name_is_answered_in_one_line(installed: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(installed, tmp_path, *command, "--config", "unknown")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "unknown: no such file or shipped configuration" in done.stderr


def test_the_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import scimind, importlib.metadata as m; print(scimind.__file__, scimind.__version__, m.version('scimind'))"
    file, version, stated = run(installed, tmp_path, "-c", code).stdout.split()
    assert Path(file).is_relative_to(installed) and version == stated
