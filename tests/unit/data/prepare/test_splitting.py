"""No molecule or sequence is in two splits; clusters equal those of an exhaustive comparison."""

import random

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from scimind.data import prepare, read_conversations
from scimind.data.prepare.clusters import cluster
from scimind.data.prepare.splitting import Split, set_aside, spread
from scimind.data.tasks.conversations import marked_sequences
from scimind.hashing import digest
from tests.support.shared import shared_file

RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCOC1", "c1ccsc1", "C1CC1", "c1ccc2ccccc2c1", "C1CCNCC1"]


def molecules(path) -> set[str]:
    talks = read_conversations(path)
    return {
        Chem.CanonSmiles(sequence)
        for talk in talks
        for pair in talk.rounds
        for text in pair
        for _, sequence in marked_sequences(text)
    }


def spelled(seed: int, count: int) -> str:
    """Returns a table in which each molecule appears several times, with random spellings."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        ring = Chem.MolFromSmiles(draw.choice(RINGS) + draw.choice("CNOSF") * draw.randint(1, 3))
        molecule = ring or Chem.MolFromSmiles("C" * draw.randint(2, 9))
        rows.append(f"{Chem.MolToSmiles(molecule, doRandom=True)}\tText {number}.\n")
    return "molecule\tcaption\n" + "".join(rows)


@pytest.mark.parametrize("split", ["random", "scaffold"])
def test_no_molecule_is_in_two_splits(codec, write, tmp_path, split):
    path, sets = write("a.tsv", spelled(1, 300)), {}
    for task in ("smiles2text", "text2smiles"):
        given = {"split": split, "eval_fraction": 0.2, "test_fraction": 0.2, "seq_length": 120, "progress": False}
        summary = prepare(task, [path], tmp_path / task, codec=codec, **given)
        found = [molecules(tmp_path / task / f"a{end}.json") for end in ("", "_eval", "_test")]
        assert all(found) and not (found[0] & found[1] | found[0] & found[2] | found[1] & found[2])
        assert summary.written == sum(summary.splits.values()) == 300
        sets[task] = found
    assert sets["smiles2text"] == sets["text2smiles"]
    scaffolds = [{MurckoScaffold.MurckoScaffoldSmiles(smiles) for smiles in part} for part in sets["text2smiles"]]
    # Scaffolds are separated only if that is requested.
    assert bool(scaffolds[0] & scaffolds[1]) == (split == "random")


def test_another_seed_gives_another_split_and_the_same_seed_the_same_bytes(codec, write, tmp_path):
    path, found = write("a.tsv", spelled(2, 60)), []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / str(number)
        given = {"seed": seed, "randomised": 2, "split": "scaffold", "eval_fraction": 0.3, "card": True}
        prepare("smiles2text", [path], out, codec=codec, seq_length=120, progress=False, **given)
        found.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert found[0] == found[1]
    assert found[0]["a_eval.json"] != found[2]["a_eval.json"]


def test_random_spellings_are_the_same_molecule_and_only_in_the_training_data(codec, write, tmp_path):
    path = write("a.tsv", spelled(3, 40))
    plain, more = tmp_path / "plain", tmp_path / "more"
    given = {"codec": codec, "seq_length": 120, "eval_fraction": 0.3, "progress": False}
    prepare("text2smiles", [path], plain, molecules="canonical", **given)
    prepare("text2smiles", [path], more, molecules="canonical", randomised=3, **given)
    assert (plain / "a_eval.json").read_bytes() == (more / "a_eval.json").read_bytes()
    talks = {talk.id: talk.rounds[0] for talk in read_conversations(more / "a.json")}
    variants = [name for name in talks if "-random-" in name]
    assert len(talks) - len(variants) == len(list(read_conversations(plain / "a.json"))) < len(variants)
    for name in variants:
        first, again = talks[name.split("-random-")[0]], talks[name]
        (_, canonical), (_, drawn) = marked_sequences(first.answer)[0], marked_sequences(again.answer)[0]
        assert first.question == again.question
        assert canonical == Chem.CanonSmiles(drawn)


def mutated(draw: random.Random, sequence: str, letters: str, share: float) -> str:
    return "".join(draw.choice(letters) if draw.random() < share else letter for letter in sequence)


@pytest.mark.parametrize(("tag", "letters"), [("protein", "ACDEFGHIKLMNPQRSTVWY"), ("dna", "ACGT")])
def test_clusters_are_those_of_all_pairs(tag, letters):
    draw = random.Random(4)
    roots = ["".join(draw.choices(letters, k=draw.randint(100, 200))) for _ in range(25)]
    sequences = [mutated(draw, root, letters, 0.1) for root in roots for _ in range(4)]
    draw.shuffle(sequences)
    expected = np.arange(len(sequences))
    for i, first in enumerate(sequences):
        for j in range(i):
            if Levenshtein.normalized_similarity(first, sequences[j]) >= 0.75:
                expected[expected == expected[i]] = expected[j]
    found = cluster(sequences, tag, 0.75)
    same = found[:, None] == found[None, :]
    assert (same == (expected[:, None] == expected[None, :])).all()
    assert 20 <= len(set(found)) <= 30
    # The twin: nothing is alike at an identity of 1.
    assert len(set(cluster(sequences, tag, 1.0))) == len(set(sequences))


def test_real_proteins_of_a_cluster_stay_together(codec, tmp_path):
    path = shared_file("data/mol_instructions_protein/domain_motif.json")
    given = {"split": "cluster", "identity": 0.6, "eval_fraction": 0.2, "seq_length": 1024, "progress": False}
    summary = prepare("domain_motif", [path], tmp_path, codec=codec, **given)
    assert (summary.read, summary.written) == (229, 229)
    sets = []
    for end in ("", "_eval"):
        talks = list(read_conversations(tmp_path / f"domain_motif{end}.json"))
        sets.append([marked_sequences(talk.rounds[0].question)[0][1] for talk in talks])
    worst = max(Levenshtein.normalized_similarity(x, y, score_cutoff=0.5) for x in sets[0] for y in sets[1])
    assert worst < 0.6


def test_numbers_are_spread_evenly():
    values = np.array([digest(str(number)) for number in range(20_000)], dtype=np.uint64)
    for found in (spread(values, 0), spread(np.arange(20_000, dtype=np.uint64), 5)):
        assert np.abs(np.bincount((found * 10).astype(int), minlength=10) / 2000 - 1).max() < 0.1
    assert abs(np.corrcoef(spread(values, 0), spread(values, 1))[0, 1]) < 0.03


def test_groups_are_set_aside_whole_and_while_they_fit():
    group = np.repeat(np.array([digest(str(number)) for number in range(12)], dtype=np.uint64), [50, *[5] * 10, 0])
    entity, eligible = np.arange(len(group), dtype=np.uint64), np.ones(len(group), dtype=bool)
    evaluation, test = set_aside(Split("scaffold", 0.2, 0.1), entity, group, eligible)
    assert (evaluation.sum(), test.sum()) == (20, 10) and not (evaluation & test).any()
    assert not (evaluation | test)[group == group[0]].any()  # larger than both splits
    for chosen in (evaluation, test):
        assert all(len(set(chosen[group == key].tolist())) == 1 for key in group)
