"""A decoding step with one token per row, against NumPy and against whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from mindspore.common import dtype as mstype

from scimind.model.decoding.cache import WriteTokens
from scimind.model.decoding.rotary import Rotary, StepRotary
from tests.support.models import use_mode

RNG = np.random.default_rng(2)


class Writing(nn.Cell):
    """Writes twice and reads the cache."""

    def __init__(self, before: np.ndarray, dtype: mstype) -> None:
        super().__init__()
        self.cache = Parameter(Tensor(before, dtype), name="cache")
        self.write = WriteTokens(before.shape, dtype)

    def construct(self, first: Tensor, second: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        once = self.write(self.cache, self.write.at(first), x) * 1
        return once, self.write(self.cache, self.write.at(second), x + 1) * 1


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("dtype", [mstype.float32, mstype.float16], ids=str)
def test_tokens_are_written_at_their_positions_and_nowhere_else(dtype: mstype, mode: str) -> None:
    use_mode(mode)
    before = RNG.integers(-9, 9, (6, 5, 4)).astype(np.float32)  # whole numbers are exact in all types
    x = RNG.integers(-9, 9, (3, 8)).astype(np.float32)  # three rows of two heads
    first, second = np.array([0, 4, 2, 2, 1, 0]), np.array([1, 4, 3, 2, 0, 0])
    network = Writing(before, dtype)
    once, twice = network(Tensor(first, mstype.int32), Tensor(second, mstype.int32), Tensor(x, dtype))
    expected = before.copy()
    for found, places, values in ((once, first, x), (twice, second, x + 1)):
        expected[np.arange(6), places] = values.reshape(6, 4)
        np.testing.assert_array_equal(found.astype(mstype.float32).asnumpy(), expected)
    np.testing.assert_array_equal(network.cache.astype(mstype.float32).asnumpy(), expected)
    # The twin: moving one row by one place makes a difference.
    expected[0] = np.roll(expected[0], 1, axis=0)
    assert not np.array_equal(network.cache.astype(mstype.float32).asnumpy(), expected)


def test_a_step_rotates_as_whole_sequences_do() -> None:
    use_mode("pynative")
    angles = np.arange(20)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    cosines, sines = np.cos(angles), np.sin(angles)
    rotary = Rotary(np.tile(cosines, 2), np.tile(sines, 2), 6, 2, mstype.float32)
    step = StepRotary(rotary)
    positions = Tensor([3, 0, 19], mstype.int32)
    q, k = (Tensor(RNG.standard_normal((3, heads * 8)), mstype.float32) for heads in (6, 2))
    tables, turn = rotary(positions), step(positions)

    def largest(x: Tensor, turn: Tensor, cosines: Tensor, sines: Tensor) -> float:
        return float((step.rotate(x, turn) - rotary.rotate(x, cosines, sines)).abs().max())

    assert largest(q, turn, *tables[:2]) < 1e-6
    assert largest(k, turn, *tables[2:]) < 1e-6
    # Against complex numbers: a pair of places is one number, and a head of 8 is divided by the fourth root of 8.
    pairs = k.asnumpy().reshape(3, 2, 2, 4)
    turned = (pairs[:, :, 0] + 1j * pairs[:, :, 1]) * np.exp(1j * angles[[3, 0, 19]])[:, None] / 8**0.25
    np.testing.assert_allclose(
        step.rotate(k, turn).asnumpy(), np.stack([turned.real, turned.imag], 2).reshape(3, -1), atol=1e-5
    )
    # The twin: another position rotates differently.
    assert largest(k, step(Tensor([4, 1, 18], mstype.int32)), *tables[2:]) > 0.1
