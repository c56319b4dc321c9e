"""SciMindForCausalLM: MindFormers' Llama whose decoder layers receive a routing plan."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from scimind.errors import ConfigError
from scimind.model._mindformers import (
    LLamaDecodeLayer,
    LlamaForCausalLM,
    LlamaModel,
    MindFormerModuleType,
    MindFormerRegister,
    built_from,
    runs_on_cpu,
    splits_tensors,
)
from scimind.model.config import SciMindConfig
from scimind.model.cpu.attention_block import AttentionBlock
from scimind.model.cpu.loss import AnswerLoss
from scimind.model.cpu.norm import RootMeanSquareNorm
from scimind.model.cpu.rotary import RotaryTables
from scimind.model.feed_forward import RoutedFeedForward
from scimind.model.kernels import chosen_kernels
from scimind.model.packing import SegmentMask
from scimind.model.plan import RoutingPlanner, chosen_dispatch
from scimind.model.settings import RoutingSettings


class SciMindDecodeLayer(LLamaDecodeLayer):
    """Llama's decoder layer with a routed feed-forward.

    Args:
        seq_length: s.
        layer_id: Number of the layer, from 0.
        routing: The settings.
        dispatch: "masked" or "grouped".
        kernels: "mindformers" or "cpu", see `chosen_kernels`.
        **kwargs: LLamaDecodeLayer's arguments.
    """

    def __init__(
        self,
        seq_length: int,
        layer_id: int,
        *,
        routing: RoutingSettings,
        dispatch: str,
        kernels: str,
        **kwargs: Any,
    ) -> None:
        parallel = kwargs["parallel_config"]
        # The base builds a dense feed-forward that is replaced at once: the smallest that its checks accept.
        super().__init__(seq_length, layer_id, **{**kwargs, "intermediate_size": parallel.model_parallel})
        self.feed_forward = RoutedFeedForward(
            routing=routing,
            dispatch=dispatch,
            parallel_config=parallel,
            dim=kwargs["dim"],
            intermediate_size=kwargs["intermediate_size"],
            hidden_dim=4 * kwargs["dim"],
            compute_dtype=kwargs["compute_dtype"],
            param_init_type=kwargs["param_init_type"],
            init_method_std=kwargs["init_method_std"],
        )
        self.has_balance = routing.has_balance
        self.on_cpu = kernels == "cpu"
        if self.on_cpu:
            heads, eps = kwargs["n_heads"], kwargs["norm_eps"]
            self.cpu_attention = AttentionBlock(kwargs["dim"], heads, kwargs["n_kv_heads"] or heads, eps)
            self.cpu_norm = RootMeanSquareNorm(kwargs["dim"], eps)
        if splits_tensors():
            self.feed_forward.shard(parallel)
            if parallel.use_seq_parallel:
                data, model = parallel.data_parallel * parallel.context_parallel, parallel.model_parallel
                self.feed_forward.w2.shard(((data, model), (1, model)), out_strategy_matmul=((data * model, 1),))

    def construct(self, x: Tensor, freqs_cis: tuple, mask: Tensor, plan: tuple, cache_inputs: tuple) -> Any:
        """Returns the layer's output [b, s, d]; with a load balance, that and the balance float32 [].

        Args:
            x: Input [b, s, d].
            freqs_cis: Rotary tables: MindFormers', or with the CPU's kernels what `RotaryTables` gives.
            mask: Attention mask, as MindFormers' attention expects it.
            plan: The step's routing plan.
            cache_inputs: batch_valid_length, block_tables, slot_mapping, q_seq_lens and actual_seq_len.
        """
        h = self.attend(x, freqs_cis, mask, cache_inputs)
        change = self.feed_forward(self.normalise(h), plan)
        if self.has_balance:
            return self.add_residual(h, change[0]), change[1]
        return self.add_residual(h, change)

    def attend(self, x: Tensor, freqs_cis: tuple, mask: Tensor, cache_inputs: tuple) -> Tensor:
        """Returns x [b, s, d] with the attention's output added; arguments as in `construct`."""
        if self.on_cpu:
            weights = self.attention
            h = self.cpu_attention(
                self.reshape(x, (-1, x.shape[-1])),  # [b, s, d] -> [t, d]
                self.attention_norm.weight,
                weights.wq.weight,
                weights.wk.weight,
                weights.wv.weight,
                weights.wo.weight,
                freqs_cis,
                mask,
            )
            return self.reshape(h, x.shape)
        batch_valid_length, block_tables, slot_mapping, q_seq_lens, actual_seq_len = cache_inputs
        h = self.attention(
            self.attention_norm(x),
            freqs_cis,
            mask,
            batch_valid_length,
            block_tables,
            slot_mapping,
            None,
            q_seq_lens,
            actual_seq_len=actual_seq_len,
        )
        return self.add_residual(x, h)

    def normalise(self, h: Tensor) -> Tensor:
        """Returns the feed-forward's input [b, s, d] from the residual h [b, s, d]."""
        if not self.on_cpu:
            return self.ffn_norm(h)
        flat = self.reshape(h, (-1, h.shape[-1]))  # [b, s, d] -> [t, d]
        return self.reshape(self.cpu_norm(flat, self.ffn_norm.weight)[0], h.shape)

    def add_residual(self, residual: Tensor, change: Tensor) -> Tensor:
        """Returns the sum, taken in the residual's type."""
        if not self.residual_cast_flag:
            return self.add(residual, change)
        total = self.add(self.cast(residual, self.residual_dtype), self.cast(change, self.residual_dtype))
        return self.cast(total, self.dtype)


