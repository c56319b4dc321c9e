"""The part of a configuration that MindFormers needs to set up devices and build a model, for any purpose.

Training adds its own sections, see `scimind.train.settings`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scimind.config import facts

_SECTIONS = (
    *("context", "use_parallel", "parallel", "parallel_config", "recompute_config", "swap_config"),
    *("model", "moe_config", "output_dir", "use_legacy", "train_precision_sync", "infer_precision_sync"),
)
# With `predict`, MindFormers would use other operators than in training.
_RUN_MODE = "predict_with_train_model"


def model_tree(config: Mapping[str, Any], *, batch_size: int, use_past: bool = False) -> dict[str, Any]:
    """Returns MindFormers' configuration of devices and model as plain dicts that share nothing with `config`.

    Args:
        config: A checked configuration.
        batch_size: Number of rows of a batch.
        use_past: Whether keys and values are cached from step to step.
    """
    tree: dict[str, Any] = {name: copy.deepcopy(config[name]) for name in _SECTIONS if name in config}
    tree["run_mode"] = _RUN_MODE
    if tree["use_parallel"]:
        tree.setdefault("parallel", {})["parallel_mode"] = facts.parallel_mode(config)
    model = tree["model"]["model_config"]
    model.update(use_past=use_past, batch_size=batch_size)
    model.pop("checkpoint_name_or_path", None)  # SciMind loads weights itself, more strictly than MindFormers
    if use_past:  # PagedAttention's blocks, enough for every row
        model["num_blocks"] = batch_size * facts.blocks_of_a_row(model["seq_length"], model["block_size"])
    accumulation = config["runner_config"]["gradient_accumulation_steps"] if facts.splits_tensors(config) else 1
    if max(config["parallel_config"]["pipeline_stage"], accumulation) == 1:
        # MindFormers sets this only for a model that it builds itself; several workers cannot compile without it.
        model["disable_lazy_inline"] = True
    # MindSpore dumps a graph that does not compile, by default into the current folder.
    graphs = Path(config["output_dir"]).resolve() / "log" / "graphs"
    tree["context"].setdefault("save_graphs_path", str(graphs))
    return tree
