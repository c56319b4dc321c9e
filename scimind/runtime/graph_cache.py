"""A cache of compiled graphs across processes, so that the same work starts immediately the second time.

MindSpore can keep the graphs that it compiles, but it finds them by their number in the process and checks only the
scripts: another configuration would load a wrong graph. Here each graph is stored under a hash of everything that
determines it (configuration, shapes of its inputs, versions and source) and, just before it would be compiled, put
where MindSpore looks: into a folder of this process. Entries are written atomically and have checksums. Once a process
has compiled a graph that was not in the cache, MindSpore also compiles all later ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scimind.atomic import new_folder
from scimind.hashing import file_checksum
from scimind.runtime.console import notify
from scimind.runtime.private_folder import private_folder
from scimind.runtime.trust import copy_own, is_own

_SEAL = "checksums.json"
_PREFIX, _SUFFIX = "compile_cache_", ".mindir"  # MindSpore's names, with the graph's number in between
_KEPT = 128
# Settings that graphs do not depend on.
_ELSEWHERE = (
    *("output_dir", "callbacks", "train_dataset", "train_dataset_task"),
    *("resume_training", "load_checkpoint", "data_skip_steps"),
)


def graph_key(tree: Mapping[str, Any]) -> str:
    """Returns a hash of a configuration and of the program that compiles it.

    Args:
        tree: The configuration passed to MindFormers, before MindFormers adds objects to it.

    Raises:
        TypeError: A value is an object whose text differs between processes.
    """
    settings = {key: value for key, value in tree.items() if key not in _ELSEWHERE}
    settings["context"] = {k: v for k, v in settings.get("context", {}).items() if k != "save_graphs_path"}
    return _hash(settings, _program())


def cache_folder() -> Path:
    """Returns the cache's folder: `$SCIMIND_CACHE_DIR/graphs`, or `scimind/graphs` in the user's cache folder."""
    own = os.environ.get("SCIMIND_CACHE_DIR")
    if own:
        return Path(own) / "graphs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scimind" / "graphs"


@contextmanager
def kept_graph(key: str | None, *parts: Any) -> Iterator[None]:
    """Lets MindSpore find in the cache, or else store there, the one graph that is compiled within the context.

    Does nothing without a writable cache folder; without a script (`python -c`), which MindSpore wants to read; if the
    user has set `MS_COMPILER_CACHE_ENABLE`; and in msrun's workers, whose graphs MindSpore stores under other names
    and only partly.

    Args:
        key: What `graph_key` returns; None disables the cache.
        *parts: Whatever else determines the graph, such as the shapes of its inputs.
    """
    has_script = not sys.argv or not sys.argv[0] or Path(sys.argv[0]).is_file()
    if key is None or not has_script or not {"MS_COMPILER_CACHE_ENABLE", "MS_ROLE"}.isdisjoint(os.environ):
        yield
        return
    try:
        place = _Place.of_process()
        store = cache_folder() / _hash(key, *parts)
        _open_cache(store.parent)
        place.lay(store)
    except OSError:
        yield
        return
    os.environ.update(MS_COMPILER_CACHE_ENABLE="1", MS_COMPILER_CACHE_PATH=str(place.root))
    try:
        yield
    finally:
        del os.environ["MS_COMPILER_CACHE_ENABLE"], os.environ["MS_COMPILER_CACHE_PATH"]
    with suppress(OSError):  # the disk is full, or another process was faster; the graph is compiled anyway
        place.take(store)
        _drop_oldest(store.parent)


def _open_cache(folder: Path) -> None:
    """Creates the cache's folder, or checks that nobody else can put graphs into it.

    Raises:
        OSError: The folder is not usable; the reason is shown once.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder):
        _warn_once(folder)
        raise PermissionError(folder)


@cache
def _warn_once(folder: Path) -> None:
    notify(
        f"compiled graphs are not taken from {folder}, which another user owns or can write; remove it, or set "
        "SCIMIND_CACHE_DIR to a folder of your own"
    )


