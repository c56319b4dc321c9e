"""Helpers shared by the tests of conversions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
from scimind.checkpoint.convert.options import ConvertOptions
from tests.support import numpy_llama


def llama(folder: Path, **changes: Any) -> tuple[dict[str, np.ndarray], Path]:
    """Writes a random Llama; returns its weights and its folder."""
    config = {**numpy_llama.SIZES, **changes}
    weights = numpy_llama.draw(config)
    return weights, numpy_llama.save(folder, weights, config)


def convert(source: Path, output: Path, *, overwrite: bool = False, **options: Any) -> Path:
    """Converts and returns the new folder."""
    chosen = ConvertOptions(**options)
    run_conversion(plan_conversion(source, chosen), output, chosen, overwrite=overwrite)
    return output
