"""`scimind convert`: checkpoints of Hugging Face, MindFormers and the original SciMind to ours, and back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scimind.config.routing import ROUTERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's flags."""
    add = parser.add_argument
    add("--input", required=True, type=Path, metavar="PATH", help="folder or file of weights")
    add("--output", required=True, type=Path, metavar="DIR", help="the new folder")
    add(
        "--from",
        dest="kind",
        choices=("hf", "mindformers", "scimind-v0", "scimind"),
        help="what the weights are: Hugging Face's, MindFormers', the original SciMind's, ours (default: guessed)",
    )
    add("--to", choices=("scimind", "hf"), default="scimind", help="what they become (default: scimind)")
    add("--partition", type=Path, metavar="DIR", help="experts of the neurons, of `scimind experts` or the original")
    add("--tokenizer", type=Path, metavar="PATH", help="tokenizer folder or SentencePiece model (default: the input's)")
    add(
        "--extension",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="tokens for the SMILES characters that the published tokenizer lacks (default: not for scimind-v0)",
    )
    add(
        "--vocab-multiple",
        "--vocab_multiple",
        type=int,
        default=64,
        metavar="N",
        help="pad the vocabulary to a multiple of N (default: 64)",
    )
    add(
        "--new-rows",
        "--new_rows",
        choices=("pieces", "mean"),
        default="pieces",
        help="a new token's row: the mean of the pieces that spell it, or of all rows (default: pieces)",
    )
    add(
        "--config",
        metavar="CONFIG",
        help="run configuration, or the name of a shipped one, whose model_config has the routing, and missing sizes",
    )
    add("--num-heads", "--num_heads", type=int, metavar="N", help="attention heads, where the input does not say")
    add("--num-experts", "--num_experts", type=int, metavar="E", help="number of experts")
    add("--router", choices=ROUTERS, help="what chooses the experts")
    for name, what in (
        ("experts-per-token", "activation: experts that a token uses, such as text=14,smiles=2"),
        ("shared-experts", "activation: experts that are always used, such as text=10,smiles=0..13"),
        ("expert-sets", "modality: experts of each modality, such as text=0..7,smiles=8..15"),
    ):
        add(f"--{name}", f"--{name.replace('-', '_')}", metavar="SPEC", help=what)
    add(
        "--released-routing",
        "--released_routing",
        action="store_true",
        help="the shared experts that the original's released code adds by mistake",
    )
    add("--allow-loss", "--allow_loss", action="store_true", help="export to hf although the routing is lost")
    add(
        "--original-vocabulary",
        "--original_vocabulary",
        action="store_true",
        help="export to hf only the rows that were there before a conversion added some",
    )
    add(
        "--changed-weights",
        "--changed_weights",
        action="store_true",
        help="do not compare the weights with the checksums in scimind.json",
    )
    add(
        "--shard-size",
        "--shard_size",
        type=float,
        default=5.0,
        metavar="GIB",
        help="largest file of an export to hf (default: 5)",
    )
    for side, what in (("from", "the input has a folder rank_N for each card"), ("to", "the output gets one")):
        add(
            f"--{side}-strategy",
            f"--{side}_strategy",
            type=Path,
            metavar="PATH",
            help=f"MindSpore's strategy file, or a folder with one of each stage: {what}; changes nothing else",
        )
    add("--dry-run", "--dry_run", action="store_true", help="print what would be done, and write nothing")
    add("--overwrite", action="store_true", help="replace a checkpoint that exists")


def run(args: argparse.Namespace) -> int:
    """Converts and prints what was done; returns the exit status.

    Raises:
        SciMindError: A mistake in the weights or the flags.
    """
    import sys
    import time

    from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
    from scimind.checkpoint.convert.options import ConvertOptions
    from scimind.checkpoint.convert.target import PREDICT, check_output
    from scimind.errors import SciMindError
    from scimind.runtime.console import Console, duration

    if args.from_strategy or args.to_strategy:
        return _change_layout(args)
    if args.shard_size <= 0:
        raise SciMindError(f"--shard-size ({args.shard_size}) must be positive")
    settings = None
    if args.config:
        from scimind.config import load_config

        settings = load_config(args.config, []).model_config
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
        settings=settings,
        routing=routing,
        released_routing=args.released_routing,
        num_heads=args.num_heads,
        allow_loss=args.allow_loss,
        original_vocabulary=args.original_vocabulary,
        changed_weights=args.changed_weights,
        shard_bytes=int(args.shard_size * 2**30),
    )
    conversion = plan_conversion(args.input, options)
    target = conversion.target
    if not args.dry_run:
        check_output(args.output, conversion.source.folder, target.nbytes, overwrite=args.overwrite)
    if args.dry_run:
        print(conversion.table())
    for note in conversion.notes:
        print(note)
    print(f"{conversion.source.kind} -> {args.to}: {len(target.tensors)} tensors, {target.nbytes / 2**30:.2f} GiB")
    if args.dry_run:
        print("dry run: nothing is written")
        return 0
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
    if args.to == "scimind":
        print(f"use it: scimind predict --config {args.output / PREDICT} --input PROMPTS --output predictions.jsonl")
    return 0


def _change_layout(args: argparse.Namespace) -> int:
    """Cuts a checkpoint for cards, or puts it together from them; returns the exit status."""
    from scimind.checkpoint.formats.layouts import change_layout
    from scimind.errors import SciMindError

    given = [flag for flag in ("kind", "partition", "tokenizer", "config", "dry_run") if getattr(args, flag)]
    if given or args.to != "scimind":
        raise SciMindError(
            "--from-strategy and --to-strategy change how a checkpoint is cut and nothing else; convert in a second "
            "command, before it is cut or after it is put together"
        )
    files = change_layout(args.input, args.output, args.from_strategy, args.to_strategy)
    print(f"wrote {args.output}: {len(files)} checkpoint{'s' if len(files) > 1 else ''}")
    return 0


def by_modality(flag: str, text: str | None, *, counts: bool = False) -> dict[str, Any] | None:
    """Returns what a flag gives each modality.

    Args:
        flag: Its name, for errors.
        text: Such as "text=0..7+9,smiles=8..15"; None where the flag is not given.
        counts: Whether the values are numbers instead of lists of experts.

    Raises:
        SciMindError: The text is not of that form.
    """
    from scimind.errors import SciMindError

    if text is None:
        return None
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign:
            raise SciMindError(f"{flag} ({text}) must be such as text={'14' if counts else '0..7'},smiles=2")
        try:
            items = [item if ".." in item else int(item) for item in value.split("+") if item]
            found[name.strip()] = int(value) if counts else items
        except ValueError as error:
            raise SciMindError(f"{flag} ({part}) must be a number{'' if counts else ', or a span as 0..7'}") from error
    return found
