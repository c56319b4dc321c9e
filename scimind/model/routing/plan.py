"""The routing plan: what all layers need to know of a step's tokens, computed once from their ids."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.modality import MODALITY_NAMES, modality_table
from scimind.model._mindformers import splits_tensors

_FEW_TOKENS = 32


def chosen_dispatch(routing: RoutingSettings, device_target: str) -> str:
    """Returns "masked" or "grouped": what `dispatch: auto` means here.

    Grouped dispatch has shapes that depend on the tokens. MindSpore's CPU runs them; Ascend, and tensors that are split
    over devices, want static ones. With router `activation` it saves one product of three, which the gathers cost; with
    router `learned`, which gathers for each expert, it pays for large hidden sizes only, where one asks for it.
    """
    if splits_tensors():
        return "masked"
    if routing.dispatch != "auto":
        return routing.dispatch
    return "grouped" if device_target == "CPU" and routing.router == "modality" else "masked"


class RoutingPlanner(nn.Cell):
    """Makes the routing plan of a batch from its token ids.

    The plan is a tuple, by router and dispatch:

    - modality, masked: (`active` [t, e] compute type, 1 where a token uses an expert)
    - modality, grouped: for each of `expert_groups` its tokens' `positions` [n] int32, and behind them each token's
      `places` [t] int32, see `TokenGroups`; with one group for all tokens nothing
    - activation and learned, both: (`k` [t, 1] int32, `shared` [t, e] bool), and with a load balance `member`
      [t, modalities] float32, 1 where a token that is not padding is of a modality

    A modality is looked up from the *input* token at each position; nothing else decides it.

    Args:
        routing: The settings.
        vocab_size: v, rows of the embedding.
        dispatch: "masked" or "grouped", see `chosen_dispatch`.
        compute_dtype: Type of `active`.
        data_parallel: Ways in which the batch is split.
        pad_token_id: Padding, which the load balance leaves out.
    """

    def __init__(
        self,
        routing: RoutingSettings,
        vocab_size: int,
        dispatch: str,
        compute_dtype: mstype,
        data_parallel: int = 1,
        pad_token_id: int = 0,
    ) -> None:
        super().__init__()
        self.by_modality = routing.router == "modality"
        self.grouped = self.by_modality and dispatch == "grouped"
        modality = modality_table(vocab_size, routing.modality_ranges)  # [v]
        of_modality = [
            routing.expert_sets[m] if self.by_modality else routing.shared_experts[m] for m in MODALITY_NAMES
        ]
        experts = np.zeros((len(MODALITY_NAMES), routing.num_experts), bool)
        for row, chosen in zip(experts, of_modality, strict=True):
            row[list(chosen)] = True
        # Rows that a token looks up by its id: one gather instead of modality first and experts second.
        if self.grouped:
            groups = expert_groups(routing)
            self.token_groups = TokenGroups(len(groups))
            group_of_modality = np.array([[s == of for s, _ in groups].index(True) for of in of_modality])
            self.table = Tensor(group_of_modality[modality], mstype.int32)  # [v]
        elif self.by_modality:
            self.table = Tensor(experts[modality], compute_dtype)  # [v, e]
        else:
            k = np.array([routing.experts_per_token[m] for m in MODALITY_NAMES])
            self.table = Tensor(experts[modality].astype(np.float32), mstype.float32)  # [v, e]
            self.k_table = Tensor(k[modality][:, None], mstype.int32)  # [v, 1]
        self.has_balance = routing.has_balance
        if self.has_balance:
            member = np.eye(len(MODALITY_NAMES), dtype=np.float32)[modality]
            member[pad_token_id] = 0
            self.member_table = Tensor(member)  # [v, modalities]
        self.gather = P.Gather()
        self.gather_k = P.Gather()
        self.gather_member = P.Gather()
        self.flatten = P.Reshape()
        self.greater = P.Greater()
        if splits_tensors():
            self.gather.shard(((1, 1), (data_parallel,)))
            self.gather_k.shard(((1, 1), (data_parallel,)))
            self.gather_member.shard(((1, 1), (data_parallel,)))
            self.greater.shard(((data_parallel, 1), ()))

    def construct(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Returns the plan of `tokens` [b, s] int32."""
        ids = self.flatten(tokens, (-1,))  # [b, s] -> [t]
        rows = self.gather(self.table, ids, 0)
        if self.grouped:
            return self.token_groups(rows)
        if self.by_modality:
            return (rows,)
        plan: tuple[Tensor, ...] = (self.gather_k(self.k_table, ids, 0), self.greater(rows, 0.5))
        if self.has_balance:
            plan += (self.gather_member(self.member_table, ids, 0),)
        return plan


class TokenGroups(nn.Cell):
    """Finds each group's tokens, and each token's place when the groups stand one behind the other.

    MindSpore leaves a product over no rows as it finds it, and a weight's gradient is one. So no group is ever empty:
    one without tokens has the row behind the last token, which nobody reads.

    Args:
        num_groups: Groups, of which every token is in one.
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

    def construct(self, group_of: Tensor) -> tuple[Tensor, ...]:
        """Returns the groups' positions [n] int32 and the tokens' places [t] int32 for each token's group [t] int32."""
        if self.num_groups == 1:
            return ()
        found: tuple[Tensor, ...] = ()
        places, before = group_of * 0, -1
        for group in range(self.num_groups):
            member = self.equal(group_of, group)  # [t]
            number = self.cast(member, mstype.int32)
            count = self.sum(number, 0)  # [1]
            found += (self.positions(self.concat((member, count < 1))),)
            places = places + number * (self.cumulative(number, 0) + before)
            before = before + self.maximum(count, 1)
        return (*found, places)


class Positions(nn.Cell):
    """Finds where a mask is true."""

    def __init__(self) -> None:
        super().__init__()
        self.nonzero = P.NonZero()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(self, member: Tensor) -> Tensor:
        """Returns the positions [n] int32 at which `member` [t] is true."""
        return self.cast(self.reshape(self.nonzero(member), (-1,)), mstype.int32)


def expert_groups(routing: RoutingSettings) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Returns the distinct expert sets of router `modality`, each with the modalities that use it."""
    groups: dict[tuple[int, ...], tuple[str, ...]] = {}
    for modality in MODALITY_NAMES:
        chosen = tuple(routing.expert_sets[modality])
        groups[chosen] = (*groups.get(chosen, ()), modality)
    return list(groups.items())
