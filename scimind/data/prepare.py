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
from scimind.data.card import write_card
from scimind.data.decisions import Decision, Index, decide
from scimind.data.emission import Counts, Emission, interleave
from scimind.data.encoding import RecordEncoder
from scimind.data.fields import Settings
from scimind.data.fitting import Fitter
from scimind.data.options import DUPLICATES, ON_BAD, PrepareOptions, check_name
from scimind.data.parts import Parts
from scimind.data.registry import find_task
from scimind.data.sinks import Rejects, Sink
from scimind.data.sources import LabelledFile, Source
from scimind.data.splits import EVALUATION, TEST, TRAIN, Split, repeats, shares
from scimind.data.staging import staged
from scimind.data.summary import PrepareSummary
from scimind.data.task import Task
from scimind.errors import SciMindError
from scimind.hashing import file_checksum
from scimind.parallel import check_workers
from scimind.tokenizer import TokenCodec

__all__ = ["DUPLICATES", "ON_BAD", "prepare", "prepare_sources", "prepare_task"]


def prepare(
    task: str | Path | Task,
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
    test_fraction: float = 0.0,
    split: str = "random",
    identity: float = 0.8,
    seed: int = 0,
    duplicates: str = "drop",
    molecules: str = "checked",
    randomised: int = 0,
    detect: bool = False,
    packed: bool = False,
    workers: int = 1,
    progress: bool = True,
    card: bool = False,
) -> PrepareSummary:
    """Writes `name.json`, `name.mindrecord` with its `.db`, and `name.summary.json`; returns the summary.

    With `eval_fraction`, `name_eval.json` and `name_eval.mindrecord` hold the records set aside, with `test_fraction`
    `name_test…`. Records that were left out are listed in `name.rejects.jsonl`. All files appear together at the end,
    none of them after an error. A run that was interrupted leaves `.name.parts`, from which the same call goes on.

    Args:
        task: One of `TASKS`, a file that describes one, or a task; see `find_task`.
        inputs: The files, in this order; `LABEL=FILE` gives all records of a file a label.
        output_dir: Folder for the results; made if need be.
        codec: The vocabulary.
        seq_length: Positions s that the model reads at once, from 1.
        policy: `drop` or `truncate`, see `Fitter`.
        loss_on_prompt: Whether the prompt is learnt too.
        name: First part of the files' names; by default the input's if there is one, else the task's.
        on_bad: `stop` raises the first faulty record's error, `skip` lists and counts it.
        overwrite: Whether results that exist may be replaced.
        eval_fraction: Share of records to set aside, in [0, 1).
        test_fraction: Share of records to set aside besides.
        split: `random`, `scaffold` or `cluster`, see `Split`. The same molecule or sequence is never in two.
        identity: From which on sequences are alike, see `cluster`.
        seed: Decides about splits, random spellings, negatives and mixtures.
        duplicates: `drop` lists records of equal question and answer, `keep` keeps them.
        molecules: `checked`, `canonical` or `as-is`, see `Settings`.
        randomised: Random spellings of each molecule to learn from besides, from 0.
        detect: Whether sequences without marks are looked for in text, see `wrap_text`.
        packed: Whether short records share a row, see `packing`; a model needs `packed: True` to learn from them.
        workers: Processes that encode; the files are the same whatever their number.
        progress: Whether a bar is shown on standard error.
        card: Whether `name.card.md` and `name.lengths.png` are written too.

    Raises:
        DataError: A file or, with `stop`, a record is faulty; file and line are named.
        SciMindError: A setting is faulty, the folder cannot be written, a file exists, or no record fits.
    """
    options = PrepareOptions(
        seq_length=seq_length,
        policy=policy,
        loss_on_prompt=loss_on_prompt,
        on_bad=on_bad,
        overwrite=overwrite,
        packed=packed,
        workers=workers,
        progress=progress,
        split=Split(split, eval_fraction, test_fraction, seed),
        settings=Settings(molecules, randomised, detect, seed, split),
        duplicates=duplicates,
        identity=identity,
        card=card,
    )
    return prepare_task(task, inputs, output_dir, codec=codec, options=options, name=name)


