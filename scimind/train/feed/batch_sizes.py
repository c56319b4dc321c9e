"""Dividing a step's records among workers, and a worker's records into parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.errors import ConfigError


def divide_batch(runner: Mapping[str, Any], workers: int) -> tuple[int, int]:
    """Returns the number of records in a worker's step, and the number of parts in which they are computed.

    With `global_batch_size`, a step has this many records regardless of the number of workers; `batch_size` is then the
    most that a worker computes at a time. Without it, each worker takes `batch_size` x `gradient_accumulation_steps`.

    Args:
        runner: The section runner_config.
        workers: Processes that train together.

    Raises:
        ConfigError: The records cannot be divided equally.
    """
    most = int(runner.get("batch_size", 1))
    parts = int(runner.get("gradient_accumulation_steps") or 1)
    total = runner.get("global_batch_size")
    if not total:
        return most * parts, parts
    if total < most:
        raise ConfigError(
            f"runner_config.batch_size ({most}), the most that a worker computes at a time, must be at most "
            f"global_batch_size ({total}), the records of a step; change one of them"
        )
    if total % workers:
        raise ConfigError(
            f"runner_config.global_batch_size ({total}) must be a multiple of the number of workers ({workers})"
        )
    share = total // workers
    if parts > 1 and share != most * parts:
        raise ConfigError(
            f"runner_config.global_batch_size ({total}) must be batch_size ({most}) x gradient_accumulation_steps "
            f"({parts}) x workers ({workers}); omit gradient_accumulation_steps to derive it"
        )
    return share, next(count for count in range(1, share + 1) if share % count == 0 and share // count <= most)
