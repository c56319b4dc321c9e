"""Measures how many real molecules the molecule rule accepts: every prefix of every spelling that RDKit accepts.

    python scripts/check_molecule_rule.py molecules.smi --rows 20000 --spellings 3

Each line of the file is a molecule, or a row of a table whose column is chosen by `--column`. A spelling counts as
accepted if no prefix is refused, no prefix claims to need more characters than follow, and the whole is complete. The
rest is listed by what was refused, after which atom. `--partialsmiles` measures that package in the same way.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rdkit import Chem, rdBase

from scimind.data.content.molecules import random_smiles
from scimind.generate.validity.molecules import MoleculeRule

_LAST_ATOM = re.compile(r"(\[[^\]]*\]?|Cl|Br|[A-Za-z*])[^A-Za-z\[*]*$")


def own_refusal(smiles: str) -> int | None:
    """Returns the length of the first prefix that the rule refuses, None if it accepts all."""
    rule = MoleculeRule()
    state = rule.start()
    for number, character in enumerate(smiles, start=1):
        longer = rule.extend(state, character)
        if longer is None or number + longer.shortest_end() > len(smiles):
            return number
        state = longer
    return None if state.is_complete else len(smiles)


def partialsmiles_refusal(smiles: str) -> int | None:
    """Returns the length of the first prefix that partialsmiles refuses, None if it accepts all."""
    import partialsmiles

    for number in range(1, len(smiles) + 1):
        try:
            partialsmiles.ParseSmiles(smiles[:number], partial=number < len(smiles), rulesToIgnore=~0)
        except partialsmiles.Error:
            return number
    return None


def spellings(rows: Iterable[str], number: int) -> Iterator[str]:
    """Returns the rows that RDKit accepts, each followed by random spellings of it."""
    for row in rows:
        molecule = Chem.MolFromSmiles(row)
        if molecule is None or not molecule.GetNumAtoms():
            continue
        yield row
        for other in random_smiles(molecule, number, seed=1) if number else ():
            if Chem.MolFromSmiles(other) is not None:
                yield other


def measure(texts: Iterable[str], refusal: Callable[[str], int | None]) -> None:
    """Prints the share of accepted texts, the time for a character, and what was refused."""
    number, characters, seconds = 0, 0, 0.0
    refused: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        begin = time.process_time()
        place = refusal(text)
        seconds += time.process_time() - begin
        number += 1
        characters += len(text)
        if place is not None:
            atom = _LAST_ATOM.search(text[: place - 1])
            reason = f"{text[place - 1]!r} after {atom[1] if atom else 'nothing'}"
            refused[reason].append(f"{text[:place]} | {text[place:]}")
    count = sum(map(len, refused.values()))
    print(f"{number} spellings, {characters} characters, {1e6 * seconds / max(1, characters):.1f} µs for each")
    print(f"accepted: {number - count} ({1 - count / max(1, number):.5f})")
    for reason, lines in Counter({reason: len(lines) for reason, lines in refused.items()}).most_common():
        print(f"  {lines:5d}  {reason:24s} {refused[reason][0]}")


def main() -> None:
    """Reads the arguments and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="one molecule a line, or a table with tabs")
    parser.add_argument("--column", type=int, default=0, help="the column of the molecule, from 0")
    parser.add_argument("--rows", type=int, default=20000, help="number of rows, drawn at random")
    parser.add_argument("--spellings", type=int, default=3, help="number of random spellings of each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--partialsmiles", action="store_true", help="measure partialsmiles instead")
    options = parser.parse_args()
    lines = [line.split("\t") for line in options.file.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = [line[options.column].strip() for line in lines if len(line) > options.column]
    if options.rows < len(rows):
        rows = random.Random(options.seed).sample(rows, options.rows)
    with rdBase.BlockLogs():
        measure(spellings(rows, options.spellings), partialsmiles_refusal if options.partialsmiles else own_refusal)


if __name__ == "__main__":
    main()
