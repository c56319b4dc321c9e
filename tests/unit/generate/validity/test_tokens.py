import pytest

from scimind.generate.validity.molecules import MoleculeRule
from scimind.generate.validity.sequences import SequenceRule
from scimind.generate.validity.tokens import DecodedTokens, SequenceTokens, TextTokens
from scimind.tokenizer import TokenCodec


@pytest.fixture(scope="module")
def codec() -> TokenCodec:
    return TokenCodec()


def walk(rule, ids):
    state = rule.start()
    for token in ids:
        state = rule.extend(state, token)
        if state is None:
            return None
    return state


def encode(codec: TokenCodec, text: str) -> list[int]:
    return codec.encode(text, bos=False)


def test_an_answer_of_one_molecule_is_spelled_with_the_tokens_of_smiles(codec: TokenCodec) -> None:
    rule = SequenceTokens.of(MoleculeRule(), codec, "smiles")
    state = walk(rule, encode(codec, "<smiles>c1ccccc1Cl</smiles>"))
    assert state is not None and rule.accepts(state) and rule.shortest_end(state) == 0
    assert walk(rule, encode(codec, "CCO")) is None, "text that looks like a molecule"
    assert walk(rule, encode(codec, "<protein>CC</protein>")) is None
    assert set(encode(codec, "<smiles>C[C@@H](N)Cl</smiles>")) <= set(rule.tokens)


def test_closings_are_tokens(codec: TokenCodec) -> None:
    rule = SequenceTokens.of(MoleculeRule(), codec, "smiles")
    start = encode(codec, "<smiles>C1CC(</smiles>")
    closing = list(next(rule.closings(walk(rule, start), 8)))
    assert codec.decode(start + closing) == "C1CC(C)1" or rule.accepts(walk(rule, start + closing))


def test_molecules_within_text_obey_their_rule(codec: TokenCodec) -> None:
    rule = TextTokens.of({"smiles": MoleculeRule(), "protein": SequenceRule("protein")}, codec)
    whole = encode(codec, "It is <smiles>CCO</smiles>, not <smiles>c1ccccc1</smiles>.")
    state = walk(rule, whole)
    assert state is not None and rule.accepts(state)
    assert rule.key(state) == tuple(whole)
    assert walk(rule, encode(codec, "It is <smiles>CC(</smiles>, not")) is None
    assert walk(rule, encode(codec, "<protein>MKV</protein><smiles>CC</smiles>")) is not None
    assert walk(rule, encode(codec, "<dna>ACGT</dna>")) is None, "no rule for nucleotides"
    open_ring = walk(rule, encode(codec, "It is <smiles>C1CC</smiles>"))
    assert open_ring is not None and not rule.accepts(open_ring) and rule.shortest_end(open_ring) == 1
    ending = list(next(rule.closings(open_ring, 4)))
    assert rule.accepts(walk(rule, [*encode(codec, "It is <smiles>C1CC</smiles>"), *ending]))
    assert not rule.accepts(rule.start())
    assert walk(rule, [codec.bos_id]) is None


def test_text_in_words_alone_is_accepted(codec: TokenCodec) -> None:
    rule = TextTokens.of({"smiles": MoleculeRule()}, codec)
    state = walk(rule, encode(codec, "An alcohol (of two carbons)."))
    assert state is not None and rule.accepts(state)
    assert list(rule.closings(state, 0)) == [[]]


class Yes:
    """A user's rule: the answer is "yes" or "yes!"."""

    def accepts_prefix(self, text: str) -> bool:
        return "yes!".startswith(text)

    def accepts(self, text: str) -> bool:
        return text in ("yes", "yes!")


def test_a_users_rule_judges_the_decoded_text(codec: TokenCodec) -> None:
    rule = DecodedTokens(Yes(), codec.decode)
    state = walk(rule, encode(codec, "yes"))
    assert state is not None and rule.accepts(state) and rule.key(state) == "yes"
    assert walk(rule, encode(codec, "no")) is None
    assert not rule.accepts(rule.start())
