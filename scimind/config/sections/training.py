"""Settings of the training parts that MindFormers builds by name: optimizer, schedule, step wrapper, callbacks."""

from __future__ import annotations

from scimind.config.nodes import Inert, Items, Repeats, Section, Typed, Value
from scimind.config.schema import Faults, Node

_FLAG = Value(bool)
_COUNT = Value(int, low=1)
_WHOLE = Value(int, low=0)
_TEXT = Value(str)
_RATE = Value(float, low=0)
_ABOVE_ZERO = Value(float, above=0)
_STEPS = Value(int, low=0, nullable=True)
_RATIO = Value(float, low=0, high=1, nullable=True)

# A run always has a schedule, which sets the rate.
_LEARNING_RATE = Repeats("lr_schedule.learning_rate", Value(float, above=0, nullable=True))
_BETA = Value(float, low=0, high=1)
_ADAM: dict[str, Node] = {
    "learning_rate": _LEARNING_RATE,
    "betas": Items(_BETA, length=2),
    "eps": Value(float, above=0),
    "weight_decay": _RATE,
}

OPTIMIZER = Typed(
    {
        "AdamW": Section({**_ADAM, "use_fused": _FLAG, "swap": _FLAG}),
        "PmaAdamW": Section(
            {
                **_ADAM,
                "use_fused": _FLAG,
                "fused_num": _COUNT,
                "interleave_step": _COUNT,
                "fused_algo": _TEXT,
                "ema_alpha": _BETA,
            }
        ),
        "AdamWeightDecay": Section(
            {
                "learning_rate": _LEARNING_RATE,
                "beta1": _BETA,
                "beta2": _BETA,
                "eps": Value(float, above=0),
                "weight_decay": _RATE,
            }
        ),
    }
)

# `total_steps: -1` means the length of the data set times the number of epochs.
_SCHEDULE: dict[str, Node] = {
    "learning_rate": Value(float, above=0),
    "total_steps": Value(int, low=-1, nullable=True),
    "warmup_steps": _STEPS,
    "warmup_ratio": _RATIO,
    "warmup_lr_init": _RATE,
    "warmup_epochs": _STEPS,
}
_DECAY: dict[str, Node] = {"decay_steps": _STEPS, "decay_ratio": _RATIO, "lr_end": _RATE}
_REQUIRED = ("learning_rate",)

LR_SCHEDULE = Typed(
    {
        "CosineWithWarmUpLR": Section({**_SCHEDULE, **_DECAY, "num_cycles": _ABOVE_ZERO}, _REQUIRED),
        "CosineWithRestartsAndWarmUpLR": Section({**_SCHEDULE, **_DECAY, "num_cycles": _ABOVE_ZERO}, _REQUIRED),
        "PolynomialWithWarmUpLR": Section({**_SCHEDULE, **_DECAY, "power": _ABOVE_ZERO}, _REQUIRED),
        "LinearWithWarmUpLR": Section(_SCHEDULE, _REQUIRED),
        "ConstantWarmUpLR": Section(_SCHEDULE, _REQUIRED),
        "WarmUpStableDecayLR": Section(
            {**_SCHEDULE, "lr_end": _RATE, "decay_start_steps": _STEPS, "decay_start_ratio": _RATIO}, _REQUIRED
        ),
    }
)

_SCALE_SENSE_FIELDS: dict[str, Node] = {"loss_scale_value": Value(float, above=0)}
_MOVING_SCALE: dict[str, Node] = {**_SCALE_SENSE_FIELDS, "scale_factor": Value(int, low=2), "scale_window": _COUNT}


class _ScaleSense(Typed):
    """A loss scale: a plain number, or a section that describes how it changes."""

    def check(self, value: object, name: str, faults: Faults) -> object:
        """Returns a number or the checked section; see `scimind.config.schema`."""
        if isinstance(value, int | float | str):
            return Value(float, above=0).check(value, name, faults)
        return super().check(value, name, faults)


_SCALE_SENSE = _ScaleSense(
    {
        "DynamicLossScaleUpdateCell": Section(_MOVING_SCALE),
        "FixedLossScaleUpdateCell": Section(_SCALE_SENSE_FIELDS),
        "AdaptiveLossScaleUpdateCell": Section(
            {**_MOVING_SCALE, "max_scale_window": _COUNT, "min_scale_window": _COUNT}
        ),
    }
)

