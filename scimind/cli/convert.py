"""`scimind convert`: converts Hugging Face, MindFormers and original SciMind checkpoints to ours, and back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scimind.cli.numbers import up_to
from scimind.config.routing import ROUTERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add = parser.add_argument
    add("--input", required=True, type=Path, metavar="PATH", help="folder or file of the weights to convert")
    add("--output", required=True, type=Path, metavar="DIR", help="folder for the converted checkpoint")
    add(
        "--from",
        dest="kind",
        choices=("hf", "mindformers", "scimind-v0", "scimind"),
        help="format of the input: Hugging Face, MindFormers, the original SciMind, or this SciMind "
        "(default: detected)",
    )
    add("--to", choices=("scimind", "hf"), default="scimind", help="format of the output (default: scimind)")
    add(
        "--partition",
        type=Path,
        metavar="DIR",
        help="partition of the neurons into experts, made by `scimind experts` or the original SciMind",
    )
    add("--tokenizer", type=Path, metavar="PATH", help="tokenizer folder or SentencePiece model (default: the input's)")
    add(
        "--extension",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether to add tokens for the SMILES characters missing from the published tokenizer "
        "(default: as in the input's tokenizer, else yes unless the input is scimind-v0)",
    )
    add(
        "--vocab-multiple",
        "--vocab_multiple",
        type=up_to(65_536),
        default=64,
        metavar="N",
        help="pad the vocabulary to a multiple of N rows (default: 64)",
    )
    add(
        "--new-rows",
        "--new_rows",
        choices=("pieces", "mean"),
        default="pieces",
        help="initial embedding of an added token: the mean of the pieces that spell it, or of all rows "
        "(default: pieces)",
    )
    add(
        "--config",
        metavar="CONFIG",
        help="YAML file or name of a shipped configuration; its model_config supplies any sizes "
        "that the input does not specify, and the routing if it gives one",
    )
    add(
        "--num-heads",
        "--num_heads",
        type=up_to(65_536),
        metavar="N",
        help="attention heads, if the input does not specify them",
    )
    add(
        "--num-experts",
        "--num_experts",
        type=up_to(65_536),
        metavar="N",
        help="number of experts (default: 16, or the next lower number that divides the neurons of a layer)",
    )
    add(
        "--router",
        choices=ROUTERS,
        help="how experts are chosen (default: as in the input, else modality with every expert for every modality, "
        "which changes no answer)",
    )
    for name, what in (
        ("experts-per-token", "number of experts that a token uses, such as text=14,smiles=2; not for router modality"),
        ("shared-experts", "experts that are always used, such as text=10,smiles=0..13; not for router modality"),
        ("expert-sets", "experts of each modality, such as text=0..7,smiles=8..15; for router modality only"),
    ):
        add(f"--{name}", f"--{name.replace('-', '_')}", metavar="SPEC", help=what)
    add(
        "--released-routing",
        "--released_routing",
        action="store_true",
        help="add the shared experts that the original's released code adds by mistake",
    )
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="conversation JSON, or a MindRecord file of `scimind prepare`, on which to measure the loss before and "
        "after if the routing changes",
    )
    add("--allow-loss", "--allow_loss", action="store_true", help="export to hf even though the routing is lost")
    add(
        "--original-vocabulary",
        "--original_vocabulary",
        action="store_true",
        help="export to hf without the vocabulary rows that an earlier conversion added",
    )
    add(
        "--changed-weights",
        "--changed_weights",
        action="store_true",
        help="do not check the weights against the checksums in scimind.json",
    )
    add(
        "--shard-size",
        "--shard_size",
        type=float,
        default=5.0,
        metavar="GIB",
        help="largest size of a file exported to hf, in GiB (default: 5)",
    )
    for side, what in (("from", "input"), ("to", "output")):
        add(
            f"--{side}-strategy",
            f"--{side}_strategy",
            type=Path,
            metavar="PATH",
            help=f"MindSpore strategy file of a sharded {what} with one folder rank_N per card, or a folder with one "
            "such file per pipeline stage; converts nothing else",
        )
    add("--dry-run", "--dry_run", action="store_true", help="print what would be done without writing anything")
    add("--overwrite", action="store_true", help="replace an existing checkpoint")


def run(args: argparse.Namespace) -> int:
    """Converts a checkpoint and prints what was done; returns the exit status.

    Raises:
        SciMindError: The weights or the flags are wrong.
    """
    from scimind.checkpoint.convert.target import check_apart
    from scimind.locking import output_lock

    check_apart(args.output, args.input)
    if args.dry_run:
        return _convert(args)
    read = (args.input, args.partition, args.config, args.tokenizer, args.data, args.from_strategy, args.to_strategy)
    with output_lock(args.output, read, advice="give another --output"):
        return _convert(args)


def _convert(args: argparse.Namespace) -> int:
    import sys
    import tempfile
    import time

    from scimind.checkpoint.convert.configurations import PREDICT
    from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
    from scimind.checkpoint.convert.options import ConvertOptions
    from scimind.checkpoint.convert.target import check_output
    from scimind.errors import SciMindError
    from scimind.runtime.console import Console, duration
    from scimind.runtime.private_folder import private_folder

    if args.from_strategy or args.to_strategy:
        return _change_layout(args)
    if args.shard_size <= 0:
        raise SciMindError(f"--shard-size ({args.shard_size}) must be positive")
    if args.data and (args.to == "hf" or args.dry_run):
        raise SciMindError("--data measures a converted checkpoint; leave --to hf and --dry-run out")
    if args.data and not args.data.is_file():
        raise SciMindError(f"--data ({args.data}) does not exist; give conversation JSON or a MindRecord file")
    routing = {
        "num_experts": args.num_experts,
        "router": args.router,
        "experts_per_token": by_modality("--experts-per-token", args.experts_per_token, counts=True),
        "shared_experts": by_modality("--shared-experts", args.shared_experts),
        "expert_sets": by_modality("--expert-sets", args.expert_sets),
    }
    options = ConvertOptions(
        kind=args.kind,
        to=args.to,
        partition=args.partition,
        tokenizer=args.tokenizer,
        extension=args.extension,
        vocab_multiple=args.vocab_multiple,
        new_rows=args.new_rows,
        settings=_model_settings(args.config) if args.config else None,
        routing=routing,
        released_routing=args.released_routing,
        num_heads=args.num_heads,
        allow_loss=args.allow_loss,
        original_vocabulary=args.original_vocabulary,
        changed_weights=args.changed_weights,
        shard_bytes=int(args.shard_size * 2**30),
        is_measured=args.data is not None,
    )
    conversion = plan_conversion(args.input, options)
    target = conversion.target
    if not args.dry_run:
        check_output(args.output, args.input, target.nbytes, overwrite=args.overwrite)
    if args.dry_run:
        print(conversion.table())
    for note in conversion.notes:
        print(note)
    print(f"{conversion.source.kind} -> {args.to}: {len(target.tensors)} tensors, {target.nbytes / 2**30:.2f} GiB")
    if args.dry_run:
        print("dry run: nothing was written")
        return 0
    with tempfile.TemporaryDirectory(dir=private_folder("convert")) as scratch:
        change = None
        if args.data:
            from scimind.cli.loss_change import LossChange

            change = LossChange(args.data, conversion, Path(scratch))
        start = time.monotonic()
        mebibytes = max(1, target.nbytes >> 20)
        with Console(sys.stderr).progress(mebibytes, "convert", unit="MiB", every=max(1, mebibytes // 10)) as progress:
            written = {"bytes": 0}

            def done(tensor: Any) -> None:
                before = written["bytes"]
                written["bytes"] += tensor.nbytes
                progress.advance((written["bytes"] >> 20) - (before >> 20), tensor.name)

            files = run_conversion(conversion, args.output, options, overwrite=args.overwrite, done=done)
        print(f"wrote {args.output} in {duration(time.monotonic() - start)}: {', '.join(file.name for file in files)}")
        if change is not None:
            print(change.measure(args.output))
    if args.to == "scimind":
        print(f"use it: scimind predict --config {args.output / PREDICT} --input PROMPTS --output predictions.jsonl")
    return 0


def _model_settings(config: str) -> dict[str, Any]:
    """Returns a configuration's `model.model_config`, with defaults for sizes but not for the routing."""
    from scimind.config import load_config
    from scimind.config.reading import read_yaml
    from scimind.config.sections.model import ROUTING_FIELDS
    from scimind.config.shipped import configuration_file

    checked = load_config(config, []).model_config
    given = read_yaml(configuration_file(config))["model"]["model_config"]
    return {name: value for name, value in checked.items() if name in given or name not in ROUTING_FIELDS}


