"""The page's table of items: columns of texts, scores and flags, and the best and worst items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scimind.evaluate.metrics.registry import HIGHER, LOWER, NEITHER, Metric, find_metric, top_of
from scimind.evaluate.parallel_scoring import score_each
from scimind.evaluate.report.drawing import Drawing, draw_answers
from scimind.evaluate.report.texts import common_runs, molecule_in, readable, tagged_molecule_in, whole_reaction

STANDING_OUT = 4
# Of several answers to a prompt, how many are shown; the first one that equals the reference is shown in any case.
MOST_ANSWERS = 10
_TEXTS = ("id", "input", "reference", "output")
_RIGHT_CHANCE = "reference_probability"
_TOKEN_LOSS = "loss"
_ERROR = "absolute_error"
# Groups whose answers have no parts that could be compared, and which ask about a molecule.
_LABELS = ("classification", "multilabel")
_ABOUT_INPUTS = (*_LABELS, "regression")
# The scores that can order a group's items; the first one that the items have is used.
_RANKS = {
    "captions": ("rouge_l",),
    "molecules": ("morgan",),
    "proteins": ("identity", "levenshtein"),
    "names": ("name_f1",),
    "reactions": ("morgan",),
    "iupac": ("levenshtein",),
    "formulas": ("levenshtein",),
    "classification": (_RIGHT_CHANCE,),
    "multilabel": (_RIGHT_CHANCE,),
    "regression": (_ERROR,),
    "language_model": (_TOKEN_LOSS,),
}
_FLAGS = {
    "valid": ("valid", "invalid"),
    "exact": ("exact", "not exact"),
    "exact_text": ("same text", "another text"),
    "exact_inchi": ("same InChI", "another InChI"),
    "exact_without_salts": ("same without salts", "another without salts"),
    "max_fragment": ("same largest molecule", "another largest molecule"),
    "right": ("right", "wrong"),
    "novel": ("novel", "not novel"),
    "withheld": ("withheld combination", "no withheld combination"),
}
_DIGITS = 5


@dataclass(frozen=True)
class Column:
    """One score of all items.

    Attributes:
        key: Its name in the table of items.
        better: higher, lower or neither.
        values: One value per item; None if an item has no such score.
    """

    key: str
    better: str
    values: list[float | None]

    @property
    def numbers(self) -> list[float]:
        """The values that are not None."""
        return [value for value in self.values if value is not None]


class ItemTable:
    """The items of an evaluation.

    Args:
        rows: Rows of `scimind.evaluate.evaluation.Evaluation`.
        group: The group of metrics that scored them.
        part: Which part of a reaction the answers are, see `REACTION_PARTS`; empty if they are none.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], group: str, part: str = "") -> None:
        self.rows, self.group, self.part = [_with_derived(row, group) for row in rows], group, part
        self.by_words = group in ("captions", "names", "language_model")
        names = list(dict.fromkeys(name for row in self.rows for name in row if name not in _TEXTS))
        self.columns = [column for name in names if (column := self._column(name)) is not None]
        self.flags = [name for name in names if any(isinstance(row.get(name), bool) for row in self.rows)]
        self.has_answers = any(map(self._shown_answers, range(len(self.rows))))
        self.marks_differences = group not in _ABOUT_INPUTS and any(
            row.get("reference") is not None for row in self.rows
        )

    @property
    def rank(self) -> Column | None:
        """The score that orders the items; None if there is none."""
        wanted = (*_RANKS.get(self.group, ()), *(column.key for column in self.columns))
        return next((column for name in wanted for column in self.columns if column.key == name), None)

    @property
    def by_key(self) -> dict[str, Column]:
        """The columns by their names in the table of items."""
        return {column.key: column for column in self.columns}

    def worst_first(self) -> list[int]:
        """Returns the items that have a score, the worst first; on a tie the longest first."""
        rank = self.rank
        if rank is None or rank.better == NEITHER:
            return []
        sign = -1 if rank.better == LOWER else 1
        scored = [(sign * value, -self._length(i), i) for i, value in enumerate(rank.values) if value is not None]
        return [i for _, _, i in sorted(scored)]

    def best_first(self) -> list[int]:
        """Returns the same items, the best first; on a tie the longest first."""
        rank = self.rank
        if rank is None or rank.better == NEITHER:
            return []
        sign = 1 if rank.better == LOWER else -1
        scored = [(sign * value, -self._length(i), i) for i, value in enumerate(rank.values) if value is not None]
        return [i for _, _, i in sorted(scored)]

    def to_draw(self, most: int) -> list[int]:
        """Returns the items whose molecules are drawn, in order.

        These are the first page of the list, the best and worst items shown above it, then a third each of the worst
        and the best, and the rest spread evenly over the file.

        Args:
            most: Maximum number of items; 0 draws none.
        """
        worst, best, count = self.worst_first(), self.best_first(), len(self.rows)
        third = most // 3
        wanted = [*worst[:STANDING_OUT], *best[:STANDING_OUT], *range(min(20, count)), *worst[:third], *best[:third]]
        wanted += [round(i * (count - 1) / max(1, most - 1)) for i in range(most)] if count > most else range(count)
        return sorted(list(dict.fromkeys(wanted))[:most])

    def drawings(self, most: int, workers: int) -> dict[int, Drawing]:
        """Returns pictures by the item's place: of reference and output, or of the input's molecule as the reference.

        Args:
            most: Maximum number of items to draw.
            workers: Number of processes.
        """
        if self.group not in ("molecules", "reactions", "captions", *_ABOUT_INPUTS):
            return {}
        chosen = self.to_draw(most)
        asked = [(self._pair(self.rows[i]), self._further(i)) for i in chosen]
        drawn = score_each(draw_answers, asked, workers)
        return {
            i: drawing
            for i, drawing in zip(chosen, drawn, strict=True)
            if drawing.reference or drawing.output or any(drawing.further)
        }

    def content(self, drawings: dict[int, Drawing]) -> dict[str, Any]:
        """Returns the data that the page's script reads; see report.js."""
        rank = self.rank
        return {
            "group": self.group,
            "byWords": self.by_words,
            "columns": [
                {"key": column.key, "name": column_name(column.key), "better": column.better} for column in self.columns
            ],
            "flags": [{"key": name, "yes": yes, "no": no} for name in self.flags for yes, no in [_flag_names(name)]],
            "rank": rank.key if rank else None,
            "worst": self.worst_first()[:STANDING_OUT],
            "best": self.best_first()[:STANDING_OUT],
            "items": {
                "id": [str(row["id"]) for row in self.rows],
                **{name: [self._text(row, name) for row in self.rows] for name in _TEXTS[1:]},
                "scores": {column.key: column.values for column in self.columns},
                "flags": {name: [_flag(row.get(name)) for row in self.rows] for name in self.flags},
                "common": [self._common(row) for row in self.rows],
            },
            "answers": {str(i): self._answers(i) for i in range(len(self.rows)) if self._shown_answers(i)},
            "drawings": {
                str(i): {
                    "left": drawing.reference,
                    "right": drawing.output,
                    "shared": drawing.shared,
                    "isCut": drawing.is_cut,
                    "further": drawing.further,
                }
                for i, drawing in drawings.items()
            },
        }

    def lengths(self) -> tuple[str, dict[str, list[float]]]:
        """Returns the unit of length, and the lengths of outputs and references by name; none of labels and numbers."""
        unit = "words" if self.by_words else "characters"
        series: dict[str, list[float]] = {}
        if self.group in _ABOUT_INPUTS:
            return unit, series
        for title, name in (("outputs", "output"), ("references", "reference")):
            texts = [text for row in self.rows if (text := self._text(row, name)) is not None]
            series[title] = [float(len(text.split()) if self.by_words else len(text)) for text in texts]
        return unit, {name: values for name, values in series.items() if values}

    def _column(self, name: str) -> Column | None:
        values = [_number(row.get(name)) for row in self.rows]
        return Column(name, _better(name), values) if any(value is not None for value in values) else None

    def _length(self, place: int) -> int:
        row = self.rows[place]
        return len(row.get("reference") or row.get("output") or "")

    def _pair(self, row: dict[str, Any]) -> tuple[str | None, str | None]:
        if self.group == "captions":
            return molecule_in(row.get("input")), None
        if self.group in _ABOUT_INPUTS:
            # Without marks, a sequence of nucleotides or amino acids could be taken for a SMILES.
            return tagged_molecule_in(row.get("input")), None
        return self._drawn(row, row.get("reference")), self._drawn(row, _read(row))

    def _drawn(self, row: dict[str, Any], answer: str | None) -> str | None:
        """Returns what is drawn of a reference or an answer: its molecule, or the reaction that it completes."""
        return whole_reaction(row.get("input"), answer, self.part) or answer

    def _answers(self, place: int) -> dict[str, Any]:
        """Returns the answers to a prompt that are shown, and how many more it has."""
        shown = [
            {
                "rank": rank,
                "text": readable(answer["output"]),
                "logLikelihood": _number(answer.get("log_likelihood")),
                "similarity": _number(answer.get("similarity")),
                "isExact": answer.get("exact") is True,
                "isInvalid": answer.get("valid") is False,
            }
            for rank, answer in self._shown_answers(place)
        ]
        return {"shown": shown, "more": len(self.rows[place]["answers"]) - len(shown)}

    def _shown_answers(self, place: int) -> list[tuple[int, dict[str, Any]]]:
        """Returns the answers to a prompt that are shown, with their ranks; none unless there are several."""
        answers = self.rows[place].get("answers") or []
        ranked = list(enumerate(answers, 1)) if len(answers) > 1 else []
        right = next((rank for rank, answer in ranked if answer.get("exact") is True), 0)
        return [(rank, answer) for rank, answer in ranked if rank <= MOST_ANSWERS or rank == right]

    def _further(self, place: int) -> list[str]:
        """Returns the molecules that are shown after the output."""
        if self.group not in ("molecules", "reactions"):
            return []
        row = self.rows[place]
        return [self._drawn(row, _read(answer)) or "" for _, answer in self._shown_answers(place)[1:]]

    def _text(self, row: dict[str, Any], name: str) -> str | None:
        text = row.get(name)
        return None if text is None else readable(text)

    def _common(self, row: dict[str, Any]) -> list[int] | None:
        reference, output = self._text(row, "reference"), self._text(row, "output")
        if reference is None or output is None or self.group in _ABOUT_INPUTS:
            return None
        return common_runs(reference, output, by_words=self.by_words)


