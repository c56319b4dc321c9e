"""Whole questions among the inputs of a task: prompts with their marks, and the text that the task asks with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scimind.data.content.fields import TAG_OF_KIND, Field
from scimind.data.tasks.task import Task
from scimind.tokenizer.alphabet import BRACKETS
from scimind.tokenizer.tags import FORM_RUNS, bare_characters, closing_tag, opening_tag, without_tag

_RENDERED = re.compile(r"\s*(?:<s>)?\s*\[INST\]:?(.*)\[/INST\]:?\s*", re.DOTALL)
# A value of each kind, for which the task's question is made; the text around it is the frame.
_VALUES = {"smiles": "C", "protein": "M", "dna": "A", "rna": "A", "text": "x", "tagged": "x", "names": "x"}
_FEWEST_WORDS = 3  # a shorter frame, such as a question mark, may also belong to the value


def is_rendered(text: str) -> bool:
    """Returns whether a text is a prompt with its marks, ` [INST]: … [/INST]:`."""
    return _RENDERED.fullmatch(text) is not None


def bare_value(text: str, spec: Field) -> str:
    """Returns a value as a file of values gives it: a sequence without its tag or the marks of added tokens."""
    text = text.strip()
    if spec.kind == "smiles" and text.startswith(BRACKETS["smiles"][0]):
        text = FORM_RUNS["smiles"].sub(lambda run: bare_characters(run[0]), text)
    return without_tag(text, spec.kind) if spec.kind in TAG_OF_KIND else text


@dataclass(frozen=True)
class QuestionFrame:
    """The text before and after the only value in a task's questions.

    Args:
        spec: The field of the value.
        before: The text before it, stripped, without its tag.
        after: The text after it, likewise.
    """

    spec: Field
    before: str
    after: str

    @classmethod
    def of(cls, task: Task) -> QuestionFrame | None:
        """Returns a task's frame; None if it asks with several fields, or with hardly more than the value."""
        if len(task.asked_fields) != 1 or task.asked_fields[0].kind not in _VALUES:
            return None
        spec = task.asked_fields[0]
        value = _VALUES[spec.kind]
        question, place = task.ask(**{spec.name: value}), task.place_of(spec.name)
        before = question[:place].removesuffix(opening_tag(spec.kind)).strip()
        after = question[place + len(value) :].removeprefix(closing_tag(spec.kind)).strip()
        return cls(spec, before, after) if len(f"{before} {after}".split()) >= _FEWEST_WORDS else None

    def value_in(self, text: str) -> str | None:
        """Returns the value in a whole question, with or without the marks of a prompt; None if it is another text."""
        rendered = _RENDERED.fullmatch(text)
        question = (rendered[1] if rendered else text).strip()
        if "[INST]" in question or not (question.startswith(self.before) and question.endswith(self.after)):
            return None
        return question[len(self.before) : len(question) - len(self.after)].strip() or None
