"""Groups of tokens that use the same experts."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.modality import MODALITY_NAMES, modality_table


def expert_groups(routing: RoutingSettings) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Returns the distinct expert sets of router `modality`, each with the modalities that use it."""
    groups: dict[tuple[int, ...], tuple[str, ...]] = {}
    for modality in MODALITY_NAMES:
        experts = tuple(routing.expert_sets[modality])
        groups[experts] = (*groups.get(experts, ()), modality)
    return list(groups.items())


def group_table(routing: RoutingSettings, vocab_size: int) -> np.ndarray:
    """Returns the group of experts (see `expert_groups`) that each token uses with router `modality`, int32 [v]."""
    experts_of_group = [experts for experts, _ in expert_groups(routing)]
    group_of_modality = [experts_of_group.index(tuple(routing.expert_sets[m])) for m in MODALITY_NAMES]
    return np.array(group_of_modality, np.int32)[modality_table(vocab_size, routing.modality_ranges)]


class TokenGroups(nn.Cell):
    """Finds each group's tokens, and each token's place in the concatenated groups.

    MindSpore leaves the result of a product over no rows uninitialised, and a weight's gradient is such a product. So
    a group without tokens gets the row after the last token, which is never read.

    Args:
        num_groups: Number of groups; every token is in exactly one.
    """

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.equal = P.Equal()
        self.cast = P.Cast()
        self.sum = P.ReduceSum(keep_dims=True)
        self.cumulative = P.CumSum()
        self.concat = P.Concat(0)
        self.maximum = P.Maximum()
        self.positions = Positions()

    def construct(self, group_of: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Returns the groups' positions, [n] int32 each, and the tokens' places [t] int32.

        Args:
            group_of: Each token's group [t] int32.
        """
        positions: tuple[Tensor, ...] = ()
        if self.num_groups == 1:
            return positions, group_of  # no token moves, and neither of the two is read
        places, before = group_of * 0, -1
        for group in range(self.num_groups):
            member = self.equal(group_of, group)  # [t]
            number = self.cast(member, mstype.int32)
            count = self.sum(number, 0)  # [1]
            positions += (self.positions(self.concat((member, count < 1))),)
            places = places + number * (self.cumulative(number, 0) + before)
            before = before + self.maximum(count, 1)
        return positions, places


class Positions(nn.Cell):
    """Finds the positions at which a mask is true."""

    def __init__(self) -> None:
        super().__init__()
        self.nonzero = P.NonZero()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(self, member: Tensor) -> Tensor:
        """Returns the positions [n] int32 at which `member` [t] is true."""
        return self.cast(self.reshape(self.nonzero(member), (-1,)), mstype.int32)
