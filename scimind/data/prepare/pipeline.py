"""Turns data files into conversation JSON and MindRecord: encode in parts, decide the fate of every record, write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind._version import __version__
from scimind.data.defects import FILE_FORMAT
from scimind.data.encode.length import Fitter
from scimind.data.encode.records import RecordEncoder
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import kept_pipes, regular_file, state_of
from scimind.data.prepare.card import write_card
from scimind.data.prepare.definitions import END, write_definition
from scimind.data.prepare.encoded_parts import EncodedParts
from scimind.data.prepare.fates import Fate, decide, mix
from scimind.data.prepare.options import PrepareOptions
from scimind.data.prepare.result_files import ResultFiles, SplitFiles
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.staging import staged
from scimind.data.prepare.summary import PrepareSummary, Written, lengths_to_keep, summarise
from scimind.data.prepare.writing import RecordWriter, write_interleaved
from scimind.errors import DataError, SciMindError
from scimind.hashing import file_checksum
from scimind.locking import output_lock, refuse_inputs
from scimind.parallel import available_cores, check_workers
from scimind.tokenizer import TokenCodec

_ADVICE = "give another --name or --output"


def prepare_sources(
    sources: Sequence[TaskSource],
    output_dir: str | Path,
    name: str,
    codec: TokenCodec,
    options: PrepareOptions,
    *,
    temperature: float = 1.0,
    records: int | None = None,
    definitions: Sequence[str | Path] = (),
    definition: Mapping[str, Any] | None = None,
) -> PrepareSummary:
    """Prepares one task, or several as a mixture; see `prepare`.

    A mixture has one training file, and separate evaluation files `name_TASK_eval` for each task.

    Args:
        sources: The tasks with their files; a single task without a name is not a mixture.
        output_dir: Folder for the results.
        name: Prefix of the files' names.
        codec: The vocabulary.
        options: All settings.
        temperature: Temperature of tasks without a weight, see `shares`.
        records: Number of training records of a mixture; by default as many as there are.
        definitions: Files that define tasks and mixture, which are never replaced; names of tasks are passed over.
        definition: The content of the task file to write next to the data; None to write none.
    """
    fitter = Fitter(codec, options.seq_length, options.policy, loss_on_prompt=options.loss_on_prompt)
    workers = check_workers(available_cores() if options.workers is None else options.workers)
    is_mixture = bool(sources[0].name)
    splits = [_split_names(name, source, options) for source in sources]
    split_names = list(dict.fromkeys(split for named in splits for split in named.values()))
    files = [f"{split}{suffix}" for split in split_names for suffix in (".json", ".mindrecord.db", ".mindrecord")]
    files += [f"{name}{end}" for end in (".rejects.jsonl", ".detected.jsonl", ".card.md", ".lengths.png")]
    folder = Path(output_dir)
    # A task file of other data with this name must not be taken for that of these.
    files += [f"{name}{END}"] if (folder / f"{name}{END}").resolve() not in map(_resolved, definitions) else []
    files += [f"{name}.summary.json"]
    data = [file.path for source in sources for file in source.files]
    for file in files:
        refuse_inputs(folder / file, [*definitions, *data], advice=_ADVICE)
    with kept_pipes(), ExitStack() as stack:
        for path in data:
            regular_file(path)  # a faulty path is reported before anything is created
        stack.enter_context(output_lock(folder / name, advice=_ADVICE))
        scratch = stack.enter_context(staged(folder, name, files, overwrite=options.overwrite))
        parts_folder = folder / f".{name}.parts"
        stack.push(_PartsKeeper(parts_folder))
        parts = [
            EncodedParts(parts_folder / str(number), _manifest(source, codec, options))
            for number, source in enumerate(sources)
        ]
        notes = []
        for source, stored in zip(sources, parts, strict=True):
            encode = RecordEncoder(
                fitter, source.task, options.fields, keeps_sequences=options.splitting.by == "cluster"
            )
            strict = options.on_bad == "stop"
            notes.append(source.encode(encode, stored, strict=strict, workers=workers, progress=options.progress))
        rules = [options.conflict_rule(source.task) for source in sources]
        decisions = decide(
            parts,
            options.splitting,
            rules,
            keep_duplicates=options.duplicates == "keep",
            identity=options.identity,
        )
        tasks: dict[str, dict[str, Any]] = {}
        if is_mixture:
            decisions, tasks = mix(sources, decisions, temperature, records, options.seed)
        opened = [
            SplitFiles(scratch, split, options.seq_length, codec.pad_id, packed=options.packed) for split in split_names
        ]
        with ResultFiles(scratch, name, opened) as results:
            writers = [
                RecordWriter(
                    source,
                    stored,
                    decision,
                    {fate: results.splits[split] for fate, split in named.items()},
                    results.rejects,
                    results.detected,
                    lists_conflicts=rule == "list",
                )
                for source, stored, decision, named, rule in zip(sources, parts, decisions, splits, rules, strict=True)
            ]
            written = _write(results, writers, notes, options.seq_length)
        if definition is not None:
            write_definition(scratch / f"{name}{END}", definition, scratch / f"{name}.json")
        summary = summarise(sources, codec, options, written, tasks)
        summary = replace(summary, formats=_formats(notes))
        if options.card:
            write_card(scratch, name, summary, {split.name: split.lengths for split in written.splits})
        return _write_summary(scratch, files, summary)


def _resolved(path: str | Path) -> Path:
    return Path(path).resolve()


def _formats(notes: Sequence[Mapping[str, FileNotes]]) -> dict[str, str]:
    """Returns how each file was understood, by path."""
    return {path: about.description() for of_files in notes for path, about in of_files.items()}


def _split_names(name: str, source: TaskSource, options: PrepareOptions) -> dict[Fate, str]:
    """Returns the prefix of the file names of each split of a source."""
    first = f"{name}_{source.name}" if source.name else name
    names = {Fate.TRAIN: name}
    if options.eval_fraction:
        names[Fate.EVALUATION] = f"{first}_eval"
    if options.test_fraction:
        names[Fate.TEST] = f"{first}_test"
    return names


class _PartsKeeper:
    """Removes the parts at the end, after success or failure, but keeps them after an interruption."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception) or not any(self._folder.glob("*/*.npz")):
            shutil.rmtree(self._folder, ignore_errors=True)


def _manifest(source: TaskSource, codec: TokenCodec, options: PrepareOptions) -> dict[str, Any]:
    """Returns everything that encoded parts depend on."""
    files = []
    for file in source.files:
        files.append([str(file.path), file.label, state_of(file.path)])
    return {
        "version": __version__,
        "task": repr(source.task),
        "files": files,
        "tokenizer": codec.fingerprint(),
        "extension": codec.extension,
        "options": repr(replace(options, workers=1, overwrite=False, progress=False, packed=False, card=False)),
    }


def _write(
    results: ResultFiles,
    writers: Sequence[RecordWriter],
    notes: Sequence[Mapping[str, FileNotes]],
    seq_length: int,
) -> Written:
    """Writes every record to a split or to the rejects, lists the repairs made to files, and returns the counts."""
    records = write_interleaved(writers)
    for of_files in notes:
        for path, repaired in of_files.items():
            for reason in repaired.lines():
                entry = {"file": path, "line": 1, "kind": "repaired", "defect": FILE_FORMAT, "reason": reason}
                results.rejects.add(entry | {"kept": True})
    if not any(split.records for split in results.splits.values()):
        inputs = [str(file) for writer in writers for file in writer.source.files]
        raise _nothing_written(Written(records, [], results.rejects.counts), inputs, seq_length)
    return Written(records, [split.close() for split in results.splits.values()], results.rejects.counts)


def _nothing_written(written: Written, inputs: Sequence[str], seq_length: int) -> SciMindError:
    """Returns the error to raise if no record was written: the first fault, records too long, or no records."""
    lengths, first = written.records.lengths, written.rejects.first
    if first is not None:
        reason = (
            first["reason"] if written.records.read == 1 else f"no usable record; the first fault: {first['reason']}"
        )
        return DataError(reason, first["file"], first["line"], first.get("text", ""))
    if lengths and min(lengths) > seq_length + 1:
        kept = ", ".join(f"{value} keeps {share}" for share, value in lengths_to_keep(lengths).items())
        return SciMindError(
            f"no record fits seq_length ({seq_length}); the shortest needs {min(lengths) - 1}, the longest "
            f"{max(lengths) - 1}; raise seq_length ({kept} of the records)"
        )
    return SciMindError(f"no usable record in {', '.join(inputs)}; check its format, see docs/data.md")


def _write_summary(folder: Path, files: Sequence[str], summary: PrepareSummary) -> PrepareSummary:
    """Writes the summary, the last of `files`, and returns it with the names and checksums of the files that exist."""
    *others, last = files
    present = [file for file in others if (folder / file).exists()]
    checksums = {file: file_checksum(folder / file) for file in present}
    summary = replace(summary, files=[*present, last], checksums=summary.checksums | {"files": checksums})
    text = json.dumps(summary.to_json(), ensure_ascii=False, indent=1)
    (folder / last).write_text(text + "\n", encoding="utf-8")
    return summary
