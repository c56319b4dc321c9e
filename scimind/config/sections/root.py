"""The schema of a whole configuration: the sections of MindFormers 1.9 and ours.

Sections that no SciMind run can use, such as those for images, are not settings here.
"""

from __future__ import annotations

from scimind.config.nodes import Inert, Items, Repeats, Section, Value
from scimind.config.sections.data import DATASET, DATASET_TASK, EVAL_DATASET, EVAL_DATASET_TASK, TOKENIZER
from scimind.config.sections.device import CONTEXT, PARALLEL, PARALLEL_CONFIG, RECOMPUTE_CONFIG
from scimind.config.sections.generation import AMBIGUOUS, GENERATION
from scimind.config.sections.model import MODEL_CONFIG
from scimind.config.sections.training import (
    CALLBACK,
    LR_SCHEDULE,
    MOE_CONFIG,
    MONITOR_CONFIG,
    OPTIMIZER,
    RUNNER_WRAPPER,
    SWAP_CONFIG,
)

RUN_MODES = ("finetune", "train", "predict", "eval")
MOLECULES = ("checked", "as-is")  # of prediction with a task

_FLAG = Value(bool)
_COUNT = Value(int, low=1)
_WHOLE = Value(int, low=0)
_TEXT = Value(str)

_WHOLE_CHECKPOINT = "give load_checkpoint a whole checkpoint, which is split over the devices as it is loaded"
_AICC_URL = "Please input obs url on AICC platform."  # in MindFormers' own files

_RUNNER_CONFIG = Section(
    {
        "epochs": Value(int, 1, low=1),
        "batch_size": Value(int, 1, low=1),
        "sink_mode": _FLAG,
        "sink_size": Value(int, 1, low=1),
        "gradient_accumulation_steps": Value(int, 1, low=1),
        "stop_step": _WHOLE,
        "global_batch_size": Value(int, low=1, nullable=True),  # ours: records per step over all workers
        "max_steps": Value(int, low=1, nullable=True),  # ours: ends training regardless of the epochs
    },
    always=True,
)

_ARCH = Section({"type": Value(str, "SciMindForCausalLM", choices=("SciMindForCausalLM",))}, always=True)

SCHEMA = Section(
    {
        "seed": Value(int, 0, low=0, high=2**32 - 1),
        "run_mode": Value(str, choices=RUN_MODES),
        "output_dir": Value(str, "./output"),
        "load_checkpoint": Value(str, "", nullable=True),
        "load_ckpt_format": Inert(("ckpt", "safetensors"), "the format of a file is recognised"),
        "load_ckpt_async": _FLAG,
        "auto_trans_ckpt": Inert((False,), _WHOLE_CHECKPOINT),
        "transform_process_num": Inert((1,), _WHOLE_CHECKPOINT),
        "src_strategy_path_or_dir": Inert(("",), _WHOLE_CHECKPOINT),
        "only_save_strategy": _FLAG,
        "remove_redundancy": _FLAG,
        "resume_training": Value(bool, False, also=str),
        "ignore_data_skip": _FLAG,
        "data_skip_steps": Inert((0, None), "a resumed run skips the records that it has seen; set resume_training"),
        "use_parallel": Value(bool, False),
        "micro_batch_interleave_num": _COUNT,
        "do_eval": Value(bool, False),
        "eval_step_interval": Value(int),
        "eval_epoch_interval": Value(int),
        "eval_answers": Value(int, 32, low=0),  # ours: answers that an evaluation of a training generates
        "input_data": Value(str, nullable=True),
        "save_file": Value(str, nullable=True),
        "task": Value(str, nullable=True),  # ours: defines the questions, and how answers are read
        "choices": Value(str, nullable=True),  # ours: a file of answers to choose from
        "ambiguous": Value(str, "drop", choices=AMBIGUOUS),  # ours: letters of sequences that stand for several
        "molecules": Value(str, "checked", choices=MOLECULES),  # ours: whether prediction refuses what RDKit refuses
        "predict_batch_size": Repeats("generation.batch_size", Value(int, low=1, nullable=True)),
        "print_separate_loss": Inert((False,), "the loss has no other parts than those of balance_weight"),
        "calculate_per_token_loss": _FLAG,
        "check_for_nan_in_loss_and_grad": _FLAG,
        "use_legacy": Inert((True,), "the model is one of MindFormers' classes for use_legacy True"),
        "profile": _FLAG,
        "profile_start_step": _COUNT,
        "profile_stop_step": _COUNT,
        "profile_communication": _FLAG,
        "profile_memory": _FLAG,
        "profile_level": Inert((1,)),
        "init_start_profile": _FLAG,
        "auto_tune": Inert((False,), "set train_dataset.auto_tune"),
        "filepath_prefix": Inert(("./autotune",), "set train_dataset.filepath_prefix"),
        "autotune_per_step": Inert((10,), "set train_dataset.autotune_per_step"),
        "layer_scale": Inert((False,), "set the learning rate in lr_schedule"),
        "layer_decay": Inert((0.65,), "set the learning rate in lr_schedule"),
        "lr_scale": _FLAG,
        "lr_scale_factor": Value(float),
        "train_precision_sync": Value(bool, nullable=True),
        "infer_precision_sync": Inert((None, False), "set train_precision_sync, which holds for prediction too"),
        "remote_save_url": Inert((None, _AICC_URL), "set output_dir, and copy the folder"),
        "trainer": Section(
            {"type": Value(str, choices=("CausalLanguageModelingTrainer",)), "model_name": _TEXT}, required=("type",)
        ),
        "runner_config": _RUNNER_CONFIG,
        "context": CONTEXT,
        "parallel": PARALLEL,
        "parallel_config": PARALLEL_CONFIG,
        "recompute_config": RECOMPUTE_CONFIG,
        "swap_config": SWAP_CONFIG,
        "moe_config": MOE_CONFIG,
        "monitor_config": MONITOR_CONFIG,
        "model": Section(
            {
                "model_config": MODEL_CONFIG,
                "arch": _ARCH,
            },
            required=("model_config",),
        ),
        "train_dataset": DATASET,
        "train_dataset_task": DATASET_TASK,
        "eval_dataset": EVAL_DATASET,
        "eval_dataset_task": EVAL_DATASET_TASK,
        "processor": Section(
            {
                "type": Value(str, choices=("LlamaProcessor",)),
                "return_tensors": Inert(("ms",)),
                "max_length": Inert((), "set model.model_config.seq_length"),
                "padding": Inert((), "rows are padded to model.model_config.seq_length"),
                "tokenizer": TOKENIZER,
            },
        ),
        "optimizer": OPTIMIZER,
        "lr_schedule": LR_SCHEDULE,
        "runner_wrapper": RUNNER_WRAPPER,
        "callbacks": Items(CALLBACK),
        "eval_callbacks": Inert(([],), "set callbacks; eval_step_interval is the interval of evaluations"),
        "metric": Section({"type": Value(str, choices=("PerplexityMetric",))}),
        "generation": GENERATION,
    },
    required=("model",),
)
