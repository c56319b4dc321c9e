"""One training step that runs on a CPU as well as on Ascend."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindformers.wrapper import MFTrainOneStepCell
from mindspore import ops

_has_overflow = ops.MultitypeFuncGraph("has_overflow")
_is_finite = ops.IsFinite()


@_has_overflow.register("Tensor")
def _has_overflow_tensor(gradient):  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
    """Returns 1.0 where `gradient` holds an infinity or a NaN, else 0.0, as float32 []."""
    return 1.0 - ops.cast(_is_finite(gradient).all(), ms.float32)


@MindFormerRegister.register(MindFormerModuleType.WRAPPER)
class SciMindTrainOneStepCell(MFTrainOneStepCell):
    """MindFormers' training step with an overflow check for devices that have no status register.

    On Ascend nothing changes. Elsewhere a step overflows when a gradient, after it was reduced over all devices, holds
    an infinity or a NaN; the optimizer then leaves the weights as they are.

    Args:
        network: The network that returns the loss.
        optimizer: Updates the weights of `network`.
        **settings: The settings of `MFTrainOneStepCell`, such as `use_clip_grad`, `max_grad_norm` and `scale_sense`.
    """

    def __init__(self, network: ms.nn.Cell, optimizer: ms.nn.Optimizer, **settings: Any) -> None:
        super().__init__(network, optimizer, **settings)
        self.has_status_register = ms.get_context("device_target") == "Ascend"
        self.add_flags_of_parameters = ops.AddN()

    def start_overflow_check(self, pre_cond, compute_input):  # type: ignore[no-untyped-def]
        """Clears the status register where there is one; returns its state and `compute_input`."""
        if self.has_status_register:
            return super().start_overflow_check(pre_cond, compute_input)
        return pre_cond, compute_input

    def get_overflow_status(self, status, compute_output):  # type: ignore[no-untyped-def]
        """Returns whether a gradient of `compute_output` is not finite, bool []."""
        if self.has_status_register:
            return super().get_overflow_status(status, compute_output)
        flags = self.hyper_map(_has_overflow, compute_output)
        return self.add_flags_of_parameters(flags) > 0.0
