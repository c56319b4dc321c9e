"""The schema of a whole configuration: MindFormers 1.9's sections and ours.

Sections that no SciMind run reads, such as those for images or for MindFormers' own experts, are not settings here.
"""

from __future__ import annotations

from collections.abc import Iterator

from scimind.config.data_settings import DATASET, DATASET_TASK, TOKENIZER
from scimind.config.model_settings import MODEL_CONFIG
from scimind.config.schema import Items, Node, Section, Typed, Value
from scimind.config.training_settings import CALLBACK, LR_SCHEDULE, OPTIMIZER, RUNNER_WRAPPER

RUN_MODES = ("finetune", "train", "predict", "eval")
DEVICES = ("CPU", "Ascend")

_FLAG = Value(bool)
_COUNT = Value(int, low=1)
_WHOLE = Value(int, low=0)
_TEXT = Value(str)
_LAYERS = Value(bool, also=list)

_RUNNER_CONFIG = Section(
    {
        "epochs": Value(int, 1, low=1),
        "batch_size": Value(int, 1, low=1),
        "sink_mode": Value(bool, True),
        "sink_size": Value(int, 1, low=1),
        "gradient_accumulation_steps": Value(int, 1, low=1),
        "stop_step": _WHOLE,
        "max_steps": Value(int, low=1, nullable=True),  # ours: ends a training whatever the epochs are
    },
    always=True,
)

_CONTEXT = Section(
    {
        "mode": Value(int, 0, choices=(0, 1)),
        "device_target": Value(str, "Ascend", choices=DEVICES),
        "device_id": Value(int, 0, low=0),
        "max_call_depth": _COUNT,
        "max_device_memory": _TEXT,
        "mempool_block_size": _TEXT,
        "memory_optimize_level": Value(str, choices=("O0", "O1")),
        "save_graphs": Value(bool, also=int),
        "save_graphs_path": _TEXT,
        "deterministic": Value(str, choices=("ON", "OFF")),
        "ascend_config": Section(
            {
                "precision_mode": _TEXT,
                "parallel_speed_up_json_path": _TEXT,
                "jit_compile": _FLAG,
                "atomic_clean_policy": _WHOLE,
            }
        ),
        "jit_config": Section({"jit_level": Value(str, choices=("O0", "O1", "O2"))}),
        "jit_syntax_level": Value(int, choices=(0, 1, 2)),
        "enable_graph_kernel": _FLAG,
        "graph_kernel_flags": _TEXT,
        "runtime_num_threads": _COUNT,
        "inter_op_parallel_num": _WHOLE,
        "op_timeout": _WHOLE,
        "pynative_synchronize": _FLAG,
        "dataset_broadcast_opt_level": _WHOLE,
        "affinity_cpu_list": Value(dict),
        "affinity_config": Value(dict),
    },
    always=True,
)

_PARALLEL = Section(
    {
        "parallel_mode": Value(int, choices=(0, 1, 2, 3)),
        "gradients_mean": _FLAG,
        "gradient_fp32_sync": _FLAG,
        "enable_alltoall": _FLAG,
        "full_batch": _FLAG,
        "dataset_strategy": Value(),
        "search_mode": Value(str, choices=("sharding_propagation", "dynamic_programming", "recursive_programming")),
        "enable_parallel_optimizer": _FLAG,
        "parallel_optimizer_config": Section(
            {
                "gradient_accumulation_shard": _FLAG,
                "parallel_optimizer_threshold": _WHOLE,
                "optimizer_weight_shard_size": Value(int),
            }
        ),
        "pipeline_config": Section({"pipeline_interleave": _FLAG, "pipeline_scheduler": _TEXT}),
        "strategy_ckpt_save_file": _TEXT,
        "strategy_ckpt_load_file": _TEXT,
        "strategy_ckpt_config": Section({"save_file": _TEXT, "load_file": _TEXT, "only_trainable_params": _FLAG}),
        "comm_fusion": Value(dict),
        "loss_repeated_mean": _FLAG,
        "device_num": _COUNT,
        "global_rank": _WHOLE,
    }
)

_PARALLEL_CONFIG = Section(
    {
        "data_parallel": Value(int, 1, low=1),
        "model_parallel": Value(int, 1, low=1),
        "context_parallel": Value(int, 1, low=1),
        "expert_parallel": Value(int, 1, low=1, high=1),
        "pipeline_stage": Value(int, 1, low=1),
        "micro_batch_num": Value(int, 1, low=1),
        "seq_split_num": _COUNT,
        "use_seq_parallel": _FLAG,
        "optimizer_shard": Value(bool, nullable=True),
        "gradient_aggregation_group": _COUNT,
        "vocab_emb_dp": _FLAG,
        "context_parallel_algo": Value(str, choices=("colossalai_cp", "ulysses_cp", "hybrid_cp")),
        "ulysses_degree_in_cp": _COUNT,
        "mem_coeff": Value(float, above=0),
    },
    always=True,
)

