"""Words that tables write where a value is missing."""

from __future__ import annotations

import math

# The words that pandas reads as missing by default, and therefore writes no other way than by accident: STR_NA_VALUES
# of pandas/_libs/parsers.pyx, as documented for `na_values` of pandas.read_csv (version 2.2). They are case-sensitive.
MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA")
    + ("NULL", "NaN", "None", "n/a", "nan", "null")
)


def is_missing(value: object) -> bool:
    """Returns whether a raw value is absent: None, NaN, blank text, or one of the words in `MISSING`."""
    if isinstance(value, str):
        return value.strip() in MISSING
    return value is None or (isinstance(value, float) and math.isnan(value))