class _Place:
    """The folder where MindSpore looks for graphs and writes them; it cannot be changed within a process.

    Args:
        root: An empty folder.
    """

    _only: _Place | None = None

    def __init__(self, root: Path) -> None:
        self.root = root
        self.next_number = 0

    @classmethod
    def of_process(cls) -> _Place:
        """Returns the process's place, creating it on first use."""
        if cls._only is None:
            root = private_folder("graphs") / "compiled"
            root.mkdir()
            cls._only = cls(root)
        return cls._only

    def lay(self, store: Path) -> None:
        """Puts the stored graph, if there is one, under the number that MindSpore asks for next."""
        for file in self._files():
            if file.suffix == _SUFFIX:  # the scripts' hash stays: MindSpore writes it only once per process
                file.unlink()
        if not store.exists():
            return
        # Checked is the copy, which nobody else can change any more.
        copy = self.root.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        try:
            copy_own(store, copy)
            is_whole = json.loads((copy / _SEAL).read_text()) == _checksums(copy)
        except (OSError, ValueError, RecursionError) as error:
            is_whole = False
            if isinstance(error, PermissionError):
                _warn_once(store)
        if not is_whole:
            shutil.rmtree(store, ignore_errors=True)
            return
        for file in copy.rglob("*"):
            if file.is_file() and file.name != _SEAL:
                name = f"{_PREFIX}{self.next_number}{_SUFFIX}" if file.suffix == _SUFFIX else file.name
                target = self.root / file.relative_to(copy).with_name(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)

    def take(self, store: Path) -> None:
        """Stores the graph that is now here, or records that the stored one was used.

        MindSpore compiles again if a script that it read has changed, including the user's; that graph replaces the
        stored one.
        """
        graphs = [file for file in self._files() if file.suffix == _SUFFIX]
        self.next_number = max(int(file.stem.removeprefix(_PREFIX)) for file in graphs) + 1 if graphs else 0
        found = _checksums(self.root)
        if store.exists():
            if sorted(json.loads((store / _SEAL).read_text()).values()) == sorted(found.values()):
                os.utime(store / _SEAL)
                return
            shutil.rmtree(store)
        with new_folder(store, shared=True) as staging:
            shutil.copytree(self.root, staging, dirs_exist_ok=True)
            (staging / _SEAL).write_text(json.dumps(found))
            for path in (staging, *staging.rglob("*")):  # whatever the umask, or it would not be used
                path.chmod(0o700 if path.is_dir() else 0o600)

    def _files(self) -> list[Path]:
        return [file for file in self.root.rglob("*") if file.is_file()]


class KeptGraph:
    """Mixin placed before a Cell class; caches the graphs that the cell compiles.

    Attributes:
        graph_key: What the graphs depend on apart from their inputs; without it they are not cached.
        is_steady: Whether the graph depends only on shapes and types of the inputs, all of which are tensors.
            MindSpore searches all cells in each call to find the graph; that of a steady cell is reused directly.
    """

    graph_key: str | None = None
    is_steady = False

    def compile(self, *inputs: Any, **settings: Any) -> None:
        """Compiles for `inputs`, or loads the graph cached by an earlier process; see `mindspore.nn.Cell.compile`."""
        shapes = str([(getattr(item, "shape", item), str(getattr(item, "dtype", ""))) for item in inputs])
        if self.is_steady and self.__dict__.get("_scimind_latest") == shapes:
            return
        self.__dict__["_scimind_latest"] = None
        compiled = self.__dict__.setdefault("_scimind_compiled", set())
        with kept_graph(None if shapes in compiled else self.graph_key, type(self).__qualname__, shapes):
            super().compile(*inputs, **settings)  # type: ignore[misc]
        compiled.add(shapes)
        self.__dict__["_scimind_latest"] = shapes


@cache
def _program() -> str:
    """Returns a hash of the package's source and of the versions of what compiles it."""
    root = Path(__file__).parents[1]
    sources = [file_checksum(file) for file in sorted(root.rglob("*.py"))]
    return _hash(sources, version("mindspore"), version("mindformers"), platform.python_version(), platform.machine())


def _hash(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=_path)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _path(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} cannot be part of a graph's key")


def _checksums(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != _SEAL]
    return {str(file.relative_to(folder)): file_checksum(file) for file in files}


def _drop_oldest(root: Path) -> None:
    """Deletes the least recently used folders."""
    seals = sorted(root.glob(f"*/{_SEAL}"), key=lambda seal: seal.stat().st_mtime, reverse=True)
    for seal in seals[_KEPT:]:
        shutil.rmtree(seal.parent, ignore_errors=True)
