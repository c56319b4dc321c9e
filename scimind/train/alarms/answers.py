"""Whether something is wrong with answers: those of the training data, or those that an evaluation generated."""

from __future__ import annotations

from collections.abc import Sequence

from scimind.errors import excerpt
from scimind.tokenizer import TokenCodec

# More than these shares of answers that do not end are warned of: where the data or a setting is the cause, and where
# the model is. Small models repeat themselves without end in up to half of their greedy answers while all is well.
_MOST_CUT, _MOST_CUT_BY_MODEL = 0.5, 0.75


def alike_answers(codec: TokenCodec | None, answer: Sequence[int], number: int) -> str:
    """Returns the warning that all answers of the training data are the same.

    Args:
        codec: The tokenizer; None if the configuration names none.
        answer: Its tokens.
        number: Number of answers.
    """
    text = ""
    if codec is not None:
        shown = codec.decode([token for token in answer if token < codec.vocab_size], tags=True).strip()
        text = f", {excerpt(shown)!r}"
    return (
        f"all {number:,} answers of train_dataset are the same{text}, so the model can only learn to write that; check "
        "which column holds the answers, or prepare data with other answers too"
    )


def endless_answers(
    cut: float, *, step: int, is_late: bool, limit: int, allowed: int, longest: int, without_end: int, questions: int
) -> str | None:
    """Returns a warning if too many of the generated answers reached the length limit; None otherwise.

    Args:
        cut: Share of the answers that did.
        step: Step of the evaluation.
        is_late: Whether the model has been trained long enough to end its answers.
        limit: The limit in tokens.
        allowed: Maximum length of an answer in prediction, in tokens.
        longest: Length in tokens of the longest reference, with its end.
        without_end: Number of references that do not end with EOS.
        questions: Number of answers.
    """
    if cut <= _MOST_CUT:
        return None
    what = f"step {step}: {round(cut * questions)} of {questions} generated answers do not end within {limit} tokens"
    if 2 * without_end > questions:
        return (
            f"{what}, and {without_end} of the {questions} answers of eval_dataset have no end token either; prepare "
            "the data again with `scimind prepare`, which adds it"
        )
    if longest > allowed:
        return (
            f"{what}, and the answers of eval_dataset need up to {longest}; set generation.max_new_tokens to "
            f"{longest} or more"
        )
    if not is_late or cut <= _MOST_CUT_BY_MODEL:
        return None
    return f"{what}; train for more steps, or check that the answers of train_dataset are complete"
