"""The site builds offline and without warnings, and its reference has every setting and every flag."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import architecture
import pytest
from described_code import commands, schema_root
from setting_tables import meaning_name, meanings, settings

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocs_static_i18n", "mkdocstrings_handlers")
HANDWRITTEN = sorted(page for page in (ROOT / "docs").rglob("*.md") if not page.name.endswith(".zh.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of the built site."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; pip install --editable '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    # The proxy does not exist, so that any access to the network fails.
    closed = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    environment = {**os.environ, **closed, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def names_of(node: object, prefix: str = "") -> set[str]:
    """Returns the dotted names of all settings below a node, independently of the code that makes the page."""
    fields = dict(getattr(node, "fields", {})) | dict(getattr(node, "others", {}))
    for variant in getattr(node, "variants", {}).values():
        fields.update(variant.fields, type=None)
    item = getattr(node, "item", None)
    if not fields and item is not None:
        return names_of(item, prefix) or {prefix}
    if not fields:
        return {prefix}
    return {name for key, child in fields.items() for name in names_of(child, f"{prefix}.{key}" if prefix else key)}


def test_every_setting_has_a_meaning_and_every_meaning_a_setting() -> None:
    needed = {meaning_name(name) for name in settings()}
    assert needed == set(meanings())


def test_every_setting_of_the_schema_has_its_line(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text(encoding="utf-8").replace("<wbr>", "")
    shown = set(re.findall(r"<td><code>([\w.]+)</code></td>", page))
    names = names_of(schema_root())
    assert len(names) > 400
    assert sorted(names - shown) == []


def test_every_flag_of_every_command_has_its_line(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    sections = re.split(r"<h2 id=\"([\w-]+)\">", page)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert len(texts) >= 12
    for name, parser in commands().items():
        text = texts[name.removeprefix("python ").replace(".", "").replace(" ", "-")]
        for action in parser._actions:
            for flag in [] if isinstance(action, argparse._HelpAction) else action.option_strings:
                assert f'<code class="flag">{flag}</code>' in text, f"{name} {flag}"


def test_every_page_is_built_in_both_languages(site: Path) -> None:
    for page in HANDWRITTEN:
        html = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / html).exists()
        assert (site / "zh" / html).exists()


def test_pages_load_nothing_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?([^\"\s>]+)", page.read_text("utf-8"))
        assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == [], page


def test_picture_is_the_output_of_the_script() -> None:
    assert architecture.TARGET.read_text(encoding="utf-8") == architecture.picture()
