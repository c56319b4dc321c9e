"""Settings of devices: MindSpore's context, the distribution of a model over devices, recomputation."""

from __future__ import annotations

from scimind.config.nodes import Inert, Repeats, Section, Value

DEVICES = ("CPU", "Ascend")

_FLAG = Value(bool)
_COUNT = Value(int, low=1)
_WHOLE = Value(int, low=0)
_TEXT = Value(str)
_LAYERS = Value(bool, also=list)

# Of MindSpore's context, MindFormers 1.9 only sets what it has an own step for.
_NOT_PASSED_ON = "MindFormers does not pass it on to MindSpore; leave it out"
_USUAL_FLAGS = (  # in MindFormers' own Llama files, with enable_graph_kernel False
    "--disable_expand_ops=Softmax,Dropout --enable_parallel_fusion=true --reduce_fuse_depth=8 "
    "--enable_auto_tensor_inplace=true"
)

CONTEXT = Section(
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
        "deterministic": Inert(("OFF",), "set train_precision_sync to True, which holds for prediction too"),
        "ascend_config": Section(
            {
                "precision_mode": _TEXT,
                "parallel_speed_up_json_path": _TEXT,
                "jit_compile": _FLAG,
                "atomic_clean_policy": _WHOLE,
            }
        ),
        "jit_config": Section({"jit_level": Value(str, choices=("O0", "O1", "O2"))}),
        "jit_syntax_level": Inert((2,), _NOT_PASSED_ON),
        "enable_graph_kernel": Inert((False,), _NOT_PASSED_ON),
        "graph_kernel_flags": Inert(("", _USUAL_FLAGS), _NOT_PASSED_ON),
        "runtime_num_threads": Inert((1,), _NOT_PASSED_ON),
        "inter_op_parallel_num": Inert((0,), _NOT_PASSED_ON),
        "op_timeout": Inert((), _NOT_PASSED_ON),
        "pynative_synchronize": Inert((False,), _NOT_PASSED_ON),
        "dataset_broadcast_opt_level": _WHOLE,
        "affinity_cpu_list": Value(dict),
        "affinity_config": Value(dict),
    },
    always=True,
)

PARALLEL = Section(
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
        "device_num": Inert((), "start the workers with msrun, which counts them"),
        "global_rank": Inert((), "start the workers with msrun, which numbers them"),
    }
)

PARALLEL_CONFIG = Section(
    {
        "data_parallel": Value(int, 1, low=1),
        "model_parallel": Value(int, 1, low=1),
        "context_parallel": Value(int, 1, low=1),
        "expert_parallel": Value(int, 1, low=1, high=1),
        "pipeline_stage": Value(int, 1, low=1),
        "micro_batch_num": Value(int, 1, low=1),
        "seq_split_num": _COUNT,
        "use_seq_parallel": _FLAG,
        "optimizer_shard": Repeats("parallel.enable_parallel_optimizer", Value(bool, nullable=True)),
        "gradient_aggregation_group": _COUNT,
        "vocab_emb_dp": _FLAG,
        "context_parallel_algo": Value(str, choices=("colossalai_cp", "ulysses_cp", "hybrid_cp")),
        "ulysses_degree_in_cp": _COUNT,
        "mem_coeff": Value(float, above=0),
    },
    always=True,
)

RECOMPUTE_CONFIG = Section(
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
