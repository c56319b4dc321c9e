"""Scores of several answers to a prompt: by hand, and once more with RDKit and NumPy in another way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.metrics.molecule_sets import score_molecules
from scimind.evaluate.metrics.ranked import ExactAnswers, add_ranked
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.results import Failure
from tests.support.tolerances import EXACT_SUM

PLAIN = Resampling(samples=0)
# A prompt is its reference and its answers, best first.
BY_HAND = [
    ("CCO", "CCN", "C((", "OCC", "CCO"),
    ("c1ccccc1", "c1ccccc1", "C1CCCCC1"),
    ("C1CC1",),
    ("c1ccc2ccccc2c1", "C(", "C1CCCCC1"),
]


def score(folder, task, prompts, resampling=PLAIN, **options):
    rows = [
        {"output": answers[0] if answers else "", "outputs": list(answers), "reference": reference}
        for reference, *answers in prompts
    ]
    path = folder / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return evaluate(EvaluateOptions(task, path, resampling=resampling, **options))


def values(evaluation):
    return {name: score["value"] for name, score in evaluation.metrics["metrics"].items()}


def test_the_first_k_answers_by_hand(tmp_path):
    evaluation = score(tmp_path, "molecules", BY_HAND)
    found = values(evaluation)
    assert [found[f"top{k}_exact"] for k in (1, 3, 4)] == [1 / 4, 2 / 4, 2 / 4]
    assert [found[f"top{k}_validity"] for k in (1, 3, 4)] == [2 / 4, 3 / 4, 3 / 4]
    assert found["answer_validity"] == 6 / 9  # the prompt without an answer counts as an invalid one
    # Ethanol twice among three; two of two; one of one.
    assert found["answer_uniqueness"] == pytest.approx((2 / 3 + 1 + 1) / 3, abs=EXACT_SUM)
    # Ethylamine and ethanol have 6 environments each: 3 atoms, and 3 at radius 1, of which each whole molecule is one.
    # CH3, CH2 and CH3 next to CH2 are in both: 3 of 9. Benzene and cyclohexane have nothing in common.
    assert found["internal_diversity"] == pytest.approx((2 / 3 + 1) / 2, abs=EXACT_SUM)
    assert found["top1_similarity"] == pytest.approx((1 / 3 + 1 + 0 + 0) / 4, abs=EXACT_SUM)
    assert found["top3_similarity"] == found["top4_similarity"] == pytest.approx((1 + 1 + 0 + 0) / 4, abs=EXACT_SUM)
    # Rings: benzene and two of cyclohexane; cyclopropane, benzene and the two of naphthalene.
    assert found["aromatic_rings"] == pytest.approx(1 / 3, abs=EXACT_SUM)
    assert found["reference_aromatic_rings"] == 3 / 4
    assert (found["top1_exact"], found["top1_validity"]) == (found["exact"], found["validity"])
    assert evaluation.metrics["counts"]["answers"] == 9
    assert evaluation.metrics["counts"]["prompts_with_fewer_answers"] == 3


def test_the_row_of_a_prompt_has_the_scores_of_each_answer(tmp_path):
    row = score(tmp_path, "molecules", BY_HAND).rows[0]
    assert [answer["output"] for answer in row["answers"]] == ["CCN", "C((", "OCC", "CCO"]
    assert [answer["valid"] for answer in row["answers"]] == [True, False, True, True]
    assert [answer["exact"] for answer in row["answers"]] == [False, False, True, True]
    assert [answer["similarity"] for answer in row["answers"]] == pytest.approx([1 / 3, 0, 1, 1], abs=EXACT_SUM)
    assert (row["top4_exact"], row["top4_similarity"], row["exact"]) == (True, 1.0, False)


MOLECULES = (
    *("CCO", "OCC", "CCN", "c1ccccc1O", "Oc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C1CCCCC1", "C1CC1", "c1ccc2[nH]ccc2c1"),
    *("CC(C)Cc1ccc(cc1)C(C)C(=O)O", "C((", "", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "c1ccc(cc1)C1CCNCC1", "O=C1CCCN1"),
)


def random_prompts(seed):
    draw = np.random.default_rng(seed)
    valid = [text for text in MOLECULES if text and Chem.MolFromSmiles(text)]
    return [(str(draw.choice(valid)), *map(str, draw.choice(MOLECULES, draw.integers(0, 13)))) for _ in range(40)]


def computed_again(prompts):
    """Returns the scores from fingerprints as arrays, with rings counted bond by bond."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)

    def read(text):
        return Chem.MolFromSmiles(text) if text else None

    def similarity(left, right):
        a, b = (generator.GetFingerprintAsNumPy(molecule).astype(bool) for molecule in (left, right))
        return (a & b).sum() / (a | b).sum()

    def rings(molecule):
        found = molecule.GetRingInfo().BondRings()
        bonds = [[molecule.GetBondWithIdx(bond).GetIsAromatic() for bond in ring] for ring in found]
        return np.array([sum(map(all, bonds)), len(found)])

    table, unique, diverse, parts = [], [], [], {"valid": [], "ours": [], "theirs": []}
    for reference, *answers in prompts:
        right = Chem.MolFromSmiles(reference)
        molecules = [read(answer) for answer in answers or [""]]
        valid = [molecule for molecule in molecules if molecule]
        same = [bool(m) and Chem.CanonSmiles(reference) == Chem.MolToSmiles(m) for m in molecules]
        likeness = [similarity(m, right) if m else 0.0 for m in molecules]
        table.append(list(zip(map(bool, molecules), same, likeness, strict=True)))
        distinct = {Chem.MolToSmiles(molecule): molecule for molecule in valid}
        unique += [len(distinct) / len(valid)] if valid else []
        others = list(distinct.values())
        matrix = np.array([[similarity(a, b) for b in others] for a in others])
        diverse += [1 - (matrix.sum() - len(others)) / (len(others) * (len(others) - 1))] if len(others) > 1 else []
        parts["valid"] += map(bool, molecules)
        parts["ours"] += map(rings, valid)
        parts["theirs"].append(rings(right))
    most = max(map(len, table))
    again = {
        f"top{k}_{name}": np.mean([max(row[place] for row in rows[:k]) for rows in table])
        for k in sorted({1, 3, 5, 10, most})
        for place, name in enumerate(("validity", "exact", "similarity"))
    }
    (ours, all_ours), (theirs, all_theirs) = np.sum(parts["ours"], axis=0), np.sum(parts["theirs"], axis=0)
    return again | {
        "answer_validity": np.mean(parts["valid"]),
        "answer_uniqueness": np.mean(unique),
        "internal_diversity": np.mean(diverse),
        "aromatic_rings": ours / all_ours,
        "reference_aromatic_rings": theirs / all_theirs,
    }


