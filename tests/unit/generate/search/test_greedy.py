from collections import Counter

import numpy as np
import pytest
from rdkit import Chem

from scimind.generate.search.closing import close
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import NotFinite, run
from tests.unit.generate.search.toys import (
    EOS,
    REFUSED,
    SIZE,
    AnyRule,
    all_answers,
    drafting,
    found_by,
    likelihood,
    problem,
    random_model,
    text_of,
)


def free_greedy(model, limit: int) -> list[int]:
    ids: list[int] = []
    while len(ids) < limit and (token := int(np.argmax(model(ids)))) != EOS:
        ids.append(token)
    return ids


def test_without_a_rule_the_search_is_greedy() -> None:
    for seed in range(30):
        (found,) = found_by(greedy_search(problem(AnyRule(), limit=12)), seed)
        assert list(found.ids) == free_greedy(random_model(seed), 12)
        assert found.finish_reason == "stop"
        assert found.log_likelihood == pytest.approx(likelihood(random_model(seed), found.ids))


def test_every_answer_is_a_molecule_within_the_limit() -> None:
    for seed in range(200):
        limit = 1 + seed % 12
        task = problem(limit=limit, work=8)
        (found,) = found_by(greedy_search(task), seed)
        assert 0 < len(found.ids) <= limit
        assert Chem.MolFromSmiles(text_of(found.ids)).GetNumAtoms() > 0
        assert found.log_likelihood == pytest.approx(likelihood(random_model(seed), found.ids))
        assert task.steps <= 8 * (limit + 1) + limit + 2


def test_free_answers_are_often_no_molecules() -> None:
    texts = [text_of(token for token in free_greedy(random_model(seed), 12) if token != REFUSED) for seed in range(200)]
    assert sum(Chem.MolFromSmiles(text) is None or not text for text in texts) > 100


def scripted(choices: dict[tuple[int, ...], list[int]]):
    """Returns a model that prefers the given tokens in this order after each prefix, and EOS elsewhere."""

    def next_log_probs(ids):
        logits = np.zeros(SIZE)
        for rank, token in enumerate(choices.get(tuple(ids), [EOS])):
            logits[token] = 20.0 - rank
        return logits - np.logaddexp.reduce(logits)

    return next_log_probs


def test_a_refused_token_is_replaced_by_the_next_best() -> None:
    model = scripted({(): [REFUSED, 4, 2, 1], (2,): [5, EOS], (2, 5): [EOS, 4, 1]})
    (found,) = run(greedy_search(problem(limit=6)), model)
    assert text_of(found.ids) == "O=C"


def test_a_dead_end_returns_to_the_prefix_with_the_least_regret() -> None:
    class Dead(AnyRule):
        """Accepts 1 1 and 2; 1 2 begins nothing, which shows only after it."""

        def extend(self, state, token):
            longer = (*state, token)
            return longer if longer in ((1,), (2,), (1, 2), (1, 1)) else None

        def accepts(self, state):
            return state in ((1, 1), (2,))

        def shortest_end(self, state):
            return 0 if self.accepts(state) else 1

    near = scripted({(): [1, 2], (1,): [2, 1], (1, 1): [EOS], (2,): [EOS]})
    (found,) = run(greedy_search(problem(Dead(), 4)), near)
    assert found.ids == (1, 1), "the longer prefix on a tie"
    logits = np.log(np.array([1e-9, 0.5, 0.49, 0.01, 1e-9, 1e-9, 1e-9]))

    def sure_of_two(ids):
        return near(ids) if ids != () else logits - np.logaddexp.reduce(logits)

    (found,) = run(greedy_search(problem(Dead(), 4)), sure_of_two)
    assert found.ids == (2,), "0.02 are less regret than 1"


@pytest.mark.parametrize("knows", [True, False])
def test_a_draft_saves_steps_and_changes_nothing_else(knows: bool) -> None:
    asked, drafted = Counter(), Counter()
    for seed in range(200):
        model, limit = random_model(seed), 12

        def counting(counts, model=model):
            return lambda ids: counts.update(["asked"]) or model(ids)

        for work in (1, 2, 64):  # little work leads to shortened and completed answers
            task = problem(limit=limit, work=work)
            (first,) = run(greedy_search(task), counting(asked))
            (second,) = run(
                greedy_search(other := problem(limit=limit, work=work)),
                counting(drafted),
                drafting(model, other, knows),
            )
            assert first is not None and second is not None
            assert (first.ids, first.finish_reason) == (second.ids, second.finish_reason)
            assert first.log_likelihood == pytest.approx(second.log_likelihood)
            assert other.steps == task.steps
            asked[first.finish_reason] += 1
    assert drafted["asked"] < asked["asked"] and asked["shortened"] > 100 and asked["completed"] > 4


@pytest.mark.parametrize("work", [0, 64])
def test_answers_begin_with_the_lead(work: int) -> None:
    for seed in range(20):
        (found,) = found_by(greedy_search(problem(limit=8, lead=(1, 3), work=work)), seed)
        assert found.ids[:2] == (1, 3)
        assert found.log_likelihood == pytest.approx(likelihood(random_model(seed), found.ids))
    assert found_by(greedy_search(problem(lead=(4,))), 0) == []
    assert found_by(greedy_search(problem(lead=(1, 3), limit=3)), 0) == [], "no room to close the branch"


def test_without_work_the_prefix_is_completed_or_shortened() -> None:
    open_branch = found_by(close(problem(limit=5), (1, 3)), 0)
    assert open_branch is not None and text_of(open_branch.ids) == "C(C)" and open_branch.finish_reason == "completed"
    no_room = found_by(close(problem(limit=2), (1, 3)), 0)
    assert no_room is not None and text_of(no_room.ids) == "C" and no_room.finish_reason == "shortened"
    nothing = found_by(close(problem(limit=3), ()), 0)
    assert nothing is not None and text_of(nothing.ids) == "C" and nothing.finish_reason == "completed"


def test_the_best_answer_is_found_where_the_model_is_certain() -> None:
    answers = all_answers(4)
    for target in answers[::15]:
        ids = [*target, EOS]
        model = scripted({tuple(ids[:place]): [token] for place, token in enumerate(ids)})
        (found,) = run(greedy_search(problem(limit=4)), model)
        assert found.ids == target


def test_log_probabilities_must_be_finite() -> None:
    with pytest.raises(NotFinite):
        run(greedy_search(problem(limit=4)), lambda ids: np.full(SIZE, np.nan))


def test_several_answers_are_those_nearest_to_the_first() -> None:
    more = 0
    for seed in range(20):
        found = found_by(greedy_search(problem(limit=6), number=4), seed)
        assert found[0] == found_by(greedy_search(problem(limit=6)), seed)[0]
        assert len({answer.key for answer in found}) == 4 and len({answer.ids for answer in found}) == len(found)
        expected = [likelihood(random_model(seed), answer.ids) for answer in found]
        assert [answer.log_likelihood for answer in found] == pytest.approx(expected)
        drafted = problem(limit=6)
        model = random_model(seed)
        assert run(greedy_search(drafted, number=4), model, drafting(model, drafted)) == found
        more += len(found) > 4
    assert more > 0, "some molecules are spelled twice"