class SciMindModel(LlamaModel):
    """Llama's stack of layers with one routing plan for all of them.

    Args:
        config: The configuration.
        dispatch: "masked" or "grouped".
        kernels: "mindformers" or "cpu".
    """

    def __init__(self, config: SciMindConfig, *, dispatch: str, kernels: str) -> None:
        super().__init__(config)
        self.on_cpu = kernels == "cpu"
        if self.on_cpu:
            heads = config.num_heads
            tables = (self.freqs_mgr.freqs_cos.asnumpy(), self.freqs_mgr.freqs_sin.asnumpy())
            self.rotary = RotaryTables(*tables, heads, config.n_kv_heads or heads)
            self.cpu_norm = RootMeanSquareNorm(config.hidden_size, config.rms_norm_eps)
        self.planner = RoutingPlanner(
            config.routing,
            config.vocab_size,
            dispatch,
            config.compute_dtype,
            config.parallel_config.data_parallel,
            config.pad_token_id,
        )
        self.has_balance = config.routing.has_balance
        self.zero = Tensor(0.0, ms.float32)
        # In graph mode the base takes the mask at its full length; this makes it cut the mask to the batch's.
        self.casual_mask.is_pynative = self.casual_mask.is_pynative or not splits_tensors()
        if config.packed and not config.use_past:  # a prompt is one record
            ways = config.parallel_config.data_parallel
            self.casual_mask: nn.Cell = SegmentMask(self.casual_mask, config.bos_token_id, ways)

    def construct(
        self,
        tokens: Tensor,
        input_embeds: Tensor = None,
        batch_valid_length: Tensor = None,
        batch_index: Tensor = None,
        zactivate_len: Tensor = None,
        block_tables: Tensor = None,
        slot_mapping: Tensor = None,
        prefix_keys_values: Tensor = None,
        attention_mask: Tensor = None,
        position_ids: Tensor = None,
        q_seq_lens: Tensor = None,
        seq_range: Tensor = None,
        actual_seq_len: Tensor = None,
    ) -> Any:
        """Returns hidden states [b, s, d] of `tokens` [b, s]; arguments as in LlamaModel.construct.

        In training mode and with a load balance it returns them and the layers' mean balance, float32 [].
        """
        b, s = self.shape(tokens)
        mask = None
        if self.use_past and not self.is_first_iteration:
            freqs_cis = self.freqs_mgr.increment(batch_valid_length)
        elif self.use_past:
            freqs_cis = self.freqs_mgr.prefill(b, s)
            mask = self.casual_mask.prefill() if self.use_flash_attention else self.casual_mask(tokens)
        else:
            freqs_cis = self.positions(b, s)
            mask = self.casual_mask(tokens)
        if attention_mask is not None:
            mask = self.cast(attention_mask, ms.uint8)
        h = self.embed(tokens, input_embeds)
        plan = self.planner(tokens)
        cache_inputs = (batch_valid_length, block_tables, slot_mapping, q_seq_lens, actual_seq_len)
        if not self.has_balance:
            for i in range(self.num_layers):
                h = self.layers[i](h, freqs_cis, mask, plan, cache_inputs)
            return self.normalise(h)
        balance = self.zero
        for i in range(self.num_layers):
            h, of_layer = self.layers[i](h, freqs_cis, mask, plan, cache_inputs)
            balance = balance + of_layer
        if self.training:
            return self.normalise(h), balance / self.num_layers
        return self.normalise(h)

    def positions(self, b: int, s: int) -> tuple[Tensor, ...]:
        """Returns the rotary tables of whole sequences, as the layers take them."""
        return self.rotary(b, s) if self.on_cpu else self.freqs_mgr(s)

    def normalise(self, h: Tensor) -> Tensor:
        """Returns the stack's output [b, s, d] from the last residual h [b, s, d]."""
        if not self.on_cpu:
            return self.norm_out(h)
        flat = self.reshape(h, (-1, self.hidden_size))  # [b, s, d] -> [t, d]
        return self.reshape(self.cpu_norm(flat, self.norm_out.weight)[0], h.shape)

    def embed(self, tokens: Tensor, input_embeds: Tensor) -> Tensor:
        """Returns the first layer's input [b, s, d]: the embeddings of `tokens` [b, s], or `input_embeds`."""
        b, s = self.shape(tokens)
        h = self.tok_embeddings(tokens) if input_embeds is None else input_embeds
        return self.reshape(self.cast(h, self.dtype), (b, s, self.hidden_size))


