"""Matches of the molecules of a reaction: by hand, and once more with RDKit in another way."""

from __future__ import annotations

import random

import pytest
from rdkit import Chem
from rdkit.Chem.SaltRemover import SaltRemover

from scimind.errors import DataError
from scimind.evaluate.metrics.reactions import MATCHES, components_of, score_reaction_answers, score_reactions
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling

PLAIN = Resampling(samples=0)
BY_HAND = [
    # reference, output, and whether it matches: exact, by InChI, without salts, the largest component
    ("CCO.CC(=O)Cl", "CC(Cl)=O.OCC", (1, 1, 1, 1)),  # another order and spelling
    ("CCO.CC(=O)Cl", "OCC.CC(Cl)=O.CCO", (1, 1, 1, 1)),  # a repetition
    ("CCO.CC(=O)Cl", "[CH3:1][CH2:2]O.CC(=O)Cl", (1, 1, 1, 1)),  # map numbers
    ("CCO.CC(=O)Cl", "CC(=O)Cl", (0, 0, 0, 1)),  # a component less
    ("CCO.CC(=O)Cl", "CCO.CC(=O)Br", (0, 0, 0, 0)),
    ("Oc1ccccn1", "O=c1cccc[nH]1", (0, 1, 0, 0)),  # tautomers have one InChI
    ("C[C@H](N)O", "C[C@@H](N)O", (0, 0, 0, 0)),
    ("CCN(CC)CC.Cl", "CCN(CC)CC", (0, 0, 1, 1)),  # a hydrochloride
    ("CC(=O)[O-].[Na+].CCBr", "CCBr", (0, 0, 1, 0)),  # sodium acetate
    ("[Na+].[Cl-]", "[Cl-].[Na+]", (1, 1, 1, 1)),  # nothing but salts
    ("[Na+].[Cl-]", "[K+].[Cl-]", (0, 0, 0, 0)),
    ("CCO", "C((", (0, 0, 0, 0)),
    ("CCO", "CCO and more", (0, 0, 0, 0)),
    ("CCO", "", (0, 0, 0, 0)),
]


def items(pairs):
    return [Item(str(n), output, reference) for n, (reference, output) in enumerate(pairs)]


def test_matches_by_hand():
    findings = score_reactions(items((reference, output) for reference, output, _ in BY_HAND), PLAIN)
    assert [tuple(int(row[name]) for name in MATCHES) for row in findings.rows] == [right for *_, right in BY_HAND]
    for place, name in enumerate(MATCHES):
        assert findings.scores[name].value == pytest.approx(sum(right[place] for *_, right in BY_HAND) / len(BY_HAND))
        assert name in findings.settings
    assert "exact" not in findings.protocol_values and findings.scores["validity"].value == 12 / 14


POOL = (
    "CCO",
    "O",
    "[Na+]",
    "[Cl-]",
    "c1ccccc1Br",
    "CC(=O)O",
    "OB(O)c1ccccc1",
    "CN(C)C=O",
    "C[C@H](N)C(=O)O",
    "Cl",
    "N",
)


def computed_again(reference, output):
    """Returns the matches from texts that RDKit writes, split at dots."""
    if Chem.MolFromSmiles(output) is None:
        return (False,) * 4
    sets, inchis, kept, largest = [], [], [], []
    for text in (reference, output):
        parts = {Chem.CanonSmiles(part) for part in text.split(".")}
        sets.append(parts)
        inchis.append({Chem.MolToInchi(Chem.MolFromSmiles(part)) for part in parts})
        # RDKit keeps the last component; the set of what it leaves is compared if something else is left.
        bare = SaltRemover().StripMol(Chem.MolFromSmiles(text))
        kept.append(set(Chem.MolToSmiles(bare).split(".")) if bare.GetNumAtoms() else parts)
        largest.append(max(parts, key=lambda part: (Chem.MolFromSmiles(part).GetNumHeavyAtoms(), part)))
    return tuple(left == right for left, right in (sets, inchis, kept, largest))


def random_pairs(seed):
    draw = random.Random(seed)
    pairs = []
    for _ in range(150):
        reference = draw.choices(POOL, k=draw.randint(1, 4))
        change = draw.random()
        output = reference if change < 0.5 else [part for part in reference if draw.random() < 0.7] or ["C(("]
        output = draw.sample(output, len(output)) + (draw.choices(POOL, k=1) if change > 0.7 else [])
        pairs.append((".".join(reference), ".".join(output)))
    return pairs


def test_matches_agree_with_rdkit_used_in_another_way():
    pairs = random_pairs(0)
    found = [tuple(row[name] for name in MATCHES) for row in score_reactions(items(pairs), PLAIN).rows]
    again = [computed_again(*pair) for pair in pairs]
    assert found == again
    for place in range(len(MATCHES)):  # each match is sometimes right and sometimes wrong
        assert 20 < sum(row[place] for row in found) < 140
    # The comparison notices a match of texts, of lists, or of whole molecules.
    assert [reference == output for reference, output in pairs] != [row[0] for row in again]
    assert [sorted(a.split(".")) == sorted(b.split(".")) for a, b in pairs] != [row[0] for row in again]


def test_of_several_answers_the_first_right_one_counts():
    item = Item("1", "CCBr", "CCO.CC(=O)Cl", further=("CC(=O)Cl", "CC(Cl)=O.OCC", "C(("))
    found = score_reaction_answers(item)
    assert [answer["exact"] for answer in found.answers] == [False, False, True, False]
    assert [answer["max_fragment"] for answer in found.answers] == [False, True, True, False]
    assert [answer["valid"] for answer in found.answers] == [True, True, True, False]


def test_the_largest_component_does_not_depend_on_the_order():
    texts = ("CCCO.CCCN", "CCCN.CCCO")
    largest = {components_of(Chem.MolFromSmiles(text)).largest for text in texts}
    assert len(largest) == 1


def test_a_reference_that_is_not_valid_is_an_error_and_none_is_allowed():
    with pytest.raises(DataError, match="the reference of item 0 is not a valid molecule"):
        score_reactions(items([("C((", "C")]), PLAIN)
    findings = score_reactions([Item("1", "CCO.C"), Item("2", "C((")], PLAIN)
    assert findings.scores["validity"].value == 0.5 and findings.not_computed["exact"] == "there are no references"
