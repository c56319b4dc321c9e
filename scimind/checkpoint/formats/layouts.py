"""Checkpoints that are cut over cards: MindSpore cuts them by a strategy file and puts them together again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scimind.errors import CheckpointError, SciMindError

PREFIX = "checkpoint"


def change_layout(source: Path, output: Path, from_strategy: Path | None, to_strategy: Path | None) -> list[Path]:
    """Writes a checkpoint as another number of cards needs it, with all that is in it.

    Args:
        source: A file of whole weights, or a folder with a folder `rank_N` for each card.
        output: A new folder; gets `rank_N/checkpointN.ckpt` for each card, `rank_0` alone for whole weights.
        from_strategy: The strategy file of a training that wrote `source`, or a folder with those of each stage of a
            pipeline; None means that the weights are whole.
        to_strategy: That of a training that is to read the result; None makes whole weights.

    Returns:
        The files that were written.

    Raises:
        SciMindError: A path is missing, or is there already.
        CheckpointError: MindSpore refuses files or strategies.
    """
    for flag, path in (("--input", source), ("--from-strategy", from_strategy), ("--to-strategy", to_strategy)):
        if path is not None and not path.exists():
            raise SciMindError(f"{flag} ({path}) does not exist; give another path")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise SciMindError(f"--output ({output}) is there already; give a new folder")
    if from_strategy is not None and not any(source.glob("rank_*")):
        raise CheckpointError(f"{source}: has no folder rank_0; give the folder that holds one for each card")
    import mindspore as ms

    with tempfile.TemporaryDirectory(prefix="scimind-") as folder:
        cards = source if any(source.glob("rank_*")) else _as_one_card(source, Path(folder, "whole"))
        strategies = [
            _one_file(path, Path(folder, f"{side}.ckpt")) for side, path in enumerate((from_strategy, to_strategy))
        ]
        output.mkdir(parents=True, exist_ok=True)
        try:
            ms.transform_checkpoints(str(cards), str(output), PREFIX, *strategies)
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{source}: MindSpore cannot change its layout ({reason})") from error
    files = sorted(output.glob(f"rank_*/{PREFIX}*.ckpt"))
    if not files:
        raise CheckpointError(f"{source}: MindSpore wrote nothing; see that the strategy is of this model")
    return files


def _as_one_card(source: Path, folder: Path) -> Path:
    """Returns a folder in which a file is the checkpoint of the only card."""
    files = [source] if source.is_file() else sorted(source.glob("*.ckpt"))
    if len(files) != 1 or files[0].suffix != ".ckpt":
        raise CheckpointError(f"{source}: must be a file .ckpt, or a folder with a folder rank_N for each card")
    (folder / "rank_0").mkdir(parents=True)
    (folder / "rank_0" / files[0].name).symlink_to(files[0].resolve())
    return folder


def _one_file(strategy: Path | None, merged: Path) -> str | None:
    """Returns a strategy file; those of a pipeline's stages are put together in `merged`."""
    if strategy is None or strategy.is_file():
        return None if strategy is None else str(strategy)
    import mindspore as ms

    if any(strategy.glob("*.ckpt")) or any(strategy.glob("*.json")):
        ms.merge_pipeline_strategys(str(strategy), str(merged))
    if not merged.is_file():
        raise CheckpointError(f"{strategy}: has no strategy files; give the folder that strategy_ckpt_save_file is in")
    return str(merged)