def column_name(key: str) -> str:
    """Returns a score's display name."""
    known = {
        "bleu": "BLEU",
        "bleu2": "BLEU-2",
        "bleu4": "BLEU-4",
        "rouge1": "ROUGE-1",
        "rouge2": "ROUGE-2",
        "rouge_l": "ROUGE-L",
        "meteor": "METEOR",
        "maccs": "MACCS",
        "rdk": "RDKit",
        "morgan": "Morgan",
        "fcd": "FCD",
        "mcc": "MCC",
        "f1": "F1",
        "exact": "Exact match",
        "exact_text": "Exact text",
        "exact_inchi": "Exact match by InChI",
        "exact_without_salts": "Exact match without salts",
        "max_fragment": "Largest molecule",
        "property_f1": "Property F1",
        "name_f1": "F1 of names",
        "withheld_f1": "Withheld F1",
        "auroc": "AUROC",
        "auprc": "AUPRC",
        "rmse": "RMSE",
        "mae": "MAE",
        "r2": "R²",
        "unparsed": "Not a number",
        "baseline_rmse": "RMSE of the mean",
        "baseline_mae": "MAE of the mean",
        "expected_rmse": "RMSE of expected answers",
        "expected_mae": "MAE of expected answers",
        "expected_r2": "R² of expected answers",
        _RIGHT_CHANCE: "Probability of the reference",
        _TOKEN_LOSS: "Loss per token (nats)",
    }
    if (top := top_of(key)) is not None:
        name = column_name(top[1])
        return f"Top-{top[0]} {name[:1].lower()}{name[1:]}"
    whole = key.removeprefix("withheld_")
    plain = whole.replace("_", " ")
    name = known.get(whole, plain[:1].upper() + plain[1:])
    return name if whole == key else f"{name}, withheld combinations"


