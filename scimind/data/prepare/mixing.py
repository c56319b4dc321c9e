"""How often each record of a mixture is learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scimind.data.prepare.fates import Decision, Index
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.splitting import TRAIN, repeats, shares
from scimind.data.prepare.summary import PrepareSummary
from scimind.errors import SciMindError


def mix(
    sources: Sequence[TaskSource],
    decided: Sequence[tuple[Index, Decision]],
    summary: PrepareSummary,
    temperature: float,
    records: int | None,
    seed: int,
) -> list[tuple[Index, Decision]]:
    """Returns the decisions with how often each record is learnt from, and notes shares and epochs."""
    sizes = [int((decision.fate == TRAIN).sum()) for _, decision in decided]
    if empty := [source.name for source, size in zip(sources, sizes, strict=True) if not size]:
        raise SciMindError(f"{empty[0]} has no record to learn from; see its rejects, or leave it out of the mixture")
    total = records or sum(sizes)
    mixed = []
    parts = shares(sizes, [source.weight for source in sources], temperature)
    for source, (index, decision), size, share in zip(sources, decided, sizes, parts, strict=True):
        wanted = round(total * share)
        often = decision.often.copy()
        chosen = decision.fate == TRAIN
        keys = index["question"][chosen] ^ (index["answer"][chosen] >> 1)
        often[chosen] = repeats(wanted, keys, f"{seed} {source.name}")
        mixed.append((index, replace(decision, often=often)))
        summary.tasks[source.name] = {
            "task": source.task.name,
            "read": len(index.rows),
            "train": size,
            "wanted": wanted,
            "epochs": wanted / size,
            "share": share,
        }
    return mixed
