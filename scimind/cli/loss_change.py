"""What a conversion that changes a model's routing costs: the loss on the user's data before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scimind.checkpoint.convert.configurations import FINETUNE, row_length
from scimind.checkpoint.convert.conversion import Conversion
from scimind.checkpoint.convert.target import WEIGHTS
from scimind.config import load_config
from scimind.data.prepare.options import PrepareOptions
from scimind.data.prepare.task_files import prepare
from scimind.errors import SciMindError
from scimind.runtime.console import quiet_console

_RECORDS = ".mindrecord"


class LossChange:
    """Measures the loss of a converted checkpoint with the input's routing and with its own.

    The data are encoded at once, before anything is converted, so that a fault in them is found first.

    Args:
        data: Conversation JSON, or a MindRecord file of `scimind prepare`.
        conversion: The conversion.
        scratch: An empty folder for temporary files.

    Raises:
        SciMindError: The conversion writes no tokenizer, or the file holds no conversation that fits.
    """

    def __init__(self, data: Path, conversion: Conversion, scratch: Path) -> None:
        self.data, self._scratch, self._earlier = data, scratch, conversion.earlier_routing
        self._records = data
        codec = conversion.target.codec
        if codec is None:
            raise SciMindError("--data needs the model's tokenizer; give --tokenizer")
        if data.suffix != _RECORDS:
            options = PrepareOptions(row_length(conversion.target.sizes), card=False, workers=1, progress=False)
            prepare("conversation", [data], scratch, codec=codec, options=options, name="data", on_bad="stop")
            self._records = scratch / f"data{_RECORDS}"

    def measure(self, checkpoint: Path) -> str:
        """Returns one line with the loss, or with both if the conversion changes the routing.

        Args:
            checkpoint: The folder that the conversion wrote.

        Raises:
            SciMindError: The records do not fit the model, or have no answers.
        """
        config = checkpoint / FINETUNE
        after = self._loss(config, {})
        if self._earlier is None:
            return f"loss on {self.data}: {after:.4f} before and after, since the routing is that of the input"
        # Without the description next to it, which says that the weights belong to the new routing.
        weights = self._scratch / "weights" / WEIGHTS
        weights.parent.mkdir()
        weights.symlink_to((checkpoint / WEIGHTS).resolve())
        routing = {f"model.model_config.{name}": value for name, value in self._earlier.to_dict().items()}
        del routing["model.model_config.modality_ranges"]
        before = self._loss(config, {"load_checkpoint": str(weights), **routing})
        return (
            f"loss on {self.data}: {before:.4f} before, {after:.4f} after ({after - before:+.4f} nats per token); to "
            f"win it back, finetune: scimind finetune --config {config} --train_dataset FILE"
        )

    def _loss(self, config: Path, changes: Mapping[str, Any]) -> float:
        """Returns the loss in nats per token of an answer, with changed settings."""
        loader = {"type": "MindDataset", "dataset_files": str(self._records), "shuffle": False}
        data = {"data_loader": loader, "input_columns": ["input_ids", "labels"]}
        settings = {"run_mode": "eval", "output_dir": str(self._scratch), "eval_dataset": data, **changes}
        settings["runner_config"] = {"batch_size": 4}
        overrides = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
        with quiet_console(self._scratch / "loss.log", silent=True) as console:
            from scimind.train.session import score_model
            from scimind.train.settings import read_settings

            score = score_model(read_settings(load_config(config, overrides), is_training=False), console)
        if not score.tokens:
            raise SciMindError(f"{self.data}: has no answers to measure a loss on; give conversations with answers")
        return score.loss
