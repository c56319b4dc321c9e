"""The configurations written next to a converted checkpoint. Their paths begin with `here:`, so the folder can move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.config.reading import HERE
from scimind.tokenizer import TokenCodec

PREDICT, FINETUNE = "predict.yaml", "finetune.yaml"
_TABLE = 4096  # longer position tables are left to the user, since attention masks grow with the square of the length
_ROW = 512  # longest row of a finetuning on a CPU, unless the user raises it

_PREDICT_HEAD = """\
# Answers prompts with the checkpoint in this folder. `here:` is the folder of this file, wherever it is moved.
#
#   scimind predict --config {file} --input PROMPTS --output predictions.jsonl
#
# Device: {device}. Answers end after 256 tokens or at the end of the context ({seq_length} tokens), whichever comes
# first; generation.max_new_tokens sets another limit.
"""
_ON_ASCEND = """\
# On Ascend, set context.device_target: Ascend here, and in model.model_config use_flash_attention: True,
# fused_rms_norm: True, use_rope_slice: False and compute_dtype: {dtype}.
"""
_FINETUNE_HEAD = """\
# Finetunes the checkpoint in this folder on records from `scimind prepare`.
#
#   scimind prepare --task conversation --input RECORDS --seq-length {rows}{tokenizer} --output output/data --name train
#   scimind finetune --config {file}
#   scimind predict --config {predict} --load_checkpoint output/finetuned --input PROMPTS --output predictions.jsonl
#
# Device: {device}. First losses: those of the checkpoint on the same records.
# On Ascend, change {predict} as described there, and here runner_config.sink_mode: True. For several cards, copy
# use_parallel, parallel, parallel_config and recompute_config from configs/scimind_7b_finetune_910b.yaml.
"""
_FINETUNING = """\
optimizer: {type: AdamW, betas: [0.9, 0.999], eps: 1.0e-8, weight_decay: 0.0}
lr_schedule: {type: CosineWithWarmUpLR, learning_rate: 5.0e-5, lr_end: 0.0, warmup_ratio: 0.03, total_steps: -1}
runner_wrapper: {type: SciMindTrainOneStepCell, use_clip_grad: True, max_grad_norm: 1.0, scale_sense: 1.0}
train_dataset:
  data_loader: {type: MindDataset, dataset_dir: output/data/train.mindrecord, shuffle: True} # or --train_dataset FILE
  input_columns: [input_ids, labels]
  num_parallel_workers: 1
  drop_remainder: False
  repeat: 1
  prefetch_size: 1
callbacks:
  - type: MFLossMonitor
    per_print_times: 10
  - type: CheckpointMonitor
    prefix: scimind
    save_checkpoint_steps: 500
    keep_checkpoint_max: 2
    integrated_save: False
    async_save: False
"""


def configuration_texts(
    sizes: ModelSizes, description: Mapping[str, Any], codec: TokenCodec | None, dtype: str
) -> dict[str, str]:
    """Returns the text of each configuration by file name.

    Args:
        sizes: The model's sizes.
        description: The content of `scimind.json`.
        codec: The tokenizer next to the weights; None if there is none.
        dtype: The weights' type: "float32", "float16" or "bfloat16".
    """
    on_ascend = Path("/dev/davinci_manager").exists()
    device = "one Ascend card" if on_ascend else "one CPU"
    length = min(sizes.seq_length, _TABLE)
    tree = _prediction(sizes, description, codec, dtype if on_ascend else "float32", on_ascend=on_ascend)
    head = _PREDICT_HEAD.format(file=PREDICT, device=device, seq_length=length)
    if not on_ascend:
        head += _ON_ASCEND.format(dtype="float16" if dtype == "float32" else dtype)
    rows = row_length(sizes)
    finetuning = {
        "base": PREDICT,
        "run_mode": "finetune",
        "output_dir": "./output/finetuned",
        "runner_config": {"epochs": 3, "batch_size": 8, "sink_mode": on_ascend},
        "model": {"model_config": {"seq_length": rows, "use_past": False}},
    }
    tokenizer = "" if codec is None else " --tokenizer ."
    if codec is not None and not codec.extension:
        tokenizer += " --no-extension"
    finetune_head = _FINETUNE_HEAD.format(file=FINETUNE, predict=PREDICT, device=device, rows=rows, tokenizer=tokenizer)
    return {
        PREDICT: head + _as_yaml(tree),
        FINETUNE: finetune_head + _as_yaml(finetuning) + _FINETUNING,
    }


def row_length(sizes: ModelSizes) -> int:
    """Returns the `seq_length` of the finetuning: the model's context, if it is not longer than a CPU can handle."""
    return min(sizes.seq_length, _ROW)


def _prediction(
    sizes: ModelSizes, description: Mapping[str, Any], codec: TokenCodec | None, dtype: str, *, on_ascend: bool
) -> dict[str, Any]:
    """Returns the settings with which `scimind predict` uses the checkpoint as it is."""
    model = {
        "type": "SciMindConfig",
        "batch_size": 1,
        **sizes.to_model_config(),
        "seq_length": min(sizes.seq_length, _TABLE),
        "compute_dtype": dtype,
        "param_init_type": dtype,
        "layernorm_compute_type": "float32",
        "softmax_compute_type": "float32",
        "rotary_dtype": "float32",
        "use_flash_attention": on_ascend,
        "fused_rms_norm": on_ascend,
        "use_rope_slice": not on_ascend,
        "use_past": True,
        **description["routing"],
        "modality_ranges": description["modality_ranges"],
    }
    tree: dict[str, Any] = {
        "run_mode": "predict",
        "output_dir": "./output/predict",
        "load_checkpoint": f"{HERE}.",
        "use_parallel": False,
        "trainer": {"type": "CausalLanguageModelingTrainer", "model_name": "scimind"},
        "generation": {"do_sample": False, "batch_size": 8},
        "context": {"mode": 0, "device_target": "Ascend" if on_ascend else "CPU", "device_id": 0},
        "model": {"model_config": model, "arch": {"type": "SciMindForCausalLM"}},
    }
    if codec is not None:
        tree["processor"] = {
            "tokenizer": {
                "type": "SciMindTokenizer",
                "vocab_file": f"{HERE}tokenizer.model",
                "extension": codec.extension,
            }
        }
    return tree


def _as_yaml(tree: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(tree), sort_keys=False, default_flow_style=None, width=110)
