from __future__ import annotations

import csv
import pickle
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from scimind.errors import SciMindError, TokenError
from scimind.modality import modality_of, modality_table
from scimind.tokenizer import TokenCodec
from tests.support.shared import shared_file

WORDS = [
    "The molecule",
    "is",
    "an acid",
    "é ü",
    "分子",
    "🧪",
    "\n",
    "\t",
    "  ",
    " ",
    "(",
    ")",
    ".",
    ", not",
    "α-D",
    "12.5",
    "\\",
    "\\n",
    "\0",
    "x",
]
LOOKALIKES = ["{|C|}", "<|q|>", "*|T|*", "<smiles>", "</rna>", "{|:|}", "<s>", "</s>", "{|", "|}", "<0x0A>"]
SEQUENCES = {
    "smiles": ["CCO", r"F/C=C\F", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "c1cc:c:cc1*", r"C\C"],
    "protein": ["MKV", "ACDEFGHIKLMNPQRSTVWYXBUZO.-"],
    "dna": ["ACGT", "GGA"],
    "rna": ["ACGU", "UUU"],
}


def random_text(draw: random.Random) -> str:
    parts = []
    for _ in range(draw.randint(1, 8)):
        kind = draw.random()
        if kind < 0.5:
            parts.append(TokenCodec.escape("".join(draw.choices(WORDS, k=draw.randint(1, 4)))))
        elif kind < 0.65:
            parts.append(TokenCodec.escape(draw.choice(LOOKALIKES)))
        elif kind < 0.9:
            tag = draw.choice(list(SEQUENCES))
            parts.append(TokenCodec.wrap(draw.choice(SEQUENCES[tag]), tag))
        else:
            parts.append(draw.choice(["{|C|}", "*|G|*", "*|T|*", "*|U|*", "<|L|>", r"{|\|}"]))
    return draw.choice([" ", "", "\n"]).join(parts)


def valid_random_texts(codec: TokenCodec, count: int) -> list[str]:
    """Returns random texts that can be encoded; fragments that happen to join to a tag are left out."""
    draw = random.Random(11)
    found: list[str] = []
    while len(found) < count:
        text = random_text(draw)
        try:
            codec.encode(text)
        except TokenError:
            continue
        found.append(text)
    return found


def test_sizes(codec: TokenCodec) -> None:
    plain = TokenCodec(extension=False)
    assert codec.base_size == plain.base_size == 2000
    assert plain.vocab_size == 2098 and codec.vocab_size == 2105
    assert plain.padded_vocab_size() == codec.padded_vocab_size() == 2112
    assert codec.padded_vocab_size(1) == 2105 and codec.padded_vocab_size(2105) == 2105
    assert (codec.unk_id, codec.bos_id, codec.eos_id, codec.pad_id) == (0, 1, 2, 0)
    assert codec.modality_ranges["smiles"] == [[2000, 2066], [2098, 2105]]
    assert plain.modality_ranges == {"smiles": [[2000, 2066]], "nucleotide": [[2066, 2071]], "protein": [[2071, 2098]]}
    with pytest.raises(SciMindError, match="multiple"):
        codec.padded_vocab_size(0)


def test_tags_and_forms_give_the_same_ids(codec: TokenCodec) -> None:
    assert codec.encode("Is <dna>ACGT</dna> ok?") == codec.encode("Is *|A|**|C|**|G|**|T|* ok?")
    assert codec.encode("<smiles>C:*</smiles>", bos=False) == codec.encode("{|C|}{|:|}{|*|}", bos=False)
    assert codec.encode("<protein>MK.</protein>") == codec.encode(" <|M|> <|K|>\n<|.|> ")


def test_ids_say_the_modality(codec: TokenCodec) -> None:
    ids = codec.encode("a <smiles>C:</smiles> <rna>ACGU</rna> <protein>ACG</protein>", eos=True)
    table = modality_table(codec.padded_vocab_size(), codec.modality_ranges)
    assert modality_of(ids, table).tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 0]


def test_specials_come_only_when_asked_for(codec: TokenCodec) -> None:
    assert codec.encode("") == [1] and codec.encode("", bos=False) == [] and codec.encode("", eos=True) == [1, 2]
    assert not {0, 1, 2} & set(codec.encode("<s> a </s> <unk>", bos=False))


@pytest.mark.parametrize(
    ("text", "character", "position", "message"),
    [
        ("see <smiles>CC!O</smiles>", "!", 14, "'!' at position 14 has no token in <smiles>"),
        ("<smiles> CC O</smiles>", " ", 11, "remove the white space"),
        ("<dna>ACGU</dna>", "U", 8, "<dna> may only contain A, C, G, T"),
        ("<rna>ACGT</rna>", "T", 8, "<rna> may only contain A, C, G, U"),
        ("<protein>MKv</protein>", "v", 11, "in <protein>; correct the sequence"),
        ("<smiles>{|C|}</smiles>", "{", 8, "'{' at position 8"),
        ("é🧪 <smiles>C?</smiles>", "?", 12, "position 12"),
        ("half \ud83e here", "\ud83e", 5, "half a surrogate pair"),
        ("\\<dna> then \udc00", "\udc00", 12, "position 12"),
    ],
)
def test_a_character_without_a_token_is_named(
    codec: TokenCodec, text: str, character: str, position: int, message: str
) -> None:
    for encode in (codec.encode, codec.encode_with_offsets):
        with pytest.raises(TokenError, match=message) as caught:
            encode(text)
        assert (caught.value.character, caught.value.position) == (character, position)
        assert "\n" not in str(caught.value)


