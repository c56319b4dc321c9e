"""Molecules and reactions as small SVG pictures; of two molecules, the common part is marked and laid out alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions, rdDepictor, rdFMCS, rdMolAlign
from rdkit.Chem.Draw import rdMolDraw2D

from scimind.data.content.notations import is_reaction, reaction_parts
from scimind.data.defects import RecordError
from scimind.evaluate.metrics.molecules import canonical_smiles, parse_smiles

TIMEOUT = 1
# Larger molecules are unreadable at this size, and the search for a common substructure takes too long.
_MOST_ATOMS = 150
_FEWEST_SHARED = 3
_MOST_STRETCH = 1.6
_PIXELS = 20  # an ångström
_ARROW, _GAP = 3.0, 1.5  # ångströms for the arrow of a reaction, and around a molecule
_RIM = 10
_MARK = (1.0, 0.0, 1.0)
# Classes of the page's style sheet, which has a dark variant of each colour.
_CLASSES = {"#000000": "", "#FF00FF": "shared", "#0000FF": "n", "#FF0000": "o", "#CCCC00": "s", "#33CCCC": "hal"}
_KEPT = {"path": ("d",), "ellipse": ("cx", "cy", "rx", "ry"), "text": ("x", "y")}


@dataclass(frozen=True)
class Drawing:
    """Pictures of a reference and its answers.

    Attributes:
        reference: SVG of the reference; None if it cannot be drawn.
        output: SVG of the output; None if it cannot be drawn.
        shared: Number of atoms of the largest common substructure, 0 if there is none; None if it was not searched for.
        is_cut: Whether the search ended at the time limit, so that a larger substructure may exist.
        further: SVGs of further answers; None for each that cannot be drawn.
    """

    reference: str | None = None
    output: str | None = None
    shared: int | None = None
    is_cut: bool = False
    further: tuple[str | None, ...] = ()


def draw_answers(item: tuple[tuple[str | None, str | None], Sequence[str]]) -> Drawing:
    """Returns pictures of a reference and an output as `draw_pair`, and of further answers.

    Args:
        item: SMILES of the reference and of the output, and of further answers; each a molecule or a reaction.
    """
    pair, further = item
    return replace(draw_pair(pair), further=tuple(map(_draw_alone, further)))


def _draw_alone(smiles: str) -> str | None:
    if _is_reaction(smiles):
        return _draw_reaction(smiles)
    # From its canonical SMILES, a molecule looks the same in all spellings.
    return _svg(_molecule(canonical_smiles(smiles)), ())


def draw_pair(pair: tuple[str | None, str | None]) -> Drawing:
    """Returns pictures of two molecules or reactions, either of which may be missing or invalid.

    Their common substructure (connected, with the same elements and bond orders and whole rings) is marked in both, and
    the output is laid out like the reference.

    Args:
        pair: SMILES of a reference and of an output.
    """
    if any(map(_is_reaction, pair)):
        left, right = (_draw_alone(smiles) if smiles else None for smiles in pair)
        return Drawing(left, right)
    reference, output = (_molecule(smiles) for smiles in pair)
    if reference is None or output is None:
        return Drawing(_svg(reference, ()), _svg(output, ()))
    shared, is_cut = _shared(reference, output)
    _lay_out_alike(reference, output, shared)
    return Drawing(
        _svg(reference, [left for left, _ in shared]),
        _svg(output, [right for _, right in shared]),
        len(shared),
        is_cut,
    )


def _is_reaction(smiles: str | None) -> bool:
    """Returns whether a text before white space is a reaction; what follows may be a name."""
    return is_reaction(((smiles or "").split() or [""])[0])


def _molecule(smiles: str | None) -> Any:
    """Returns RDKit's molecule of the text before white space; None if it is not valid or too large."""
    words = (smiles or "").split()
    molecule = parse_smiles(words[0]) if words else None
    return molecule if molecule is not None and molecule.GetNumAtoms() <= _MOST_ATOMS else None


