"""Hooks of MkDocs: fill the generated parts of the reference in, so that they always match the code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import command_tables
import setting_tables

_GENERATED = {
    "<!-- generated: settings -->": setting_tables.markdown,
    "<!-- generated: commands -->": command_tables.markdown,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Returns a page's text with the generated parts in the place of their marks."""
    for mark, generate in _GENERATED.items():
        if mark in markdown:
            markdown = markdown.replace(mark, generate())
    return markdown
