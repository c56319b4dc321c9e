"""Makes the sample of molecules and descriptions in `LPM-24-data/`.

    python scripts/make_sample.py --output LPM-24-data

The molecules are assembled from fragments written for this project and do not come from a data set; the descriptions
state what RDKit computes from the structure. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rdkit import rdBase
from sample.files import NUMBER_OF_MOLECULES, SEED, write


def main() -> None:
    """Writes the files and prints the number of molecules."""
    parser = argparse.ArgumentParser(description="Make the sample of molecules and descriptions.")
    root = Path(__file__).resolve().parent.parent
    parser.add_argument(
        "--output", type=Path, default=root / "LPM-24-data", help="folder to write to (default: LPM-24-data)"
    )
    parser.add_argument(
        "--number",
        type=int,
        default=NUMBER_OF_MOLECULES,
        help="number of molecules, for training and testing together (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the molecules (default: %(default)s)")
    args = parser.parse_args()
    counts = write(args.output, args.number, args.seed)
    print(
        f"{args.output}: {counts['train']} molecules to train on, {counts['test']} to test on "
        f"(RDKit {rdBase.rdkitVersion})"
    )


if __name__ == "__main__":
    main()
