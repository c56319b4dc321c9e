"""What a model returns in Python: answers with what is known about them, and the experts of a text's tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """One answer of a model.

    Attributes:
        text: The answer, read as the task defines: a bare molecule or sequence, names, or text.
        log_likelihood: Of the whole answer with its end, in nats; None if the answer was only decoded.
        canonical: Canonical SMILES of a task's molecule; None for anything else, or if RDKit cannot parse it.
        finish_reason: How it ended: `stop`, `length`, `completed`, `shortened` or `choice`.
    """

    text: str
    log_likelihood: float | None = None
    canonical: str | None = None
    finish_reason: str = ""


@dataclass(frozen=True)
class Prediction:
    """A prompt with its answers; in a notebook, answers that are molecules are drawn.

    Attributes:
        id: The record's id.
        prompt: The text that the model read.
        answers: The answers, the best first; none if the prompt could not be answered.
        reference: The answer that the record gives, if any.
        probabilities: Of each choice, with sum 1; empty if the answer was generated.
        message: Why there is no answer; empty if there is one.
        warning: What is doubtful about the record.
        row: The row that `scimind predict` writes to a `.jsonl`.
    """

    id: str
    prompt: str
    answers: tuple[Answer, ...]
    reference: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    warning: str = ""
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Prediction:
        """Returns the prediction in a row of a `.jsonl` of predictions."""
        has_answer = row["finish_reason"] not in ("error", "none")
        likelihoods = row.get("log_likelihoods") or {}
        answers = tuple(
            Answer(
                one["output"],
                one.get("log_likelihood", likelihoods.get(one["output"])),
                one.get("canonical"),
                one.get("finish_reason", ""),
            )
            for one in (row.get("outputs") or [row] if has_answer else [])
        )
        return cls(
            str(row["id"]),
            row["prompt"],
            answers,
            row.get("reference"),
            row.get("probabilities") or {},
            row.get("message", ""),
            row.get("warning", ""),
            row,
        )

    @property
    def answer(self) -> str:
        """The best answer; empty if there is none."""
        return self.answers[0].text if self.answers else ""

    @property
    def log_likelihood(self) -> float | None:
        """That of the best answer."""
        return self.answers[0].log_likelihood if self.answers else None

    @property
    def canonical(self) -> str | None:
        """That of the best answer."""
        return self.answers[0].canonical if self.answers else None

    def _repr_html_(self) -> str:
        """Returns a table of the answers for a notebook."""
        rows: list[tuple[str, str, float | None]] = []
        if self.reference is not None:
            rows.append(("reference", self.reference, None))
        numbers = range(1, len(self.answers) + 1)
        rows += [(str(n), one.text, one.log_likelihood) for n, one in zip(numbers, self.answers, strict=True)]
        drawn = any(one.canonical for one in self.answers)
        cells = []
        for label, text, likelihood in rows:
            value = "" if likelihood is None else f"{likelihood:.2f}"
            picture = _picture(text) if drawn else ""
            cells.append(f"<tr><th>{label}</th><td>{picture}</td><td>{escape(text)}</td><td>{value}</td></tr>")
        message = f"<p>{escape(self.message)}</p>" if self.message else ""
        return f"<p>{escape(self.prompt.strip())}</p>{message}<table>{''.join(cells)}</table>"


class Predictions(list[Prediction]):
    """The predictions of one call, in the order of its records; in a notebook, the first ones are shown."""

    _SHOWN = 5

    def _repr_html_(self) -> str:
        """Returns the first predictions for a notebook."""
        more = f"<p>… {len(self) - self._SHOWN} more</p>" if len(self) > self._SHOWN else ""
        return "".join(one._repr_html_() for one in self[: self._SHOWN]) + more

    def to_frame(self, index: Any = None) -> Any:
        """Returns a DataFrame with a row per prediction: id, prompt, answer, answers, log_likelihood, canonical, ….

        Args:
            index: The index of the frame; by default 0, 1, ….
        """
        import pandas

        names = ("id", "prompt", "answer", "log_likelihood", "canonical", "reference", "message")
        rows = [{name: getattr(one, name) for name in names} for one in self]
        for row, one in zip(rows, self, strict=True):
            row["answers"] = [answer.text for answer in one.answers]
        return pandas.DataFrame(rows, columns=[*names, "answers"], index=index)


@dataclass(frozen=True)
class ExpertUse:
    """Which experts the tokens of a text use.

    Attributes:
        tokens: Each token's text.
        modalities: Each token's modality.
        active: Whether a token uses an expert, bool [layers, tokens, experts].
    """

    tokens: tuple[str, ...]
    modalities: tuple[str, ...]
    active: NDArray[np.bool_]

    def of_token(self, token: int, layer: int = 0) -> list[int]:
        """Returns the experts, from 0, that a token uses in a layer."""
        return np.flatnonzero(self.active[layer, token]).tolist()

    def share(self) -> dict[str, NDArray[np.float64]]:
        """Returns each modality's share of tokens that use each expert, mean over the layers, float64 [experts]."""
        found = {}
        for name in dict.fromkeys(self.modalities):
            chosen = [place for place, modality in enumerate(self.modalities) if modality == name]
            found[name] = self.active[:, chosen].mean(axis=(0, 1))
        return found


def _picture(smiles: str) -> str:
    """Returns a picture of a molecule, empty if it cannot be drawn."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return ""
    canvas = rdMolDraw2D.MolDraw2DSVG(220, 150)
    canvas.DrawMolecule(molecule)
    canvas.FinishDrawing()
    return str(canvas.GetDrawingText()).split("?>", 1)[-1]


def texts_of(values: Sequence[Any] | str, name: str) -> list[str]:
    """Returns a list of texts; a single text is a list of one.

    Raises:
        SciMindError: One of them is not text.
    """
    from scimind.errors import SciMindError

    texts = [values] if isinstance(values, str) else list(values)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise SciMindError(f"{name} {number} ({text!r}) is not text; give a list of texts")
    return texts
