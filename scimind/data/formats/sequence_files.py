"""Reads FASTA and FASTQ: the name and the sequence of each record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scimind.data.defects import LONG_LINE, MALFORMED, RecordError
from scimind.data.formats.text_files import LONGEST_LINE

SEQUENCE = "sequence"
IDENTITY = "id"
_COMMENTS = (";", "#")

Values = tuple[int, dict[str, str]] | RecordError


def fasta_records(path: Path, lines: Iterator[str]) -> Iterator[Values]:
    """Yields the records of a FASTA file with the lines of their headers; lines that begin with ; or # are comments.

    Args:
        path: The file, for errors.
        lines: Its lines, of which no more than `LONGEST_LINE` + 1 characters are read.
    """
    header: str | None = None
    begin, size = 1, 0
    parts: list[str] = []
    for number, text in enumerate(lines, start=1):
        if text.startswith(">"):
            if header is not None:
                yield _record(path, begin, header, parts, size)
            header, begin, size, parts = text[1:].strip(), number, 0, []
        elif not text.startswith(_COMMENTS) and header is not None:
            size += len(text)
            if size > LONGEST_LINE:
                parts = []  # reported, and not kept in memory
            else:
                parts.append(text.strip())
    if header is not None:
        yield _record(path, begin, header, parts, size)


def fastq_records(path: Path, lines: Iterator[str]) -> Iterator[Values]:
    """Yields the records of a FASTQ file: `@name`, sequence, `+`, and as many qualities as letters, one line each."""
    begin = 1
    read: list[str] = []
    for number, text in enumerate(lines, start=1):
        if not read and not text.strip():
            continue
        begin = begin if read else number
        read.append(text.rstrip())
        if read[0][:1] != "@":
            yield RecordError(MALFORMED, "a FASTQ record must begin with @; fix the file here", path, number, text)
            read = []
        elif len(read) == 4:
            yield _read(path, begin, read)
            read = []
    while read and not read[-1]:
        read.pop()
    if read:
        reason = f"the last FASTQ record has {len(read)} of 4 lines; the file is truncated"
        yield RecordError(MALFORMED, reason, path, begin, read[0])


def _read(path: Path, begin: int, read: list[str]) -> Values:
    name, sequence, plus, qualities = read
    if max(map(len, read)) > LONGEST_LINE:
        return _too_long(path, begin, name)
    if plus[:1] != "+":
        reason = "the third line of a FASTQ record must begin with +; fix the record"
        return RecordError(MALFORMED, reason, path, begin + 2, plus)
    if len(sequence) != len(qualities):
        reason = f"the FASTQ record has {len(sequence)} letters and {len(qualities)} qualities; fix the record"
        return RecordError(MALFORMED, reason, path, begin + 3, qualities)
    return begin, {IDENTITY: _first_word(name[1:]), SEQUENCE: sequence}


def _record(path: Path, begin: int, header: str, parts: list[str], size: int) -> Values:
    if size > LONGEST_LINE:
        return _too_long(path, begin, header)
    return begin, {IDENTITY: _first_word(header), SEQUENCE: "".join(parts)}


def _first_word(text: str) -> str:
    return (text.split(maxsplit=1) or [""])[0]


def _too_long(path: Path, line: int, text: str) -> RecordError:
    return RecordError(LONG_LINE, f"the record has more than {LONGEST_LINE:,} characters; split it", path, line, text)
