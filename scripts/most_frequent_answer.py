"""Answers every question with the most frequent answer in the training data: the baseline that a model has to beat.

    python scripts/most_frequent_answer.py train.json test.json frequent.jsonl

The first file is the training data, the second the test data, both conversations written by `scimind prepare`; the
predictions for `scimind evaluate` are written to the third. Among equally frequent answers, the one that shares most
words with a hundred others (mean F1 of words) is used, so that there is a best one even if all answers differ.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scimind.data import Conversation, read_conversations
from scimind.errors import DataError, SciMindError

_COMPARED = 100


def most_frequent(answers: Sequence[str]) -> str:
    """Returns the most frequent answer; see the module for ties. There must be at least one answer."""
    counts = Counter(answers)
    most = max(counts.values())
    tied = sorted(answer for answer, count in counts.items() if count == most)
    if len(tied) == 1:
        return tied[0]
    others = [Counter(answer.split()) for answer in random.Random(0).sample(answers, min(_COMPARED, len(answers)))]
    return max(tied, key=lambda answer: sum(_shared(Counter(answer.split()), other) for other in others))


def _shared(one: Counter[str], other: Counter[str]) -> float:
    """Returns the F1 of the words of two texts, 0 … 1."""
    return 2 * (one & other).total() / max(1, one.total() + other.total())


def _conversations(path: str) -> list[Conversation]:
    found = []
    for conversation in read_conversations(Path(path)):
        if isinstance(conversation, DataError):
            raise conversation
        found.append(conversation)
    return found


def main(paths: list[str]) -> int:
    """Writes the predictions; returns the exit status."""
    if len(paths) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        answer = most_frequent([found.rounds[-1][1] or "" for found in _conversations(paths[0])])
        rows = [
            {"id": found.id, "prompt": found.rounds[-1][0], "output": answer, "reference": found.rounds[-1][1]}
            for found in _conversations(paths[1])
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        Path(paths[2]).write_text(text, encoding="utf-8")
    except (SciMindError, OSError) as error:
        print(f"most_frequent_answer.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
