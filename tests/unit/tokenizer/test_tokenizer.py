from __future__ import annotations

import copy
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from scimind.errors import CheckpointError, SciMindError, TokenError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens, token_form
from scimind.tokenizer.codec import BUILT_IN_MODEL
from tests.unit.tokenizer.test_codec import valid_random_texts

pytest.importorskip("mindformers", reason="MindFormers is not installed")

from mindformers.models.build_tokenizer import build_tokenizer
from mindformers.models.llama import LlamaTokenizer
from mindformers.models.tokenization_utils import AddedToken

from scimind.tokenizer.tokenizer import SciMindTokenizer

TEXT = "Is <smiles>C:O</smiles> (é🧪) a <protein>MK</protein>?"


@pytest.fixture(scope="module")
def tokenizer() -> SciMindTokenizer:
    return SciMindTokenizer()


def llama_with_added_tokens() -> Any:
    """Returns MindFormers' own tokenizer with the 98 tokens, which drop the white space next to them."""
    oracle = LlamaTokenizer(str(BUILT_IN_MODEL))
    for token in added_tokens(extension=False):
        oracle.add_tokens([AddedToken(token_form(*token), lstrip=True, rstrip=True)])
    return oracle


def test_ids_are_the_codecs(tokenizer: SciMindTokenizer, codec: TokenCodec) -> None:
    for text in [TEXT, "", " ", "x</s> <s>", r"\{|C|}", *valid_random_texts(codec, 300)]:
        assert tokenizer(text)["input_ids"] == codec.encode(text)
        assert tokenizer.encode(text, add_special_tokens=False) == codec.encode(text, bos=False)


def test_ids_are_those_of_llamas_tokenizer_with_added_tokens() -> None:
    oracle, codec, draw = llama_with_added_tokens(), TokenCodec(extension=False), random.Random(3)
    scraps = [
        *(token_form(*token) for token in added_tokens(extension=False)),
        *["a", "b", "{|?|}", "{|", "|}", "*|", "<|", "ring"],
        " ",
        "\n",
        "  ",
    ]
    for _ in range(300):
        text = "".join(draw.choices(scraps, k=draw.randint(1, 15)))
        assert codec.encode(text) == oracle(text)["input_ids"], text


def test_vocabulary(tokenizer: SciMindTokenizer, codec: TokenCodec) -> None:
    assert len(tokenizer) == tokenizer.vocab_size == codec.vocab_size
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(codec.vocab_size))
    assert vocabulary["{|C|}"] == codec.base_size and tokenizer.convert_tokens_to_ids(["*|U|*"]) == [
        codec.base_size + 70
    ]
    assert tokenizer.convert_ids_to_tokens([1, codec.base_size]) == ["<s>", "{|C|}"]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id) == (
        1,
        2,
        0,
        0,
    )


def test_decoding(tokenizer: SciMindTokenizer) -> None:
    ids = tokenizer(TEXT)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Is C:O (é🧪) a MK?"
    assert tokenizer.decode(ids, skip_special_tokens=True, tags=True) == TEXT
    assert tokenizer.decode(ids) == "<s>Is C:O (é🧪) a MK?"
    assert tokenizer.batch_decode([ids, ids], skip_special_tokens=True) == ["Is C:O (é🧪) a MK?"] * 2
    assert tokenizer.decode(ids[3], skip_special_tokens=True) == ":"
    assert tokenizer.convert_tokens_to_string(tokenizer.tokenize(TEXT)) == "Is C:O (é🧪) a MK?"


def test_padding_truncation_and_special_tokens(tokenizer: SciMindTokenizer, codec: TokenCodec) -> None:
    batch = tokenizer([TEXT, "a"], padding=True, return_tensors="np")
    assert batch["input_ids"].shape == (2, len(codec.encode(TEXT))) and batch["attention_mask"][1].sum() == 2
    assert tokenizer(TEXT, max_length=5, truncation=True)["input_ids"] == codec.encode(TEXT)[:5]
    closing = SciMindTokenizer(add_bos_token=False, add_eos_token=True)
    assert closing(TEXT)["input_ids"] == codec.encode(TEXT, bos=False, eos=True)


def test_errors_pass_through(tokenizer: SciMindTokenizer) -> None:
    with pytest.raises(TokenError, match="'!' at position 9"):
        tokenizer("<smiles>C!</smiles>")


def test_the_vocabulary_is_fixed(tokenizer: SciMindTokenizer) -> None:
    with pytest.raises(SciMindError, match="'brand-new'"):
        tokenizer.add_tokens(["brand-new"])
    with pytest.raises(SciMindError, match="'<pad>'"):
        SciMindTokenizer(pad_token="<pad>")


def test_save_and_load(tmp_path: Path) -> None:
    saved = SciMindTokenizer(extension=False, add_eos_token=True, model_max_length=77)
    paths = saved.save_pretrained(tmp_path)
    assert sorted(Path(path).name for path in paths) == [
        "scimind_tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ]
    loaded = SciMindTokenizer.from_pretrained(tmp_path)
    assert loaded.codec.extension is False and loaded.model_max_length == 77
    assert loaded("<smiles>C</smiles>")["input_ids"] == [1, 2000, 2]
    assert SciMindTokenizer.from_pretrained(str(tmp_path), add_eos_token=False)("a")["input_ids"][-1] != 2
    # A configuration names the model file, but the settings saved next to it still count.
    assert SciMindTokenizer(tmp_path / "tokenizer.model").codec.extension is False
    (tmp_path / "tokenizer.model").write_bytes(BUILT_IN_MODEL.read_bytes()[:-1])
    for load in (
        lambda: SciMindTokenizer.from_pretrained(tmp_path),
        lambda: SciMindTokenizer(tmp_path / "tokenizer.model"),
    ):
        with pytest.raises(CheckpointError):
            load()
    with pytest.raises(SciMindError, match="nowhere"):
        SciMindTokenizer.from_pretrained(tmp_path / "nowhere")


def test_a_codecs_folder_is_a_tokenizers_folder(tmp_path: Path, codec: TokenCodec) -> None:
    codec.save(tmp_path)
    assert SciMindTokenizer.from_pretrained(tmp_path)(TEXT)["input_ids"] == codec.encode(TEXT)


def test_mindformers_builds_it_by_name(codec: TokenCodec) -> None:
    built = build_tokenizer({"type": "SciMindTokenizer", "vocab_file": None})
    assert type(built) is SciMindTokenizer and built(TEXT)["input_ids"] == codec.encode(TEXT)


def test_copies(tokenizer: SciMindTokenizer) -> None:
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin(TEXT)["input_ids"] == tokenizer(TEXT)["input_ids"]