def of_answers(found):
    """Returns the scores that only several answers have; no other score of molecules has an underscore in its name."""
    return {name: value for name, value in found.items() if "_" in name}


@pytest.mark.parametrize("seed", [0, 1])
def test_random_answers_score_as_computed_again(tmp_path, seed):
    prompts = random_prompts(seed)
    found, again = of_answers(values(score(tmp_path, "molecules", prompts))), computed_again(prompts)
    assert found == pytest.approx(again, abs=EXACT_SUM)
    # The twin that must fail: the first prompt with two different answers has them in the other order.
    place = next(i for i, (right, *answers) in enumerate(prompts) if len(answers) > 1 and answers[0] in (right, ""))
    reference, first, second, *others = prompts[place]
    prompts[place] = (reference, second, first, *others)
    assert found != pytest.approx(computed_again(prompts), abs=EXACT_SUM)


def test_exact_means_the_same_as_for_one_answer(tmp_path):
    # InChI does not tell the two tautomers apart, their canonical SMILES does.
    pyridone, pyridinol = "O=c1cccc[nH]1", "Oc1ccccn1"
    assert Chem.CanonSmiles(pyridone) != Chem.CanonSmiles(pyridinol)
    assert score_molecules([Item("1", pyridinol, pyridone)], PLAIN).scores["exact"].value == 1
    found = values(score(tmp_path, "molecules", [(pyridone, "CC", pyridinol)]))
    assert (found["top1_exact"], found["top2_exact"]) == (0, 1)


def test_without_references_validity_and_variety_are_scored(tmp_path):
    found = values(score(tmp_path, "molecules", [(None, "CCO", "OCC", "C(("), (None, "C((", "C")]))
    assert {name for name in found if name.startswith("top")} == {f"top{k}_validity" for k in (1, 3)}
    assert (found["top1_validity"], found["answer_validity"]) == (1 / 2, 3 / 5)
    assert found["answer_uniqueness"] == (1 / 2 + 1) / 2
    assert found["internal_diversity"] is None  # no prompt has two different molecules
    assert "reference_aromatic_rings" not in found


