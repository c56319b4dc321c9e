"""Sequences in the forms found in files: marked, fenced, spaced, in lower case."""

import pytest

from scimind.data.content.sequences import clean_sequence, wrap_text
from scimind.errors import DataError

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see <smiles> CCO </smiles>.", "see <smiles>CCO</smiles>."),
        ("see <smiles>hello world</smiles>", r"see \<smiles>hello world\</smiles>"),
        ("an open <dna> tag and {|C|}", r"an open \<dna> tag and \{|C|}"),
        (f"it is ```\n{PROTEIN}\n``` so", f"it is <protein>{PROTEIN}</protein> so"),
        ("code ```x = 1``` stays", "code ```x = 1``` stays"),
        ("a \\ ```MKV```", "a \\ <protein>MKV</protein>"),
        ("a \\```MKV```", r"a \\<protein>MKV</protein>"),
    ],
)
def test_marks_in_text(codec, text, expected):
    wrapped, _, found = wrap_text(text, "protein")
    assert wrapped == expected and not found
    codec.encode(wrapped)


def test_sequences_in_several_forms():
    assert clean_sequence("dna", "acg cgt gta") == ("ACGTA", "")
    assert clean_sequence("dna", "ACGT ACGT\nAC") == ("ACGTACGTAC", "")
    assert clean_sequence("protein", " mkv* ") == ("MKV", "")
    with pytest.raises(DataError, match="letter 'N' at position 2 is not valid in a dna sequence"):
        clean_sequence("dna", "ACNT")
