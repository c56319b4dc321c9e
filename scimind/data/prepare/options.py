"""The settings of a preparation apart from its task and files; their defaults are also those of the command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scimind.config.sections.generation import AMBIGUOUS
from scimind.data.content.fields import MOLECULES, FieldOptions
from scimind.data.prepare.splitting import Split
from scimind.data.tasks.task import CONFLICTS, Task
from scimind.errors import SciMindError

ON_BAD = ("stop", "skip")
DUPLICATES = ("drop", "keep")


MOST_SPELLINGS = 1000


@dataclass(frozen=True)
class PrepareOptions:
    """The settings of a preparation.

    Args:
        seq_length: Sequence length s of the model, at least 1.
        policy: What happens to longer records: `drop` or `truncate`, see `Fitter`.
        loss_on_prompt: Whether prompts are trained on too.
        packed: Whether short records share a row, see `packing`; training on them needs a model with `packed: True`.
        eval_fraction: Share of records to set aside for evaluation, in [0, 1).
        test_fraction: Share of records to set aside as a test set in addition; the sum of both is less than 1.
        split: `random`, `scaffold` or `cluster`, see `Split`. The same molecule or sequence is never in two splits.
        identity: Minimum identity of similar sequences, in (0, 1], see `cluster`.
        seed: Seed of splits, random spellings, negatives and mixtures.
        on_bad: `stop` raises the error of the first faulty record, `skip` lists and counts faulty records.
        duplicates: `drop` leaves out records with the question and answer of an earlier one, `keep` keeps them.
        on_conflict: What happens to records that ask the same but answer differently, one of `CONFLICTS`; None leaves
            it to the task, see `Task`.
        ambiguous: What happens to letters of sequences that stand for several, such as N in DNA: `drop` leaves the
            record out, `split` takes the longest stretch without them, `mask` replaces them; see `resolve`.
        molecules: `checked`, `canonical` or `as-is`, see `FieldOptions`.
        randomised: Number of random spellings of each molecule to train on in addition, at least 0.
        detect: Whether text is searched for untagged sequences, see `wrap_text`.
        card: Whether `name.card.md` and `name.lengths.png` are written too.
        overwrite: Whether existing results may be replaced.
        workers: Number of encoding processes, which does not change the files; None for one per core.
        progress: Whether a progress bar is shown on standard error.

    Raises:
        SciMindError: A setting is out of range.
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
    on_conflict: str | None = None
    ambiguous: str = "drop"
    molecules: str = "checked"
    randomised: int = 0
    detect: bool = False
    card: bool = True
    overwrite: bool = False
    workers: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        _ = self.splitting  # raises an error if a setting of the split is wrong
        for name, value, choices in (
            ("on_bad", self.on_bad, ON_BAD),
            ("duplicates", self.duplicates, DUPLICATES),
            ("on_conflict", self.on_conflict or CONFLICTS[0], CONFLICTS),
            ("ambiguous", self.ambiguous, AMBIGUOUS),
            ("molecules", self.molecules, MOLECULES),
        ):
            if value not in choices:
                raise SciMindError(f"{name} ({value!r}) must be one of {', '.join(choices)}")
        if self.randomised < 0:
            raise SciMindError(f"randomised ({self.randomised}) must be at least 0")
        if self.randomised > MOST_SPELLINGS:
            raise SciMindError(
                f"randomised ({self.randomised}) must be at most {MOST_SPELLINGS}: each record is repeated as often"
            )
        if not 0 < self.identity <= 1:
            raise SciMindError(f"identity ({self.identity}) must be greater than 0 and at most 1")
        if self.molecules == "as-is":
            wish = "split scaffold" if self.split == "scaffold" else "randomised" if self.randomised else ""
            if wish:
                raise SciMindError(f"{wish} needs RDKit to read molecules; set molecules to checked or canonical")

    @property
    def splitting(self) -> Split:
        """How records are set aside."""
        return Split(self.split, self.eval_fraction, self.test_fraction, self.seed)

    @property
    def fields(self) -> FieldOptions:
        """How fields are read."""
        return FieldOptions(
            molecules=self.molecules,
            randomised=self.randomised,
            detect=self.detect,
            seed=self.seed,
            scaffolds=self.split == "scaffold",
            ambiguous=self.ambiguous,
        )

    def conflict_rule(self, task: Task) -> str:
        """Returns what happens to contradictory records of a task, one of `CONFLICTS`."""
        return self.on_conflict or task.conflict_rule


def check_name(name: str) -> str:
    """Returns the name of the results after a check.

    Raises:
        SciMindError: It contains folders or would make hidden files.
    """
    if Path(name).name != name or name.startswith("."):
        raise SciMindError(
            f"name ({name!r}) must be a file name without folders or a leading dot; give the folder as --output"
        )
    return name
