"""Submissions to the shared task of L+M-24: a zip with `submit.txt`, one output per line in the order of the inputs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from scimind.atomic import new_file
from scimind.errors import DataError, SciMindError
from scimind.evaluate.predictions import Item, answers, lines_to_end

MEMBER = "submit.txt"
# A fixed time, so that the same outputs give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_submission(path: Path, items: Sequence[Item], inputs: Path | None = None) -> dict[str, int]:
    """Writes a submission and reads it back.

    Args:
        path: The zip file; an existing one is replaced.
        items: The outputs, in order. White space around them is dropped; a line break inside becomes a space.
        inputs: The inputs, one per line, such as `eval-text.txt`. Their number must be that of the outputs, and if the
            predictions hold prompts, each prompt must contain its input.

    Returns:
        The number of lines, of empty lines, and of outputs with a line break inside.

    Raises:
        SciMindError: The outputs do not fit the inputs, or the file cannot be written.
    """
    if path.suffix != ".zip":
        raise SciMindError(f"{path}: a submission must end in .zip; rename it")
    if inputs is not None:
        _check_order(items, inputs)
    outputs = [" ".join(item.output.strip().splitlines()) for item in items]
    content = "".join(output + "\n" for output in outputs).encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(MEMBER, _TIME), content, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise SciMindError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
    assert read_submission(path, len(items)) == outputs
    broken = sum(len(item.output.strip().splitlines()) > 1 for item in items)
    return {"lines": len(outputs), "empty": outputs.count(""), "joined": broken}


def read_submission(path: Path, expected: int | None = None) -> list[str]:
    """Returns the outputs of a submission after checking its format.

    Args:
        path: The zip file.
        expected: Number of outputs; None for any.

    Raises:
        DataError: The file is not a zip, holds anything other than `submit.txt`, is not UTF-8, or has another number of
            lines.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if names != [MEMBER]:
                raise DataError(f"must hold only {MEMBER} (it holds {', '.join(names) or 'nothing'})", path)
            text = archive.read(MEMBER).decode("utf-8")
    except FileNotFoundError as error:
        raise DataError("the file does not exist; check the path", path) from error
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"is not a readable zip file ({error})", path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{MEMBER} is not UTF-8 ({error.reason} at byte {error.start})", path) from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise DataError(f"{MEMBER} is empty", path)
    if expected is not None and len(lines) != expected:
        raise DataError(f"{MEMBER} has {len(lines)} lines for {expected} inputs", path)
    return [line.strip() for line in lines]


def _check_order(items: Sequence[Item], inputs: Path) -> None:
    asked = [line.split("\t")[0].strip() for line in lines_to_end(inputs)]
    if len(asked) != len(items):
        raise DataError(f"has {len(asked)} inputs for {len(items)} outputs; predict all of them", inputs)
    for number, (text, item) in enumerate(zip(asked, items, strict=True), 1):
        if not answers(item, text):
            raise DataError(f"item {item.id} of the predictions answers a different prompt", inputs, number, text)
