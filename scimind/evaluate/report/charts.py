"""Figures as SVG whose colours come from the page's style sheet: histograms, curves and scatter plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 36
_BINS = 24
# A few very long outputs must not squeeze all others into one bar.
_SHOWN_SHARE = 0.99
_POINTS = 400
_DOTS = 3000


def histogram(series: Mapping[str, Sequence[float]], label: str, *, unit_range: bool = False) -> Markup:
    """Returns a histogram of one series as bars and of an optional second one as an outline over them.

    Args:
        series: Finite values by name, with at most two names; an empty series is left out.
        label: Label of the horizontal axis.
        unit_range: Whether the axis runs from 0 to 1; otherwise it runs from the smallest value to the 99th percentile,
            and the last bar holds everything above.
    """
    known = {name: np.asarray(values, float) for name, values in series.items() if len(values)}
    if not known:
        return Markup()
    everything = np.concatenate(list(known.values()))
    low, high = (0.0, 1.0) if unit_range else _range(everything)
    is_cut = not unit_range and float(everything.max()) > high
    counts = {
        name: np.histogram(np.clip(values, low, high), bins=_BINS, range=(low, high))[0]
        for name, values in known.items()
    }
    most = max(int(count.max()) for count in counts.values())
    width = (_WIDTH - _LEFT - _RIGHT) / _BINS
    shapes = []
    for place, (name, count) in enumerate(counts.items()):
        tops = [_y(value, 0, most) for value in count]
        if place == 0:
            shapes += [
                f'<rect class="bar" x="{_LEFT + i * width + 0.5:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                f'height="{_HEIGHT - _BOTTOM - top:.1f}"><title>{_bar_title(name, i, value, low, high)}</title></rect>'
                for i, (top, value) in enumerate(zip(tops, count, strict=True))
                if value
            ]
        else:
            steps = "".join(f"V{top:.1f}h{width:.2f}" for top in tops)
            shapes.append(f'<path class="outline" d="M{_LEFT},{_HEIGHT - _BOTTOM}{steps}V{_HEIGHT - _BOTTOM}"/>')
    marks = [(_LEFT + (_WIDTH - _LEFT - _RIGHT) * part, low + (high - low) * part) for part in (0, 0.5, 1)]
    below = [(x, ("≥ " if is_cut and i == 2 else "") + _number(value)) for i, (x, value) in enumerate(marks)]
    beside = [(_y(value, 0, most), _number(value)) for value in (0, most / 2, most)]
    return _figure(shapes, below, beside, label, "items", list(known))


def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str, *, logarithmic: bool = False
) -> Markup:
    """Returns lines over a common axis; the vertical axis starts at 0 unless a value is negative.

    Args:
        lines: Points by name; long lines are thinned out.
        across: Label of the horizontal axis.
        up: Label of the vertical axis.
        logarithmic: Whether the vertical axis is logarithmic; values that are not positive are then left out.
    """
    known = {name: [p for p in points if all(map(math.isfinite, p))] for name, points in lines.items()}
    if logarithmic:
        known = {name: [(x, math.log10(y)) for x, y in points if y > 0] for name, points in known.items()}
    known = {name: points for name, points in known.items() if points}
    if not known:
        return Markup()
    everything = np.array([point for points in known.values() for point in points], float)
    (first, low), (last, high) = everything.min(axis=0), everything.max(axis=0)
    low = low if logarithmic else min(0.0, low)
    high = high if high > low else low + 1
    shapes: list[str] = []
    for place, points in enumerate(known.values()):
        chosen = points[:: max(1, len(points) // _POINTS)]
        chosen = chosen if chosen[-1] == points[-1] else [*chosen, points[-1]]
        steps = "L".join(f"{_x(x, first, last):.1f},{_y(y, low, high):.1f}" for x, y in chosen)
        shapes.append(f'<path class="line line{place}" d="M{steps}"/>')
        if len(chosen) <= _BINS:
            shapes += [
                f'<circle class="dot line{place}" cx="{_x(x, first, last):.1f}" cy="{_y(y, low, high):.1f}" r="2.5"/>'
                for x, y in chosen
            ]
    below = [(_x(value, first, last), _number(value)) for value in sorted({first, (first + last) / 2, last})]
    beside = [(_y(y, low, high), _number(10.0**y if logarithmic else y)) for y in (low, (low + high) / 2, high)]
    return _figure(shapes, below, beside, across, up, list(known), kind="line")


def scatter(points: Sequence[tuple[float, float]], across: str, up: str) -> Markup:
    """Returns dots over two equal axes, with the diagonal on which both values are equal.

    Args:
        points: Finite values (x, y); of more than 3,000 points, evenly spread ones are shown.
        across: Label of the horizontal axis.
        up: Label of the vertical axis.
    """
    if not points:
        return Markup()
    low, high = float(np.min(points)), float(np.max(points))
    rim = (high - low) * 0.04 or 0.5
    low, high = low - rim, high + rim
    shown = points[:: -(-len(points) // _DOTS)]
    side = _WIDTH - _LEFT - _RIGHT
    height = side + _TOP + _BOTTOM

    def place(value: float) -> float:
        return side * (value - low) / (high - low)

    shapes = [f'<path class="diagonal" d="M{_LEFT},{_TOP + side}L{_LEFT + side},{_TOP}"/>']
    shapes += [
        f'<circle class="point" cx="{_LEFT + place(x):.1f}" cy="{_TOP + side - place(y):.1f}" r="3">'
        f"<title>{_number(x)}, {_number(y)}</title></circle>"
        for x, y in shown
    ]
    middle = _TOP + side / 2
    shapes.append(
        f'<text x="11" y="{middle}" text-anchor="middle" transform="rotate(-90 11 {middle})">{escape(up)}</text>'
    )
    ticks = _ticks(low, high)
    below = [(_LEFT + place(value), _number(value)) for value in ticks]
    beside = [(_TOP + side - place(value), _number(value)) for value in ticks]
    return _figure(shapes, below, beside, across, up, [f"{len(points)} items"], height=height, centred=True)


def _figure(
    shapes: Sequence[str],
    below: Sequence[tuple[float, str]],
    beside: Sequence[tuple[float, str]],
    across: str,
    up: str,
    names: Sequence[str],
    kind: str = "bar",
    height: int = _HEIGHT,
    centred: bool = False,
) -> Markup:
    base = height - _BOTTOM
    parts = [f'<path class="axis" d="M{_LEFT},{_TOP}V{base}H{_WIDTH - _RIGHT}"/>']
    for y, text in beside:
        parts.append(f'<path class="grid" d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    parts += shapes
    for place, (x, text) in enumerate(below):
        at_end = not centred and place in (0, len(below) - 1)
        anchor = ("start" if place == 0 else "end") if at_end else "middle"
        parts.append(f'<text x="{x:.1f}" y="{base + 14}" text-anchor="{anchor}">{text}</text>')
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{base + 30}" text-anchor="middle">{escape(across)}</text>'
    )
    title = escape(f"{up} by {across}: {', '.join(names)}")
    keys = Markup("").join(
        Markup('<span class="key {}{}">{}</span> ').format(kind, place, name) for place, name in enumerate(names)
    )
    legend = Markup('<p class="keys">{}</p>').format(keys) if len(names) > 1 else Markup()
    start = f'<svg class="chart" role="img" viewBox="0 0 {_WIDTH} {height}" aria-label="{title}">'
    return Markup(start + "".join(parts) + "</svg>") + legend


def _ticks(low: float, high: float) -> list[float]:
    """Returns three to seven round numbers in a range."""
    step = 10.0 ** math.floor(math.log10(high - low))
    step = next(part for part in (step, step / 2, step / 5) if (high - low) / part >= 3)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(np.quantile(values, _SHOWN_SHARE))
    return (low, high) if high > low else (low, low + 1)


def _bar_title(name: str, place: int, count: int, low: float, high: float) -> Markup:
    step = (high - low) / _BINS
    return escape(f"{name}: {count} from {_number(low + place * step)} to {_number(low + (place + 1) * step)}")


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((value - low) / (high - low) if high > low else 0.5)


def _y(value: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * ((value - low) / (high - low) if high > low else 0)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
