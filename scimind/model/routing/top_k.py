"""The plan of routers that choose each token's k experts with the highest score."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.modality import MODALITY_NAMES, modality_table
from scimind.model._mindformers import splits_tensors
from scimind.model.routing.lookup import RowLookup, expert_rows, member_rows
from scimind.model.routing.router import PlannerSettings


class TopKPlan(TypedDict):
    """The number of experts that a token chooses, and those that it always uses.

    k: Experts that a token chooses [t, 1] int32.
    shared: Experts that a token always uses [t, e] bool.
    """

    k: Tensor
    shared: Tensor


class BalancedPlan(TopKPlan):
    """The same with a load balance.

    member: 1 where a token that is not padding is of a modality [t, modalities] float32.
    """

    member: Tensor


class TopKPlanner(nn.Cell):
    """Looks up the number of experts and the shared experts of a token's modality."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__()
        routing, vocab_size, ways = settings.routing, settings.vocab_size, settings.data_parallel
        k_of_modality = np.array([routing.experts_per_token[name] for name in MODALITY_NAMES])
        k = k_of_modality[modality_table(vocab_size, routing.modality_ranges)][:, None]
        shared = expert_rows(routing.shared_experts, routing.num_experts, vocab_size, routing.modality_ranges)
        self.k = RowLookup(Tensor(k, mstype.int32), ways)
        self.shared = RowLookup(Tensor(shared, mstype.float32), ways)
        self.has_balance = routing.has_balance
        if self.has_balance:
            member = member_rows(vocab_size, routing.modality_ranges, settings.pad_token_id)
            self.member = RowLookup(Tensor(member), ways)
        self.reshape = P.Reshape()
        self.greater = P.Greater()
        if splits_tensors():
            self.greater.shard(((ways, 1), ()))

    def construct(self, tokens: Tensor) -> TopKPlan | BalancedPlan:
        """Returns the plan of tokens [b, s] int32."""
        ids = self.reshape(tokens, (-1,))  # [b, s] -> [t]
        k, shared = self.k(ids), self.greater(self.shared(ids), 0.5)
        if self.has_balance:
            return {"k": k, "shared": shared, "member": self.member(ids)}
        return {"k": k, "shared": shared}
