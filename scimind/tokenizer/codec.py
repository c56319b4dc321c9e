"""Converts text with molecules, proteins and nucleic acids to token ids and back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from scimind.errors import SciMindError, TokenError
from scimind.tokenizer import segmentation
from scimind.tokenizer.alphabet import (
    BRACKETS,
    EXTENSION_CHARACTERS,
    TAG_CHARACTERS,
    TAG_MODALITIES,
    added_tokens,
    modality_ranges,
    token_form,
)
from scimind.tokenizer.batch import BatchEncoding, encode_rows, pad_rows
from scimind.tokenizer.pieces import BOS_ID, EOS_ID, UNK_ID, TextPieces
from scimind.tokenizer.rendering import TokenText, join_parts
from scimind.tokenizer.storage import read_folder, write_folder
from scimind.tokenizer.tags import FORM_LENGTH, in_tag

BUILT_IN_MODEL = Path(__file__).with_name("scimind_small.model")


@dataclass(frozen=True)
class Encoding:
    """Token ids and the (start, stop) of each in characters of the text; (p, p) for a token that is not in the text."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class TokenCodec:
    r"""Converts text to ids and ids to text.

    Molecules, proteins and nucleic acids are written in tags: `<smiles>CCO</smiles>`, `<protein>MKV</protein>`,
    `<dna>ACGT</dna>`, `<rna>ACGU</rna>`; the published model's own form, `{|C|}{|C|}{|O|}`, gives the same ids. White
    space next to either is dropped. A backslash right before a tag or a form makes it plain text (`escape` adds these
    backslashes; see `segmentation`). `<s>` and `</s>` in a text are plain text too: only `bos` and `eos` give those
    tokens.

    Args:
        model_file: A SentencePiece model with Llama's conventions; None takes the small one that comes with the
            package.
        extension: Whether the SMILES characters missing from the published tokenizer get tokens; False for its
            checkpoints.

    Raises:
        SciMindError: The model file cannot be used.
    """

    bos_id, eos_id, unk_id, pad_id = BOS_ID, EOS_ID, UNK_ID, UNK_ID

    def __init__(self, model_file: str | Path | None = None, *, extension: bool = True) -> None:
        self.model_file = BUILT_IN_MODEL if model_file is None else Path(model_file)
        self.extension = extension
        self.pieces = TextPieces(self.model_file)
        tokens = list(enumerate(added_tokens(extension), self.pieces.size))
        self._tokens = {index: TokenText(modality, character) for index, (modality, character) in tokens}
        self._forms = {token_form(*token): index for index, token in tokens}
        self._form_characters = {
            opening: {character: index for index, (owner, character) in tokens if owner == modality}
            for modality, (opening, _) in BRACKETS.items()
        }
        self._tags = {
            tag: {
                character: index for index, (owner, character) in tokens if owner == modality and character in allowed
            }
            for (tag, modality), allowed in zip(TAG_MODALITIES.items(), TAG_CHARACTERS.values(), strict=True)
        }

    @property
    def base_size(self) -> int:
        """Number of SentencePiece tokens V0, which is the id of the first added token."""
        return self.pieces.size

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the added ones, without padding rows."""
        return self.pieces.size + len(self._tokens)

    def padded_vocab_size(self, multiple: int = 64) -> int:
        """Returns `vocab_size` rounded up to a multiple, the number of rows of an embedding that can be sharded."""
        if multiple < 1:
            raise SciMindError(f"multiple ({multiple}) must be at least 1")
        return -(-self.vocab_size // multiple) * multiple

    @property
    def modality_ranges(self) -> dict[str, list[list[int]]]:
        """Half-open id ranges [start, stop] of smiles, nucleotide and protein."""
        return modality_ranges(self.pieces.size, self.extension)

    def fingerprint(self) -> str:
        """Returns 12 hexadecimal digits that are equal for two codecs with the same ids."""
        tokens = "".join(self._forms)
        return hashlib.sha256(self.pieces.model + tokens.encode()).hexdigest()[:12]

    def encode(self, text: str, *, bos: bool = True, eos: bool = False) -> list[int]:
        """Returns the ids of `text`.

        Raises:
            TokenError: A character in a tag has no token, a tag is empty, not closed, not opened or contains another
                tag, or there is half a surrogate pair; the error has the character and its position in `text`.
        """
        ids = [BOS_ID] if bos else []
        for part in segmentation.segment(text, self._forms):
            if isinstance(part, segmentation.TextPiece):
                ids += self.pieces.encode(part.text, part.bounds)
            else:
                ids += self._encode_run(part)
        return [*ids, EOS_ID] if eos else ids

    def encode_with_offsets(self, text: str, *, bos: bool = True, eos: bool = False) -> Encoding:
        """Returns the ids of `text` and the (start, stop) in `text` that each of them represents.

        BOS spans (0, 0), EOS (n, n); the `▁` that SentencePiece puts before a piece is empty; each byte of a character
        that is missing from the vocabulary spans that character; a form such as `{|C|}` spans its five characters.
        Errors as for `encode`.
        """
        ids, offsets = ([BOS_ID], [(0, 0)]) if bos else ([], [])
        for part in segmentation.segment(text, self._forms):
            if isinstance(part, segmentation.TextPiece):
                found = self.pieces.encode(part.text, part.bounds)
                offsets += [(part.bounds[i], part.bounds[j]) for i, j in self.pieces.spans(part.text, found)]
            else:
                found = self._encode_run(part)
                width = 1 if part.tag else FORM_LENGTH
                starts = range(part.start, part.start + len(part.characters), width)
                offsets += [(start, start + width) for start in starts]
            ids += found
        if eos:
            ids.append(EOS_ID)
            offsets.append((len(text), len(text)))
        return Encoding(ids, offsets)

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        bos: bool = True,
        eos: bool = False,
        max_length: int | None = None,
        pad_to: int | None = None,
        side: Literal["right", "left"] = "right",
        workers: int = 1,
    ) -> BatchEncoding:
        """Returns the ids of several texts as one padded array.

        Args:
            texts: Any number of texts.
            bos: Whether each begins with BOS.
            eos: Whether each ends in EOS.
            max_length: Maximum number of ids of a text, which is cut at its end; None keeps all.
            pad_to: Number of columns s of the arrays; None takes the length of the longest text.
            side: The side on which rows are padded (with id 0).
            workers: Number of encoding processes; more than one only pays off for many thousands of texts.

        Raises:
            TokenError: As for `encode`.
            SciMindError: A length or `workers` is less than 1, a text is longer than `pad_to`, or the side is unknown.
        """
        if max_length is not None and max_length < 1:
            raise SciMindError(f"max_length ({max_length}) must be at least 1")
        rows = encode_rows(partial(self._encode_start, max_length, bos, eos), texts, workers)
        return pad_rows(rows, pad_id=self.pad_id, pad_to=pad_to, side=side)

    def decode(self, ids: Sequence[int], *, tags: bool = False, skip_special: bool = True) -> str:
        r"""Returns the text of `ids`, with a space between sequences and text, except before closing punctuation.

        With `tags`, the text encodes to the same ids if they came from `encode`: marks in plain text are escaped, and
        nucleotides are RNA if they have a U and no T, else DNA (with both letters in one run, the published form is
        used, `*|T|**|U|*`). Not preserved are a literal `▁` (U+2581), which SentencePiece treats as a space and which
        is therefore lost next to a sequence; and BOS, EOS and padding, which are options of `encode`. Ids generated by
        a model may also spell bytes that are not UTF-8, or text in other pieces than `encode` would choose.

        Args:
            ids: Token ids, each in [0, vocab_size).
            tags: Whether sequences are written in tags; otherwise they are plain text.
            skip_special: Whether BOS, EOS and padding are left out; otherwise they appear as `<s>`, `</s>`, `<unk>`.

        Raises:
            TokenError: An id is outside the vocabulary, such as one of a padding row or the label -100.
        """
        parts: list[str | TokenText] = []
        text_ids: list[int] = []

        def close_text() -> None:
            if text_ids:
                text = self.pieces.decode(text_ids)
                parts.append(segmentation.escape(text) if tags else text)
                text_ids.clear()

        for index in map(int, ids):
            if token := self._tokens.get(index):
                close_text()
                parts.append(token)
            elif index in (UNK_ID, BOS_ID, EOS_ID):
                close_text()
                parts.append(TokenText("special", "" if skip_special else self.pieces.piece(index)))
            elif 0 <= index < self.base_size:
                text_ids.append(index)
            else:
                raise TokenError(f"id ({index}) must be in [0, {self.vocab_size}); give ids of this vocabulary")
        close_text()
        return join_parts(parts, tags=tags)

    def token(self, index: int) -> str:
        """Returns the piece or the form of an id, such as `▁The` or `{|C|}`."""
        if not 0 <= index < self.vocab_size:
            raise TokenError(f"id ({index}) must be in [0, {self.vocab_size}); give ids of this vocabulary")
        token = self._tokens.get(index)
        return token_form(token.modality, token.character) if token else self.pieces.piece(index)

    def token_id(self, token: str) -> int:
        """Returns the id of a piece or a form, `unk_id` if there is none."""
        return self._forms.get(token) or self.pieces.find(token)

    @staticmethod
    def wrap(text: str, modality: str) -> str:
        """Returns a sequence in its tag, such as `<smiles>CCO</smiles>`.

        Args:
            text: The sequence, which is not checked until it is encoded.
            modality: "smiles", "protein", "dna" or "rna".

        Raises:
            SciMindError: The modality is unknown.
        """
        if modality not in TAG_MODALITIES:
            raise SciMindError(f"modality ({modality!r}) must be one of {', '.join(TAG_MODALITIES)}")
        return in_tag(text, modality)

    @staticmethod
    def escape(text: str) -> str:
        """Returns `text` with everything that looks like a tag or form escaped, so that it encodes as plain text."""
        return segmentation.escape(text)

    def save(self, folder: str | Path) -> None:
        """Writes `tokenizer.model` and `scimind_tokenizer.json` into `folder`, which is created if necessary.

        Raises:
            SciMindError: The folder cannot be written.
        """
        write_folder(Path(folder), self.pieces.model, extension=self.extension, base_size=self.base_size)

    @classmethod
    def load(cls, folder: str | Path) -> TokenCodec:
        """Returns the codec that `save` wrote into `folder`.

        Raises:
            SciMindError: A file is missing or was not written by `save`.
            CheckpointError: The model file is not the one that was saved.
        """
        model_file, extension = read_folder(Path(folder))
        return cls(model_file, extension=extension)

    def _encode_start(self, max_length: int | None, bos: bool, eos: bool, text: str) -> list[int]:
        """Returns the first `max_length` ids of a text."""
        return self.encode(text, bos=bos, eos=eos)[:max_length]

    def _encode_run(self, run: segmentation.TokenRun) -> list[int]:
        """Returns the ids of a run's characters."""
        if run.tag is None:
            opening = run.characters[: len(BRACKETS["smiles"][0])]
            characters = run.characters[len(opening) :: FORM_LENGTH]
            return list(map(self._form_characters[opening].__getitem__, characters))
        try:
            return list(map(self._tags[run.tag].__getitem__, run.characters))
        except KeyError as error:
            character = error.args[0]
            position = run.start + run.characters.index(character)
            reason = f"character {character!r} at position {position} has no token in <{run.tag}>"
            raise TokenError(f"{reason}; {_advice(run.tag, character)}", character, position) from error


def _advice(tag: str, character: str) -> str:
    """Returns what to do about a character without a token."""
    if character.isspace():
        return "remove the white space"
    if tag == "smiles" and character in EXTENSION_CHARACTERS:
        return "use a tokenizer with the extension, or write the molecule without this character"
    if tag in ("dna", "rna"):
        return f"<{tag}> may only contain {', '.join(TAG_CHARACTERS[tag])}"
    return "correct the sequence, or write it as text outside the tag"
