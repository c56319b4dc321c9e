"""The steps from data to scores, as functions with the defaults of the commands."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scimind.config import load_config
from scimind.config.shipped import data_file
from scimind.errors import SciMindError

if TYPE_CHECKING:
    from scimind.api.model import Model
    from scimind.data.prepare.summary import PrepareSummary
    from scimind.data.tasks.task import Task
    from scimind.evaluate.evaluation import Evaluation
    from scimind.runtime.measurements import StepRecord
    from scimind.train.result import FinetuneResult

_FINETUNE = "scimind_nano_finetune"
_OF_FRAME = ("id", "prompt", "output", "reference")  # what is scored of a DataFrame


def prepare(
    task: str | Path | Task,
    inputs: str | Path | Sequence[str | Path],
    output_dir: str | Path,
    *,
    tokenizer: str | Path | None = None,
    **settings: Any,
) -> PrepareSummary:
    """Turns data files into records for training, as `scimind prepare` does; returns the summary.

    Args:
        task: A task's name, its file, or a task.
        inputs: A file or several; `sample:text2smiles/train.json` is a file of the shipped sample.
        output_dir: Folder for the results.
        tokenizer: The tokenizer's `.model` file; None for the shipped one.
        **settings: `name`, `columns`, `only`, and the fields of `scimind.data.PrepareOptions`, such as seq_length,
            eval_fraction or split.

    Raises:
        SciMindError: A file or a setting is wrong, or no record fits.
    """
    from scimind.data import prepare as prepare_files
    from scimind.tokenizer import TokenCodec

    files = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    given = {"progress": False, **settings}
    paths = [data_file(str(path)) for path in files]
    return prepare_files(task, paths, output_dir, codec=TokenCodec(tokenizer), **given)


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        result: What `result.json` holds: the steps, the first and last loss, the checkpoint, the evaluations.
    """

    result: FinetuneResult

    @property
    def output_dir(self) -> Path:
        """The run's folder."""
        return self.result.output_dir

    @cached_property
    def _records(self) -> list[StepRecord]:
        from scimind.runtime.loss_curve import read_loss_table

        return read_loss_table(self.output_dir / "loss.csv")

    @property
    def steps(self) -> NDArray[np.int64]:
        """Number of each step, from 1, int64 [n]."""
        return np.array([record.step for record in self._records if record.step > 0], np.int64)

    @property
    def losses(self) -> NDArray[np.float64]:
        """Loss of each step, in nats of an answer's token, float64 [n]."""
        return np.array([record.loss for record in self._records if record.step > 0])

    @property
    def evaluations(self) -> dict[int, float]:
        """Loss of each evaluation by its step; 0 is before the training."""
        return {record.step: record.evaluation.loss for record in self._records if record.evaluation is not None}

    def load(self, settings: Mapping[str, Any] | None = None) -> Model:
        """Returns the trained model; see `scimind.load`."""
        from scimind.api.model import load

        return load(self.output_dir, settings)


def finetune(
    train_dataset: str | Path | None = None,
    output_dir: str | Path | None = None,
    *,
    config: str | Path = _FINETUNE,
    eval_dataset: str | Path | None = None,
    load_checkpoint: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Trains a model on prepared records, as `scimind finetune` does, and returns the run with its losses.

    Args:
        train_dataset: A `.mindrecord` of `prepare`; None for the configuration's.
        output_dir: Folder for everything that the run writes; None for the configuration's.
        config: A YAML file, or the name of a shipped configuration.
        eval_dataset: Records to evaluate on while training; without them, and with `train_dataset`, nothing is
            evaluated.
        load_checkpoint: The weights to start from; None for the configuration's.
        settings: Further settings by dotted name, such as `{"runner_config.epochs": 2}`.

    Raises:
        SciMindError: The configuration or the data is invalid, or the loss is not finite.
        KeyboardInterrupt: The training was interrupted; what was done is in the folder.
    """
    from scimind.train import finetune as train

    given: dict[str, Any] = {}
    if train_dataset is not None:
        given |= {"train_dataset.data_loader.dataset_dir": str(train_dataset), "do_eval": eval_dataset is not None}
    if eval_dataset is not None:
        given |= {"eval_dataset.data_loader.dataset_dir": str(eval_dataset), "do_eval": True}
    named = {"output_dir": output_dir, "load_checkpoint": load_checkpoint}
    given |= {name: str(value) for name, value in named.items() if value is not None}
    given |= {"run_mode": "finetune", **(settings or {})}
    result = train(load_config(config, [f"{name}={json.dumps(value, default=str)}" for name, value in given.items()]))
    if result.is_interrupted:
        raise KeyboardInterrupt
    return Run(result)


def evaluate_predictions(
    task: str,
    predictions: Any,
    references: str | Path | Sequence[str] | None = None,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Evaluation:
    """Scores predictions, as `scimind evaluate` does; `scores` of what is returned has them with their intervals.

    Args:
        task: A task's name or file, or a group of metrics.
        predictions: What `Model.predict` returned, or a file of predictions.
        references: The right answers, in order, or a file of them; None for those in the predictions.
        samples: Number of resampled corpora for the intervals; 0 for no intervals.
        confidence: Share of them inside an interval.
        seed: Seed of the resampling.
        **options: Further fields of `scimind.evaluate.evaluation.EvaluateOptions`.

    Raises:
        SciMindError: A file or an option is wrong, or predictions and references do not belong together.
    """
    from scimind.evaluate.evaluation import EvaluateOptions, evaluate
    from scimind.evaluate.resampling import Resampling

    with tempfile.TemporaryDirectory(prefix="scimind-") as folder:
        if isinstance(predictions, str | Path):
            path = Path(predictions)
        else:
            path = Path(folder) / "predictions.jsonl"
            if hasattr(predictions, "to_dict"):  # a DataFrame of `Model.predict`
                predictions = predictions.rename(columns={"answer": "output"}).to_dict("records")
                predictions = [{name: row.get(name) for name in _OF_FRAME} for row in predictions]
            rows = [getattr(one, "row", one) for one in predictions]
            if references is not None and not isinstance(references, str | Path):
                if len(references) != len(rows):
                    raise SciMindError(
                        f"{len(rows)} predictions and {len(references)} references; give as many of each"
                    )
                rows = [{**row, "reference": text} for row, text in zip(rows, references, strict=True)]
                references = None
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        right = None if references is None else Path(references)  # type: ignore[arg-type]
        resampling = Resampling(samples, confidence, seed)
        return evaluate(EvaluateOptions(task, path, right, resampling=resampling, **options))
