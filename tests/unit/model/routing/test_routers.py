from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.config import routing as config
from scimind.config.facts import chosen_dispatch
from scimind.config.routing import RoutingSettings
from scimind.model.routing.modality import GroupedPlan, ModalityPlan
from scimind.model.routing.router import PlannerSettings
from scimind.model.routing.routers import ROUTERS
from scimind.model.routing.top_k import BalancedPlan, TopKPlan
from tests.support.models import RANGES, use_mode

V = 64
IDS = np.array([[5, 45, 53, 60], [45, 5, 5, 0]], np.int32)  # text, SMILES, nucleotide, protein; 0 is padding
K = {"text": 3, "smiles": 2, "nucleotide": 1, "protein": 0}
SHARED = {"text": [7], "smiles": [0, 1], "nucleotide": [], "protein": []}
SETS = {"text": [0, 1, 2, 5], "smiles": ["4..7"], "nucleotide": ["4..7"], "protein": []}


def planned(mode: str, dispatch: str, **settings) -> dict:
    """Returns the plan of IDS, as arrays by field."""
    use_mode(mode)
    routing = RoutingSettings.create(num_experts=8, modality_ranges=RANGES, vocab_size=V, **settings)
    plan = ROUTERS[routing.router].planner(PlannerSettings(routing, V, dispatch, ms.float32))(ms.Tensor(IDS))
    return {
        name: tuple(part.asnumpy() for part in field) if isinstance(field, (tuple, list)) else field.asnumpy()
        for name, field in plan.items()
    }


def test_the_routers_match_the_configuration():
    assert sorted(ROUTERS) == sorted(config.ROUTERS)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_the_plan_of_a_set_of_experts(mode):
    plan = planned(mode, "masked", router="modality", expert_sets=SETS)
    assert set(plan) == set(ModalityPlan.__annotations__)
    experts = {"text": [0, 1, 2, 5], "smiles": [4, 5, 6, 7], "nucleotide": [4, 5, 6, 7], "protein": []}
    rows = ["text", "smiles", "nucleotide", "protein", "smiles", "text", "text", "text"]
    assert [np.flatnonzero(row).tolist() for row in plan["active"]] == [experts[name] for name in rows]
    assert plan["active"].dtype == np.float32


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_the_plan_of_groups(mode):
    plan = planned(mode, "grouped", router="modality", expert_sets=SETS)
    assert set(plan) == set(GroupedPlan.__annotations__)
    # SMILES and nucleotides have the same experts.
    assert [group.tolist() for group in plan["positions"]] == [[0, 5, 6, 7], [1, 2, 4], [3]]
    in_turn = np.concatenate(plan["positions"])
    assert in_turn[plan["places"]].tolist() == list(range(8))


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("dispatch", ["masked", "grouped"])
@pytest.mark.parametrize("router", ["activation", "learned"])
def test_the_plan_of_the_highest_scores(router, dispatch, mode):
    plan = planned(mode, dispatch, router=router, experts_per_token=K, shared_experts=SHARED)
    assert set(plan) == set(TopKPlan.__annotations__)
    assert plan["k"].tolist() == [[3], [2], [1], [0], [2], [3], [3], [3]]
    assert [np.flatnonzero(row).tolist() for row in plan["shared"]] == [[7], [0, 1], [], [], [0, 1], [7], [7], [7]]
    assert plan["shared"].dtype == bool


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_the_plan_with_a_load_balance_leaves_padding_out(mode):
    plan = planned(mode, "masked", router="learned", experts_per_token=K, balance_weight=0.1)
    assert set(plan) == set(BalancedPlan.__annotations__) | set(TopKPlan.__annotations__)
    assert plan["member"].argmax(1).tolist() == [0, 1, 2, 3, 1, 0, 0, 0]
    assert plan["member"].sum(1).tolist() == [1, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("router", config.ROUTERS)
def test_auto_groups_tokens_where_it_pays_off(router):
    assert chosen_dispatch("auto", router, "mindformers", splits=False) == "masked"
    assert chosen_dispatch("auto", router, "cpu", splits=True) == "masked"
    assert chosen_dispatch("auto", router, "cpu", splits=False) == ("grouped" if router == "modality" else "masked")


@pytest.mark.parametrize("kernels", ["cpu", "mindformers"])
@pytest.mark.parametrize("dispatch", ["masked", "grouped"])
@pytest.mark.parametrize("router", config.ROUTERS)
def test_a_requested_dispatch_is_used(router, dispatch, kernels):
    assert chosen_dispatch(dispatch, router, kernels, splits=False) == dispatch
