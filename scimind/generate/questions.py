"""What a run asks and how it reads the answers: the prompts of a file with their tokens, rules and search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimind.data.content.fields import FieldOptions
from scimind.data.formats.notes import FileNotes
from scimind.data.tasks.task import Task
from scimind.generate.answer_rules import AnswerRules, read_rules
from scimind.generate.answer_search import AnswerSearch
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import EncodedPrompt, Prompt, encode_prompts
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.rule import AnswerRule
from scimind.generate.wanted_answers import search_for, with_leads
from scimind.tokenizer import TokenCodec


@dataclass(frozen=True)
class Questions:
    """The prompts of a run, and what is wanted of their answers.

    Attributes:
        found: The prompts as they were read.
        prompts: The same with their tokens.
        rules: How answers are obtained and read.
        search: How answers are searched for; None if each is decoded token by token.
    """

    found: list[Prompt]
    prompts: list[EncodedPrompt]
    rules: AnswerRules
    search: AnswerSearch | None


def read_questions(
    path: str | Path,
    codec: TokenCodec,
    settings: GenerationSettings,
    task: str | Path | Task | None = None,
    *,
    choices: str | Path | Sequence[str] | None = None,
    options: FieldOptions | None = None,
    columns: Mapping[str, str] | None = None,
    notes: FileNotes | None = None,
    rule: AnswerRule | None = None,
) -> Questions:
    """Returns what a run asks; the arguments are those of `scimind.generate.predict.predict`.

    Raises:
        SciMindError: The file cannot be read, the task does not exist, or the settings do not fit it.
    """
    rules = read_rules(codec, task, choices)
    found = read_prompts(path, task, options, columns=columns, notes=notes)
    search = search_for(settings, codec, rules, rule, has_prefixes=any(prompt.prefix for prompt in found))
    return Questions(found, with_leads(encode_prompts(codec, found), codec, rules, search), rules, search)
