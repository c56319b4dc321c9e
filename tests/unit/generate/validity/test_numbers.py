"""The rule of numbers, against all short texts, and with the tokens of the tokenizer."""

from __future__ import annotations

import re
from itertools import product

import pytest

from scimind.generate.validity.numbers import NumberRule, number_texts
from scimind.generate.validity.tokens import SequenceTokens
from scimind.tokenizer import TokenCodec

CHARACTERS = " -.012"


def is_number(text: str, digits: int) -> bool:
    """Returns whether a text is what Python writes for some number with these decimals."""
    plain = text.removeprefix(" ")
    return re.fullmatch(r"[-.0-9]+", plain) is not None and _written(plain, digits) == plain


def _written(text: str, digits: int) -> str | None:
    try:
        value = round(float(text), digits)
    except ValueError:
        return None
    return f"{value + 0.0:.{digits}f}"


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_the_rule_accepts_what_python_writes_and_their_beginnings(digits):
    rule = NumberRule(digits)
    texts = ["".join(letters) for length in range(1, 7) for letters in product(CHARACTERS, repeat=length)]
    whole = {text for text in texts if is_number(text, digits)}
    assert {text for text in texts if rule.accepts(text)} == whole
    begun = {text[:end] for text in whole for end in range(len(text) + 1)}
    assert all(rule.accepts_prefix(text) for text in begun)
    short = [text for text in texts if len(text) < 3]
    assert {text for text in short if rule.accepts_prefix(text)} == {text for text in short if text in begun}


def test_the_comparison_notices_another_number_of_decimals():
    assert not NumberRule(1).accepts("4.94")
    assert is_number("4.94", 2) and not is_number("4.94", 1)


@pytest.mark.parametrize("text", ["", " ", "-", "4", " -0", "-0.", "-0.0", "12.3", "0.00"])
@pytest.mark.parametrize("digits", [0, 2])
def test_endings_are_the_shortest(text, digits):
    rule = NumberRule(digits)
    if not rule.accepts_prefix(text):
        return
    missing = rule.shortest_end(text)
    assert not list(rule.closings(text, missing - 1))
    [ending] = rule.closings(text, missing)
    assert len(ending) == missing
    assert rule.accepts(text + ending)


def test_the_tokens_of_training_answers_are_accepted():
    codec = TokenCodec()
    rule = SequenceTokens(NumberRule(2), number_texts(codec))
    for answer in ("4.94", "-0.05", "120.00", "0.00"):
        state = rule.start()
        for token in codec.encode(answer, bos=False):
            state = rule.extend(state, token)
        assert state is not None and rule.accepts(state)
        assert rule.key(state) == answer
    spelled = {codec.decode([token]) for token in rule.tokens}
    assert all(not text.strip("-.0123456789 ") for text in spelled)
