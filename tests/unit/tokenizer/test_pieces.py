from __future__ import annotations

import io
from pathlib import Path

import pytest
import sentencepiece

from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.codec import BUILT_IN_MODEL
from scimind.tokenizer.pieces import TextPieces


def trained(path: Path, **settings: object) -> Path:
    """Writes a tiny model that breaks one of the conventions."""
    model = io.BytesIO()
    defaults: dict[str, object] = {"model_type": "bpe", "vocab_size": 300, "byte_fallback": True, "minloglevel": 2}
    lines = iter(["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"] * 20)
    settings = {**defaults, **settings}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=model, **settings)
    path.write_bytes(model.getvalue())
    return path


@pytest.mark.parametrize("text", ["", " ", "a", "  two  spaces ", "\n", "\0", "é🧪分\tz", "12 34.5", "x\u00a0y"])
def test_text_comes_back(text: str) -> None:
    pieces = TextPieces(BUILT_IN_MODEL)
    assert pieces.decode(pieces.encode(text)) == text


def test_spans_of_bytes_and_of_the_leading_space() -> None:
    pieces = TextPieces(BUILT_IN_MODEL)
    ids = pieces.encode("🧪a")
    assert [pieces.piece(i) for i in ids] == ["▁", "<0xF0>", "<0x9F>", "<0xA7>", "<0xAA>", "a"]
    assert pieces.spans("🧪a", ids) == [(0, 0), (0, 1), (0, 1), (0, 1), (0, 1), (1, 2)]


def test_a_missing_file_and_a_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(SciMindError, match="no.model: No such file"):
        TokenCodec(tmp_path / "no.model")
    for content in (b"", b"not a model"):
        (tmp_path / "wrong.model").write_bytes(content)
        with pytest.raises(SciMindError, match="wrong.model"):
            TokenCodec(tmp_path / "wrong.model")


def test_a_model_without_byte_fallback(tmp_path: Path) -> None:
    with pytest.raises(SciMindError, match="no byte fallback"):
        TextPieces(trained(tmp_path / "a.model", byte_fallback=False, vocab_size=60))


def test_a_model_with_other_special_ids(tmp_path: Path) -> None:
    with pytest.raises(SciMindError, match="at 0, 1, 2"):
        TextPieces(trained(tmp_path / "a.model", pad_id=0, unk_id=1, bos_id=2, eos_id=3))


def test_offsets_need_text_that_is_not_normalised(tmp_path: Path) -> None:
    pieces = TextPieces(trained(tmp_path / "a.model", normalization_rule_name="nfkc", remove_extra_whitespaces=True))
    with pytest.raises(SciMindError, match="normalises"):
        pieces.spans("the   fox", pieces.encode("the   fox"))


def test_a_model_whose_pieces_are_not_text_and_a_device_are_refused(tmp_path: Path) -> None:
    content = BUILT_IN_MODEL.read_bytes()
    piece = TextPieces(BUILT_IN_MODEL).piece(400).encode()
    assert b"\n" + bytes([len(piece)]) + piece in content
    (tmp_path / "x.model").write_bytes(content.replace(piece, b"\xff" * len(piece), 1))
    for path in (tmp_path / "x.model", Path("/dev/zero")):
        with pytest.raises(SciMindError, match="tokenizer model .*(is not a SentencePiece model|is a device)"):
            TextPieces(path)
