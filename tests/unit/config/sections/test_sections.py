"""The sections of a run's configuration: the names, defaults and values of each setting."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.config.nodes import Section
from scimind.config.sections.model import (
    GENERATION_ARGUMENTS,
    LLAMA_ARGUMENTS_ELSEWHERE,
    LLAMA_FIELDS,
    intermediate_size,
)
from scimind.config.sections.root import SCHEMA
from tests.unit.config.support import MODEL, NANO, faults_of


def test_llama_settings_are_the_arguments_of_the_real_class() -> None:
    """Compares names and defaults, so that a new MindFormers shows where the schema must follow."""
    from mindformers.models.llama import LlamaConfig

    signature = inspect.signature(inspect.unwrap(LlamaConfig.__init__))
    arguments = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if name not in ("self", "kwargs", *LLAMA_ARGUMENTS_ELSEWHERE)
    }
    assert set(LLAMA_FIELDS) == set(arguments)
    ours = {name: node.default for name, node in LLAMA_FIELDS.items() if not isinstance(node, Section)}
    differing = {name for name, default in ours.items() if default != arguments[name]}
    assert differing == set(GENERATION_ARGUMENTS)


def test_sections_that_mindformers_is_strict_about_have_its_keys() -> None:
    """MindFormers rejects unknown keys in these sections, so ours must not allow more; what we omit is listed here."""
    from mindformers.tools.register import template

    ours = {name: set(node.fields) for name, node in SCHEMA.fields.items() if isinstance(node, Section)}
    assert ours["runner_config"] == set(template.RunnerConfig.keys()) - {"num_classes"} | {
        "max_steps",
        "global_batch_size",
    }
    assert ours["parallel_config"] == set(template.ParallelConfig.keys())
    assert ours["recompute_config"] == set(template.RecomputeConfig.keys())
    assert ours["swap_config"] == set(template.SwapConfig.keys())
    assert ours["monitor_config"] == set(template.MonitorConfig.keys())
    assert ours["moe_config"] < set(template.MoEConfig.keys())
    left_out = {
        *("use_legacy_format", "balanced_load", "reshard_worker_num", "pretrained_model_dir", "adapter_id"),
        *("profile_rank_ids", "profile_pipeline", "mstx", "exclude_cann_cpu", "postprocess_use_numpy"),
    }
    assert set(template.GeneralConfig.keys()) - set(SCHEMA.fields) == left_out


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("--model.model_config.hiden_size=64", "model.model_config.hidden_size"),
        ("--model.model_config.expert_set.text=[1]", "model.model_config.expert_sets"),
        ("--model.model_config.expert_sets.smile=[1]", "model.model_config.expert_sets.smiles"),
        ("--runner_config.epoch=1", "runner_config.epochs"),
        ("--optimiser.type=AdamW", "optimizer"),
        ("--optimizer.beta=0.9", "optimizer.betas"),
        ("--callbacks.1.save_checkpoint_step=1", "callbacks.1.save_checkpoint_steps"),
        ("--runner_wrapper.use_clip_gradient=True", "runner_wrapper.use_clip_grad"),
        ("--train_dataset.data_loader.dataset_path=x", "train_dataset.data_loader.dataset_dir"),
        ("--generation.max_new_token=5", "generation.max_new_tokens"),
        ("--epochs=3", "runner_config.epochs"),
        ("--hidden_size=64", "model.model_config.hidden_size"),
    ],
)
def test_unknown_key_names_the_nearest(override: str, nearest: str) -> None:
    found = faults_of(override)
    assert "is not a setting" in found
    assert f"; the nearest valid one is {nearest}" in found


def test_unknown_key_is_named_in_full() -> None:
    assert "callbacks.0.per_print_time is not a setting" in faults_of("--callbacks.0.per_print_time=1")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([MODEL + "seq_length=-1"], "model.model_config.seq_length (-1) must be at least 1"),
        (["--runner_config.epochs=0"], "runner_config.epochs (0) must be at least 1"),
        (["--runner_config.epochs=two"], "runner_config.epochs ('two') must be a whole number"),
        (["--runner_config.epochs=1.5"], "runner_config.epochs (1.5) must be a whole number"),
        (["--runner_config.epochs=True"], "runner_config.epochs (True) must be a whole number"),
        (["--runner_config.sink_mode=perhaps"], "runner_config.sink_mode ('perhaps') must be True or False"),
        (["--lr_schedule.learning_rate=0"], "lr_schedule.learning_rate (0.0) must be greater than 0"),
        (["--lr_schedule.learning_rate=.nan"], "lr_schedule.learning_rate (nan) must be a number"),
        (["--lr_schedule.warmup_ratio=3"], "lr_schedule.warmup_ratio (3.0) must be at most 1"),
        (["--optimizer.betas=[0.9]"], "optimizer.betas ([0.9]) must be a list of 2 values"),
        (["--optimizer.type=AdamX"], "optimizer.type (AdamX) is not supported here; the nearest valid type is AdamW"),
        (["--runner_config=3"], "runner_config (3) must be a section"),
        (["--seed="], "seed ('') must be a whole number"),
        (["--seed=null"], "seed is empty"),
        ([MODEL + "router=modal"], "router ('modal') must be one of activation, modality"),
        ([MODEL + "type=LlamaConfig"], "type ('LlamaConfig') must be one of SciMindConfig"),
        ([MODEL + "chunk_prefill=True"], "chunk_prefill (True) must be one of False"),
        ([MODEL + "expert_sets.text=[1, 0..2]"], "expert_sets.text names expert 1 twice"),
        ([MODEL + "expert_sets.text=[8..2]"], "expert_sets.text (['8..2']) must be a list of experts"),
        ([MODEL + "modality_ranges.smiles=[7, 3]"], "modality_ranges.smiles ([7, 3]) must be [start, stop]"),
        (["--moe_config.expert_num=8"], "moe_config.expert_num (8) must be one of 1"),
    ],
)
def test_wrong_value_is_named_with_its_rule(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides)


def test_ranges_may_come_in_several_pieces() -> None:
    config = load_config(NANO, [MODEL + "modality_ranges={smiles: [[10, 20], [30, 40]], protein: [20, 30]}"])
    assert config.model_config["modality_ranges"] == {"smiles": [[10, 20], [30, 40]], "protein": [[20, 30]]}


def test_intermediate_size_by_the_rule_of_llama() -> None:
    """Llama-2 7B has 11,008 neurons and 70B 28,672, from their published settings."""
    assert intermediate_size({"hidden_size": 4096, "multiple_of": 256}) == 11008
    assert intermediate_size({"hidden_size": 8192, "multiple_of": 4096, "ffn_dim_multiplier": 1.3}) == 28672


def test_evaluation_data_may_have_names(tmp_path: Path) -> None:
    named = {"captions": "a.mindrecord", "both": ["b.mindrecord", "c.mindrecord"]}
    names = [f"--eval_dataset.data_loader.dataset_files={named}", "--eval_dataset.data_loader.dataset_dir="]
    assert load_config(NANO, names).at("eval_dataset.data_loader.dataset_files") == named
    for text in ("{}", "{a: 1}", "{1: a}"):
        assert "eval_dataset.data_loader.dataset_files" in faults_of(f"--eval_dataset.data_loader.dataset_files={text}")
    # MindFormers reads the training data, and does not support names.
    assert "must be" in faults_of(f"--train_dataset.data_loader.dataset_files={named}")
