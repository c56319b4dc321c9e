"""A run's configuration read for training: SciMind's own keys are removed, the rest goes to MindFormers' Trainer.

This does not load MindSpore, so that mistakes in the settings are reported at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.config import RunConfig, facts
from scimind.config.mindformers import model_tree
from scimind.errors import ConfigError
from scimind.runtime.run_folder import plain, worker
from scimind.train.callback_settings import take_callbacks
from scimind.train.feed.batch_sizes import divide_batch
from scimind.train.feed.dataset_checks import data_paths, find_records
from scimind.train.feed.record_order import RecordOrder, order_of_data

_EVALUATION_KEYS = ("eval_dataset", "eval_dataset_task", "eval_callbacks", "eval_answers", "metric")
_PREDICTION_KEYS = ("generation", "data", "predict_data", "task", "choices", "ambiguous")


@dataclass(frozen=True)
class TrainSettings:
    """The settings of a training or an evaluation.

    Args:
        tree: The configuration as plain dicts, as it will be passed to MindFormers.
        output_dir: The output folder.
        seed: Seed of weights, data order and dropout.
        load_checkpoint: Path of the initial weights; None for random ones.
        resume_training: True resumes from the last good checkpoint, a name from that checkpoint; False starts over.
        batch_size: Records in a worker's step.
        accumulation_steps: Parts in which a worker computes them, one after another; 1 if MindFormers divides them.
        workers: Number of processes that train together.
        epochs: Passes over the data, unless `max_steps` is set.
        max_steps: Steps of the run and of its learning-rate schedule; None to derive them from `epochs`.
        stop_step: Step at which to end the run early, without changing the schedule; None for no early end.
        train_files: The training data; empty for an evaluation.
        eval_files: The evaluation data by name, "" for data without names; empty for no evaluation.
        eval_limit: Reads at most this many records of each name.
        eval_answers: Number of answers that each evaluation of a training generates; 0 for none.
        splits_tensors: Whether MindSpore splits tensors over devices (semi-automatic parallel mode).
        callbacks: Settings of SciMind's own callbacks by type.
        has_own_optimizer: Whether to use SciMind's AdamW, which goes with its CPU kernels.
    """

    tree: dict[str, Any]
    output_dir: str
    seed: int
    load_checkpoint: str | None
    resume_training: bool | str
    batch_size: int
    accumulation_steps: int
    workers: int
    epochs: int
    max_steps: int | None
    stop_step: int | None
    train_files: list[Path]
    eval_files: dict[str, list[Path]]
    eval_limit: int | None
    splits_tensors: bool
    eval_answers: int = 0
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_own_optimizer: bool = False

    @property
    def model_config(self) -> dict[str, Any]:
        """The section model.model_config."""
        section: dict[str, Any] = self.tree["model"]["model_config"]
        return section

    @property
    def seq_length(self) -> int:
        """The number of input tokens s."""
        return int(self.model_config["seq_length"])

    @property
    def vocab_size(self) -> int:
        """The number of rows of the embedding v."""
        return int(self.model_config["vocab_size"])

    @property
    def packed(self) -> bool:
        """Whether the model keeps the records of a row separate."""
        return bool(self.model_config.get("packed"))

    @property
    def feeds_records(self) -> bool:
        """Whether SciMind, and not MindFormers, chooses each step's records."""
        return not self.splits_tensors

    def record_order(self, records: int) -> RecordOrder:
        """Returns the records that each step takes.

        Args:
            records: Number of records in the training data.
        """
        return order_of_data(self.tree["train_dataset"], records, self.batch_size, self.workers, self.seed)

    def steps_per_epoch(self, records: int) -> int:
        """Returns the number of steps in one pass over the training data.

        Args:
            records: Number of records in the training data.
        """
        data = self.tree["train_dataset"]
        if self.feeds_records:
            return self.record_order(records).steps_per_pass * int(data.get("repeat", 1))
        limit = data["data_loader"].get("num_samples")
        records = min(records, limit) if limit else records
        spread = self.tree.get("parallel_config", {})
        runner = self.tree["runner_config"]
        stages = spread.get("pipeline_stage", 1)
        parts = spread.get("micro_batch_num", 1) if stages > 1 else runner.get("gradient_accumulation_steps", 1)
        batch = self.batch_size * spread.get("data_parallel", 1) * parts
        batch *= self.tree.get("micro_batch_interleave_num", 1) or 1
        steps = records // batch if data.get("drop_remainder", True) else math.ceil(records / batch)
        return steps * int(data.get("repeat", 1))

    def records_per_step(self, workers: int) -> int:
        """Returns the number of records in a global step, over all workers.

        Args:
            workers: Number of processes that train together.
        """
        if self.splits_tensors:
            return self.batch_size * int(self.tree.get("parallel_config", {}).get("data_parallel", 1))
        return self.batch_size * workers

    def total_steps(self, steps_per_epoch: int) -> int:
        """Returns the number of steps of the learning-rate schedule."""
        return self.max_steps if self.max_steps else self.epochs * steps_per_epoch


