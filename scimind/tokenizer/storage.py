"""The folder of a tokenizer: the SentencePiece model and a JSON file with its settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from scimind.errors import CheckpointError, SciMindError
from scimind.small_files import read_small, read_small_json
from scimind.tokenizer.pieces import LARGEST_MODEL

MODEL_NAME = "tokenizer.model"
SETTINGS_NAME = "scimind_tokenizer.json"
_VERSION = 1


def write_folder(folder: Path, model: bytes, *, extension: bool, base_size: int) -> None:
    """Writes the two files; the folder is created if necessary.

    Raises:
        SciMindError: The folder cannot be written.
    """
    settings = {
        "version": _VERSION,
        "extension": extension,
        "base_size": base_size,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_NAME).write_bytes(model)
        (folder / SETTINGS_NAME).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SciMindError(
            f"cannot save the tokenizer into {folder}: {error.strerror or error}; choose another folder"
        ) from error


def read_folder(folder: Path) -> tuple[Path, bool]:
    """Returns the model file and whether the extension is on.

    Raises:
        SciMindError: A file is missing or cannot be read, the settings are broken, or a newer version wrote them.
        CheckpointError: The model is not the one that the settings were written for.
    """
    source = folder / SETTINGS_NAME
    try:
        settings = read_small_json(source)
        model = read_small(folder / MODEL_NAME, LARGEST_MODEL)
    except OSError as error:
        where, reason = error.filename or folder, error.strerror or error
        raise SciMindError(f"tokenizer {where}: {reason}; give a folder that TokenCodec.save wrote") from error
    except ValueError as error:
        raise SciMindError(f"tokenizer {source} {error}; save the tokenizer again") from error
    if settings.get("version") != _VERSION:
        raise SciMindError(
            f"tokenizer {source} has version {settings.get('version')}, not {_VERSION}; use the release that wrote it"
        )
    extension, digest = settings.get("extension"), settings.get("sha256")
    if not isinstance(extension, bool) or not isinstance(digest, str):
        raise SciMindError(
            f"tokenizer {source} must have extension (true or false) and sha256; save the tokenizer again"
        )
    if hashlib.sha256(model).hexdigest() != digest:
        raise CheckpointError(
            f"{folder / MODEL_NAME} is not the model that {SETTINGS_NAME} was written for; copy both files together"
        )
    return folder / MODEL_NAME, extension
