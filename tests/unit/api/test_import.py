"""`import scimind` is light: no MindSpore, and nothing in the environment changes."""

from __future__ import annotations

import subprocess
import sys

import scimind
from tests.support.shared import ROOT

CHECK = """
import os, sys
before = dict(os.environ)
import scimind
{more}
loaded = [name for name in ("mindspore", "mindformers", "torch", "pandas", "rdkit") if name in sys.modules]
print(loaded, dict(os.environ) == before)
"""


def printed(more: str) -> str:
    done = subprocess.run([sys.executable, "-c", CHECK.format(more=more)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_no_framework_and_changes_no_variable() -> None:
    assert printed("") == "[] True"
    assert printed("import rdkit; os.environ['A'] = 'B'") == "['rdkit'] False", "the check must be able to fail"


def test_every_public_name_exists() -> None:
    assert "load" in scimind.__all__
    for name in ("load", "Model", "Prediction", "prepare", "finetune", "evaluate_predictions", "SciMindError"):
        assert getattr(scimind, name) is not None
