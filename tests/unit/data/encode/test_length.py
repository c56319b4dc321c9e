"""Cutting a record leaves molecules and answers whole."""

import pytest

from scimind.data import Conversation, Round, encode_conversation
from scimind.data.encode.length import Fitter
from scimind.errors import SciMindError

LONG = "one two three four five six seven eight nine ten eleven twelve"


def _talk(*texts: str) -> Conversation:
    return Conversation("x", tuple(map(Round, texts[::2], texts[1::2])))


def _length(codec, talk: Conversation) -> int:
    return len(encode_conversation(codec, talk)[0])


def test_a_record_of_the_exact_length_fits(codec):
    talk = _talk(LONG, "yes")
    length = _length(codec, talk)
    for policy in ("drop", "truncate"):
        fitted, found = Fitter(codec, length - 1, policy).fit(talk)
        assert found == length == len(fitted.ids)
        assert not fitted.truncated
        assert fitted.conversation is talk
    assert Fitter(codec, length - 2, "drop").fit(talk) == (None, length)


def test_cut_takes_text_from_the_end_of_the_question(codec):
    talk = _talk(LONG, "the answer")
    length = _length(codec, talk)
    for room in range(length - 12, length - 1):
        fitted, _ = Fitter(codec, room, "truncate").fit(talk)
        question, answer = fitted.conversation.rounds[0]
        assert fitted.truncated
        assert LONG.startswith(question)
        assert answer == "the answer"
        assert len(fitted.ids) <= room + 1
        assert (fitted.ids, fitted.labels) == encode_conversation(codec, fitted.conversation)


@pytest.mark.parametrize(
    "molecule", ["<smiles>CC(=O)Oc1ccccc1C(=O)O</smiles>", "{|C|}{|C|}{|O|}", "<protein>MKV</protein>"]
)
def test_cut_never_enters_a_molecule(codec, molecule):
    sequence = [i for i in codec.encode(molecule, bos=False)]
    for talk in (_talk(f"{LONG} {molecule} {LONG}", "yes"), _talk(f"{LONG} {molecule}", "yes")):
        for room in range(len(sequence) + 3, _length(codec, talk) - 1):
            fitted, _ = Fitter(codec, room, "truncate").fit(talk)
            if fitted is None:
                continue
            assert len(fitted.ids) <= room + 1
            assert molecule in fitted.conversation.rounds[0].question
            assert [i for i in fitted.ids if i in sequence] == sequence
            assert fitted.conversation.rounds[0].answer == "yes"


def test_text_after_a_molecule_is_cut_before_text_in_front_of_it(codec):
    talk = _talk("Look at <smiles>CCO</smiles> and tell me more about it", "yes")
    fitted, _ = Fitter(codec, _length(codec, talk) - 3, "truncate").fit(talk)
    assert fitted.conversation.rounds[0].question.startswith("Look at <smiles>CCO</smiles> and")


def test_oldest_question_is_cut_first(codec):
    talk = _talk(LONG, "a", LONG, "b")
    fitted, _ = Fitter(codec, _length(codec, talk) - 4, "truncate").fit(talk)
    first, second = fitted.conversation.rounds
    assert len(first.question) < len(LONG)
    assert second.question == LONG


def test_both_questions_are_cut_where_one_is_not_enough(codec):
    talk = _talk(LONG, "a", LONG, "b")
    one = _length(codec, _talk(LONG, "a"))
    fitted, _ = Fitter(codec, one + 8, "truncate").fit(talk)
    assert fitted is not None
    assert len(fitted.conversation.rounds[1].question) < len(LONG)
    assert all(question.strip() for question, _ in fitted.conversation.rounds)


@pytest.mark.parametrize("talk", [_talk("Describe <smiles>" + "C" * 60 + "</smiles>", "yes"), _talk("Why", LONG * 5)])
def test_what_cannot_be_cut_is_left_out(codec, talk):
    assert Fitter(codec, 40, "truncate").fit(talk)[0] is None


def test_a_cut_that_would_escape_a_tag_is_not_made(codec):
    for molecule in ("<smiles>CCO</smiles>", "{|C|}{|O|}"):
        talk = _talk(f"\\ {LONG}{molecule}", "yes")
        kept = [Fitter(codec, room, "truncate").fit(talk)[0] for room in range(4, _length(codec, talk))]
        assert any(kept)
        assert not all(kept)
        assert all(codec.encode(molecule, bos=False)[0] in fitted.ids for fitted in kept if fitted)


@pytest.mark.parametrize("length", [0, -5])
def test_length_must_be_positive(codec, length):
    with pytest.raises(SciMindError, match=rf"seq_length \({length}\) must be at least 1"):
        Fitter(codec, length)


def test_unknown_policy(codec):
    with pytest.raises(SciMindError, match="policy .'cut'. must be one of drop, truncate"):
        Fitter(codec, 8, "cut")


def test_the_system_text_is_never_cut(codec):
    system = "You answer in one word. " * 3
    talk = Conversation("x", (Round("Look at <smiles>CCO</smiles> and " + LONG, "yes"),), system=system)
    whole = _length(codec, talk)
    fitted, length = Fitter(codec, whole - 10, "truncate").fit(talk)
    assert fitted.truncated and length == whole and len(fitted.ids) <= whole - 9
    assert fitted.conversation.system == system
    assert (fitted.ids, fitted.labels) == encode_conversation(codec, fitted.conversation)
    short = Conversation("x", (Round("q", "a"),), system=system)
    assert Fitter(codec, _length(codec, short) - 2, "truncate").fit(short)[0] is None
