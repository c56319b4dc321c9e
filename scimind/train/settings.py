"""A run's configuration, read for training: SciMind's own keys taken out, the rest handed to MindFormers.

Nothing here loads MindSpore, so that a mistake in the settings is told at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.errors import ConfigError
from scimind.runtime.run_folder import plain, worker
from scimind.train.callbacks.settings import take_callbacks
from scimind.train.feed.batch_sizes import divide_batch
from scimind.train.feed.dataset_checks import data_paths, find_records
from scimind.train.feed.record_order import RecordOrder, can_order, order_of_data

_EVALUATION_KEYS = ("eval_dataset", "eval_dataset_task", "eval_callbacks", "metric")
_PREDICTION_KEYS = ("generation", "data", "predict_data", "task", "choices")
_SEMI_AUTOMATIC = (1, 2, "1", "2", "semi_auto_parallel", "auto_parallel")


@dataclass(frozen=True)
class TrainSettings:
    """What a training or an evaluation is told.

    Args:
        tree: The configuration as plain dicts, as MindFormers will get it.
        output_dir: The output folder.
        seed: Seed of weights, data order and dropout.
        load_checkpoint: Path of the weights to start from; None starts from random ones.
        resume_training: True goes on from the last good checkpoint, a name from that one; False begins anew.
        batch_size: Records of a worker's step.
        accumulation_steps: Parts that a worker divides them into, one after the other; 1 where MindFormers does so.
        workers: Processes that train together.
        epochs: Passes over the data, where `max_steps` does not say otherwise.
        max_steps: Steps of the run and of its learning-rate schedule; None follows `epochs`.
        stop_step: Ends the run early and leaves the schedule as it is; None does not.
        train_files: The training data; empty for an evaluation.
        eval_files: The evaluation data by name, the name "" where it has none; empty where none is done.
        eval_limit: Reads at most this many records of each name.
        splits_tensors: Whether MindSpore splits tensors over devices (semi-automatic parallel mode).
        callbacks: Settings of SciMind's own callbacks by type.
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
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def model_config(self) -> dict[str, Any]:
        """The section model.model_config."""
        section: dict[str, Any] = self.tree["model"]["model_config"]
        return section

    @property
    def seq_length(self) -> int:
        """s, tokens of an input."""
        return int(self.model_config["seq_length"])

    @property
    def vocab_size(self) -> int:
        """v, rows of the embedding."""
        return int(self.model_config["vocab_size"])

    @property
    def packed(self) -> bool:
        """Whether the model keeps the records of a row apart."""
        return bool(self.model_config.get("packed"))

    @property
    def feeds_records(self) -> bool:
        """Whether SciMind chooses each step's records itself, and not MindFormers."""
        return not self.splits_tensors and can_order(self.tree.get("train_dataset", {}))

    def record_order(self, records: int) -> RecordOrder:
        """Returns which records each step takes.

        Args:
            records: Records of the training data.
        """
        return order_of_data(self.tree["train_dataset"], records, self.batch_size, self.workers, self.seed)

    def steps_per_epoch(self, records: int) -> int:
        """Returns the steps of one pass over the training data.

        Args:
            records: Records of the training data.
        """
        data = self.tree["train_dataset"]
        if self.feeds_records:
            return self.record_order(records).steps_per_pass * int(data.get("repeat", 1))
        limit = data["data_loader"].get("num_samples")
        records = min(records, limit) if limit else records
        if self.splits_tensors:
            spread = self.tree.get("parallel_config", {})
            runner = self.tree["runner_config"]
            stages = spread.get("pipeline_stage", 1)
            parts = spread.get("micro_batch_num", 1) if stages > 1 else runner.get("gradient_accumulation_steps", 1)
            batch = self.batch_size * spread.get("data_parallel", 1) * parts
            batch *= self.tree.get("micro_batch_interleave_num", 1) or 1
        else:
            records, batch = math.ceil(records / self.workers), self.batch_size
        steps = records // batch if data.get("drop_remainder", True) else math.ceil(records / batch)
        return steps * int(data.get("repeat", 1))

    def records_per_step(self, workers: int) -> int:
        """Returns the records of a global step, which all workers read together.

        Args:
            workers: Processes that train together.
        """
        if self.splits_tensors:
            return self.batch_size * int(self.tree.get("parallel_config", {}).get("data_parallel", 1))
        return self.batch_size * workers

    def total_steps(self, steps_per_epoch: int) -> int:
        """Returns the steps of the learning-rate schedule."""
        return self.max_steps if self.max_steps else self.epochs * steps_per_epoch

    def reporting_rank(self, workers: int) -> int:
        """Returns the number of the worker that reports: the first of a pipeline's last stage, which knows the loss.

        Args:
            workers: Processes that train together.
        """
        stages = int(self.tree.get("parallel_config", {}).get("pipeline_stage", 1)) if self.splits_tensors else 1
        return workers // stages * (stages - 1)


