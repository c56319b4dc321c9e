"""One training step that runs on a CPU as well as on Ascend."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindformers.wrapper import MFTrainOneStepCell
from mindspore import ops

from scimind.graph_cache import KeptGraph

_half_square_sum = ops.MultitypeFuncGraph("half_square_sum")
_scaled = ops.MultitypeFuncGraph("scaled")
_l2_loss = ops.L2Loss()


@_half_square_sum.register("Tensor")
def _half_square_sum_tensor(gradient):  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
    return _l2_loss(ops.cast(gradient, ms.float32))


@_scaled.register("Tensor", "Tensor")
def _scaled_tensor(factor, gradient):  # type: ignore[no-untyped-def]
    return ops.cast(gradient, ms.float32) * factor


@MindFormerRegister.register(MindFormerModuleType.WRAPPER)
class SciMindTrainOneStepCell(KeptGraph, MFTrainOneStepCell):
    """MindFormers' training step with an overflow check for devices that have no status register.

    On Ascend nothing changes. Elsewhere a step overflows when the norm of all gradients, after they were reduced over
    all devices, is infinite or NaN; the optimizer then leaves the weights as they are. That norm, which clipping needs
    anyway, and one multiplication are all the passes over the gradients: loss scale and clipping are one factor.

    Args:
        network: The network that returns the loss.
        optimizer: Updates the weights of `network`.
        **settings: The settings of `MFTrainOneStepCell`, such as `use_clip_grad`, `max_grad_norm` and `scale_sense`.
    """

    def __init__(self, network: ms.nn.Cell, optimizer: ms.nn.Optimizer, **settings: Any) -> None:
        super().__init__(network, optimizer, **settings)
        self.graph_key = getattr(network, "graph_key", None)
        self.has_status_register = ms.get_context("device_target") == "Ascend"
        self.is_plain = not (
            self.has_status_register
            or self.local_norm
            or self.use_skip_data_by_global_norm
            or self.if_dump
            or self.use_graceful_exit
            or self.use_grouped_lr
        )
        self.add_parts = ops.AddN()
        self.is_finite = ops.IsFinite()
        self.max_norm = float(settings.get("max_grad_norm", 1.0))

    def construct(self, *inputs):  # type: ignore[no-untyped-def]
        """Does one step; returns loss, overflow, loss scale, learning rate and norm, see MFTrainOneStepCell."""
        if not self.is_plain:
            return super().construct(*inputs)
        loss, gradients, shares = self.grads_for_legacy(self.scale_sense, *inputs)
        gradients = self.grad_reducer(gradients)
        factor = 1.0 / ops.cast(self.scale_sense * shares, ms.float32)
        norm = ops.sqrt(2.0 * self.add_parts(self.hyper_map(_half_square_sum, gradients))) * factor
        overflow = self.process_loss_scale(ops.logical_not(self.is_finite(norm)).any())
        if self.use_clip_grad:
            factor = factor * ops.minimum(self.max_norm / ops.maximum(norm, self.max_norm), 1.0)
        gradients = self.hyper_map(ops.partial(_scaled, factor), gradients)
        learning_rate = self.learning_rate
        if self.optimizer.dynamic_lr and self.optimizer.is_group_lr:
            learning_rate = self.learning_rate[-1](self.optimizer.global_step).reshape(())
        elif self.optimizer.dynamic_lr:
            learning_rate = self.learning_rate(self.optimizer.global_step).reshape(())
        if not overflow:
            loss = ops.depend(loss, self.optimizer(gradients))
        return loss, overflow, self.scale_sense, learning_rate, norm if self.use_clip_grad else None

    def start_overflow_check(self, pre_cond, compute_input):  # type: ignore[no-untyped-def]
        """Clears the status register where there is one; returns its state and `compute_input`."""
        if self.has_status_register:
            return super().start_overflow_check(pre_cond, compute_input)
        return pre_cond, compute_input

    def get_overflow_status(self, status, compute_output):  # type: ignore[no-untyped-def]
        """Returns whether a gradient of `compute_output` is not finite, bool []."""
        if self.has_status_register:
            return super().get_overflow_status(status, compute_output)
        return ops.logical_not(self.is_finite(self.add_parts(self.hyper_map(_half_square_sum, compute_output))).all())