@MindFormerRegister.register(MindFormerModuleType.MODELS)
class SciMindForCausalLM(LlamaForCausalLM):
    """Llama for causal language modelling with modality-routed experts.

    Called with `input_ids` [b, s] in evaluation mode it returns logits [b, s, v], tokens and the input mask, as
    MindFormers' Llama does. In training mode, with `input_ids` and `labels` [b, s+1], it returns the mean loss over
    positions whose input is not padding and whose label is not −100.

    Parameter names are Llama's; a dense checkpoint loads unchanged. Router `learned` adds one gate a layer,
    `model.layers.{i}.feed_forward.gate.weight` [e, d]; with a `balance_weight` its training loss is the answers' loss
    plus that weight times the layers' mean load balance.

    Args:
        config: The configuration.

    Source: SciMind (ACL 2024 workshop on Language + Molecules).
    """

    config_class = SciMindConfig
    base_model_prefix = "scimind"

    def __init__(self, config: SciMindConfig) -> None:
        if config.use_past and runs_on_cpu():
            # MindFormers' cache is Ascend's; `scimind.model.cpu.decoding` has one of its own for any model.
            config = copy.copy(config)
            config.use_past = False
        dispatch = chosen_dispatch(config.routing, ms.get_context("device_target"))
        kernels = chosen_kernels(config, ms.get_context("device_target"))
        with built_from(
            model=partial(SciMindModel, dispatch=dispatch, kernels=kernels),
            decode_layer=partial(SciMindDecodeLayer, routing=config.routing, dispatch=dispatch, kernels=kernels),
        ):
            super().__init__(config=config)
        self.dispatch, self.kernels = dispatch, kernels
        # MindFormers' own way through the loss serves what this one does not have.
        self.has_own_loss = config.routing.has_balance or (kernels == "cpu" and not config.calculate_per_token_loss)
        if kernels == "cpu":
            self.answer_loss = AnswerLoss()
        self.balance_weight = config.routing.balance_weight

    def construct(
        self,
        input_ids: Tensor,
        labels: Tensor = None,
        input_position: Tensor = None,
        position_ids: Tensor = None,
        attention_mask: Tensor = None,
        input_embeds: Tensor = None,
        init_reset: Tensor = None,
        batch_valid_length: Tensor = None,
        batch_index: Tensor = None,
        zactivate_len: Tensor = None,
        block_tables: Tensor = None,
        slot_mapping: Tensor = None,
        prefix_keys_values: Tensor = None,
        llm_boost_inputs: Tensor = None,
        q_seq_lens: Tensor = None,
        loss_mask: Tensor = None,
        gather_index: Tensor = None,
        seq_range: Tensor = None,
        actual_seq_len: Tensor = None,
    ) -> Any:
        """Returns what the class says; arguments as in LlamaForCausalLM.construct."""
        if self.training and self.has_own_loss and input_embeds is None:
            return self._training_loss(input_ids, labels, loss_mask)
        return super().construct(
            input_ids,
            labels,
            input_position,
            position_ids,
            attention_mask,
            input_embeds,
            init_reset,
            batch_valid_length,
            batch_index,
            zactivate_len,
            block_tables,
            slot_mapping,
            prefix_keys_values,
            llm_boost_inputs,
            q_seq_lens,
            loss_mask,
            gather_index,
            seq_range,
            actual_seq_len,
        )

    def _training_loss(self, input_ids: Tensor, labels: Tensor, loss_mask: Tensor) -> Tensor:
        """Returns the training loss; `input_ids` and `labels` [b, s+1], `loss_mask` too."""
        b, s = self.shape(input_ids)
        tokens = self.slice(input_ids, (0, 0), (b, s - 1), (1, 1))
        targets = self.slice(input_ids if labels is None else labels, (0, 1), (b, s), (1, 1))
        if loss_mask is not None:
            mask = self.slice(loss_mask, (0, 0), (b, s - 1), (1, 1))
        else:
            mask = self.cast(self.not_equal(tokens, self.pad_token_id), ms.float32)
            mask = self.mul(mask, self.cast(self.not_equal(targets, self.ignore_token_id), ms.float32))
        if self.balance_weight > 0:
            h, balance = self.model(tokens)
            return self._token_loss(h, targets, mask) + self.balance_weight * balance
        return self._token_loss(self.model(tokens), targets, mask)

    def _token_loss(self, h: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Returns the mean loss of h [b, s, d] over the positions of `targets` [b, s] that `mask` [b, s] counts."""
        targets, mask = self.reshape(targets, (-1,)), self.reshape(mask, (-1,))
        if self.kernels == "cpu":
            return self.answer_loss(self.reshape(h, (-1, h.shape[-1])), self.lm_head.weight, targets, mask)[0]
        logits = self.cast(self.reshape(self.lm_head(h), (-1, self.vocab_size)), ms.float32)  # [t, v]
        return self.loss(logits, targets, mask)

    def generate(self, input_ids: Any, generation_config: Any = None, *args: Any, **kwargs: Any) -> list[np.ndarray]:
        """Returns each prompt with its answer behind it.

        On the CPU the answers come from `scimind.generate`; on Ascend from MindFormers' own generation, which takes
        more arguments.

        Args:
            input_ids: Prompts: one list of ids, several of them, or an array [b, s] padded on the right.
            generation_config: MindFormers' GenerationConfig; Ascend only.
            *args: MindFormers' further arguments; Ascend only.
            **kwargs: The fields of `scimind.generate.settings.GenerationSettings`, such as max_new_tokens, do_sample,
                temperature, top_k, top_p and seed.

        Returns:
            One array of int32 ids per prompt; an answer's EOS is included.

        Raises:
            SciMindError: A setting is out of its range, or a prompt is empty or too long.
        """
        if ms.get_context("device_target") != "CPU":
            return super().generate(input_ids, generation_config, *args, **kwargs)
        if generation_config is not None or args:
            raise ConfigError("generation_config is for Ascend; on the CPU give max_new_tokens and the like by name")
        from scimind.generate.answers import generate_ids

        return generate_ids(self, input_ids, **kwargs)