def _shared(reference: Any, output: Any) -> tuple[list[tuple[int, int]], bool]:
    """Returns pairs of atoms of the largest common substructure, and whether the search was cut short."""
    with rdBase.BlockLogs():
        found = rdFMCS.FindMCS(
            [reference, output], timeout=TIMEOUT, ringMatchesRingOnly=True, completeRingsOnly=True, maximizeBonds=False
        )
        pattern = Chem.MolFromSmarts(found.smartsString) if found.numAtoms >= _FEWEST_SHARED else None
    if pattern is None:
        return [], bool(found.canceled)
    left, right = reference.GetSubstructMatch(pattern), output.GetSubstructMatch(pattern)
    return list(zip(left, right, strict=False)), bool(found.canceled)


def _lay_out_alike(reference: Any, output: Any, shared: list[tuple[int, int]]) -> None:
    rdDepictor.Compute2DCoords(reference)
    rdDepictor.Compute2DCoords(output)
    if not shared:
        return
    try:
        rdDepictor.GenerateDepictionMatching2DStructure(output, reference, atomMap=[(a, b) for a, b in shared])
        is_sound = _is_sound(output)
    except (RuntimeError, ValueError):
        is_sound = False
    if not is_sound:  # the rings differ: turning the molecule as a whole distorts no bond
        rdDepictor.Compute2DCoords(output)
        rdMolAlign.AlignMol(output, reference, atomMap=[(b, a) for a, b in shared])


def _is_sound(molecule: Any) -> bool:
    """Returns whether all bonds of a layout have similar lengths."""
    places = molecule.GetConformer().GetPositions()
    lengths = [
        float(np.linalg.norm(places[bond.GetBeginAtomIdx()] - places[bond.GetEndAtomIdx()]))
        for bond in molecule.GetBonds()
    ]
    return not lengths or max(lengths) < _MOST_STRETCH * min(lengths)


def _draw_reaction(text: str) -> str | None:
    """Returns a picture of a reaction in SMILES; None if a part is not valid, or if it is too large."""
    text = text.split()[0]
    try:
        parts = [parse_smiles(part) if part else None for part in reaction_parts(text)]
    except RecordError:
        return None
    is_whole = all(part is not None or not given for part, given in zip(parts, reaction_parts(text), strict=True))
    given = [part for part in parts if part is not None]
    if not is_whole or parts[0] is None or parts[2] is None or sum(p.GetNumAtoms() for p in given) > _MOST_ATOMS:
        return None
    canvas = rdMolDraw2D.MolDraw2DSVG(*_size_of(given), -1, -1, True)
    _set_style(canvas)
    try:
        with rdBase.BlockLogs():
            canvas.DrawReaction(rdChemReactions.ReactionFromSmarts(text, useSmiles=True))
    except (RuntimeError, ValueError):
        return None
    canvas.FinishDrawing()
    return compact_svg(canvas.GetDrawingText(), symbols=True)


def _size_of(parts: Sequence[Any]) -> tuple[int, int]:
    """Returns the width and height in pixels that the molecules of a reaction need next to each other."""
    width, height = _ARROW, 0.0
    for molecule in (fragment for part in parts for fragment in Chem.GetMolFrags(part, asMols=True)):
        rdDepictor.Compute2DCoords(molecule)
        across, up, _ = np.ptp(molecule.GetConformer().GetPositions(), axis=0) + _GAP
        width, height = width + across, max(height, up)
    return round(width * _PIXELS), round(height * _PIXELS)


def _set_style(canvas: Any) -> None:
    options: Any = canvas.drawOptions()
    options.clearBackground = False
    options.scalingFactor = _PIXELS
    options.padding = 0.02
    options.setHighlightColour(_MARK)


