r"""The pieces from which sample molecules are assembled, each written by hand.

A slot `{c}` marks a place where something can be attached; its letter is the kind of atom there, so that only stable
bonds are made: `c` aromatic carbon, `C` saturated carbon, `N` saturated nitrogen, `n` aromatic nitrogen. A piece
that is attached begins with the atom that makes the bond. Ring digits 1 and 2 are used in every ring and renumbered on
assembly.
"""

from __future__ import annotations

from typing import NamedTuple

AROMATIC_RINGS = (
    "c1({c})ccc({c})cc1",
    "c1({c})ccc({c})cc1",
    "c1({c})ccc({c})cc1",
    "c1({c})cccc({c})c1",
    "c1({c})cccc({c})c1",
    "c1({c})ccccc1({c})",
    "c1({c})ccc({c})c({c})c1",
    "c1({c})cc({c})cc({c})c1",
    "c1({c})ccc({c})nc1",
    "c1({c})cccc({c})n1",
    "c1({c})ccnc({c})c1",
    "c1({c})cnc({c})nc1",
    "c1({c})ccnc({c})n1",
    "c1({c})cnc({c})cn1",
    "c1({c})ccc({c})nn1",
    "c1({c})ccc({c})s1",
    "c1({c})csc({c})c1",
    "c1({c})ccc({c})o1",
    "c1({c})cnc({c})s1",
    "c1({c})csc({c})n1",
    "c1({c})cnc({c})o1",
    "c1({c})cc({c})no1",
    "c1({c})nnc({c})o1",
    "c1({c})nc({c})no1",
    "n1({n})cnc({c})c1",
    "n1({n})ccc({c})n1",
    "n1({n})cc({c})cn1",
    "n1({n})cc({c})nn1",
    "n1({n})cnc({c})n1",
    "n1({n})ccc({c})c1",
)

FUSED_RINGS = (
    "c1({c})c[nH]c2ccc({c})cc12",
    "n1({n})ccc2cc({c})ccc12",
    "c1({c})nc2cc({c})ccc2[nH]1",
    "n1({n})cnc2cc({c})ccc12",
    "c1({c})cc2cc({c})ccc2o1",
    "c1({c})cc2cc({c})ccc2s1",
    "c1({c})nc2cc({c})ccc2s1",
    "c1({c})nc2cc({c})ccc2o1",
    "c1({c})ccnc2ccc({c})cc12",
    "c1({c})cc2ccccc2nc1({c})",
    "c1({c})ncnc2ccc({c})cc12",
    "c1({c})ccc2cc({c})ccc2c1",
    "n1({n})ncc2cc({c})ccc12",
    "c1({c})ccc2OCOc2c1",
    "c1({c})ccc2OCCOc2c1",
    "N1({N})CCc2cc({c})ccc2C1",
    "N1({N})CCc2cc({c})ccc12",
)

SATURATED_RINGS = (
    "N1({N})CCC({C})CC1",
    "N1({N})CCC({C})CC1",
    "N1({N})CCN({N})CC1",
    "N1({N})CCN({N})CC1",
    "N1({N})CCOCC1",
    "N1({N})CCOCC1",
    "N1({N})CCSCC1",
    "N1({N})CCCC1",
    "N1({N})CC[C@H]({C})C1",
    "N1({N})CC[C@@H]({C})C1",
    "N1({N})CCC[C@H]1({C})",
    "N1({N})CCC[C@@H]1({C})",
    "N1({N})CC({C})C1",
    "N1({N})CCCC1=O",
    "N1({N})CCCCC1",
    "C1({C})CCCCC1",
    "C1({C})CCCC1",
    "C1({C})CC1",
    "C1({C})CCC1",
    "C1({C})CCOCC1",
    "[C@H]1({C})CCCO1",
    "C1({C})=CCCCC1",
)


class Linker(NamedTuple):
    """A bridge between two rings: atom kinds to start from, SMILES with `~` for the second ring, kinds to end at."""

    starts: str
    smiles: str
    ends: str


LINKERS = (
    Linker("cC", "C(=O)N~", "cC"),
    Linker("cC", "C(=O)N~", "cC"),
    Linker("cC", "C(=O)NC~", "cC"),
    Linker("cC", "C(=O)NCC~", "cN"),
    Linker("cC", "C(=O)N[C@@H](C)~", "c"),
    Linker("cC", "C(=O)N[C@H](C)~", "c"),
    Linker("cC", "C(=O)~", "N"),
    Linker("cC", "C(=O)~", "N"),
    Linker("cC", "CC(=O)~", "N"),
    Linker("cn", "CC(=O)N~", "cC"),
    Linker("N", "C(=O)N~", "cC"),
    Linker("c", "NC(=O)N~", "cC"),
    Linker("c", "NC(=O)NC~", "c"),
    Linker("c", "S(=O)(=O)~", "N"),
    Linker("c", "S(=O)(=O)N~", "cC"),
    Linker("c", "NS(=O)(=O)~", "c"),
    Linker("c", "S(=O)(=O)NC~", "cC"),
    Linker("cCnN", "C~", "c"),
    Linker("c", "C~", "Nn"),
    Linker("c", "~", "cNC"),
    Linker("c", "~", "cN"),
    Linker("c", "O~", "cC"),
    Linker("c", "OC~", "cC"),
    Linker("c", "OCC~", "cN"),
    Linker("c", "OCC(=O)N~", "cC"),
    Linker("c", "N~", "cC"),
    Linker("c", "NC~", "cC"),
    Linker("c", "CNC~", "cC"),
    Linker("c", "S~", "c"),
    Linker("c", "SC~", "c"),
    Linker("c", "SCC(=O)N~", "cC"),
    Linker("c", "/C=C/~", "c"),
    Linker("c", "/C=C\\~", "c"),
    Linker("c", "/C=C/C(=O)N~", "cC"),
    Linker("c", "/C=C/C(=O)~", "cN"),
    Linker("c", "C#C~", "c"),
    Linker("c", "C(=O)~", "c"),
    Linker("c", "C(=O)O~", "C"),
    Linker("c", "C(=O)OC~", "cC"),
    Linker("c", "[C@@H](O)~", "c"),
    Linker("c", "[C@H](N)C~", "c"),
    Linker("c", "NC(=O)O~", "C"),
    Linker("N", "C(=O)OC~", "c"),
    Linker("c", "CC~", "cN"),
    Linker("c", "C[NH2+]C~", "cC"),
)

