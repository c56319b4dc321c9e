"""The form of a `metrics.json`, checked wherever one is read, since any program may have written it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scimind.config.nodes import Items, Named, Section, Value
from scimind.config.schema import Faults, Node
from scimind.data.tasks.outputs import GROUPS
from scimind.errors import DataError
from scimind.small_files import read_small_json

REMEDY = "give the --output of `scimind evaluate`"

_NUMBER = Value(float, None)
_SCORE = Section(
    {"value": _NUMBER, "low": _NUMBER, "high": _NUMBER, "better": Value(str, ""), "text": Value(str, "")},
    required=("value",),
    open=True,
)
_DETAILS = Section(
    {
        "properties": Named(Section({"f1_protocol": _NUMBER}, open=True)),
        "confusion_matrix": Section(
            {"labels": Items(Value(str)), "counts": Items(Items(Value(int)))}, required=("labels", "counts"), open=True
        ),
        "calibration": Items(
            Section(dict.fromkeys(("from", "to", "items", "confidence", "accuracy"), _NUMBER), open=True)
        ),
    },
    open=True,
)
_PARTS: dict[str, Node] = {
    "format": Value(int),
    "task": Value(str),
    "group": Value(str, choices=tuple(GROUPS)),
    "protocol": Value(str, nullable=True),
    "items": Value(int, low=0),
    "metrics": Named(_SCORE),
    "protocol_values": Named(_NUMBER),
    "not_computed": Named(Value(str)),
    "counts": Named(Value(int)),
    "settings": Value(dict),
    "details": _DETAILS,
    "files": Named(Section({"path": Value(str), "sha256": Value(str)}, required=("path",), open=True)),
    "versions": Named(Value(str)),
}


def read_metrics_file(path: Path) -> dict[str, Any]:
    """Returns the content of a `metrics.json`; parts may be missing, but those that are there have their form.

    Raises:
        DataError: The file is missing, is not a small JSON object, or a part has another form.
    """
    try:
        content = read_small_json(path)
    except FileNotFoundError as error:
        raise DataError(f"no such file; {REMEDY}", path) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error}); {REMEDY}", path) from error
    # Without metrics, for instance, there are no names.
    form = Section({name: node for name, node in _PARTS.items() if content.get(name) != {}}, open=True)
    faults = Faults(form)
    form.check(content, "", faults)
    if not faults:
        faults.extend(_faults_of_tables(content.get("details") or {}))
    if faults:
        raise DataError(f"is not a file of metrics ({faults[0]}); {REMEDY}", path)
    return content


def _faults_of_tables(details: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each table that is not square."""
    matrix = details.get("confusion_matrix") or {"labels": [], "counts": []}
    size = len(matrix["labels"])
    if len(matrix["counts"]) != size or any(len(row) != size for row in matrix["counts"]):
        yield f"details.confusion_matrix must have {size} rows of {size} counts"
