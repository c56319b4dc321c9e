"""The kinds of fields of a raw record, such as text, molecule or number, and how each is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scimind.data.content.labels import find_label, listed_names, several_labels, split_names
from scimind.data.content.missing import is_missing
from scimind.data.content.molecules import canonical_smiles, parse, without_maps
from scimind.data.content.notations import (
    bare_smiles,
    is_reaction,
    reaction_part,
    reaction_parts,
    with_tokens,
    without_map_numbers,
)
from scimind.data.content.numbers import NumberFormat
from scimind.data.content.selfies import molecule_text, with_smiles
from scimind.data.content.sequences import Wrapped, clean_sequence, wrap_text
from scimind.data.defects import EMPTY, LABEL, MALFORMED, NUMBER, RESOLVED, UNPARSABLE, Change, RecordError
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
        ambiguous: What is done with letters of sequences that stand for several: `drop` refuses them; see `resolve`.
    """

    molecules: str = "checked"
    randomised: int = 0
    detect: bool = False
    seed: int = 0
    scaffolds: bool = False
    ambiguous: str = "drop"


@dataclass(frozen=True)
class Field:
    """One field of a task.

    Args:
        name: Name of the field in the task's templates.
        kind: One of `KINDS`.
        columns: Possible names of its column in a table, in lower case.
        fallback: The column used if this is the only missing field.
        optional: Whether it may be missing or empty, which reads as its default.
        default: The value of an optional field that is missing or empty; empty text if there is none.
        part: For kinds `smiles` and `reaction`: which part of a reaction is taken, one of `REACTION_PARTS`; empty for
            the whole value. Numbers of mapped atoms are then removed, which would give away the other parts.
        fenced: For kind `tagged`: the tag of text between triple backticks.
        labels: For kind `label`: each label with its spellings in files; empty if the labels are not known.
        number: For kind `number`: how values are read and written.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    fallback: str = ""
    optional: bool = False
    default: str = ""
    part: str = ""
    fenced: str | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    number: NumberFormat = NumberFormat()


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
        changes: The other changes that were made to the raw value.
        entity: What must not be in two splits, if that is not `canonical`: a molecule without atom maps.
    """

    shown: str
    canonical: str
    tag: str = ""
    molecule: Any = None
    repairs: int = 0
    detected: tuple[Wrapped, ...] = ()
    readings: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    entity: str = ""


def readings_of(values: Iterable[FieldValue]) -> Counter[str]:
    """Returns the readings of all values together."""
    return sum((Counter(value.readings) for value in values), Counter())


def is_given(spec: Field, raw: object) -> bool:
    """Returns whether a raw value is present; a word for missing values counts if the field's labels list it."""
    return not is_missing(raw) or (isinstance(raw, str) and find_label(raw, spec.labels) is not None)


