from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindformers.modules.transformer import TransformerOpParallelConfig

from scimind.config.routing import RoutingSettings
from scimind.model.feed_forward import RoutedFeedForward
from scimind.model.routing.activation import ActivationSelector
from scimind.model.routing.router import PlannerSettings
from scimind.model.routing.routers import ROUTERS
from tests.support import tolerances
from tests.support.models import RANGES, some_ids, use_mode
from tests.support.numpy_feed_forward import feed_forward

D, H, E, V = 32, 64, 8, 64

SETTINGS = {
    "modality": {"router": "modality", "expert_sets": {"text": [0, 1, 2, 5], "smiles": ["4..7"]}},
    "sum": {"router": "activation", "experts_per_token": {"text": 5, "smiles": 2, "nucleotide": 1, "protein": 0}},
    "abs": {"router": "activation", "score": "abs", "experts_per_token": {"text": 5, "smiles": 2}},
    "square": {"router": "activation", "score": "square", "experts_per_token": {"text": 5, "smiles": 2}},
    "shared": {
        "router": "activation",
        "experts_per_token": {"text": 3, "smiles": 2, "nucleotide": 0, "protein": 1},
        "shared_experts": {"text": [7], "smiles": [0, 1], "nucleotide": [3], "protein": []},
    },
    "learned": {"router": "learned", "experts_per_token": {"text": 5, "smiles": 2, "nucleotide": 1, "protein": 0}},
    "learned and shared": {
        "router": "learned",
        "experts_per_token": {"text": 3, "smiles": 2, "nucleotide": 0, "protein": 1},
        "shared_experts": {"text": [7], "smiles": [0, 1], "nucleotide": [3], "protein": []},
    },
}


def layer_and_planner(name: str, dispatch: str, kernels: str = "cpu"):
    routing = RoutingSettings.create(
        num_experts=E, modality_ranges=RANGES, vocab_size=V, intermediate_size=H, **SETTINGS[name]
    )
    ms.set_seed(3)
    layer = RoutedFeedForward(
        routing=routing,
        dispatch=dispatch,
        kernels=kernels,
        parallel_config=TransformerOpParallelConfig(),
        dim=D,
        intermediate_size=H,
        hidden_dim=4 * D,
        compute_dtype=ms.float32,
        init_method_std=0.3,
    )
    planner = ROUTERS[routing.router].planner(PlannerSettings(routing, V, dispatch, ms.float32))
    return layer, planner, routing


class Whole(ms.nn.Cell):
    def __init__(self, layer, planner):
        super().__init__()
        self.layer, self.planner = layer, planner

    def construct(self, x, ids):
        return self.layer(x, self.planner(ids))


class SumOfSquares(ms.nn.Cell):
    def __init__(self, layer, planner):
        super().__init__()
        self.layer, self.planner = layer, planner

    def construct(self, x, ids):
        return (self.layer(x, self.planner(ids)) ** 2).sum()


def run(name, dispatch, ids, x, kernels="cpu"):
    layer, planner, routing = layer_and_planner(name, dispatch, kernels)
    return Whole(layer, planner)(ms.Tensor(x), ms.Tensor(ids)).asnumpy(), layer, routing


def twin(layer, routing, ids, x):
    weights = [getattr(layer, w).weight.asnumpy() for w in ("w1", "w3", "w2")]
    settings = {**routing.to_dict(), "modality_ranges": RANGES}
    gate = layer.gate.weight.asnumpy() if routing.router == "learned" else None
    y, used = feed_forward(x.reshape(-1, D), ids.reshape(-1), *weights, settings, gate)
    return y.reshape(x.shape), used


def forms():
    """Returns all settings in all forms; those that one mode leaves out are computed in the other."""
    for i, name in enumerate(SETTINGS):
        for j, dispatch in enumerate(["masked", "grouped"]):
            for k, kernels in enumerate(["cpu", "mindformers"]):
                yield name, dispatch, kernels, ("graph", "pynative")[(i + j + k) % 2]


