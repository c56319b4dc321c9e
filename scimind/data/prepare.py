"""Data files to conversation JSON and MindRecord, in one pass."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import scimind
from scimind.data.conversation import Conversation
from scimind.data.encoding import EncodedRecords, RecordEncoder, encode_tasks
from scimind.data.files import count_lines
from scimind.data.fitting import Fitter
from scimind.data.readers import TASKS, read_records
from scimind.data.sinks import Rejects, Sink
from scimind.data.staging import staged
from scimind.data.summary import PrepareSummary
from scimind.errors import DataError, SciMindError, TokenError, excerpt
from scimind.modality import MODALITY_NAMES
from scimind.parallel import check_workers
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
    packed: bool = False,
    workers: int = 1,
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
        packed: Whether short records share a row, see `packing`; a model needs `packed: True` to learn from them.
        workers: Processes that encode; the files are the same whatever their number.
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
        packed=packed,
    )
    with staged(folder, files, overwrite=overwrite) as scratch:
        sinks = [Sink(scratch, split, seq_length, codec.pad_id, packed=packed) for split in splits]
        rejects = Rejects(scratch / f"{name}.rejects.jsonl", summary, stop=on_bad == "stop")
        try:
            records = _records(task, paths, progress)
            with closing(encode_tasks(RecordEncoder(fitter), records, check_workers(workers))) as tasks:
                _distribute(tasks, sinks, rejects, eval_fraction)
            for sink in sinks:
                sink.close(summary)
        finally:
            rejects.close()
            for sink in sinks:
                sink.abandon()
        summary.evaluation = sum(sink.records for sink in sinks[1:])
        summary.set_fill()
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


def _distribute(tasks: Iterable[_Task], sinks: Sequence[Sink], rejects: Rejects, eval_fraction: float) -> None:
    """Takes every record to a sink or to the rejects."""
    summary = rejects.summary
    lengths: Counter[int] = Counter()
    tokens = np.zeros(len(MODALITY_NAMES), dtype=np.int64)
    for found, encoded in tasks:
        results = iter(encoded)
        for record in found:
            if isinstance(record, _Unreadable):
                raise record.error
            summary.read += 1
            if isinstance(record, DataError):
                rejects.add_faulty(record)
                continue
            result = next(results)
            if isinstance(result, TokenError):
                rejects.add_faulty(_locate(result, record))
                continue
            lengths[result.length] += 1
            summary.repaired += record.repairs > 0
            if result.ids is None:
                rejects.add_long(record, result.length, summary.seq_length)
            else:
                sinks[_share(record.id) < eval_fraction].append(result)
                summary.truncated += result.truncated
        tokens += encoded.tokens
        summary.answer_tokens += encoded.answer_tokens
    summary.tokens = dict(zip(MODALITY_NAMES, tokens.tolist(), strict=True))
    summary.set_lengths(lengths)
    if not any(sink.records for sink in sinks):
        if not lengths:
            raise SciMindError(f"no usable record in {', '.join(summary.inputs)}; see its format in the README")
        raise SciMindError(
            f"no record fits seq_length ({summary.seq_length}); the shortest needs {min(lengths) - 1}, the longest "
            f"{max(lengths) - 1}; raise it"
        )


@dataclass(frozen=True)
class _Unreadable:
    """A fault that ends the reading; it is told in its turn, behind the faults of the records before it."""

    error: SciMindError


_Found = Conversation | DataError | _Unreadable
_Task = tuple[list[_Found], EncodedRecords]


def _records(task: str, paths: Sequence[Path], progress: bool) -> Iterator[_Found]:
    """Yields the records of all files under a progress bar that counts lines."""
    total = sum(map(count_lines, paths))
    with tqdm(
        total=total, unit=" lines", desc="prepare", file=sys.stderr, mininterval=0.5, disable=not progress
    ) as bar:
        for path in paths:
            done = 0
            try:
                for record in read_records(task, path):
                    if record.line is not None and record.line > done:
                        bar.update(record.line - done)
                        done = record.line
                    yield record
            except SciMindError as error:
                yield _Unreadable(error)
                return
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
