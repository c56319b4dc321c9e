"""Perplexity of a language model for each modality, from its losses."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scimind.data.formats.columns import Columns, normalised
from scimind.data.formats.sniffing import JSON, format_of
from scimind.errors import DataError
from scimind.evaluate.predictions import read_objects, read_table
from scimind.evaluate.resampling import Resampling, Statistic, estimate, ratio
from scimind.evaluate.results import Findings
from scimind.modality import MODALITY_NAMES
from scimind.runtime.measurements import named_perplexities, perplexity_of


@dataclass(frozen=True)
class LossRow:
    """The loss of one or more tokens.

    Attributes:
        modality: text, smiles, nucleotide or protein.
        loss: Negative log likelihood in nats, summed over the tokens.
        tokens: Number of tokens.
        id: The record's id, if the file gives it; records are then resampled instead of rows.
    """

    modality: str
    loss: float
    tokens: int = 1
    id: str | None = None


def read_losses(path: Path) -> list[LossRow]:
    """Reads losses from JSON or from a table with a header.

    A row has `modality`, `loss` and optionally `tokens` and `id`. It is one token's loss, or the sum of the losses of
    `tokens` tokens.

    Raises:
        DataError: The file is missing or malformed, or a value has the wrong type.
    """
    if format_of(path)[0] == JSON:
        return [_row(path, line, row) for line, row in read_objects(path)]
    columns = Columns({"modality": ("modality",), "loss": ("loss",)})
    _, rows = read_table(path, columns)
    return [_row(path, line, {normalised(key): value for key, value in row.items()}) for line, row in rows]


def score_losses(rows: list[LossRow], resampling: Resampling) -> Findings:
    """Returns the perplexity, exp(loss per token), of all tokens and of each modality's tokens.

    Args:
        rows: At least one row of losses.
        resampling: How intervals are computed.

    Raises:
        DataError: There are no rows.
    """
    if not rows:
        raise DataError("there are no losses to score")
    names = [row.id if row.id is not None else str(number) for number, row in enumerate(rows)]
    place = {name: index for index, name in enumerate(dict.fromkeys(names))}
    modalities = [modality for modality in MODALITY_NAMES if any(row.modality == modality for row in rows)]
    sums = np.zeros((len(place), len(modalities), 2))
    for name, row in zip(names, rows, strict=True):
        sums[place[name], modalities.index(row.modality)] += (row.loss, row.tokens)

    def perplexity(totals: np.ndarray) -> np.ndarray:
        return perplexity_of(ratio(totals))

    statistics = named_perplexities(
        Statistic(sums.sum(axis=1), perplexity),
        {name: Statistic(sums[:, i], perplexity) for i, name in enumerate(modalities)},
    )
    findings = Findings(packages=("numpy",))
    findings.scores = estimate(statistics, resampling)
    findings.counts = {"rows": len(rows), "tokens": sum(row.tokens for row in rows)}
    findings.counts |= {f"{name}_tokens": int(sums[:, i, 1].sum()) for i, name in enumerate(modalities)}
    findings.settings = {"perplexity": "exp of the mean loss per token in nats"}
    findings.not_computed = {
        f"perplexity_{name}": "no token of this modality" for name in MODALITY_NAMES if name not in modalities
    }
    findings.rows = [
        {
            "id": name,
            **{
                f"{m}_{kind}": sums[i, j, k]
                for j, m in enumerate(modalities)
                for k, kind in enumerate(("loss", "tokens"))
            },
        }
        for name, i in place.items()
    ]
    return findings


def _row(path: Path, number: int, row: dict[str, Any]) -> LossRow:
    text = json.dumps(row)
    modality = str(row.get("modality", "")).lower()
    if modality not in MODALITY_NAMES:
        raise DataError(f'"modality" must be one of {", ".join(MODALITY_NAMES)}', path, number, text)
    try:
        loss, tokens = float(row["loss"]), int(row.get("tokens", 1))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            'needs "loss", a number in nats, and optionally "tokens", a whole number', path, number, text
        ) from error
    if not math.isfinite(loss) or loss < 0 or tokens < 1:
        raise DataError('"loss" must be at least 0 and "tokens" at least 1', path, number, text)
    return LossRow(modality, loss, tokens, None if row.get("id") is None else str(row["id"]))
