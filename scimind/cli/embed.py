"""`scimind embed`: turns molecules and other sequences into vectors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scimind.cli.ask import MODEL
from scimind.cli.exit_status import PARTLY_DONE
from scimind.cli.numbers import up_to
from scimind.config.sections.generation import AMBIGUOUS
from scimind.config.shipped import data_file

_MOST_ROWS = 1 << 16
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    from scimind.embed.sequences import MODALITIES, POOLINGS

    add = parser.add_argument
    add("--model", required=True, metavar="PATH", help=MODEL)
    add(
        "--input", required=True, type=data_file, metavar="FILE", help="table, FASTA or text file; - for standard input"
    )
    add("--output", required=True, type=Path, metavar="FILE", help="file for the vectors, .npy or .parquet")
    add("--modality", choices=MODALITIES, default="smiles", help="what the sequences are (default: smiles)")
    add("--column", metavar="NAME", help="column of the sequences, or its number (default: the usual names)")
    add("--pooling", choices=POOLINGS, default="mean", help="mean of all tokens, or the last one (default: mean)")
    add(
        "--layer",
        type=int,
        default=-1,
        metavar="N",
        help="whose output: 0 for the embeddings, N for layer N, negative to count from the end (default: -1)",
    )
    add(
        "--molecules",
        choices=("checked", "as-is"),
        default="checked",
        help="molecules that RDKit cannot parse: leave them out (checked), or embed them (as-is) (default: checked)",
    )
    add(
        "--ambiguous",
        choices=AMBIGUOUS,
        default="drop",
        help="letters of a sequence that stand for several: leave the sequence out, take the longest stretch without "
        "them, or replace them (default: drop)",
    )
    add("--batch_size", "--batch-size", type=up_to(_MOST_ROWS), default=64, metavar="N", help="rows at a time")


def run(args: argparse.Namespace) -> int:
    """Embeds the sequences of a file; returns the exit status.

    Raises:
        SciMindError: The file, its column or an option is wrong, or nothing can be embedded.
    """
    from scimind.api.model import load, quiet
    from scimind.checkpoint.source import configuration_of
    from scimind.data.formats.notes import FileNotes
    from scimind.embed.embedding import Embedder
    from scimind.embed.files import check_target, embed_table, read_sequences, write_vectors
    from scimind.embed.sequences import EmbeddingSettings
    from scimind.generate.predict import codec_of
    from scimind.locking import output_lock

    check_target(args.output)
    names = ("modality", "pooling", "layer", "molecules", "ambiguous", "batch_size")
    settings = EmbeddingSettings(**{name: getattr(args, name) for name in names})
    with output_lock(args.output, [args.input, args.model], advice="choose another --output"):
        config, notes = configuration_of(args.model), FileNotes()
        # The file first, because loading the model takes time.
        table = read_sequences(args.input, args.column, codec_of(config), settings, config.seq_length, notes)
        print(f"{args.input}: {notes.description()}", file=sys.stderr)
        embedder = Embedder(load(args.model).network, settings)
        with quiet() as console:
            vectors = embed_table(table, embedder, console)
        write_vectors(args.output, table.ids, vectors)
    done = f"{len(table.readable)} of {len(table.ids)} sequences in {args.output}, {vectors.shape[1]} numbers each"
    if not table.faults:
        print(done)
        return 0
    for fault in table.faults[:_SHOWN]:
        print(fault, file=sys.stderr)
    more = len(table.faults) - _SHOWN
    rest = f" and {more} more" if more > 0 else ""
    print(f"{done}; {len(table.faults)} could not be read and are empty, see above{rest}", file=sys.stderr)
    return PARTLY_DONE
