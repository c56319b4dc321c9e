"""Settings that would be ignored are refused with the setting that acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.config.nodes import Inert
from scimind.config.schema import named_nodes
from scimind.config.sections.root import SCHEMA
from scimind.errors import ConfigError
from scimind.generate.settings import GenerationSettings
from tests.unit.config.support import MODEL, NANO, ROOT, faults_of, written

PREDICT = ROOT / "configs" / "scimind_nano_predict.yaml"

# As in the YAML files of MindFormers' own Llama models, with values with which nothing is lost.
MINDFORMERS = f"""
base: {NANO}
load_ckpt_format: ckpt
auto_trans_ckpt: False
src_strategy_path_or_dir: ''
optimizer: {{learning_rate: 3.0e-3}}
eval_dataset: {{num_parallel_workers: 8, python_multiprocessing: False, numa_enable: False, repeat: 1}}
moe_config: {{expert_num: 1, capacity_factor: 1.05, aux_loss_factor: 0.05, num_experts_chosen: 1}}
model: {{model_config: {{batch_size: 1, max_decode_length: 512, return_hidden_states: False, do_sample: False}}}}
processor:
  type: LlamaProcessor
  return_tensors: ms
  tokenizer: {{type: SciMindTokenizer, unk_token: <unk>, bos_token: <s>, eos_token: </s>, pad_token: <unk>}}
metric: {{type: PerplexityMetric}}
auto_tune: False
filepath_prefix: ./autotune
autotune_per_step: 10
profile: False
layer_scale: False
layer_decay: 0.65
lr_scale_factor: 256
remote_save_url: Please input obs url on AICC platform.
"""


def test_the_lines_of_mindformers_files_are_accepted(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, MINDFORMERS))
    again = tmp_path / "again.yaml"
    config.save(again)
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--optimizer.learning_rate=1e-5", "does nothing next to lr_schedule.learning_rate (0.003); set that"),
        ("--train_dataset.batch_size=3", "does nothing next to runner_config.batch_size (16)"),
        (MODEL + "return_hidden_states=True", "return_hidden_states (True) does nothing here; use scimind.experts"),
        (MODEL + "batch_size=4", "batch_size (4) does nothing here; set runner_config.batch_size or generation"),
        (MODEL + "checkpoint_name_or_path=x", "does nothing here; set load_checkpoint"),
        (MODEL + "scaling_factor=2.0", "scaling_factor (2.0) acts only with an extend_method"),
        (MODEL + "ffn_dim_multiplier=1.3", "ffn_dim_multiplier does nothing next to intermediate_size"),
        ("--processor.tokenizer.model_max_length=9", "does nothing here; set model.model_config.seq_length"),
        ("--processor.tokenizer.padding_side=left", "does nothing here; rows are padded on the right"),
        ("--processor.max_length=9", "does nothing here; set model.model_config.seq_length"),
        ("--eval_dataset.drop_remainder=True", "does nothing here; an evaluation uses every record"),
        ("--eval_dataset.do_eval=1", "eval_dataset.do_eval (1) does nothing here"),  # 1 is not True
        ("--train_dataset.eod_reset=True", "scimind prepare --pack"),
        ("--train_dataset.seed=5", "acts only with split tensors (parallel_mode 1 or 2); set seed"),
        ("--only_save_strategy=True", "acts only with split tensors"),
        ("--callbacks.1.directory=x", "callbacks.1.directory ('x') acts only with split tensors; set output_dir"),
        ("--calculate_per_token_loss=True", "act together; give all of them or none"),
        ("--data_skip_steps=5", "data_skip_steps (5) does nothing here; a resumed run skips"),
        ("--remote_save_url=obs://x", "does nothing here; set output_dir"),
        ("--eval_callbacks=[{type: MFLossMonitor}]", "does nothing here; set callbacks"),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(override: str, message: str) -> None:
    assert message in faults_of(override)


@pytest.mark.parametrize("setting", ["temperature=0.7", "top_k=5", "top_p=0.9"])
def test_sampling_settings_need_sampling(setting: str) -> None:
    name, value = setting.split("=")
    assert f"generation.{name} ({value}) acts only with do_sample True" in faults_of(
        f"--generation.{setting}", path=PREDICT
    )
    with pytest.raises(ConfigError, match="acts only with do_sample True"):
        GenerationSettings(**{name: float(value) if "." in value else int(value)})
    assert load_config(PREDICT, [f"--generation.{setting}", "--generation.do_sample=True"]).generation["do_sample"]


def test_sharded_checkpoints_are_not_those_of_scimind() -> None:
    split = ["--use_parallel=True", "--parallel.parallel_mode=1", "--context.device_target=Ascend"]
    callback = "--callbacks=[{type: SciMindCheckpoint}]"
    assert "callbacks.0 (SciMindCheckpoint) does nothing with split tensors" in faults_of(*split, callback)
    load_config(NANO, [callback])
    load_config(NANO, [*split, "--train_dataset.seed=5", "--callbacks.1.directory=x"])


def test_every_inert_setting_accepts_its_own_values_and_no_other() -> None:
    nodes = {name: node for name, node in named_nodes(SCHEMA) if isinstance(node, Inert)}
    assert len(nodes) > 40
    for name, node in nodes.items():
        for value in node.values:
            assert node.check(value, name, faults := []) == value, name  # type: ignore[arg-type]
            assert not faults
        node.check("another", name, faults := [])  # type: ignore[arg-type]
        assert faults == [f"{name} ('another') does nothing here; {node.instead}"]
