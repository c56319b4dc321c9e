"""Checkpoints: found, described, checked name by name, and written completely or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from scimind.checkpoint.description import check_description, routing_differences
from scimind.checkpoint.finding import Checkpoint, find_checkpoint, step_folders
from scimind.checkpoint.weights import WeightMismatchError, load_weights, save_checkpoint
from scimind.errors import CheckpointError, SciMindError


class Network(ms.nn.Cell):
    """Two weights and a cache."""

    def __init__(self, seed: int = 0, rows: int = 3) -> None:
        super().__init__()
        random = np.random.default_rng(seed)
        self.a = ms.Parameter(ms.Tensor(random.random((rows, 2)), ms.float32), name="a.weight")
        self.b = ms.Parameter(ms.Tensor(random.random(4), ms.float16), name="b.weight")
        self.c = ms.Parameter(ms.Tensor(random.random(2), ms.float32), name="layer.key_cache")

    def values(self) -> dict[str, np.ndarray]:
        return {parameter.name: parameter.asnumpy().copy() for parameter in self.get_parameters()}


def save(path: Path, values: dict[str, np.ndarray]) -> Path:
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in values.items()], str(path))
    return path


@pytest.mark.parametrize("kind", ["ckpt", "safetensors"])
def test_what_is_saved_is_loaded(tmp_path: Path, kind: str) -> None:
    network, other = Network(1), Network(2)
    folder = save_checkpoint(
        tmp_path, 7, network.get_parameters(), [ms.Parameter(ms.Tensor(1.0), name="global_step")], {"x": 1}, kind=kind
    )
    names = {f"model.{kind}", f"optimizer.{kind}", "scimind.json", "checksums.json"}
    assert {file.name for file in folder.iterdir()} == names
    checkpoint = find_checkpoint(tmp_path)
    assert checkpoint.description == {"x": 1}
    cache = other.values()["layer.key_cache"]
    load_weights(other, checkpoint)
    for name in ("a.weight", "b.weight"):
        np.testing.assert_array_equal(other.values()[name], network.values()[name])
    np.testing.assert_array_equal(other.values()["layer.key_cache"], cache)
    assert other.b.dtype == ms.float16


def test_every_fault_is_listed_and_nothing_is_loaded(tmp_path: Path) -> None:
    network = Network()
    before = network.values()
    path = save(tmp_path / "x.ckpt", {"a.weight": np.ones((5, 2), np.float32), "z.weight": np.ones(1, np.float32)})
    with pytest.raises(WeightMismatchError) as caught:
        load_weights(network, find_checkpoint(path))
    fault = caught.value
    assert (fault.missing, fault.unexpected) == (["b.weight"], ["z.weight"])
    assert fault.misshapen == [("a.weight", (5, 2), (3, 2))]
    for part in ("x.ckpt", "1 missing: b.weight", "1 unexpected: z.weight", "a.weight [5, 2] (model: [3, 2])"):
        assert part in str(fault)
    for name, value in network.values().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    values = {name: array for name, array in Network(3).values().items() if "cache" not in name}
    load_weights(Network(), find_checkpoint(save(tmp_path / "good.ckpt", values)))
    values["b.weight"][1] = value
    with pytest.raises(CheckpointError, match=r"bad.ckpt: b.weight holds NaN or infinity; use an earlier checkpoint"):
        load_weights(Network(), find_checkpoint(save(tmp_path / "bad.ckpt", values)))


def test_the_state_of_mindformers_training_is_ignored(tmp_path: Path) -> None:
    values = {name: value for name, value in Network(3).values().items() if "cache" not in name}
    state = {"adam_m.a.weight": np.zeros((3, 2), np.float32), "global_step": np.zeros(1), "scale_sense": np.ones(1)}
    load_weights(Network(), find_checkpoint(save(tmp_path / "x.ckpt", values | state)))
    with pytest.raises(WeightMismatchError, match="adam_q"):
        load_weights(
            Network(),
            find_checkpoint(save(tmp_path / "y.ckpt", values | {"adam_q.a.weight": state["adam_m.a.weight"]})),
        )


def test_names_of_hugging_face_are_recognised(tmp_path: Path) -> None:
    path = save(tmp_path / "x.ckpt", {"model.layers.0.self_attn.q_proj.weight": np.ones(1, np.float32)})
    with pytest.raises(WeightMismatchError, match="convert the checkpoint first"):
        load_weights(Network(), find_checkpoint(path))


def test_a_path_means_the_newest_checkpoint_in_it(tmp_path: Path) -> None:
    for step in (5, 200, 30):
        save_checkpoint(tmp_path / "run" / "checkpoint", step, Network().get_parameters(), [], {"step": step})
    (tmp_path / "run" / "checkpoint" / "step_000300").mkdir()  # an interrupted write
    folders = step_folders(tmp_path / "run" / "checkpoint")
    assert [folder.name for folder in folders] == ["step_000005", "step_000030", "step_000200"]
    for path in (tmp_path / "run", tmp_path / "run" / "checkpoint", folders[-1], folders[-1] / "model.ckpt"):
        assert find_checkpoint(path).description["step"] == 200


def test_paths_without_weights_are_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    two = tmp_path / "two"
    two.mkdir()
    (two / "a.ckpt").write_bytes(b"")
    (two / "b.ckpt").write_bytes(b"")
    for path, message in (
        (tmp_path / "absent", "does not exist"),
        (tmp_path / "notes.txt", "neither a .ckpt nor"),
        (tmp_path, "holds no weights"),
        (two, "2 files of weights"),
    ):
        with pytest.raises(CheckpointError, match=message):
            find_checkpoint(path)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_weights(Network(), find_checkpoint(two / "a.ckpt"))


def test_descriptions_are_compared() -> None:
    expected: dict[str, Any] = {
        "model": {"vocab_size": 64, "hidden_size": 8},
        "modality_ranges": {"smiles": [[1, 2]]},
        "routing": {"num_experts": 4, "dispatch": "masked"},
        "tokenizer_fingerprint": "abc",
    }

    def given(**changes: Any) -> Checkpoint:
        return Checkpoint(Path("model.ckpt"), json.loads(json.dumps({**expected, **changes})))

    check_description(given(), expected)
    check_description(Checkpoint(Path("model.ckpt"), {}), expected)
    assert routing_differences(given(routing={"num_experts": 4, "dispatch": "grouped"}), expected) == []
    changed = given(routing={"num_experts": 8}, model={"vocab_size": 65}, tokenizer_fingerprint="abd")
    assert routing_differences(changed, expected) == ["routing.num_experts is 8, the model's is 4"]
    with pytest.raises(CheckpointError, match=r"vocab_size is 65, the model's is 64; tokenizer_fingerprint is .abd."):
        check_description(changed, expected)


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, Network().get_parameters(), [], {})
    (tmp_path / "step_000002").write_text("in the way")
    with pytest.raises(SciMindError, match="step_000002: the checkpoint cannot be written .*; make room"):
        save_checkpoint(tmp_path, 2, Network().get_parameters(), [], {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_000001", "step_000002"]
