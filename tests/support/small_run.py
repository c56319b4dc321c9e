"""A small model that is trained for a few steps, once for all tests that use a run's output folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from scimind.cli import main as scimind
from tests.support.once import FOLDER, made_once
from tests.support.shared import ROOT

SMALLER = ["--model.model_config.num_layers=1", "--model.model_config.hidden_size=32", "--generation.batch_size=4"]


def small_run() -> Path:
    """Returns a folder with prepared records in `data` and a model trained on them in `out`, made by commands."""
    return Path(made_once("small_run", _make))


def _make() -> str:
    folder = Path(os.environ[FOLDER]) / "small_run_files"
    folder.mkdir()
    records = json.loads((ROOT / "LPM-24-data/smiles2text/train.json").read_text())[:64]
    (folder / "records.json").write_text(json.dumps(records))
    prepare = ["prepare", "--task", "conversation", "--input", str(folder / "records.json"), "--seq_length", "160"]
    assert scimind([*prepare, "--output", str(folder / "data"), "--name", "train"]) == 0
    data = f"--train_dataset={folder}/data/train.mindrecord"
    config = str(ROOT / "configs/scimind_nano_finetune.yaml")
    command = [config, "--run_mode", "finetune", data, "--output_dir", str(folder / "out"), "--do_eval=False"]
    done = subprocess.run(
        [sys.executable, "run_scimind.py", "--config", *command, "--runner_config.max_steps=6", *SMALLER],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) < 20, "the console shows only what the user needs"
    return str(folder)