_WRAPPER = Section(
    {
        "use_clip_grad": _FLAG,
        "max_grad_norm": Value(float, above=0),
        "scale_sense": _SCALE_SENSE,
        "local_norm": _FLAG,
        "calculate_per_token_loss": _FLAG,
        "global_norm_spike_threshold": Value(float, above=0),
        "use_skip_data_by_global_norm": _FLAG,
        "print_separate_loss": Inert((False,), "the loss has no other parts than those of balance_weight"),
    }
)

RUNNER_WRAPPER = Typed(
    {
        "SciMindTrainOneStepCell": _WRAPPER,
        "MFTrainOneStepCell": _WRAPPER,
        "MFPipelineWithLossScaleCell": Section(
            {**_WRAPPER.fields, "micro_batch_num": Repeats("parallel_config.micro_batch_num", _COUNT)}
        ),
    }
)

CALLBACK = Typed(
    {
        "SciMindProgress": Section({"step_interval": _COUNT}),
        "SciMindEvaluation": Section({"step_interval": _WHOLE, "epoch_interval": Value(int, low=-1)}),
        "SciMindLossCurve": Section({"plot_interval": _COUNT}),
        "SciMindCheckpoint": Section(
            {
                "save_checkpoint_steps": _WHOLE,
                "keep_checkpoint_max": _COUNT,
                "checkpoint_format": Value(str, choices=("ckpt", "safetensors")),
                "save_optimizer": _FLAG,
            }
        ),
        "MFLossMonitor": Section({"per_print_times": _COUNT}),
        "CheckpointMonitor": Section(
            {
                "prefix": _TEXT,
                "directory": Value(str, nullable=True),
                "save_checkpoint_steps": _COUNT,
                "save_checkpoint_seconds": _WHOLE,
                "keep_checkpoint_max": _COUNT,
                "keep_checkpoint_per_n_minutes": _WHOLE,
                "integrated_save": _FLAG,
                "save_network_params": _FLAG,
                "save_trainable_params": _FLAG,
                "save_optimizer": _FLAG,
                "async_save": _FLAG,
                "exception_save": _FLAG,
                "checkpoint_format": Value(str, choices=("ckpt", "safetensors")),
                "remove_redundancy": _FLAG,
            }
        ),
        "SummaryMonitor": Section({"summary_dir": Value(str, nullable=True), "collect_freq": _COUNT}),
        "ProfileMonitor": Section(
            {"start_step": _COUNT, "stop_step": _COUNT, "output_path": Value(str, nullable=True)}
        ),
        "TrainCallBack": Section({"stop_step": _STEPS}),
    }
)

SWAP_CONFIG = Section(
    {
        "swap": _FLAG,
        "layer_swap": Value(list, nullable=True),
        "op_swap": Value(list, nullable=True),
        "default_prefetch": _COUNT,
    }
)

# MindFormers' own experts. The YAML of a dense model often has this section; SciMind's experts are in model_config.
MOE_CONFIG = Section(
    {
        "expert_num": Value(int, choices=(1,)),
        "num_experts_chosen": Value(int, choices=(1,)),
        "capacity_factor": Inert((1.05, 1.1, 1.5), "set model.model_config.experts_per_token"),
        "aux_loss_factor": Inert((0.05,), "set model.model_config.balance_weight"),
    }
)

_FORMAT = Value(str, nullable=True, also=list)
_TARGET = Items(Value(str), nullable=True)

MONITOR_CONFIG = Section(
    {
        "monitor_on": _FLAG,
        "dump_path": _TEXT,
        "target": _TARGET,
        "invert": _FLAG,
        "step_interval": _COUNT,
        "local_loss_format": _FORMAT,
        "local_norm_format": _FORMAT,
        "device_local_norm_format": _FORMAT,
        "device_local_loss_format": _FORMAT,
        "optimizer_state_format": _FORMAT,
        "weight_state_format": _FORMAT,
        "max_attention_logit_format": _FORMAT,
        "throughput_baseline": Value(float, above=0, nullable=True),
        "print_struct": _FLAG,
        "check_for_global_norm": _FLAG,
        "global_norm_spike_threshold": _ABOVE_ZERO,
        "global_norm_spike_count_threshold": _COUNT,
        "stable_rank_config": Section(
            {
                "format": _FORMAT,
                "step_interval": _COUNT,
                "target": _TARGET,
                "do_aggregation": _FLAG,
                "moe_show_mode": _TEXT,
                "power_iteration_num": _COUNT,
            }
        ),
        "health_checkpoint": Value(dict, nullable=True),
    }
)