def _change_layout(args: argparse.Namespace) -> int:
    """Splits a checkpoint over cards, or merges one; returns the exit status."""
    from scimind.checkpoint.formats.layouts import change_layout
    from scimind.errors import SciMindError

    given = [flag for flag in ("kind", "partition", "tokenizer", "config", "dry_run") if getattr(args, flag)]
    if given or args.to != "scimind":
        raise SciMindError(
            "--from-strategy and --to-strategy only change how a checkpoint is sharded; convert it in a separate "
            "command, before sharding or after merging"
        )
    files = change_layout(args.input, args.output, args.from_strategy, args.to_strategy)
    print(f"wrote {args.output}: {len(files)} checkpoint{'s' if len(files) > 1 else ''}")
    return 0


def by_modality(flag: str, text: str | None, *, counts: bool = False) -> dict[str, Any] | None:
    """Returns the value of a flag for each modality.

    Args:
        flag: The flag's name, for errors.
        text: The flag's value, such as "text=0..7+9,smiles=8..15"; None if the flag was not given.
        counts: Whether the values are numbers instead of lists of experts.

    Raises:
        SciMindError: The text does not have that form.
    """
    from scimind.errors import SciMindError

    if text is None:
        return None
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign:
            raise SciMindError(f"{flag} ({text}) must have a form such as text={'14' if counts else '0..7'},smiles=2")
        try:
            items = [item if ".." in item else int(item) for item in value.split("+") if item]
            found[name.strip()] = int(value) if counts else items
        except ValueError as error:
            what = "number" if counts else "number, or a span such as 0..7"
            raise SciMindError(f"{flag} ({part}) must be a {what}") from error
    return found
