"""What a preparation is asked for besides its task and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scimind.data.content.fields import MOLECULES, FieldOptions
from scimind.data.prepare.splitting import Split
from scimind.errors import SciMindError

ON_BAD = ("stop", "skip")
DUPLICATES = ("drop", "keep")


@dataclass(frozen=True)
class PrepareOptions:
    """Settings of one preparation; see `prepare` for what they mean.

    Raises:
        SciMindError: One is out of range.
    """

    seq_length: int
    policy: str = "drop"
    loss_on_prompt: bool = False
    on_bad: str = "stop"
    overwrite: bool = False
    packed: bool = False
    workers: int = 1
    progress: bool = True
    split: Split = field(default_factory=Split)
    settings: FieldOptions = field(default_factory=FieldOptions)
    duplicates: str = "drop"
    identity: float = 0.8
    card: bool = False
    say: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("on_bad", self.on_bad, ON_BAD),
            ("duplicates", self.duplicates, DUPLICATES),
            ("molecules", self.settings.molecules, MOLECULES),
        ):
            if value not in choices:
                raise SciMindError(f"{name} ({value!r}) must be one of {', '.join(choices)}")
        if self.settings.randomised < 0:
            raise SciMindError(f"randomised ({self.settings.randomised}) must be at least 0")
        if not 0 < self.identity <= 1:
            raise SciMindError(f"identity ({self.identity}) must be more than 0 and at most 1")
        if self.settings.molecules == "as-is":
            wish = "split scaffold" if self.split.by == "scaffold" else "randomised" if self.settings.randomised else ""
            if wish:
                raise SciMindError(f"{wish} needs molecules that RDKit reads; set molecules to checked or canonical")


def check_name(name: str) -> str:
    """Returns the name of results, if it is one.

    Raises:
        SciMindError: It has folders or would be hidden.
    """
    if Path(name).name != name or name.startswith("."):
        raise SciMindError(f"name ({name!r}) must be a file name without folders; give the folder as --output")
    return name
