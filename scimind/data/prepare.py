"""Data files to conversation JSON and MindRecord, in one pass."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

import scimind
from scimind.data.conversation import Conversation
from scimind.data.files import count_lines
from scimind.data.fitting import Fitter
from scimind.data.readers import TASKS, read_records
from scimind.data.sinks import Rejects, Sink
from scimind.data.staging import staged
from scimind.data.summary import PrepareSummary
from scimind.errors import DataError, SciMindError, TokenError, excerpt
from scimind.tokenizer import TokenCodec

ON_BAD = ("stop", "skip")

_TAGGED = re.compile(r"<(smiles|protein|dna|rna)>(.*?)</\1>", re.DOTALL)


def prepare(
    task: str,
    inputs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    seq_length: int,
    policy: str = "drop",
    loss_on_prompt: bool = False,
    name: str | None = None,
    on_bad: str = "stop",
    overwrite: bool = False,
    eval_fraction: float = 0.0,
    progress: bool = True,
) -> PrepareSummary:
    """Writes `name.json`, `name.mindrecord` with its `.db`, and `name.summary.json`; returns the summary.

    With `eval_fraction`, `name_eval.json` and `name_eval.mindrecord` hold the records set aside. Records that were
    left out are listed in `name.rejects.jsonl`. All files appear together at the end, none of them after an error.

    Args:
        task: `smiles2text`, `text2smiles` (tables, see `tables`) or `conversation` (conversation JSON).
        inputs: The files, in this order.
        output_dir: Folder for the results; made if need be.
        codec: The vocabulary.
        seq_length: Positions s that the model reads at once, from 1.
        policy: `drop` or `truncate`, see `Fitter`.
        loss_on_prompt: Whether the prompt is learnt too.
        name: First part of the files' names; by default the input's if there is one, else the task's.
        on_bad: `stop` raises the first faulty record's error, `skip` lists and counts it.
        overwrite: Whether results that exist may be replaced.
        eval_fraction: Share of records to set aside, in [0, 1). A record's id decides, so both directions set the
            same aside.
        progress: Whether a bar is shown on standard error.

    Raises:
        DataError: A file or, with `stop`, a record is faulty; file and line are named.
        SciMindError: A setting is faulty, the folder cannot be written, a file exists, or no record fits.
    """
    paths = [Path(path) for path in inputs]
    name = _check(task, paths, name, on_bad, eval_fraction)
    fitter = Fitter(codec, seq_length, policy, loss_on_prompt=loss_on_prompt)
    splits = [name, f"{name}_eval"] if eval_fraction else [name]
    files = [f"{split}{suffix}" for split in splits for suffix in (".json", ".mindrecord.db", ".mindrecord")]
    files += [f"{name}.rejects.jsonl", f"{name}.summary.json"]
    folder = Path(output_dir)
    replaced = {(folder / file).resolve() for file in files} & {path.resolve() for path in paths}
    if replaced:
        raise SciMindError(f"{replaced.pop()} is an input and would be replaced; give another --name or --output")
    summary = PrepareSummary(
        task=task,
        inputs=[str(path) for path in paths],
        files=[],
        seq_length=seq_length,
        policy=policy,
        loss_on_prompt=loss_on_prompt,
        tokenizer={
            "fingerprint": codec.fingerprint(),
            "vocab_size": codec.vocab_size,
            "modality_ranges": codec.modality_ranges,
        },
        version=scimind.__version__,
    )
    with staged(folder, files, overwrite=overwrite) as scratch:
        sinks = [Sink(scratch, split, fitter) for split in splits]
        rejects = Rejects(scratch / f"{name}.rejects.jsonl", summary, stop=on_bad == "stop")
        try:
            _run(task, paths, fitter, sinks, rejects, eval_fraction, progress)
            for sink in sinks:
                sink.close(summary)
        finally:
            rejects.close()
            for sink in sinks:
                sink.abandon()
        summary.evaluation = sum(sink.writer.count for sink in sinks[1:])
        summary.files = [file for file in files if (scratch / file).exists()] + [files[-1]]
        text = json.dumps(summary.to_json(), ensure_ascii=False, indent=1)
        (scratch / files[-1]).write_text(text + "\n", encoding="utf-8")
    return summary


def _check(task: str, paths: Sequence[Path], name: str | None, on_bad: str, eval_fraction: float) -> str:
    """Returns the name of the results, after looking at the settings that are looked at nowhere else."""
    if task not in TASKS:
        raise SciMindError(f"task ({task!r}) must be one of {', '.join(TASKS)}")
    if not paths:
        raise SciMindError("no input; give at least one file")
    if on_bad not in ON_BAD:
        raise SciMindError(f"on_bad ({on_bad!r}) must be one of {', '.join(ON_BAD)}")
    if not 0 <= eval_fraction < 1:
        raise SciMindError(f"eval_fraction ({eval_fraction}) must be at least 0 and less than 1")
    name = name or (paths[0].stem if len(paths) == 1 else task)
    if Path(name).name != name or name.startswith("."):
        raise SciMindError(f"name ({name!r}) must be a file name without folders; give the folder as --output")
    return name


def _run(
    task: str,
    paths: Sequence[Path],
    fitter: Fitter,
    sinks: Sequence[Sink],
    rejects: Rejects,
    eval_fraction: float,
    progress: bool,
) -> None:
    """Takes every record from its file to a sink or to the rejects."""
    summary = rejects.summary
    lengths: list[int] = []
    for record in _records(task, paths, progress):
        summary.read += 1
        if isinstance(record, DataError):
            rejects.add_faulty(record)
            continue
        try:
            fitted, length = fitter.fit(record)
        except TokenError as error:
            rejects.add_faulty(_locate(error, record))
            continue
        lengths.append(length)
        summary.repaired += record.repairs > 0
        if fitted is None:
            rejects.add_long(record, length, fitter.seq_length)
        else:
            sinks[_share(record.id) < eval_fraction].append(fitted)
            summary.truncated += fitted.truncated
    summary.set_lengths(lengths)
    if not any(sink.writer.count for sink in sinks):
        if not lengths:
            raise SciMindError(f"no usable record in {', '.join(map(str, paths))}; see its format in the README")
        raise SciMindError(
            f"no record fits seq_length ({fitter.seq_length}); the shortest needs {min(lengths) - 1}, the longest "
            f"{max(lengths) - 1}; raise it"
        )


def _records(task: str, paths: Sequence[Path], progress: bool) -> Iterator[Conversation | DataError]:
    """Yields the records of all files under a progress bar that counts lines."""
    total = sum(map(count_lines, paths))
    with tqdm(
        total=total, unit=" lines", desc="prepare", file=sys.stderr, mininterval=0.5, disable=not progress
    ) as bar:
        for path in paths:
            done = 0
            for record in read_records(task, path):
                if record.line is not None and record.line > done:
                    bar.update(record.line - done)
                    done = record.line
                yield record
            bar.update(count_lines(path) - done)


def _share(identity: str) -> float:
    """Returns a number in [0, 1) that only depends on the id and is spread evenly."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6], "big") / 2**48


def _locate(error: TokenError, record: Conversation) -> DataError:
    """Returns the error of a record whose character has no token, with the position in the molecule itself."""
    reason = str(error)
    for text in (text for pair in record.rounds for text in pair if text is not None):
        for tag in _TAGGED.finditer(text):
            if tag.start(2) <= error.position < tag.end(2) and text[error.position] == error.character:
                place = f"at position {error.position - tag.start(2)} of {excerpt(tag[2])!r}"
                return DataError(reason.replace(f"at position {error.position}", place, 1), record.path, record.line)
    return DataError(reason, record.path, record.line)
