"""Memory of a training step: the estimate of `scimind check` against the measured memory of a process on a CPU.

The process's memory before the model is built, with MindSpore loaded and used once, is subtracted from its peak after
some steps (the kernel's `VmHWM`). The same configuration is estimated and measured. The constants in
`scimind/memory/cpu.py` were fitted to other sizes than these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from llama import SMOKE, mindspore_facts, run_config
from pairs import Measuring
from report import Row
from training import SciMindTraining
from worker import Side, Work, Worker

from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.config import RunConfig
from scimind.memory import estimate_memory

TOLERANCE = 0.2
_STEPS = 6  # MindSpore tries two ways of scheduling in its first five
_HALVES = {"router": "modality", "num_experts": 16}
_ORIGINAL = {"router": "activation", "num_experts": 16, "experts_per_token": {"text": 14, "smiles": 2}}
# Name, sizes, batch and routing.
CASES: tuple[tuple[str, ModelSizes, int, Mapping[str, Any]], ...] = (
    ("small", ModelSizes(2112, 192, 4, 4, 4, 768, seq_length=160), 16, _HALVES),
    ("medium", ModelSizes(4096, 384, 6, 6, 6, 1536, seq_length=256), 16, _HALVES),
    ("medium, router activation", ModelSizes(4096, 384, 6, 6, 6, 1536, seq_length=256), 16, _ORIGINAL),
    ("large", ModelSizes(8192, 640, 8, 10, 10, 2560, seq_length=384), 8, _HALVES),
)


def rows(how: Measuring, *, smoke: bool) -> Iterator[Row]:
    """Yields the estimate for each size against the measured peak."""
    cases = [("smoke", SMOKE, 2, _HALVES)] if smoke else CASES
    for name, sizes, batch_size, routing in cases:
        how.say(f"memory of a training step, {name}")
        given = {"sizes": sizes, "batch_size": batch_size, "routing": dict(routing)}
        with Worker(Side("SciMind", TrainingMemory, given), how.log) as worker:
            worker.seconds()
            measured, facts = worker.extra_bytes(), worker.facts
        estimated = estimate_memory(training_config(sizes, routing, batch_size))
        ratio = estimated.total / measured
        yield Row(
            work=f"memory of a training step, {name}",
            ours=f"estimated: {_mebibytes(estimated.total)}",
            against=f"measured: {_mebibytes(measured)}",
            ratio=f"{ratio:.2f}",
            asked=f"{1 - TOLERANCE:g} to {1 + TOLERANCE:g}",
            is_met=abs(ratio - 1) <= TOLERANCE,
            record={
                "estimated": vars(estimated),
                "measured": measured,
                "details": {**sizes.to_model_config(), "batch_size": batch_size, "routing": dict(routing)},
                "facts": [facts],
            },
        )


def training_config(sizes: ModelSizes, routing: Mapping[str, Any], batch_size: int) -> RunConfig:
    """Returns the configuration of the measured step, as a training configuration."""
    tree = run_config(sizes, routing, batch_size).to_dict()
    data = {"data_loader": {"type": "MindDataset", "dataset_dir": "none"}}  # nothing is read
    return RunConfig({**tree, "run_mode": "finetune", "train_dataset": data})


class TrainingMemory(Work):
    """A training step that is built only when it runs, so that the memory before that does not include the model.

    Args:
        given: Arguments of `SciMindTraining`.
    """

    def __init__(self, **given: Any) -> None:
        import mindspore as ms

        import scimind.train.session  # noqa: F401  # loads the modules that training needs

        ms.set_context(device_target="CPU")
        ms.ops.MatMul()(ms.Tensor(np.ones((64, 64), np.float32)), ms.Tensor(np.ones((64, 64), np.float32))).asnumpy()
        self.given = given

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns no outputs, as it has no other side to compare with."""
        return {}

    def run(self) -> None:
        """Builds the step and runs it a few times."""
        training = SciMindTraining(**self.given, weights=None)
        for _ in range(_STEPS):
            training.run()

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return mindspore_facts()


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
