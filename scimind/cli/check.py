"""`scimind check`: shows what a configuration means, without loading MindSpore or weights."""

from __future__ import annotations

import argparse
import os
import re

from scimind import accounting
from scimind.cli.run_options import add_run_options, overrides_of
from scimind.config import RunConfig, load_config
from scimind.memory import estimate_memory
from scimind.modality import MODALITY_NAMES

OVERRIDES = True

_GIBI = 2**30
_CARD_BASIS = (
    "derived from MindFormers' operators and MindSpore's parallel modes, not measured on a card; weights include those "
    "gathered from other cards"
)
_PROCESS_BASIS = (
    "in addition to the memory of MindSpore itself, with SciMind's own operators; within 20 % of measured training "
    "steps (scripts/bench/memory.py)"
)
_SLOW_KERNELS = "this configuration uses MindFormers' operators, which take more than twice as much memory on a CPU"
# Memory of a card in GB, and how much of it MindSpore's context.max_device_memory leaves to the model.
_CARDS = ((32, 31), (64, 58))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_run_options(parser, "training", "prediction")


def run(args: argparse.Namespace) -> int:
    """Prints the resolved configuration and the report on it; returns the exit status."""
    config = load_config(args.config, overrides_of(args))
    print(f"# Resolved configuration of {args.config}")
    print(config.to_yaml())
    print("\n".join(report(config)))
    return 0


def report(config: RunConfig) -> list[str]:
    """Returns the lines on parameters, FLOPs, memory and devices."""
    shape = accounting.ModelShape.of(config.model_config)
    parts = accounting.parameters(shape)
    lines = ["# Parameters", *(f"{name:14}{number:>18,}" for name, number in parts.items() if number)]
    lines += [f"{'total':14}{sum(parts.values()):>18,}", ""]
    lines += _work(config, shape)
    return lines + _memory(config) + _devices(config)


def _work(config: RunConfig, shape: accounting.ModelShape) -> list[str]:
    """Returns the lines on the experts, parameters and FLOPs that a token of each modality uses."""
    dense = accounting.feed_forward_flops(shape)
    lines = [
        f"# Per token, forward pass at {shape.length} tokens of context (training: 3 times that, 4 with recompute)",
        f"{'modality':14}{'experts':>10}{'active parameters':>20}{'FLOPs':>20}{'feed-forward':>16}",
    ]
    for name in MODALITY_NAMES:
        share = accounting.feed_forward_flops(shape, name) / dense
        lines.append(
            f"{name:14}{shape.active[name]:>7}/{shape.experts:<2}{accounting.active_parameters(shape, name):>20,}"
            f"{accounting.token_flops(shape, name):>20,}{share:>10.2f} dense"
        )
    lines.append(
        f"{'dense, masked':14}{shape.experts:>7}/{shape.experts:<2}{'':20}{accounting.token_flops(shape):>20,}"
    )
    lines.append(
        f"dispatch {config.model_config['dispatch']}: grouped computes active neurons only, masked the dense layer"
    )
    return [*lines, ""]


def _memory(config: RunConfig) -> list[str]:
    """Returns the lines on memory."""
    needed = estimate_memory(config)
    where = f", stage {needed.stage} of the pipeline" if config.pipeline_stages > 1 else ""
    lines = [f"# Memory of one device, estimated for run_mode {config.run_mode}{where}"]
    for name in ("weights", "gradients", "optimizer", "activations", "cache", "runtime", "total"):
        number = getattr(needed, name)
        if number:
            lines.append(f"{name:14}{_size(number):>18}")
    if config.device_target == "CPU":
        notes = [_PROCESS_BASIS] if config.kernels == "cpu" else [_PROCESS_BASIS, _SLOW_KERNELS]
        return [*lines, _process_verdict(needed.total), *notes, ""]
    return [*lines, *_card_verdicts(needed.total, config.at("context.max_device_memory")), _CARD_BASIS, ""]


def _process_verdict(total: int) -> str:
    """Returns a line that says whether the process fits the memory of this machine."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{_fits(total, here)} the {_size(here)} of this machine"


def _card_verdicts(total: int, limit: str | None) -> list[str]:
    """Returns lines that say whether the model fits cards of either size and the limit set in the configuration."""
    lines = [
        f"{_fits(total, usable * _GIBI)} a {card} GB card, of which {usable} GB are available to the model"
        for card, usable in _CARDS
    ]
    set_here = re.fullmatch(r"(\d+(?:\.\d+)?)\s*GB", limit or "")
    if set_here and total > float(set_here[1]) * _GIBI:
        lines.append(f"does not fit context.max_device_memory ({limit}): lower the batch, recompute or use more cards")
    return lines


def _fits(total: int, available: int) -> str:
    """Returns "fits" or "does not fit", with the share of the available memory that is needed."""
    return f"{'fits' if total <= available else 'does not fit'} ({total / available:.0%})"


def _devices(config: RunConfig) -> list[str]:
    """Returns the lines on devices and on the batch of a step."""
    spread = config["parallel_config"]
    lines = ["# Devices", f"{config.devices} x {config.device_target}"]
    if config["use_parallel"]:
        names = ("data_parallel", "model_parallel", "context_parallel", "pipeline_stage")
        lines.append(", ".join(f"{name} {spread[name]}" for name in names))
    if config.run_mode in ("finetune", "train"):
        records = config.global_batch_size
        lines.append(f"global batch {records} records, up to {records * config.seq_length:,} tokens per step")
    return lines


def _size(count: int) -> str:
    """Returns a number of bytes as text in MiB or GiB."""
    mebi = count / 2**20
    return f"{mebi / 1024:,.1f} GiB" if mebi >= 1024 else f"{mebi:,.1f} MiB"
