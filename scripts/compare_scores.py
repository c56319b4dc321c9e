"""Prints the scores of several models side by side.

    python scripts/compare_scores.py output/quickstart/untrained output/quickstart/finetuned

Each folder must have `evaluation.json`, written by `--run_mode eval`, and `molecules.json`, written by `scimind
evaluate`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROWS = (
    ("loss of the answers' tokens", "evaluation.json", "loss"),
    ("token accuracy of the answers", "evaluation.json", "token_accuracy"),
    ("generated SMILES that RDKit parses", "molecules.json", "metrics.validity.value"),
    ("generated SMILES that are the molecule", "molecules.json", "metrics.exact.value"),
)


def main(folders: list[str]) -> int:
    """Prints one column per folder."""
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    print(f"\n{'':<40}" + "".join(f"{Path(folder).name:>12}" for folder in folders))
    for label, file, key in ROWS:
        values = [_value(json.loads((Path(folder) / file).read_text(encoding="utf-8")), key) for folder in folders]
        print(f"{label:<40}" + "".join(f"{value:>12.3f}" for value in values))
    return 0


def _value(content: Any, key: str) -> float:
    """Returns a number in nested objects; each dot in the key leads one level deeper."""
    for part in key.split("."):
        content = content[part]
    return float(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
