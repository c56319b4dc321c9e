"""WordNet's files are found, and read as NLTK reads Princeton's; a tiny folder contains what both need."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.errors import DataError
from scimind.evaluate.resources.wordnet import find_wordnet, load_wordnet, wordnet_version

LICENCE = "  1 WordNet 9.7 Copyright 2006 by Princeton University.  All rights reserved.  \n"
# Two synsets that share "dog"; the first is a kind of the second. Their offsets are not positions in this file.
NOUNS = (
    "00000100 05 n 02 dog 0 hound 0 001 @ 00000200 n 0000 | an animal that barks  \n"
    "00000200 05 n 02 canine 0 dog 1 001 ~ 00000100 n 0000 | an animal of that family  \n"
)
NOUN_INDEX = (
    "canine n 1 1 ~ 1 0 00000200  \n"
    "dog n 2 2 @ ~ 2 0 00000100 00000200  \n"
    "goose n 1 0 1 0 00000100  \n"
    "hound n 1 1 @ 1 0 00000100  \n"
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder without `lexnames`, like Debian's."""
    for part in ("noun", "verb", "adj", "adv"):
        for kind in (f"data.{part}", f"index.{part}"):
            (tmp_path / kind).write_text(LICENCE)
        (tmp_path / f"{part}.exc").write_text("")
    (tmp_path / "data.noun").write_text(LICENCE + NOUNS)
    (tmp_path / "index.noun").write_text(LICENCE + NOUN_INDEX)
    (tmp_path / "noun.exc").write_text("geese goose\n")
    return tmp_path


def test_synsets_are_found_by_the_offset_that_their_line_states(tiny: Path) -> None:
    reader = load_wordnet(str(find_wordnet(tiny)))
    dogs = reader.synsets("dog")
    assert [synset.lemma_names() for synset in dogs] == [["dog", "hound"], ["canine", "dog"]]
    assert [synset.definition() for synset in dogs] == ["an animal that barks", "an animal of that family"]
    assert dogs[0].hypernyms() == [dogs[1]]
    assert reader.synsets("cat") == []
    assert reader.synsets("dog") is dogs  # looked up once


def test_inflected_words_are_found_by_rule_and_by_exception(tiny: Path) -> None:
    reader = load_wordnet(str(tiny))
    assert reader.synsets("dogs") == reader.synsets("dog")
    assert [synset.offset() for synset in reader.synsets("geese")] == [100]


def test_a_folder_that_lacks_a_file_is_refused(tiny: Path) -> None:
    assert find_wordnet(str(tiny)) == tiny
    (tiny / "adv.exc").unlink()
    with pytest.raises(DataError, match=r"adv\.exc is missing"):
        find_wordnet(tiny)


def test_the_version_is_that_of_the_licence(tiny: Path) -> None:
    assert wordnet_version(tiny) == "9.7"
    (tiny / "data.adj").write_text("00001740 00 a 01 able 0 000 | no licence in front  \n")
    assert wordnet_version(tiny) == "unknown"


def test_wordnet_3_has_its_known_words() -> None:
    folder = find_wordnet()
    if folder is None:
        pytest.skip("no WordNet here; scimind[evaluate] brings it")
    reader = load_wordnet(str(folder))
    # What Princeton's own search shows for WordNet 3.0.
    assert reader.synsets("dog")[0].lemma_names() == ["dog", "domestic_dog", "Canis_familiaris"]
    assert len(reader.synsets("bank")) == 18
    assert {synset.pos() for synset in reader.synsets("bank")} == {"n", "v"}
    goose = [synset.name() for synset in reader.synsets("geese")]
    assert goose == [synset.name() for synset in reader.synsets("goose") if synset.pos() == "n"] and len(goose) == 3
    assert reader.synsets("scimind") == []
