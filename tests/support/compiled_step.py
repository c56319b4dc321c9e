"""Compiles the training steps of configurations for single devices, as the frontend sees them on Ascend.

    python -m tests.support.compiled_step CASES.json

CASES.json is a list of cases: `config`, a path, or `network` "products", with `overrides`, `rank`, `bad`, a fault to
insert, and `strategy_file`, the file for the strategies. Each case gives one line of JSON: its number, `error` ("" for
none), `layouts` and `collectives`. Everything that MindFormers' Trainer puts around the model (pipeline, virtual data
set, optimizer, step) is added by the Trainer's own methods.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mindspore as ms
import numpy as np
from mindformers import CausalLanguageModelingTrainer, MindFormerConfig, build_context
from mindformers.core.context.parallel import ParallelOperator
from mindformers.tools.utils import PARALLEL_MODE
from mindspore.common.initializer import Zero, initializer
from mindspore.nn.wrap.cell_wrapper import _VirtualDatasetCell

import scimind.model.causal_lm
import scimind.train.optimizer  # noqa: F401  # both register with MindFormers
from scimind.config import RunConfig, load_config
from scimind.config.mindformers import model_tree
from scimind.model.loading import build_model, configure
from scimind.train.settings import read_settings, trainer_tree
from scimind.train.step import SciMindTrainOneStepCell
from tests.support.frontend import be_device, compile_frontend


def compile_case(case: dict[str, Any]) -> dict[str, Any]:
    """Returns the result of `compile_frontend` for a case."""
    if case.get("network") == "products":
        return _compile_products(case)
    config = load_config(case["config"], case.get("overrides", ()))
    be_device(case["rank"], config.devices)
    predicts = config.run_mode == "predict"
    if predicts:
        tree = model_tree(config, batch_size=1, use_past=config.model_config["use_past"])
    else:
        tree = trainer_tree(read_settings(config, is_training=False, needs_data=False))
    tree["parallel"]["parallel_mode"] = PARALLEL_MODE[tree["parallel"]["parallel_mode"]]
    tree["parallel"].pop("strategy_ckpt_save_file", None)
    mf_config = configure(tree)
    operator = ParallelOperator(mf_config)
    operator._set_ms_auto_parallel_context(**operator.parallel_ctx)
    operator._set_ms_parallel()
    assert ms.get_auto_parallel_context("pipeline_stages") == config["parallel_config"]["pipeline_stage"]
    if predicts:
        return _compile_prompt(_build(mf_config, case, config), config)
    trainer = CausalLanguageModelingTrainer()
    trainer.config = mf_config
    trainer.train_dataset = SimpleNamespace(get_dataset_size=lambda: 100)  # for the learning rate schedule
    trainer._check_global_batch_size_for_auto_parallel()
    network = _build(mf_config, case, config).set_train(True)
    network = trainer.wrap_network_with_tool_cells(network)
    assert isinstance(network, _VirtualDatasetCell)
    optimizer = trainer.create_optimizer_scheduler(network, set())
    step = trainer.create_model_wrapper(network, optimizer)
    if isinstance(step, SciMindTrainOneStepCell):
        step.has_status_register, step.is_plain = True, False  # the code path of a step on Ascend
    step.set_train(True)
    rows = np.zeros((trainer.global_batch_size, config.seq_length + 1), np.int32)
    return compile_frontend(step, ms.Tensor(rows), ms.Tensor(rows))


def _compile_prompt(network: ms.nn.Cell, config: RunConfig) -> dict[str, Any]:
    """Compiles the first call of a generation with a cache."""
    network.set_train(False)
    s = config.seq_length
    blocks = -(-s // config.model_config["block_size"])
    return compile_frontend(
        network,
        ms.Tensor(np.zeros((1, s)), ms.int32),
        *[None] * 6,
        ms.Tensor([s], ms.int32),
        None,
        None,
        ms.Tensor(np.arange(blocks)[None], ms.int32),
        ms.Tensor(np.arange(s), ms.int32),
    )


def _build(mf_config: Any, case: dict[str, Any], config: RunConfig) -> ms.nn.Cell:
    """Returns the model of a case with all weights 0: nothing reads them, and drawing them would take longer."""
    network = build_model(mf_config, None, {})
    for parameter in network.get_parameters():
        parameter.init_mode.init = Zero()
    _damage(network, case.get("bad", ""), config)
    return network


def _damage(network: ms.nn.Cell, fault: str, config: RunConfig) -> None:
    """Gives operators of the first layer's routed feed-forward a strategy that is not possible."""
    data, model = (config["parallel_config"][name] for name in ("data_parallel", "model_parallel"))
    feed_forward = network.model.layers[0].feed_forward
    if fault == "mask":  # product of neurons [t, e, f] and active experts [t, e, 1], with tokens split differently
        feed_forward.mask.shard(((data, model, 1), (data * 2, model, 1)))
    elif fault == "devices":  # the same, for more devices than exist
        feed_forward.mask.shard(((data * 16, model, 1), (data * 16, model, 1)))
    else:
        assert not fault, fault


class _Products(ms.nn.Cell):
    """A product of x [16, n] and a weight [n, 16], in which 2 devices split the rows of x and 4 the sum."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = ms.Parameter(initializer("ones", (size, 16), ms.float32), name="weight")
        self.product = ms.ops.MatMul().shard(((2, 4), (4, 1)))
        self.total = ms.ops.ReduceSum().shard(((2, 1),))

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """Returns the sum of the product."""
        return self.total(self.product(x, self.weight))


def _compile_products(case: dict[str, Any]) -> dict[str, Any]:
    """Compiles a plain network, to check that the frontend works at all."""
    be_device(case["rank"], 8)
    ms.set_auto_parallel_context(parallel_mode="semi_auto_parallel", full_batch=True)
    if "strategy_file" in case:
        ms.set_auto_parallel_context(strategy_ckpt_config={"save_file": case["strategy_file"]})
    size = 3 if case.get("bad") else 8
    network = _Products(size)
    step = ms.nn.TrainOneStepCell(network, ms.nn.Adam(network.trainable_params(), 1e-3))
    step.set_train(True)
    return compile_frontend(step, ms.Tensor(np.ones((16, size)), ms.float32))


def main() -> None:
    """Runs the command."""
    # MindFormers' own context, from which its Trainer reads the mode; each case has its own parallel settings.
    build_context(
        MindFormerConfig(
            context={"mode": 0, "device_target": "CPU", "runtime_num_threads": 1}, parallel={}, use_parallel=False
        )
    )
    gc.freeze()  # MindSpore collects garbage whenever it compiles
    for number, case in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        try:
            result = {"error": "", **compile_case(case)}
        except (RuntimeError, ValueError) as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"case": number, **result}), flush=True)


if __name__ == "__main__":
    main()
