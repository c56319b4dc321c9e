"""AdamW in one pass over each parameter."""

from __future__ import annotations

from typing import Any

from mindformers.core.optim import AdamW
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore import Tensor, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

_update = ops.MultitypeFuncGraph("scimind_adamw_update")
_fused = P.AdamWeightDecay()


def _apply(beta1, beta2, eps, correction, lr, weight_decay, parameter, gradient, first, second):  # type: ignore[no-untyped-def]
    """Updates one parameter and its moments; `correction` is √c₂ / c₁, see the class."""
    decay = ops.cast(weight_decay, mstype.float32) / correction
    return _fused(parameter, first, second, lr * correction, beta1, beta2, eps, decay, gradient)


@_update.register(*["Tensor"] * 10)
def _update_with_tensor(*values):  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
    return _apply(*values)


@_update.register(*["Tensor"] * 5, "Number", *["Tensor"] * 4)
def _update_with_number(*values):  # type: ignore[no-untyped-def]
    return _apply(*values)


@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
class SciMindAdamW(AdamW):
    """MindFormers' AdamW through MindSpore's fused kernel: the same numbers and the same state, in one pass.

    The kernel knows no bias correction. With c₁ = 1 − β₁ⁿ and c₂ = 1 − β₂ⁿ at step n

        lr / c₁ · m / (√(v / c₂) + ε) = lr · √c₂ / c₁ · m / (√v + ε · √c₂),

    so that a learning rate, an ε and a weight decay that follow the step make it AdamW. Parameters are float32.

    Args:
        *args: AdamW's arguments.
        **kwargs: Likewise.

    Source: Decoupled Weight Decay Regularization (Loshchilov and Hutter, 2019), algorithm 2.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pow, self.sqrt = P.Pow(), P.Sqrt()

    def construct(self, gradients: tuple[Tensor, ...]) -> Any:
        """Updates the parameters with their gradients; returns the results of the kernels."""
        weight_decay = self.get_weight_decay()
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        step = ops.cast(self.global_step, mstype.float32)
        root = self.sqrt(1.0 - self.pow(self.beta2, step))
        correction = root / (1.0 - self.pow(self.beta1, step))
        update = ops.partial(_update, self.beta1, self.beta2, self.eps * root, correction)
        states = (self._parameters, gradients, self.exp_avg, self.exp_avg_sq)
        if not self.is_group:
            return self.hyper_map(ops.partial(update, lr, weight_decay), *states)
        if not self.is_group_lr:
            return self.hyper_map(ops.partial(update, lr), weight_decay, *states)
        return self.hyper_map(update, lr, weight_decay, *states)
