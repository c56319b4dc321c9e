"""Where a training goes on whose tensors are split over devices: MindFormers' checkpoints, a piece on each device.

MindFormers writes and loads the pieces, and passes over the records that were seen; here the checkpoint is chosen.

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

# MindSpore numbers a run behind the rank that finds files of another in its folder: nano_rank_0_1-3_20.ckpt.
_PIECE = re.compile(r"(.+_rank_)\d+((?:_\d+)?-\d+_\d+\.(?:ckpt|safetensors))")
_STEP = "step_num"


@dataclass(frozen=True)
class Pieces:
    """A checkpoint in pieces.

    Args:
        folder: Has a folder `rank_N` for each device.
        name: The file of device 0; those of the others have their own number in it.
        step: Global steps that are done.
    """

    folder: Path
    name: str
    step: int

    @property
    def file_format(self) -> str:
        """ckpt or safetensors."""
        return Path(self.name).suffix.removeprefix(".")

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments with which `Trainer.finetune` goes on from here."""
        return {"resume_from_checkpoint": str(self.folder), "resume_training": self.name}


def find_pieces(settings: TrainSettings, output_dir: Path, say: Callable[[str], None]) -> Pieces | None:
    """Finds the newest checkpoint of which every device's piece can be read, and reports those that it skips.

    Args:
        settings: The run's settings; `resume_training` is True or the name of a piece. The checkpoints are those of the
            output folder, else those of `load_checkpoint`; all devices must see the folder.
        output_dir: The run's output folder.
        say: Is told what is skipped, and what is found.

    Returns:
        The checkpoint, None where none was written yet.

    Raises:
        CheckpointError: There are pieces, and no checkpoint is whole or has the name.
    """
    places = [output_dir / "checkpoint", *([Path(settings.load_checkpoint)] if settings.load_checkpoint else [])]
    folder = next((place for place in places if any(place.glob("rank_*/*_rank_*"))), None)
    if folder is None:
        say(f"{output_dir} has no checkpoint of a training yet; beginning with the first step")
        return None
    names = [path.name for path in sorted((folder / "rank_0").glob("*")) if _PIECE.fullmatch(path.name)]
    if isinstance(settings.resume_training, str):
        wanted = re.sub(r"_rank_\d+", "_rank_0", Path(settings.resume_training).stem, count=1)
        names = [name for name in names if Path(name).stem == wanted]
        if not names:
            raise CheckpointError(f"resume_training ({settings.resume_training}) is no file in {folder}/rank_0")
    good, faults = [], []
    for name in names:
        try:
            steps = {_step_of(path) for path in _pieces(folder, name, settings.workers)}
            if len(steps) > 1:
                raise CheckpointError(f"the pieces of {name} are of the steps {', '.join(map(str, sorted(steps)))}")
            good.append(Pieces(folder, name, steps.pop()))
        except CheckpointError as error:
            say(f"{name} is skipped: {error}")
            faults.append(str(error))
    if good:
        # The numbers in a name begin anew with every run; of two of the same step, the later one is as good.
        newest = max(good, key=lambda pieces: pieces.step)
        say(f"going on from {folder}, {newest.name}")
        return newest
    raise CheckpointError(
        f"{folder} has no checkpoint from which {settings.workers} devices can go on ({'; '.join(faults[:3])}); start "
        "anew with resume_training False"
    )


def _pieces(folder: Path, name: str, devices: int) -> Iterator[Path]:
    for device in range(devices):
        yield folder / f"rank_{device}" / _PIECE.sub(rf"\g<1>{device}\g<2>", name)


def _step_of(piece: Path) -> int:
    """Returns the global step of a piece; reads where its tensors are, and no other of them."""
    if not piece.is_file():
        raise CheckpointError(f"{piece} is missing")
    tensors = read_tensors(piece)
    if _STEP not in tensors:
        raise CheckpointError(f"{piece} has no {_STEP}; CheckpointMonitor writes it")
    return int(tensors[_STEP].values().item())
