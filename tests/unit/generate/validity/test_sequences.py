from itertools import product

import pytest

from scimind.errors import ConfigError
from scimind.generate.validity.sequences import SequenceRule

STOPS = ("TAA", "TAG", "TGA")


def test_letters_and_lengths() -> None:
    rule = SequenceRule("protein", min_length=3, max_length=4)
    assert rule.accepts("MKV") and rule.accepts("MKVL")
    assert not rule.accepts("MK") and not rule.accepts("MKVLL") and not rule.accepts("MK1")
    assert rule.accepts_prefix("MK") and not rule.accepts_prefix("MKVLL") and not rule.accepts_prefix("j")
    assert not SequenceRule("dna").accepts("") and not SequenceRule("dna").accepts("ACGU")
    assert SequenceRule("rna").accepts("ACGU") and not SequenceRule("rna").accepts("ACGT")


def accepted_by_hand(text: str, start: bool, stop: bool, least: int, most: int) -> bool:
    codons = [text[place : place + 3] for place in range(0, len(text), 3)]
    if not least <= len(text) <= most or len(text) % 3 or not codons:
        return False
    if start and codons[0] != "ATG" or stop and codons[-1] not in STOPS:
        return False
    return not any(codon in STOPS for codon in codons[:-1])


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize(("least", "most"), [(1, 6), (4, 7)])
def test_prefixes_and_bounds_of_a_reading_frame_are_exact(start: bool, stop: bool, least: int, most: int) -> None:
    rule = SequenceRule("dna", least, most, reading_frame=True, start_codon=start, stop_codon=stop)
    answers = {
        text
        for length in range(most + 1)
        for text in map("".join, product("ACGT", repeat=length))
        if accepted_by_hand(text, start, stop, least, most)
    }
    shortest: dict[str, int] = {}
    for answer in answers:
        for length in range(len(answer) + 1):
            prefix = answer[:length]
            shortest[prefix] = min(shortest.get(prefix, 99), len(answer) - length)
    for length in range(5):
        for text in map("".join, product("ACGT", repeat=length)):
            assert rule.accepts_prefix(text) == (text in shortest), text
            if text in shortest:
                assert rule.shortest_end(text) == shortest[text], text
                assert [text + ending in answers for ending in rule.closings(text, most)] == [True]
    assert all(map(rule.accepts, answers))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "peptide"}, "kind"),
        ({"kind": "protein", "reading_frame": True}, "only DNA and RNA have a reading frame"),
        ({"kind": "dna", "stop_codon": True}, "need reading_frame"),
        ({"kind": "dna", "min_length": 0}, "min_length"),
        ({"kind": "dna", "min_length": 5, "max_length": 4}, "at least 5"),
        (
            {"kind": "rna", "max_length": 5, "reading_frame": True, "start_codon": True, "stop_codon": True},
            "at least 6",
        ),
    ],
)
def test_settings_that_allow_nothing_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SequenceRule(**settings)
