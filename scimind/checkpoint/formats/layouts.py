"""Checkpoints sharded over devices: MindSpore splits and merges them according to strategy files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scimind.errors import CheckpointError, SciMindError
from scimind.runtime.private_folder import private_folder

PREFIX = "checkpoint"


def change_layout(source: Path, output: Path, from_strategy: Path | None, to_strategy: Path | None) -> list[Path]:
    """Rewrites a checkpoint with all its content for another number of devices.

    Args:
        source: A file of unsharded weights, or a folder with one folder `rank_N` per device.
        output: A new folder; gets `rank_N/checkpointN.ckpt` for each device, only `rank_0` for unsharded weights.
        from_strategy: The strategy file of the training that wrote `source`, or a folder with one per pipeline stage;
            None if the weights are unsharded.
        to_strategy: The strategy file of the training that will read the result; None writes unsharded weights.

    Returns:
        The files that were written.

    Raises:
        SciMindError: An input does not exist, or the output already does.
        CheckpointError: MindSpore rejects the files or the strategies.
    """
    for flag, path in (("--input", source), ("--from-strategy", from_strategy), ("--to-strategy", to_strategy)):
        if path is not None and not path.exists():
            raise SciMindError(f"{flag} ({path}) does not exist; give another path")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise SciMindError(f"--output ({output}) already exists; give a new folder")
    if from_strategy is not None and not any(source.glob("rank_*")):
        raise CheckpointError(f"{source}: has no folder rank_0; give the folder that contains one folder per card")
    import mindspore as ms

    with tempfile.TemporaryDirectory(dir=private_folder("layout")) as folder:
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
        raise CheckpointError(f"{source}: MindSpore wrote nothing; check that the strategy belongs to this model")
    return files


def _as_one_card(source: Path, folder: Path) -> Path:
    """Returns a folder in which a file is the checkpoint of the only device."""
    files = [source] if source.is_file() else sorted(source.glob("*.ckpt"))
    if len(files) != 1 or files[0].suffix != ".ckpt":
        raise CheckpointError(f"{source}: must be a .ckpt file, or a folder with one folder rank_N per card")
    (folder / "rank_0").mkdir(parents=True)
    (folder / "rank_0" / files[0].name).symlink_to(files[0].resolve())
    return folder


def _one_file(strategy: Path | None, merged: Path) -> str | None:
    """Returns a strategy file; those of pipeline stages are merged into `merged`."""
    if strategy is None or strategy.is_file():
        return None if strategy is None else str(strategy)
    import mindspore as ms

    if any(strategy.glob("*.ckpt")) or any(strategy.glob("*.json")):
        ms.merge_pipeline_strategys(str(strategy), str(merged))
    if not merged.is_file():
        raise CheckpointError(f"{strategy}: has no strategy files; give the folder that strategy_ckpt_save_file is in")
    return str(merged)