def test_scores_have_intervals(tmp_path):
    resampling = Resampling(samples=200)
    metrics = score(tmp_path, "molecules", BY_HAND, resampling=resampling).metrics["metrics"]
    for name in ("top1_exact", "top4_similarity", "answer_validity", "answer_uniqueness", "reference_aromatic_rings"):
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
    # Of four prompts the share of the draws' exact ones is that of a binomial distribution.
    assert (metrics["top1_exact"]["low"], metrics["top1_exact"]["high"]) == (0, 0.75)


@pytest.mark.parametrize(
    ("task", "prompt", "wanted"),
    [
        ("proteins", ("MKV", "MKL", "mkv*"), {"top1_exact": 0, "top2_exact": 1, "top1_validity": 1}),
        ("proteins", ("MKV", "<protein>MKV</protein>", "?"), {"top1_exact": 1, "top2_exact": 1, "top1_validity": 1}),
        ("names", ("acid, Base", "acid", "base, ACID"), {"top1_exact": 0, "top2_exact": 1}),
        ("captions", ("It is an acid.", "It is a base.", "[CLS] It is an acid. "), {"top1_exact": 0, "top2_exact": 1}),
        ("captions", ("It is an acid.", "It is a base.", "it is an acid."), {"top1_exact": 0, "top2_exact": 0}),
    ],
)
def test_other_answers_are_exact_as_their_group_reads_them(tmp_path, task, prompt, wanted):
    found = values(score(tmp_path, task, [prompt]))
    assert {name: found[name] for name in wanted} == wanted


def test_labels_are_exact_in_all_their_spellings(tmp_path):
    found = values(score(tmp_path, "promoter", [("yes", "0", "1.0"), ("no", "0", "1.0"), ("no", "?", "1")]))
    assert (found["top1_exact"], found["top2_exact"]) == (1 / 3, 2 / 3)
    assert found["top1_exact"] == found["accuracy"]


def test_the_best_identity_of_proteins(tmp_path):
    pytest.importorskip("parasail", reason="parasail is not installed (scimind[evaluate])")
    found = values(score(tmp_path, "proteins", [("MKVL", "MKLL", "MKVL"), ("MKVL", "M!", "MAAL")]))
    assert found["top1_identity"] == (3 / 4 + 0) / 2
    assert found["top2_identity"] == (1 + 2 / 4) / 2


def test_marks_around_every_answer_are_left_out(tmp_path):
    prompt = ("CCO", "<smiles>CCN</smiles>", "`OCC`", "The answer is <smiles>CCC</smiles>")
    evaluation = score(tmp_path, "molecules", [prompt, prompt])
    assert values(evaluation)["top3_exact"] == 1
    answers = evaluation.rows[0]["answers"]
    assert [answer.get("read") for answer in answers] == ["CCN", "OCC", None]
    assert [answer["valid"] for answer in answers] == [True, True, False]
    extracted = score(tmp_path, "molecules", [prompt, prompt], extract=True).rows[0]["answers"]
    assert (extracted[2]["read"], extracted[2]["valid"]) == ("CCC", True)


def test_one_answer_for_each_prompt_scores_as_before(tmp_path):
    single = score(tmp_path, "molecules", [(reference, *answers[:1]) for reference, *answers in BY_HAND])
    assert not of_answers(values(single)).keys() & of_answers(values(score(tmp_path, "molecules", BY_HAND))).keys()
    assert "answers" not in single.rows[0] and "answers" not in single.metrics["counts"]


def test_a_score_that_fails_for_an_answer_is_withdrawn():
    items = [Item("1", "C", "C", further=("N",)), Item("2", "C", "C", further=("N",))]
    findings = score_molecules(items, PLAIN)

    def scorer(item):
        scores = ExactAnswers(str)(item)
        scores.failures.extend([Failure("exact", item.id, "too large")] if item.id == "2" else [])
        return scores

    add_ranked(findings, items, items, scorer, PLAIN)
    assert findings.scores.keys() >= {"exact", "validity"}  # those of the first answers
    assert not any(name.startswith("top") for name in findings.scores)
    assert findings.not_computed["top2_exact"] == "failed on item 2 (too large)"
