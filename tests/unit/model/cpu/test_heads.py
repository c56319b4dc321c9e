"""Moving heads to the front and back, against NumPy's transposition."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn

from scimind.model.cpu.heads import Heads
from tests.support.models import use_mode

T, HEADS, P = 12, 5, 4


class There(nn.Cell):
    """Moves heads to the front and back."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.heads, self.parts = Heads(P), parts

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.heads.first(x, HEADS, self.parts)
        return first, self.heads.last(first.reshape((-1, 3, P)), HEADS, self.parts)


@pytest.mark.parametrize("mode", ["graph", "pynative"])
@pytest.mark.parametrize("parts", [1, 3])
def test_heads_move_as_numpy_transposes(parts: int, mode: str) -> None:
    use_mode(mode)
    x = np.random.default_rng(0).standard_normal((T, HEADS * P)).astype(np.float32)
    first, last = There(parts)(Tensor(x))
    expected = x.reshape(parts, T // parts, HEADS, P).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(first.asnumpy(), expected.reshape(-1, P))
    np.testing.assert_array_equal(last.asnumpy(), x)
    # The twin: with another number of parts the order differs.
    assert not np.array_equal(There(4 - parts)(Tensor(x))[0].asnumpy(), first.asnumpy())