def read_settings(config: Mapping[str, Any], *, is_training: bool = True, needs_data: bool = True) -> TrainSettings:
    """Reads a run's configuration.

    Args:
        config: A checked configuration in MindFormers' schema. Of its own, SciMind reads `runner_config.max_steps`.
        is_training: Whether a training is meant; else an evaluation.
        needs_data: Whether data sets are read at all.

    Returns:
        The settings; `config` is left as it is.

    Raises:
        ConfigError: Settings are missing or ask for what cannot be done; all faults at once.
        DataError: A data set is not there.
    """
    tree = plain(config)
    faults: list[str] = []
    model = tree.get("model", {}).get("model_config")
    for key in ("seq_length", "vocab_size", "type"):
        if not isinstance(model, dict) or not model.get(key):
            faults.append(f"model.model_config.{key} is missing; give it")
    if not tree.get("model", {}).get("arch", {}).get("type"):
        faults.append("model.arch.type is missing; give it, such as SciMindForCausalLM")
    runner = tree.setdefault("runner_config", {})
    context = tree.setdefault("context", {})
    on_cpu = context.get("device_target") == "CPU"
    splits = splits_tensors(tree)
    batch_size = runner.get("batch_size", 1)
    numbers = {"batch_size": batch_size, "epochs": runner.get("epochs", 1)}
    numbers |= {key: runner[key] for key in ("global_batch_size", "max_steps", "stop_step") if runner.get(key)}
    for key, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            faults.append(f"runner_config.{key} ({value}) must be a whole number above 0")
    if is_training:
        for section in ("optimizer", "lr_schedule"):
            if not tree.get(section):
                faults.append(f"{section} is missing; give it, configs/ has examples")
        if on_cpu and runner.get("sink_mode"):
            faults.append("runner_config.sink_mode (True) needs an Ascend device; set it to False")
        if splits and tree.get("do_eval") and tree.get("parallel_config", {}).get("pipeline_stage", 1) > 1:
            faults.append("do_eval (True) does not work with a pipeline; set it to False")
    wants_evaluation = needs_data and (not is_training or bool(tree.get("do_eval")))
    for key, is_needed in (("train_dataset", is_training), ("eval_dataset", wants_evaluation)):
        if is_needed and not any(data_paths(tree, key).values()):
            faults.append(f"{key} is missing; give --{key} PATH, a MindRecord file or folder made by `scimind prepare`")
    workers = worker()[1]
    if workers > 1 and not tree.get("use_parallel"):
        faults.append(f"use_parallel (False) lets {workers} workers do the same work; set it to True")
    if faults:
        raise ConfigError(faults)
    share, parts = (int(batch_size), 1) if splits else divide_batch(runner, workers)
    if not splits:
        runner["gradient_accumulation_steps"] = 1  # MindFormers' own needs the semi-automatic mode
    runner.pop("global_batch_size", None)
    runner["batch_size"] = share
    runner.setdefault("sink_mode", not on_cpu)
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
        output_dir=str(tree.get("output_dir") or "./output"),
        seed=int(tree.get("seed") or 0),
        load_checkpoint=str(tree["load_checkpoint"]) if tree.get("load_checkpoint") else None,
        resume_training=tree.get("resume_training") or False,
        batch_size=share,
        accumulation_steps=parts,
        workers=workers,
        epochs=int(runner.get("epochs", 1)),
        max_steps=max_steps,
        stop_step=runner.get("stop_step") or None,
        train_files=[file for found in files["train_dataset"].values() for file in found],
        eval_files=files["eval_dataset"],
        eval_limit=tree.get("eval_dataset", {}).get("data_loader", {}).get("num_samples"),
        splits_tensors=splits,
        callbacks=take_callbacks(tree, splits) if is_training else {},
    )


