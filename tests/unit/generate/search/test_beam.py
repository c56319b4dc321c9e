import pytest

from scimind.errors import ConfigError
from scimind.generate.search.beam import BeamSettings, beam_search
from scimind.generate.search.greedy import greedy_search
from scimind.generate.validity.molecules import MoleculeRule
from tests.unit.generate.search.toys import (
    CHARACTERS,
    EOS,
    SIZE,
    AnyRule,
    all_answers,
    found_by,
    likelihood,
    problem,
    random_model,
    spellings,
    text_of,
)


def plain_beam_search(model, beams: int, penalty: float, limit: int, is_molecule: bool) -> list[tuple[float, tuple]]:
    """Beam search as in a textbook, decoding everything anew: lists of whole answers, no states, no arrays."""
    rule = MoleculeRule()

    def may_begin(ids) -> bool:
        if len(ids) > limit or not is_molecule:
            return len(ids) <= limit
        if any(token not in CHARACTERS for token in ids) or not rule.accepts_prefix(text_of(ids)):
            return False
        return len(ids) + rule.shortest_end(rule.extend(rule.start(), text_of(ids))) <= limit

    def may_end(ids) -> bool:
        return not is_molecule or rule.accepts(text_of(ids))

    running, finished = [(0.0, ())], []
    while running:
        options = []
        for number, (score, ids) in enumerate(running):
            log_probs = model(ids)
            for token in range(SIZE):
                if may_end(ids) if token == EOS else may_begin((*ids, token)):
                    options.append((-(score + log_probs[token]), number, token, ids))
        options.sort()
        running = []
        for rank, (negative, _, token, ids) in enumerate(options):
            if token == EOS and rank < beams:
                finished.append((-negative / (len(ids) + 1) ** penalty, ids))
            elif token != EOS:
                running.append((-negative, (*ids, token)))
            if len(running) == beams:
                break
        finished = sorted(finished, key=lambda one: -one[0])[:beams]
        is_full = len(finished) == beams
        if is_full and running and finished[-1][0] >= running[0][0] / (len(running[0][1]) + 1) ** penalty:
            break
    return finished


@pytest.mark.parametrize("is_molecule", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0, -0.5])
def test_beam_search_equals_a_plain_one(is_molecule: bool, penalty: float) -> None:
    for seed in range(15):
        expected = plain_beam_search(random_model(seed), 3, penalty, 6, is_molecule)
        task = problem(spellings() if is_molecule else AnyRule(), limit=6)
        found, _ = found_by(beam_search(task, BeamSettings(num_beams=3, length_penalty=penalty)), seed)
        assert [answer.ids for answer in found] == [ids for _, ids in expected]
        for answer in found:
            assert answer.log_likelihood == pytest.approx(likelihood(random_model(seed), answer.ids))


def test_another_number_of_beams_finds_other_answers() -> None:
    def answers(beams: int) -> list:
        task = problem(spellings(), limit=6)
        return [found_by(beam_search(task, BeamSettings(beams)), seed)[0][0].ids for seed in range(15)]

    assert answers(2) != answers(6)


def test_one_beam_is_greedy() -> None:
    for seed in range(40):
        found, _ = found_by(beam_search(problem(limit=8), BeamSettings(num_beams=1)), seed)
        assert found == found_by(greedy_search(problem(limit=8)), seed)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_enough_beams_find_the_best_of_all_answers(penalty: float) -> None:
    answers = all_answers(4)
    assert len(answers) > 40
    for seed in range(10):
        scores = {ids: likelihood(random_model(seed), ids) / (len(ids) + 1) ** penalty for ids in answers}
        best = sorted(answers, key=lambda ids: -scores[ids])[:5]
        settings = BeamSettings(num_beams=200, length_penalty=penalty)
        found, _ = found_by(beam_search(problem(spellings(), limit=4), settings), seed)
        assert [answer.ids for answer in found[:5]] == best


def test_answers_are_distinct_molecules() -> None:
    rule = MoleculeRule()
    repeated = 0
    for seed in range(20):
        settings = BeamSettings(num_beams=8)
        found, every = found_by(beam_search(problem(limit=6), settings), seed)
        assert {answer.key for answer in found} <= {answer.key for answer in every}
        keys = [rule.key(text_of(answer.ids)) for answer in found]
        assert len(set(keys)) == len(keys) and [answer.key for answer in found] == keys
        spelled, _ = found_by(beam_search(problem(spellings(), limit=6), settings), seed)
        texts = [text_of(answer.ids) for answer in spelled]
        repeated += len(texts) - len({rule.key(text) for text in texts})
    assert repeated > 0, "spellings of one molecule would be found"


def test_groups_differ_in_their_tokens() -> None:
    equal, diverse = 0, 0
    for seed in range(20):
        for penalty in (0.0, 5.0):
            settings = BeamSettings(num_beams=4, num_beam_groups=2 if penalty else 1, diversity_penalty=penalty)
            found, _ = found_by(beam_search(problem(spellings(), limit=6), settings), seed)
            firsts = {answer.ids[0] for answer in found}
            equal, diverse = equal + (not penalty) * len(firsts), diverse + bool(penalty) * len(firsts)
    assert diverse > equal


def test_a_search_without_work_has_no_answers() -> None:
    assert found_by(beam_search(problem(limit=12, work=0), BeamSettings(num_beams=4)), 0) == ([], [])


def test_all_answers_begin_with_the_lead() -> None:
    found, _ = found_by(beam_search(problem(limit=8, lead=(1, 3)), BeamSettings(num_beams=4)), 3)
    assert len(found) > 1 and all(answer.ids[:2] == (1, 3) for answer in found)
    assert found[0].log_likelihood == pytest.approx(likelihood(random_model(3), found[0].ids))
    assert found_by(beam_search(problem(lead=(4,)), BeamSettings(num_beams=4)), 3) == ([], [])


def test_answers_without_a_rule_are_cut_at_the_limit() -> None:
    reasons = set()
    for seed in range(10):
        task = problem(AnyRule(), limit=4, cuts=True)
        found, _ = found_by(beam_search(task, BeamSettings(num_beams=4)), seed)
        for answer in found:
            reasons.add(answer.finish_reason)
            assert len(answer.ids) == 4 or answer.finish_reason == "stop"
            if answer.finish_reason == "length":
                model, ids = random_model(seed), answer.ids
                total = sum(float(model(ids[:place])[token]) for place, token in enumerate(ids))
                assert answer.log_likelihood == pytest.approx(total)
    assert reasons == {"stop", "length"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 0}, "num_beams"),
        ({"num_beams": 4, "num_beam_groups": 3}, "must divide"),
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": -1.0}, "diversity_penalty"),
        ({"num_beams": 4, "diversity_penalty": 1.0}, "needs num_beam_groups"),
    ],
)
def test_settings_are_checked(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BeamSettings(**settings)
