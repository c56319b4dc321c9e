"""The questions of prepared evaluation data that a training answers at each evaluation, always the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.train.feed.dataset_checks import COLUMNS
from scimind.train.feed.row_answers import answer_runs


@dataclass(frozen=True)
class Question:
    """A question with its reference answer.

    Attributes:
        ids: What the model reads, from BOS to the last token before the answer.
        reference: The tokens of the answer, without EOS.
        has_end: Whether the labels end with EOS, without which a model does not learn to end its answers.
    """

    ids: tuple[int, ...]
    reference: tuple[int, ...]
    has_end: bool


def read_questions(files: Mapping[str, list[Path]], number: int, limit: int | None, eos_id: int) -> list[Question]:
    """Returns questions from rows at equal distances, the first of each row, in the order of the data.

    Args:
        files: The MindRecord files by name.
        number: Number of rows.
        limit: Only the first rows of each name are used, at most this many.
        eos_id: The token that ends an answer.

    Returns:
        At most `number` questions: rows without one are skipped, such as those of texts without questions.
    """
    from mindspore.dataset import MindDataset, SubsetSampler

    paths = [[str(file) for file in named] for named in files.values()]
    sizes = [min(MindDataset(named, shuffle=False).get_dataset_size(), limit or 2**62) for named in paths]
    places = evenly_spaced(sum(sizes), number)
    questions, start = [], 0
    for named, size in zip(paths, sizes, strict=True):
        rows = places[(places >= start) & (places < start + size)] - start
        start += size
        if len(rows):
            data = MindDataset(named, columns_list=list(COLUMNS), sampler=SubsetSampler(rows.tolist()))
            found: Any = data.create_tuple_iterator(num_epochs=1, output_numpy=True)
            questions += [first_question(input_ids, labels, eos_id) for input_ids, labels in found]
    return [question for question in questions if question is not None]


def evenly_spaced(total: int, number: int) -> NDArray[np.int64]:
    """Returns at most `number` distinct places among `total`, from the first to the last, ascending."""
    return np.unique(np.linspace(0, max(0, total - 1), min(number, total)).round().astype(np.int64))


def first_question(input_ids: Sequence[int], labels: Sequence[int], eos_id: int) -> Question | None:
    """Returns the first question of a row and its answer; None if nothing but BOS is before the first label.

    Args:
        input_ids: [s + 1].
        labels: [s + 1], negative where a token is not part of an answer.
        eos_id: The token that ends an answer.
    """
    runs = answer_runs(np.asarray(labels))
    if not runs or runs[0][0] < 2:
        return None
    start, stop = runs[0]
    answer = [int(label) for label in labels[start:stop]]
    has_end = answer[-1] == eos_id
    reference = tuple(answer[:-1] if has_end else answer)
    return Question(tuple(int(token) for token in input_ids[:start]), reference, has_end) if reference else None
