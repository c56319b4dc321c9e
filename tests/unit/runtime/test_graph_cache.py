"""Cached graphs are found again only by the same work, and only if complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from scimind.runtime.graph_cache import KeptGraph, cache_folder, graph_key, kept_graph
from tests.support.models import use_mode

# Compiles cells with the given factors in order, and reports results and whether a cached graph was used.
PROGRAM = """
import sys
import mindspore as ms
import numpy as np
from mindspore import nn, ops
from scimind.runtime.graph_cache import KeptGraph


class Scale(KeptGraph, nn.Cell):
    def __init__(self, factor):
        super().__init__()
        self.factor, self.graph_key = factor, f"factor {factor}"

    def construct(self, x):
        return ops.tanh(x) * self.factor


ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
for item in sys.argv[1:]:
    factor, rows = item.split("x")
    cell = Scale(float(factor))
    out = [cell(ms.Tensor(np.full((int(rows), 3), 100.0, np.float32))).asnumpy() for _ in range(2)][1]
    print(out.shape[0], out.mean())
"""


def results(folder: Path, *items: str, source: str = PROGRAM) -> tuple[list[str], int]:
    """Returns what the program prints and how many graphs it took from the cache."""
    program = folder / "program.py"  # MindSpore reads the source from its file
    program.write_text(source)
    environment = {**os.environ, "SCIMIND_CACHE_DIR": str(folder), "GLOG_v": "2"}
    run = subprocess.run([sys.executable, program, *items], env=environment, capture_output=True, text=True, check=True)
    results.stderr = run.stderr  # type: ignore[attr-defined]
    return run.stdout.splitlines(), run.stderr.count("Use the compilation cache")


def test_a_graph_is_reused_only_by_the_same_work(tmp_path: Path) -> None:
    assert results(tmp_path, "2x4", "3x4") == (["4 2.0", "4 3.0"], 0)
    # Another order, another factor and another shape: all results are correct, whatever is found.
    assert results(tmp_path, "3x4", "2x4") == (["4 3.0", "4 2.0"], 2)
    assert results(tmp_path, "5x4", "2x7") == (["4 5.0", "7 2.0"], 0)
    assert results(tmp_path, "6x4", "2x4", "7x4", "2x7")[0] == ["4 6.0", "4 2.0", "4 7.0", "7 2.0"]


def test_a_damaged_graph_and_one_of_a_changed_program_are_compiled_again(tmp_path: Path) -> None:
    assert results(tmp_path, "2x4")[1] == 0
    [graph] = tmp_path.rglob("*.mindir")
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.chmod(0o600)
    graph.write_bytes(content)
    assert results(tmp_path, "2x4") == (["4 2.0"], 0)
    assert results(tmp_path, "2x4") == (["4 2.0"], 1)
    graph.chmod(0o620)  # as another user of the group could have written it
    assert results(tmp_path, "2x4") == (["4 2.0"], 0)
    assert "another user owns or can write" in results.stderr  # type: ignore[attr-defined]
    changed = PROGRAM.replace("ops.tanh(x) * self.factor", "ops.tanh(x) * self.factor + 1")
    assert results(tmp_path, "2x4", source=changed) == (["4 3.0"], 0)
    assert results(tmp_path, "2x4", source=changed) == (["4 3.0"], 1)


def test_nothing_is_cached_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCIMIND_CACHE_DIR", str(tmp_path / "file"))
    with kept_graph("key"):
        assert "MS_COMPILER_CACHE_ENABLE" not in os.environ


def test_a_failed_compilation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [__file__])  # a script that MindSpore can read
    monkeypatch.setenv("SCIMIND_CACHE_DIR", str(tmp_path))
    with pytest.raises(ZeroDivisionError), kept_graph("key"):
        assert os.environ["MS_COMPILER_CACHE_ENABLE"] == "1"
        raise ZeroDivisionError
    assert "MS_COMPILER_CACHE_ENABLE" not in os.environ
    assert not any(cache_folder().iterdir())


def test_the_key_depends_on_what_is_compiled() -> None:
    tree = {"model": {"batch_size": 2}, "context": {"mode": 0}, "output_dir": "here"}
    same = {**tree, "output_dir": "there", "context": {"mode": 0, "save_graphs_path": "there/log"}}
    assert graph_key(tree) == graph_key(same)
    assert graph_key(tree) != graph_key({**tree, "model": {"batch_size": 3}})


def test_nothing_is_cached_without_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MindSpore reads the script that was started, and fails with `python -c`, which has none."""
    monkeypatch.setenv("SCIMIND_CACHE_DIR", str(tmp_path))
    for script, is_kept in (("-c", False), (__file__, True)):
        monkeypatch.setattr(sys, "argv", [script])
        with kept_graph("key"):
            assert ("MS_COMPILER_CACHE_ENABLE" in os.environ) is is_kept


class Counted(nn.Cell):
    compiled = 0

    def compile(self, *inputs: Any, **settings: Any) -> None:
        self.compiled += 1
        super().compile(*inputs, **settings)


class Doubled(KeptGraph, Counted):
    def construct(self, x: Tensor) -> Tensor:
        return x * 2


class SteadyDoubled(Doubled):
    is_steady = True


@pytest.mark.parametrize(("kind", "compiled"), [(SteadyDoubled, 3), (Doubled, 7)])
def test_a_steady_graph_is_searched_only_when_shapes_or_types_change(kind: type[Doubled], compiled: int) -> None:
    use_mode("graph")
    cell = kind()
    inputs = [np.full(shape, 3, dtype) for shape, dtype in ((2, "f4"), ((2, 2), "f4"), ((2, 2), "i4"))]
    for x in (inputs[0], inputs[0], inputs[1], inputs[1], inputs[1], inputs[2], inputs[2]):
        found = cell(Tensor(x)).asnumpy()
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found, x * 2)
    assert cell.compiled == compiled
