r"""Prompts: the text that the model reads, from a line of a text file or from a conversation, and its tokens.

In a line of text a literal `\n` stands for a line break, except between two tags, where it belongs to the molecule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scimind.data.content.conversations import read_conversations
from scimind.data.content.selfies import with_smiles
from scimind.data.conversation import Round
from scimind.data.encode.rendering import encode_prompt, render_prompt, with_system
from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.records import first_names
from scimind.data.formats.text_files import broken_byte, repair_backslashes
from scimind.errors import DataError, TokenError, excerpt
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.tags import (
    BACKSLASH,
    DOUBLED_BACKSLASHES,
    TAG_PATTERN,
    UNESCAPED_TAGGED,
    count_kept_marks,
    may_hold_sequences,
)

_SPECIAL = re.compile(rf"{UNESCAPED_TAGGED.pattern}|{DOUBLED_BACKSLASHES.pattern}|\\n")
_TAG = re.compile(TAG_PATTERN)
_IN_TAG = re.compile(rf" in {TAG_PATTERN}|, or write it as text outside the tag")
_AROUND = 30  # characters shown on each side of a fault
PREFIX = "prompt_answer_prefix"  # the column of what an answer must begin with
EMPTY_PROMPT = "the prompt is empty"


@dataclass(frozen=True)
class Prompt:
    """One prompt of an input file.

    Attributes:
        id: The record's id, or its line number if the file does not give one.
        text: The prompt as the model reads it, earlier rounds included; empty for a blank line, or if the file's record
            cannot be read.
        line: Its line in the file, from 1.
        reference: The answer that the file gives, if any.
        rounds: Questions and answers from which `text` was rendered; empty if the file holds the rendered text.
        start: Where the file's text begins in the last question, or in `text` if there are no rounds; negative if
            white space before it was dropped; None if it holds several values of a record.
        fault: Why the record cannot be asked, with its line; empty if it can.
        warning: What is doubtful about the record, which is asked nevertheless.
        is_whole: Whether the file holds the whole question instead of the task's input.
        readings: How often something was read differently from how it is written, by what was done.
        prefix: What its answer must begin with.
    """

    id: str
    text: str
    line: int
    reference: str | None = None
    rounds: tuple[tuple[str, str | None], ...] = ()
    start: int | None = 0
    fault: str = ""
    warning: str = ""
    is_whole: bool = False
    readings: Mapping[str, int] = field(default_factory=dict)
    prefix: str = ""

    def faulty(self, error: DataError) -> Prompt:
        """Returns the prompt with an error in its record as its fault."""
        found = f": {excerpt(error.text)!r}" if error.text else ""
        return replace(self, fault=f"line {self.line}: {error.reason}{found}")


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt with its tokens.

    Attributes:
        id: As in `Prompt`.
        text: As in `Prompt`.
        ids: Its tokens, starting with BOS; empty if it cannot be asked.
        reference: The answer that the file gives, if any, in the form of the model's answers.
        line: As in `Prompt`.
        fault: Why it cannot be asked, with its line; empty if it can.
        warning: As in `Prompt`.
        prefix: As in `Prompt`.
        lead: The tokens of `prefix`.
    """

    id: str
    text: str
    ids: tuple[int, ...]
    reference: str | None = None
    line: int = 1
    fault: str = ""
    warning: str = ""
    prefix: str = ""
    lead: tuple[int, ...] = ()

    def as_row(self) -> dict[str, Any]:
        """Returns the part of the prompt's prediction row that is known before it is answered."""
        more = {PREFIX: self.prefix or None, "reference": self.reference}
        return {"id": self.id, "prompt": self.text} | {name: text for name, text in more.items() if text is not None}


def expand_line(line: str) -> str:
    r"""Returns a text line with each literal `\n` turned into a line break and doubled backslashes in molecules halved.

    Between two tags, and in the form of an added token, a backslash is never a line break.
    """

    def expand(match: re.Match[str]) -> str:
        if match[1]:
            return repair_backslashes(match[0])[0]
        return "\n" if match[0] == r"\n" else BACKSLASH

    return _SPECIAL.sub(expand, line)


def encode_prompts(codec: TokenCodec, prompts: Iterable[Prompt]) -> list[EncodedPrompt]:
    """Returns each prompt with its token ids; one that cannot be encoded has none, and the reason as its fault.

    A fault names the line, and the position in the line or in the value of a table, from 0: a character without a token
    in a molecule, protein or nucleic acid, or a tag that is not closed.

    Args:
        codec: The tokenizer.
        prompts: The prompts of one file.
    """
    encoded = []
    for prompt in prompts:
        ids: list[int] = []
        if not prompt.fault:
            try:
                ids = _encode(codec, prompt)
            except DataError as error:
                prompt = prompt.faulty(error)
        reference = None if prompt.reference is None else plain_reference(codec, prompt.reference)
        encoded.append(
            EncodedPrompt(
                prompt.id, prompt.text, tuple(ids), reference, prompt.line, prompt.fault, prompt.warning, prompt.prefix
            )
        )
    return encoded


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


