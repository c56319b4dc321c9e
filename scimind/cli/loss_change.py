"""What a conversion that changes a model's routing costs: the loss on the user's data before and after."""

from __future__ import annotations

import json
from pathlib import Path

from scimind.config import load_config
from scimind.config.routing import RoutingSettings
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec

_RECORDS = ".mindrecord"


def prepare_records(data: Path, codec: TokenCodec, seq_length: int, folder: Path) -> Path:
    """Returns a MindRecord file of conversations, which is written to a folder unless the data are one already.

    Args:
        data: Conversation JSON, or a MindRecord file of `scimind prepare` with rows of `seq_length`.
        codec: The tokenizer.
        seq_length: Tokens of a row; longer records are left out.
        folder: For the new files.

    Raises:
        SciMindError: The file does not exist or holds no conversation that fits.
    """
    from scimind.data.prepare.task_files import prepare

    if data.suffix == _RECORDS:
        return data
    settings = {"seq_length": seq_length, "on_bad": "stop", "card": False, "workers": 1, "progress": False}
    prepare("conversation", [data], folder, codec=codec, name="data", **settings)
    return folder / f"data{_RECORDS}"


def measure_loss(config: Path, records: Path, folder: Path, routing: RoutingSettings | None = None) -> float:
    """Returns a checkpoint's loss on the answers of records, in nats per token.

    Args:
        config: The checkpoint's `predict.yaml`.
        records: A MindRecord file.
        folder: For the run's log.
        routing: The routing to use instead of the checkpoint's.

    Raises:
        SciMindError: The records do not fit the model.
    """
    from scimind.train import evaluate

    loader = {"type": "MindDataset", "dataset_files": str(records), "shuffle": False}
    data = {"data_loader": loader, "input_columns": ["input_ids", "labels"], "drop_remainder": False, "batch_size": 4}
    settings: dict[str, object] = {
        "run_mode": "eval",
        "output_dir": str(folder),
        "eval_dataset": data,
        "model.model_config.use_past": False,
    }
    if routing is not None:
        names = ("num_experts", "router", "score", "experts_per_token", "shared_experts", "expert_sets")
        settings |= {f"model.model_config.{name}": routing.to_dict()[name] for name in names}
    found = evaluate(load_config(config, [f"{name}={json.dumps(value)}" for name, value in settings.items()]))
    if not found["tokens"]:
        raise SciMindError(f"{records}: has no answers whose loss could be measured; give conversations with answers")
    return float(found["loss"])