@pytest.mark.parametrize("name, dispatch, kernels, mode", forms())
def test_equals_the_numpy_twin(name, dispatch, kernels, mode):
    use_mode(mode)
    ids, x = some_ids((2, 16)), np.random.default_rng(0).standard_normal((2, 16, D)).astype(np.float32)
    y, layer, routing = run(name, dispatch, ids, x, kernels)
    expected, used = twin(layer, routing, ids, x)
    assert len({frozenset(u) for u in used}) > 1
    np.testing.assert_allclose(y, expected, atol=tolerances.SAME_MATH, rtol=0)


def test_a_different_expert_set_is_noticed():
    use_mode("pynative")
    ids, x = some_ids((2, 16)), np.random.default_rng(0).standard_normal((2, 16, D)).astype(np.float32)
    y, layer, routing = run("modality", "grouped", ids, x)
    other = RoutingSettings.create(
        num_experts=E, modality_ranges=RANGES, router="modality", expert_sets={"text": [0, 1, 2, 6], "smiles": ["4..7"]}
    )
    expected, _ = twin(layer, other, ids, x)
    assert np.abs(y - expected).max() > 100 * tolerances.SAME_MATH


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("name", ["modality", "shared", "learned"])
def test_a_modality_without_tokens_is_allowed(name, mode):
    use_mode(mode)
    x = np.random.default_rng(1).standard_normal((1, 6, D)).astype(np.float32)
    layer, planner, routing = layer_and_planner(name, "grouped")
    whole = Whole(layer, planner)
    for token in (10, 45):  # only text, only SMILES
        ids = np.full((1, 6), token, np.int32)
        y = whole(ms.Tensor(x), ms.Tensor(ids)).asnumpy()
        np.testing.assert_allclose(y, twin(layer, routing, ids, x)[0], atol=tolerances.SAME_MATH, rtol=0)


GRADIENTS = ["modality", "shared", "learned"]


def gradients_of(name: str, form: tuple[str, str], mode: str, x: np.ndarray) -> list[np.ndarray]:
    """Returns the gradients of a batch of all modalities, then of one of text only: of x and of each weight."""
    use_mode(mode)
    layer, planner, _ = layer_and_planner(name, *form)
    weights = [layer.w1.weight, layer.w3.weight, layer.w2.weight]
    weights += [layer.gate.weight] if name == "learned" else []
    step = ms.grad(SumOfSquares(layer, planner), 0, weights)
    found = []
    for ids in (some_ids((2, 8)), np.full((2, 8), 10, np.int32)):
        of_x, of_weights = step(ms.Tensor(x), ms.Tensor(ids))
        found += [g.asnumpy() for g in (of_x, *of_weights)]
    return found


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_all_forms_agree(name):
    x = np.random.default_rng(2).standard_normal((2, 8, D)).astype(np.float32)
    gradients = {}
    forms = [(dispatch, kernels) for kernels in ("cpu", "mindformers") for dispatch in ("masked", "grouped")]
    for number, form in enumerate(forms, GRADIENTS.index(name)):
        # The first, to which the others are compared, in both modes; each other in one, the next name's in the other.
        for mode in ("pynative", "graph") if form == forms[0] else [("pynative", "graph")[number % 2]]:
            gradients[form, mode] = gradients_of(name, form, mode, x)
    first = gradients.pop((forms[0], "pynative"))
    for others in gradients.values():
        for masked, other in zip(first, others, strict=True):
            scale = np.abs(masked).max()
            assert scale > 0
            np.testing.assert_allclose(other / scale, masked / scale, atol=tolerances.SAME_MATH, rtol=0)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("kernels", ["cpu", "mindformers"])
def test_ties_go_to_the_lower_expert(kernels, mode):
    use_mode(mode)
    routing = RoutingSettings.create(num_experts=4, router="activation")
    u = np.array([[[1.0], [2.0], [1.0], [2.0]], [[0.0]] * 4, [[-1.0], [-1.0], [3.0], [-1.0]]], np.float32)
    selector = ActivationSelector(routing, kernels)
    active = selector(ms.Tensor(u), ms.Tensor([[3], [2], [2]]), ms.Tensor(np.zeros((3, 4), bool)))
    assert active.asnumpy().tolist() == [[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0]]
