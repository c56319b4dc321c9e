"""AdamW in one pass over each parameter."""

from __future__ import annotations

from typing import Any

from mindformers.core.optim.adamw import AdamW
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore import Tensor, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

_update = ops.MultitypeFuncGraph("scimind_adamw_update")
_adam, _assign = P.Adam(), P.Assign()


@_update.register(*["Tensor"] * 11)
def _update_with_tensor(  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
    power1, power2, beta1, beta2, eps, lr, decay, parameter, gradient, first, second
):
    """Updates one parameter and its moments; the powers are β₁ⁿ and β₂ⁿ; see the class for `eps`."""
    _assign(parameter, parameter * (1.0 - lr * decay))  # side effects on a parameter are kept in order
    return _adam(parameter, first, second, power1, power2, lr, beta1, beta2, eps, gradient)


@_update.register(*["Tensor"] * 6, "Number", *["Tensor"] * 4)
def _update_with_number(  # type: ignore[no-untyped-def]
    power1, power2, beta1, beta2, eps, lr, decay, parameter, gradient, first, second
):
    """Does the same with a decay that is a compile-time constant."""
    if decay != 0.0:
        _assign(parameter, parameter * (1.0 - lr * decay))
    return _adam(parameter, first, second, power1, power2, lr, beta1, beta2, eps, gradient)


@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
class SciMindAdamW(AdamW):
    """MindFormers' AdamW by means of MindSpore's Adam kernel: the same values and the same state, in one pass.

    The kernel adds ε before the bias correction. With c₂ = 1 − β₂ⁿ at step n,

        √c₂ · m / (√v + ε · √c₂) = m / (√(v / c₂) + ε),

    so that scaling ε at each step, after decaying the parameter, yields AdamW. Parameters are float32.

    Args:
        *args: AdamW's arguments.
        **kwargs: Likewise.

    Source: Decoupled Weight Decay Regularization (Loshchilov and Hutter, 2019), algorithm 2.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pow, self.sqrt = P.Pow(), P.Sqrt()

    def construct(self, gradients: tuple[Tensor, ...]) -> Any:
        """Updates the parameters with their gradients; returns the kernels' outputs."""
        weight_decay = self.get_weight_decay()
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        step = ops.cast(self.global_step, mstype.float32)
        power1, power2 = self.pow(self.beta1, step), self.pow(self.beta2, step)
        eps = self.eps * self.sqrt(1.0 - power2)
        beta1, beta2 = self.beta1, self.beta2
        states = (self._parameters, gradients, self.exp_avg, self.exp_avg_sq)
        # One `partial` each with keyword arguments, which is the only form that the graph compiler supports.
        if not self.is_group:
            update = ops.partial(_update, power1, power2, beta1, beta2, eps, lr, weight_decay)
            return self.hyper_map(update, *states)
        if not self.is_group_lr:
            update = ops.partial(_update, power1, power2, beta1, beta2, eps, lr)
            return self.hyper_map(update, weight_decay, *states)
        return self.hyper_map(ops.partial(_update, power1, power2, beta1, beta2, eps), lr, weight_decay, *states)
