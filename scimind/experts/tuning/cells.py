"""The cells that tune gates: the model with activation routing, the gates' targets, and the losses."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.routing.activation import ActivationSelector
from scimind.model.routing.gate import LoadBalance
from scimind.model.routing.lookup import RowLookup, member_rows


class ActivationPass(nn.Cell):
    """Runs a model whose router is `learned` with router `activation` instead, and returns what the gates learn from.

    Args:
        network: A SciMindForCausalLM with router `learned`.
    """

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.lm_head = network.model, network.lm_head
        self.num_layers = network.config.num_layers
        self.hidden_size = network.config.hidden_size
        self.selector = ActivationSelector(network.config.routing, network.kernels)
        self.either = P.LogicalOr()
        self.cast = P.Cast()
        self.reshape = P.Reshape()
        self.stop_gradient = P.StopGradient()

    def construct(self, ids: Tensor) -> tuple:
        """Returns hidden states, the gates' inputs, the experts that activation picks, and the plan.

        Args:
            ids: Tokens [b, s] int32.

        Returns:
            Hidden states [b, s, d], one [t, d] a layer, one [t, e] bool a layer without shared experts, and the plan.
        """
        model = self.model
        b, s = ids.shape
        freqs_cis, mask, plan = model.positions(b, s), model.casual_mask(ids), model.planner(ids)
        k, shared = plan["k"], plan["shared"]
        nothing = P.ZerosLike()(shared)
        h = model.embed(ids, None)  # [b, s, d]
        inputs: tuple = ()
        targets: tuple = ()
        for i in range(self.num_layers):
            layer = model.layers[i]
            h = layer.attend(h, freqs_cis, mask, (None, None, None, None, None))
            x = self.cast(layer.normalise(h), model.dtype)
            experts = layer.feed_forward.neuron_outputs(x)  # [t, e, f]
            target = self.selector(experts, k, nothing)  # [t, e]
            y = layer.feed_forward.masked_output(experts, self.either(target, shared), x.shape)
            h = layer.add_residual(h, y)
            inputs += (self.stop_gradient(self.reshape(x, (b * s, self.hidden_size))),)
            targets += (target,)
        return self.stop_gradient(model.normalise(h)), inputs, targets, plan


class ActivationModel(nn.Cell):
    """The model with activation routing, returning logits.

    Args:
        run: The model's activation pass.
    """

    def __init__(self, run: ActivationPass) -> None:
        super().__init__(auto_prefix=False)
        self.run = run

    def construct(self, ids: Tensor) -> Tensor:
        """Returns logits [b, s, v] of ids [b, s]."""
        return self.run.lm_head(self.run(ids)[0])


class Membership(nn.Cell):
    """Marks the modality of each token that is not padding.

    Args:
        network: The model.
    """

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        config = network.config
        rows = member_rows(config.vocab_size, config.modality_ranges, config.pad_token_id)
        self.member = RowLookup(Tensor(rows))
        self.reshape = P.Reshape()

    def construct(self, ids: Tensor) -> Tensor:
        """Returns, for ids [b, s], float32 [t, modalities]: 1 where a token is of a modality, else 0."""
        return self.member(self.reshape(ids, (-1,)))  # [b, s] -> [t]


class GateLoss(nn.Cell):
    """The loss of the gates: how far they are from what activation picks.

        cost(t) = mean over experts i of BCE(σ(score(t, i)), z(t, i))      z = 1 where activation's top-k holds i
        loss = mean over layers, over the modalities present, and over each one's tokens, of cost
               + load balance weight · mean over layers of the load balance

    The cross entropy is taken per expert, since it is minimised by the probability that activation picks the expert,
    and the k experts of the highest probability have the highest expected recall. All modalities have the same weight,
    however many tokens they have, or the rarest would be learned last.

    Args:
        run: The model's activation pass.
        membership: Marks the modalities.
        load_balance: Weight of the load balance; 0 leaves it out.
    """

    def __init__(self, run: ActivationPass, membership: Membership, load_balance: float = 0.0) -> None:
        super().__init__(auto_prefix=False)
        self.run, self.membership, self.load_balance = run, membership, load_balance
        self.balance = LoadBalance(run.model.layers[0].feed_forward.gate.weight.shape[0])
        self.by_modality = P.MatMul(transpose_a=True)
        self.cast = P.Cast()

    def construct(self, ids: Tensor) -> Tensor:
        """Returns the loss of ids [b, s], float32 []."""
        _, inputs, targets, plan = self.run(ids)
        member = self.membership(ids)
        total = Tensor(0.0, mstype.float32)
        for i in range(self.run.num_layers):
            gate = self.run.model.layers[i].feed_forward.gate
            score = gate.score(inputs[i])
            total = total + self.cost(score, targets[i], member)
            if self.load_balance > 0:
                active = gate.top(score, plan["k"], plan["shared"])
                total = total + self.load_balance * self.balance(score, active, member)
        return total / self.run.num_layers

    def cost(self, score: Tensor, target: Tensor, member: Tensor) -> Tensor:
        """Returns one layer's cost without the load balance, float32 []."""
        z = self.cast(target, mstype.float32)
        # log(1 + exp(score)) − score·z, in a form that does not overflow.
        entropy = P.ReLU()(score) - score * z + P.Log()(1.0 + P.Exp()(-P.Abs()(score)))  # [t, e]
        cost = P.ReduceMean(True)(entropy, 1)  # [t, 1]
        tokens = P.ReduceSum()(member, 0)  # [modalities]
        sums = P.Reshape()(self.by_modality(member, cost), (-1,))  # [modalities]
        present = self.cast(tokens > 0.5, mstype.float32)
        return (sums / P.Maximum()(tokens, 1.0)).sum() / P.Maximum()(present.sum(), 1.0)


class GateAgreement(nn.Cell):
    """Counts how often the gates pick what activation picks.

    Args:
        loss: The loss of the gates.
    """

    def __init__(self, loss: GateLoss) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.cast = P.Cast()
        self.by_modality = P.MatMul(transpose_a=True)

    def construct(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns counts of the experts that both and that activation picks, [layers, modalities] each; the loss []."""
        run = self.loss.run
        _, inputs, targets, plan = run(ids)
        member = self.loss.membership(ids)
        nothing = P.ZerosLike()(plan["shared"])
        both: tuple = ()
        wanted: tuple = ()
        total = Tensor(0.0, mstype.float32)
        for i in range(run.num_layers):
            gate = run.model.layers[i].feed_forward.gate
            score = gate.score(inputs[i])
            target = self.cast(targets[i], mstype.float32)
            chosen = self.cast(gate.top(score, plan["k"], nothing), mstype.float32)
            both += (P.ReduceSum()(self.by_modality(member, chosen * target), 1),)  # [modalities]
            wanted += (P.ReduceSum()(self.by_modality(member, target), 1),)
            total = total + self.loss.cost(score, targets[i], member)
        return P.Stack(0)(both), P.Stack(0)(wanted), total / run.num_layers