_RECOMPUTE_CONFIG = Section(
    {
        "recompute": _LAYERS,
        "select_recompute": _LAYERS,
        "parallel_optimizer_comm_recompute": _FLAG,
        "select_comm_recompute": _LAYERS,
        "mp_comm_recompute": _FLAG,
        "recompute_slice_activation": _FLAG,
        "select_recompute_exclude": _LAYERS,
        "select_comm_recompute_exclude": _LAYERS,
    }
)

# Ours: how answers are generated. MindFormers keeps the first four in model_config, which is understood too.
_GENERATION = Section(
    {
        "do_sample": Value(bool, False),
        "top_k": Value(int, 0, low=0),
        "top_p": Value(float, 1.0, above=0, high=1),
        "repetition_penalty": Value(float, 1.0, above=0),
        "temperature": Value(float, 1.0, above=0),
        "max_new_tokens": Value(int, 256, low=1),
        "batch_size": Value(int, 8, low=1),
        "seed": Value(int, 0, low=0),
    },
    always=True,
)

_ARCH = Section({"type": Value(str, "SciMindForCausalLM", choices=("SciMindForCausalLM",))}, always=True)

SCHEMA = Section(
    {
        "seed": Value(int, 0, low=0),
        "run_mode": Value(str, choices=RUN_MODES),
        "output_dir": Value(str, "./output"),
        "load_checkpoint": Value(str, "", nullable=True),
        "load_ckpt_format": Value(str, choices=("ckpt", "safetensors")),
        "load_ckpt_async": _FLAG,
        "auto_trans_ckpt": _FLAG,
        "transform_process_num": _COUNT,
        "src_strategy_path_or_dir": _TEXT,
        "only_save_strategy": _FLAG,
        "remove_redundancy": _FLAG,
        "resume_training": Value(bool, False, also=str),
        "ignore_data_skip": _FLAG,
        "data_skip_steps": Value(int, low=0, nullable=True),
        "use_parallel": Value(bool, False),
        "micro_batch_interleave_num": _COUNT,
        "do_eval": Value(bool, False),
        "eval_step_interval": Value(int),
        "eval_epoch_interval": Value(int),
        "input_data": Value(str, nullable=True),
        "save_file": Value(str, nullable=True),
        "predict_batch_size": Value(int, low=1, nullable=True),
        "print_separate_loss": _FLAG,
        "calculate_per_token_loss": _FLAG,
        "check_for_nan_in_loss_and_grad": _FLAG,
        "use_legacy": _FLAG,
        "profile": _FLAG,
        "profile_start_step": _COUNT,
        "profile_stop_step": _COUNT,
        "profile_communication": _FLAG,
        "profile_memory": _FLAG,
        "profile_level": _WHOLE,
        "init_start_profile": _FLAG,
        "auto_tune": _FLAG,
        "filepath_prefix": _TEXT,
        "autotune_per_step": _COUNT,
        "layer_scale": _FLAG,
        "layer_decay": Value(float),
        "lr_scale": _FLAG,
        "lr_scale_factor": Value(float),
        "train_precision_sync": Value(bool, nullable=True),
        "infer_precision_sync": Value(bool, nullable=True),
        "remote_save_url": Value(str, nullable=True),
        "trainer": Section(
            {"type": Value(str, choices=("CausalLanguageModelingTrainer",)), "model_name": _TEXT}, required=("type",)
        ),
        "runner_config": _RUNNER_CONFIG,
        "context": _CONTEXT,
        "parallel": _PARALLEL,
        "parallel_config": _PARALLEL_CONFIG,
        "recompute_config": _RECOMPUTE_CONFIG,
        "model": Section(
            {
                "model_config": MODEL_CONFIG,
                "arch": _ARCH,
            },
            required=("model_config",),
        ),
        "train_dataset": DATASET,
        "train_dataset_task": DATASET_TASK,
        "eval_dataset": DATASET,
        "eval_dataset_task": DATASET_TASK,
        "processor": Section(
            {
                "type": Value(str, choices=("LlamaProcessor",)),
                "return_tensors": _TEXT,
                "max_length": _COUNT,
                "padding": _TEXT,
                "tokenizer": TOKENIZER,
            },
        ),
        "optimizer": OPTIMIZER,
        "lr_schedule": LR_SCHEDULE,
        "runner_wrapper": RUNNER_WRAPPER,
        "callbacks": Items(CALLBACK),
        "eval_callbacks": Items(CALLBACK),
        "metric": Section({"type": Value(str, choices=("PerplexityMetric",))}),
        "generation": _GENERATION,
    },
    required=("model",),
)


def dotted_names(node: Node = SCHEMA, prefix: str = "") -> Iterator[str]:
    """Yields the dotted name of every section and setting that can be reached without a list."""
    fields = dict(getattr(node, "fields", {}))
    if isinstance(node, Typed):
        fields.update(node.others)
        for variant in node.variants.values():
            fields.update(variant.fields)
    for key, child in fields.items():
        name = f"{prefix}.{key}" if prefix else key
        yield name
        yield from dotted_names(child, name)


def homes_of(key: str) -> list[str]:
    """Returns the dotted names that end in `key`, the shortest first."""
    homes = [name for name in dotted_names() if name.rpartition(".")[2] == key]
    return sorted(homes, key=lambda name: name.count("."))
