"""A run over many prompts: batches, rows, summary, and the record of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.errors import CheckpointError, DataError
from scimind.generate.answer_rules import AnswerRules
from scimind.generate.choices import Choices
from scimind.generate.predictor import Predictor, plan_batches
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.generate.provenance import checkpoint_digest, run_notes
from scimind.generate.settings import GenerationSettings
from scimind.tokenizer import TokenCodec
from tests.support.toys import CachedToy

CODEC = TokenCodec()
SETTINGS = GenerationSettings(max_new_tokens=12, batch_size=4)
LINES = [f"Question {'very ' * (number * 7 % 11)}{number}?" for number in range(37)]
LINES[5] = ""
LINES[9] = "long " * 60


def toy(**more) -> CachedToy:
    return CachedToy(CODEC.vocab_size, **{"max_length": 64, **more})


def run(tmp_path, output="x.jsonl", settings=SETTINGS, lines=LINES, decoder=None, **more):
    source = tmp_path / "prompts.txt"
    source.write_text("\n".join(lines) + "\n")
    path = tmp_path / output
    notes = run_notes(settings, CODEC.fingerprint(), None)
    predictor = Predictor(decoder or toy(), CODEC, settings)
    return predictor.predict_file(encode_prompts(CODEC, read_prompts(source)), path, notes, **more)


def rows_of(path: Path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_prompt_is_answered_once_in_order_and_failures_are_reported(tmp_path):
    summary = run(tmp_path)
    assert summary.failures[0] == "prompt 6: the prompt is empty" and len(summary.failures) == 2
    assert summary.failures[1].startswith("prompt 10: prompt length (")
    assert summary.complaint() == (
        f'2 of 37 prompts could not be answered (see "finish_reason": "error" in {tmp_path / "x.jsonl"}): '
        "prompt 6: the prompt is empty"
    )
    rows = rows_of(tmp_path / "x.jsonl")
    assert [row["id"] for row in rows] == [str(number) for number in range(1, 38)]
    assert [row["id"] for row in rows if row["finish_reason"] == "error"] == ["6", "10"]
    assert rows[5]["message"] == "the prompt is empty" and "seq_length (64)" in rows[9]["message"]
    assert rows[5]["output"] == rows[9]["output"] == ""
    for row, line in zip(rows, LINES, strict=True):
        assert line.strip() in row["prompt"]
        if row["finish_reason"] != "error":
            assert list(row) == ["id", "prompt", "output", "finish_reason", "prompt_tokens", "output_tokens"]
            assert row["prompt_tokens"] == len(CODEC.encode(row["prompt"]))
    assert sum(summary.reasons.values()) == summary.total == 37
    assert summary.reasons["error"] == 2
    assert "37 prompts" in str(summary) and "2 failed" in str(summary) and str(tmp_path / "x.jsonl") in str(summary)


def test_a_text_file_has_a_line_per_prompt(tmp_path):
    run(tmp_path)
    run(tmp_path, "x.txt")
    lines = (tmp_path / "x.txt").read_text("utf-8").removesuffix("\n").split("\n")
    assert lines == [row["output"].replace("\r", "\n").replace("\n", "\\n") for row in rows_of(tmp_path / "x.jsonl")]
    assert len(lines) == 37 and lines[5] == lines[9] == ""
    again = run(tmp_path, "x.txt")
    assert again.continued == 37 and len(again.failures) == 2
    assert json.loads((tmp_path / "x.txt.run.json").read_text())["failures"] == again.failures
    assert "(empty lines in " in again.complaint()


@pytest.mark.parametrize("choices", [None, Choices.encode(CODEC, ["It is.", "It is not."])])
def test_faulty_rows_keep_their_place_also_when_a_run_continues(tmp_path, choices):
    source = tmp_path / "molecules.csv"
    source.write_text(
        "id,smiles,caption\n" + "".join(f"m{n},{'C' * n or 'C1CC'},No {n}.\n" for n in (1, 0, 2, 3, 4, 5))
    )
    prompts = encode_prompts(CODEC, read_prompts(source, "smiles2text"))
    predictor = Predictor(toy(max_length=128), CODEC, GenerationSettings(max_new_tokens=4, batch_size=2), None)
    predictor.rules = AnswerRules(choices=choices)
    whole = predictor.predict_file(prompts, tmp_path / "whole.jsonl", {})
    rows = rows_of(tmp_path / "whole.jsonl")
    assert [row["id"] for row in rows] == ["m1", "m0", "m2", "m3", "m4", "m5"]
    assert [row["finish_reason"] == "error" for row in rows] == [False, True, False, False, False, False]
    assert rows[1]["message"].startswith("line 3: RDKit") and rows[1]["reference"] == "No 0."
    assert "C1CC" in rows[1]["prompt"] and rows[1]["output"] == "" and rows[1]["prompt_tokens"] == 0
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join((tmp_path / "whole.jsonl").read_bytes().splitlines(True)[:3]))
    (tmp_path / "x.jsonl.run.json").write_text('{"complete": false}')
    summary = predictor.predict_file(prompts, path, {})
    assert summary.continued == 3 and summary.failures == whole.failures == [f"prompt m0: {rows[1]['message']}"]
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("do_sample", [False, True])
def test_batches_do_not_change_answers(tmp_path, do_sample):
    outputs = []
    for size in (1, 4, 16):
        settings = GenerationSettings(max_new_tokens=12, batch_size=size, do_sample=do_sample)
        run(tmp_path, f"{size}.jsonl", settings)
        outputs.append((tmp_path / f"{size}.jsonl").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]


def test_equal_prompts_get_different_samples(tmp_path):
    run(tmp_path, settings=GenerationSettings(max_new_tokens=12, do_sample=True), lines=["Same?"] * 8)
    assert len({row["output"] for row in rows_of(tmp_path / "x.jsonl")}) > 4


def test_one_batch_size_for_the_whole_run(tmp_path):
    model = toy()
    run(tmp_path, decoder=model)
    assert {shape[0] for shape in model.shapes} == {4}
    model = toy()
    run(tmp_path, "few.jsonl", decoder=model, lines=LINES[:2])
    assert {shape[0] for shape in model.shapes} == {2}


def test_a_complete_run_does_not_call_the_model(tmp_path):
    run(tmp_path)
    model = toy()
    summary = run(tmp_path, decoder=model)
    assert model.shapes == [] and summary.continued == 37
    assert "37 already written" in str(summary)
    assert len(summary.failures) == 2  # the file has them, whichever run wrote them


def test_other_settings_are_refused_and_another_batch_size_is_not(tmp_path):
    run(tmp_path)
    with pytest.raises(DataError, match="max_new_tokens was 12 and is 5"):
        run(tmp_path, settings=GenerationSettings(max_new_tokens=5, batch_size=4))
    run(tmp_path, settings=GenerationSettings(max_new_tokens=12, batch_size=2))
    run(tmp_path, settings=GenerationSettings(max_new_tokens=5, batch_size=4), overwrite=True)
    assert max(row["output_tokens"] for row in rows_of(tmp_path / "x.jsonl")) == 5


def test_an_interrupt_keeps_what_is_written_and_says_so(tmp_path, capsys):
    class Interrupted(CachedToy):
        def prefill(self, ids, lengths):
            if len([shape for shape in self.shapes if len(shape) == 2]) == 9:
                raise KeyboardInterrupt
            return super().prefill(ids, lengths)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, decoder=Interrupted(CODEC.vocab_size, max_length=64))
    written = len(rows_of(tmp_path / "x.jsonl"))
    assert 30 <= written < 37
    assert f"Interrupted: {written} of 37 predictions are in" in capsys.readouterr().err
    assert run(tmp_path).continued == written
    run(tmp_path, "whole.jsonl")
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_plan_has_every_prompt_once_and_similar_lengths_together():
    lengths = [(number * 37) % 50 + 1 for number in range(103)]
    lengths[3], lengths[70] = 0, 64
    batches = plan_batches(lengths, 4, 64, window_batches=3)
    assert sorted(index for batch in batches for index in batch) == list(range(103))
    assert all(len(batch) <= 4 for batch in batches)
    assert [3] in batches and [70] in batches
    for batch in batches:
        assert len({index // 12 for index in batch}) == 1  # a batch does not leave its window
    windows = [min(batch) // 12 for batch in batches]
    assert windows == sorted(windows)

    def spread(plan):
        return sum(max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in plan)

    assert spread(batches) < spread([range(start, min(start + 4, 103)) for start in range(0, 103, 4)]) / 2


def test_a_checkpoint_is_known_by_its_content(tmp_path):
    file = tmp_path / "a.ckpt"
    file.write_bytes(b"weights")
    first = checkpoint_digest(file)
    file.write_bytes(b"weighed")
    assert checkpoint_digest(file) != first
    file.write_bytes(b"weights")
    assert checkpoint_digest(file) == first
    with pytest.raises(CheckpointError, match="check load_checkpoint"):
        checkpoint_digest(tmp_path / "none.ckpt")
