"""Llama's decoder layer and stack, with a routing plan shared by all layers."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn

from scimind.config.routing import RoutingSettings
from scimind.model._mindformers import LLamaDecodeLayer, LlamaModel, splits_tensors
from scimind.model.config import SciMindConfig
from scimind.model.cpu.attention_block import AttentionBlock
from scimind.model.cpu.norm import RootMeanSquareNorm
from scimind.model.cpu.rotary import RotaryTables
from scimind.model.feed_forward import RoutedFeedForward
from scimind.model.packing import SegmentMask
from scimind.model.routing.router import PlannerSettings
from scimind.model.routing.routers import ROUTERS
from scimind.model.shared_cells import CellFactory


class SciMindDecodeLayer(LLamaDecodeLayer):
    """Llama's decoder layer with a routed feed-forward.

    Args:
        seq_length: s.
        layer_id: Number of the layer, from 0.
        routing: The routing settings.
        dispatch: "masked" or "grouped".
        kernels: "mindformers" or "cpu", see `chosen_kernels`.
        cells: Factory of the cells that the model's layers share.
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
        cells: CellFactory,
        **kwargs: Any,
    ) -> None:
        parallel = kwargs["parallel_config"]
        # The base class builds a dense feed-forward that is replaced below: the smallest that its checks accept.
        super().__init__(seq_length, layer_id, **{**kwargs, "intermediate_size": parallel.model_parallel})
        self.feed_forward = RoutedFeedForward(
            routing=routing,
            dispatch=dispatch,
            kernels=kernels,
            cells=cells,
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
            self.cpu_attention = cells(AttentionBlock, kwargs["dim"], heads, kwargs["n_kv_heads"] or heads, eps)
            self.cpu_norm = cells(RootMeanSquareNorm, kwargs["dim"], eps)
        if splits_tensors():
            self.feed_forward.shard(parallel)
            if parallel.use_seq_parallel:
                data, model = parallel.data_parallel * parallel.context_parallel, parallel.model_parallel
                self.feed_forward.w2.shard(((data, model), (1, model)), out_strategy_matmul=((data * model, 1),))

    def construct(self, x: Tensor, freqs_cis: tuple, mask: Tensor, plan: Any, cache_inputs: tuple) -> Any:
        """Returns the layer's output [b, s, d]; with a load balance, also the balance, float32 [].

        Args:
            x: Input [b, s, d].
            freqs_cis: Rotary tables: MindFormers', or with the CPU kernels the output of `RotaryTables`.
            mask: Attention mask as expected by MindFormers' attention.
            plan: The step's routing plan for the layer's router.
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
                self.cast(self.attention_norm.weight, self.dtype),
                self.cast(weights.wq.weight, self.dtype),
                self.cast(weights.wk.weight, self.dtype),
                self.cast(weights.wv.weight, self.dtype),
                self.cast(weights.wo.weight, self.dtype),
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
        gain = self.cast(self.ffn_norm.weight, self.dtype)
        return self.reshape(self.cpu_norm(flat, gain)[0], h.shape)

    def add_residual(self, residual: Tensor, change: Tensor) -> Tensor:
        """Returns the sum, computed in the residual's type."""
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
        cells: Factory of the cells that its layers share.
    """

    def __init__(self, config: SciMindConfig, *, dispatch: str, kernels: str, cells: CellFactory) -> None:
        super().__init__(config)
        self.on_cpu = kernels == "cpu"
        if self.on_cpu:
            heads = config.num_heads
            tables = (self.freqs_mgr.freqs_cos.asnumpy(), self.freqs_mgr.freqs_sin.asnumpy())
            self.rotary = RotaryTables(*tables, heads, config.n_kv_heads or heads)
            self.cpu_norm = cells(RootMeanSquareNorm, config.hidden_size, config.rms_norm_eps)
        self.planner = ROUTERS[config.routing.router].planner(
            PlannerSettings(
                routing=config.routing,
                vocab_size=config.vocab_size,
                dispatch=dispatch,
                compute_dtype=config.compute_dtype,
                data_parallel=config.parallel_config.data_parallel,
                pad_token_id=config.pad_token_id,
            )
        )
        self.has_balance = config.routing.has_balance
        self.zero = Tensor(0.0, ms.float32)
        # In graph mode the base class uses the mask at full length; this makes it cut the mask to the batch's length.
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

        In training mode with a load balance, it also returns the layers' mean balance, float32 [].
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
        """Returns the rotary tables of whole sequences in the form that the layers take."""
        return self.rotary(b, s) if self.on_cpu else self.freqs_mgr(s)

    def normalise(self, h: Tensor) -> Tensor:
        """Returns the stack's output [b, s, d] from the last residual h [b, s, d]."""
        if not self.on_cpu:
            return self.norm_out(h)
        flat = self.reshape(h, (-1, self.hidden_size))  # [b, s, d] -> [t, d]
        gain = self.cast(self.norm_out.weight, self.dtype)
        return self.reshape(self.cpu_norm(flat, gain)[0], h.shape)

    def embed(self, tokens: Tensor, input_embeds: Tensor) -> Tensor:
        """Returns the first layer's input [b, s, d]: the embeddings of `tokens` [b, s], or `input_embeds`."""
        b, s = self.shape(tokens)
        h = self.tok_embeddings(tokens) if input_embeds is None else input_embeds
        return self.reshape(self.cast(h, self.dtype), (b, s, self.hidden_size))
