"""Tuning gates on domain data towards the experts that router `activation` picks, with the model frozen."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scimind.atomic import replace_text
from scimind.config import RunConfig
from scimind.errors import ConfigError, SciMindError
from scimind.experts.tuning.records import batches_of_steps, read_records
from scimind.experts.tuning.report import TuneResult
from scimind.locking import output_lock
from scimind.runtime.console import Console, duration, quiet_console
from scimind.runtime.run_folder import RunFolder
from scimind.train.feed.dataset_checks import check_preparation, check_records, find_records

# A step changes a score by about learning rate · hidden size, which must not depend on the model.
_STEP_OF_A_SCORE = 4.0


@dataclass(frozen=True)
class TuneSettings:
    """Settings for tuning gates.

    Args:
        steps: Steps of the optimizer, at least 1.
        batch_size: Records per step, at least 1.
        learning_rate: Adam's learning rate, above 0, decaying to 0 along a cosine; None for 4 / hidden_size.
        load_balance: Weight of the load balance of each modality, at least 0.

    Raises:
        ConfigError: Settings are invalid; the error lists all faults.
    """

    steps: int = 300
    batch_size: int = 16
    learning_rate: float | None = None
    load_balance: float = 0.0

    def __post_init__(self) -> None:
        faults = [
            f"--{name} ({value}) must be at least 1"
            for name, value in (("steps", self.steps), ("batch-size", self.batch_size))
            if value < 1
        ]
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            faults.append(f"--learning-rate ({self.learning_rate}) must be above 0")
        if not 0 <= self.load_balance < math.inf:
            faults.append(f"--load-balance ({self.load_balance}) must be at least 0")
        if faults:
            raise ConfigError(faults)


def tune(
    config: Mapping[str, Any],
    data: Sequence[str | Path],
    output: str | Path,
    settings: TuneSettings | None = None,
    *,
    eval_data: Sequence[str | Path] = (),
) -> TuneResult:
    """Tunes a gate for each layer of a model and writes the model with its gates.

    The model runs with router `activation`, and each gate sees its layer's input in that run. Gates of the checkpoint
    are tuned further; if it has none, a gate starts as the mean of each expert's rows of w3. Only gates change.

    Args:
        config: A run's configuration; `load_checkpoint` names the weights. Its router is ignored, unlike its
            `experts_per_token`, `shared_experts` and `score`.
        data: MindRecord files or folders of domain data; answers and prompts are treated alike.
        output: The output folder.
        settings: How to tune.
        eval_data: Held-out MindRecord files or folders; if empty, a tenth of `data` is set aside.

    Returns:
        The result. The output folder holds `checkpoint/step_…`, `loss.csv`, `loss.png`, `tuning.json`, `tuning.txt`,
        `resolved_config.yaml`, `versions.json` and the log.

    Raises:
        SciMindError: The configuration, the data or the settings are invalid.
    """
    settings = settings or TuneSettings()
    if not config.get("load_checkpoint"):
        raise ConfigError("there are no weights to tune gates for; give --load_checkpoint PATH")
    files = [file for path in data for file in find_records(path, "--data")]
    eval_files = [file for path in eval_data for file in find_records(path, "--eval-data")]
    if not files:
        raise ConfigError("there is no data to tune on; give --data FILE, made by `scimind prepare`")
    read = (config["load_checkpoint"], RunConfig.of(config).source, *files, *eval_files)
    with ExitStack() as stack:
        stack.enter_context(output_lock(output, read, advice="choose another --output"))
        folder = RunFolder.create(output, "tune")
        console = stack.enter_context(quiet_console(folder.log_file))
        return _tune(config, files, eval_files, settings, folder, console)


def _tune(
    config: Mapping[str, Any],
    files: list[Path],
    eval_files: list[Path],
    settings: TuneSettings,
    folder: RunFolder,
    console: Console,
) -> TuneResult:
    """Builds the model, tunes its gates and writes the results; see `tune`."""
    from scimind.checkpoint.description import complete_from_tokenizer, describe_model
    from scimind.checkpoint.weights import save_checkpoint
    from scimind.experts.tuning.model import GateTuner, load_for_tuning

    started = time.monotonic()
    tree = RunConfig.of(config).to_dict()
    model = tree["model"]["model_config"]
    model.update(router="learned", balance_weight=0.0)
    completed = copy.deepcopy(tree)
    fingerprint = complete_from_tokenizer(completed)
    for key, of_key in (("--data", files), ("--eval-data", eval_files)):
        if of_key:
            check_preparation(of_key, key, fingerprint, packed=bool(model["packed"]))
            check_records(of_key, key, seq_length=model["seq_length"], vocab_size=model["vocab_size"])
    console.print(f"output folder: {folder.root}")
    description = describe_model(completed, fingerprint)
    network, source = load_for_tuning(completed, description, settings.batch_size, console)
    train_records, held_out = read_records(files, eval_files, settings.steps * settings.batch_size, tree["seed"])
    console.print(f"data: {len(train_records[0])} records to tune on, {len(held_out[0])} held out")

    rate = settings.learning_rate or _STEP_OF_A_SCORE / int(network.config.hidden_size)
    rates = [rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps)) for step in range(settings.steps)]
    tuner = GateTuner(network, rates, settings.load_balance, settings.batch_size)
    before = tuner.agreement(*held_out)
    activation_loss = tuner.activation_loss(*held_out)
    losses = _run_steps(tuner, train_records[0], rates, tree["seed"], folder, console)
    after = tuner.agreement(*held_out)

    routing = dict(description["routing"])
    description.update(
        neuron_order=source.description.get("neuron_order"),
        training={**(source.description.get("training") or {}), "gates": {"steps": settings.steps, "loss": losses[-1]}},
    )
    checkpoint = save_checkpoint(
        folder.checkpoint, settings.steps, network.get_parameters(), [], description, kind=_kind(source.weights)
    )
    use = {name: routing[name] for name in ("num_experts", "router", "dispatch", "experts_per_token", "shared_experts")}
    result = TuneResult(
        output_dir=folder.root,
        checkpoint=checkpoint,
        before=before,
        after=after,
        activation_loss=activation_loss,
        held_out=len(held_out[0]),
        model_config=use,
        losses=losses,
        seconds=time.monotonic() - started,
    )
    folder.write_description({**tree, "load_checkpoint": str(checkpoint)})
    replace_text(folder.root / "tuning.json", json.dumps(result.to_dict(), indent=2) + "\n")
    replace_text(folder.root / "tuning.txt", result.table() + "\n")
    folder.remove_empty_folders()
    console.print(result.table())
    console.print(f"done: {settings.steps} steps in {duration(result.seconds)}")
    console.print(f"checkpoint: {checkpoint}")
    return result


def _run_steps(
    tuner: Any, records: np.ndarray, rates: Sequence[float], seed: int, folder: RunFolder, console: Console
) -> list[float]:
    """Tunes the gates and writes the loss curve; returns the loss of each step."""
    from scimind.runtime.loss_curve import LossTable, draw_loss_curve
    from scimind.runtime.measurements import StepRecord

    earlier = folder.set_earlier_run_aside()
    if earlier is not None:
        console.print(f"moved an earlier run's files to {earlier}")
    rows: list[StepRecord] = []
    start = time.monotonic()
    table = LossTable(folder.loss_table)
    batches = batches_of_steps(len(records), tuner.batch_size, len(rates), seed)
    try:
        with console.progress(len(rates), "tune", every=max(1, len(rates) // 10)) as progress:
            for step, chosen in enumerate(batches, start=1):
                loss = tuner.step(records[chosen])
                if not math.isfinite(loss):
                    raise SciMindError(f"the loss is {loss} at step {step}; lower --learning-rate")
                epoch = step * tuner.batch_size / len(records)
                rows.append(StepRecord(step, epoch, loss, rates[step - 1], time.monotonic() - start))
                table.add(rows[-1])
                progress.advance(1, f"loss {loss:.4f}")
    finally:
        table.close()
        draw_loss_curve(rows, folder.loss_plot, "loss of the gates")
    return [row.loss for row in rows]


def _kind(weights: Path) -> str:
    """Returns the format of a file of weights, which is also used for the result."""
    return "safetensors" if weights.suffix == ".safetensors" else "ckpt"
