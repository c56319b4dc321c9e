from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import sentencepiece

from scimind.tokenizer.codec import BUILT_IN_MODEL
from scimind.tokenizer.pieces import TextPieces

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "build_tokenizer.py"
LEXICON = ROOT / "scripts" / "tokenizer_lexicon.txt"


def build(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)


def test_equal_input_gives_an_equal_model(tmp_path: Path) -> None:
    turn = "Please describe the molecule: {|C|}{|C|}{|O|}"
    record = {
        "id": "1",
        "conversation": [{"from": "human", "value": turn}, {"from": "gpt", "value": "It is zzyzx ether."}],
    }
    (tmp_path / "sample.json").write_text(json.dumps([record] * 50))
    for name in ("a.model", "b.model"):
        done = build("--sample", tmp_path / "sample.json", "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()
    pieces = TextPieces(tmp_path / "a.model")
    assert pieces.size == 2000
    assert pieces.find("▁zzyzx") > 0, "the captions were not read"
    assert not any("{|" in pieces.piece(index) for index in range(pieces.size)), "molecules must stay out of the text"


def test_a_missing_sample_is_reported(tmp_path: Path) -> None:
    done = build("--sample", tmp_path / "no.json", "--output", tmp_path / "a.model")
    assert done.returncode == 2 and "no.json is missing" in done.stderr


def test_the_shipped_model() -> None:
    assert BUILT_IN_MODEL.stat().st_size < 100_000
    processor = sentencepiece.SentencePieceProcessor(model_file=str(BUILT_IN_MODEL))
    assert [processor.id_to_piece(i) for i in (0, 1, 2, 3, 258)] == ["<unk>", "<s>", "</s>", "<0x00>", "<0xFF>"]
    assert processor.pad_id() == -1
    for words in ("The molecule is", "an aromatic ring", "Please describe"):
        assert len(processor.encode(words)) == len(words.split())
    assert processor.encode("150", out_type=str)[-3:] == ["1", "5", "0"]
    for code in range(33, 127):
        assert processor.piece_to_id(chr(code)) > 0, f"{chr(code)!r} has no separate piece"


def test_the_lexicon_is_large_enough() -> None:
    lines = [line for line in LEXICON.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len({word.lower() for line in lines for word in line.split()}) > 1500
