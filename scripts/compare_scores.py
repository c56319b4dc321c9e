"""Prints the scores of several models side by side.

    python scripts/compare_scores.py output/quickstart/untrained output/quickstart/finetuned

Each folder must have `evaluation.json`, written by `--run_mode eval`, and may have `molecules.json`, written by
`scimind evaluate`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROWS = (
    ("loss of the answers' tokens", "evaluation.json", "loss"),
    ("token accuracy of the answers", "evaluation.json", "token_accuracy"),
    ("generated molecules that are valid", "molecules.json", "metrics.validity.value"),
    ("generated molecules that are right", "molecules.json", "metrics.exact.value"),
    ("their similarity to the right ones", "molecules.json", "metrics.morgan.value"),
)


def main(folders: list[str]) -> int:
    """Prints one column per folder."""
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    print(f"\n{'':<40}" + "".join(f"{Path(folder).name:>12}" for folder in folders))
    for label, file, key in ROWS:
        print(f"{label:<40}" + "".join(f"{_shown(Path(folder) / file, key):>12}" for folder in folders))
    return 0


def _shown(file: Path, key: str) -> str:
    """Returns a number in nested objects, each dot in the key leading one level deeper; a dash if it was not scored."""
    if not file.exists() and file.name == "molecules.json":
        return "-"
    content: Any = json.loads(file.read_text(encoding="utf-8"))
    for part in key.split("."):
        content = content[part]
    return f"{float(content):.3f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