def splits_tensors(tree: Mapping[str, Any]) -> bool:
    """Returns whether MindSpore splits tensors over devices (semi-automatic parallel mode)."""
    return bool(tree.get("use_parallel")) and tree.get("parallel", {}).get("parallel_mode", 1) in _SEMI_AUTOMATIC


def mindformers_tree(
    settings: TrainSettings,
    steps_per_epoch: int | None = None,
    first_step: int = 0,
) -> dict[str, Any]:
    """Returns the configuration that MindFormers gets: without what SciMind does itself.

    Args:
        settings: The settings.
        steps_per_epoch: Steps of one pass over the training data; None for an evaluation.
        first_step: Steps whose records are passed over, since an earlier run has seen them.
    """
    tree = plain(settings.tree)
    # SciMind evaluates and loads weights itself; MindFormers would be lenient about the latter.
    for key in (*_EVALUATION_KEYS, *_PREDICTION_KEYS):
        tree.pop(key, None)
    tree.update(do_eval=False, load_checkpoint="", resume_training=False, auto_trans_ckpt=False, seed=settings.seed)
    tree["run_mode"] = "finetune"
    tree.setdefault("trainer", {"type": "CausalLanguageModelingTrainer", "model_name": "scimind"})
    model = tree["model"]["model_config"]
    model.update(use_past=False, batch_size=settings.batch_size)
    model.pop("checkpoint_name_or_path", None)
    if max(int(tree.get("parallel_config", {}).get("pipeline_stage") or 1), _accumulation(tree)) == 1:
        # MindFormers sets this too, but only for a model that it builds itself; several workers cannot compile without.
        model["disable_lazy_inline"] = True
    # A graph that does not compile is dumped; the current folder is not the place.
    tree["context"].setdefault("save_graphs_path", str(Path(settings.output_dir).resolve() / "log" / "graphs"))
    wrapper = tree.setdefault(
        "runner_wrapper", {"type": "MFTrainOneStepCell", "use_clip_grad": True, "scale_sense": 1.0}
    )
    if wrapper.get("type") == "MFTrainOneStepCell":
        wrapper["type"] = "SciMindTrainOneStepCell"
    if wrapper["type"] == "SciMindTrainOneStepCell" and not settings.splits_tensors:
        wrapper.update(
            accumulation_steps=settings.accumulation_steps,
            pad_token_id=int(model.get("pad_token_id") or 0),
            ignore_token_id=int(model.get("ignore_token_id", -100)),
        )
    if on_cpu_kernels(tree) and tree.get("optimizer", {}).get("type") == "AdamW":
        tree["optimizer"]["type"] = "SciMindAdamW"  # the same numbers in one pass
    if steps_per_epoch is None:
        return tree
    total = settings.total_steps(steps_per_epoch)
    if settings.feeds_records:
        tree["runner_config"]["epochs"] = 1  # SciMind's data is all passes in one, and begins where it should
    else:
        tree["runner_config"]["epochs"] = math.ceil(total / steps_per_epoch)
        if first_step:
            tree["data_skip_steps"] = first_step + int(tree.get("data_skip_steps") or 0)
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


def on_cpu_kernels(tree: Mapping[str, Any]) -> bool:
    """Returns whether a configuration leaves training to SciMind's own operators for the CPU."""
    model = tree["model"]["model_config"]
    return (
        tree["context"].get("device_target") == "CPU"
        and model.get("kernels", "auto") != "mindformers"
        and model.get("param_init_type", "float32") == "float32"
    )


def _accumulation(tree: Mapping[str, Any]) -> int:
    return int(tree["runner_config"].get("gradient_accumulation_steps") or 1)