def prepare_task(
    task: str | Path | Task,
    inputs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    options: PrepareOptions,
    name: str | None = None,
) -> PrepareSummary:
    """Prepares the files of a task; `prepare` with its settings in one object."""
    found = find_task(task)
    files = [LabelledFile.parse(path) for path in inputs]
    if not files:
        raise SciMindError("no input; give at least one file")
    name = check_name(name or (_stem(files[0].path) if len(files) == 1 else found.name))
    return prepare_sources([Source(found, files)], output_dir, name, codec, options)


def prepare_sources(
    sources: Sequence[Source],
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
    workers = check_workers(options.workers)
    split, is_mixture = options.split, bool(sources[0].name)
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
            Parts(folder / f".{name}.parts" / str(number), _manifest(source, codec, options))
            for number, source in enumerate(sources)
        ]
        for source, stored in zip(sources, parts, strict=True):
            encode = RecordEncoder(fitter, source.task, options.settings)
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
            decided = _mix(sources, decided, summary, temperature, records, split.seed)
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


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem


def _summary(sources: Sequence[Source], codec: TokenCodec, options: PrepareOptions) -> PrepareSummary:
    split, settings = options.split, options.settings
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
            "molecules": settings.molecules,
            "randomised": settings.randomised,
            "detect": settings.detect,
            "duplicates": options.duplicates,
        },
    )


def _manifest(source: Source, codec: TokenCodec, options: PrepareOptions) -> dict[str, Any]:
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


def _mix(
    sources: Sequence[Source],
    decided: Sequence[tuple[Index, Decision]],
    summary: PrepareSummary,
    temperature: float,
    records: int | None,
    seed: int,
) -> list[tuple[Index, Decision]]:
    """Returns the decisions with how often each record is learnt from, and notes shares and epochs."""
    sizes = [int((decision.fate == TRAIN).sum()) for _, decision in decided]
    if empty := [source.name for source, size in zip(sources, sizes, strict=True) if not size]:
        raise SciMindError(f"{empty[0]} has no record to learn from; see its rejects, or leave it out of the mixture")
    total = records or sum(sizes)
    mixed = []
    parts = shares(sizes, [source.weight for source in sources], temperature)
    for source, (index, decision), size, share in zip(sources, decided, sizes, parts, strict=True):
        wanted = round(total * share)
        often = decision.often.copy()
        chosen = decision.fate == TRAIN
        keys = index["question"][chosen] ^ (index["answer"][chosen] >> 1)
        often[chosen] = repeats(wanted, keys, f"{seed} {source.name}")
        mixed.append((index, replace(decision, often=often)))
        summary.tasks[source.name] = {
            "task": source.task.name,
            "read": len(index.rows),
            "train": size,
            "wanted": wanted,
            "epochs": wanted / size,
            "share": share,
        }
    return mixed


def _write(
    sources: Sequence[Source],
    parts: Sequence[Parts],
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
        _check_found(counts, summary, any(sink.records for sink in sinks.values()))
        for sink in sinks.values():
            sink.close(summary)
    finally:
        rejects.close()
        detected.close()
        for sink in sinks.values():
            sink.abandon()
    if not counts.detected:
        (scratch / f"{name}.detected.jsonl").unlink()


def _check_found(counts: Counts, summary: PrepareSummary, has_records: bool) -> None:
    """Raises what is to be said where no record was written."""
    if has_records:
        return
    lengths = counts.lengths
    if lengths and min(lengths) > summary.seq_length + 1:
        raise SciMindError(
            f"no record fits seq_length ({summary.seq_length}); the shortest needs {min(lengths) - 1}, the longest "
            f"{max(lengths) - 1}; raise it"
        )
    found = "".join(f"; {count:,} {defect}" for defect, count in summary.defects.items())
    raise SciMindError(f"no usable record in {', '.join(summary.inputs)}{found}; see its format in the README")
