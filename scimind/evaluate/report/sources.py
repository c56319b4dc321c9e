"""What a page shows in addition to the items, read from files of other commands: metrics, experts, training losses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from scimind.config.nodes import Items, Named, Section, Value
from scimind.config.schema import Faults
from scimind.errors import DataError
from scimind.evaluate.metrics_file import REMEDY, read_metrics_file
from scimind.evaluate.predictions import read_objects
from scimind.evaluate.results import FORMAT
from scimind.hashing import file_checksum
from scimind.modality import MODALITY_NAMES
from scimind.small_files import read_small_json

_PARTS = 50  # of a run, over each of which its loss is averaged

_SHARES = Section(
    {"mean": Items(Value(float), filled=True), "layers": Items(Items(Value(float), filled=True), filled=True)},
    required=("mean", "layers"),
    open=True,
)
_EXPERTS = Section(
    {
        "sizes": Section(
            {name: Value(int, low=1) for name in ("layers", "experts", "neurons_per_expert")},
            required=("layers", "experts", "neurons_per_expert"),
            open=True,
        ),
        "kept": Section(
            {
                "measure": Value(str, ""),
                "tokens": Named(Value(int, low=0)),
                "k": Items(Value(int, low=1), filled=True),
                **{name: Named(_SHARES) for name in ("partition", "random", "use")},
            },
            required=("tokens", "k", "partition", "random"),
            open=True,
        ),
    },
    required=("sizes", "kept"),
    open=True,
)


def read_metrics(path: Path) -> dict[str, Any]:
    """Returns the content of a `metrics.json`.

    Raises:
        DataError: The file is missing, malformed, or was not written by `scimind evaluate`.
    """
    content = read_metrics_file(path)
    needed = (
        *("format", "task", "group", "protocol", "items", "metrics", "protocol_values", "not_computed", "counts"),
        *("settings", "details", "files", "versions"),
    )
    if any(key not in content for key in needed):
        raise DataError(f"holds no metrics; {REMEDY}", path)
    if content["format"] != FORMAT:
        raise DataError(f"has format {content['format']}, but this version reads {FORMAT}; evaluate again", path)
    return content


def check_file(metrics: dict[str, Any], path: Path, name: str, file: Path) -> None:
    """Checks that a file has the content from which metrics were computed.

    Args:
        metrics: The content of a `metrics.json`.
        path: Path of the `metrics.json`.
        name: The file's role in the metrics, such as `predictions`.
        file: The file.

    Raises:
        DataError: The file's content differs, or it is missing.
    """
    try:
        checksum = file_checksum(file)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give the --{name} that were evaluated", file) from error
    if metrics["files"].get(name, {}).get("sha256") != checksum:
        raise DataError(f"was not computed from {file} as it is now; evaluate again", path)


def read_rows(path: Path, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the rows of a table of items.

    Args:
        path: The `--items` of `scimind evaluate`, `.jsonl`.
        metrics: The metrics that belong to it.

    Raises:
        DataError: The file is missing or malformed, has another number of rows, or is not a `.jsonl` file.
    """
    if path.suffix != ".jsonl":
        raise DataError("a report reads the table of items as .jsonl; evaluate again with --items FILE.jsonl", path)
    rows = []
    for number, row in read_objects(path):
        texts = [row.get(name) for name in ("input", "reference", "output")]
        answers = row.get("answers") or []
        has_texts = all(text is None or isinstance(text, str) for text in texts)
        if "id" not in row or not has_texts or not (isinstance(answers, list) and all(map(_is_answer, answers))):
            reason = "is not the row of an item; give the --items of `scimind evaluate`"
            raise DataError(reason, path, number, json.dumps(row))
        rows.append(row)
    items = metrics["items"]
    if len(rows) != items:
        reason = f"has {len(rows)} rows, but the metrics are of {items} items; give files of the same evaluation"
        raise DataError(reason, path)
    return rows


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("output"), str) and isinstance(value.get("read", ""), str)


def read_experts(path: Path) -> dict[str, Any]:
    """Returns a report of `scimind experts report` or `build` with data that a page can show.

    Raises:
        DataError: The file is missing or malformed, or has no shares of activation by modality and layer.
    """
    content = _read_json(path, "the --output of `scimind experts report`")
    if not isinstance(content.get("kept"), dict):
        raise DataError(
            "has no activation by modality; write it with `scimind experts report --data FILE --output FILE`", path
        )
    faults = Faults(_EXPERTS)
    checked: dict[str, Any] = _EXPERTS.check(content, "", faults)
    if not faults:
        faults.extend(_faults_of_shares(checked["kept"], checked["sizes"]))
    if faults:
        raise DataError(f"is not a report on experts ({faults[0]}); write it with `scimind experts report`", path)
    return checked


def _faults_of_shares(kept: dict[str, Any], sizes: dict[str, int]) -> Iterator[str]:
    """Yields a sentence for each modality whose shares a page cannot show."""
    widths = {"partition": len(kept["k"]), "random": len(kept["k"]), "use": sizes["experts"]}
    for part, width in widths.items():
        for name, shares in kept.get(part, {}).items():
            if name not in MODALITY_NAMES:
                yield f"kept.{part} has a modality {name}"
            elif not shares["layers"] or any(len(row) != width for row in (shares["mean"], *shares["layers"])):
                yield f"kept.{part}.{name} must have {width} shares in each layer"
    if kept["partition"].keys() - kept["random"].keys():
        yield "kept.random lacks a modality of kept.partition"


def read_training_losses(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Returns the points (step, loss in nats) by name of a run's `loss.csv`, or of the one in a folder.

    Raises:
        DataError: The file is missing or holds no losses.
    """
    from scimind.runtime.loss_curve import moving_mean, read_loss_table

    table = path / "loss.csv" if path.is_dir() else path
    if not table.is_file():
        raise DataError("no such file; give the loss.csv of a training run", table)
    records = read_loss_table(table)
    trained = [(float(record.step), record.loss) for record in records if record.loss == record.loss]
    evaluated = [(float(record.step), record.evaluation.loss) for record in records if record.evaluation]
    if not trained and not evaluated:
        raise DataError("holds no losses; give the loss.csv of a training run", table)
    means = moving_mean([loss for _, loss in trained], _PARTS)
    named = {
        "each step": trained,
        "moving mean": [(step, mean) for (step, _), mean in zip(trained, means, strict=True)],
        "evaluation": evaluated,
    }
    return {name: points for name, points in named.items() if points}


def read_answer_scores(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Returns the points (step, value) by name of the scores of answers that a run's evaluations generated.

    Args:
        path: A `loss.csv` that `read_training_losses` has read, or its folder.
    """
    from scimind.runtime.loss_curve import answer_scores, read_loss_table

    return answer_scores(read_loss_table(path / "loss.csv" if path.is_dir() else path))


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """Returns the published results of other models, with their source."""
    return dict(json.loads(files(__package__).joinpath("published.json").read_text(encoding="utf-8")))


def _read_json(path: Path, what: str) -> dict[str, Any]:
    try:
        return read_small_json(path)
    except FileNotFoundError as error:
        raise DataError(f"no such file; give {what}", path) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error}); give {what}", path) from error
