"""Draws docs/images/architecture.svg: tokens by modality, the routing plan, and experts as strips of a feed-forward.

python scripts/docs/architecture.py
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TARGET = Path(__file__).parents[2] / "docs" / "images" / "architecture.svg"
WIDTH, HEIGHT = 1040, 566
EXPERTS = 16

# By modality: its name in the picture, its experts (the nano model's), its colour in light and in dark mode.
MODALITIES = {
    "text": ("text", range(0, 8), "#2f6db5", "#6aa5e8"),
    "smiles": ("SMILES", range(8, 16), "#c8690f", "#f0a04b"),
    "nucleotide": ("DNA, RNA", range(8, 16), "#2c8a57", "#5fc592"),
    "protein": ("protein", range(8, 16), "#8a4fb0", "#c08ee6"),
}
TOKENS = (
    [("Does", "text")]
    + [(letter, "smiles") for letter in "CCO"]
    + [("bind", "text")]
    + [(letter, "protein") for letter in "MKVL"]
    + [("near", "text")]
    + [(letter, "nucleotide") for letter in "GATA"]
    + [("?", "text")]
)

_STYLE = """
  text { font-family: "Helvetica Neue", Helvetica, Arial, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1f2733; }
  .paper { fill: #ffffff; stroke: #d5dbe3; }
  .panel { fill: #f5f7fa; stroke: #c3cbd6; }
  .box { fill: #ffffff; stroke: #8b97a8; }
  .quiet { fill: #5b6675; }
  .line { stroke: #66717f; stroke-width: 1.6; fill: none; }
  .head { fill: #66717f; }
  .off { fill: #e3e8ee; }
  .ink { fill: #ffffff; }
"""
_DARK = """
  text { fill: #e6ebf2; }
  .paper { fill: #171c24; stroke: #333c49; }
  .panel { fill: #1f2631; stroke: #3c4757; }
  .box { fill: #28313e; stroke: #67748a; }
  .quiet { fill: #a3afbf; }
  .line { stroke: #94a1b3; }
  .head { fill: #94a1b3; }
  .off { fill: #343e4c; }
  .ink { fill: #12161c; }
"""


def main() -> None:
    """Writes the picture."""
    TARGET.write_text(picture(), encoding="utf-8")
    print(f"wrote {TARGET}")


def picture() -> str:
    """Returns the SVG."""
    light = "".join(f"  .{name} {{ fill: {colour}; }}\n" for name, (_, _, colour, _) in MODALITIES.items())
    dark = "".join(f"  .{name} {{ fill: {colour}; }}\n" for name, (_, _, _, colour) in MODALITIES.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '<title id="title">SciMind: a token\'s id gives its modality, the modality chooses its experts, '
        "attention is shared.</title>",
        f"<style>{_STYLE}{light}  @media (prefers-color-scheme: dark) {{{_DARK}{dark}  }}\n</style>",
        _box(1, 1, WIDTH - 2, HEIGHT - 2, "paper", 12),
        *_tokens(),
        *_embedding(),
        *_plan(),
        *_layer(),
        _arrow((210, 222), (210, 376)),
        _arrow((700, 282), (700, 376)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tokens() -> list[str]:
    """Returns the row of tokens, each in its modality's colour."""
    widths = [36 if len(text) == 1 else 28 + 11 * len(text) for text, _ in TOKENS]
    gap = 15
    left = (WIDTH - sum(widths) - gap * (len(widths) - 1)) / 2
    parts = [_text(40, 40, "One stream of tokens; a token's id gives its modality", 17, weight="600")]
    for (text, modality), width in zip(TOKENS, widths, strict=True):
        parts.append(_box(left, 58, width, 34, modality, 7))
        parts.append(_text(left + width / 2, 81, text, 16, "ink", "middle", "600"))
        left += width + gap
    return parts


def _embedding() -> list[str]:
    """Returns the path of the tokens to the first layer: the embedding."""
    return [
        _arrow((210, 100), (210, 166)),
        _box(100, 168, 220, 54, "box", 8),
        _text(210, 191, "Embedding", 16, anchor="middle", weight="600"),
        _text(210, 211, "one table for all tokens", 13, "quiet", "middle"),
    ]


def _plan() -> list[str]:
    """Returns the routing plan: the experts of each modality."""
    left, top, side, gap = 532, 174, 20, 5
    parts = [
        _arrow((700, 100), (700, 124)),
        _text(712, 117, "ids", 13, "quiet"),
        _box(400, 126, 600, 156, "panel", 10),
        _text(418, 152, "Routing plan", 16, weight="600"),
        _text(548, 152, "made once per step from the token ids, used by every layer", 13, "quiet"),
    ]
    for row, (modality, (name, experts, _, _)) in enumerate(MODALITIES.items()):
        y = top + row * (side + gap)
        parts.append(_box(418, y + 4, 12, 12, modality, 3))
        parts.append(_text(438, y + 15, name, 14))
        for expert in range(EXPERTS):
            kind = modality if expert in experts else "off"
            parts.append(_box(left + expert * (side + gap + 3), y, side, side, kind, 4))
    return parts


def _layer() -> list[str]:
    """Returns a decoder layer: attention for all tokens, and the strips of the feed-forward."""
    parts = [
        _box(40, 316, 960, 222, "panel", 10),
        _text(58, 344, "Decoder layer", 16, weight="600"),
        _text(984, 344, "× number of layers", 13, "quiet", "end"),
        _box(100, 378, 220, 112, "box", 8),
        _text(210, 424, "Attention and norms", 16, anchor="middle", weight="600"),
        _text(210, 446, "shared by all modalities", 13, "quiet", "middle"),
        _arrow((320, 434), (358, 434)),
        _box(360, 378, 616, 112, "box", 8),
        _text(376, 402, "Routed feed-forward", 16, weight="600"),
        _text(960, 402, f"its neurons in {EXPERTS} strips, the experts", 13, "quiet", "end"),
    ]
    left, pitch, width, top, height = 378, 36.6, 29, 416, 58
    for expert in range(EXPERTS):
        users = [name for name, (_, experts, _, _) in MODALITIES.items() if expert in experts]
        x = left + expert * pitch
        for place, name in enumerate(users):
            part = height / len(users)
            parts.append(_box(x, top + place * part, width, part - (2 if len(users) > 1 else 0), name, 3))
    middle = left + EXPERTS / 2 * pitch - (pitch - width) / 2
    for start, end, label in (
        (left, middle - 4, "a text token computes these"),
        (middle + 4, left + (EXPERTS - 1) * pitch + width, "any other token computes these"),
    ):
        parts.append(f'<path class="line" d="M{start:g} 498 v7 H{end:g} v-7"/>')
        parts.append(_text((start + end) / 2, 524, label, 13, "quiet", "middle"))
    return parts


def _box(x: float, y: float, width: float, height: float, kind: str, radius: float) -> str:
    """Returns a rectangle with rounded corners."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def _text(x: float, y: float, text: str, size: int, kind: str = "", anchor: str = "start", weight: str = "400") -> str:
    """Returns a line of text."""
    name = f' class="{kind}"' if kind else ""
    return (
        f'<text{name} x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Returns a straight arrow that points right or down."""
    (x, y), (to_x, to_y) = start, end
    head = f"M{to_x} {to_y} l-5 -9 h10 z" if to_y > y else f"M{to_x} {to_y} l-9 -5 v10 z"
    stop = f"V{to_y - 8}" if to_y > y else f"H{to_x - 8}"
    return f'<path class="line" d="M{x} {y} {stop}"/><path class="head" d="{head}"/>'


if __name__ == "__main__":
    main()
