"""Prompts have the same ids in training and in prediction, and only answers are labels."""

import json

import pytest

from scimind.data import Conversation, Round, encode_conversation, encode_prompt, render_prompt
from scimind.data.encode.rendering import IGNORED_LABEL, split_system, with_system
from scimind.errors import SciMindError, TokenError
from scimind.tokenizer import TokenCodec
from tests.support.shared import shared_file

ROUNDS = [
    ("Please describe the molecule: <smiles>C/C=C\\C</smiles>", "The molecule is an alkene."),
    ("Which one is it? ", " <smiles>CC=CC</smiles> or \\<smiles>  a tag"),
    ("{|C|}{|O|}", "Methanol (methyl alcohol), über, 甲醇"),
    ("A protein\n<protein>MKV</protein>\n", "<dna>ACGT</dna> and <rna>ACGU</rna>"),
]


@pytest.fixture(scope="module", params=["built-in", "llama2"])
def any_codec(request, codec):
    if request.param == "built-in":
        return codec
    return TokenCodec(shared_file("data/models/llama2_tokenizer.model"), extension=False)


@pytest.mark.parametrize("question, answer", ROUNDS)
def test_apart_equals_joint(any_codec, question, answer):
    ids, _ = encode_conversation(any_codec, [(question, answer)])
    assert ids == any_codec.encode(f" [INST]: {question} [/INST]: {answer.strip()}", eos=True)


def test_apart_equals_joint_on_the_sample(any_codec, sample):
    for task in ("smiles2text", "text2smiles"):
        for record in json.loads((sample / task / "test.json").read_text(encoding="utf-8")):
            question, answer = (turn["value"] for turn in record["conversation"])
            ids, _ = encode_conversation(any_codec, [(question, answer)])
            assert ids == any_codec.encode(f" [INST]: {question} [/INST]: {answer}", eos=True)


def test_prompt_of_training_is_prompt_of_prediction(codec):
    for number in range(1, len(ROUNDS) + 1):
        asked = [*ROUNDS[: number - 1], (ROUNDS[number - 1][0], None)]
        prompt = encode_prompt(codec, asked)
        ids, _ = encode_conversation(codec, ROUNDS)
        assert ids[: len(prompt)] == prompt
    assert encode_prompt(codec, "x") == codec.encode(render_prompt("x"))


def test_prediction_file_gives_the_prompts_of_training(codec, sample):
    for task in ("smiles2text", "text2smiles"):
        lines = (sample / task / "test_prompts.txt").read_text(encoding="utf-8").splitlines()
        records = json.loads((sample / task / "test.json").read_text(encoding="utf-8"))
        for line, record in zip(lines, records, strict=True):
            expected = encode_prompt(codec, record["conversation"][0]["value"])
            assert codec.encode(line.replace("\\n", "\n")) == expected


SYSTEM = "You know <smiles>C</smiles>.\nBe brief."


def test_a_system_text_is_in_the_first_prompt_as_llama_writes_it(any_codec):
    talk = Conversation("x", tuple(Round(*pair) for pair in ROUNDS), system=f" {SYSTEM}\n")
    first = f" [INST]: <<SYS>>\n{SYSTEM}\n<</SYS>>\n\n{ROUNDS[0][0]} [/INST]:"
    ids, labels = encode_conversation(any_codec, talk)
    prompt = any_codec.encode(first)
    assert ids[: len(prompt)] == prompt == encode_prompt(any_codec, ROUNDS[0][0], SYSTEM)
    assert set(labels[: len(prompt)]) == {IGNORED_LABEL}
    plain, _ = encode_conversation(any_codec, ROUNDS)
    later = len(plain) - len(encode_prompt(any_codec, ROUNDS[0][0]))
    assert ids[-later:] == plain[-later:]


def test_without_a_system_text_nothing_changes(codec):
    talk = Conversation("x", tuple(Round(*pair) for pair in ROUNDS), system=" \n")
    assert encode_conversation(codec, talk) == encode_conversation(codec, ROUNDS)
    assert encode_prompt(codec, "x", "") == codec.encode(" [INST]: x [/INST]:") != encode_prompt(codec, "x", "y")


@pytest.mark.parametrize("question", ["q", "<<SYS>> q", "q\n<</SYS>>\n\nr"])
def test_a_system_text_comes_back_out_of_a_question(question):
    assert split_system(with_system(question, "a\nb")) == (question, "a\nb")
    assert split_system(question) == (question, "")


def test_position_of_a_fault_is_that_in_the_system_text(codec):
    with pytest.raises(TokenError, match="at position 10 has no token"):
        encode_prompt(codec, "q", "x <smiles>!</smiles>")


def test_labels_are_answers_with_their_ends(codec):
    ids, labels = encode_conversation(codec, Conversation("x", tuple(Round(*pair) for pair in ROUNDS)))
    assert len(ids) == len(labels)
    assert ids[0] == codec.bos_id
    assert ids.count(codec.bos_id) == 1
    assert ids.count(codec.eos_id) == len(ROUNDS)
    assert all(label in (IGNORED_LABEL, index) for index, label in zip(ids, labels, strict=True))
    learnt = [label for label in labels if label != IGNORED_LABEL]
    assert learnt == [i for _, answer in ROUNDS for i in codec.encode(answer.strip(), bos=False, eos=True)]


def test_loss_on_prompt(codec):
    ids, labels = encode_conversation(codec, ROUNDS, loss_on_prompt=True)
    assert labels == [IGNORED_LABEL, *ids[1:]]


def test_spelled_tokens_and_tags_are_the_same(codec):
    assert encode_prompt(codec, "Describe {|C|}{|O|}") == encode_prompt(codec, "Describe <smiles>CO</smiles>")


def test_position_of_a_fault_is_that_in_the_question(codec):
    with pytest.raises(TokenError, match="at position 10 has no token"):
        encode_prompt(codec, "x <smiles>!</smiles>")


@pytest.mark.parametrize("rounds", [[], [("q", "a")], [("q", None), ("r", None)]])
def test_a_prompt_ends_in_an_open_question(codec, rounds):
    with pytest.raises(SciMindError, match="leave the last answer out"):
        encode_prompt(codec, rounds)


@pytest.mark.parametrize("rounds", [[], [("q", None)], [("q", None), ("r", "a")]])
def test_nothing_to_learn_without_an_answer(codec, rounds):
    with pytest.raises(SciMindError, match="needs an answer to each question"):
        encode_conversation(codec, rounds)
