"""The functional groups and ring systems that a description can name, each with the SMARTS that finds it."""

from __future__ import annotations

from typing import NamedTuple

from rdkit import Chem


class Group(NamedTuple):
    """A functional group: its name as a class of compounds (empty if it never is one) and as a part, and its SMARTS.

    Only the first atom of the SMARTS counts: two matches with the same first atom are one group.
    """

    compound: str
    part: str
    smarts: str


# In order of rank: the first group that a molecule has names its class.
GROUPS = (
    Group("carboxylate", "carboxylate group", "[CX3](=O)[O-]"),
    Group("carboxylic acid", "carboxy group", "[CX3](=O)[OX2H1]"),
    Group("sulfonamide", "sulfonamide group", "[SX4](=O)(=O)([#6])[NX3]"),
    Group("urea", "urea group", "[CX3](=O)([NX3])[NX3]"),
    Group("carbamate", "carbamate group", "[CX3](=O)([NX3])[OX2][#6]"),
    Group("primary carboxamide", "primary carboxamide group", "[CX3](=O)([#6])[NX3H2]"),
    Group("secondary carboxamide", "secondary carboxamide group", "[CX3](=O)([#6])[NX3H1]"),
    Group("tertiary carboxamide", "tertiary carboxamide group", "[CX3](=O)([#6])[NX3H0]"),
    Group("carboxylic ester", "ester group", "[CX3](=O)([#6])[OX2][#6]"),
    Group("sulfone", "sulfone group", "[SX4](=O)(=O)([#6])[#6]"),
    Group("aldehyde", "formyl group", "[CX3H1](=O)[#6]"),
    Group("ketone", "ketone group", "[CX3](=O)([#6])[#6]"),
    Group("nitrile", "nitrile group", "[CX2](#N)[#6]"),
    Group("nitro compound", "nitro group", "[N+](=O)([O-])[#6]"),
    Group("alcohol", "hydroxy group", "[OX2H1][CX4]"),
    Group("phenol", "phenolic hydroxy group", "[OX2H1]c"),
    Group("ammonium compound", "ammonium group", "[N+X4]"),
    Group("primary amine", "primary amino group", "[NX3H2;+0][CX4]"),
    Group("secondary amine", "secondary amino group", "[NX3H1;+0]([CX4])[CX4]"),
    Group("tertiary amine", "tertiary amino group", "[NX3H0;+0]([CX4])([CX4])[CX4]"),
    Group("arylamine", "arylamino group", "[NX3;+0;!$(N[C,S]=[O,N,S])]c"),
    Group("ether", "trifluoromethoxy group", "[OX2](C(F)(F)F)[#6]"),
    Group("ether", "methoxy group", "[OX2]([CH3])[#6;!$(C=O)]"),
    Group("ether", "ether linkage", "[OX2]([CX4,c;!$([CH3]);!$(C(F)(F)F)])[CX4,c;!$([CH3]);!$(C(F)(F)F)]"),
    Group("thioether", "thioether linkage", "[SX2]([#6])[#6]"),
    Group("organofluorine compound", "trifluoromethyl group", "[CX4](F)(F)(F)[#6]"),
    Group("organofluorine compound", "fluoro group", "F[#6;!$(C(F)(F)F)]"),
    Group("organochlorine compound", "chloro group", "Cl[#6]"),
    Group("organobromine compound", "bromo group", "Br[#6]"),
    Group("organoiodine compound", "iodo group", "I[#6]"),
    Group("alkyne", "carbon-carbon triple bond", "[CX2]#[CX2]"),
    Group("alkene", "carbon-carbon double bond", "[CX3]=[CX3]"),
    Group("", "tert-butyl group", "[CX4]([CH3])([CH3])([CH3])[#6,#7,#8]"),
    Group("", "isopropyl group", "[CX4H1]([CH3])([CH3])[#6H0,#6H1,#6H2,#7,#8]"),
    Group("", "aryl methyl group", "[CH3]c"),
)

# Symmetric groups, which would be counted twice, once from each end.
SYMMETRIC = frozenset({"carbon-carbon triple bond", "carbon-carbon double bond"})

# Ring systems: all fused ring atoms, with the oxygen of a ring ketone. Saturated carbon is X4; N, O, S are as written.
RINGS = {
    "benzene": "c1ccccc1",
    "pyridine": "c1ccncc1",
    "pyrimidine": "c1cncnc1",
    "pyrazine": "c1cnccn1",
    "pyridazine": "c1ccnnc1",
    "thiophene": "c1ccsc1",
    "furan": "c1ccoc1",
    "pyrrole": "c1ccnc1",
    "thiazole": "c1cscn1",
    "oxazole": "c1cocn1",
    "isoxazole": "c1conc1",
    "1,3,4-oxadiazole": "c1nnco1",
    "1,2,4-oxadiazole": "c1ncon1",
    "imidazole": "c1cncn1",
    "pyrazole": "c1cnnc1",
    "1,2,3-triazole": "c1cnnn1",
    "1,2,4-triazole": "c1ncnn1",
    "indole": "c1ccc2nccc2c1",
    "indazole": "c1ccc2nncc2c1",
    "benzimidazole": "c1ccc2ncnc2c1",
    "benzofuran": "c1ccc2occc2c1",
    "benzothiophene": "c1ccc2sccc2c1",
    "benzothiazole": "c1ccc2scnc2c1",
    "benzoxazole": "c1ccc2ocnc2c1",
    "quinoline": "c1ccc2ncccc2c1",
    "quinoxaline": "c1ccc2nccnc2c1",
    "quinazoline": "c1ccc2ncncc2c1",
    "naphthalene": "c1ccc2ccccc2c1",
    "1,3-benzodioxole": "c1ccc2O[CX4]Oc2c1",
    "1,4-benzodioxane": "c1ccc2O[CX4][CX4]Oc2c1",
    "tetrahydroisoquinoline": "c1ccc2[CX4][CX4]N[CX4]c2c1",
    "indoline": "c1ccc2N[CX4][CX4]c2c1",
    "piperidine": "[CX4]1[CX4][CX4]N[CX4][CX4]1",
    "piperazine": "[CX4]1[CX4]N[CX4][CX4]N1",
    "morpholine": "[CX4]1[CX4]O[CX4][CX4]N1",
    "thiomorpholine": "[CX4]1[CX4]S[CX4][CX4]N1",
    "pyrrolidine": "[CX4]1[CX4][CX4]N[CX4]1",
    "azetidine": "[CX4]1[CX4]N[CX4]1",
    "pyrrolidin-2-one": "[CX4]1[CX4]NC(=O)[CX4]1",
    "cyclohexane": "[CX4]1[CX4][CX4][CX4][CX4][CX4]1",
    "cyclohexene": "[CX4]1[CX4][CX4][CX3]=[CX3][CX4]1",
    "cyclopentane": "[CX4]1[CX4][CX4][CX4][CX4]1",
    "cyclobutane": "[CX4]1[CX4][CX4][CX4]1",
    "cyclopropane": "[CX4]1[CX4][CX4]1",
    "tetrahydropyran": "[CX4]1[CX4][CX4]O[CX4][CX4]1",
    "tetrahydrofuran": "[CX4]1[CX4][CX4]O[CX4]1",
}

GROUP_PATTERNS = tuple((group, Chem.MolFromSmarts(group.smarts)) for group in GROUPS)
RING_PATTERNS = {name: Chem.MolFromSmarts(smarts) for name, smarts in RINGS.items()}

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
