"""What settings want of answers, from prompts to rows, tables and texts, with an untrained toy that drafts."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors

from scimind.errors import ConfigError
from scimind.generate.answer_rules import read_rules
from scimind.generate.predictor import Predictor
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.generate.provenance import run_notes
from scimind.generate.settings import GenerationSettings
from scimind.generate.wanted_answers import search_for, validity, with_leads
from scimind.tokenizer import TokenCodec
from tests.support.toys import CachedToy, DraftingToy

CODEC = TokenCodec()
DESCRIPTIONS = ["a small alcohol", "an aromatic acid", "water"]


def predict(
    tmp_path: Path,
    output: str = "x.jsonl",
    task: str | Path | None = "text2smiles",
    kind: type = DraftingToy,
    **settings,
):
    """Returns the rows of a run, or of the rows next to it, and its summary."""
    source = tmp_path / "prompts.jsonl"
    if not source.exists():
        rows = [{"description": text, "id": str(number)} for number, text in enumerate(DESCRIPTIONS)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = GenerationSettings(**{"max_new_tokens": 10, "batch_size": 8, **settings})
    rules = read_rules(CODEC, task)
    found = read_prompts(source, task)
    search = search_for(chosen, CODEC, rules, has_prefixes=any(prompt.prefix for prompt in found))
    prompts = with_leads(encode_prompts(CODEC, found), CODEC, rules, search)
    toy = kind(CODEC.vocab_size, max_length=160)
    toy.bias[[*CODEC.encode("<smiles>CNO</smiles>", bos=False), CODEC.eos_id]] += 6.0  # short answers, some valid
    predictor = Predictor(toy, CODEC, chosen, rules, search=search)
    notes = run_notes(chosen, CODEC.fingerprint(), None, rules)
    summary = predictor.predict_file(prompts, tmp_path / output, notes)
    lines = (tmp_path / output).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines] if output.endswith(".jsonl") else lines, summary


def is_molecule(text: str) -> bool:
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return molecule is not None and molecule.GetNumAtoms() > 0


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("text2smiles", None, "require"),
        ("text2smiles", "none", "none"),
        ("smiles2text", None, "none"),
        ("smiles2text", "prefer", "prefer"),
        ("promoter", None, "none"),
        (None, None, "none"),
    ],
)
def test_molecules_must_be_valid_by_default(task: str | None, given: str | None, expected: str) -> None:
    assert validity(GenerationSettings(valid=given), read_rules(CODEC, task)) == expected


def test_an_untrained_model_answers_with_numbers_as_the_task_writes_them(tmp_path: Path) -> None:
    task = tmp_path / "weight.yaml"
    task.write_text(
        """
