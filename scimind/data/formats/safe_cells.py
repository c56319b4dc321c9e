"""Cells of written tables that a spreadsheet would take for formulas."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@")  # source: OWASP, CSV injection


def safe_cell(value: Any) -> Any:
    """Returns a cell; a text that looks like a formula gets an apostrophe, which spreadsheets hide."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
