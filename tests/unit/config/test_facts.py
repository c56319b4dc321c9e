"""Facts about a run that several parts need."""

from __future__ import annotations

import pytest

from scimind.config import RunConfig, facts

MODEL = {"model": {"model_config": {"num_layers": 8}}}


@pytest.mark.parametrize(
    ("parallel", "device", "mode", "splits"),
    [
        ({}, "Ascend", 1, True),  # MindFormers' default
        ({}, "CPU", 0, False),  # which cannot split tensors
        ({"parallel_mode": 0}, "Ascend", 0, False),
        ({"parallel_mode": 2}, "Ascend", 2, True),
        ({"parallel_mode": 3}, "Ascend", 3, False),
    ],
)
def test_the_parallel_mode_says_whether_tensors_are_split(parallel, device, mode, splits) -> None:
    tree = {"context": {"device_target": device}, "parallel": parallel, "use_parallel": True}
    assert facts.parallel_mode(tree) == mode
    assert facts.splits_tensors(tree) is splits
    assert not facts.splits_tensors(tree | {"use_parallel": False})


def test_the_last_stages_first_worker_reports() -> None:
    assert [facts.reporting_rank(8, stages) for stages in (1, 2, 4, 8)] == [0, 4, 6, 7]
    spread = {"parallel_config": {"data_parallel": 2, "pipeline_stage": 4, "micro_batch_num": 8}}
    split = RunConfig({**MODEL, **spread, "use_parallel": True, "parallel": {"parallel_mode": 1}})
    assert (split.devices, split.reporting_rank(8)) == (8, 6)
    assert RunConfig({**MODEL, **spread}).reporting_rank(8) == 0  # one device: nothing is spread
    whole = RunConfig({**MODEL, **spread, "use_parallel": True, "parallel": {"parallel_mode": 0}})
    assert whole.reporting_rank(8) == 0


def test_settings_are_checked_for_the_run_mode() -> None:
    checked = RunConfig(
        {**MODEL, "run_mode": "eval", "eval_dataset": {"data_loader": {"type": "MindDataset", "dataset_dir": "data"}}}
    )
    assert RunConfig.of(checked, "eval") is checked
    assert RunConfig.of(checked) is checked
    assert RunConfig.of(checked, "predict", "eval") is checked
    other = RunConfig.of(checked, "predict")
    assert (other.run_mode, checked.run_mode) == ("predict", "eval")
    assert RunConfig.of(MODEL, "predict").run_mode == "predict"
    assert RunConfig.of(MODEL).run_mode is None
