"""AdamW in one pass against MindFormers' AdamW."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindformers.core.optim.adamw import AdamW
from mindspore import nn

from scimind.train.optimizer import SciMindAdamW
from scimind.train.step import SciMindTrainOneStepCell
from tests.support import tolerances


class Quadratic(nn.Cell):
    """A loss with gradients of two magnitudes."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.matrix = ms.Parameter(ms.Tensor(random.normal(size=(8, 6)), ms.float32), name="matrix")
        self.gain = ms.Parameter(ms.Tensor(random.normal(size=6), ms.float32), name="gain")

    def construct(self, x: Any) -> Any:
        """Returns the loss of x [t, 8]."""
        return (((x @ self.matrix) * self.gain) ** 2).mean()


def trained(kind: type[AdamW], steps: int = 5, groups: str = "one", **settings: Any) -> list[np.ndarray]:
    """Returns parameters and moments after some steps."""
    ms.set_context(mode=ms.GRAPH_MODE)
    network = Quadratic()
    parameters: Any = network.trainable_params()
    if groups != "one":
        parameters = [
            {"params": [network.matrix], "weight_decay": 0.3} | ({"lr": 0.05} if groups == "rates" else {}),
            {"params": [network.gain], "weight_decay": 0.0} | ({"lr": 0.01} if groups == "rates" else {}),
        ]
    optimizer = kind(parameters, learning_rate=0.02, betas=(0.9, 0.98), eps=1e-4, weight_decay=0.1, **settings)
    assert type(optimizer) is kind  # MindFormers' own names create objects of other classes
    step = SciMindTrainOneStepCell(network, optimizer, use_clip_grad=True, max_grad_norm=0.5).set_train()
    random = np.random.default_rng(1)
    for _ in range(steps):
        step(ms.Tensor(random.normal(size=(4, 8)), ms.float32))
    states = [*optimizer.parameters, *optimizer.exp_avg, *optimizer.exp_avg_sq]
    return [state.asnumpy().copy() for state in states]


@pytest.mark.parametrize("groups", ["one", "decays", "rates"])
def test_parameters_and_moments_equal_adamw(groups: str) -> None:
    wanted = trained(AdamW, groups=groups)
    for ours, theirs in zip(trained(SciMindAdamW, groups=groups), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerances.SAME_MATH, atol=1e-7)
    # The twin: one step less gives another result.
    assert not np.allclose(trained(SciMindAdamW, steps=4, groups=groups)[0], wanted[0], rtol=1e-3)


def test_states_have_the_names_of_adamw() -> None:
    names = [
        [state.name for state in (*optimizer.exp_avg, *optimizer.exp_avg_sq)]
        for optimizer in (kind(Quadratic().trainable_params()) for kind in (AdamW, SciMindAdamW))
    ]
    assert names[0] == names[1]
