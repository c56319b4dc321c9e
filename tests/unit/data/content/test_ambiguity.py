"""Ambiguous letters: refused by name, cut away, or replaced by letters that they may stand for."""

import pytest

from scimind.data.content.ambiguity import BASES, resolve, stretches
from scimind.data.content.sequences import clean_sequence
from scimind.data.defects import LETTER, RecordError

LEFT, RIGHT = "ACGTTGCA" * 2, "TTGACCAGTA" * 3


def test_an_ambiguous_letter_is_refused_with_its_meaning():
    for tag, raw, meaning in [
        ("dna", "ACRT", r"'R' at position 2 .*\(any of A, G\)"),
        ("rna", "ACYU", r"'Y' .*\(any of C, U\)"),
        ("dna", "AC-T", r"'-' .*\(a gap\)"),
        ("protein", "MKJV", r"'J' .*\(leucine or isoleucine\)"),
        ("protein", "MK*V*", r"'\*' at position 2 .*\(a stop\)"),
    ]:
        with pytest.raises(RecordError, match=f"{meaning}; give --ambiguous split or mask") as caught:
            clean_sequence(tag, raw)
        assert caught.value.defect == LETTER
    # The twin: a letter that stands for nothing has no policy.
    for policy in ("drop", "split", "mask"):
        with pytest.raises(RecordError, match="letter 'U' at position 1 is not valid in a dna sequence; correct it"):
            clean_sequence("dna", "AUG", policy)


def test_the_longest_stretch_is_taken():
    text, change = clean_sequence("dna", f"{LEFT}n{RIGHT}", "split")
    assert text == RIGHT and "cut to its letters 18 to 47 of 47" in change
    assert stretches("dna", f"{LEFT}N{RIGHT}") == [(0, LEFT), (17, RIGHT)]
    assert clean_sequence("protein", "MKVX*MK", "split")[0] == "MKVX"
    with pytest.raises(RecordError, match="has 2 letters; give --ambiguous mask"):
        clean_sequence("dna", "ACNTNGN", "split")


def test_a_mask_is_a_letter_that_is_meant():
    for letter, bases in BASES.items():
        drawn = {clean_sequence("dna", f"ACGT{letter}", "mask", seed)[0][-1] for seed in range(40)}
        assert drawn == set(bases)
        assert clean_sequence("rna", f"ACG{letter}", "mask", 3)[0][-1] in bases.replace("T", "U")
    assert clean_sequence("dna", f"{LEFT}NNNN", "mask", 1) == clean_sequence("dna", f"{LEFT}NNNN", "mask", 1)
    assert clean_sequence("dna", "AC-G.T", "mask")[0] == "ACGT"
    assert clean_sequence("protein", "MJ*K", "mask")[0] == "MXXK"


@pytest.mark.parametrize("policy", ["drop", "split", "mask"])
def test_letters_with_tokens_are_kept(policy):
    assert resolve("protein", "MXBZUO-.K", policy, 0) == ("MXBZUO-.K", "")
    assert clean_sequence("dna", "acgt", policy) == ("ACGT", "")
