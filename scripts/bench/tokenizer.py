"""The tokenizer on whole records, against the shortest loop that gives the same ids: a regex and SentencePiece.

The loop only knows the forms of the added tokens, without tags, escapes, offsets or errors that name a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pairs import Pair
from worker import Side, Work

from scimind.tokenizer.tags import FORM_LENGTH, FORM_RUNS

DATA = Path(__file__).parents[2] / "LPM-24-data"
RECORDS = 10_000


def pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields the tokenizer in one process and in two against the loop in one."""
    given = {"records": 20 if smoke else RECORDS}
    theirs = Side("regex and SentencePiece loop, one process", LoopTokens, given)
    for workers, name, at_least in ((1, "one process", 1.0), (2, "two processes", 1.7)):
        ours = Side(f"SciMind, {name}", SciMindTokens, {**given, "workers": workers})
        yield Pair(f"tokenizer, {given['records']:,} records", ours, theirs, at_least, details=given)


def record_texts(records: int, run: int) -> Iterator[str]:
    """Yields rendered records that differ from those of other runs, so that a tokenizer's cache does not help.

    They are the sample's records, alternating between both directions and starting over at its end, each with the
    characters of its molecule rotated and a unique number at its end.

    Args:
        records: Number of records.
        run: Number of the run.
    """
    files = [DATA / task / "train.json" for task in ("smiles2text", "text2smiles")]
    both = zip(*(json.loads(file.read_text(encoding="utf-8")) for file in files), strict=True)
    rounds = [[turn["value"] for turn in record["conversation"]] for pair in both for record in pair]
    texts = [f" [INST]: {question} [/INST]: {answer}" for question, answer in rounds]
    for index in range(run * records, (run + 1) * records):
        turned = FORM_RUNS["smiles"].sub(lambda match: _rotated(match[0], index), texts[index % len(texts)])  # noqa: B023
        yield f"{turned} No. {index}"


def _rotated(molecule: str, by: int) -> str:
    """Returns a molecule's token forms, rotated."""
    forms = [molecule[start : start + FORM_LENGTH] for start in range(0, len(molecule), FORM_LENGTH)]
    cut = by % len(forms)
    return "".join(forms[cut:] + forms[:cut])


class SciMindTokens(Work):
    """`TokenCodec.encode` on each record, or with several processes `TokenCodec.encode_batch` on all records.

    Args:
        records: Number of records.
        workers: Number of processes that encode.
    """

    def __init__(self, records: int, workers: int = 1) -> None:
        from scimind.tokenizer import TokenCodec

        self.codec, self.workers = TokenCodec(), workers
        self.records, self.runs = records, 0
        self.prepare()

    def prepare(self) -> None:
        """Creates the next run's records."""
        self.texts = list(record_texts(self.records, self.runs))
        self.runs += 1

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns all ids, and the number of ids of each record."""
        return ids_and_counts(self._encode())

    def run(self) -> None:
        """Encodes all records."""
        self._encode()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return tokenizer_facts()

    def _encode(self) -> list[list[int]]:
        if self.workers == 1:
            return [self.codec.encode(text) for text in self.texts]
        batch = self.codec.encode_batch(self.texts, workers=self.workers)
        return [row[:length] for row, length in zip(batch.input_ids, batch.lengths, strict=True)]


class LoopTokens(Work):
    """The plain loop.

    Args:
        records: Number of records.
    """

    def __init__(self, records: int) -> None:
        import sentencepiece

        from scimind.tokenizer.alphabet import added_tokens, token_form
        from scimind.tokenizer.codec import BUILT_IN_MODEL

        self.processor = sentencepiece.SentencePieceProcessor(model_file=str(BUILT_IN_MODEL))
        forms = [token_form(*token) for token in added_tokens(True)]
        self.ids = {form: index for index, form in enumerate(forms, self.processor.get_piece_size())}
        self.forms = re.compile("(" + "|".join(map(re.escape, forms)) + ")")
        self.records, self.runs = records, 0
        self.prepare()

    def prepare(self) -> None:
        """Creates the next run's records."""
        self.texts = list(record_texts(self.records, self.runs))
        self.runs += 1

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns all ids, and the number of ids of each record."""
        return ids_and_counts([self._encode(text) for text in self.texts])

    def run(self) -> None:
        """Encodes all records."""
        for text in self.texts:
            self._encode(text)

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return tokenizer_facts()

    def _encode(self, text: str) -> list[int]:
        ids = [self.processor.bos_id()]
        parts = self.forms.split(text)  # text and forms alternate
        last = len(parts) - 1
        for place, part in enumerate(parts):
            if place % 2:
                ids.append(self.ids[part])
                continue
            part = part.lstrip() if place else part
            part = part.rstrip() if place < last else part
            if part:
                ids += self.processor.encode(part)
        return ids


def ids_and_counts(rows: list[list[int]]) -> dict[str, np.ndarray]:
    """Returns rows of ids as two comparable arrays."""
    return {
        "ids": np.array([index for row in rows for index in row], np.int64),
        "counts": np.array([len(row) for row in rows]),
    }


def tokenizer_facts() -> dict[str, str]:
    """Returns the version of SentencePiece, which both sides use."""
    import sentencepiece

    return {"SentencePiece": sentencepiece.__version__}
