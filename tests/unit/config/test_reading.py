"""YAML files, their bases, and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.errors import ConfigError
from tests.unit.config.support import NANO, ROOT, faults_of, written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- 1\n", "where settings such as"),
        ("a: 1\nb: [\n", "run.yaml:3: not valid YAML"),
        ("seed: 1\nseed: 2\n", "run.yaml:2: not valid YAML: 'seed' is given twice"),
        ("a: &a [*a]\n", "run.yaml:1: not valid YAML: an alias inside what it stands for"),
        ("seed: 1\n", "model is missing"),
        ("1: 2\nmodel: {}\n", "1 is not a setting"),
    ],
)
def test_broken_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    found = faults_of(path=written(tmp_path, text))
    assert message in found
    assert "\n" not in found


def test_missing_file_folder_and_binary_file(tmp_path: Path) -> None:
    assert "no such file" in faults_of(path=tmp_path / "none.yaml")
    assert "cannot be read" in faults_of(path=tmp_path)
    binary = tmp_path / "weights.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in faults_of(path=binary)


def test_a_file_is_merged_over_its_base(tmp_path: Path) -> None:
    base = ROOT / "configs" / "scimind_nano_finetune.yaml"
    text = f"base: {base}\nseed: 9\ntrain_dataset: {{data_loader: {{dataset_dir: a}}}}\ncallbacks: []\n"
    (tmp_path / "middle.yaml").write_text(text)
    path = written(tmp_path, "base: middle.yaml\nmodel: {model_config: {num_layers: 2}}\n")
    ours, theirs = load_config(path, ["--seed=11"]).to_dict(), load_config(base).to_dict()
    assert ours["train_dataset_task"]["dataset_config"]["data_loader"]["dataset_dir"] == "a"
    assert (ours["model"]["model_config"]["num_layers"], ours["seed"], ours["callbacks"]) == (2, 11, [])
    for key, value in (("seed", 0), ("callbacks", theirs["callbacks"])):
        ours[key] = value
    ours["model"]["model_config"]["num_layers"] = theirs["model"]["model_config"]["num_layers"]
    for section in ("train_dataset", "train_dataset_task"):
        ours[section] = theirs[section]
    assert ours == theirs  # nothing else has changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: none.yaml\n", "none.yaml: no such file"),
        ("base: run.yaml\n", r"base \(run.yaml\) leads back to a file"),
        ("base: [1]\n", "must be the path of a YAML file"),
        (
            f"base: {NANO}\nruner_config: {{}}\n",
            "runer_config is not a setting; the nearest valid one is runner_config",
        ),
    ],
)
def test_a_faulty_base_is_reported(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--callbacks.7.type=x"], "callbacks is a list of 2; give the number of an item"),
        (["--seed.first=1"], "seed (0) is a setting, not a section"),
        (["--seed=[1"], "not valid YAML"),
        (["--seed"], "'--seed' is not an override; write --section.name=value"),
    ],
)
def test_a_faulty_override_is_reported(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides)


def test_an_override_within_limits() -> None:
    assert "--seed: not valid YAML: nested deeper" in faults_of("--seed=" + "[" * 3000)
    assert "is not an override" in faults_of("--" + "a." * 100 + "b=1")
    assert "callbacks is a list of 2" in faults_of("--callbacks." + "1" * 5000 + ".type=x")


def test_a_chain_of_bases_has_an_end(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.yaml").write_text(f"base: {number + 1}.yaml\n")
    with pytest.raises(ConfigError, match="a chain of more than 10 files"):
        load_config(tmp_path / "0.yaml")
    (tmp_path / "9.yaml").write_text(f"base: {NANO}\n")
    assert load_config(tmp_path / "0.yaml").seed == 0


def test_a_device_is_not_read(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), written(tmp_path, "base: /dev/zero\n")):
        assert "/dev/zero: cannot be read: it is a device" in faults_of(path=path)


def test_here_is_the_folder_of_the_file_that_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "first.yaml").write_text(
        f"base: {NANO}\nload_checkpoint: here:weights/x.ckpt\noutput_dir: here:../out\nsave_file: there:x\n"
        "train_dataset: {data_loader: {type: MindDataset, dataset_files: [here:a, b]}}\n"
    )
    path = written(tmp_path, "base: below/first.yaml\ntask: here:task.yaml\n")
    monkeypatch.chdir(tmp_path / "below")
    for given in (path, Path("../run.yaml")):
        config = load_config(given)
        assert config["load_checkpoint"] == str(tmp_path / "below" / "weights" / "x.ckpt")
        assert config["output_dir"] == str(tmp_path / "out")
        assert config["task"] == str(tmp_path / "task.yaml")
        assert config.at("train_dataset.data_loader.dataset_files") == [str(tmp_path / "below" / "a"), "b"]
        assert config["save_file"] == "there:x"
    assert load_config(path, ["load_checkpoint=x.ckpt"])["load_checkpoint"] == "x.ckpt"