name: weight
question: "What is the weight of {description}?"
answer: "{value}"
fields: {description: {kind: text, columns: [description]}, value: {kind: number, digits: 1}}
output: {kind: number}
"""
    )
    assert validity(GenerationSettings(), read_rules(CODEC, task)) == "require"
    rows, _ = predict(tmp_path, task=task)
    assert all(re.fullmatch(r"-?(0|[1-9]\d*)\.\d", row["output"]) for row in rows)
    free, _ = predict(tmp_path, "free.jsonl", task=task, valid="none")
    assert not any(re.fullmatch(r"-?\d+\.\d", row["output"]) for row in free)
    several, _ = predict(tmp_path, "several.jsonl", task=task, num_return_sequences=3)
    for row in several:
        numbers = [one["output"] for one in row["outputs"]]
        assert len(set(numbers)) == len(numbers) > 1
    led, _ = predict(tmp_path, "led.jsonl", task=task, prefix="-12")
    assert all(row["output"].startswith("-12") for row in led)
    with pytest.raises(ConfigError, match="does not begin any valid answer"):
        predict(tmp_path, "no.jsonl", task=task, prefix="about")


def test_an_untrained_model_answers_with_molecules_and_else_does_not(tmp_path: Path) -> None:
    rows, _ = predict(tmp_path)
    assert all(is_molecule(row["output"]) for row in rows)
    assert all(row["canonical"] == Chem.CanonSmiles(row["output"]) for row in rows)
    free, _ = predict(tmp_path, "free.jsonl", valid="none")
    assert not all(is_molecule(row["output"]) for row in free)
    preferred, _ = predict(tmp_path, "preferred.jsonl", valid="prefer")
    for row, other in zip(preferred, free, strict=True):
        assert is_molecule(row["output"]) or row["output"] == other["output"]


@pytest.mark.parametrize(
    "settings",
    [
        {"num_return_sequences": 3},
        {"num_return_sequences": 2, "num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
        {"num_return_sequences": 3, "do_sample": True, "samples_per_prompt": 6, "rank_by": "votes"},
        {"num_return_sequences": 3, "do_sample": True, "rank_by": "qed"},
        {"num_return_sequences": 3, "valid": "none", "max_new_tokens": 6},
    ],
)
def test_several_answers_are_distinct_and_the_first_is_the_output(tmp_path: Path, settings: dict) -> None:
    rows, _ = predict(tmp_path, **settings)
    for row in rows:
        outputs = row["outputs"]
        assert row["output"] == outputs[0]["output"] and 1 <= len(outputs) <= settings["num_return_sequences"]
        keys = [one["canonical"] or one["output"] for one in outputs]
        assert len(set(keys)) == len(keys)
        order = settings.get("rank_by", "likelihood")
        if settings.get("do_sample") and order in ("likelihood", "votes"):
            shares = [one["log_votes" if order == "votes" else "log_likelihood"] for one in outputs]
            assert shares == sorted(shares, reverse=True)
        if order == "qed":
            scores = [Descriptors.qed(Chem.MolFromSmiles(one["output"])) for one in outputs]
            assert scores == sorted(scores, reverse=True)
    assert any(len(row["outputs"]) > 1 for row in rows)


def test_a_table_has_a_line_for_each_answer_and_a_text_file_the_first(tmp_path: Path) -> None:
    rows, _ = predict(tmp_path, num_return_sequences=3)
    predict(tmp_path, "x.csv", num_return_sequences=3)
    with (tmp_path / "x.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    expected = [
        (row["id"], str(rank), one["output"], one["canonical"], str(one["log_likelihood"]))
        for row in rows
        for rank, one in enumerate(row["outputs"], start=1)
    ]
    columns = ("id", "rank", "output", "canonical", "log_likelihood")
    assert [tuple(line[name] for name in columns) for line in table] == expected
    lines, _ = predict(tmp_path, "x.txt", num_return_sequences=3)
    assert lines == [row["output"] for row in rows]


@pytest.mark.parametrize("settings", [{}, {"num_return_sequences": 3}, {"do_sample": True, "num_return_sequences": 2}])
def test_a_run_that_stopped_continues_to_the_same_bytes(tmp_path: Path, settings: dict) -> None:
    predict(tmp_path, "whole.jsonl", batch_size=2, **settings)
    whole = (tmp_path / "whole.jsonl").read_bytes()
    predict(tmp_path, batch_size=2, **settings)
    (tmp_path / "x.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:3]) + b'{"id": "3", "pro')
    _, summary = predict(tmp_path, batch_size=2, **settings)
    assert summary.continued == 3 and (tmp_path / "x.jsonl").read_bytes() == whole


def test_answers_depend_neither_on_the_batch_nor_on_the_decoder(tmp_path: Path) -> None:
    for settings in ({}, {"num_return_sequences": 3}, {"do_sample": True, "num_return_sequences": 2}):
        found = []
        for number, (size, kind) in enumerate([(8, DraftingToy), (3, DraftingToy), (8, CachedToy)]):
            folder = tmp_path / f"{len(settings)} {number}"
            folder.mkdir()
            found.append(predict(folder, kind=kind, batch_size=size, **settings)[0])
        assert found[0] == found[1] == found[2]


def test_conditions_are_fulfilled_or_their_failure_is_reported(tmp_path: Path) -> None:
    rows, summary = predict(tmp_path, where="HeavyAtomCount <= 6 and not has('N')", num_return_sequences=2)
    assert [row["finish_reason"] for row in rows].count("none") < len(rows)
    for row in rows:
        for one in row.get("outputs", []):
            molecule = Chem.MolFromSmiles(one["output"])
            assert molecule.GetNumHeavyAtoms() <= 6
            assert not molecule.HasSubstructMatch(Chem.MolFromSmarts("N"))
    rows, summary = predict(tmp_path, "none.jsonl", where="MolWt < 1")
    assert {row["finish_reason"] for row in rows} == {"none"} and {row["output"] for row in rows} == {""}
    assert "not fulfilled: MolWt < 1 (" in rows[0]["message"]
    assert not summary.failures and "3 without an answer that fulfils the conditions" in str(summary)


def test_answers_begin_with_the_prefix(tmp_path: Path) -> None:
    rows, _ = predict(tmp_path, prefix="c1ccccc1", num_return_sequences=2)
    assert all(one["output"].startswith("c1ccccc1") for row in rows for one in row["outputs"])
    source = [{"description": "x", "prompt_answer_prefix": text} for text in ("N", "OC(", "c1cc)", "")]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in source))
    joined, _ = predict(tmp_path, "joined.jsonl", prefix="C")
    assert joined[0]["output"].startswith("CN") and joined[1]["output"].startswith("COC(")
    assert joined[3]["output"].startswith("C")
    rows, summary = predict(tmp_path, "each.jsonl")
    assert rows[0]["output"].startswith("N") and rows[1]["output"].startswith("OC(")
    assert rows[2]["finish_reason"] == "error" and "does not begin any valid answer" in rows[2]["message"]
    assert is_molecule(rows[3]["output"]) and len(summary.failures) == 1


def test_molecules_in_texts_obey_the_rule(tmp_path: Path) -> None:
    rows = [{"smiles": text} for text in ("CCO", "c1ccccc1", "CC(=O)N")]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, _ = predict(tmp_path, task="smiles2text", valid="require", max_new_tokens=12)
    assert len(found) == 3 and all(row["output"] for row in found)


def test_proteins_and_rna_have_their_letters_and_lengths(tmp_path: Path) -> None:
    task = tmp_path / "rna.yaml"
    task.write_text(
        "name: rna\nfields: {description: {kind: text}, sequence: {kind: rna}}\nquestion: 'RNA: {description}'\n"
        "answer: '{sequence}'\noutput: {kind: rna}\n"
    )
    rows, _ = predict(tmp_path, task=str(task), reading_frame="coding", min_sequence_length=9)
    for row in rows:
        assert set(row["output"]) <= set("ACGU") and len(row["output"]) % 3 == 0 and len(row["output"]) >= 9
        assert row["output"].startswith("AUG") and row["output"][-3:] in ("UAA", "UAG", "UGA")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"where": "MolWeight < 500"}, r"where: column 1 .*'MolWeight'.*MolWt"),
        ({"where": "has('C(')"}, "where: column 7"),
        ({"where": "__import__('os').system('true') == 0"}, "where: column"),
        ({"rank_by": "MolWeight", "num_beams": 2}, "rank_by is likelihood, votes, or a number"),
        ({"rank_by": "MolWt < 5", "num_beams": 2}, "rank_by is likelihood, votes, or a number"),
        ({"prefix": "c1ccc)"}, "does not begin any valid answer"),
        ({"prefix": "Cµ"}, "prefix"),
        ({"repetition_penalty": 1.3}, "repetition_penalty"),
        ({"num_return_sequences": 5, "num_beams": 4}, "at most num_beams"),
        ({"num_return_sequences": 5, "do_sample": True, "samples_per_prompt": 4}, "at most samples_per_prompt"),
        ({"num_beams": 4, "do_sample": True}, "exclude each other"),
        ({"length_penalty": 0.5}, "acts only with more than one beam"),
        ({"num_beams": 4, "num_beam_groups": 3}, "must divide"),
        ({"samples_per_prompt": 4}, "acts only with do_sample"),
        ({"rank_by": "votes"}, "needs several answers"),
        ({"reading_frame": "open"}, "reading_frame: only answers that are proteins"),
        ({"min_sequence_length": 5, "valid": "none"}, "min_sequence_length: only answers that are proteins"),
    ],
)
def test_mistakes_are_reported_in_one_line(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        predict(tmp_path, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"where": "MolWt < 5"}, {"rank_by": "qed"}])
def test_conditions_need_molecules(tmp_path: Path, settings: dict) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"smiles": "CCO"}\n')
    with pytest.raises(ConfigError, match="needs answers that are molecules"):
        predict(tmp_path, task="smiles2text", num_return_sequences=2, **settings)


def test_chosen_answers_are_not_searched_for() -> None:
    rules = read_rules(CODEC, "promoter")
    assert search_for(GenerationSettings(), CODEC, rules) is None
    for name, value in (
        ("num_return_sequences", 2),
        ("num_beams", 4),
        ("reading_frame", "open"),
        ("where", "MolWt < 5"),
    ):
        with pytest.raises(ConfigError, match=f"{name}: answers are chosen"):
            search_for(GenerationSettings(**{name: value}), CODEC, rules)


def test_a_rule_of_ones_own() -> None:
    class Short:
        """Accepts texts of two or three lower-case letters."""

        def accepts_prefix(self, text: str) -> bool:
            return len(text) <= 3 and text.isalpha() and text.islower() if text else True

        def accepts(self, text: str) -> bool:
            return self.accepts_prefix(text) and len(text) >= 2

    settings = GenerationSettings(max_new_tokens=6, num_return_sequences=3)
    search = search_for(settings, CODEC, read_rules(CODEC, None), Short())
    assert search is not None
    toy = DraftingToy(CODEC.vocab_size, max_length=40)
    prompts = [CODEC.encode("Say a word."), CODEC.encode("Say another.")]
    for found in search.answer(toy, prompts, numbers=[0, 1], leads=[(), ()], rows=2):
        texts = [CODEC.decode(answer.ids) for answer in found.answers.found]
        assert texts and all(Short().accepts(text) for text in texts)
