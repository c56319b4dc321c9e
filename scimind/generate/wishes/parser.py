"""From a text to the tree of its conditions, by recursive descent.

conditions = conjunction {"or" conjunction}
conjunction = negation {"and" negation}
negation = "not" negation | comparison
comparison = sum {("<" | "<=" | ">" | ">=" | "==" | "!=") sum} | sum ["not"] "in" "(" sum {"," sum} [","] ")"
sum = product {("+" | "-") product}
product = signed {("*" | "/") signed}
signed = ("-" | "+") signed | unit
unit = number | text | name | function "(" text ")" | "(" conditions ")"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from scimind.config.schema import show
from scimind.errors import ConfigError
from scimind.generate.wishes import checks
from scimind.generate.wishes.expressions import COMPARISONS, Expression
from scimind.generate.wishes.measures import FUNCTIONS, USAGE, Kind, named_measures
from scimind.generate.wishes.suggestions import unexpected, unknown
from scimind.generate.wishes.words import Word, fault, words

# A level takes about eight of Python's calls, of which it allows 1,000.
_DEEPEST = 30


def parse(text: str, wanted: Kind = Kind.CONDITION) -> Expression:
    """Returns the tree of a text.

    Args:
        text: The text, of a bounded length.
        wanted: Whether it must be a condition or a number.

    Raises:
        ConfigError: The text does not follow the grammar, a name is unknown, types do not fit, or RDKit cannot read a
            SMARTS or SMILES. The message names the column.
    """
    parser = _Parser(words(text))
    result = parser.conditions()
    parser.expect_end()
    if wanted is Kind.CONDITION:
        checks.require_condition(result)
    else:
        checks.require_number(result)
    return result


class _Parser:
    def __init__(self, parsed: Iterable[Word]) -> None:
        self._rest = iter(parsed)
        self._word = next(self._rest)
        self._depth = 0

    def conditions(self) -> Expression:
        return checks.junction(self._separated(self._conjunction, "or"), "or")

    def expect_end(self) -> None:
        if self._word.kind != "end":
            raise self._unexpected("an operator")

    def _conjunction(self) -> Expression:
        return checks.junction(self._separated(self._negation, "and"), "and")

    def _separated(self, part: Callable[[], Expression], mark: str) -> list[Expression]:
        parts = [part()]
        while self._take(mark):
            parts.append(part())
        return parts

    def _negation(self) -> Expression:
        sign = self._take("not")
        if sign is None:
            return self._comparison()
        with self._nested(sign):
            return checks.opposite(sign, self._negation())

    def _comparison(self) -> Expression:
        parts, signs = [self._sum()], []
        while sign := self._take(*COMPARISONS):
            signs.append(sign)
            parts.append(self._sum())
        if signs:
            return checks.comparison(parts, signs)
        denial = self._take("not")
        if self._take("in"):
            return checks.membership(parts[0], self._options(), is_denied=denial is not None)
        if denial:
            raise self._unexpected("in", "after a value, not can only be followed by in")
        return parts[0]

    def _options(self) -> list[Expression]:
        if not self._take("("):
            raise self._unexpected("(", "write several values in parentheses, as in RingCount in (1, 2)")
        options = [self._sum()]
        while self._take(",") and self._word.text != ")":
            options.append(self._sum())
        self._close()
        return options

    def _sum(self) -> Expression:
        return self._arithmetic(self._product, "+", "-")

    def _product(self) -> Expression:
        return self._arithmetic(self._signed, "*", "/")

    def _arithmetic(self, part: Callable[[], Expression], *signs: str) -> Expression:
        parts, taken = [part()], []
        while sign := self._take(*signs):
            taken.append(sign.text)
            parts.append(part())
        return checks.arithmetic(parts, taken)

    def _signed(self) -> Expression:
        sign = self._take("-", "+")
        if sign is None:
            return self._unit()
        with self._nested(sign):
            part = self._signed()
        return checks.signed(sign, part)

    def _unit(self) -> Expression:
        word = self._word
        if word.kind == "name":
            return self._named(self._next())
        if word.kind == "number":
            return checks.number(self._next())
        if word.kind == "text":
            return checks.text(self._next())
        if bracket := self._take("("):
            with self._nested(bracket):
                inner = self.conditions()
            self._close()
            return inner
        raise self._unexpected("a name, a number or a parenthesis")

    def _named(self, word: Word) -> Expression:
        measures = named_measures()
        if self._word.kind == "text":
            raise fault(word.start, f"found {show(word.text)} before a quote; remove it, since texts have no prefixes")
        is_call = self._word.text == "("
        if word.text in FUNCTIONS:
            if not is_call:
                raise fault(word.start, f"{word.text} needs a text in quotes; write {USAGE[word.text]}")
            return self._call(word)
        if word.text not in measures:
            raise unknown(word, is_call)
        if is_call:
            raise fault(self._word.start, f"{word.text} is not a function; write it without parentheses")
        return checks.reading(word, measures[word.text])

    def _call(self, function: Word) -> Expression:
        self._next()
        if self._word.kind != "text":
            raise self._unexpected("a text in quotes", f"write {USAGE[function.text]}")
        argument = self._next()
        if not self._take(")"):
            raise self._unexpected(")", f"write {USAGE[function.text]}, with a single text")
        return checks.reading(function, FUNCTIONS[function.text](argument.text[1:-1], argument.start + 1))

    def _next(self) -> Word:
        word = self._word
        self._word = next(self._rest, word)
        return word

    def _take(self, *texts: str) -> Word | None:
        """Returns the next word and moves on if it is one of some signs or reserved words."""
        return self._next() if self._word.kind in ("sign", "reserved") and self._word.text in texts else None

    def _close(self) -> None:
        if not self._take(")"):
            raise self._unexpected(")")

    @contextmanager
    def _nested(self, word: Word) -> Iterator[None]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise fault(word.start, f"more than {_DEEPEST} levels of parentheses and signs; write it more simply")
        yield
        self._depth -= 1

    def _unexpected(self, wanted: str, remedy: str = "") -> ConfigError:
        return unexpected(self._word, wanted, remedy)
