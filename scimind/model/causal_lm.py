"""SciMindForCausalLM: MindFormers' Llama whose decoder layers receive a routing plan."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Tensor

from scimind.config.facts import chosen_dispatch
from scimind.errors import ConfigError
from scimind.model._mindformers import (
    LlamaForCausalLM,
    MindFormerModuleType,
    MindFormerRegister,
    built_from,
    runs_on_cpu,
    splits_tensors,
)
from scimind.model.config import SciMindConfig
from scimind.model.cpu.loss import AnswerLoss
from scimind.model.decoder import SciMindDecodeLayer, SciMindModel
from scimind.model.kernels import chosen_kernels
from scimind.model.shared_cells import common_cells


@MindFormerRegister.register(MindFormerModuleType.MODELS)
class SciMindForCausalLM(LlamaForCausalLM):
    """Llama for causal language modelling with modality-routed experts.

    In evaluation mode, called with `input_ids` [b, s], it returns logits [b, s, v], tokens and the input mask, as
    MindFormers' Llama does. In training mode, called with `input_ids` and `labels` [b, s+1], it returns the mean loss
    over positions whose input is not padding and whose label is not −100.

    Parameter names are Llama's, so a dense checkpoint loads unchanged. Router `learned` adds one gate per layer,
    `model.layers.{i}.feed_forward.gate.weight` [e, d]; with a `balance_weight`, the training loss is the answers' loss
    plus that weight times the layers' mean load balance.

    Args:
        config: The configuration.

    Source: SciMind (ACL 2024 workshop on Language + Molecules).
    """

    config_class = SciMindConfig
    base_model_prefix = "scimind"

    def __init__(self, config: SciMindConfig) -> None:
        if config.use_past and runs_on_cpu():
            # MindFormers' cache works on Ascend only; `scimind.model.decoding` has its own for any model.
            config = copy.copy(config)
            config.use_past = False
        kernels = chosen_kernels(config, ms.get_context("device_target"))
        dispatch = chosen_dispatch(config.routing.dispatch, config.routing.router, kernels, splits=splits_tensors())
        chosen: dict[str, Any] = {"dispatch": dispatch, "kernels": kernels, "cells": common_cells()}
        with built_from(
            model=partial(SciMindModel, **chosen),
            decode_layer=partial(SciMindDecodeLayer, routing=config.routing, **chosen),
        ):
            super().__init__(config=config)
        self.dispatch, self.kernels = dispatch, kernels
        # MindFormers' own loss is used for the features that this one lacks.
        self.has_own_loss = config.routing.has_balance or (kernels == "cpu" and not config.calculate_per_token_loss)
        if kernels == "cpu":
            self.answer_loss = AnswerLoss()
        self.balance_weight = config.routing.balance_weight

    @classmethod
    def from_pretrained(cls, source: str | Path, *args: Any, **kwargs: Any) -> Any:
        """Returns the model of a path, with its weights; `scimind.load` takes the same paths and returns more.

        Args:
            source: See `scimind.checkpoint.source.configuration_of`.
            *args: MindFormers' arguments; with any of these, MindFormers reads the folder.
            **kwargs: MindFormers' arguments, likewise.

        Raises:
            SciMindError: There is no model at the path, or its files do not belong together.
        """
        if args or kwargs:
            return super().from_pretrained(source, *args, **kwargs)
        from scimind.checkpoint.source import configuration_of
        from scimind.model.loading import load_model

        return load_model(configuration_of(source))

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
        """Returns what the class describes; arguments as in LlamaForCausalLM.construct."""
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
        """Returns the training loss of `input_ids`, `labels` and `loss_mask`, [b, s+1] each."""
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
        """Returns the mean loss of h [b, s, d] over the positions of `targets` [b, s] that `mask` [b, s] selects."""
        targets, mask = self.reshape(targets, (-1,)), self.reshape(mask, (-1,))
        if self.kernels == "cpu":
            return self.answer_loss(self.reshape(h, (-1, h.shape[-1])), self.lm_head.weight, targets, mask)[0]
        logits = self.cast(self.reshape(self.lm_head(h), (-1, self.vocab_size)), ms.float32)  # [t, v]
        return self.loss(logits, targets, mask)

    def generate(self, input_ids: Any, generation_config: Any = None, *args: Any, **kwargs: Any) -> list[Any]:
        """Returns each prompt followed by its answer.

        On the CPU, answers are generated by `scimind.generate`; on Ascend by MindFormers, which takes more arguments.

        Args:
            input_ids: Prompts: a list of ids, a list of such lists, or an array [b, s] padded on the right.
            generation_config: MindFormers' GenerationConfig; Ascend only.
            *args: MindFormers' further arguments; Ascend only.
            **kwargs: The fields of `scimind.generate.settings.GenerationSettings`, such as max_new_tokens, do_sample,
                temperature, num_beams, num_return_sequences and seed. CPU only: `task`, such as "text2smiles", for
                which answers are valid by default and `where` and `prefix` have a meaning; `codec`, the tokenizer, if
                it is not the shipped one; `rule`, a `scimind.generate.validity.rule.AnswerRule` of your own.

        Returns:
            One array of int32 ids per prompt; an answer's EOS is included. With `num_return_sequences` above 1, a list
            of such arrays per prompt, the best answer first; there may be fewer.

        Raises:
            SciMindError: A setting is out of range, a prompt is empty or too long, or no answer fulfils the conditions.
        """
        if ms.get_context("device_target") != "CPU":
            return super().generate(input_ids, generation_config, *args, **kwargs)
        if generation_config is not None or args:
            raise ConfigError("generation_config is for Ascend; on the CPU give max_new_tokens and the like by name")
        # MindFormers expects `generate` on the model; only here does the model call a module that is built on it.
        from scimind.generate.api import generate_ids

        return generate_ids(self, input_ids, **kwargs)
