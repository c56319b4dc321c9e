"""The page: renders an evaluation and its additional material with the templates."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scimind._version import __version__
from scimind.evaluate.evaluation import Evaluation
from scimind.evaluate.metrics.registry import LOWER, NEITHER
from scimind.evaluate.report.charts import curves, histogram, scatter
from scimind.evaluate.report.drawing import Drawing
from scimind.evaluate.report.items import ItemTable, column_name
from scimind.evaluate.report.sources import published
from scimind.evaluate.results import without_nan

DRAWINGS = 200
_COMPARED = ("predicted", "measured")
_LARGEST = 10
_NO_HISTOGRAM = ("reference_tokens", "output_tokens")


@dataclass(frozen=True)
class PageOptions:
    """What a page shows in addition to the evaluation.

    Attributes:
        title: Heading of the page.
        drawings: Maximum number of items whose molecules are drawn.
        experts: Content of a report on experts.
        losses: Points of a training run's losses by name.
        workers: Number of processes that draw.
        answers: Points of the scores of answers that the training's evaluations generated, by name.
    """

    title: str
    drawings: int = DRAWINGS
    experts: Mapping[str, Any] | None = None
    losses: Mapping[str, Sequence[tuple[float, float]]] | None = None
    workers: int = 1
    answers: Mapping[str, Sequence[tuple[float, float]]] | None = None


def render_page(evaluation: Evaluation, options: PageOptions) -> str:
    """Returns the self-contained HTML of a report.

    Args:
        evaluation: Metrics and rows of items.
        options: What to show in addition.
    """
    metrics = evaluation.metrics
    table = ItemTable(evaluation.rows, metrics["group"], metrics["settings"].get("part", ""))
    drawings = table.drawings(options.drawings, options.workers)
    script = _file("report.js")
    unit, lengths = table.lengths()
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=format_number, measured=_measured, column=column_name, task=task_name)
    return environment.get_template("report.html").render(
        title=options.title,
        version=__version__,
        metrics=metrics,
        scores=[_score(name, score, metrics) for name, score in metrics["metrics"].items()],
        published=_published(metrics),
        scatter=_scatter(table, metrics),
        largest=_largest_errors(table, drawings),
        histograms=_histograms(table, unit, lengths),
        table=table,
        drawn=len(drawings),
        unscored=len(table.rows) - len(table.rank.numbers) if table.rank else 0,
        experts=options.experts,
        losses=curves(options.losses, "step", "loss per answer token (nats)", logarithmic=True)
        if options.losses
        else None,
        answers=curves(options.answers, "step", "score of generated answers") if options.answers else None,
        style=Markup(_file("report.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=script_json(table.content(drawings)),
    )


def task_name(task: str) -> str:
    """Returns the name of a task, or of its file without folder and endings."""
    return PurePath(task).name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".task")


def script_json(content: Any) -> Markup:
    """Returns compact JSON for a script element: nothing in it can end the element or be read as markup."""
    text = json.dumps(without_nan(content), ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def format_number(value: float | None) -> str:
    """Returns a number as the tables show it: with four decimal places, or fewer for large numbers."""
    if value is None or not math.isfinite(value):
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if value and abs(value) < 0.0001:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def _measured(value: float) -> str:
    return f"{value:.6g}"


def _score(name: str, score: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    arrows = {LOWER: "lower is better", NEITHER: ""}
    low, value, high = span = [score.get(key) for key in ("low", "value", "high")]
    in_unit = all(value is not None and 0 <= value <= 1 for value in span)
    return {
        "name": column_name(name),
        "text": score.get("text", ""),
        "better": arrows.get(score.get("better", NEITHER), "higher is better"),
        "value": value,
        "low": low,
        "high": high,
        "bar": in_unit,
        "theirs": metrics.get("protocol_values", {}).get(name),
    }


def _published(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns published results on the same test set by the same protocol, with this file's; None if there are none."""
    known = published()
    if metrics.get("protocol") != known["protocol"] or metrics["group"] not in known:
        return None
    if metrics["items"] != known["items"]:  # other data, with which the numbers cannot be compared
        return None
    models = known[metrics["group"]]
    names = [name for name in models[0]["values"] if name in metrics["metrics"]]
    if not names:
        return None
    return {
        "names": names,
        "ours": [metrics["metrics"][name]["value"] for name in names],
        "models": [(model["model"], [model["values"][name] for name in names]) for model in models],
        "data": known["data"],
        "source": known["source"],
    }


def _scatter(table: ItemTable, metrics: Mapping[str, Any]) -> tuple[Markup, str] | None:
    """Returns the plot of predicted against measured numbers with its caption; None if there are no such numbers."""
    scores, settings, columns = metrics["metrics"], metrics["settings"], table.by_key
    what, name = ("expected", "expected_rmse") if "expected_rmse" in scores else ("predicted", "rmse")
    if table.group != "regression" or name not in scores or not {"measured", what} <= columns.keys():
        return None
    pairs = zip(columns["measured"].values, columns[what].values, strict=True)
    points = [(x, y) for x, y in pairs if x is not None and y is not None]
    score = scores[name]
    low, high = score.get("low"), score.get("high")
    span = "" if low is None else f" ({format_number(low)} – {format_number(high)})"
    caption = f"RMSE {format_number(score.get('value'))}{span}."
    if "baseline_rmse" in scores and "baseline" in settings:
        caption += f" RMSE of {settings['baseline']}: {format_number(scores['baseline_rmse'].get('value'))}."
    unit = settings.get("unit") or settings.get("scale")
    in_unit = f" ({unit})" if unit else ""
    return scatter(points, f"measured{in_unit}", f"{what}{in_unit}"), caption


def _largest_errors(table: ItemTable, drawings: Mapping[int, Drawing]) -> list[dict[str, Any]]:
    """Returns the numbers that are furthest from their references, with the molecule that was asked about."""
    columns = [table.by_key.get(name) for name in ("measured", "predicted")]
    if table.group != "regression":
        return []
    found = []
    for place in table.worst_first()[:_LARGEST]:
        values = [None if column is None else column.values[place] for column in columns]
        drawing = drawings.get(place)
        picture = Markup(drawing.reference) if drawing is not None and drawing.reference else None
        if None not in values:
            found.append({"id": table.rows[place]["id"], "picture": picture, "values": values})
    return found


def _histograms(table: ItemTable, unit: str, lengths: Mapping[str, list[float]]) -> list[tuple[str, Markup]]:
    found = [(f"Length in {unit}", histogram(lengths, unit))] if lengths else []
    if pair := {name: table.by_key[name].numbers for name in _COMPARED if name in table.by_key}:
        found.append(("Predicted and measured", histogram(pair, "value")))
    for column in table.columns:
        numbers = column.numbers
        if column.key in (*_NO_HISTOGRAM, *_COMPARED) or column.key.endswith(("_tokens", "_loss")):
            continue
        in_unit = column.better != LOWER and all(0 <= value <= 1 for value in numbers)
        name = column_name(column.key)
        found.append((name, histogram({name: numbers}, name, unit_range=in_unit)))
    return [(title, chart) for title, chart in found if chart]


def _file(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")
