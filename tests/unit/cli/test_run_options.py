"""Options under MindFormers' names become settings; both commands accept the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind import cli
from scimind.cli import run_scimind
from scimind.cli.run_options import overrides_of
from scimind.config import RunConfig, load_config

CONFIGS = Path(__file__).parents[3] / "configs"
TRAIN, PREDICT = str(CONFIGS / "scimind_nano_finetune.yaml"), str(CONFIGS / "scimind_nano_predict.yaml")


def config_of(*arguments: str) -> RunConfig:
    args = run_scimind.parse(arguments)
    return load_config(args.config, overrides_of(args))


def test_the_originals_predict_command() -> None:
    config = config_of(
        *("--config", PREDICT, "--run_mode", "predict", "--predict_data", "in put: #1.txt"),
        *("--use_parallel", "False", "--device_id", "0", "--save_file", "out.txt"),
    )
    assert config["input_data"] == "in put: #1.txt"
    assert config["save_file"] == "out.txt"
    assert config["use_parallel"] is False
    assert config.at("context.device_id") == 0


def test_every_option_reaches_its_setting() -> None:
    config = config_of(
        *(
            "--config",
            TRAIN,
            "--train_dataset",
            "a",
            "--eval_dataset",
            "b",
            "--load_checkpoint",
            "c",
            "--output_dir",
            "d",
        ),
        *("--seed", "7", "--mode", "1", "--device_target", "CPU", "--use_parallel", "false", "--do_eval", "TRUE"),
        *("--resume_training", "True", "--epochs", "2", "--num_samples", "64", "--do_sample", "true"),
        *("--predict_batch_size", "3", "--max_new_tokens", "9"),
    )
    found = {
        name: config.at(name)
        for name in (
            *("train_dataset.data_loader.dataset_dir", "eval_dataset.data_loader.dataset_dir", "load_checkpoint"),
            *("output_dir", "seed", "context.mode", "context.device_target", "use_parallel", "do_eval"),
            *("resume_training", "runner_config.epochs", "train_dataset.data_loader.num_samples"),
            *("generation.do_sample", "generation.batch_size", "generation.max_new_tokens"),
        )
    }
    assert list(found.values()) == ["a", "b", "c", "d", 7, 1, "CPU", False, True, True, 2, 64, True, 3, 9]


def test_mindformers_own_names_are_accepted() -> None:
    config = config_of("--config", TRAIN, "--train_dataset_dir", "a", "--eval_dataset_dir", "b")
    assert config.at("train_dataset.data_loader.dataset_dir") == "a"
    assert config.at("eval_dataset.data_loader.dataset_dir") == "b"


def test_resume_training_takes_a_name_too() -> None:
    assert config_of("--config", TRAIN, "--resume_training", "step_100.ckpt")["resume_training"] == "step_100.ckpt"


@pytest.mark.parametrize("form", [["--lr_schedule.learning_rate=1e-3"], ["--lr_schedule.learning_rate", "1e-3"]])
def test_any_setting_can_be_given(form: list[str]) -> None:
    assert config_of("--config", TRAIN, *form).at("lr_schedule.learning_rate") == 1e-3


def test_list_with_a_space_and_expert_span() -> None:
    config = config_of("--config", TRAIN, "--model.model_config.expert_sets.text=[0..2, 9]")
    assert config.model_config["expert_sets"]["text"] == [0, 1, 2, 9]


def test_verbs_take_the_same_options() -> None:
    options = ["--config", PREDICT, "--predict_data", "x", "--save_file", "y", "--task", "text2smiles", "--seed", "3"]
    args = cli.parse(["predict", *options])
    other = run_scimind.parse(["--run_mode", "predict", *options])
    assert overrides_of(args) == overrides_of(other)
    assert (args.task, args.overwrite) == (other.task, other.overwrite) == ("text2smiles", False)


def test_predict_needs_prompts_and_a_place_for_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_scimind.main(["--config", PREDICT, "--run_mode", "predict"]) == 2
    assert capsys.readouterr().err.startswith("run_scimind.py: error: no prompts; give --predict_data FILE")
    assert cli.main(["predict", "--config", PREDICT, "--predict_data", "x"]) == 2
    assert "no output file; give --save_file FILE" in capsys.readouterr().err


def test_run_mode_is_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(TRAIN).read_text(encoding="utf-8").replace("run_mode: finetune\n", "")
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    assert run_scimind.main(["--config", str(tmp_path / "run.yaml")]) == 2
    assert "run_mode is missing; give --run_mode" in capsys.readouterr().err


def test_a_name_that_only_one_setting_has_needs_no_section(capsys: pytest.CaptureFixture[str]) -> None:
    config = config_of("--config", TRAIN, "--learning_rate", "1e-3", "--warmup_ratio=0.1", "--shuffle=False")
    assert config.at("lr_schedule.learning_rate") == 1e-3
    assert config.at("lr_schedule.warmup_ratio") == 0.1
    assert config.at("train_dataset.data_loader.shuffle") is False
    with pytest.raises(SystemExit):
        run_scimind.parse(["--config", TRAIN, "--batch_size=4"])
    assert "--batch_size may mean --runner_config.batch_size or --generation.batch_size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--output", "x", "--randomised", "1000000000"], "--randomised: 1000000000 must be at most 1000"),
        (["prepare", "--output", "x", "--seed", "9" * 5000], "is not a whole number"),
        (["evaluate", "--predictions", "x", "--bootstrap", "1000000000000"], "must be at most 1000000"),
        (["evaluate", "--predictions", "x", "--workers", "5000"], "--workers: 5000 must be at most 1024"),
    ],
)
def test_counts_have_a_largest_value(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parse(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
