"""Makes the modules of `scripts/bench` importable, as they are for `python scripts/bench/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "bench"))
