r"""Prompts: the text that the model reads, from a line of a text file or from a conversation, and its tokens.

In a line of text a literal `\n` stands for a line break, except between two tags, where it belongs to the molecule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.data.conversation import Round
from scimind.data.encode.rendering import encode_prompt, render_prompt
from scimind.data.formats.conversations import read_conversations
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.text_files import broken_byte, repair_backslashes
from scimind.errors import DataError, TokenError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.tags import BACKSLASH, DOUBLED_BACKSLASHES, UNESCAPED_TAGGED, may_hold_sequences

_SPECIAL = re.compile(rf"{UNESCAPED_TAGGED.pattern}|{DOUBLED_BACKSLASHES.pattern}|\\n")
_AROUND = 30  # characters shown on each side of a fault


@dataclass(frozen=True)
class Prompt:
    """One prompt of an input file.

    Attributes:
        id: The record's id, or its line number if the file does not give one.
        text: The prompt as the model reads it, earlier rounds included; empty for a blank line.
        line: Its line in the file, from 1.
        reference: The answer that the file gives, if any.
        rounds: Questions and answers from which `text` was rendered; empty if the file holds the rendered text.
        start: Where the file's text begins in the last question, or in `text` if there are no rounds; negative if
            white space before it was dropped.
    """

    id: str
    text: str
    line: int
    reference: str | None = None
    rounds: tuple[tuple[str, str | None], ...] = ()
    start: int = 0


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt with its tokens.

    Attributes:
        id: As in `Prompt`.
        text: As in `Prompt`.
        ids: Its tokens, starting with BOS; empty if the text is empty.
        reference: The answer that the file gives, if any, in the form of the model's answers.
    """

    id: str
    text: str
    ids: tuple[int, ...]
    reference: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Returns the part of the prompt's prediction row that is known before it is answered."""
        return {"id": self.id, "prompt": self.text} | ({} if self.reference is None else {"reference": self.reference})


def expand_line(line: str) -> str:
    r"""Returns a text line with each literal `\n` turned into a line break and doubled backslashes in molecules halved.

    Between two tags, and in the form of an added token, a backslash is never a line break.
    """

    def expand(match: re.Match[str]) -> str:
        if match[1]:
            return repair_backslashes(match[0])[0]
        return "\n" if match[0] == r"\n" else BACKSLASH

    return _SPECIAL.sub(expand, line)


def encode_prompts(codec: TokenCodec, prompts: Iterable[Prompt], source: str | Path) -> list[EncodedPrompt]:
    """Returns each prompt with its token ids; an empty prompt has no ids.

    Args:
        codec: The tokenizer.
        prompts: The prompts of one file.
        source: The file, for error messages.

    Raises:
        DataError: A molecule, protein or nucleic acid holds a character without a token, or a tag is not closed; the
            error names the file, the line and the position in the line, from 0.
    """
    return [
        EncodedPrompt(
            prompt.id,
            prompt.text,
            tuple(_encode(codec, prompt, source)) if prompt.text else (),
            None if prompt.reference is None else plain_reference(codec, prompt.reference),
        )
        for prompt in prompts
    ]


def plain_reference(codec: TokenCodec, reference: str) -> str:
    """Returns a reference in the form of the model's answers: molecules and other sequences as plain text.

    Args:
        codec: The tokenizer. A reference that it cannot encode stays unchanged.
        reference: The answer that the file gives.
    """
    if not may_hold_sequences(reference):
        return reference
    try:
        return codec.decode(codec.encode(reference, bos=False))
    except TokenError:
        return reference


def _encode(codec: TokenCodec, prompt: Prompt, source: str | Path) -> list[int]:
    """Returns the ids of one non-empty prompt."""
    try:
        return encode_prompt(codec, prompt.rounds) if prompt.rounds else codec.encode(prompt.text)
    except TokenError as error:
        if len(prompt.rounds) > 1:
            raise DataError(str(error), source, prompt.line) from error
        # The tokenizer counts in the question; the user counts in the file, where a line break is two characters.
        words, start = prompt.rounds[0][0] if prompt.rounds else prompt.text, max(prompt.start, 0)
        place = error.position - prompt.start + words.count("\n", start, max(error.position, start))
        reason = str(error).replace(f"position {error.position}", f"position {place}")
        around = words[max(start, error.position - _AROUND) : error.position + _AROUND]
        raise DataError(reason, source, prompt.line, around) from error


def line_prompt(line: str, number: int, path: Path) -> Prompt:
    """Returns the prompt of a text line: unchanged if it is already rendered, rendered if it is a question."""
    indent, line = indent_of(line), line.strip()
    if not line:
        return Prompt(str(number), "", number)
    if "[INST]" not in line:
        question = expand_line(line)
        return Prompt(str(number), render_prompt(question), number, rounds=((question, None),), start=-indent)
    if "[/INST]" not in line:
        raise DataError("has [INST] without [/INST]; end the question with ' [/INST]:'", path, number, line)
    # The renderer's leading space, which editors and shells tend to strip, is a separate token.
    space = " " if line.startswith("[INST]") else ""
    return Prompt(str(number), space + expand_line(line), number, start=len(space) - indent)


def indent_of(line: str) -> int:
    """Returns the number of white space characters that a line begins with."""
    return len(line) - len(line.lstrip())


def conversation_prompts(path: Path, notes: FileNotes | None = None) -> Iterator[Prompt]:
    """Yields each conversation's prompt: earlier rounds and the last question. A last answer is the reference."""
    for found in read_conversations(path, answered=False, notes=notes):
        if isinstance(found, DataError):
            raise found
        if (broken := broken_byte("".join(text or "" for pair in found.rounds for text in pair))) is not None:
            raise DataError(broken, path, found.line)
        *earlier, (question, reference) = found.rounds
        text = "".join(f"{render_prompt(asked)} {answer}</s>" for asked, answer in earlier) + render_prompt(question)
        rounds: Sequence[tuple[str, str | None]] = (*earlier, Round(question, None))
        yield Prompt(found.id, text, found.line or 1, reference, tuple(rounds))
