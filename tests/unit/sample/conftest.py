"""Makes `scripts/` importable, as it is for `python scripts/make_sample.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
