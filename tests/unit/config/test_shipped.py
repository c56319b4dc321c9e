"""Files that come with the package can be named from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.config.shipped import configuration_file, configuration_names, data_file
from scimind.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_configuration_of_the_checkout_has_a_name() -> None:
    files = (ROOT / "configs").glob("**/*.yaml")
    assert sorted(configuration_names()) == sorted(
        str(file.relative_to(ROOT / "configs").with_suffix("")) for file in files
    )


def test_a_name_means_the_same_as_its_path() -> None:
    for name in ("scimind_nano_finetune", "tasks/moa"):
        assert load_config(name) == load_config(ROOT / "configs" / f"{name}.yaml")


def test_a_file_of_the_users_comes_first_and_a_folder_does_not(tmp_path: Path) -> None:
    own = tmp_path / "scimind_nano_predict"
    own.mkdir()
    assert configuration_file(own.name).suffix == ".yaml"
    own.rmdir()
    own.write_text("{}")
    assert configuration_file(own.name) == Path(own.name)


def test_a_configuration_may_have_a_shipped_one_as_its_base(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("base: scimind_nano_finetune\nseed: 7\n")
    assert load_config("mine.yaml").to_dict() == {**load_config("scimind_nano_finetune"), "seed": 7}


@pytest.mark.parametrize("name", ["unknown", "tasks/unknown", "../configs"])
def test_an_unknown_name_gets_a_list_of_the_existing_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: no such file or shipped .*scimind_nano_predict, .*tasks/moa"):
        load_config(name)


def test_a_path_of_the_sample(tmp_path: Path) -> None:
    shipped = Path(data_file("sample:smiles2text/test_prompts.txt"))
    assert shipped.read_bytes() == (ROOT / "LPM-24-data" / "smiles2text" / "test_prompts.txt").read_bytes()
    assert data_file("smiles=a/b:c.txt") == "smiles=a/b:c.txt"
