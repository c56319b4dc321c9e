"""Lines do not depend on where the blocks of a file end; backslashes are repaired."""

import pytest

from scimind.data.formats.text_files import lines_of, repair_backslashes


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_long_lines_are_cut_wherever_blocks_end(block):
    text = "ab\n" + "x" * 20 + "\n\ncd\n" + "y" * 9
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    assert list(lines_of(blocks, 5)) == ["ab", "x" * 6, "", "cd", "y" * 6]
    assert list(lines_of(blocks)) == text.split("\n")


@pytest.mark.parametrize(
    ("smiles", "expected", "count"),
    [
        ("C/C=C\\C", "C/C=C\\C", 0),
        ("C/C=C\\\\C", "C/C=C\\C", 1),
        ("\\\\C=C\\\\", "\\C=C\\", 2),
        ("C\\\\\\\\C", "C\\C", 1),
    ],
)
def test_repair_backslashes(smiles, expected, count):
    assert repair_backslashes(smiles) == (expected, count)
