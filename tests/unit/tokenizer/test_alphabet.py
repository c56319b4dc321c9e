from __future__ import annotations

import string

from scimind.tokenizer.alphabet import (
    EXTENSION_CHARACTERS,
    NUCLEOTIDE_CHARACTERS,
    PROTEIN_CHARACTERS,
    SMILES_CHARACTERS,
    TAG_CHARACTERS,
    TAG_MODALITIES,
    added_tokens,
    modality_ranges,
    token_form,
)

ELEMENTS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo
Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl
Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
""".split()  # noqa: SIM905 - a list of 118 quoted names hides what is there


def test_sizes_and_uniqueness() -> None:
    assert [len(t) for t in (SMILES_CHARACTERS, NUCLEOTIDE_CHARACTERS, PROTEIN_CHARACTERS)] == [66, 5, 27]
    assert len(added_tokens(extension=False)) == 98
    tokens = added_tokens(extension=True)
    assert len(set(tokens)) == len(tokens) == 98 + len(EXTENSION_CHARACTERS)
    assert len({token_form(*token) for token in tokens}) == len(tokens)


def test_forms() -> None:
    assert token_form("smiles", "C") == "{|C|}"
    assert token_form("nucleotide", "G") == "*|G|*"
    assert token_form("protein", "L") == "<|L|>"


def test_extension_is_just_what_smiles_lacks() -> None:
    allowed = (
        set("".join(ELEMENTS)) | set("bcnopsase") | set(string.digits) | set("-=#$:/\\.()[]@+%*~>") | set("THALSPBO")
    )
    assert len(ELEMENTS) == 118
    assert allowed - set(SMILES_CHARACTERS) == set(EXTENSION_CHARACTERS)


def test_ranges_cover_the_tokens_in_order() -> None:
    for extension in (False, True):
        ranges = modality_ranges(1000, extension)
        owner = {i: name for name, pairs in ranges.items() for start, stop in pairs for i in range(start, stop)}
        assert [owner[i] for i in sorted(owner)] == [modality for modality, _ in added_tokens(extension)]
        assert sorted(owner) == list(range(1000, 1000 + len(added_tokens(extension))))


def test_tags_accept_characters_of_their_modality() -> None:
    for tag, characters in TAG_CHARACTERS.items():
        for character in characters:
            assert (TAG_MODALITIES[tag], character) in added_tokens(extension=True)
