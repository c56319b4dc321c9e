"""`scimind experts assign`: chooses each modality's experts for router `modality` and numbers them consecutively."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scimind.cli.experts.options import add_model_and_data, add_output, data_settings, experts_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the sub-verb."""
    add_model_and_data(parser, needs_data=True)
    add_output(parser)
    parser.add_argument(
        "--partition", type=Path, metavar="DIR", help="partition to choose experts from (default: the model's own)"
    )
    parser.add_argument(
        "--experts-per-modality",
        "--experts_per_modality",
        required=True,
        metavar="LIST",
        help="number of experts of each modality, such as text=8,smiles=8; smiles+protein=8 for two that share "
        "experts; modalities left out join the last group",
    )


def run(args: argparse.Namespace) -> int:
    """Writes the partition with its experts in their new order, prints the expert sets; returns the exit status."""
    import json

    from scimind.checkpoint.partition import check_made_from, read_description, read_partition, write_partition
    from scimind.experts.assignment import assign, expert_sets, lay_out, read_groups
    from scimind.experts.build import in_short, make_report
    from scimind.experts.report import contiguous_labels, report_table, report_text

    with experts_run(args, args.output) as given:
        assert given.reader is not None
        weights, model = given.weights, given.config.model_config
        stated = read_description(args.partition) if args.partition else {}
        experts = stated.get("num_experts") or model["num_experts"]
        runs = lay_out(read_groups(args.experts_per_modality, experts), experts)
        layers: list[Any] = [contiguous_labels(weights.neurons, experts)] * weights.num_layers
        fingerprint = weights.fingerprint()
        if args.partition:
            layers = list(read_partition(args.partition, weights.num_layers, weights.neurons, experts))
            check_made_from(args.partition, fingerprint)
        score = model.get("score", "sum")
        placed, held = assign(given.reader, layers, experts, runs, score)
        report = make_report(
            weights, placed, experts, on="both", reader=given.reader, score=score, seed=given.config.seed
        )
        report["held"] = held
        sets = expert_sets(runs)
        described = {
            "method": "assign",
            "seed": given.config.seed,
            "settings": {"experts_per_modality": args.experts_per_modality, **data_settings(args)},
            "from": {name: stated.get(name) for name in ("method", "seed", "settings", "neuron_order")},
            "fingerprint": fingerprint,
            "expert_sets": sets,
            "report": {**in_short(report), "held": held},
        }
        write_partition(args.output, placed, experts, described, {"report.json": report_text(report)})
        lines = [
            *report_table(report),
            "",
            f"{'modality':12}{'experts':>12}{'held':>8}{'random':>8}  (of the sum of u²)",
        ]
        for run_ in runs:
            for name in run_.modalities:
                share = f"{held[name]:.3f}" if name in held else "-"
                chance = (run_.stop - run_.first) / experts
                lines.append(f"{name:12}{f'{run_.first}..{run_.stop - 1}':>12}{share:>8}{chance:>8.3f}")
        lines += ["", "for model.model_config, after `scimind convert … --partition`:", "router: modality"]
        lines += [f"expert_sets: {json.dumps(sets)}", "", f"wrote {args.output}"]
        given.console.print("\n".join(lines))
    return 0
