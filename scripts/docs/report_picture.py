"""Takes a picture of a report: molecules that a model generated next to their references.

python scripts/docs/report_picture.py PREDICTIONS

PREDICTIONS is what `scimind evaluate --task text2smiles` reads, with references. Needs playwright and Chromium. The
picture in docs is of the sample's test records, answered by the nano model after three epochs, with --skip 11.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[2] / "docs" / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Makes the report of a file and takes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N items (default: 0)")
    parser.add_argument("--cards", type=int, default=2, metavar="N", help="items in the picture (default: 2)")
    parser.add_argument("--width", type=int, default=900, metavar="PIXELS", help="width of the page (default: 900)")
    parser.add_argument("--output", type=Path, default=TARGET, metavar="FILE", help="the picture (default: in docs)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        make_report(args.predictions, page)
        take_picture(page, args)
    print(f"wrote {args.output}")


def make_report(predictions: Path, page: Path) -> None:
    """Writes the report of a file of predictions."""
    call = "import sys; from scimind.cli import main; sys.exit(main())"
    arguments = ["report", "--task", "text2smiles", "--predictions", str(predictions), "--output", str(page)]
    subprocess.run([sys.executable, "-c", call, *arguments], check=True)


def take_picture(page: Path, args: argparse.Namespace) -> None:
    """Writes a picture of the first items of a report, in light mode."""
    from playwright.sync_api import sync_playwright

    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        view = browser.new_page(
            viewport={"width": args.width, "height": 900}, color_scheme="light", device_scale_factor=1.5
        )
        view.goto(page.as_uri())
        view.wait_for_timeout(800)
        cards = view.locator("#list > *")
        boxes = [box for place in range(args.cards) if (box := cards.nth(args.skip + place).bounding_box())]
        edge = 10
        left, top = min(box["x"] for box in boxes) - edge, min(box["y"] for box in boxes) - edge
        right = max(box["x"] + box["width"] for box in boxes) + edge
        bottom = max(box["y"] + box["height"] for box in boxes) + edge
        view.screenshot(
            path=str(args.output),
            clip={"x": left, "y": top, "width": right - left, "height": bottom - top},
            full_page=True,
        )
        browser.close()


if __name__ == "__main__":
    main()
