r"""The added tokens, one for every character of molecules, nucleic acids and proteins, in order of their ids.

An added token is written as its character between the brackets of its modality, `{|C|}`, `*|G|*` or `<|L|>`, so that
the same letter can be three tokens. The order is that of the published model, on which its checkpoints depend.
"""

from __future__ import annotations

SMILES_CHARACTERS = (
    r"C 1 ( O c 2 ) N = # 3 . l n - s S [ @ H ] / \ o A + 4 5 6 B r I M 0 d F G e i T P 7 a K 8 9 u g U R % h t W D y Z"
    " b E L f Y V X p m"
).replace(" ", "")
NUCLEOTIDE_CHARACTERS = "GACTU"
PROTEIN_CHARACTERS = "LAGVSERTIDPKQNFYMHWCXBUZO.-"

# Characters that SMILES allows but the 66 above lack. In OpenSMILES: the aromatic and the quadruple bond (: $), the
# wildcard atom (*), and two letters of element symbols, the k of Bk and the v of Lv; all digits, aromatic symbols and
# chirality classes are above. In common dialects: any bond (~), and the > of reactions and dative bonds. New characters
# may only be appended.
EXTENSION_CHARACTERS = ":*$~>kv"

BASE_MODALITIES = {
    "smiles": SMILES_CHARACTERS,
    "nucleotide": NUCLEOTIDE_CHARACTERS,
    "protein": PROTEIN_CHARACTERS,
}

BRACKETS = {"smiles": ("{|", "|}"), "nucleotide": ("*|", "|*"), "protein": ("<|", "|>")}

# The tags for sequences, with the modality of their tokens and the characters that each accepts. DNA and RNA share the
# nucleotide tokens, and a T in RNA (or a U in DNA) is more likely a mistake than intended.
TAG_MODALITIES = {"smiles": "smiles", "protein": "protein", "dna": "nucleotide", "rna": "nucleotide"}
TAG_CHARACTERS = {
    "smiles": SMILES_CHARACTERS + EXTENSION_CHARACTERS,
    "protein": PROTEIN_CHARACTERS,
    "dna": "ACGT",
    "rna": "ACGU",
}


def token_form(modality: str, character: str) -> str:
    """Returns an added token as it is written in text, such as `{|C|}` for the C of SMILES."""
    opening, closing = BRACKETS[modality]
    return f"{opening}{character}{closing}"


def added_tokens(extension: bool) -> list[tuple[str, str]]:
    """Returns (modality, character) for every added token, in order of their ids.

    Args:
        extension: Whether the characters missing from the published tokenizer follow after its 98.
    """
    tokens = [(modality, character) for modality, characters in BASE_MODALITIES.items() for character in characters]
    return tokens + [("smiles", character) for character in EXTENSION_CHARACTERS if extension]


def modality_ranges(base_size: int, extension: bool) -> dict[str, list[list[int]]]:
    """Returns the half-open id ranges of the three modalities.

    Args:
        base_size: Number of tokens of the SentencePiece vocabulary, which is the id of the first added token.
        extension: As for `added_tokens`; it gives SMILES a second range.
    """
    ranges: dict[str, list[list[int]]] = {}
    start = base_size
    for modality, characters in BASE_MODALITIES.items():
        ranges[modality] = [[start, start + len(characters)]]
        start += len(characters)
    if extension:
        ranges["smiles"].append([start, start + len(EXTENSION_CHARACTERS)])
    return ranges
