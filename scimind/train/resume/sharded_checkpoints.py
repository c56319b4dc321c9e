"""Resuming a training whose tensors are split over devices from MindFormers' checkpoints, one piece per device.

MindFormers writes and loads the pieces, and skips the records that were seen; here the checkpoint is chosen.

    checkpoint/
        rank_0/scimind_7b_rank_0-3_20.ckpt      weights, optimizer, step and loss scale of device 0
        rank_1/scimind_7b_rank_1-3_20.ckpt
        …
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scimind.checkpoint.formats.reading import read_tensors
from scimind.errors import CheckpointError
from scimind.train.settings import TrainSettings

# If the folder has files of an earlier run, MindSpore adds a run number after the rank: nano_rank_0_1-3_20.ckpt.
_PIECE = re.compile(r"(.+_rank_)\d+((?:_\d+)?-\d+_\d+\.(?:ckpt|safetensors))")
_STEP = "step_num"


@dataclass(frozen=True)
class Pieces:
    """A sharded checkpoint.

    Args:
        folder: Has a folder `rank_N` for each device.
        name: The file of device 0; those of other devices contain their own number.
        step: Number of completed global steps.
    """

    folder: Path
    name: str
    step: int

    @property
    def file_format(self) -> str:
        """The file format, ckpt or safetensors."""
        return Path(self.name).suffix.removeprefix(".")

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments with which `Trainer.finetune` resumes from here."""
        return {"resume_from_checkpoint": str(self.folder), "resume_training": self.name}


def find_pieces(settings: TrainSettings, output_dir: Path, say: Callable[[str], None]) -> Pieces | None:
    """Finds the newest checkpoint whose pieces can all be read, and reports those that it skips.

    Args:
        settings: The run's settings; `resume_training` is True or the name of a piece. The checkpoints are those in the
            output folder, or else in `load_checkpoint`; all devices must have access to the folder.
        output_dir: The run's output folder.
        say: Called with messages on what is skipped and what is found.

    Returns:
        The checkpoint, or None if none has been written yet.

    Raises:
        CheckpointError: There are pieces, but no checkpoint is complete or has the name.
    """
    places = [output_dir / "checkpoint", *([Path(settings.load_checkpoint)] if settings.load_checkpoint else [])]
    folder = next((place for place in places if any(place.glob("rank_*/*_rank_*"))), None)
    if folder is None:
        say(f"{output_dir} has no checkpoint of a training yet; starting with the first step")
        return None
    names = [path.name for path in sorted((folder / "rank_0").glob("*")) if _PIECE.fullmatch(path.name)]
    if isinstance(settings.resume_training, str):
        wanted = re.sub(r"_rank_\d+", "_rank_0", Path(settings.resume_training).stem, count=1)
        names = [name for name in names if Path(name).stem == wanted]
        if not names:
            raise CheckpointError(f"resume_training ({settings.resume_training}) is not a file in {folder}/rank_0")
    good, faults = [], []
    for name in names:
        try:
            steps = {_step_of(path) for path in _pieces(folder, name, settings.workers)}
            if len(steps) > 1:
                raise CheckpointError(f"the pieces of {name} are of steps {', '.join(map(str, sorted(steps)))}")
            good.append(Pieces(folder, name, steps.pop()))
        except CheckpointError as error:
            say(f"skipping {name}: {error}")
            faults.append(str(error))
    if good:
        # The numbers in a name restart with every run; of two checkpoints of the same step, the later one is as good.
        newest = max(good, key=lambda pieces: pieces.step)
        say(f"resuming from {folder}, {newest.name}")
        return newest
    raise CheckpointError(
        f"{folder} has no checkpoint from which {settings.workers} devices can resume ({'; '.join(faults[:3])}); start "
        "over with resume_training False"
    )


def _pieces(folder: Path, name: str, devices: int) -> Iterator[Path]:
    for device in range(devices):
        yield folder / f"rank_{device}" / _PIECE.sub(rf"\g<1>{device}\g<2>", name)


def _step_of(piece: Path) -> int:
    """Returns the global step of a piece; reads the file's index and no other tensor."""
    if not piece.is_file():
        raise CheckpointError(f"{piece} is missing")
    tensors = read_tensors(piece)
    if _STEP not in tensors:
        raise CheckpointError(f"{piece} has no {_STEP}, which CheckpointMonitor writes")
    return int(tensors[_STEP].values().item())