# The possible ends at each kind of atom. One that is written twice is twice as likely.
ENDS: dict[str, tuple[str, ...]] = {
    "c": (
        *("F", "F", "F", "Cl", "Cl", "Cl", "Br", "I", "C", "C", "C", "OC", "OC", "OC", "O", "O", "C#N", "C#N"),
        *(
            "C(F)(F)F",
            "C(F)(F)F",
            "[N+](=O)[O-]",
            "[N+](=O)[O-]",
            "N",
            "N",
            "N(C)C",
            "NC",
            "C(=O)O",
            "C(=O)O",
            "C(=O)OC",
        ),
        *("C(=O)OCC", "C(N)=O", "C(N)=O", "C(=O)NC", "C(C)=O", "C(C)(C)C", "C(C)C", "S(C)(=O)=O", "S(N)(=O)=O"),
        *("NC(C)=O", "NC(C)=O", "CO", "SC", "OC(F)(F)F", "OCC", "CC", "C#C", "CC(=O)O", "CN", "CN(C)C", "/C=C/C(=O)O"),
        *("OCC(=O)O", "CC#N", "NS(C)(=O)=O", "C(=O)[O-]", "C[NH+](C)C", "C[NH3+]", "C=O", "CCC", "OC(C)C", "CCN"),
        *("[C@@H](C)N", "[C@H](C)O", "C[C@H](N)C(=O)O", "C[C@H]([NH3+])C(=O)[O-]", "NC(N)=O", "C(=O)N[C@@H](C)C(=O)O"),
    ),
    "C": (
        *("C", "O", "O", "N", "CO", "C(=O)O", "C(=O)O", "C(N)=O", "C(N)=O", "C#N", "OC", "C(=O)OCC", "C(=O)OC"),
        *("NC(C)=O", "CN", "N(C)C", "[NH3+]", "C(=O)[O-]", "C(=O)NC", "NS(C)(=O)=O", "CC", "CC(=O)O"),
    ),
    "N": (
        *("C", "C", "CC", "C(C)=O", "C(C)=O", "S(C)(=O)=O", "S(C)(=O)=O", "CCO", "CC(=O)O", "C(=O)OC(C)(C)C", "CC#N"),
        *("C(C)C", "C(N)=O", "CCOC", "CC(F)(F)F", "CC#C", "CC(=O)OCC", "CCC(=O)O", "CC=C", "C(=O)OCC"),
    ),
    "n": ("C", "C", "CC", "CC(=O)O", "CCO", "CC(N)=O", "C(C)C", "CC#N", "CC(=O)OCC", "CCC"),
}

# Molecules without a ring: a head and a tail on a chain.
CHAIN_HEADS = (
    *("CC(=O)N", "CCOC(=O)", "OCC", "NCC", "N#CC", "CS(=O)(=O)N", "COCC", "NC(=O)C", "C#CC", "CN(C)C", "C[N+](C)(C)C"),
    *("CC(C)(C)OC(=O)N", "FC(F)(F)C", "CSCC", "CCNC(=O)N", "ClCC", "CC(C)C", "CCC", "C/C=C/C", "C/C=C\\C", "CC(C)=CC"),
)
CHAIN_MIDDLES = (
    "C",
    "CC",
    "CCC",
    "CCCC",
    "CCCCC",
    "[C@@H](C)",
    "[C@H](C)",
    "[C@@H](CC(C)C)",
    "[C@H](CO)",
    "C(C)(C)",
    "COC",
    "CNC",
)
CHAIN_TAILS = (
    *("C(=O)O", "C(=O)O", "C(=O)OC", "C(=O)OCC", "C(N)=O", "C(=O)NC", "CO", "CN", "C#N", "C(=O)[O-]", "C[NH3+]", "COC"),
    *(
        "C(=O)N(C)C",
        "C(=O)C",
        "CNC(C)=O",
        "C(=O)NCC#N",
        "C[N+](C)(C)C",
        "COC(C)=O",
        "CNS(C)(=O)=O",
        "[C@H]([NH3+])C(=O)[O-]",
    ),
)
