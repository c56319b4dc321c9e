"""Compiled graphs kept from process to process, so that the same work starts at once the second time.

MindSpore can keep the graphs that it compiles, but it finds them by their number in the process and looks at nothing
but the scripts: another configuration would load a wrong graph. Here each graph has a folder of its own, named by a
hash of all that decides it: configuration, shapes of its inputs, versions and source. A folder appears whole or not at
all and has checksums; a damaged one is deleted and the graph compiled again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scimind.run_folder import plain, replace_text, worker

_SEAL = "checksums.json"
_KEPT = 32
# What a graph does not depend on.
_ELSEWHERE = ("output_dir", "callbacks", "train_dataset", "train_dataset_task", "resume_training", "load_checkpoint")


def graph_key(tree: Mapping[str, Any]) -> str:
    """Returns a hash of a configuration and of the program that compiles it.

    Args:
        tree: What MindFormers gets, `mindformers_tree`.
    """
    settings = {key: value for key, value in plain(tree).items() if key not in _ELSEWHERE}
    settings["context"] = {k: v for k, v in settings.get("context", {}).items() if k != "save_graphs_path"}
    return _hash(settings, _program())


def cache_folder() -> Path:
    """Returns where graphs are kept: `$SCIMIND_CACHE_DIR/graphs`, or `scimind/graphs` in the user's cache folder."""
    own = os.environ.get("SCIMIND_CACHE_DIR")
    if own:
        return Path(own) / "graphs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scimind" / "graphs"


@contextmanager
def kept_graph(key: str | None, *parts: Any) -> Iterator[None]:
    """Lets MindSpore keep, or find, the one graph that is compiled while the context lasts.

    Without a writable cache folder, and where the user has set `MS_COMPILER_CACHE_ENABLE`, nothing happens.

    Args:
        key: What `graph_key` gives; None keeps nothing.
        *parts: What else decides the graph, such as the shapes of its inputs.
    """
    if key is None or "MS_COMPILER_CACHE_ENABLE" in os.environ:
        yield
        return
    folder = cache_folder() / _hash(key, *parts, worker())
    staging = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        if folder.exists() and not _is_sealed(folder):
            shutil.rmtree(folder)
        used = folder if folder.exists() else staging
        used.mkdir(parents=True, exist_ok=True)
    except OSError:
        yield
        return
    os.environ.update(MS_COMPILER_CACHE_ENABLE="1", MS_COMPILER_CACHE_PATH=str(used))
    try:
        yield
    except BaseException:
        shutil.rmtree(used, ignore_errors=True)
        raise
    finally:
        del os.environ["MS_COMPILER_CACHE_ENABLE"], os.environ["MS_COMPILER_CACHE_PATH"]
    with suppress(OSError):  # no room, or another process was faster: the graph is compiled, which is what counts
        _seal(used)
        if used == staging:
            staging.rename(folder)
        _drop_oldest(folder.parent)
    shutil.rmtree(staging, ignore_errors=True)


class KeptGraph:
    """Mixed into a Cell before its class: keeps the graphs that the cell compiles.

    Its `graph_key` says what they depend on beside their inputs; without one they are not kept.
    """

    graph_key: str | None = None

    def compile(self, *inputs: Any, **settings: Any) -> None:
        """Compiles for `inputs`, or takes the graph that an earlier process kept; see `mindspore.nn.Cell.compile`."""
        shapes = str([(getattr(item, "shape", item), str(getattr(item, "dtype", ""))) for item in inputs])
        compiled = self.__dict__.setdefault("_scimind_compiled", set())
        with kept_graph(None if shapes in compiled else self.graph_key, type(self).__qualname__, shapes):
            super().compile(*inputs, **settings)  # type: ignore[misc]
        compiled.add(shapes)


@cache
def _program() -> str:
    """Returns a hash of the package's source and of the versions that compile it."""
    root = Path(__file__).parent
    sources = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(root.rglob("*.py"))]
    return _hash(sources, version("mindspore"), version("mindformers"), platform.python_version(), platform.machine())


def _hash(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _checksums(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != _SEAL]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _seal(folder: Path) -> None:
    """Notes the checksums of a folder's files, and that it was used now."""
    replace_text(folder / _SEAL, json.dumps(_checksums(folder)))


def _is_sealed(folder: Path) -> bool:
    """Returns whether a folder's files are as they were written."""
    try:
        return bool(json.loads((folder / _SEAL).read_text()) == _checksums(folder))
    except (OSError, ValueError):
        return False


def _drop_oldest(root: Path) -> None:
    """Deletes the folders that were used longest ago."""
    seals = sorted(root.glob(f"*/{_SEAL}"), key=lambda seal: seal.stat().st_mtime, reverse=True)
    for seal in seals[_KEPT:]:
        shutil.rmtree(seal.parent, ignore_errors=True)
