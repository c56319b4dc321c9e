"""Helpers shared by the tests of configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.errors import ConfigError

ROOT = Path(__file__).parents[3]
NANO = ROOT / "configs" / "scimind_nano_finetune.yaml"
MODEL = "--model.model_config."


def faults_of(*overrides: str, path: Path = NANO) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path
