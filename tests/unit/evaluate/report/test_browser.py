"""Reports in a browser: opened in headless Chromium, used, and checked for errors."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimind.evaluate.evaluation import EvaluateOptions, Evaluation, evaluation_of
from scimind.evaluate.metrics.molecule_sets import MoleculeOptions, summarize_molecules
from scimind.evaluate.report.page import PageOptions, render_page
from scimind.evaluate.resampling import Resampling
from tests.unit.evaluate.report.conftest import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (scimind[dev] has it)")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"
)
# Seconds for actions that a person waits for; several times their usual duration, for a busy machine.
PATIENCE = 5.0


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        # Chromium's sandbox refuses to run as root, which containers do.
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path: Path):
    """Opens an evaluation's page; at the end, nothing must have been logged, raised or requested from a network."""
    faults: list[str] = []
    pages = []

    def open_page(evaluation: Evaluation, width: int = 1200, **options):
        path = tmp_path / "report.html"
        path.write_text(render_page(evaluation, PageOptions("A report", **options)), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(15_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.append(request.url) if not _is_local(request.url, path) else None)
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_selector("#count:not(:empty)")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert faults == []


def _is_local(url: str, path: Path) -> bool:
    return url == path.as_uri() or url.startswith("data:")


def count(page) -> str:
    return page.inner_text("#count")


def ids(page) -> list[str]:
    return page.locator("#list h4").all_inner_texts()


def search(page, text: str, found: str) -> None:
    page.fill("#search", text)
    page.wait_for_function(
        "wanted => document.getElementById('count').textContent.startsWith(wanted)", arg=f"{found} of"
    )


def test_filters_search_and_pages(show, molecules):
    page = show(molecules)
    assert count(page) == "45 of 45 items"
    assert len(ids(page)) == 20
    page.click("[data-filter='no valid']")
    assert count(page) == "2 of 45 items"
    assert ids(page) == ["c", "d"]
    assert page.get_attribute("[data-filter='no valid']", "aria-pressed") == "true"
    page.click("[data-filter='valid']")  # the two filters contradict each other
    assert count(page) == "43 of 45 items"
    page.click("[data-filter='valid']")
    assert count(page) == "45 of 45 items"

    search(page, "CHAIN of 4", "2")
    assert ids(page) == ["n4", "n40"]
    page.check("#case")
    assert count(page) == "0 of 45 items"
    page.uncheck("#case")
    search(page, "", "45")

    page.click("#next")
    page.click("#next")
    assert page.inner_text("#page") == "page 3 of 3"
    assert page.is_disabled("#next")
    assert ids(page) == [f"n{i}" for i in range(36, 41)]
    page.select_option("#sort", "levenshtein")
    page.select_option("#order", "-1")
    scores = dict(
        zip([row["id"] for row in molecules.rows], [row["levenshtein"] for row in molecules.rows], strict=True)
    )
    shown = [scores[name] for name in ids(page)]
    assert shown == sorted(scores.values(), reverse=True)[:20]


def test_molecules_are_drawn_and_differences_marked(show, molecules):
    page = show(molecules)
    card = page.locator("#list .card").nth(1)
    assert card.locator("svg.molecule").count() == 2
    assert card.locator("svg path.shared").count() == 2
    assert card.locator("del").all_inner_texts() == ["C"]
    assert card.locator("ins").all_inner_texts() == ["N"]
    box = card.locator("svg.molecule").first.bounding_box()
    assert box["width"] > 60 and box["height"] > 30
    assert page.locator("#best .card").count() == page.locator("#worst .card").count() == 4
    assert page.locator("#list .card").nth(4).locator("p").first.inner_text().endswith(HOSTILE)


def test_a_drawing_that_is_missing_has_a_box_and_captions_begin_at_one_height(show, molecules):
    page = show(molecules)
    invalid = page.locator("#list .card").nth(2)
    assert invalid.locator(".absent").all_inner_texts() == ["invalid"]
    assert invalid.locator("svg.molecule").count() == 1
    for card in page.locator("#list .card").all():
        left, right = (text.bounding_box() for text in card.locator(".sides .text").all())
        assert abs(left["y"] - right["y"]) < 1.5


def test_numbers_fit_on_a_phone(show, numbers):
    for width in (390, 1200):
        page = show(numbers, width)
        assert page.locator("#scatter circle.point").count() == 31
        table = page.locator("#largest table").bounding_box()
        assert table["x"] + table["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#largest svg.molecule").count() == 10
        assert page.locator("#list .card").first.locator("svg.molecule").count() == 1


def test_words_of_captions_are_marked(show, captions):
    page = show(captions)
    card = page.locator("#list .card").first
    assert card.locator("del").all_inner_texts() == ["an"]
    assert card.locator("ins").all_inner_texts() == ["a primary"]
    # Nothing is lost or added by marking.
    for row, shown in zip(captions.rows, page.locator("#list .card").all(), strict=True):
        for place, name in enumerate(("Reference", "Output")):
            assert shown.locator(".sides .text").nth(place).text_content() == name + row[name.lower()]


def test_the_molecule_that_a_label_is_about_is_drawn_once(show, labels):
    page = show(labels)
    cards = page.locator("#list .card")
    assert [cards.nth(i).locator("svg.molecule").count() for i in range(3)] == [1, 0, 0]
    assert "1 references labelled yes" in page.inner_text("#metrics")


def test_answers_are_side_by_side_and_the_right_one_is_framed(show, ranked_molecules):
    page = show(ranked_molecules)
    cards = page.locator("#list .card")
    answers = cards.nth(0).locator(".answers li")
    assert answers.count() == 4
    assert [answers.nth(i).locator("svg.molecule").count() for i in range(4)] == [1, 1, 0, 0]
    facts = answers.nth(0).locator(".scores > *")
    assert facts.all_inner_texts() == ["1", "log-likelihood -1.500", "similarity 0.333"]
    assert cards.nth(0).locator(".answers li.right").all_inner_texts() == [answers.nth(1).inner_text()]
    assert "equals the reference" in answers.nth(1).inner_text()
    assert "invalid" in answers.nth(2).inner_text() and "similarity" not in answers.nth(2).inner_text()
    tops = {answers.nth(i).bounding_box()["y"] for i in range(4)}
    assert len(tops) == 1
    assert answers.nth(3).locator(".text").inner_text() == HOSTILE
    assert cards.nth(1).locator(".quiet").all_inner_texts() == ["3 more answers"]
    assert [cards.nth(i).locator(".answers").count() for i in range(4)] == [1, 1, 0, 0]
    search(page, "OCC", "1")  # a text that is only in an answer
    search(page, "", "4")
    page.click("[data-filter='top14_exact']")
    assert count(page) == "3 of 4 items"


def test_nothing_is_wider_than_a_phone(show, molecules, captions, ranked_molecules):
    for evaluation in (molecules, captions, ranked_molecules):
        page = show(evaluation, width=360)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_prints(show, molecules):
    page = show(molecules)
    page.emulate_media(media="print")
    assert not page.is_visible("#controls")
    assert page.is_visible("#list .card")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_page_of_20000_items_stays_quick(show, captions):
    caption = (
        "The molecule is a carboxylic acid anion that is the conjugate base of an acid, obtained by deprotonation. "
    )
    rows = [
        {**captions.rows[0], "id": str(i), "reference": f"{caption * 3}{i}", "output": f"{caption * 2}{i % 777}"}
        for i in range(20_000)
    ]
    metrics = {**captions.metrics, "items": len(rows)}
    start = time.monotonic()
    page = show(Evaluation(metrics, rows), drawings=40)
    assert time.monotonic() - start < 8 * PATIENCE
    assert page.locator("#list .card").count() == 20
    start = time.monotonic()
    wanted = sum("deprotonation. 776" in row["reference"] + "\n" + row["output"] for row in rows)
    search(page, "Deprotonation. 776", str(wanted))
    page.select_option("#sort", "rouge_l")
    page.click("#next")
    assert ids(page)
    assert time.monotonic() - start < PATIENCE


def test_the_published_predictions_of_molt5(show, molt5_molecules):
    path, items, scores = molt5_molecules
    findings = summarize_molecules(items, scores, Resampling(samples=0), MoleculeOptions("molt5"))
    evaluation = evaluation_of(EvaluateOptions("text2smiles", path, protocol="molt5"), items, findings)
    page = show(evaluation, drawings=20)
    assert count(page) == "3,300 of 3,300 items"
    page.click("[data-filter='no valid']")
    assert count(page) == "909 of 3,300 items"
    page.click("[data-filter='exact']")
    assert count(page) == "0 of 3,300 items"
    page.click("[data-filter='no valid']")
    assert count(page) == "269 of 3,300 items"
    search(page, "quinoline", str(_quinolines(evaluation)))


def _quinolines(evaluation: Evaluation) -> int:
    texts = [" ".join(str(row[name]) for name in ("input", "reference", "output")) for row in evaluation.rows]
    return sum(row["exact"] and "quinoline" in text.lower() for row, text in zip(evaluation.rows, texts, strict=True))
