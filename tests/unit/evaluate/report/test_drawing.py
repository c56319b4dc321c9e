from __future__ import annotations

import re
import time
from xml.etree import ElementTree

import pytest

from scimind.evaluate.report.drawing import compact_svg, draw_answers, draw_pair


def test_the_shared_substructure_is_marked_in_both():
    drawing = draw_pair(("Oc1ccccc1C", "Oc1ccccc1N"))
    assert drawing.shared == 7
    assert not drawing.is_cut
    for svg in (drawing.reference, drawing.output):
        root = ElementTree.fromstring(svg)
        marks = [e for e in root if "shared" in e.get("class", "")]
        assert marks
        assert len(re.findall("a[0-9.]+,", marks[0].get("d"))) == 2 * 7  # two half circles around each atom
    # The twin: nothing in common, nothing marked.
    apart = draw_pair(("CCCC", "[Na+].[Cl-]"))
    assert apart.shared == 0
    assert "shared" not in apart.reference + apart.output


def test_equal_molecules_share_every_atom():
    assert draw_pair(("CC(=O)Oc1ccccc1C(=O)O", "OC(=O)c1ccccc1OC(C)=O")).shared == 13


@pytest.mark.parametrize("smiles", ["C((", "", None, "not a molecule", "C" * 400])
def test_what_cannot_be_drawn_is_left_out(smiles):
    drawing = draw_pair(("CCO", smiles))
    assert drawing.reference is not None
    assert (drawing.output, drawing.shared) == (None, None)


def test_names_after_a_molecule_do_not_reach_the_picture():
    drawing = draw_pair(("CC |$<script>;x$|", "CC <script>"))
    assert "script" not in drawing.reference + drawing.output


def test_only_known_shapes_and_attributes_are_kept():
    svg = compact_svg(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9px' height='9px' onload='x()'><script>x()</script>"
        "<path class='bond-0' d='M 1,1 L 2,2' onclick='x()' style='fill:none;stroke:#FF0000'/>"
        "<text class='atom-0' x='1' y='1' style='fill:#0000FF;font-size:9px'>N&lt;</text></svg>"
    )
    assert "x()" not in svg
    assert '<path class="l o" d="M1,1L2,2"/>' in svg
    assert '<text class="n" font-size="9" x="1" y="1">N&lt;</text>' in svg


def test_the_search_for_the_common_substructure_ends():
    # Two large peptides with many possible common substructures.
    first = "NCC(=O)" * 14 + "O"
    start = time.monotonic()
    drawing = draw_pair((first, first.replace("NCC(=O)", "NC(C)C(=O)", 5)))
    assert time.monotonic() - start < 10
    assert drawing.reference and drawing.output


def test_further_answers_are_drawn_alike_if_they_are_the_same_molecule():
    drawing = draw_answers((("CCO", "CCN"), ["OCC", "C((", "C(C)O", "CCF", "", "C" * 200]))
    assert draw_pair(("CCO", "CCN")).output == drawing.output
    first, invalid, again, other, empty, too_large = drawing.further
    assert first == again != other
    assert first.startswith("<svg") and other.startswith("<svg")
    assert invalid is empty is too_large is None


def test_a_reaction_is_drawn_with_its_arrow_and_all_its_parts():
    whole = "CC(=O)Cl.CO>[Pd]>COC(C)=O"
    drawing = draw_answers(((whole, "CC(=O)Cl.CO>>C(("), ("CC(=O)Cl.CO>>COC(C)=O", "CC(=O)Cl>>", "CC>C((>C")))
    assert drawing.reference is not None and drawing.output is None and drawing.shared is None
    assert drawing.further[0] is not None and drawing.further[1:] == (None, None)
    for svg, letters in ((drawing.reference, ("Pd", "Cl")), (drawing.further[0], ("C", "l"))):
        assert "nan" not in svg and int(re.search(r'width="(\d+)"', svg)[1]) < 1000
        assert set("".join(letters)) <= set("".join(re.findall(r">([A-Za-z]+)</text>", svg)))
    # The molecules alone have fewer lines: the plus sign and the arrow are missing.
    lines = [draw_answers(((smiles, None), ())).reference.count("M") for smiles in ("CC(=O)Cl", "CO", "COC(C)=O")]
    assert drawing.further[0].count("M") >= sum(lines) + 4
