"""Partitions on disk: written ones are read back, so is the original's form; faults are reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scimind.checkpoint.partition import (
    neuron_order,
    order_hash,
    read_description,
    read_partition,
    write_partition,
)
from scimind.errors import DataError, SciMindError


def some_layers(layers: int = 2, experts: int = 4, size: int = 3, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.permutation(np.repeat(np.arange(experts), size)) for _ in range(layers)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    layers = some_layers()
    folder = write_partition(tmp_path / "p", layers, 4, {"method": "random", "seed": 0}, {"report.json": "{}\n"})
    for read, labels in zip(read_partition(folder, 2, 12, 4), layers, strict=True):
        np.testing.assert_array_equal(read, labels)
    stated = read_description(folder)
    assert (stated["method"], stated["num_layers"], stated["neurons"], stated["num_experts"]) == ("random", 2, 12, 4)
    assert stated["neuron_order"] == order_hash(neuron_order(labels) for labels in layers)
    assert (folder / "report.json").read_text() == "{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_equal_partitions_are_equal_files(tmp_path: Path) -> None:
    one, two = (write_partition(tmp_path / name, some_layers(), 4, {"seed": 0}) for name in "ab")
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes()
    other = write_partition(tmp_path / "c", some_layers(seed=1), 4, {"seed": 0})
    assert (one / "patterns_0.npy").read_bytes() != (other / "patterns_0.npy").read_bytes()


def test_the_originals_rows_are_read(tmp_path: Path) -> None:
    layers = some_layers()
    for number, labels in enumerate(layers):
        rows = labels[None, :] == np.arange(4)[:, None]
        np.save(tmp_path / f"patterns_{number}.npy", rows if number else rows.astype(np.float32))
    for read, labels in zip(read_partition(tmp_path, 2, 12, 4), layers, strict=True):
        np.testing.assert_array_equal(read, labels)


def test_the_order_brings_experts_together() -> None:
    labels = np.array([2, 0, 1, 2, 1, 0])
    order = neuron_order(labels)
    np.testing.assert_array_equal(order, [1, 5, 2, 4, 0, 3])
    np.testing.assert_array_equal(labels[order], [0, 0, 1, 1, 2, 2])
    assert order_hash([order]) == order_hash([list(order)]) != order_hash([order, order])
    assert len(order_hash([order])) == 16


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0, 0, 0, 1, 2, 2, 3, 3]), "gives expert 0 3 neurons, but each must have 2"),
        (np.array([0, 0, 1, 1, 2, 2, 4, 4]), "names expert 4; experts are 0 … 3"),
        (np.zeros(8), r"holds float64 \[8\]"),
        (np.zeros(7, int), r"has 7 neurons, not divisible by num_experts \(4\)"),
        (np.repeat(np.arange(4), 3), "has 12 neurons, the model's layers have 8"),
        (np.zeros((5, 8), bool), "has 5 experts, the model has 4"),
        (np.zeros((4, 8), bool), "assigns neuron 0 to 0 experts"),
        (np.full((4, 8), 2), "has values other than 0 and 1"),
    ],
)
def test_a_file_that_does_not_fit_is_reported(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "patterns_0.npy", array)
    with pytest.raises(DataError, match=rf"patterns_0\.npy: {message}"):
        read_partition(tmp_path, 1, 8, 4)


def test_a_folder_that_does_not_fit_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent: has no patterns_0\.npy"):
        read_partition(tmp_path / "absent", 2, 12, 4)
    folder = write_partition(tmp_path / "p", some_layers(), 4, {})
    for layers, message in ((3, r"lacks patterns_2\.npy"), (1, "has 2 layers, the model has 1")):
        with pytest.raises(DataError, match=message):
            read_partition(folder, layers, 12, 4)
    with pytest.raises(DataError, match="num_experts is 4, the model's is 2"):
        read_partition(folder, 2, 12, 2)
    (folder / "patterns_1.npy").write_bytes(b"x")
    with pytest.raises(DataError, match=r"patterns_1\.npy: cannot be read"):
        read_partition(folder, 2, 12, 4)
    (folder / "partition.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(DataError, match="has format 2, this version reads 1"):
        read_partition(folder, 2, 12, 4)


def test_only_a_partition_is_replaced(tmp_path: Path) -> None:
    folder = write_partition(tmp_path / "p", some_layers(), 4, {"seed": 0}, {"old.txt": ""})
    write_partition(folder, some_layers(layers=1), 4, {"seed": 1})
    assert sorted(file.name for file in folder.iterdir()) == ["partition.json", "patterns_0.npy"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(SciMindError, match="exists and is not a partition"):
        write_partition(tmp_path / "mine", some_layers(), 4, {})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    with pytest.raises(DataError, match="layer 1: gives expert"):
        write_partition(tmp_path / "q", [*some_layers(1), np.zeros(12, int)], 4, {})
    assert not (tmp_path / "q").exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<i4', 'fortran_order': False, 'shape': 84,), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (" + "(" * 5000,
        "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
        "nothing",
    ],
)
def test_a_damaged_array_is_reported(tmp_path: Path, header: str) -> None:
    text = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
    (tmp_path / "patterns_0.npy").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a numpy array"):
        read_partition(tmp_path, 1, 4, 2)
