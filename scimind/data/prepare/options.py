"""What a preparation is asked for besides its task and files; the defaults are those of the command too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scimind.data.content.fields import MOLECULES, FieldOptions
from scimind.data.prepare.splitting import Split
from scimind.errors import SciMindError

ON_BAD = ("stop", "skip")
DUPLICATES = ("drop", "keep")


@dataclass(frozen=True)
class PrepareOptions:
    """Settings of one preparation.

    Args:
        seq_length: Positions s that the model reads at once, from 1.
        policy: What happens to a longer record: `drop` or `truncate`, see `Fitter`.
        loss_on_prompt: Whether the prompt is learnt too.
        packed: Whether short records share a row, see `packing`; a model needs `packed: True` to learn from them.
        eval_fraction: Share of records to set aside for evaluation, in [0, 1).
        test_fraction: Share of records to set aside in addition, as a test; both together are less than 1.
        split: `random`, `scaffold` or `cluster`, see `Split`. The same molecule or sequence is never in two splits.
        identity: From which on sequences are alike, in (0, 1], see `cluster`.
        seed: Decides splits, random spellings, negatives and mixtures.
        on_bad: `stop` raises the first faulty record's error, `skip` lists and counts it.
        duplicates: `drop` lists records of equal question and answer, `keep` keeps them.
        molecules: `checked`, `canonical` or `as-is`, see `FieldOptions`.
        randomised: Random spellings of each molecule to learn from in addition, from 0.
        detect: Whether sequences without marks are looked for in text, see `wrap_text`.
        card: Whether `name.card.md` and `name.lengths.png` are written too.
        overwrite: Whether results that exist may be replaced.
        workers: Processes that encode, None for as many as there are cores; the files do not depend on it.
        progress: Whether a bar is shown on standard error.

    Raises:
        SciMindError: One is out of range.
    """

    seq_length: int = 2048
    policy: str = "drop"
    loss_on_prompt: bool = False
    packed: bool = False
    eval_fraction: float = 0.0
    test_fraction: float = 0.0
    split: str = "random"
    identity: float = 0.8
    seed: int = 0
    on_bad: str = "skip"
    duplicates: str = "drop"
    molecules: str = "checked"
    randomised: int = 0
    detect: bool = False
    card: bool = True
    overwrite: bool = False
    workers: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        _ = self.splitting  # raises what is wrong with the split
        for name, value, choices in (
            ("on_bad", self.on_bad, ON_BAD),
            ("duplicates", self.duplicates, DUPLICATES),
            ("molecules", self.molecules, MOLECULES),
        ):
            if value not in choices:
                raise SciMindError(f"{name} ({value!r}) must be one of {', '.join(choices)}")
        if self.randomised < 0:
            raise SciMindError(f"randomised ({self.randomised}) must be at least 0")
        if not 0 < self.identity <= 1:
            raise SciMindError(f"identity ({self.identity}) must be more than 0 and at most 1")
        if self.molecules == "as-is":
            wish = "split scaffold" if self.split == "scaffold" else "randomised" if self.randomised else ""
            if wish:
                raise SciMindError(f"{wish} needs molecules that RDKit reads; set molecules to checked or canonical")

    @property
    def splitting(self) -> Split:
        """How records are set aside."""
        return Split(self.split, self.eval_fraction, self.test_fraction, self.seed)

    @property
    def fields(self) -> FieldOptions:
        """How fields are read."""
        return FieldOptions(self.molecules, self.randomised, self.detect, self.seed, self.split == "scaffold")


def check_name(name: str) -> str:
    """Returns the name of results, if it is one.

    Raises:
        SciMindError: It has folders or would be hidden.
    """
    if Path(name).name != name or name.startswith("."):
        raise SciMindError(f"name ({name!r}) must be a file name without folders; give the folder as --output")
    return name