def _encode(codec: TokenCodec, prompt: Prompt) -> list[int]:
    """Returns the ids of a prompt.

    Raises:
        DataError: The prompt has no ids; the position is that in the file, and the excerpt shows only what is there.
    """
    try:
        return encode_prompt(codec, prompt.rounds) if prompt.rounds else codec.encode(prompt.text)
    except TokenError as error:
        if len(prompt.rounds) > 1:
            raise DataError(str(error)) from error
        # The tokenizer counts in the question; the user counts in the file, where a line break is two characters.
        words, at = prompt.rounds[0][0] if prompt.rounds else prompt.text, error.position
        before = max((tag.end() for tag in _TAG.finditer(words, 0, at)), default=0)
        after = next((tag.start() for tag in _TAG.finditer(words, at + 1)), len(words))
        origin = before if prompt.start is None else prompt.start
        start = max(origin, 0)
        place = at - origin + words.count("\n", start, max(at, start))
        reason = str(error).replace(f"position {at}", f"position {place}")
        if prompt.rounds and (prompt.start is None or prompt.start > 0):  # the tag is the task's, not the file's
            reason = _IN_TAG.sub("", reason)
        raise DataError(reason, text=words[max(start, before, at - _AROUND) : min(after, at + _AROUND)]) from error


def line_prompt(line: str, number: int) -> Prompt:
    """Returns the prompt of a text line: unchanged if it is already rendered, rendered if it is a question.

    The tags of other projects become ours, and a question that is SELFIES a molecule; see `with_smiles`.
    """
    indent, line = indent_of(line), line.strip()
    blank = Prompt(str(number), "", number)
    if not line:
        return replace(blank, fault=EMPTY_PROMPT)
    if broken := broken_byte(line):
        return blank.faulty(DataError(broken))
    readings: Counter[str] = Counter()
    try:
        line = with_smiles(line, readings)
    except DataError as error:
        return blank.faulty(error)
    count_kept_marks(line, readings)
    blank = replace(blank, readings=readings)
    if "[INST]" not in line:
        question = expand_line(line)
        return replace(blank, text=render_prompt(question), rounds=((question, None),), start=-indent)
    if "[/INST]" not in line:
        return blank.faulty(DataError("has [INST] without [/INST]; end the question with ' [/INST]:'", text=line))
    # Encoding adds BOS. The renderer's leading space, which editors and shells tend to strip, is a separate token.
    bare = line.removeprefix("<s>").lstrip()
    space = " " if bare.startswith("[INST]") else ""
    start = len(space) - indent - (len(line) - len(bare))
    return replace(blank, text=space + expand_line(bare), start=start, is_whole=True)


def indent_of(line: str) -> int:
    """Returns the number of white space characters that a line begins with."""
    return len(line) - len(line.lstrip())


def conversation_prompts(path: Path, notes: FileNotes | None = None) -> Iterator[Prompt]:
    """Yields each conversation's prompt: system text, earlier rounds, last question. A last answer is the reference.

    Raises:
        DataError: The file is malformed as a whole, or says what answers begin with, which only tables do.
    """
    if PREFIX in first_names(path, Columns({})):
        raise DataError(f"{PREFIX} is a column of tables, not a key of conversations; use --prefix or a table", path)
    talks = read_conversations(path, answered=False, notes=FileNotes() if notes is None else notes)
    for number, found in enumerate(talks, start=1):
        if isinstance(found, DataError):
            yield Prompt(f"{path.stem}-{number}", "", found.line or 1).faulty(found)
            continue
        texts = [found.system, *(text or "" for pair in found.rounds for text in pair)]
        if broken := broken_byte("".join(texts)):
            yield Prompt(found.id, "", found.line or 1).faulty(DataError(broken))
            continue
        (first, answer), *later = found.rounds
        *earlier, (question, reference) = (Round(with_system(first, found.system), answer), *later)
        text = "".join(f"{render_prompt(asked)} {answer}</s>" for asked, answer in earlier) + render_prompt(question)
        rounds: Sequence[tuple[str, str | None]] = (*earlier, Round(question, None))
        yield Prompt(found.id, text, found.line or 1, reference, tuple(rounds), readings=found.readings)
