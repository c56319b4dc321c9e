"""Finding and checking MindRecord files before any expensive work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scimind.errors import DataError
from scimind.small_files import read_small_json

COLUMNS = ("input_ids", "labels")
_NAME = re.compile(r"mindrecord\d*$")
# A vocabulary that is too small shows up early; reading all of a large corpus would take minutes.
_MOST_RECORDS_READ = 20_000


def data_paths(tree: Mapping[str, Any], key: str) -> dict[str, list[str]]:
    """Returns the paths of a data set by name, from MindFormers' two keys; the folder comes first.

    MindFormers has no names: data without them gets the name "".

    Args:
        tree: A run's configuration.
        key: `train_dataset` or `eval_dataset`.
    """
    loader = tree.get(key, {}).get("data_loader", {}) if isinstance(tree.get(key), Mapping) else {}
    given = loader.get("dataset_dir") or loader.get("dataset_files") or []
    named = given if isinstance(given, Mapping) else {"": given}
    return {
        str(name): [paths] if isinstance(paths, str) else [str(path) for path in paths] for name, paths in named.items()
    }


def find_records(path: str | Path, key: str) -> list[Path]:
    """Returns the MindRecord files at a path, sorted; MindFormers finds them by the same rule.

    Args:
        path: A file or a folder, searched with its subfolders.
        key: The setting that gave the path, for error messages.

    Raises:
        DataError: There are no such files.
    """
    given = Path(path).expanduser()
    if not given.exists():
        raise DataError(f"{key} ({path}) does not exist; make it with `scimind prepare`")
    if given.is_file():
        if not _NAME.search(given.name):
            raise DataError(f"{key} ({path}) is not a MindRecord file; make one with `scimind prepare`")
        files = [given]
    else:
        files = sorted(file for file in given.rglob("*") if file.is_file() and _NAME.search(file.name))
        if not files:
            raise DataError(f"{key} ({path}) contains no .mindrecord file; make one with `scimind prepare`")
    for file in files:
        if not file.with_name(file.name + ".db").is_file():
            raise DataError(
                f"{key}: {file.name}.db is missing next to {file}; a MindRecord is both files, copy them together"
            )
    return files


def check_preparation(files: list[Path], key: str, fingerprint: str | None, *, packed: bool) -> None:
    """Checks that a data set was prepared for the model, as far as this is known.

    Args:
        files: The MindRecord files; the `.summary.json` that `scimind prepare` writes next to them specifies the
            tokenizer and whether rows hold several records.
        key: The setting that gave them, for error messages.
        fingerprint: The fingerprint of the model's tokenizer; None if unknown.
        packed: Whether the model keeps the records of a row separate. Rows of one record do not need this.

    Raises:
        DataError: The tokenizers differ, so that ids would have other meanings, or records would attend to each other.
    """
    for file in files:
        for summary in file.parent.glob("*.summary.json"):
            try:
                content = read_small_json(summary)
                if file.name not in content["files"]:
                    continue
                made_with, is_packed = content["tokenizer"]["fingerprint"], content.get("packed", False)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if fingerprint and made_with != fingerprint:
                raise DataError(
                    f"{key} was prepared with a tokenizer ({made_with}) other than the model's ({fingerprint}); "
                    "prepare it again, or give the tokenizer in processor.tokenizer",
                    file,
                )
            if is_packed and not packed:
                raise DataError(
                    f"{key} was prepared with --pack, and model.model_config.packed (False) would let its records "
                    "attend to each other; set it to True",
                    file,
                )


def check_records(files: list[Path], key: str, *, seq_length: int, vocab_size: int, batch_size: int = 1) -> int:
    """Reads a data set and checks that a model can be trained on it.

    Args:
        files: The MindRecord files.
        key: The setting that gave them, for error messages.
        seq_length: s; a record has s + 1 tokens.
        vocab_size: Token ids must be below it.
        batch_size: Minimum number of records.

    Returns:
        The number of records.

    Raises:
        DataError: The data set is empty or damaged, lacks a column, has the wrong length, a token id that the model has
            no row for, or no token of an answer.
    """
    from mindspore.dataset import MindDataset

    where = files[0] if len(files) == 1 else files[0].parent
    names = [str(file) for file in files]
    with _unreadable_is_reported(key, where):
        data = MindDataset(names, shuffle=False)
        records, columns = data.get_dataset_size(), data.get_col_names()
    if records == 0:
        raise DataError(f"{key} has no records; make it again with `scimind prepare`", where)
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        raise DataError(f"{key} has no column {' and '.join(lacking)} (it has {', '.join(columns)})", where)
    if records < batch_size:
        raise DataError(
            f"{key} has {records} records, fewer than batch_size ({batch_size}); lower runner_config.batch_size",
            where,
        )
    answers = 0
    with _unreadable_is_reported(key, where):
        data = MindDataset(
            names, columns_list=list(COLUMNS), shuffle=False, num_samples=min(records, _MOST_RECORDS_READ)
        )
        rows = data.create_tuple_iterator(num_epochs=1, output_numpy=True)
        for number, (input_ids, labels) in enumerate(rows, start=1):
            highest = int(max(np.max(input_ids), np.max(labels)))
            fault = _fault_of_row(input_ids, labels, highest, seq_length, vocab_size)
            if fault:
                raise DataError(f"{key}: record {number} has {fault}", where)
            answers += int(np.count_nonzero(labels[1:] >= 0))
    if answers == 0:
        raise DataError(f"{key} has no answers: every label is ignored; prepare the data again", where)
    return int(records)


def _fault_of_row(
    input_ids: np.ndarray, labels: np.ndarray, highest: int, seq_length: int, vocab_size: int
) -> str | None:
    """Returns what is wrong with a record and what to do, or None for a good one."""
    if len(input_ids) != seq_length + 1 or labels.shape != input_ids.shape:
        return (
            f"{len(input_ids)} tokens and {len(labels)} labels, seq_length ({seq_length}) needs {seq_length + 1}; set "
            f"model.model_config.seq_length to {len(input_ids) - 1} or prepare the data again"
        )
    if highest >= vocab_size or int(np.min(input_ids)) < 0:
        return (
            f"token id {highest if highest >= vocab_size else int(np.min(input_ids))}, model.model_config.vocab_size "
            f"({vocab_size}) allows 0 to {vocab_size - 1}; use the tokenizer's vocab_size"
        )
    return None


@contextmanager
def _unreadable_is_reported(key: str, where: Path) -> Iterator[None]:
    """Turns MindSpore's error for a file that is truncated or not a MindRecord into a DataError."""
    try:
        yield
    except DataError:
        raise
    except (RuntimeError, ValueError, TypeError) as error:
        lines = str(error).strip().splitlines()
        reasons = (
            [line.removeprefix("[ERROR] ") for line in lines if line.startswith("[ERROR]")] or lines or ["unknown"]
        )
        raise DataError(
            f"{key} cannot be read as MindRecord ({reasons[0][:120].strip()}); make it again with `scimind prepare`",
            where,
        ) from error
