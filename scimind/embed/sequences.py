"""Sequences to embed: checked as `scimind prepare` checks them, and turned into token ids."""

from __future__ import annotations

from dataclasses import dataclass

from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.content.molecules import parse
from scimind.data.defects import RecordError
from scimind.errors import DataError, SciMindError, TokenError, excerpt
from scimind.generate.validity.molecule_state import MoleculeState
from scimind.generate.validity.molecules import MoleculeRule
from scimind.tokenizer import TokenCodec

MODALITIES = ("smiles", "protein", "dna", "rna", "text")
POOLINGS = ("mean", "last")


@dataclass(frozen=True)
class EmbeddingSettings:
    """What is embedded, and how.

    Args:
        modality: What the sequences are, one of `MODALITIES`.
        pooling: `mean` of all tokens of a sequence, or its `last` token, which has read all others.
        layer: Whose output is pooled: 0 for the embeddings, n for the n-th layer, negative to count from the end.
        molecules: `checked` refuses molecules that RDKit cannot parse, `as-is` does not.
        ambiguous: What is done with letters that stand for several; see `FieldOptions`.
        batch_size: Most rows of a batch, at least 1.

    Raises:
        SciMindError: A setting is not one of these.
    """

    modality: str = "smiles"
    pooling: str = "mean"
    layer: int = -1
    molecules: str = "checked"
    ambiguous: str = "drop"
    batch_size: int = 64

    def __post_init__(self) -> None:
        choices = (("modality", MODALITIES), ("pooling", POOLINGS), ("molecules", ("checked", "as-is", "canonical")))
        for name, known in choices:
            value = getattr(self, name)
            if value not in known:
                raise SciMindError(f"{name} ({value!r}) must be one of {', '.join(known)}")
        if self.batch_size < 1:
            raise SciMindError(f"batch_size ({self.batch_size}) must be at least 1")


def sequence_ids(codec: TokenCodec, sequence: object, settings: EmbeddingSettings, max_length: int) -> list[int]:
    """Returns the token ids of a sequence, BOS first.

    Raises:
        DataError: It is empty, not of the modality, or longer than the model's context; a character without a token,
            or where a SMILES goes wrong, is named with its position, from 0.
    """
    name = "molecule" if settings.modality == "smiles" else settings.modality
    options = FieldOptions(molecules=settings.molecules, ambiguous=settings.ambiguous)
    try:
        shown = read_field(Field(name, settings.modality, ()), sequence, options).shown
        ids = codec.encode(shown)
    except RecordError as error:
        place = _fault_of(error.text) if settings.modality == "smiles" else ""
        raise DataError(error.reason + place, text=error.text) from error
    except TokenError as error:
        raise DataError(str(error), text=str(sequence)) from error
    if len(ids) > max_length:
        raise DataError(
            f"has {len(ids)} tokens, and the model's seq_length is {max_length}; shorten it",
            text=excerpt(str(sequence)),
        )
    return ids


def _fault_of(smiles: str) -> str:
    """Returns where a SMILES that RDKit cannot parse goes wrong; empty if that is not known."""
    try:
        parse(smiles)
    except RecordError:
        rule, state = MoleculeRule(), MoleculeState()
        for position, character in enumerate(smiles):
            longer = rule.extend(state, character)
            if longer is None:
                return f"; position {position} ({character!r}) does not fit"
            state = longer
        return "; it ends too early"
    return ""
