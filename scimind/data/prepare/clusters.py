"""Clusters similar sequences in linear time: shared k-mers propose pairs, and the edit distance decides.

The method is Linclust's: the k-mers of smallest hash are kept of each sequence; sequences that share a k-mer are
compared with the longest ones that have it; single linkage joins similar sequences. Distant relatives (identity below
0.6) may be missed.
Source: Steinegger and Söding, Clustering huge protein sequence sets in linear time, Nature Communications 9 (2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scimind.data.encode.records import TAGS
from scimind.data.prepare.encoded_parts import EncodedParts

# k, large enough that unrelated sequences seldom share a k-mer.
_K = {"protein": 6, "dna": 12, "rna": 12}
_KMERS_OF_A_SEQUENCE = 40
_COMPARED_WITH = 3  # number of longest sequences of a k-mer
_BASE = np.uint64(1_099_511_628_211)


def cluster(sequences: Sequence[str], tag: str, identity: float) -> NDArray[np.int64]:
    """Returns, for each sequence, the number of the first sequence in its cluster.

    Args:
        sequences: Sequences of one kind.
        tag: `protein`, `dna` or `rna`.
        identity: Minimum share of equal positions of similar sequences: 1 - edit distance / length of the longer one,
            in (0, 1].
    """
    from rapidfuzz.distance import Levenshtein

    parent = np.arange(len(sequences))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = int(parent[number])
        return number

    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    kmers, owners = _kmers(sequences, _K[tag])
    # Sorted by k-mer, the longest sequence first.
    order = np.lexsort((owners, -lengths[owners], kmers))
    kmers, owners = kmers[order], owners[order]
    starts = np.flatnonzero(np.r_[True, kmers[1:] != kmers[:-1]]) if len(kmers) else np.zeros(0, dtype=np.int64)
    for start, stop in zip(starts, np.r_[starts[1:], len(kmers)], strict=True):
        members = owners[start:stop]
        for place, centre in enumerate(members[:_COMPARED_WITH]):
            for other in members[place + 1 :]:
                first, second = root(int(centre)), root(int(other))
                if first == second or lengths[other] < identity * lengths[centre]:
                    continue
                alike = Levenshtein.normalized_similarity(sequences[centre], sequences[other], score_cutoff=identity)
                if alike >= identity:
                    parent[max(first, second)] = min(first, second)
    return np.array([root(number) for number in range(len(sequences))], dtype=np.int64)


def cluster_entities(
    sources: Sequence[EncodedParts], entity: NDArray[np.uint64], identity: float
) -> NDArray[np.uint64]:
    """Returns the group of each record: the first entity of its cluster, or its own entity if that is not a sequence.

    Args:
        sources: The parts of each source, with their sequences.
        entity: Digest of each record's entity, over all sources [n].
        identity: See `cluster`.
    """
    sequences: dict[str, dict[int, str]] = {tag: {} for tag in _K}
    for parts in sources:
        for number in range(len(parts)):
            part = parts.read(number, "entity", "tag")
            tags, entities = part.arrays["tag"].tolist(), part.arrays["entity"].tolist()
            for tag, key, sequence in zip(tags, entities, part.notes["sequences"], strict=True):
                if TAGS[tag] in sequences:
                    sequences[TAGS[tag]].setdefault(key, sequence)
    group = entity.copy()
    for tag, by_entity in sequences.items():
        if not by_entity:
            continue
        keys = np.fromiter(by_entity, np.uint64, len(by_entity))
        heads = keys[cluster(list(by_entity.values()), tag, identity)]
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], group).clip(max=len(keys) - 1)
        is_one = keys[order][place] == group
        group = np.where(is_one, heads[order][place], group)
    return group


def _kmers(sequences: Sequence[str], k: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Returns the distinct k-mers of smallest hash of each sequence, and the numbers of their sequences."""
    found, owners = [], []
    with np.errstate(over="ignore"):
        for number, sequence in enumerate(sequences):
            letters = np.frombuffer(sequence.encode(), dtype=np.uint8).astype(np.uint64)
            count = max(1, len(letters) - k + 1)
            hashes = np.zeros(count, dtype=np.uint64)
            for offset in range(min(k, len(letters))):
                hashes = hashes * _BASE + letters[offset : offset + count] + np.uint64(1)
            hashes ^= hashes >> np.uint64(29)
            hashes *= np.uint64(0xBF58476D1CE4E5B9)
            smallest = np.unique(hashes)[:_KMERS_OF_A_SEQUENCE]
            found.append(smallest)
            owners.append(np.full(len(smallest), number, dtype=np.int64))
    if not found:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    return np.concatenate(found), np.concatenate(owners)
