"""Attention in blocks of queries, compared with one block and with the formula in numpy."""

from __future__ import annotations

from functools import cache

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from scimind.model.cpu.attention import Attention, blocks
from scimind.model.cpu.rotary import RotaryTables
from tests.support import tolerances
from tests.support.models import use_mode

B, S, N, P = 2, 22, 4, 6


class SquareSum(nn.Cell):
    """The sum of squares of the attention's output, as a loss."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def construct(self, q, k, v, cosines_q, sines_q, cosines_k, sines_k, mask):
        out = self.attention(q, k, v, cosines_q, sines_q, cosines_k, sines_k, mask)[0]
        return (out * out).sum()


def inputs(kv_heads: int) -> tuple[list[ms.Tensor], np.ndarray]:
    """Returns the cell's arguments: queries, keys, values, tables that rotate by zero and a mask."""
    random = np.random.default_rng(0)
    q, k, v = (random.normal(size=(B * S, heads * P)).astype(np.float32) for heads in (N, kv_heads, kv_heads))
    mask = np.where(np.tril(np.ones((S, S))) > 0, 0.0, -10000.0) + np.zeros((B, 1, 1, 1))
    mask[1, :, :, 3:5] = -10000.0  # keys that no query sees
    mask[1, :, 3:5, :3] = 0.0
    tables = RotaryTables(np.ones((S, P)), np.zeros((S, P)), N, kv_heads)(B, S)
    return [ms.Tensor(x) for x in (q, k, v)] + [*tables, ms.Tensor(mask, ms.float32)], mask


def by_numpy(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns the attention's output [t, n·p] in float64."""
    q, k, v = (x.astype(np.float64).reshape(B, S, -1, P).transpose(0, 2, 1, 3) for x in (q, k, v))
    k, v = (np.repeat(x, N // x.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(P) + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    out = weights / weights.sum(-1, keepdims=True) @ v
    return out.transpose(0, 2, 1, 3).reshape(B * S, -1)


@cache  # the result of the single block is compared with that of every block size
def output_and_gradients(mode: str, kv_heads: int, size: int) -> list[np.ndarray]:
    """Returns the cell's output for `inputs`, and the gradients of queries, keys and values."""
    use_mode(mode)
    given, _ = inputs(kv_heads)
    cell = Attention(N, kv_heads, P, size)
    step = ms.value_and_grad(SquareSum(cell), (0, 1, 2))
    return [cell(*given)[0].asnumpy(), *(g.asnumpy() for g in step(*given)[1])]


# All pairs of a block, a number of heads and a mode, in half of the combinations.
@pytest.mark.parametrize(
    ("block", "kv_heads", "mode"),
    [(b, k, ("graph", "pynative")[(i + j) % 2]) for i, b in enumerate([4, 7, 11]) for j, k in enumerate([4, 2])],
)
def test_blocks_change_nothing(block: int, kv_heads: int, mode: str) -> None:
    assert (len(blocks(S, block)), len(blocks(S, S))) == (round(S / block), 1)
    found = output_and_gradients(mode, kv_heads, block)
    for ours, whole in zip(found, output_and_gradients(mode, kv_heads, S), strict=True):
        np.testing.assert_allclose(ours, whole, atol=tolerances.SAME_MATH * np.abs(whole).max())
    given, mask = inputs(kv_heads)
    q, k, v = (x.asnumpy() for x in given[:3])
    assert np.abs(found[0] - by_numpy(q, k, v, mask)).max() < tolerances.SAME_MATH
    # The twin: another value changes the output.
    v[0, 0] += 0.1
    assert np.abs(found[0] - by_numpy(q, k, v, mask)).max() > 1e-3
