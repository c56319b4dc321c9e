"""Answers read by a task, and choices in files of predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scimind.data import find_task
from scimind.data.tasks.outputs import Output
from scimind.errors import ConfigError, DataError
from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.resampling import Resampling
from scimind.generate.answer_rules import AnswerRules, read_rules
from scimind.generate.choices import Choices
from scimind.generate.predictor import Predictor
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.generate.provenance import run_notes
from scimind.generate.settings import GenerationSettings
from scimind.tokenizer import TokenCodec
from tests.support.toys import CachedToy

CODEC = TokenCodec()


@pytest.mark.parametrize(
    ("task", "text", "output"),
    [
        ("text2smiles", "The molecule is <smiles>CCO</smiles>.", "CCO"),
        ("text2smiles", "<smiles>CCO</smiles> or <smiles>CCN</smiles>", "CCO"),
        ("text2smiles", "<smiles>CCO</smiles>", "CCO"),
        ("text2smiles", "The molecule is CCO", "The molecule is CCO"),  # words, even if they spell a molecule
        ("text2smiles", "<protein>MKV</protein>", "MKV"),
        ("text2smiles", "", ""),
        ("protein_design", "It is <protein>MKV</protein>", "MKV"),
        ("smiles2properties", "b, a, b.", "b, a"),
        ("smiles2text", "A molecule, not <smiles>C</smiles>.", "A molecule, not C."),
        ("moa", "Inhibits all", "Inhibits all"),
    ],
)
def test_answers_are_read_by_the_task(task: str, text: str, output: str) -> None:
    ids = CODEC.encode(text, bos=False)
    assert AnswerRules(find_task(task)).read(CODEC, ids) == output
    assert AnswerRules().read(CODEC, ids) == CODEC.decode(ids)


@pytest.mark.parametrize("sequence", ["GACCA", "GACUA", "GACTA"])
def test_the_task_decides_between_rna_and_dna(sequence: str) -> None:
    task = replace(find_task("protein_design"), output=Output("rna"))
    tag = "dna" if "T" in sequence else "rna"
    assert AnswerRules(task).read(CODEC, CODEC.encode(f"It is <{tag}>{sequence}</{tag}>", bos=False)) == sequence


def test_choices_are_those_of_the_task_or_of_a_file(tmp_path: Path) -> None:
    assert read_rules(CODEC, "promoter").choices == Choices.encode(CODEC, ("yes", "no"))
    for task in ("moa", "smiles2text", None):
        assert read_rules(CODEC, task).choices is None
    path = tmp_path / "mechanisms.txt"
    path.write_text("Inhibits all\n\nOpens a channel\n")
    assert read_rules(CODEC, "moa", path).choices == Choices.encode(CODEC, ("Inhibits all", "Opens a channel"))
    path.write_text("a\nb\na\n")
    with pytest.raises(DataError, match=r"mechanisms.txt:3: choice 'a' is already on line 1"):
        read_rules(CODEC, "moa", path)
    path.write_text("yes\n")
    with pytest.raises(ConfigError, match="at least two"):
        read_rules(CODEC, "moa", path)


def run(tmp_path: Path, rules: AnswerRules, output: str = "x.jsonl", **more) -> list[dict]:
    source = tmp_path / "dna.csv"
    rows = [("ACGT" * (number % 3 + 1), number % 2) for number in range(11)]
    source.write_text("sequence,label\n" + "".join(f"{sequence},{label}\n" for sequence, label in rows))
    settings = GenerationSettings(max_new_tokens=4, batch_size=4)
    notes = run_notes(settings, CODEC.fingerprint(), None, rules)
    prompts = read_prompts(source, "promoter")
    toy = CachedToy(CODEC.vocab_size, max_length=64)
    Predictor(toy, CODEC, settings, rules).predict_file(
        encode_prompts(CODEC, prompts), tmp_path / output, notes, **more
    )
    return [json.loads(line) for line in (tmp_path / output).read_text("utf-8").splitlines()]


def test_a_row_has_the_best_choice_and_all_probabilities(tmp_path: Path) -> None:
    rules = read_rules(CODEC, "promoter")
    rows = run(tmp_path, rules)
    toy = CachedToy(CODEC.vocab_size, max_length=64)
    assert [row["reference"] for row in rows] == ["no", "yes"] * 5 + ["no"]
    for row in rows:
        prompt = CODEC.encode(row["prompt"])
        likelihoods = {}
        for choice in ("yes", "no"):
            likelihoods[choice], ids = 0.0, list(prompt)
            for token in CODEC.encode(choice, bos=False, eos=True):
                values = toy.logits(ids)[: CODEC.vocab_size]
                likelihoods[choice] += values[token] - np.log(np.exp(values).sum())
                ids.append(token)
        assert row["log_likelihoods"] == pytest.approx(likelihoods, abs=1e-9)
        share = 1 / (1 + np.exp(likelihoods["no"] - likelihoods["yes"]))
        assert row["probabilities"] == pytest.approx({"yes": share, "no": 1 - share}, abs=1e-9)
        assert row["output"] == max(likelihoods, key=likelihoods.get)
        assert row["finish_reason"] == "choice"
    # `evaluate` reads the file unchanged.
    metrics = evaluate(EvaluateOptions("promoter", tmp_path / "x.jsonl", resampling=Resampling(0))).metrics["metrics"]
    assert metrics["accuracy"]["value"] == pytest.approx(np.mean([row["output"] == row["reference"] for row in rows]))
    assert metrics["auroc"]["value"] is not None


def test_other_choices_are_another_run(tmp_path: Path) -> None:
    rules = read_rules(CODEC, "promoter")
    before = run(tmp_path, rules)
    assert run(tmp_path, rules) == before
    others = AnswerRules(rules.task, Choices.encode(CODEC, ("yes", "maybe")))
    for other in (others, AnswerRules(rules.task), AnswerRules()):
        with pytest.raises(DataError, match="was written by another run"):
            run(tmp_path, other)
    assert run(tmp_path, others, overwrite=True) != before


def test_the_text_around_a_molecule_is_kept(tmp_path: Path) -> None:
    class Says(CachedToy):
        """Answers with these tokens to any prompt."""

        answer = [*CODEC.encode("It is <smiles>CCO</smiles>.", bos=False), CODEC.eos_id]

        def prefill(self, ids, lengths):
            self.start = lengths
            return self._say(np.zeros(len(ids), int), super().prefill(ids, lengths))

        def step(self, ids, positions):
            return self._say(positions + 1 - self.start, super().step(ids, positions))

        def _say(self, places, logits):
            for row, place in zip(logits, places, strict=True):
                row[self.answer[min(place, len(self.answer) - 1)]] = 1e3
            return logits

    source = tmp_path / "texts.txt"
    source.write_text("an alcohol\n")
    settings = GenerationSettings(max_new_tokens=20)
    for rules, output in ((read_rules(CODEC, "text2smiles"), "CCO"), (AnswerRules(), "It is CCO.")):
        path = tmp_path / f"{len(output)}.jsonl"
        notes = run_notes(settings, CODEC.fingerprint(), None, rules)
        prompts = read_prompts(source, "text2smiles")
        decoder = Says(CODEC.vocab_size, max_length=96)
        Predictor(decoder, CODEC, settings, rules).predict_file(encode_prompts(CODEC, prompts), path, notes)
        row = json.loads(path.read_text())
        assert row["output"] == output
        assert row.get("text") == (None if rules.task is None else "It is CCO.")