def read_field(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    """Returns the value of a raw field.

    Raises:
        RecordError: The value is empty, or not valid for its kind.
    """
    if is_given(spec, raw):
        return KINDS[spec.kind](spec, raw, options)
    if spec.optional:
        return KINDS[spec.kind](spec, spec.default, options) if spec.default else FieldValue("", "")
    word = raw.strip() if isinstance(raw, str) else ""
    state = f"is {word!r}, which counts as empty" if word else "is empty"
    raise RecordError(EMPTY, f"the {spec.name} {state}; fill it in or remove the record")


def _text_of(value: object, name: str) -> str:
    """Returns the text of a field, without surrounding white space.

    Raises:
        RecordError: The value is not text.
    """
    if isinstance(value, str):
        return value.strip()
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
    text, changes = bare_smiles(text)
    text, readings = _part_of(spec, text, readings)
    if is_reaction(text):
        reason = f"this is a reaction, not a molecule; give the field {spec.name} the kind reaction, or give a molecule"
        raise RecordError(UNPARSABLE, reason, text=text)
    text, respelled = with_tokens(text)
    changes += respelled
    # The tokenizer reports a character without a token, with its position.
    if options.molecules == "as-is" or text.strip(TAG_CHARACTERS["smiles"]):
        shown = TokenCodec.wrap(text, "smiles")
        return FieldValue(shown, text, "smiles", repairs=repairs, readings=readings, changes=changes)
    molecule = parse(text)
    canonical = canonical_smiles(molecule)
    shown = with_tokens(canonical)[0] if options.molecules == "canonical" else text
    return FieldValue(
        TokenCodec.wrap(shown, "smiles"),
        canonical,
        "smiles",
        molecule,
        repairs,
        readings=readings,
        changes=changes,
        entity=canonical_smiles(without_maps(molecule)) if ":" in canonical else canonical,
    )


def _reaction(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text, readings = molecule_text(_text_of(raw, spec.name))
    text, repairs = repair_backslashes(text)
    text, changes = bare_smiles(text)
    text, readings = _part_of(spec, text, readings)
    parts = []
    for part in reaction_parts(text):
        spelling, respelled = with_tokens(part)
        changes += respelled
        parts.append(spelling)
    text = ">".join(parts)
    if options.molecules == "as-is" or text.strip(TAG_CHARACTERS["smiles"]):
        shown = TokenCodec.wrap(text, "smiles")
        return FieldValue(shown, text, "smiles", repairs=repairs, readings=readings, changes=changes)
    molecules = [parse(part) if part else None for part in parts]
    canonical = ">".join("" if molecule is None else canonical_smiles(molecule) for molecule in molecules)
    entity = ">".join("" if molecule is None else canonical_smiles(without_maps(molecule)) for molecule in molecules)
    if options.molecules == "canonical":
        text = ">".join(with_tokens(part)[0] for part in reaction_parts(canonical))
    return FieldValue(
        TokenCodec.wrap(text, "smiles"),
        canonical,
        "smiles",
        repairs=repairs,
        readings=readings,
        changes=changes,
        entity=entity,
    )


def _part_of(spec: Field, text: str, readings: Mapping[str, int]) -> tuple[str, Mapping[str, int]]:
    """Returns the part of a reaction that a field takes, without numbers of mapped atoms, and the readings."""
    if not spec.part:
        return text, readings
    part = reaction_part(text, spec.part)
    bare = without_map_numbers(part)
    return bare, readings if bare == part else Counter(readings) + Counter({"numbers of mapped atoms removed": 1})


def _sequence(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    letters = _text_of(raw, spec.name)
    text, change = clean_sequence(spec.kind, letters, options.ambiguous, options.seed)
    changes = (Change(RESOLVED, change, letters),) if change else ()
    return FieldValue(TokenCodec.wrap(text, spec.kind), text, spec.kind, changes=changes)


def _names(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    try:
        names = listed_names(raw)
    except ValueError as error:
        reason = f"the {spec.name} are not a list of names; write {{'a', 'b'}} or a; b"
        raise RecordError(MALFORMED, reason, text=str(error)) from error
    if names is None:
        names = split_names(_text_of(raw, spec.name))
    names = sorted(dict.fromkeys(names), key=lambda name: (name.casefold(), name))
    if not names:
        raise RecordError(EMPTY, f"the {spec.name} are empty; fill them in or remove the record")
    text = ", ".join(names)
    return FieldValue(TokenCodec.escape(text), text)


def _label(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    text = " ".join((str(raw) if isinstance(raw, (bool, int, float)) else _one_label(spec, raw)).split())
    if not spec.labels:
        return FieldValue(TokenCodec.escape(text), text)
    if (label := find_label(text, spec.labels)) is not None:
        return FieldValue(TokenCodec.escape(label), label)
    reason = f"the {spec.name} must be one of {', '.join(spec.labels)}; correct it, or add it to the task's labels"
    raise RecordError(LABEL, reason, text=text)


def _one_label(spec: Field, raw: object) -> str:
    """Returns the text of a label.

    Raises:
        RecordError: There are several, or the value is not text.
    """
    try:
        labels = listed_names(raw)
    except ValueError:
        labels = None  # a label may begin with a bracket
    if labels is None:
        text = _text_of(raw, spec.name)
        labels = [] if find_label(text, spec.labels) is not None else several_labels(text, spec.labels)
        labels = labels or [text]
    if len(labels) == 1:
        return labels[0]
    if not labels:
        raise RecordError(EMPTY, f"the {spec.name} is empty; fill it in or remove the record")
    reason = f"the {spec.name} has {len(labels)} labels ({', '.join(labels)}), and a field of kind label takes one"
    remedy = "keep one, or define a task in which the field has the kind names"
    raise RecordError(LABEL, f"{reason}; {remedy}", text=str(raw))


def _number(spec: Field, raw: object, options: FieldOptions) -> FieldValue:
    try:
        text = spec.number.write(spec.number.read_cell(raw))
    except ValueError as error:
        raise RecordError(NUMBER, f"the {spec.name} cannot be used: {error}", text=str(raw)) from error
    return FieldValue(text, text)


KINDS: dict[str, Callable[[Field, object, FieldOptions], FieldValue]] = {
    "text": _text,
    "tagged": _tagged,
    "smiles": _smiles,
    "reaction": _reaction,
    "protein": _sequence,
    "dna": _sequence,
    "rna": _sequence,
    "names": _names,
    "label": _label,
    "number": _number,
}
# The kinds whose values are written in tags, with these tags.
TAG_OF_KIND = {"smiles": "smiles", "reaction": "smiles", "protein": "protein", "dna": "dna", "rna": "rna"}
