"""`scimind check`: what a configuration means, without loading MindSpore or weights."""

from __future__ import annotations

import argparse

from scimind import accounting
from scimind.cli.run_options import add_run_options, overrides_of
from scimind.config import RunConfig, load_config
from scimind.modality import MODALITY_NAMES

OVERRIDES = True

_MEMORY_BASIS = (
    "weights and gradients in param_init_type, two float32 moments a weight, activations roughly "
    "(8 d + 4 h numbers a token and layer, and float32 logits); the framework's own needs come on top"
)
_CACHE_BASIS = "weights in param_init_type, and the cache of keys and values for full sequences where use_past is on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_run_options(parser, "training", "prediction")


def run(args: argparse.Namespace) -> int:
    """Prints what the configuration means; returns the exit status."""
    config = load_config(args.config, overrides_of(args))
    print(f"# Resolved configuration of {args.config}")
    print(config.to_yaml())
    print("\n".join(report(config)))
    return 0


def report(config: RunConfig) -> list[str]:
    """Returns the lines on parameters, work, memory and devices."""
    shape = accounting.ModelShape.of(config.model_config)
    parts = accounting.parameters(shape)
    lines = ["# Parameters", *(f"{name:14}{number:>18,}" for name, number in parts.items() if number)]
    lines += [f"{'total':14}{sum(parts.values()):>18,}", ""]
    lines += _work(config, shape)
    return lines + _memory(config) + _devices(config)


def _work(config: RunConfig, shape: accounting.ModelShape) -> list[str]:
    """Returns the lines on what a token of each modality uses."""
    dense = accounting.feed_forward_flops(shape)
    lines = [
        f"# Per token, forward, at {shape.length} tokens of context (training: three times, with recompute four times)",
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
    lines.append(f"dispatch {config.model_config['dispatch']}: grouped computes what is active, masked the dense layer")
    return [*lines, ""]


def _memory(config: RunConfig) -> list[str]:
    """Returns the lines on memory."""
    memory = accounting.memory(config)
    training = config.run_mode in ("finetune", "train")
    names = (
        ("weights", "gradients", "optimizer", "activations", "total")
        if training
        else ("weights", "activations", "total")
    )
    lines = [f"# Memory of one device, estimated for run_mode {config.run_mode}"]
    for name in names:
        title = "cache" if name == "activations" and not training else name
        lines.append(f"{title:14}{_size(getattr(memory, name)):>18}")
    return [*lines, _MEMORY_BASIS if training else _CACHE_BASIS, ""]


def _devices(config: RunConfig) -> list[str]:
    """Returns the lines on devices and on the size of a step."""
    spread = config["parallel_config"]
    lines = ["# Devices", f"{config.devices} x {config.device_target}"]
    if config["use_parallel"]:
        names = ("data_parallel", "model_parallel", "context_parallel", "pipeline_stage")
        lines.append(", ".join(f"{name} {spread[name]}" for name in names))
    if config.run_mode in ("finetune", "train"):
        records = config.global_batch_size
        lines.append(f"global batch {records} records, up to {records * config.seq_length:,} tokens a step")
    return lines


def _size(count: int) -> str:
    """Returns bytes in MiB or GiB."""
    mebi = count / 2**20
    return f"{mebi / 1024:,.1f} GiB" if mebi >= 1024 else f"{mebi:,.1f} MiB"
