"""Data files to conversation JSON and MindRecord: encode in parts, decide about every record, write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import scimind
from scimind.data.encode.length import Fitter
from scimind.data.encode.records import RecordEncoder
from scimind.data.prepare.card import write_card
from scimind.data.prepare.encoded_parts import EncodedParts
from scimind.data.prepare.fates import Decision, Index, decide
from scimind.data.prepare.mixing import mix
from scimind.data.prepare.options import PrepareOptions
from scimind.data.prepare.sinks import Rejects, Sink
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.splitting import EVALUATION, TEST, TRAIN
from scimind.data.prepare.staging import staged
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.prepare.writing import Counts, Emission, interleave
from scimind.errors import DataError, SciMindError
from scimind.hashing import file_checksum
from scimind.parallel import available_cores, check_workers
from scimind.tokenizer import TokenCodec


def prepare_sources(
    sources: Sequence[TaskSource],
    output_dir: str | Path,
    name: str,
    codec: TokenCodec,
    options: PrepareOptions,
    *,
    temperature: float = 1.0,
    records: int | None = None,
) -> PrepareSummary:
    """Prepares one task, or several as a mixture; see `prepare`.

    A mixture has one file to learn from, and files of their own, `name_TASK_eval`, to evaluate each task on.

    Args:
        sources: The tasks with their files; a single one without a name is no mixture.
        output_dir: Folder for the results.
        name: First part of the files' names.
        codec: The vocabulary.
        options: All settings.
        temperature: See `shares`; for tasks without a weight.
        records: Records to learn from of a mixture; by default as many as there are.
    """
    fitter = Fitter(codec, options.seq_length, options.policy, loss_on_prompt=options.loss_on_prompt)
    workers = check_workers(available_cores() if options.workers is None else options.workers)
    split, is_mixture = options.splitting, bool(sources[0].name)
    sinks = {(0, TRAIN): name}
    for number, source in enumerate(sources):
        first = f"{name}_{source.name}" if is_mixture else name
        if split.evaluation:
            sinks[number, EVALUATION] = f"{first}_eval"
        if split.test:
            sinks[number, TEST] = f"{first}_test"
    files = [f"{file}{suffix}" for file in sinks.values() for suffix in (".json", ".mindrecord.db", ".mindrecord")]
    files += [f"{name}{end}" for end in (".rejects.jsonl", ".detected.jsonl", ".card.md", ".lengths.png")]
    files += [f"{name}.summary.json"]
    folder = Path(output_dir)
    paths = [file.path for source in sources for file in source.files]
    replaced = {(folder / file).resolve() for file in files} & {path.resolve() for path in paths}
    if replaced:
        raise SciMindError(f"{replaced.pop()} is an input and would be replaced; give another --name or --output")
    summary = _summary(sources, codec, options)
    with staged(folder, files, overwrite=options.overwrite) as scratch, ExitStack() as stack:
        stack.push(_PartsKeeper(folder / f".{name}.parts"))
        parts = [
            EncodedParts(folder / f".{name}.parts" / str(number), _manifest(source, codec, options))
            for number, source in enumerate(sources)
        ]
        for source, stored in zip(sources, parts, strict=True):
            encode = RecordEncoder(fitter, source.task, options.fields, keeps_sequences=split.by == "cluster")
            strict = options.on_bad == "stop"
            source.encode(encode, stored, strict=strict, workers=workers, progress=options.progress)
        decided = decide(
            parts,
            split,
            [source.task.conflicts for source in sources],
            keep_duplicates=options.duplicates == "keep",
            identity=options.identity,
        )
        if is_mixture:
            decided = mix(sources, decided, summary, temperature, records, split.seed)
        opened = {
            key: Sink(scratch, file, options.seq_length, codec.pad_id, packed=options.packed)
            for key, file in sinks.items()
        }
        _write(sources, parts, decided, opened, scratch, name, summary)
        summary.evaluation = sum(sink.records for (_, kind), sink in opened.items() if kind != TRAIN)
        summary.set_fill()
        summary.checksums["inputs"] = {str(path): file_checksum(path) for path in paths}
        if options.card:
            write_card(scratch, name, summary, {sink.name: sink.lengths for sink in opened.values()})
        summary.files = [file for file in files if (scratch / file).exists()] + [files[-1]]
        summary.checksums["files"] = {file: file_checksum(scratch / file) for file in summary.files[:-1]}
        text = json.dumps(summary.to_json(), ensure_ascii=False, indent=1)
        (scratch / files[-1]).write_text(text + "\n", encoding="utf-8")
    return summary


class _PartsKeeper:
    """Removes the parts at the end, whatever it is, but keeps them after an interruption."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception) or not any(self._folder.glob("*/*.npz")):
            shutil.rmtree(self._folder, ignore_errors=True)


def _summary(sources: Sequence[TaskSource], codec: TokenCodec, options: PrepareOptions) -> PrepareSummary:
    split = options.splitting
    return PrepareSummary(
        task=" + ".join(source.name or source.task.name for source in sources),
        inputs=[
            str(file.path) if file.label is None else f"{file.label}={file.path}"
            for source in sources
            for file in source.files
        ],
        files=[],
        seq_length=options.seq_length,
        policy=options.policy,
        loss_on_prompt=options.loss_on_prompt,
        tokenizer={
            "fingerprint": codec.fingerprint(),
            "vocab_size": codec.vocab_size,
            "modality_ranges": codec.modality_ranges,
        },
        version=scimind.__version__,
        packed=options.packed,
        split={"by": split.by, "evaluation": split.evaluation, "test": split.test, "seed": split.seed}
        | ({"identity": options.identity} if split.by == "cluster" else {}),
        settings={
            "molecules": options.molecules,
            "randomised": options.randomised,
            "detect": options.detect,
            "duplicates": options.duplicates,
        },
    )


def _manifest(source: TaskSource, codec: TokenCodec, options: PrepareOptions) -> dict[str, Any]:
    """Returns what encoded parts depend on."""
    files = []
    for file in source.files:
        state = file.path.stat() if file.path.exists() else None
        files.append([str(file.path), file.label, state and state.st_size, state and state.st_mtime_ns])
    return {
        "version": scimind.__version__,
        "task": repr(source.task),
        "files": files,
        "tokenizer": codec.fingerprint(),
        "extension": codec.extension,
        "options": repr(replace(options, workers=1, overwrite=False, progress=False, packed=False, card=False)),
    }


def _write(
    sources: Sequence[TaskSource],
    parts: Sequence[EncodedParts],
    decided: Sequence[tuple[Index, Decision]],
    sinks: dict[tuple[int, int], Sink],
    scratch: Path,
    name: str,
    summary: PrepareSummary,
) -> None:
    """Takes every record to a sink or to the rejects."""
    rejects = Rejects(scratch / f"{name}.rejects.jsonl", summary)
    detected = (scratch / f"{name}.detected.jsonl").open("w", encoding="utf-8", newline="\n")
    counts = Counts()

    def note(entry: dict[str, Any]) -> None:
        detected.write(json.dumps(entry, ensure_ascii=False) + "\n")

    try:
        interleave(
            [
                Emission(
                    source=source,
                    parts=stored,
                    index=index,
                    decision=decision,
                    sinks={kind: sink for (owner, kind), sink in sinks.items() if owner == number or kind == TRAIN},
                    rejects=rejects,
                    counts=counts,
                    lists_conflicts=source.task.conflicts == "list",
                    note=note,
                )
                for number, (source, stored, (index, decision)) in enumerate(zip(sources, parts, decided, strict=True))
            ]
        )
        for source in sources:
            for path, notes in source.notes.items():
                for reason in notes.lines():
                    entry = {"file": path, "line": 1, "kind": "repaired", "defect": "file", "reason": reason}
                    rejects.add(entry | {"kept": True})
        counts.fill(summary)
        _check_found(counts, rejects, any(sink.records for sink in sinks.values()))
        for sink in sinks.values():
            sink.close(summary)
    finally:
        rejects.close()
        detected.close()
        for sink in sinks.values():
            sink.abandon()
    if not counts.detected:
        (scratch / f"{name}.detected.jsonl").unlink()


def _check_found(counts: Counts, rejects: Rejects, has_records: bool) -> None:
    """Raises what is to be said where no record was written."""
    if has_records:
        return
    lengths, summary, first = counts.lengths, rejects.summary, rejects.first
    if first is not None:
        reason = first["reason"] if summary.read == 1 else f"no usable record; the first fault: {first['reason']}"
        raise DataError(reason, first["file"], first["line"], first.get("text", ""))
    if lengths and min(lengths) > summary.seq_length + 1:
        raise SciMindError(
            f"no record fits seq_length ({summary.seq_length}); the shortest needs {min(lengths) - 1}, the longest "
            f"{max(lengths) - 1}; raise it"
        )
    raise SciMindError(f"no usable record in {', '.join(summary.inputs)}; see its format in the README")