def read_settings(config: RunConfig, *, is_training: bool = True, needs_data: bool = True) -> TrainSettings:
    """Reads a run's configuration.

    Args:
        config: The configuration; `runner_config.max_steps` is SciMind's own key.
        is_training: Whether it is for a training; otherwise for an evaluation.
        needs_data: Whether data sets are needed.

    Returns:
        The settings; `config` is not changed.

    Raises:
        ConfigError: There are several workers, and the configuration does not allow them to train together.
        DataError: A data set does not exist.
    """
    workers = worker()[1]
    fault = facts.worker_fault(config, workers)
    if fault:
        raise ConfigError(fault)
    tree, splits = config.to_dict(), config.splits_tensors
    runner = tree["runner_config"]
    wants_evaluation = needs_data and (not is_training or tree["do_eval"])
    share, parts = (int(runner["batch_size"]), 1) if splits else divide_batch(runner, workers)
    if not splits:
        runner["gradient_accumulation_steps"] = 1  # MindFormers' accumulation needs the semi-automatic mode
    runner.pop("global_batch_size", None)
    runner["batch_size"] = share
    runner.setdefault("sink_mode", config.device_target != "CPU")
    max_steps = runner.pop("max_steps", None) or None
    files = {
        key: {
            name: [file for path in paths for file in find_records(path, key)]
            for name, paths in (data_paths(tree, key) if is_needed else {}).items()
        }
        for key, is_needed in (("train_dataset", is_training), ("eval_dataset", wants_evaluation))
    }
    return TrainSettings(
        tree=tree,
        output_dir=tree["output_dir"],
        seed=config.seed,
        load_checkpoint=tree["load_checkpoint"] or None,
        resume_training=tree["resume_training"] or False,
        batch_size=share,
        accumulation_steps=parts,
        workers=workers,
        epochs=runner["epochs"],
        max_steps=max_steps,
        stop_step=runner.get("stop_step") or None,
        train_files=[file for found in files["train_dataset"].values() for file in found],
        eval_files=files["eval_dataset"],
        eval_limit=tree.get("eval_dataset", {}).get("data_loader", {}).get("num_samples"),
        splits_tensors=splits,
        eval_answers=tree["eval_answers"] if wants_evaluation and is_training else 0,
        callbacks=take_callbacks(tree, splits) if is_training else {},
        has_own_optimizer=_has_own_optimizer(config),
    )


def trainer_tree(
    settings: TrainSettings,
    steps_per_epoch: int | None = None,
    first_step: int = 0,
) -> dict[str, Any]:
    """Returns the configuration for MindFormers' Trainer, without what SciMind does itself.

    Args:
        settings: The run's settings.
        steps_per_epoch: Steps in one pass over the training data; None if not yet known, which suffices to set up
            devices and to build the optimizer and the training step.
        first_step: Steps whose records are skipped, since an earlier run has seen them.
    """
    own = (*_EVALUATION_KEYS, *_PREDICTION_KEYS)
    tree = {name: value for name, value in plain(settings.tree).items() if name not in own}
    tree |= model_tree(settings.tree, batch_size=settings.batch_size)
    tree["run_mode"] = "finetune"
    # SciMind evaluates and loads weights itself, since MindFormers loads them leniently.
    tree.update(do_eval=False, load_checkpoint="", resume_training=False, auto_trans_ckpt=False, seed=settings.seed)
    tree.setdefault("trainer", {"type": "CausalLanguageModelingTrainer", "model_name": "scimind"})
    model, wrapper = tree["model"]["model_config"], tree["runner_wrapper"]
    if wrapper["type"] == "MFTrainOneStepCell":
        wrapper["type"] = "SciMindTrainOneStepCell"
    if wrapper["type"] == "SciMindTrainOneStepCell" and not settings.splits_tensors:
        wrapper.update(
            accumulation_steps=settings.accumulation_steps,
            pad_token_id=model["pad_token_id"],
            ignore_token_id=model["ignore_token_id"],
        )
    if settings.has_own_optimizer:
        tree["optimizer"]["type"] = "SciMindAdamW"  # the same values in one pass
    if steps_per_epoch is None:
        return tree
    total = settings.total_steps(steps_per_epoch)
    if settings.feeds_records:
        tree["runner_config"]["epochs"] = 1  # SciMind's data set covers all passes at once and starts at the right step
    else:
        tree["runner_config"]["epochs"] = math.ceil(total / steps_per_epoch)
        if first_step:
            tree["data_skip_steps"] = first_step
    if (tree["lr_schedule"].get("total_steps") or -1) < 0:
        tree["lr_schedule"]["total_steps"] = total
    data = tree["train_dataset"]
    data.setdefault("input_columns", ["input_ids", "labels"])
    data.setdefault("drop_remainder", True)
    loader = data["data_loader"]
    loader.pop("dataset_dir", None)
    loader.setdefault("type", "MindDataset")
    loader.setdefault("shuffle", True)
    loader["dataset_files"] = [str(file) for file in settings.train_files]
    task = tree.setdefault("train_dataset_task", {"type": "CausalLanguageModelDataset"})
    task["dataset_config"] = data
    return tree


def _has_own_optimizer(config: RunConfig) -> bool:
    """Whether SciMind's AdamW replaces MindFormers': with the CPU kernels, for float32 weights."""
    is_float = config.model_config["param_init_type"] == "float32"
    return config.kernels == "cpu" and is_float and config.at("optimizer.type") == "AdamW"
