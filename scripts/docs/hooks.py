"""MkDocs hooks that fill in the generated parts of the reference, so that they always match the code."""

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
    """Returns a page's text with its marks replaced by the generated parts."""
    for mark, generate in _GENERATED.items():
        if mark in markdown:
            markdown = markdown.replace(mark, generate())
    return markdown
