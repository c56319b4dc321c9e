"""An answer where the budget of work has ended: completed by the rule, or cut at an accepted place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from scimind.generate.search.model import Found, Problem, Search

_MOST_CLOSINGS = 4  # endings of one prefix whose whole answers are judged


def close(problem: Problem, ids: Sequence[int]) -> Search[Found | None]:
    """Returns an accepted answer that keeps as many of the first tokens as possible.

    The rule proposes endings of all of `ids`, then of all but the last token, and so on; the first that it accepts as
    a whole answer is scored by the model. The steps for that are counted, but not limited.

    Args:
        problem: The model and the rule.
        ids: Tokens that the rule accepts as a prefix, the lead of the problem included, which is never cut.

    Returns:
        The answer; None only if the rule has no ending even for the lead alone within the limit.
    """
    states = [problem.rule.start()]
    for token in ids:
        states.append(problem.rule.extend(states[-1], token))
    for kept in range(len(ids), len(problem.lead) - 1, -1):
        for ending in islice(problem.rule.closings(states[kept], problem.limit - kept), _MOST_CLOSINGS):
            state = _extended(problem, states[kept], ending)
            if state is not None and problem.rule.accepts(state):
                answer = [*ids[:kept], *ending]
                total = yield from score(problem, answer)
                return problem.found(answer, state, total, "completed" if ending else "shortened")
    return None


def score(problem: Problem, ids: Sequence[int]) -> Search[float]:
    """Returns the log-likelihood of a whole answer, EOS included, with one step for each token and EOS."""
    whole = (*ids, problem.eos_id)
    following = yield from problem.ask([whole[:place] for place in range(len(whole))])
    return sum(float(log_probs[token]) for log_probs, token in zip(following, whole, strict=True))


def _extended(problem: Problem, state: Any, tokens: Sequence[int]) -> Any | None:
    for token in tokens:
        if state is not None:
            state = problem.rule.extend(state, token)
    return state