def test_without_the_extension_its_characters_are_errors() -> None:
    with pytest.raises(TokenError, match="use a tokenizer with the extension"):
        TokenCodec(extension=False).encode("<smiles>C:C</smiles>")


def test_decoding(codec: TokenCodec) -> None:
    text = "Is <smiles>CCO</smiles> (not <protein>MK</protein>) like <rna>AU</rna>, or <dna>A</dna>?"
    ids = codec.encode(text, eos=True)
    assert codec.decode(ids, tags=True) == text
    assert codec.decode(ids) == "Is CCO (not MK) like AU, or A?"
    assert codec.decode(np.array(ids)) == codec.decode(ids)  # type: ignore[arg-type]
    assert codec.decode(codec.encode(r"<smiles>F/C=C\F</smiles>")) == r"F/C=C\F"
    assert codec.decode([]) == codec.decode([1, 2, 0, 0]) == ""
    assert codec.decode(codec.encode("<smiles>C(</smiles><protein>.M</protein>")) == "C( .M"


def test_decoding_special_tokens(codec: TokenCodec) -> None:
    ids = codec.encode("a <smiles>C</smiles>", eos=True) + codec.encode("<smiles>O</smiles> b", eos=True) + [0]
    assert codec.decode(ids) == "a C O b"
    assert codec.decode(ids, skip_special=False) == "<s>a C</s><s>O b</s><unk>"
    assert codec.decode(ids, tags=True) == "a <smiles>C</smiles><smiles>O</smiles> b"
    rounds = codec.encode("one", eos=True) + codec.encode("two", eos=True)
    assert codec.decode(rounds) == "one two"


def test_nucleotides_of_both_kinds_decode_to_forms(codec: TokenCodec) -> None:
    ids = codec.encode("*|A|**|U|* *|T|*")
    assert codec.decode(ids) == "AUT"
    assert codec.decode(ids, tags=True) == "*|A|**|U|**|T|*"


@pytest.mark.parametrize("wrong", [-1, -100, 2105, 2111])
def test_decoding_an_id_outside_the_vocabulary(codec: TokenCodec, wrong: int) -> None:
    with pytest.raises(TokenError, match=f"id \\({wrong}\\)"):
        codec.decode([1, wrong])
    with pytest.raises(TokenError):
        codec.token(wrong)


def test_runs_of_forms(codec: TokenCodec) -> None:
    plain = TokenCodec(extension=False)
    assert codec.encode("{|C|}{|:|}{|O|}<|M|><|K|>*|A|*", bos=False) == codec.encode(
        "<smiles>C:O</smiles> <protein>MK</protein> <dna>A</dna>", bos=False
    )
    lacking = plain.encode("{|C|}{|:|}{|O|}", bos=False)
    assert lacking == [
        *plain.encode("{|C|}", bos=False),
        *plain.encode(r"\{|:|}", bos=False),
        *plain.encode("{|O|}", bos=False),
    ]
    found = codec.encode_with_offsets(r"\{|C|}{|N|}{|O|} x", bos=False)
    assert found.offsets[-3:-1] == [(6, 11), (11, 16)]


def test_what_encode_gives_decodes_to_text_that_encodes_the_same(codec: TokenCodec) -> None:
    for text in valid_random_texts(codec, 3000):
        ids = codec.encode(text)
        decoded = codec.decode(ids, tags=True)
        assert codec.encode(decoded) == ids, (text, decoded)


def test_escaped_text_decodes_to_itself(codec: TokenCodec) -> None:
    draw = random.Random(5)
    for _ in range(2000):
        text = "".join(draw.choices(WORDS + LOOKALIKES, k=draw.randint(1, 10)))
        assert codec.decode(codec.encode(codec.escape(text))) == text


def test_offsets_show_what_each_token_represents(codec: TokenCodec) -> None:
    text = r" Is \{|C|} é🧪 <smiles> C:O </smiles> *|U|*  so?"
    encoding = codec.encode_with_offsets(text, eos=True)
    assert encoding.ids == codec.encode(text, eos=True)
    shown = [(codec.token(i), text[a:b]) for i, (a, b) in zip(encoding.ids, encoding.offsets, strict=True)]
    assert shown[0] == ("<s>", "") and shown[-1] == ("</s>", "") and encoding.offsets[-1] == (len(text), len(text))
    assert ("{|:|}", ":") in shown and ("*|U|*", "*|U|*") in shown
    assert shown.count(("<0xF0>", "🧪")) == shown.count(("<0xAA>", "🧪")) == 1
    assert ("{", r"\{") in shown


