from __future__ import annotations

import difflib

import pytest

from scimind.evaluate.report.texts import (
    common_runs,
    molecule_in,
    readable,
    tagged_molecule_in,
    whole_reaction,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" [INST]: Describe {|C|}{|(|}{|=|}{|O|}{|)|}. [/INST]:", "Describe C(=O)."),
        ("protein <|M|><|K|> and *|A|**|C|*", "protein MK and AC"),
        ("not a form: *A**C*", "not a form: *A**C*"),
        (" [INST]: <<SYS>>\nBe brief.\n<</SYS>>\n\nDescribe {|C|}. [/INST]:", "Be brief.\n\nDescribe C."),
        ("a * b and {|}", "a * b and {|}"),
        ("", ""),
    ],
)
def test_sequences_are_shown_without_the_marks_of_tokens(text, shown):
    assert readable(text) == shown


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        (" [INST]: Describe {|C|}{|C|}{|O|} [/INST]:", "CCO"),
        ("What is <smiles>CCN</smiles>?", "CCN"),
        ("CC(=O)O", "CC(=O)O"),
        ("two words", None),
        ("", None),
        (None, None),
    ],
)
def test_the_molecule_of_a_prompt_is_found(text, smiles):
    assert molecule_in(text) == smiles


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        (" [INST]: Is {|C|}{|C|}{|O|} active? [/INST]:", "CCO"),
        ("Is <smiles>CCN</smiles> active?", "CCN"),
        # A sequence of nucleotides or amino acids, or one of two molecules, would be the wrong picture.
        ("CCCC", None),
        ("Does <protein>CCNS</protein> bind?", None),
        ("Is <smiles>CCN</smiles> like <smiles>CCO</smiles>?", None),
        (None, None),
    ],
)
def test_a_marked_molecule_is_found_if_it_is_the_only_one(text, smiles):
    assert tagged_molecule_in(text) == smiles


@pytest.mark.parametrize("by_words", [True, False])
@pytest.mark.parametrize(
    ("reference", "output"),
    [
        ("the cat sat on the mat", "a cat lay on  the\tmat"),
        ("CC(=O)Oc1ccccc1", "CC(=O)Nc1ccccc1"),
        ("same", "same"),
        ("ä😀b", "x😀b"),
        ("", "new"),
        ("", ""),
    ],
)
def test_runs_are_common_to_both_and_no_shorter_than_difflib_finds(reference, output, by_words):
    left, right = (words_of(t) if by_words else list(t) for t in (reference, output))
    runs = common_runs(reference, output, by_words=by_words)
    triples = list(zip(runs[::3], runs[1::3], runs[2::3], strict=True))
    assert all(left[a : a + n] == right[b : b + n] and n > 0 for a, b, n in triples)
    assert triples == sorted(triples)
    ends = [(a + n, b + n) for a, b, n in triples]
    assert all(a >= end_a and b >= end_b for (a, b, _), (end_a, end_b) in zip(triples[1:], ends[:-1], strict=True))
    # The remaining parts need no more edits than those that another library leaves.
    theirs = sum(block.size for block in difflib.SequenceMatcher(None, left, right, False).get_matching_blocks())
    edits = max(len(left), len(right)) - sum(n for _, _, n in triples)
    assert edits <= len(left) + len(right) - 2 * theirs
    assert (sum(n for _, _, n in triples) == len(left) == len(right)) == (left == right)


def test_endless_outputs_are_not_compared():
    assert common_runs("a", "a" * 5000, by_words=False) is None


@pytest.mark.parametrize(
    ("asked", "answer", "part", "whole"),
    [
        ("Go <smiles>A.B</smiles>", "C", "products", "A.B>>C"),
        ("Go <smiles>A.B</smiles> <smiles>R</smiles>", "C and more", "products", "A.B>R>C"),
        (" [INST]: Go {|C|}{|O|} [/INST]:", "A.B", "reactants", "A.B>>CO"),
        ("Go <smiles>A>>C</smiles>", "R", "agents", "A>R>C"),
        ("Go <smiles>A</smiles>", "R", "agents", None),
        ("Go", "C", "products", None),
        ("Go <smiles>A</smiles>", " ", "products", None),
        ("Go <smiles>A</smiles>", "C", "", None),
    ],
)
def test_an_answer_completes_a_reaction(asked, answer, part, whole):
    assert whole_reaction(asked, answer, part) == whole
