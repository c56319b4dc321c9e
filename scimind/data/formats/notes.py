"""What was found out and repaired while a file was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon"}
_MOST_NAMES = 12


@dataclass
class FileNotes:
    """How a file was understood, and the repairs made while it was read.

    Args:
        byte_order_mark: Whether a byte order mark was removed.
        crlf: Number of lines that ended in carriage return and line feed.
        encoding: The encoding of the file.
        compression: gzip, bzip2, xz or zstd; empty for none.
        bytes_read: Number of bytes of the file, as it is stored, that were read so far.
        format: Such as `CSV`, `JSON Lines` or `FASTA`.
        separator: What separates the columns of a table; empty for other formats.
        header: The names of the columns; None without a header.
        columns: The column of each field that was found; a number, from 1, without a header.
        remarks: Further decisions, in words.
        ends_open: Whether the last line has no line end.
    """

    byte_order_mark: bool = False
    crlf: int = 0
    encoding: str = "utf-8"
    compression: str = ""
    bytes_read: int = 0
    format: str = ""
    separator: str = ""
    header: Sequence[str] | None = None
    columns: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    ends_open: bool = False

    def lines(self) -> list[str]:
        """Returns a sentence for each repair."""
        found = []
        if self.byte_order_mark:
            found.append("a byte order mark at the beginning of the file was removed")
        if self.crlf:
            found.append(f"{self.crlf:,} lines ended in carriage return and line feed; only the line feed was kept")
        if self.encoding != "utf-8":
            found.append(f"the file was converted from {self.encoding} to UTF-8")
        return found

    def add_remark(self, text: str) -> None:
        """Adds a decision, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def description(self) -> str:
        """Returns how the file was understood, in one line."""
        parts = [self.format or "text"]
        if self.compression:
            parts.append(self.compression)
        if self.separator:
            parts.append(f"separator {_NAMES.get(self.separator, self.separator)}")
        parts.append(self.encoding)
        if self.separator or self.header is not None:
            names = list(self.header or ())
            shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
            parts.append(f"header {shown}" if self.header is not None else "no header")
        parts += [f"{field or 'id'} from column {column}" for field, column in self.columns.items()]
        return ", ".join([*parts, *self.remarks]).replace("\n", " ")
