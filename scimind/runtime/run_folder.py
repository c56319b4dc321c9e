"""The output folder of a run, and the files that every run writes there."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scimind._version import __version__
from scimind.atomic import replace_text
from scimind.errors import SciMindError

_OF_A_TRAINING = ("checkpoint", "loss.csv", "loss.png", "resolved_config.yaml", "versions.json", "result.json")
_PACKAGES = ("mindspore", "mindformers", "numpy", "sentencepiece", "rdkit")


@dataclass(frozen=True)
class RunFolder:
    """The output folder of a run and the names of its files.

    Args:
        root: The output folder.
        command: The subcommand; it names the log.
        rank: The worker's number.
        is_reporter: Whether this is the one worker that prints to the console and writes more than its own log.
    """

    root: Path
    command: str
    rank: int = 0
    is_reporter: bool = True

    @property
    def log_file(self) -> Path:
        """The worker's log."""
        suffix = "" if self.is_reporter else "_scheduler" if self.rank < 0 else f"_rank_{self.rank}"
        return self.root / "log" / f"{self.command}{suffix}.log"

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoints."""
        return self.root / "checkpoint"

    @property
    def loss_table(self) -> Path:
        """The table of the loss of each step."""
        return self.root / "loss.csv"

    @property
    def loss_plot(self) -> Path:
        """The plot of the loss curve."""
        return self.root / "loss.png"

    @classmethod
    def create(
        cls, root: str | Path, command: str, *, rank: int = 0, is_reporter: bool = True, needed_bytes: int = 0
    ) -> RunFolder:
        """Creates the folder and checks that it can be written.

        Args:
            root: The output folder.
            command: The subcommand.
            rank: The worker's number.
            is_reporter: Whether this worker prints to the console.
            needed_bytes: Minimum number of bytes that the run will write.

        Returns:
            The folder.

        Raises:
            SciMindError: The folder cannot be written or has too little space.
        """
        folder = cls(Path(root).expanduser().resolve(), command, rank, is_reporter)
        probe = folder.root / f".write-test-{os.getpid()}"
        try:
            (folder.root / "log").mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
        except OSError as error:
            raise SciMindError(
                f"output_dir ({root}) cannot be written ({error.strerror}); choose another with --output_dir"
            ) from error
        free = shutil.disk_usage(folder.root).free
        if free < needed_bytes:
            raise SciMindError(
                f"output_dir ({root}) has {free / 2**20:,.0f} MiB free, but the run writes "
                f"{needed_bytes / 2**20:,.0f} MiB; make room or choose another with --output_dir"
            )
        return folder

    def set_earlier_run_aside(self) -> Path | None:
        """Moves what an earlier training left in the folder to `earlier/1`, `earlier/2`, …

        Returns:
            The new location, or None if there was nothing to move.
        """
        found = [self.root / name for name in _OF_A_TRAINING if (self.root / name).exists()]
        # MindFormers creates an empty checkpoint folder whenever it starts.
        found = [path for path in found if not path.is_dir() or any(path.iterdir())]
        if not found:
            return None
        target = self._next_earlier()
        target.mkdir(parents=True)
        for path in found:
            path.rename(target / path.name)
        return target

    def set_later_steps_aside(self, checkpoints: list[Path]) -> Path | None:
        """Moves checkpoints later than the one to resume from to `earlier/1`, …, with a copy of the losses.

        Args:
            checkpoints: Folders in `checkpoint`.

        Returns:
            Their new location, or None if there was nothing to move.
        """
        if not checkpoints:
            return None
        target = self._next_earlier()
        (target / "checkpoint").mkdir(parents=True)
        if self.loss_table.is_file():
            shutil.copyfile(self.loss_table, target / self.loss_table.name)
        for path in checkpoints:
            path.rename(target / "checkpoint" / path.name)
        return target

    def _next_earlier(self) -> Path:
        number = 1
        while (self.root / "earlier" / str(number)).exists():
            number += 1
        return self.root / "earlier" / str(number)

    def remove_empty_folders(self) -> None:
        """Removes the folders that MindFormers creates in every output folder, if they are still empty."""
        for name in ("strategy", "checkpoint"):
            path = self.root / name
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def write_description(self, config: Mapping[str, Any]) -> None:
        """Writes `resolved_config.yaml` and `versions.json`.

        Args:
            config: The configuration as the run uses it.
        """
        text = yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)
        replace_text(self.root / "resolved_config.yaml", text)
        replace_text(self.root / "versions.json", json.dumps(versions() | {"command": sys.argv}, indent=2) + "\n")


def plain(value: Any) -> Any:
    """Returns a copy of a configuration as dicts, lists and plain values; anything else is converted to text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def versions() -> dict[str, str]:
    """Returns the versions of Python, the platform and the packages that results depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "scimind": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def worker() -> tuple[int, int]:
    """Returns this worker's number and the number of workers; (0, 1) for a process that runs alone.

    msrun starts the same program once more as the scheduler, which waits at the point where the workers meet and never
    proceeds; its number is -1.
    """
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        return -1, int(os.environ.get("MS_WORKER_NUM") or "1")
    size = os.environ.get("RANK_SIZE") or os.environ.get("MS_WORKER_NUM") or "1"
    return int(os.environ.get("RANK_ID") or "0"), int(size)
