"""A training step that runs on CPUs as well as on Ascend."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindformers.wrapper import MFTrainOneStepCell
from mindspore import ops

from scimind.runtime.graph_cache import KeptGraph

_half_square_sum = ops.MultitypeFuncGraph("half_square_sum")
_scaled = ops.MultitypeFuncGraph("scaled")
_sum = ops.MultitypeFuncGraph("sum")
_l2_loss = ops.L2Loss()


@_half_square_sum.register("Tensor")
def _half_square_sum_tensor(gradient):  # type: ignore[no-untyped-def]  # compiled by MindSpore, which reads the source
    return _l2_loss(ops.cast(gradient, ms.float32))


@_scaled.register("Tensor", "Tensor")
def _scaled_tensor(factor, gradient):  # type: ignore[no-untyped-def]
    return ops.cast(gradient, ms.float32) * factor


@_sum.register("Tensor", "Tensor")
def _sum_of_tensors(first, second):  # type: ignore[no-untyped-def]
    return first + second


@MindFormerRegister.register(MindFormerModuleType.WRAPPER)
class SciMindTrainOneStepCell(KeptGraph, MFTrainOneStepCell):
    """MindFormers' training step with an overflow check for devices without a status register.

    On Ascend nothing changes. Elsewhere a step overflows if the norm of all gradients, after reduction over all
    devices, is infinite or NaN; the optimizer then does not change the weights. That norm, which clipping needs anyway,
    and one multiplication are the only passes over the gradients, since loss scale and clipping form one factor.

    Workers that train together, and the parts of a worker's step, are weighted by their number of answers' tokens: loss
    and gradients equal those of a single worker that takes all records at once. All workers get the same loss.

    Args:
        network: The network that returns the loss.
        optimizer: Updates the weights of `network`.
        accumulation_steps: Parts into which a worker's records are divided, computed one after another.
        pad_token_id: Positions with this input are ignored, as in the network's loss.
        ignore_token_id: Positions with this label are ignored too.
        **settings: The settings of `MFTrainOneStepCell`, such as `use_clip_grad`, `max_grad_norm` and `scale_sense`.
    """

    def __init__(
        self,
        network: ms.nn.Cell,
        optimizer: ms.nn.Optimizer,
        accumulation_steps: int = 1,
        pad_token_id: int = 0,
        ignore_token_id: int = -100,
        **settings: Any,
    ) -> None:
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
        self.parts, self.pad_token_id, self.ignore_token_id = accumulation_steps, pad_token_id, ignore_token_id
        self.is_weighted = (self.reducer_flag or accumulation_steps > 1) and not self.calculate_per_token_loss
        # The gradient reducer sums over the workers, and may divide by their number.
        self.workers_divided = float(self.degree) if self.reducer_flag and self.mean else 1.0
        self.add_workers = ops.AllReduce() if self.reducer_flag else ops.Identity()
        self.max_norm = float(settings.get("max_grad_norm", 1.0))

    def construct(self, *inputs):  # type: ignore[no-untyped-def]
        """Runs one step; returns loss, overflow, loss scale, learning rate and norm, see MFTrainOneStepCell."""
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

    def grads_for_legacy(self, scaling_sens, *inputs):  # type: ignore[no-untyped-def]
        """Returns the loss, the gradients before reduction over workers, and the number to divide them by.

        Args:
            scaling_sens: The loss scale.
            *inputs: The columns of a batch, `input_ids` and `labels` [b, s + 1].
        """
        if not self.is_weighted or len(inputs) != 2:
            return super().grads_for_legacy(scaling_sens, *inputs)
        input_ids, labels = inputs
        is_answer = ops.logical_and(input_ids[:, :-1] != self.pad_token_id, labels[:, 1:] != self.ignore_token_id)
        tokens = ops.cast(is_answer, ms.float32).sum(axis=1)  # [b]
        all_tokens = ops.maximum(self.add_workers(tokens.sum()), 1.0)
        rows = input_ids.shape[0] // self.parts
        loss, gradients = 0.0, None
        for part in range(self.parts):
            first = part * rows
            columns = (input_ids[first : first + rows], labels[first : first + rows])
            if part > 0:  # must follow the previous part, whose memory it reuses
                columns = ops.depend(columns, gradients)
            share = tokens[first : first + rows].sum() / all_tokens
            loss_of_part = self.network(*columns)
            scale = ops.cast(scaling_sens * share * self.workers_divided, loss_of_part.dtype)
            more = self.grad(self.network, self.weights)(*columns, ops.ones_like(loss_of_part) * scale)
            loss = loss + ops.cast(loss_of_part, ms.float32) * share
            gradients = more if part == 0 else self.hyper_map(_sum, gradients, more)
        return self.add_workers(loss), gradients, self.grad_scale_factor

    def start_overflow_check(self, pre_cond, compute_input):  # type: ignore[no-untyped-def]
        """Clears the status register if there is one; returns its state and `compute_input`."""
        if self.has_status_register:
            return super().start_overflow_check(pre_cond, compute_input)
        return pre_cond, compute_input

    def get_overflow_status(self, status, compute_output):  # type: ignore[no-untyped-def]
        """Returns whether any gradient in `compute_output` is not finite, bool []."""
        if self.has_status_register:
            return super().get_overflow_status(status, compute_output)
        return ops.logical_not(self.is_finite(self.add_parts(self.hyper_map(_half_square_sum, compute_output))).all())