def _read(row: dict[str, Any]) -> str | None:
    """Returns what was scored of an item or answer."""
    text: str | None = row.get("read", row.get("output"))
    return text


def _with_derived(row: dict[str, Any], group: str) -> dict[str, Any]:
    """Returns a row with the score that orders its group added, if the table lacks it."""
    if group in _LABELS and isinstance(row.get("probabilities"), dict):
        from scimind.evaluate.metrics.classification import read_label

        chance = row["probabilities"].get(read_label(row.get("reference") or ""))
        return {**row, _RIGHT_CHANCE: chance}
    if group == "language_model":
        losses, tokens = (sum(v for k, v in row.items() if k.endswith(end) and v) for end in ("_loss", "_tokens"))
        return {"id": row["id"], _TOKEN_LOSS: losses / tokens if tokens else None, **row}
    return row


def _better(name: str) -> str:
    if name in (_RIGHT_CHANCE, _TOKEN_LOSS):
        return HIGHER if name == _RIGHT_CHANCE else LOWER
    try:
        known: Metric = find_metric(name)
    except KeyError:
        return NEITHER
    return known.better


def _flag_names(name: str) -> tuple[str, str]:
    if (top := top_of(name)) is not None:
        what = _FLAGS.get({"validity": "valid"}.get(top[1], top[1]), (top[1],))[0]
        return f"{what} among {top[0]}", f"none of {top[0]} {what}"
    return _FLAGS.get(name, (name.replace("_", " "), f"not {name.replace('_', ' ')}"))


def _flag(value: Any) -> int | None:
    return int(value) if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    """Returns a finite number rounded to 5 digits, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
