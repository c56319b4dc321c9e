"""Settings that are each valid, but not in combination."""

from __future__ import annotations

import pytest

from tests.unit.config.support import MODEL, ROOT, faults_of


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([MODEL + "num_experts=10"], "intermediate_size (512) must be a multiple of num_experts (10)"),
        ([MODEL + "hidden_size=130"], "hidden_size (130) must be a multiple of num_heads (4)"),
        ([MODEL + "hidden_size=132"], "must be even for rotary embedding"),
        ([MODEL + "n_kv_heads=3"], "num_heads (4) must be a multiple of n_kv_heads (3)"),
        ([MODEL + "eos_token_id=2112"], "eos_token_id (2112) must be below vocab_size (2112)"),
        (
            [MODEL + "expert_sets.text=[0..16]"],
            "model.model_config.expert_sets.text names expert 16; experts must be in 0",
        ),
        ([MODEL + "expert_sets.text=[-1]"], "expert_sets.text names expert -1"),
        ([MODEL + "expert_sets.text=[]"], "expert_sets.text leaves text without experts"),
        ([MODEL + "experts_per_token.text=17"], "experts_per_token.text (17) must be in 0"),
        (
            [MODEL + "router=activation", MODEL + "experts_per_token.protein=0"],
            "experts_per_token.protein leaves protein without experts",
        ),
        ([MODEL + "modality_ranges.smiles=[7, 3000]"], "must end within vocab_size (2112)"),
        (
            [MODEL + "modality_ranges={smiles: [10, 20], protein: [15, 30]}"],
            "modality_ranges.protein [15, 30] overlaps",
        ),
        ([MODEL + "use_past=True"], "use_past (True) breaks training"),
        ([MODEL + "use_flash_attention=True"], "does not run on context.device_target CPU; set it to False"),
        (["--train_dataset.data_loader.dataset_dir="], "train_dataset.data_loader.dataset_dir is missing"),
        (["--train_dataset_task.dataset_config={data_loader: {type: MindDataset}}"], "differs from train_dataset"),
        (["--run_mode=predict", "--generation.max_new_tokens=192"], "max_new_tokens (192) must be below"),
    ],
)
def test_settings_fit_each_other(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [MODEL + "dispatch=grouped"],
            "dispatch (grouped) has dynamic shapes, which parallel.parallel_mode 1 does not support",
        ),
        (["--parallel_config.micro_batch_num=2"], "micro_batch_num (2) must be at least pipeline_stage (4)"),
        (["--parallel_config.pipeline_stage=33"], "pipeline_stage (33) must be at most"),
        (["--parallel_config.model_parallel=3"], "num_heads (32) must be a multiple of parallel_config.model_parallel"),
        (
            ["--parallel_config.model_parallel=8", "--model.model_config.num_experts=4"],
            "num_experts (4) must be a multiple of parallel_config.model_parallel (8)",
        ),
        (["--context.device_target=CPU"], "parallel.parallel_mode (1) does not run on context.device_target CPU"),
    ],
)
def test_parallel_settings_fit_each_other(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides, path=ROOT / "configs" / "scimind_7b_finetune.yaml")
