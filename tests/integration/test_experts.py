"""`scimind experts` from records to partitions on a small real model, and the effect of a partition on its outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from scimind import TokenCodec
from scimind.checkpoint.partition import neuron_order, read_description, read_partition
from scimind.cli import main
from tests.support import models
from tests.support.shared import ROOT
from tests.support.tolerances import SAME_MATH

LAYERS, NEURONS, EXPERTS, LENGTH = 2, 64, 8, 160
ALL = {name: [f"0..{EXPERTS - 1}"] for name in ("text", "smiles", "nucleotide", "protein")}
METHODS = ("kmeans", "coactivation", "contiguous", "random")


class Workshop:
    """A folder with records, a model, and the arguments that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sample = ROOT / "LPM-24-data" / "smiles2text" / "test.json"
        records = ["--input", str(sample), "--output", str(folder), "--seq-length", str(LENGTH), "--name", "test"]
        assert main(["prepare", "--task", "conversation", *records]) == 0
        self.codec = TokenCodec()
        sizes = {"vocab_size": self.codec.padded_vocab_size(), "hidden_size": 32, "intermediate_size": NEURONS}
        sizes |= {"num_layers": LAYERS, "num_heads": 4, "seq_length": LENGTH, "num_experts": EXPERTS}
        self.settings: dict[str, Any] = {**sizes, "router": "modality", "expert_sets": ALL}
        self.model = models.build(**self.settings, modality_ranges=self.codec.modality_ranges)
        weights = [{"name": name, "data": ms.Tensor(value)} for name, value in models.weights_of(self.model).items()]
        ms.save_checkpoint(weights, str(folder / "model.ckpt"))
        self.common = ["--config", str(ROOT / "configs" / "scimind_nano_finetune.yaml")]
        self.common += ["--load_checkpoint", str(folder / "model.ckpt"), "--output_dir", str(folder / "run")]
        self.common += [f"--model.model_config.{name}={json.dumps(value)}" for name, value in self.settings.items()]
        self.data = ["--data", str(folder / "test.mindrecord"), "--max-tokens", "1500"]

    def run(self, verb: str, *arguments: str) -> int:
        return main(["experts", verb, *self.common, *arguments])

    def built(self, method: str, name: str = "", *more: str) -> Path:
        target = self.folder / (name or method)
        if not target.exists():
            assert self.run("build", "--method", method, "--output", str(target), *self.data, *more) == 0
        return target


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    models.use_mode("pynative")
    return Workshop(tmp_path_factory.mktemp("experts"))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_balanced_experts_and_a_report(workshop: Workshop, method: str) -> None:
    folder = workshop.built(method)
    for labels in read_partition(folder, LAYERS, NEURONS, EXPERTS):
        assert (np.bincount(labels) == NEURONS // EXPERTS).all()
    report = json.loads((folder / "report.json").read_text())
    assert report["sizes"]["smallest"] == report["sizes"]["largest"] == NEURONS // EXPERTS
    assert sum(report["kept"]["tokens"].values()) == 1500
    for name in ("text", "smiles"):
        kept = report["kept"]["partition"][name]["mean"]
        assert kept == sorted(kept) and kept[-1] == pytest.approx(1, abs=1e-5)
    if method == "kmeans":
        alike = report["similarity"]
        assert alike["within_experts"]["mean"] > alike["random"]["mean"] + 0.02


@pytest.mark.parametrize("method", ["kmeans", "coactivation"])
def test_the_same_seed_gives_the_same_files(workshop: Workshop, method: str) -> None:
    one, two = workshop.built(method), workshop.built(method, f"{method}_again")
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes(), file.name
    other = workshop.built(method, f"{method}_other", "--seed", "1")
    assert (one / "patterns_0.npy").read_bytes() != (other / "patterns_0.npy").read_bytes()


@pytest.mark.parametrize("dispatch", ["masked", "grouped"])
def test_outputs_do_not_change_when_all_experts_are_used(workshop: Workshop, dispatch: str) -> None:
    weights = models.weights_of(workshop.model)
    settings = {**workshop.settings, "modality_ranges": workshop.codec.modality_ranges, "dispatch": dispatch}
    ids = models.some_ids((2, 24), vocab_size=workshop.codec.vocab_size)
    before = models.logits(models.build(weights, **settings), ids)
    permuted, half_permuted = dict(weights), dict(weights)
    for layer, labels in enumerate(read_partition(workshop.built("kmeans"), LAYERS, NEURONS, EXPERTS)):
        order, prefix = neuron_order(labels), f"model.layers.{layer}.feed_forward."
        for part in ("w1", "w3", "w2"):
            name = f"{prefix}{part}.weight"
            permuted[name] = weights[name][:, order] if part == "w2" else weights[name][order]
            if part != "w2":
                half_permuted[name] = permuted[name]
    after = models.logits(models.build(permuted, **settings), ids)
    np.testing.assert_allclose(after, before, atol=SAME_MATH)
    wrong = models.logits(models.build(half_permuted, **settings), ids)  # the twin that must fail
    assert np.abs(wrong - before).max() > 100 * SAME_MATH


def test_activations_equal_those_of_the_model(workshop: Workshop) -> None:
    from scimind.cli import parse
    from scimind.cli.run_options import overrides_of
    from scimind.config import load_config
    from scimind.experts.activations import ActivationReader

    args = parse(["experts", "report", *workshop.common, "--partition", "x"])
    config = load_config(args.config, overrides_of(args))
    weights = models.weights_of(workshop.model)
    for routed in (False, True):
        reader = ActivationReader(config, [workshop.folder / "test.mindrecord"], max_tokens=200, routed=routed)
        batches = list(reader.read("x"))
        assert [(batch.layer, len(batch.u), batch.last) for batch in batches] == [(0, 200, False), (1, 200, True)]
        for batch in batches:
            w1, w3 = (weights[f"model.layers.{batch.layer}.feed_forward.{part}.weight"] for part in ("w1", "w3"))
            gate, up = batch.inputs @ w1.T, batch.inputs @ w3.T
            np.testing.assert_allclose(batch.u, gate / (1 + np.exp(-gate)) * up, atol=SAME_MATH)
    # The residual stream is the model's: its own first feed-forward gives the reader's next input.
    ids = next(reader._batches())
    caught: list[np.ndarray] = []
    layer = reader.network.model.layers[1]
    hook = layer.feed_forward.register_forward_pre_hook(lambda cell, inputs: caught.append(inputs[0].asnumpy()))
    reader.network(ms.Tensor(ids))
    hook.remove()
    kept = ids != 0
    np.testing.assert_allclose(caught[0][kept][:200], batches[1].inputs, atol=SAME_MATH)


def test_experts_are_assigned_in_runs(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    target, source = workshop.folder / "assigned", workshop.built("kmeans")
    wishes = ["--experts-per-modality", "text=5,smiles=4", "--partition", str(source)]
    assert workshop.run("assign", *wishes, "--output", str(target), *workshop.data) == 0
    assert '"text": ["0..4"], "smiles": ["4..7"]' in capfd.readouterr().out
    stated = read_description(target)
    assert stated["expert_sets"]["protein"] == ["4..7"]
    for old, new in zip(*(read_partition(f, LAYERS, NEURONS, EXPERTS) for f in (source, target)), strict=True):
        assert ((old[:, None] == old) == (new[:, None] == new)).all()  # the same experts with other numbers
    held = stated["report"]["held"]
    assert held["text"] >= 5 / 8 - 0.05 and held["smiles"] >= 4 / 8 - 0.05


def test_a_partition_is_measured_and_mistakes_reported(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    folder, target = workshop.built("kmeans"), workshop.folder / "measured.json"
    assert workshop.run("report", "--partition", str(folder), "--output", str(target), *workshop.data) == 0
    assert json.loads(target.read_text()) == json.loads((folder / "report.json").read_text())
    stranger = json.loads((folder / "partition.json").read_text()) | {"fingerprint": "0" * 16}
    copy = workshop.folder / "copy"
    copy.mkdir()
    for file in folder.glob("*.npy"):
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "partition.json").write_text(json.dumps(stranger))
    out = str(workshop.folder / "none")
    other = workshop.folder / "other"
    other.mkdir()
    (other / "notes.txt").write_text("keep me")
    for arguments, message in (
        (("report", "--partition", str(copy)), "was made from weights"),
        (("build", "--method", "coactivation", "--output", out), "needs --data"),
        (("build", "--method", "kmeans", "--num-experts", "7", "--output", out), "cannot be divided equally"),
        (("build", "--method", "kmeans", "--output", str(other)), "exists and is not a partition"),
        (("build", "--method", "kmeans", "--output", str(ROOT / "configs")), "contains the input"),
    ):
        capfd.readouterr()
        assert workshop.run(*arguments) == 2
        assert message in capfd.readouterr().err
    assert not Path(out).exists()
    assert (other / "notes.txt").read_text() == "keep me"
