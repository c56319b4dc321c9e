"""Conditions on generated molecules, such as `MolWt < 500 and not has('[N+](=O)[O-]')`.

They look like Python but are never run as Python: the text becomes words, the words become a tree of a few kinds of
nodes, whose types are checked, and the tree is evaluated on RDKit's molecules. Nothing here needs MindSpore.
"""

from scimind.generate.wishes.wish import Number, Wish, parse_number, parse_wish

__all__ = ["Number", "Wish", "parse_number", "parse_wish"]
