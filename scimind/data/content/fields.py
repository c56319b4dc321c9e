"""The kinds of fields of a raw record and how each is read: text, molecule, protein, DNA, RNA, names, label."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scimind.data.content.molecules import canonical_smiles, parse
from scimind.data.content.selfies import molecule_text, with_smiles
from scimind.data.content.sequences import Wrapped, clean_sequence, wrap_text
from scimind.data.defects import EMPTY, LABEL, MALFORMED, RecordError
from scimind.data.formats.text_files import repair_backslashes
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.codec import TokenCodec
from scimind.tokenizer.tags import count_kept_marks

MOLECULES = ("as-is", "checked", "canonical")


@dataclass(frozen=True)
class FieldOptions:
    """Options for reading fields.

    Args:
        molecules: `as-is` takes SMILES unchanged; `checked` rejects those that RDKit cannot parse; `canonical` replaces
            them by RDKit's canonical SMILES.
        randomised: Number of additional training records made from each record with randomly spelled molecules.
        detect: Whether text is searched for untagged sequences, see `wrap_text`.
        seed: Seed of random spellings and negatives.
        scaffolds: Whether the scaffolds of molecules are computed.
    """

    molecules: str = "checked"
    randomised: int = 0
    detect: bool = False
    seed: int = 0
    scaffolds: bool = False


@dataclass(frozen=True)
class Field:
    """One field of a task.

    Args:
        name: Name of the field in the task's templates.
        kind: One of `KINDS`.
        columns: Possible names of its column in a table, in lower case.
        fallback: The column used if this is the only missing field.
        optional: Whether it may be missing or empty, which reads as empty text.
        fenced: For kind `tagged`: the tag of text between triple backticks.
        labels: For kind `label`: each label with its spellings in files; empty if the labels are not known.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    fallback: str = ""
    optional: bool = False
    fenced: str | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class FieldValue:
    """The value of a field.

    Args:
        shown: The form used in questions and answers, in tags unless it is text.
        canonical: A form that is equal for two spellings of the same thing.
        tag: `smiles`, `protein`, `dna` or `rna`; empty for text.
        molecule: RDKit's molecule, if the field is one and SMILES are checked.
        repairs: Number of doubled backslashes that were made single.
        detected: The untagged sequences that were found.
        readings: How often something was read differently from how it is written, by what was done.
    """

    shown: str
    canonical: str
    tag: str = ""
    molecule: Any = None
    repairs: int = 0
    detected: tuple[Wrapped, ...] = ()
    readings: Mapping[str, int] = field(default_factory=dict)


def readings_of(values: Iterable[FieldValue]) -> Counter[str]:
    """Returns the readings of all values together."""
    return sum((Counter(value.readings) for value in values), Counter())


def read_field(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    """Returns the value of a raw field.

    Raises:
        RecordError: The value is empty, or not valid for its kind.
    """
    if spec.optional and (raw is None or (isinstance(raw, str) and not raw.strip())):
        return FieldValue("", "")
    return KINDS[spec.kind](spec, raw, options)


def _text_of(value: object, name: str) -> str:
    """Returns the text of a field, without surrounding white space.

    Raises:
        RecordError: The value is empty, or not text.
    """
    if isinstance(value, str) and (text := value.strip()):
        return text
    if value is None or isinstance(value, str):
        raise RecordError(EMPTY, f"the {name} is empty; fill it in or remove the record")
    raise RecordError(MALFORMED, f"the {name} is not text; write it as text", text=repr(value))


def _text(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text, readings = _text_of(raw, spec.name), Counter[str]()
    count_kept_marks(text, readings, own=True)
    return FieldValue(TokenCodec.escape(text), text, readings=readings)


def _tagged(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    readings = Counter[str]()
    text = with_smiles(_text_of(raw, spec.name), readings)
    shown, _, found = wrap_text(text, spec.fenced, detect=options.detect)
    count_kept_marks(shown, readings)
    return FieldValue(shown, text, detected=tuple(found), readings=readings)


def _smiles(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text, readings = molecule_text(_text_of(raw, spec.name))
    text, repairs = repair_backslashes(text)
    # The tokenizer reports a character without a token, with its position.
    if options.molecules == "as-is" or text.strip(TAG_CHARACTERS["smiles"]):
        return FieldValue(TokenCodec.wrap(text, "smiles"), text, "smiles", repairs=repairs, readings=readings)
    molecule = parse(text)
    canonical = canonical_smiles(molecule)
    shown = canonical if options.molecules == "canonical" else text
    return FieldValue(TokenCodec.wrap(shown, "smiles"), canonical, "smiles", molecule, repairs, readings=readings)


def _sequence(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text = clean_sequence(spec.kind, _text_of(raw, spec.name))
    return FieldValue(TokenCodec.wrap(text, spec.kind), text, spec.kind)


def _names(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    names = sorted(dict.fromkeys(_name_list(raw, spec.name)), key=lambda name: (name.casefold(), name))
    if not names:
        raise RecordError(EMPTY, f"the {spec.name} are empty; fill them in or remove the record")
    text = ", ".join(names)
    return FieldValue(TokenCodec.escape(text), text)


def _name_list(raw: object, name: str) -> list[str]:
    """Returns names given as a list, as a Python set or JSON list in text, or separated by semicolons."""
    if isinstance(raw, str):
        text = _text_of(raw, name)
        if text[0] in "{[":
            try:
                raw = ast.literal_eval(text) if text[0] == "{" else json.loads(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
                reason = f"the {name} are not a list of names; write {{'a', 'b'}} or a; b"
                raise RecordError(MALFORMED, reason, text=text) from error
        else:
            raw = text.split(";")
    if not isinstance(raw, (list, tuple, set)) or not all(isinstance(item, str) for item in raw):
        raise RecordError(MALFORMED, f"the {name} are not a list of names; write {{'a', 'b'}} or a; b", text=repr(raw))
    return [item.strip() for item in raw if item.strip()]


def _label(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text = _text_of(str(raw) if isinstance(raw, (bool, int, float)) else raw, spec.name)
    text = re.sub(r"\s+", " ", text)
    if not spec.labels:
        return FieldValue(TokenCodec.escape(text), text)
    for label, spellings in spec.labels.items():
        if text.casefold() in (label.casefold(), *(spelling.casefold() for spelling in spellings)):
            return FieldValue(TokenCodec.escape(label), label)
    reason = f"the {spec.name} must be one of {', '.join(spec.labels)}; correct it, or add it to the task's labels"
    raise RecordError(LABEL, reason, text=text)


KINDS: dict[str, Callable[[Field, object, FieldOptions], FieldValue]] = {
    "text": _text,
    "tagged": _tagged,
    "smiles": _smiles,
    "protein": _sequence,
    "dna": _sequence,
    "rna": _sequence,
    "names": _names,
    "label": _label,
}
SEQUENCE_KINDS = ("smiles", "protein", "dna", "rna")
