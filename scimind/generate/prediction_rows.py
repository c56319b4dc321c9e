"""The rows of a prediction file: what is reported of each prompt's answer, or of its several answers."""

from __future__ import annotations

from typing import Any

from scimind.generate.answer_rules import AnswerRules
from scimind.generate.answer_search import Searched
from scimind.generate.batch import Generated
from scimind.generate.choices import Choices, Ranked
from scimind.generate.prompts import EncodedPrompt
from scimind.generate.search.model import Found
from scimind.generate.validity.molecules import canonical_text
from scimind.tokenizer import TokenCodec


def prediction_row(
    prompt: EncodedPrompt, answer: Generated | Ranked | Searched, codec: TokenCodec, rules: AnswerRules
) -> dict[str, Any]:
    """Returns the prediction row of one answer, with its keys in reading order.

    Args:
        prompt: The prompt.
        answer: The model's answer to it.
        codec: The tokenizer.
        rules: How the answer was obtained and is read.
    """
    row: dict[str, Any] = {"id": prompt.id, "prompt": prompt.text}
    if isinstance(answer, Searched):
        row |= _searched(answer, codec, rules)
    else:
        row |= _chosen(answer, rules.choices) if isinstance(answer, Ranked) else _generated(answer, codec, rules)
    row["prompt_tokens"] = len(prompt.ids)
    row["output_tokens"] = row.pop("output_tokens")
    row |= {name: text for name, text in prompt.as_row().items() if name not in row}
    if prompt.fault or answer.message:
        row["message"] = prompt.fault or answer.message
    if prompt.warning:
        row["warning"] = prompt.warning
    return row


def _generated(answer: Generated, codec: TokenCodec, rules: AnswerRules) -> dict[str, Any]:
    text = codec.decode(answer.ids) if answer.ids else ""
    output = rules.read(codec, answer.ids)
    row: dict[str, Any] = {"output": output}
    if output != text.strip() and rules.task is not None:
        row["text"] = text  # what the model wrote around it
    return row | {"finish_reason": answer.finish_reason, "output_tokens": len(answer.ids)}


def _searched(answer: Searched, codec: TokenCodec, rules: AnswerRules) -> dict[str, Any]:
    """Returns the keys of the best answer, and of all of them if several were asked for."""
    answers = answer.answers
    described = [_found(found, codec, rules) for found in answers.found]
    if not described:
        return {"output": "", "finish_reason": "error" if answer.is_fault else "none", "output_tokens": 0}
    row = dict(described[0])
    if answer.number > 1:
        votes = [round(answers.votes[found.key], 4) for found in answers.found]
        row["outputs"] = [one | {"log_votes": share} for one, share in zip(described, votes, strict=True)]
    if answers.fallen or answers.distinct > len(described):
        row["candidates"] = {"made": answers.made, "distinct": answers.distinct, "unmet": dict(answers.fallen)}
    return row


def _found(found: Found, codec: TokenCodec, rules: AnswerRules) -> dict[str, Any]:
    row = _generated(Generated(list(found.ids), found.finish_reason), codec, rules)
    row["log_likelihood"] = round(found.log_likelihood, 4)
    if rules.task is not None and rules.task.output.kind == "smiles":
        row["canonical"] = canonical_text(row["output"])
    return row


def _chosen(answer: Ranked, choices: Choices | None) -> dict[str, Any]:
    if answer.message or choices is None:
        return {"output": "", "finish_reason": "error", "output_tokens": 0}
    return {
        "output": choices.texts[answer.best],
        "probabilities": dict(zip(choices.texts, answer.probabilities, strict=True)),
        "log_likelihoods": dict(zip(choices.texts, answer.log_likelihoods, strict=True)),
        "finish_reason": "choice",
        "output_tokens": len(choices.ids[answer.best]) - 1,
    }
