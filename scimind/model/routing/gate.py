"""The gate of router `learned`: a small matrix that chooses experts before any of them is computed."""

from __future__ import annotations

from mindspore import Parameter, Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.common.initializer import Normal, initializer
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.model.routing.selection import expert_choice


class Gate(nn.Cell):
    """Scores experts from the feed-forward's input, chooses some, and weighs the chosen ones.

        score = x · Wgᵀ                                                    [t, e]
        active(t) = top-k[m(t)](score(t)) ∪ shared[m(t)]
        weight(t, i) = 1 + p(t, i) − stop_gradient(p(t, i)),  p = sigmoid(score)

    The weight is exactly 1 in the forward pass, so that with all experts active the layer equals the dense one; in the
    backward pass its gradient reaches the score as if the weight were p. Experts that are not chosen get no gradient.

    It is a sigmoid instead of a softmax because each expert is chosen independently: p(t, i) is the probability that
    token t uses expert i, which is what `scimind experts tune` trains it to be.

    The parameter is `weight` [e, d], float32 regardless of the model's type. As part of a feed-forward it is
    `model.layers.{i}.feed_forward.gate.weight`: next to Llama's `feed_forward.w1.weight`, and named like `gate.weight`
    [e, d] in published mixtures of experts (Mixtral, DeepSeek); Hugging Face's `gate_proj` is w1.

    Args:
        routing: The routing settings.
        dim: d.
        init_method_std: Standard deviation of its initial values.
        data_parallel: Ways in which tokens are split.
        kernels: "mindformers" or "cpu".

    Source: straight-through estimator: Bengio, Léonard, Courville 2013, arXiv:1308.3432. Scores in float32
    regardless of the model's type: Fedus, Zoph, Shazeer 2022 (Switch Transformer), section 2.4.
    """

    def __init__(
        self,
        routing: RoutingSettings,
        dim: int,
        init_method_std: float = 0.01,
        data_parallel: int = 1,
        *,
        kernels: str,
    ) -> None:
        super().__init__()
        shape = (routing.num_experts, dim)
        self.weight = Parameter(initializer(Normal(init_method_std), shape, mstype.float32), name="weight")
        self.top = expert_choice(routing.num_experts, kernels, data_parallel)
        self.product = P.MatMul(transpose_b=True)
        self.cast = P.Cast()
        self.sigmoid = P.Sigmoid()
        self.stop_gradient = P.StopGradient()
        self.difference = P.Sub()
        self.product.shard(((data_parallel, 1), (1, 1)))
        self.sigmoid.shard(((data_parallel, 1),))
        self.difference.shard(((data_parallel, 1), (data_parallel, 1)))

    def construct(self, x: Tensor, k: Tensor, shared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the score [t, e] float32, the active experts [t, e] bool and the zero that carries the gradient.

        The third is p − stop_gradient(p) [t, e] float32; an active expert's weight is this plus 1.

        Args:
            x: Input of the feed-forward [t, d].
            k: Experts per token [t, 1] int32.
            shared: Experts that a token always uses [t, e] bool.
        """
        score = self.score(x)
        p = self.sigmoid(score)
        return score, self.top(score, k, shared), self.difference(p, self.stop_gradient(p))

    def score(self, x: Tensor) -> Tensor:
        """Returns the float32 score [t, e] of x [t, d]."""
        return self.product(self.cast(x, mstype.float32), self.cast(self.weight, mstype.float32))


class LoadBalance(nn.Cell):
    """Measures how unevenly the tokens of each modality use the experts.

        f(m, i) = Σ_t∈m active(t, i) / Σ_t∈m Σ_j active(t, j)         share of the modality's choices that fall on i
        P(m, i) = Σ_t∈m softmax(score(t))_i / |m|                     mean probability that the gate gives i
        balance = mean over the modalities present of e · Σ_i f(m, i) · P(m, i)

    It is 1 if all experts are used evenly. Each modality is measured separately, so that text and SMILES may prefer
    different experts; Switch Transformer, with one kind of token and k = 1, is the case of a single modality. The
    gradient passes through P only.

    Args:
        num_experts: e.
        data_parallel: Ways in which tokens are split.

    Source: Fedus, Zoph, Shazeer 2022 (Switch Transformer), equations 4 to 6, per modality.
    """

    def __init__(self, num_experts: int, data_parallel: int = 1) -> None:
        super().__init__()
        self.num_experts = float(num_experts)
        self.softmax = P.Softmax(-1)
        self.cast = P.Cast()
        self.by_modality = P.MatMul(transpose_a=True)
        self.softmax.shard(((data_parallel, 1),))
        self.by_modality.shard(((data_parallel, 1), (data_parallel, 1)))
        self.count = P.ReduceSum()
        self.sum = P.ReduceSum(keep_dims=True)
        self.maximum = P.Maximum()

    def construct(self, score: Tensor, active: Tensor, member: Tensor) -> Tensor:
        """Returns the balance, float32 [].

        Args:
            score: [t, e] float32.
            active: Active experts [t, e] bool.
            member: 1 where a token is of a modality [t, modalities] float32; rows of zeros do not count.
        """
        chosen = self.by_modality(member, self.cast(active, mstype.float32))  # [modalities, e]
        probability = self.by_modality(member, self.softmax(score))  # [modalities, e]
        tokens = self.sum(probability, 1)  # [modalities, 1]: a token's probabilities sum to 1
        f = chosen / self.maximum(self.sum(chosen, 1), 1.0)
        mean = probability / self.maximum(tokens, 1.0)
        present = self.cast(tokens > 0.5, mstype.float32)
        return self.num_experts * self.count(f * mean) / self.maximum(self.count(present), 1.0)
