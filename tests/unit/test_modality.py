from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import ConfigError
from scimind.modality import MODALITY_NAMES, Modality, modality_of, modality_table, normalise_ranges

RANGES = {"smiles": [[32000, 32066], [32098, 32105]], "nucleotide": [32066, 32071], "protein": [[32071, 32098]]}


def test_names_follow_values() -> None:
    assert [name.upper() for name in MODALITY_NAMES] == [modality.name for modality in Modality]
    assert [int(modality) for modality in Modality] == [0, 1, 2, 3]


def test_a_pair_and_a_list_of_pairs_mean_the_same() -> None:
    single = normalise_ranges({"smiles": [5, 9]})
    assert single == normalise_ranges({"smiles": [(5, 9)]}) == {"smiles": [(5, 9)], "nucleotide": [], "protein": []}


def test_ranges_come_back_in_ascending_order() -> None:
    ranges = normalise_ranges({"protein": [20, 25], "smiles": [[12, 14], [3, 5]]}, vocab_size=25)
    assert ranges == {"smiles": [(3, 5), (12, 14)], "nucleotide": [], "protein": [(20, 25)]}


def test_table_equals_a_check_of_every_range() -> None:
    table = modality_table(32128, RANGES)
    assert table.dtype == np.int32 and table.shape == (32128,)
    expected = [
        1 if 32000 <= i < 32066 or 32098 <= i < 32105 else 2 if 32066 <= i < 32071 else 3 if 32071 <= i < 32098 else 0
        for i in range(32128)
    ]
    assert table.tolist() == expected


def test_modality_of_keeps_the_shape() -> None:
    table = modality_table(32128, RANGES)
    found = modality_of([[0, 31999, 32000], [32070, 32097, 32104]], table)
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 0, 1], [2, 3, 1]]
    assert modality_of(np.zeros((2, 0), dtype=np.int32), table).shape == (2, 0)


@pytest.mark.parametrize("wrong", [-1, -100, 32128])
def test_an_id_outside_the_table_is_an_error(wrong: int) -> None:
    with pytest.raises(ConfigError, match=f"token id \\({wrong}\\)"):
        modality_of([5, wrong], modality_table(32128, RANGES))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"smiles": [9, 5]}, "0 <= start < stop"),
        ({"smiles": [5, 5]}, "0 <= start < stop"),
        ({"smiles": [-2, 5]}, "0 <= start < stop"),
        ({"smiles": [90, 101]}, r"within vocab_size \(100\)"),
        ({"smiles": [0, 10], "protein": [9, 12]}, "overlaps modality_ranges.smiles"),
        ({"smiles": [[0, 10], [5, 12]]}, "overlaps"),
        ({"text": [0, 10]}, "leave it out"),
        ({"dna": [0, 10]}, "'dna'; the modalities are smiles, nucleotide, protein"),
        ({"smiles": [0, 10, 20]}, "pair of integers"),
        ({"smiles": [[0, 1.5]]}, "pair of integers"),
        ({"smiles": [0, True]}, "pair of integers"),
        ({"smiles": "0-10"}, "pair of integers"),
        ({"smiles": 7}, "pair of integers"),
        ([["smiles", 0, 10]], "must map"),
    ],
)
def test_faulty_ranges_are_errors(ranges: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalise_ranges(ranges, vocab_size=100)  # type: ignore[arg-type]


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        normalise_ranges({"dna": [0, 1], "smiles": [5, 2], "protein": [1, 900]}, vocab_size=100)
    assert len(caught.value.faults) == 3


def test_a_table_needs_a_vocabulary() -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        modality_table(0, {})
