"""Products of a few rows, in both orders of factors, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from mindformers.modules.layers import Linear
from mindspore import Tensor
from mindspore.common import dtype as mstype

from scimind.model.decoding.products import RowsFeedForward, RowsProduct, are_columns
from tests.support.models import use_mode
from tests.support.tolerances import NUMPY, SAME_MATH

RNG = np.random.default_rng(3)
# On both sides of each bound.
ROWS = (1, 4, 5, 64, 65)


def normal(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) * shape[-1] ** -0.25).astype(np.float32)


def test_both_orders_are_used() -> None:
    assert [are_columns(rows) for rows in ROWS] == [False, False, True, True, False]


@pytest.mark.parametrize("rows", ROWS)
def test_a_product_equals_numpy(rows: int) -> None:
    use_mode("pynative")
    x, weight = normal(rows, 24), normal(40, 24)
    product = RowsProduct()
    expected = x @ weight.T
    found = product(Tensor(x), Tensor(weight)).asnumpy()
    np.testing.assert_allclose(found.T if are_columns(rows) else found, expected, atol=NUMPY)
    np.testing.assert_allclose(product.columns(Tensor(x), Tensor(weight)).asnumpy(), expected.T, atol=NUMPY)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("rows", ROWS)
def test_a_linear_layer_equals_mindformers(rows: int, has_bias: bool) -> None:
    use_mode("pynative")
    types = {"compute_dtype": mstype.float32, "param_init_type": mstype.float32}
    layer = Linear(24, 40, weight_init="normal", bias_init="ones", has_bias=has_bias, **types)
    x = Tensor(normal(rows, 24))
    found = RowsProduct().linear(x, layer).asnumpy()
    np.testing.assert_allclose(found, layer(x).asnumpy(), atol=SAME_MATH)
    # The twin: the effect of a bias is noticed.
    assert has_bias == (np.abs(found - x.asnumpy() @ layer.weight.asnumpy().T).max() > 0.5)


@pytest.mark.parametrize("rows", ROWS)
def test_a_feed_forward_equals_numpy(rows: int) -> None:
    use_mode("pynative")
    x, w1, w3, w2 = normal(rows, 24), normal(40, 24), normal(40, 24), normal(24, 40)
    halves = RowsFeedForward()

    def output(*weights: np.ndarray) -> np.ndarray:
        u = halves.neurons(Tensor(x), Tensor(weights[0]), Tensor(weights[1]))
        return halves.output(u, Tensor(weights[2]), rows).asnumpy()

    a = x @ w1.T
    expected = (a / (1 + np.exp(-a)) * (x @ w3.T)) @ w2.T
    np.testing.assert_allclose(output(w1, w3, w2), expected, atol=NUMPY)
    # The twin: swapping the two weights changes the output.
    assert np.abs(output(w3, w1, w2) - expected).max() > 0.1
