"""Makes the modules of `scripts/docs` importable, as they are for MkDocs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "docs"))
