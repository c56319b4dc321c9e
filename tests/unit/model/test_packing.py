"""Packed records give the same logits, loss and gradients as records in separate rows."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest

from scimind.data.encode.packing import Packer
from scimind.errors import ConfigError
from scimind.model.packing import SegmentMask
from tests.support import tolerances
from tests.support.models import build, logits, some_ids, use_mode, weights_of

WIDTH = 33
LENGTHS = (9, 14, 10, 20, 12)  # the first three fill a row


def records() -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns ids and labels: BOS, random tokens, EOS; the first half is a prompt."""
    found = []
    for number, length in enumerate(LENGTHS):
        ids = some_ids((1, length), seed=number)[0]
        ids[0], ids[-1] = 1, 2
        labels = ids.copy()
        labels[: length // 2] = -100
        found.append((ids, labels))
    return found


def rows(packed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns input_ids and labels [b, s + 1]."""
    packer = Packer(WIDTH)
    for ids, labels in records():
        packer.add(ids, labels)
    found = packer.take() if packed else records()
    shape = (len(found), WIDTH)
    input_ids, targets = np.zeros(shape, np.int32), np.full(shape, -100, np.int32)
    for number, (ids, labels) in enumerate(found):
        input_ids[number, : len(ids)], targets[number, : len(labels)] = ids, labels
    return input_ids, targets


def loss_and_gradients(model, packed: bool) -> tuple[float, dict[str, np.ndarray]]:
    """Returns the training loss, a mean over all answer tokens, and its gradients."""
    model.set_train(True)
    parameters = model.trainable_params()
    arguments = [ms.Tensor(array) for array in rows(packed)]
    value, gradients = ms.value_and_grad(model, None, parameters)(*arguments)
    return value.asnumpy().item(), {p.name: g.asnumpy() for p, g in zip(parameters, gradients, strict=True)}


def model_of(packed: bool, weights=None, **settings):
    return build(weights, seq_length=WIDTH - 1, packed=packed, **settings)


def difference(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> float:
    """Returns the largest difference of gradients, relative to the parameter's largest."""
    return max(float(np.abs(one[name] - two[name]).max() / np.abs(two[name]).max()) for name in two)


@pytest.mark.parametrize(
    ("mode", "settings"),
    [  # tests/integration/test_packing.py runs the usual routing as a graph
        ("pynative", {}),
        ("graph", {"router": "activation", "dispatch": "masked", "n_kv_heads": 2, "num_layers": 1}),
    ],
)
def test_packed_and_unpacked_records_give_the_same(mode, settings):
    use_mode(mode)
    model = model_of(True, **settings)
    plain = model_of(False, weights_of(model), **settings)
    assert rows(True)[0].shape[0] < len(LENGTHS)
    assert (rows(True)[1] >= 0).sum() == (rows(False)[1] >= 0).sum()
    packed_loss, packed_gradients = loss_and_gradients(model, True)
    plain_loss, plain_gradients = loss_and_gradients(plain, False)
    assert abs(packed_loss / plain_loss - 1) < tolerances.SAME_MATH
    assert difference(packed_gradients, plain_gradients) < tolerances.SAME_MATH


def test_logits_are_the_same_at_each_position():
    use_mode("graph")
    model = model_of(True, num_layers=1)
    packed_ids = rows(True)[0][:, :-1]
    in_rows = logits(model, packed_ids)
    alone = logits(model_of(False, weights_of(model), num_layers=1), rows(False)[0][:, :-1])
    starts = [(row, start) for row, ids in enumerate(packed_ids) for start in np.flatnonzero(ids == 1)]
    found = {tuple(packed_ids[row, start : start + 8]): (row, start) for row, start in starts}
    for number, (ids, _) in enumerate(records()):
        row, start = found[tuple(ids[:8])]
        length = min(len(ids), WIDTH - 1 - start)
        np.testing.assert_allclose(
            in_rows[row, start : start + length], alone[number, :length], atol=tolerances.SAME_MATH, rtol=0
        )


def test_records_that_attend_to_each_other_are_noticed():
    use_mode("pynative")
    plain = model_of(False, num_layers=1)
    packed_loss, packed_gradients = loss_and_gradients(plain, True)
    plain_loss, plain_gradients = loss_and_gradients(plain, False)
    assert abs(packed_loss / plain_loss - 1) > 100 * tolerances.SAME_MATH
    assert difference(packed_gradients, plain_gradients) > 100 * tolerances.SAME_MATH


def test_rows_of_one_record_are_not_affected():
    use_mode("pynative")
    model = model_of(True, num_layers=1)
    ids = rows(False)[0][:, :-1]
    plain = model_of(False, weights_of(model), num_layers=1)
    np.testing.assert_array_equal(logits(model, ids), logits(plain, ids))


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_mask_in_both_forms(kind):
    use_mode("pynative")
    tokens = np.array([[1, 5, 1, 6, 0], [1, 5, 6, 7, 8]], np.int32)
    segment = np.array([[1, 1, 2, 2, 2], [1, 1, 1, 1, 1]])
    causal = np.triu(np.ones((5, 5)), 1) + (tokens == 0)[:, None, :] > 0  # [b, s, s]
    scale = 1 if kind is np.uint8 else -10000
    mask = ms.Tensor((causal[:, None] * scale).astype(kind))
    found = SegmentMask(lambda _: mask, 1)(ms.Tensor(tokens)).asnumpy()
    closed = causal | (segment[:, :, None] != segment[:, None, :])
    assert found.dtype == kind
    np.testing.assert_array_equal(found, (closed[:, None] * scale).astype(kind))


def test_a_compressed_mask_does_not_work_with_packed_records():
    with pytest.raises(ConfigError, match="packed"):
        build(packed=True, use_attn_mask_compression=True)