def test_offsets_spell_the_text(codec: TokenCodec) -> None:
    for text in valid_random_texts(codec, 1000):
        encoding = codec.encode_with_offsets(text)
        assert encoding.ids == codec.encode(text)
        assert encoding.offsets == sorted(encoding.offsets)
        for index, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True):
            assert 0 <= start <= stop <= len(text)
            token, given = codec.token(index), text[start:stop]
            if index >= codec.base_size:
                assert given in (token, token[2:-2])
            elif index > 2 and not token.startswith("<0x") and "\\" not in given:
                spelled = token.replace("▁", " ")
                assert given in (spelled, spelled[1:] if spelled[0] == " " else spelled)


def test_batches(codec: TokenCodec) -> None:
    texts = ["<smiles>CCO</smiles>", "", "<smiles>CCCCCC</smiles>"]
    right = codec.encode_batch(texts)
    assert right.input_ids.dtype == right.attention_mask.dtype == right.lengths.dtype == np.int32
    assert right.input_ids.shape == (3, 7) and right.lengths.tolist() == [4, 1, 7]
    assert right.attention_mask.sum(1).tolist() == [4, 1, 7]
    left = codec.encode_batch(texts, eos=True, max_length=3, pad_to=6, side="left")
    assert left.input_ids[0].tolist() == [0, 0, 0, *codec.encode(texts[0])[:3]]
    assert left.attention_mask[1].tolist() == [0, 0, 0, 0, 1, 1] and left.input_ids[1].tolist() == [0, 0, 0, 0, 1, 2]
    assert codec.encode_batch([]).input_ids.shape == (0, 0)
    assert codec.encode_batch([], pad_to=4).input_ids.shape == (0, 4)


@pytest.mark.parametrize("side", ["right", "left"])
def test_batches_are_the_same_over_processes(codec: TokenCodec, monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    monkeypatch.setattr("scimind.tokenizer.batch._TEXTS_AT_ONCE", 50)
    texts = valid_random_texts(codec, 400)
    one, two = (codec.encode_batch(texts, eos=True, max_length=40, side=side, workers=n) for n in (1, 2))  # type: ignore[arg-type]
    for name in ("input_ids", "attention_mask", "lengths"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for row, mask, text in zip(one.input_ids, one.attention_mask, texts, strict=True):
        assert row[mask == 1].tolist() == codec.encode(text, eos=True)[:40]
    with pytest.raises(TokenError, match="'!' at position 9"):
        codec.encode_batch([*texts, "<smiles>C!</smiles>"], workers=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers"),
        ({"max_length": 0}, "max_length"),
        ({"pad_to": -1}, "pad_to"),
        ({"pad_to": 3}, r"\(4\)"),
        ({"side": "up"}, "side"),
    ],
)
def test_batch_faults(codec: TokenCodec, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SciMindError, match=message):
        codec.encode_batch(["<smiles>CCO</smiles>"], **arguments)  # type: ignore[arg-type]


def test_wrapping() -> None:
    assert TokenCodec.wrap("ACGU", "rna") == "<rna>ACGU</rna>"
    with pytest.raises(SciMindError, match="smiles, protein, dna, rna"):
        TokenCodec.wrap("C", "nucleotide")


def test_tokens_by_name(codec: TokenCodec) -> None:
    assert all(codec.token_id(codec.token(index)) == index for index in range(codec.vocab_size))
    assert codec.token_id("no such piece") == codec.unk_id


def test_a_codec_can_be_sent_to_another_process(codec: TokenCodec) -> None:
    copy = pickle.loads(pickle.dumps(codec))
    assert copy.encode("a <smiles>C</smiles>") == codec.encode("a <smiles>C</smiles>")


def test_encoding_is_fast(codec: TokenCodec) -> None:
    record = "The molecule is an aromatic acid with two rings. " * 4 + "<smiles>" + "CC(=O)Oc1ccccc1" * 5 + "</smiles>"
    began = time.process_time()
    for _ in range(10_000):
        codec.encode(record)
    assert time.process_time() - began < 10


def test_every_molecule_of_chebi20_has_its_tokens(codec: TokenCodec) -> None:
    with shared_file("data/chebi20/validation.txt").open(encoding="utf-8", newline="") as file:
        molecules = [
            row["SMILES"].replace("\\\\", "\\") for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    assert len(molecules) == 3301
    for molecule in molecules:
        ids = codec.encode(codec.wrap(molecule, "smiles"), bos=False)
        assert len(ids) == len(molecule) and min(ids) >= codec.base_size
        assert codec.decode(ids) == molecule


def test_the_codec_loads_no_mindspore() -> None:
    loaded = "[m for m in sys.modules if m.split('.')[0] in ('mindspore', 'mindformers')]"
    script = f"import sys, scimind.tokenizer, scimind.modality; print({loaded})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
