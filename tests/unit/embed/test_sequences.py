"""Sequences are checked before they are embedded, and a fault is named with its position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scimind.embed.files import check_target, read_sequences, write_vectors
from scimind.embed.sequences import EmbeddingSettings, sequence_ids
from scimind.errors import DataError, SciMindError
from scimind.tokenizer import TokenCodec

CODEC = TokenCodec()


@pytest.mark.parametrize(
    ("modality", "sequence", "tokens"),
    [
        ("smiles", "CCO", ["{|C|}", "{|C|}", "{|O|}"]),
        ("dna", "acgt", None),
        ("protein", "MKV", ["<|M|>", "<|K|>", "<|V|>"]),
    ],
)
def test_a_sequence_becomes_a_token_for_each_character(modality: str, sequence: str, tokens: list[str] | None) -> None:
    ids = sequence_ids(CODEC, sequence, EmbeddingSettings(modality), 100)
    assert ids[0] == CODEC.bos_id and len(ids) == len(sequence) + 1
    assert tokens is None or [CODEC.token(token) for token in ids[1:]] == tokens


@pytest.mark.parametrize(
    ("modality", "sequence", "reason"),
    [
        ("smiles", "CC(C", "ends too early"),
        ("smiles", "CC)C", r"position 2 \('\)'\) does not fit"),
        ("smiles", "CC(C)(C)(C)C", "does not fit"),
        ("dna", "ACNT", "letter 'N' at position 2"),
        ("protein", "MK1", "letter '1' at position 2"),
        ("smiles", "", "empty"),
        ("smiles", None, "empty"),
        ("smiles", "C" * 100, "has 101 tokens, and the model's seq_length is 100"),
    ],
)
def test_a_faulty_sequence_is_named_with_its_position(modality: str, sequence: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        sequence_ids(CODEC, sequence, EmbeddingSettings(modality), 100)


def test_settings_name_what_is_known() -> None:
    with pytest.raises(SciMindError, match=r"modality \('smile'\) must be one of smiles, protein, dna, rna, text"):
        EmbeddingSettings("smile")
    with pytest.raises(SciMindError, match=r"pooling \('max'\) must be one of mean, last"):
        EmbeddingSettings(pooling="max")


def test_a_table_keeps_the_place_of_every_row_and_names_unreadable_ones(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,my smiles,y\na,CCO,1\nb,,2\nc,CC(C,3\nd,CCN,4\n")
    found = read_sequences(tmp_path / "x.csv", "my smiles", CODEC, EmbeddingSettings(), 100)
    assert found.ids == ["a", "b", "c", "d"] and found.readable == [0, 3]
    assert [fault.split("x.csv:")[1].split(":")[0] for fault in found.faults] == ["3", "4"]
    (tmp_path / "bad.csv").write_text("id,smiles\na,CC(C\n")
    with pytest.raises(DataError, match="none of the 1 sequences can be read"):
        read_sequences(tmp_path / "bad.csv", None, CODEC, EmbeddingSettings(), 100)
    with pytest.raises(DataError, match="structure"):
        read_sequences(tmp_path / "x.csv", "structure", CODEC, EmbeddingSettings(), 100)


def test_vectors_are_written_whole_in_both_formats(tmp_path: Path) -> None:
    import pyarrow.parquet

    vectors = np.array([[1, 2], [np.nan, np.nan], [3, 4]], np.float32)
    for suffix in ("npy", "parquet"):
        write_vectors(tmp_path / f"x.{suffix}", ["a", "b", "c"], vectors)
    assert np.array_equal(np.load(tmp_path / "x.npy"), vectors, equal_nan=True)
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pydict()
    assert table == {"id": ["a", "b", "c"], "vector": [[1, 2], None, [3, 4]]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "x.parquet"]
    with pytest.raises(DataError, match=r"must end in \.npy or \.parquet"):
        check_target(tmp_path / "x.csv")