def _svg(molecule: Any, marked: Any) -> str | None:
    if molecule is None:
        return None
    atoms = set(marked)
    bonds = [
        bond.GetIdx()
        for bond in molecule.GetBonds()
        if bond.GetBeginAtomIdx() in atoms and bond.GetEndAtomIdx() in atoms
    ]
    canvas = rdMolDraw2D.MolDraw2DSVG(-1, -1, -1, -1, True)  # as large as the molecule, with letters as text
    _set_style(canvas)
    try:
        with rdBase.BlockLogs():
            rdMolDraw2D.PrepareAndDrawMolecule(
                canvas, molecule, highlightAtoms=sorted(atoms), highlightBonds=bonds, kekulize=True
            )
    except (RuntimeError, ValueError):  # RDKit can draw nearly every molecule that it parses
        return None
    canvas.FinishDrawing()
    return compact_svg(canvas.GetDrawingText())


def compact_svg(drawn: str, *, symbols: bool = False) -> str:
    """Returns RDKit's picture reduced to shapes and letters, with shapes of the same look merged into one path.

    Only known elements are kept and their attributes are rewritten, so that nothing else gets into the page.

    Args:
        drawn: RDKit's picture.
        symbols: Whether shapes that belong to no atom or bond are kept: the arrow and the plus signs of a reaction.
    """
    outlines: dict[str, str] = {}
    letters: list[str] = []
    picture = ElementTree.fromstring(drawn.encode())
    width, height = (round(float(picture.get(name, "0").removesuffix("px"))) for name in ("width", "height"))
    for element in picture:
        name = element.tag.rpartition("}")[2]
        # A path without a class rounds a corner, which the style sheet's joins do as well.
        if name not in _KEPT or not (symbols or element.get("class")):
            continue
        look = _look(name, dict(re.findall(r"([\w-]+):([^;]+)", element.get("style", ""))))
        if name == "path":
            outlines[look] = outlines.get(look, "") + re.sub(r"\s*([MLCQZ])\s*", r"\1", element.get("d", ""))
            continue
        places = "".join(f" {key}={quoteattr(element.get(key, '0'))}" for key in _KEPT[name])
        if name == "ellipse":
            outlines[look] = outlines.get(look, "") + _circle(*(float(element.get(key, "0")) for key in _KEPT[name]))
        else:
            letters.append(f"<text{look}{places}>{escape(element.text or '')}</text>")
    shapes = "".join([f"<path{look} d={quoteattr(outline)}/>" for look, outline in outlines.items()] + letters)
    # RDKit's size leaves no room for the letters and charges at the rim.
    width, height = width + 2 * _RIM, height + 2 * _RIM
    size = f'width="{width}" height="{height}" viewBox="{-_RIM} {-_RIM} {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="molecule" {size}>{shapes}</svg>'


def _circle(x: float, y: float, across: float, up: float) -> str:
    """Returns an ellipse as part of a path."""
    return f"M{x - across:.1f},{y:.1f}a{across},{up} 0 1 0 {2 * across:.1f},0a{across},{up} 0 1 0 {-2 * across:.1f},0Z"


def _look(name: str, style: dict[str, str]) -> str:
    """Returns the attributes of a shape's look: classes for its kind and colour, and non-default widths and sizes."""
    fill, stroke = style.get("fill", "none"), style.get("stroke", "none")
    colour = (fill if stroke == "none" or name != "path" else stroke).upper()
    kind = "" if name == "text" else "f" if fill != "none" or name == "ellipse" else "l"
    names = " ".join(part for part in (kind, _CLASSES.get(colour, "other")) if part)
    attributes = f" class={quoteattr(names)}" if names else ""
    if kind == "l":
        width = style.get("stroke-width", "2").removesuffix("px").removesuffix(".0")
        attributes += f" stroke-width={quoteattr(width)}" if width != "2" else ""
    if name == "text":
        attributes += f" font-size={quoteattr(style.get('font-size', '12').removesuffix('px'))}"
    return attributes
