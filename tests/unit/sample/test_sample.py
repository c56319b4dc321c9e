"""The shipped sample is true of its molecules, made by our script, and in the documented formats."""

import json
import random
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from sample.assemble import LONGEST_SMILES, molecules
from sample.check import faults
from sample.describe import FEWEST_WORDS, MOST_WORDS, describe
from sample.files import NUMBER_OF_MOLECULES, TASKS, TEST_EVERY, pairs, question, write

FOLDER = Path(__file__).resolve().parents[3] / "LPM-24-data"


def _plain(spelled: str) -> str:
    return "".join(re.findall(r"\{\|(.)\|\}", spelled))


def _turns(task: str, split: str) -> list[tuple[str, str]]:
    records = json.loads((FOLDER / task / f"{split}.json").read_text(encoding="utf-8"))
    assert len({record["id"] for record in records}) == len(records)
    assert all([turn["from"] for turn in record["conversation"]] == ["human", "gpt"] for record in records)
    return [tuple(turn["value"] for turn in record["conversation"]) for record in records]


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[tuple[str, str]]]:
    """Returns SMILES and description of both splits, from the text2smiles files."""
    opening = question("text2smiles", "", "")
    return {
        split: [(_plain(answer), question.removeprefix(opening)) for question, answer in _turns("text2smiles", split)]
        for split in ("train", "test")
    }


def test_every_description_is_true(shipped):
    found = {smiles: wrong for split in shipped.values() for smiles, text in split if (wrong := faults(smiles, text))}
    assert found == {}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("one hydrogen-bond donor", "two hydrogen-bond donors"), "hydrogen-bond donor"),
        (("morpholine", "piperidine"), "rings"),
        (("a trifluoromethyl group", "a nitrile group"), "nitrile group"),
        (("18 heavy", "19 heavy"), "heavy atoms"),
        (("is a urea", "is an anionic urea"), "charge"),
        (("is a urea", "is a carbamate"), "carbamate"),
        (("four rotatable", "five rotatable"), "rotatable bonds"),
        (("It has", "It had"), "not a sentence"),
    ],
)
def test_the_check_notices_false_statements(change, fault):
    smiles = "O=C(Nc1cc(C(F)(F)F)no1)N1CCOCC1"
    text = describe(smiles, random.Random(0))
    text = re.sub(r"There (is|are)", "It has", text)
    assert faults(smiles, text) == []
    assert change[0] in text
    wrong = faults(smiles, text.replace(*change))
    assert len(wrong) == 1
    assert fault in wrong[0]


def test_molecules_are_canonical_and_unique(shipped):
    train, test = ([smiles for smiles, _ in shipped[split]] for split in ("train", "test"))
    assert len(train) + len(test) == NUMBER_OF_MOLECULES
    assert len({Chem.CanonSmiles(smiles) for smiles in train + test}) == NUMBER_OF_MOLECULES
    assert max(map(len, train + test)) <= LONGEST_SMILES
    assert 20 <= sum(map(len, train + test)) / NUMBER_OF_MOLECULES <= 35
    assert not any(atom.GetNumRadicalElectrons() for s in train + test for atom in Chem.MolFromSmiles(s).GetAtoms())


def test_sample_is_varied(shipped):
    everything = [smiles for split in shipped.values() for smiles, _ in split]
    for part, least in (("@", 200), ("+]", 80), ("/", 80), ("S(", 100), ("Cl", 60), ("#", 60), ("[nH]", 20)):
        assert sum(part in smiles for smiles in everything) >= least, part
    assert 50 <= sum(rdMolDescriptors.CalcNumRings(Chem.MolFromSmiles(smiles)) == 0 for smiles in everything) <= 400


def test_descriptions_keep_their_length(shipped):
    words = [len(text.split()) for split in shipped.values() for _, text in split]
    assert min(words) >= FEWEST_WORDS
    assert max(words) <= MOST_WORDS


def test_both_directions_hold_the_same_pairs(shipped):
    opening = question("smiles2text", "", "")
    for split in ("train", "test"):
        turned = [(_plain(question.removeprefix(opening)), answer) for question, answer in _turns("smiles2text", split)]
        assert turned == shipped[split]


def test_prediction_files_follow_the_test_split(shipped):
    for task in TASKS:
        questions = [question for question, _ in _turns(task, "test")]
        lines = (FOLDER / task / "test_prompts.txt").read_text(encoding="utf-8").splitlines()
        assert [line.replace("\\n", "\n") for line in lines] == [f" [INST]: {q} [/INST]:" for q in questions]
        references = (FOLDER / task / "test_references.txt").read_text(encoding="utf-8").splitlines()
        assert references == [pair[task == "smiles2text"] for pair in shipped["test"]]


def test_script_makes_the_shipped_files_again(shipped, tmp_path):
    write(tmp_path, number=60)
    for task in TASKS:
        made = json.loads((tmp_path / task / "train.json").read_text(encoding="utf-8"))
        kept = json.loads((FOLDER / task / "train.json").read_text(encoding="utf-8"))
        assert made == kept[: len(made)]
    first = list(islice(pairs(), TEST_EVERY))
    assert first == shipped["train"][: TEST_EVERY - 1] + shipped["test"][:1]


def test_script_runs_as_the_readme_says(tmp_path):
    script = FOLDER.parent / "scripts/make_sample.py"
    command = [sys.executable, str(script), "--output", str(tmp_path), "--number", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "18 molecules to train on, 2 to test on" in done.stdout
    assert len((tmp_path / "smiles2text/test_prompts.txt").read_text(encoding="utf-8").splitlines()) == 2


def test_another_seed_gives_other_molecules():
    assert len({*islice(molecules(1), 50)} & {*islice(molecules(2), 50)}) < 10


def test_readme_states_the_true_counts(shipped):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for count in (NUMBER_OF_MOLECULES, len(shipped["train"]), len(shipped["test"])):
        assert f"{count:,} " in readme
