"""How a run obtains and reads answers: generated or chosen, as plain text or in the form that the task asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimind.data.formats.text_files import read_text
from scimind.data.tasks.outputs import read_sequence
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.choices import Choices
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.tags import opening_tag


@dataclass(frozen=True)
class AnswerRules:
    """How a model's answers are obtained and read.

    Attributes:
        task: Reads the answers; None leaves them unchanged.
        choices: The answers from which the most likely one is taken; None if answers are generated.
    """

    task: Task | None = None
    choices: Choices | None = None

    def read(self, codec: TokenCodec, ids: Sequence[int]) -> str:
        """Returns the content of a generated answer: a bare molecule or sequence, comma-separated names, or its text.

        The tokens show what is a sequence: from a molecule among words, only the molecule is returned, never a word
        that could be read as one. An answer without the kind of content that the task asks for is returned unchanged.

        Args:
            codec: The tokenizer.
            ids: The answer's tokens, without EOS.
        """
        text = codec.decode(ids) if ids else ""
        if self.task is None:
            return text
        kind = self.task.output.kind
        if kind not in TAG_CHARACTERS:
            found = self.task.output.read(text)
            return ", ".join(found) if isinstance(found, list) else found or text.strip()
        return read_tagged(codec, ids, kind) or text.strip()


def read_tagged(codec: TokenCodec, ids: Sequence[int], kind: str) -> str | None:
    """Returns the first sequence of a kind among the tokens of an answer, None if there is none.

    Args:
        codec: The tokenizer.
        ids: The answer's tokens, without EOS.
        kind: `smiles`, `protein`, `dna` or `rna`.
    """
    tagged = codec.decode(ids, tags=True) if ids else ""
    # Tokens do not distinguish DNA from RNA if they contain neither T nor U.
    for tag in ("dna", "rna") if kind in ("dna", "rna") else (kind,):
        if opening_tag(tag) in tagged:
            return read_sequence(tagged, tag)
    return None


def read_rules(
    codec: TokenCodec, task: str | Path | Task | None, choices: str | Path | Sequence[str] | None = None
) -> AnswerRules:
    """Returns the rules for a task and for choices.

    Args:
        codec: The tokenizer.
        task: See `find_task`; None to read answers without a task.
        choices: The choices, or a file with one per line; None for the task's choices, if it has any.

    Raises:
        SciMindError: The task does not exist, the file is missing, empty or not UTF-8, or its choices are not distinct
            answers.
    """
    chosen_task = None if task is None else find_task(task)
    texts: tuple[str, ...] = ()
    if isinstance(choices, str | Path):
        texts = tuple(_lines(Path(choices)))
    elif choices is not None:
        texts = tuple(choices)
    elif chosen_task is not None and chosen_task.output.kind == "choice":
        texts = chosen_task.output.choices
    return AnswerRules(chosen_task, Choices.encode(codec, texts) if texts else None)


def _lines(path: Path) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        choice = line.strip()
        if choice in seen:
            raise DataError(f"choice {choice!r} is already on line {seen[choice]}; remove one of them", path, number)
        if choice:
            seen[choice] = number
            yield choice
