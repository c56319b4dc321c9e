"""Each task of the field from a file in its owner's form to scores and a report, with answers that the test writes."""

from __future__ import annotations

import json
import re

import pytest
import selfies

from scimind.data import prepare
from scimind.data.content.fields import FieldOptions
from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.report.page import PageOptions, render_page
from scimind.evaluate.resampling import Resampling
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.tokenizer import TokenCodec

ALCOHOLS = ("CO", "CCO", "CCCO", "OC1CCCC1")
ESTERS = tuple(f"CC(=O)O{alcohol.replace('O', '', 1)}" for alcohol in ALCOHOLS)


@pytest.fixture(scope="module")
def codec():
    return TokenCodec()


def smolinstruct(task, pairs):
    for number, (asked, answer) in enumerate(pairs):
        raw = {"raw_input": asked, "raw_output": answer, "task": task, "sample_id": f"{task}.{number}", "split": "test"}
        yield {"input": f"Tell me: <X> {asked} </X>?", "output": f"It is <Y> {answer} </Y> .", **raw}


def mol_instructions(pairs):
    for asked, answer in pairs:
        yield {"instruction": "Answer.", "input": asked, "output": answer, "metadata": {"task": "x", "split": "test"}}


def encoded(text):
    return ">>".join(".".join(map(selfies.encoder, part.split("."))) for part in text.split(">>"))


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def scored(folder, codec, task, name, content, answer, **options):
    """Prepares a file, reads the prompts and references as `scimind predict` does, and scores answers to them."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    prepare(task, [path], folder / task, codec=codec, seq_length=400, progress=False, name="p", workers=1)
    prompts = list(read_prompts(folder / task / "p.json", task, FieldOptions()))
    assert len(prompts) > 1 and not any(prompt.fault for prompt in prompts)
    # A raw file asks the same as the prepared one.
    raw = list(read_prompts(path, task, FieldOptions()))
    assert [(p.id, p.text, p.reference) for p in raw] == [(p.id, p.text, p.reference) for p in prompts]
    asked = encode_prompts(codec, prompts)
    rows = [prompt.as_row() | answer(place, prompt.reference) for place, prompt in enumerate(asked)]
    predictions = folder / "predictions.jsonl"
    predictions.write_text(lines(rows), encoding="utf-8")
    found = evaluate(EvaluateOptions(task, predictions, resampling=Resampling(samples=5), **options))
    page = render_page(found, PageOptions("t"))
    data = json.loads(re.search('id="data">(.*?)</script>', page, re.DOTALL)[1])
    return found, {name: score["value"] for name, score in found.metrics["metrics"].items()}, data, page


def first_wrong(wrong, **further):
    """Returns answers of which the first is wrong and all others are right."""
    return lambda place, reference: {"output": wrong if place == 0 else reference, **further}


USPTO = "id,class,reactants>reagents>production\n" + "".join(
    f"{number},1,CC(=O)Cl.{alcohol}>CCN(CC)CC>{ester}\n"
    for number, (alcohol, ester) in enumerate(zip(ALCOHOLS, ESTERS, strict=True))
)
MIXED = [f"CC(=O)Cl.{alcohol}" for alcohol in ALCOHOLS]
WHOLE = [f"CC(=O)Cl.{alcohol}>>{ester}" for alcohol, ester in zip(ALCOHOLS, ESTERS, strict=True)]
REACTIONS = [
    ("forward_synthesis", "u.csv", USPTO),
    ("forward_synthesis", "f.jsonl", lines(smolinstruct("forward_synthesis", zip(MIXED, ESTERS, strict=True)))),
    (
        "forward_synthesis",
        "f.json",
        json.dumps([*mol_instructions((encoded(a), encoded(b)) for a, b in zip(MIXED, ESTERS, strict=True))]),
    ),
    ("retrosynthesis", "u.csv", USPTO),
    ("retrosynthesis", "r.jsonl", lines(smolinstruct("retrosynthesis", zip(ESTERS, MIXED, strict=True)))),
    (
        "retrosynthesis",
        "r.json",
        json.dumps([*mol_instructions((encoded(a), encoded(b)) for a, b in zip(ESTERS, MIXED, strict=True))]),
    ),
    ("reagent", "u.csv", USPTO),
    ("reagent", "g.json", json.dumps([*mol_instructions((encoded(text), encoded("CCN(CC)CC")) for text in WHOLE)])),
]


@pytest.mark.parametrize(("task", "name", "content"), REACTIONS, ids=[f"{task}-{name}" for task, name, _ in REACTIONS])
def test_reactions(tmp_path, codec, task, name, content):
    def answer(place, reference):
        right = ".".join(reversed(reference.split(".")))
        outputs = [("C1CC1", right), (right, "C(("), (f"{right}.[Cl-]", right), ("N", "C((")][place]
        return {"output": outputs[0], "outputs": [{"output": text} for text in outputs]}

    found, values, data, _ = scored(tmp_path, codec, task, name, content, answer)
    assert (values["exact"], values["exact_inchi"], values["top2_exact"]) == (0.25, 0.25, 0.75)
    assert (values["exact_without_salts"], values["max_fragment"]) == (0.5, 0.5)
    assert values["validity"] == 1.0 and values["top2_validity"] == 1.0
    assert data["group"] == "reactions"
    drawing = data["drawings"]["1"]
    assert drawing["left"] and drawing["right"] and drawing["further"] == [None]
    # The plus sign and the arrow, which belong to no molecule, make a reaction wider than its answer.
    width = int(re.search(r'width="(\d+)"', drawing["left"])[1])
    assert 250 < width < 900
    assert found.metrics["settings"]["part"] == {"forward_synthesis": "products", "retrosynthesis": "reactants"}.get(
        task, "agents"
    )


NAMES = ("methanol", "ethanol", "propan-1-ol", "cyclopentanol")
FORMULAS = ("CH4O", "C2H6O", "C3H8O", "C5H10O")


def test_names_and_formulas(tmp_path, codec):
    text = lines(smolinstruct("name_conversion-i2s", zip(NAMES, ALCOHOLS, strict=True)))
    _, values, *_ = scored(tmp_path, codec, "iupac2smiles", "a.jsonl", text, first_wrong("CCCCC"))
    assert values["exact"] == 0.75
    text = lines(smolinstruct("name_conversion-s2i", zip(ALCOHOLS, NAMES, strict=True)))
    _, values, *_ = scored(tmp_path, codec, "smiles2iupac", "b.jsonl", text, first_wrong("ethanol"))
    assert values["exact"] == 0.75 and values["levenshtein"] == 0.25  # a letter
    for task, asked in (("smiles2formula", ALCOHOLS), ("iupac2formula", NAMES)):
        kind = {"smiles2formula": "name_conversion-s2f", "iupac2formula": "name_conversion-i2f"}[task]
        text = lines(smolinstruct(kind, zip(asked, FORMULAS, strict=True)))
        outputs = ("OH4C", "C2H6O", "C3H8", "an alcohol")
        _, values, *_ = scored(tmp_path, codec, task, "c.jsonl", text, lambda place, _, o=outputs: {"output": o[place]})
        assert (values["exact"], values["exact_text"], values["validity"]) == (0.5, 0.25, 0.75)


def test_descriptions_of_mol_instructions(tmp_path, codec):
    text = json.dumps(
        [*mol_instructions((encoded(a), f"It is {name}.") for a, name in zip(ALCOHOLS, NAMES, strict=True))]
    )
    task = "molecular_description_generation"
    _, values, data, _ = scored(tmp_path, codec, task, "a.json", text, first_wrong("It is water."))
    assert 0.5 < values["bleu2"] < 1 and data["drawings"]["0"]["left"]
    text = json.dumps(
        [*mol_instructions((f"It is {name}.", encoded(a)) for a, name in zip(ALCOHOLS, NAMES, strict=True))]
    )
    _, values, *_ = scored(tmp_path, codec, "description_guided_molecule_design", "b.json", text, first_wrong("N"))
    assert values["exact"] == 0.75


TABLES = [
    ("bbbp", "BBBP.csv", "num,name,p_np,smiles\n" + "".join(f"{n},x,{n % 2},{s}\n" for n, s in enumerate(ALCOHOLS))),
    ("bbbp", "b.jsonl", lines(smolinstruct("property_prediction-bbbp", zip(ALCOHOLS, ("No", "Yes") * 2, strict=True)))),
    ("hiv", "HIV.csv", "smiles,activity,HIV_active\n" + "".join(f"{s},CI,{n % 2}\n" for n, s in enumerate(ALCOHOLS))),
]


@pytest.mark.parametrize(("task", "name", "content"), TABLES, ids=[name for _, name, _ in TABLES])
def test_labels(tmp_path, codec, task, name, content):
    def answer(place, reference):
        chance = (0.4, 0.3, 0.2, 0.9)[place]  # the references are no, yes, no, yes
        return {"output": "yes" if chance > 0.5 else "no", "probabilities": {"yes": chance, "no": 1 - chance}}

    _, values, data, _ = scored(tmp_path, codec, task, name, content, answer)
    assert values["accuracy"] == 0.75 and values["auroc"] == 0.75 and values["f1"] == pytest.approx(2 / 3)
    assert data["drawings"]["0"]["left"]


NUMBERS = (0.5, -1.25, 2.0, -3.75)
VALUES = [
    ("esol", "e.jsonl", lines(smolinstruct("property_prediction-esol", zip(ALCOHOLS, map(str, NUMBERS), strict=True)))),
    (
        "lipophilicity",
        "L.csv",
        "CMPD_CHEMBLID,exp,smiles\n" + "".join(f"X,{v},{s}\n" for s, v in zip(ALCOHOLS, NUMBERS, strict=True)),
    ),
    (
        "property_prediction",
        "p.json",
        json.dumps([*mol_instructions((encoded(s), v) for s, v in zip(ALCOHOLS, NUMBERS, strict=True))]),
    ),
]


@pytest.mark.parametrize(("task", "name", "content"), VALUES, ids=[name for _, name, _ in VALUES])
def test_numbers(tmp_path, codec, task, name, content):
    def answer(place, reference):
        return {"output": str(float(reference) + (0, 0.5, -0.5, 1)[place])}

    _, values, data, _ = scored(tmp_path, codec, task, name, content, answer)
    assert values["mae"] == pytest.approx(0.5) and values["rmse"] == pytest.approx((1.5 / 4) ** 0.5)
    assert data["drawings"]["0"]["left"]


def test_several_labels(tmp_path, codec):
    table = "smiles,FDA_APPROVED,CT_TOX\n" + "".join(f"{s},{n % 2},{int(n < 2)}\n" for n, s in enumerate(ALCOHOLS))

    def answer(place, reference):
        chance = 0.9 if (reference == "yes") == (place < 6) else 0.1  # the last molecule is answered the wrong way
        return {"output": "yes" if chance > 0.5 else "no", "probabilities": {"yes": chance, "no": 1 - chance}}

    found, values, data, page = scored(tmp_path, codec, "clintox", "clintox.csv", table, answer)
    labels = found.metrics["details"]["labels"]
    # Approved: no, yes, no, yes, of which the last is wrong: one of two positives is above both negatives.
    assert labels["approved by the FDA"]["auroc"] == pytest.approx((1 + 0.25) / 2 + 0.125)
    assert values["auroc"] == pytest.approx(sum(label["auroc"] for label in labels.values()) / 2)
    assert values["accuracy"] == 0.75 and found.metrics["counts"]["labels"] == 2
    assert "<caption>Scores of each label</caption>" in page and "toxic in clinical trials" in page
    assert data["group"] == "multilabel" and data["drawings"]["0"]["left"]
    # Two labels of one molecule are in one split.
    given = {"codec": codec, "seq_length": 400, "progress": False, "workers": 1, "name": "s", "test_fraction": 0.5}
    prepare("clintox", [tmp_path / "clintox.csv"], tmp_path / "split", **given)
    ids = [talk["id"].partition(":")[0] for talk in json.loads((tmp_path / "split/s_test.json").read_text())]
    assert 0 < len(ids) < 8 and all(ids.count(name) == 2 for name in ids)
