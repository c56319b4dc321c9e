"""Searches for the answers to a batch of prompts: what generation settings and a rule mean for each prompt."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scimind.errors import ConfigError
from scimind.generate.decoders.protocols import Decoder, GreedyDecoder, LoadingDecoder
from scimind.generate.loop import prompt_fault
from scimind.generate.sampling import prompt_generator, sample
from scimind.generate.search.answers import Answers, Plan, Ranking, search_answers
from scimind.generate.search.beam import BeamSettings
from scimind.generate.search.model import NotFinite, Prefix, Problem
from scimind.generate.search.rejection import Draw
from scimind.generate.search_batch import SearchBatch, rows_for
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.tokens import AnyTokens, TokenRule

_ROWS = 128  # rows up to which every prompt of a batch gets all that it needs: many rows cost little more than a few
_MORE_AT_A_TIME = 8  # samples for each prompt that are drawn together until enough fulfil the conditions


@dataclass(frozen=True)
class Searched:
    """The answers to one prompt.

    Attributes:
        answers: The answers, the best first; those of a prompt that cannot be answered are empty.
        message: Why there is none; empty if there is one.
        is_fault: Whether there is none because something is wrong, and not because the conditions fit none.
        number: How many were asked for.
    """

    answers: Answers
    message: str = ""
    is_fault: bool = False
    number: int = 1


@dataclass(frozen=True)
class AnswerSearch:
    """How the answers to prompts are searched for.

    Attributes:
        settings: The settings.
        rule: What an answer may be; None if anything.
        eos_id: The token that ends an answer.
        vocab_size: Number of real tokens.
        pad_id: Padding, which is never generated; None if every token may be generated.
        key: What is equal for answers without a rule that mean the same; the ids by default.
        unmet: Returns the conditions that an answer does not fulfil, by its key; None if there are none.
        rank_by: See `Plan`.
        lead: The first tokens of answers to prompts that have no others.
    """

    settings: GenerationSettings
    rule: TokenRule | None
    eos_id: int
    vocab_size: int
    pad_id: int | None = None
    key: Callable[[Prefix], Hashable] = tuple
    unmet: Callable[[Hashable], Sequence[str]] | None = None
    rank_by: Ranking | Callable[[Hashable], float] = "likelihood"
    lead: Prefix = ()

    def __post_init__(self) -> None:
        """Checks that the settings allow a search."""
        if self.settings.repetition_penalty != 1.0:
            raise ConfigError(
                f"repetition_penalty ({self.settings.repetition_penalty}) acts only on a single answer without a rule; "
                "set valid to none and num_return_sequences to 1, or leave the penalty out"
            )

    @property
    def width(self) -> int:
        """Rows of the decoder for each prompt."""
        most = max(self.settings.beams, self.settings.samples)
        return most if self.unmet is None else max(most, _MORE_AT_A_TIME)

    def prompts_of_a_batch(self, decoder: Decoder) -> int:
        """Returns how many prompts are searched together.

        Raises:
            ConfigError: The decoder has fewer rows than one prompt needs.
        """
        rows, width = self.settings.batch_size, self.width
        if isinstance(decoder, LoadingDecoder):
            rows = max(rows, min(rows * width, _ROWS))
        if width > rows and not isinstance(decoder, GreedyDecoder):
            raise ConfigError(
                f"batch_size ({rows}) must be at least the {width} beams or samples of a prompt; raise it"
            )
        return max(1, rows // width)

    def answer(
        self,
        decoder: Decoder,
        prompts: Sequence[Sequence[int]],
        *,
        numbers: Sequence[int],
        leads: Sequence[Prefix],
        rows: int,
        on_step: Callable[[int], None] | None = None,
        on_end: Callable[[int], None] | None = None,
    ) -> list[Searched]:
        """Returns the answers to each prompt.

        Args:
            decoder: The model.
            prompts: Tokens of each prompt. One that is empty or too long gets a message; the others are answered.
            numbers: Number of each prompt's random stream.
            leads: The first tokens of each prompt's answers; empty for `lead`.
            rows: Number of prompts in a batch.
            on_step: Called from time to time with the number of tokens that were read.
            on_end: Called from time to time with the number of prompts that were answered.
        """
        searched = [_fault(prompt_fault(len(prompt), decoder.max_length)) for prompt in prompts]
        live = [index for index, one in enumerate(searched) if not one.message]
        if on_end is not None and len(live) < len(prompts):
            on_end(len(prompts) - len(live))
        if not live:
            return searched
        found = self._found(decoder, prompts, live, numbers, leads, rows, on_step, on_end)
        for index, answers in zip(live, found, strict=True):
            searched[index] = (
                _fault(str(answers)) if isinstance(answers, NotFinite) else self._judged(answers, leads[index])
            )
        return searched

    def _found(
        self,
        decoder: Decoder,
        prompts: Sequence[Sequence[int]],
        live: Sequence[int],
        numbers: Sequence[int],
        leads: Sequence[Prefix],
        rows: int,
        on_step: Callable[[int], None] | None,
        on_end: Callable[[int], None] | None,
    ) -> list[Answers | NotFinite]:
        """Returns the answers to the prompts with these indices; for the others, see `answer`."""
        found: dict[int, Answers | NotFinite] = {index: Answers() for index in live}
        for place, (rule, width, changes) in enumerate(self._passes()):
            empty = [
                index for index, one in found.items() if isinstance(one, Answers) and not (one.found or one.fallen)
            ]
            if not empty:
                break
            searches = []
            for index in empty:
                limit = min(self.settings.longest_answer, decoder.max_length - len(prompts[index]))
                plan = replace(self._plan(numbers[index]), **changes)
                searches.append(search_answers(self._problem(rule, limit, leads[index]), plan))
            batch = SearchBatch(
                decoder,
                width=width,
                vocab_size=self.vocab_size,
                tokens=None if rule is None else rule.tokens,
                eos_id=self.eos_id,
                never=() if self.pad_id is None else (self.pad_id,),
            )
            size = self.settings.batch_size
            found |= zip(
                empty,
                batch.run(
                    [prompts[index] for index in empty],
                    searches,
                    rows if place == 0 else rows_for(min(len(empty), size), size),
                    on_step=on_step,
                    on_end=on_end if place == 0 else None,
                ),
                strict=True,
            )
        return list(found.values())

    def _passes(self) -> list[tuple[TokenRule | None, int, dict[str, Any]]]:
        """Returns the rule, the width and what changes in the plan of each pass, of which later ones are for the rest.

        Prompts without an accepted beam or sample are searched greedily together, since a search with one row would
        otherwise keep those of all beams or samples. Last come those that are answered without the rule.
        """
        prefers = self.rule is not None and self.settings.valid == "prefer"
        several = self.width > 1 and self.unmet is None
        passes: list[tuple[TokenRule | None, int, dict[str, Any]]] = [
            (self.rule, self.width, {"closes": not prefers, "ends_without": several})
        ]
        if several:
            passes.append((self.rule, 1, {"closes": not prefers, "beams": None, "samples": 0}))
        if prefers and self.unmet is None:
            passes.append((None, 1, {"beams": None, "samples": 0}))
        return passes

    def _problem(self, rule: TokenRule | None, limit: int, lead: Prefix) -> Problem:
        whole = lead or self.lead
        if rule is None:
            tokens = [token for token in range(self.vocab_size) if token not in (self.eos_id, self.pad_id)]
            return Problem(AnyTokens(tokens, self.key), self.eos_id, limit, lead=whole, cuts=True)
        return Problem(rule, self.eos_id, limit, lead=whole)

    def _plan(self, number: int) -> Plan:
        settings = self.settings

        def draw(stream: int) -> Draw:
            random = prompt_generator(settings.seed, number, stream)
            return lambda log_probs: sample(log_probs, settings, random.random())

        beams = None
        if settings.beams > 1:
            beams = BeamSettings(
                settings.beams, settings.length_penalty, settings.num_beam_groups, settings.diversity_penalty
            )
        return Plan(
            settings.num_return_sequences,
            draw,
            beams,
            settings.samples,
            settings.draws,
            self.rank_by,
            self.unmet,
            at_a_time=self.width,
        )

    def _judged(self, answers: Answers, lead: Prefix) -> Searched:
        """Returns the answers of a prompt, with a message if there are none."""
        if answers.found:
            return Searched(answers, number=self.settings.num_return_sequences)
        if answers.fallen:
            unmet = ", ".join(f"{condition} ({count:,})" for condition, count in answers.fallen.most_common())
            return Searched(answers, f"none of {answers.distinct:,} distinct answers fits; not fulfilled: {unmet}")
        begins = " that begins with the prefix" if lead or self.lead else ""
        limit = self.settings.longest_answer
        return _fault(f"no valid answer{begins} was found in {limit} tokens; raise max_new_tokens or set valid to none")


def _fault(message: str) -> Searched:
    return Searched(Answers(), message, is_fault=True)
