"""Configurations: what is understood, and what each mistake is answered with."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimind.config import RunConfig, load_config
from scimind.config.schema import Faults, Section, Value
from scimind.config.sections.model import (
    GENERATION_ARGUMENTS,
    LLAMA_ARGUMENTS_ELSEWHERE,
    LLAMA_FIELDS,
    intermediate_size,
)
from scimind.config.sections.root import SCHEMA
from scimind.errors import ConfigError, SciMindError

ROOT = Path(__file__).parents[3]
NANO = ROOT / "configs" / "scimind_nano_finetune.yaml"
EVERY_YAML = sorted((ROOT / "configs").glob("**/*.yaml"))
MODEL = "--model.model_config."


def faults_of(*overrides: str, path: Path = NANO) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EVERY_YAML, ids=lambda path: path.stem)
def test_every_shipped_yaml_loads_and_opens_with_its_command(path: Path) -> None:
    config = load_config(path)
    opening = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert path.relative_to(ROOT).as_posix() in opening
    assert "Device" in opening
    if config.run_mode != "predict":
        assert "First losses" in opening


@pytest.mark.parametrize("path", EVERY_YAML, ids=lambda path: path.stem)
def test_resolved_configuration_loads_back_to_itself(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    config.save(tmp_path / "deep" / "resolved.yaml")
    again = load_config(tmp_path / "deep" / "resolved.yaml")
    assert again == config
    assert list(again["model"]["model_config"]) == list(config["model"]["model_config"])


def test_resolved_configuration_can_be_overridden(tmp_path: Path) -> None:
    load_config(NANO).save(tmp_path / "resolved.yaml")
    config = load_config(
        tmp_path / "resolved.yaml", ["--train_dataset.data_loader.dataset_dir=elsewhere", "--generation.do_sample=True"]
    )
    assert config.at("train_dataset_task.dataset_config.data_loader.dataset_dir") == "elsewhere"
    assert config.generation["do_sample"] is True


def test_llama_settings_are_the_arguments_of_the_real_class() -> None:
    """Names and defaults, so that a new MindFormers shows where the schema must follow."""
    from mindformers.models.llama import LlamaConfig

    signature = inspect.signature(inspect.unwrap(LlamaConfig.__init__))
    arguments = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if name not in ("self", "kwargs", *LLAMA_ARGUMENTS_ELSEWHERE)
    }
    assert set(LLAMA_FIELDS) == set(arguments)
    ours = {name: node.default for name, node in LLAMA_FIELDS.items() if not isinstance(node, Section)}
    differing = {name for name, default in ours.items() if default != arguments[name]}
    assert differing == set(GENERATION_ARGUMENTS)


def test_sections_that_mindformers_is_strict_about_have_its_keys() -> None:
    """It refuses unknown keys of these sections, so that ours must not allow more; what we leave out is named here."""
    from mindformers.tools.register import template

    ours = {name: set(node.fields) for name, node in SCHEMA.fields.items() if isinstance(node, Section)}
    assert ours["runner_config"] == set(template.RunnerConfig.keys()) - {"num_classes"} | {
        "max_steps",
        "global_batch_size",
    }
    assert ours["parallel_config"] == set(template.ParallelConfig.keys())
    assert ours["recompute_config"] == set(template.RecomputeConfig.keys())
    assert ours["swap_config"] == set(template.SwapConfig.keys())
    assert ours["monitor_config"] == set(template.MonitorConfig.keys())
    assert ours["moe_config"] < set(template.MoEConfig.keys())
    left_out = {
        *("use_legacy_format", "balanced_load", "reshard_worker_num", "pretrained_model_dir", "adapter_id"),
        *("profile_rank_ids", "profile_pipeline", "mstx", "exclude_cann_cpu", "postprocess_use_numpy"),
    }
    assert set(template.GeneralConfig.keys()) - set(SCHEMA.fields) == left_out


def test_loading_a_configuration_loads_no_mindspore() -> None:
    code = (
        "import sys; from scimind.config import load_config; "
        f"load_config({str(NANO)!r}); "
        "sys.exit(any(name.partition('.')[0] in ('mindspore', 'mindformers') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("--model.model_config.hiden_size=64", "model.model_config.hidden_size"),
        ("--model.model_config.expert_set.text=[1]", "model.model_config.expert_sets"),
        ("--model.model_config.expert_sets.smile=[1]", "model.model_config.expert_sets.smiles"),
        ("--runner_config.epoch=1", "runner_config.epochs"),
        ("--optimiser.type=AdamW", "optimizer"),
        ("--optimizer.beta=0.9", "optimizer.betas"),
        ("--callbacks.1.save_checkpoint_step=1", "callbacks.1.save_checkpoint_steps"),
        ("--runner_wrapper.use_clip_gradient=True", "runner_wrapper.use_clip_grad"),
        ("--train_dataset.data_loader.dataset_path=x", "train_dataset.data_loader.dataset_dir"),
        ("--generation.max_new_token=5", "generation.max_new_tokens"),
        ("--epochs=3", "runner_config.epochs"),
        ("--hidden_size=64", "model.model_config.hidden_size"),
    ],
)
def test_unknown_key_names_the_nearest(override: str, nearest: str) -> None:
    found = faults_of(override)
    assert "is not a setting" in found
    assert f"; the nearest valid one is {nearest}" in found


def test_unknown_key_is_named_in_full() -> None:
    assert "callbacks.0.per_print_time is not a setting" in faults_of("--callbacks.0.per_print_time=1")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([MODEL + "seq_length=-1"], "model.model_config.seq_length (-1) must be at least 1"),
        (["--runner_config.epochs=0"], "runner_config.epochs (0) must be at least 1"),
        (["--runner_config.epochs=two"], "runner_config.epochs ('two') must be a whole number"),
        (["--runner_config.epochs=1.5"], "runner_config.epochs (1.5) must be a whole number"),
        (["--runner_config.epochs=True"], "runner_config.epochs (True) must be a whole number"),
        (["--runner_config.sink_mode=perhaps"], "runner_config.sink_mode ('perhaps') must be True or False"),
        (["--lr_schedule.learning_rate=0"], "lr_schedule.learning_rate (0.0) must be greater than 0"),
        (["--lr_schedule.learning_rate=.nan"], "lr_schedule.learning_rate (nan) must be a number"),
        (["--lr_schedule.warmup_ratio=3"], "lr_schedule.warmup_ratio (3.0) must be at most 1"),
        (["--optimizer.betas=[0.9]"], "optimizer.betas ([0.9]) must be a list of 2 values"),
        (["--optimizer.type=AdamX"], "optimizer.type (AdamX) is not known here; the nearest valid type is AdamW"),
        (["--runner_config=3"], "runner_config (3) must be a section"),
        (["--seed="], "seed ('') must be a whole number"),
        (["--seed=null"], "seed is empty"),
        ([MODEL + "router=modal"], "router ('modal') must be one of activation, modality"),
        ([MODEL + "type=LlamaConfig"], "type ('LlamaConfig') must be one of SciMindConfig"),
        ([MODEL + "num_experts=10"], "intermediate_size (512) must be a multiple of num_experts (10)"),
        ([MODEL + "hidden_size=130"], "hidden_size (130) must be a multiple of num_heads (4)"),
        ([MODEL + "hidden_size=132"], "must be even for rotary positions"),
        ([MODEL + "n_kv_heads=3"], "num_heads (4) must be a multiple of n_kv_heads (3)"),
        ([MODEL + "eos_token_id=2112"], "eos_token_id (2112) must be below vocab_size (2112)"),
        ([MODEL + "expert_sets.text=[0..16]"], "model.model_config.expert_sets.text names expert 16; experts are 0"),
        ([MODEL + "expert_sets.text=[-1]"], "expert_sets.text names expert -1"),
        ([MODEL + "expert_sets.text=[]"], "expert_sets.text leaves text without experts"),
        ([MODEL + "chunk_prefill=True"], "chunk_prefill (True) must be one of False"),
        ([MODEL + "expert_sets.text=[1, 0..2]"], "expert_sets.text names expert 1 twice"),
        ([MODEL + "expert_sets.text=[8..2]"], "expert_sets.text (['8..2']) must be a list of experts"),
        ([MODEL + "experts_per_token.text=17"], "experts_per_token.text (17) must lie in 0"),
        (
            [MODEL + "router=activation", MODEL + "experts_per_token.protein=0"],
            "experts_per_token.protein leaves protein without experts",
        ),
        ([MODEL + "modality_ranges.smiles=[7, 3]"], "modality_ranges.smiles ([7, 3]) must be [start, stop]"),
        ([MODEL + "modality_ranges.smiles=[7, 3000]"], "must end within vocab_size (2112)"),
        (
            [MODEL + "modality_ranges={smiles: [10, 20], protein: [15, 30]}"],
            "modality_ranges.protein [15, 30] overlaps",
        ),
        (["--moe_config.expert_num=8"], "moe_config.expert_num (8) must be one of 1"),
        ([MODEL + "use_past=True"], "use_past (True) breaks training"),
        ([MODEL + "use_flash_attention=True"], "does not run on context.device_target CPU; set it to False"),
        (["--train_dataset.data_loader.dataset_dir="], "train_dataset.data_loader.dataset_dir is missing"),
        (["--train_dataset_task.dataset_config={data_loader: {type: MindDataset}}"], "differs from train_dataset"),
        (["--run_mode=predict", "--generation.max_new_tokens=192"], "max_new_tokens (192) must be below"),
        (["--callbacks.7.type=x"], "callbacks is a list of 2; name an item by its place"),
        (["--seed.first=1"], "seed (0) is a setting, not a section"),
        (["--seed=[1"], "not valid YAML"),
        (["--seed"], "'--seed' is no override; write --section.name=value"),
    ],
)
def test_wrong_value_is_named_with_its_rule(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([MODEL + "dispatch=grouped"], "dispatch (grouped) has dynamic shapes, which parallel.parallel_mode 1 lacks"),
        (["--parallel_config.micro_batch_num=2"], "micro_batch_num (2) must be at least pipeline_stage (4)"),
        (["--parallel_config.pipeline_stage=33"], "pipeline_stage (33) must be at most"),
        (["--parallel_config.model_parallel=3"], "num_heads (32) must be a multiple of parallel_config.model_parallel"),
        (
            ["--parallel_config.model_parallel=8", "--model.model_config.num_experts=4"],
            "num_experts (4) must be a multiple of parallel_config.model_parallel (8)",
        ),
        (["--context.device_target=CPU"], "parallel.parallel_mode (1) does not run on context.device_target CPU"),
    ],
)
def test_parallel_settings_fit_each_other(overrides: list[str], message: str) -> None:
    assert message in faults_of(*overrides, path=ROOT / "configs" / "scimind_7b_finetune.yaml")


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(NANO, ["--runner_config.epochs=-1", "--bla=1", MODEL + "num_heads=3", MODEL + "use_past=True"])
    assert len(caught.value.faults) == 4
    assert str(caught.value).startswith(f"{NANO}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- 1\n", "where settings such as"),
        ("a: 1\nb: [\n", "run.yaml:3: not valid YAML"),
        ("seed: 1\nseed: 2\n", "run.yaml:2: not valid YAML: 'seed' is given twice"),
        ("a: &a [*a]\n", "nested deeper"),
        ("seed: 1\n", "model is missing"),
        ("1: 2\nmodel: {}\n", "1 is not a setting"),
    ],
)
def test_broken_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    found = faults_of(path=written(tmp_path, text))
    assert message in found
    assert "\n" not in found


def test_missing_file_folder_and_binary_file(tmp_path: Path) -> None:
    assert "no such file" in faults_of(path=tmp_path / "none.yaml")
    assert "cannot be read" in faults_of(path=tmp_path)
    binary = tmp_path / "weights.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in faults_of(path=binary)


def test_values_take_their_final_form(tmp_path: Path) -> None:
    overrides = [
        "--lr_schedule.learning_rate=5e-5",
        MODEL + "expert_sets.text=[0..2, 5]",
        "--runner_config.global_batch_size=4",
    ]
    config = load_config(NANO, overrides)
    assert config.at("lr_schedule.learning_rate") == 5e-5
    assert config.model_config["expert_sets"]["text"] == [0, 1, 2, 5]
    assert config.model_config["compute_dtype"] == "float32"
    assert config.global_batch_size == 4
    assert config.devices == 1
    assert config.at("no.such.place", "default") == "default"


def test_ranges_may_come_in_several_pieces() -> None:
    config = load_config(NANO, [MODEL + "modality_ranges={smiles: [[10, 20], [30, 40]], protein: [20, 30]}"])
    assert config.model_config["modality_ranges"] == {"smiles": [[10, 20], [30, 40]], "protein": [[20, 30]]}


def test_generation_settings_are_understood_in_mindformers_places(tmp_path: Path) -> None:
    tree: dict[str, Any] = yaml.safe_load(NANO.read_text(encoding="utf-8"))
    tree["model"]["model_config"].update(do_sample=True, top_k=3)
    tree["predict_batch_size"] = 5
    path = written(tmp_path, yaml.safe_dump(tree))
    config = load_config(path, [MODEL + "top_p=0.5", MODEL + "top_k=4"])
    assert config.generation["do_sample"] is True
    assert (config.generation["top_k"], config.generation["top_p"], config.generation["batch_size"]) == (4, 0.5, 5)
    assert "do_sample" not in config.model_config
    tree["generation"] = {"top_k": 9}
    assert "model.model_config.top_k (3) differs from generation.top_k (9)" in faults_of(
        path=written(tmp_path, yaml.safe_dump(tree))
    )


def test_configuration_from_python_is_a_copy() -> None:
    tree = yaml.safe_load(NANO.read_text(encoding="utf-8"))
    config = RunConfig(tree)
    config.model_config["num_layers"] = 1
    assert tree["model"]["model_config"]["num_layers"] == 4
    plain = config.to_dict()
    plain["seed"] = 99
    assert config.seed == 0
    assert type(plain) is dict


def test_devices_and_batch_of_eight_cards() -> None:
    config = load_config(ROOT / "configs" / "scimind_7b_finetune.yaml")
    assert config.devices == 8
    assert config.global_batch_size == 64


def test_intermediate_size_by_the_rule_of_llama() -> None:
    """Llama-2 7B has 11,008 neurons and 70B 28,672, from their published settings."""
    assert intermediate_size({"hidden_size": 4096, "multiple_of": 256}) == 11008
    assert intermediate_size({"hidden_size": 8192, "multiple_of": 4096, "ffn_dim_multiplier": 1.3}) == 28672


def test_unwritable_place_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SciMindError, match="cannot be written"):
        load_config(NANO).save(tmp_path / "file" / "resolved.yaml")


def test_schema_nodes_do_not_mix_truth_with_numbers() -> None:
    faults = Faults(Value(float))
    Value(float).check(True, "name", faults)
    Value(bool).check(1, "name", faults)
    assert len(faults) == 2


def test_a_file_stands_on_its_base(tmp_path: Path) -> None:
    base = ROOT / "configs" / "scimind_nano_finetune.yaml"
    text = f"base: {base}\nseed: 9\ntrain_dataset: {{data_loader: {{dataset_dir: a}}}}\ncallbacks: []\n"
    (tmp_path / "middle.yaml").write_text(text)
    path = written(tmp_path, "base: middle.yaml\nmodel: {model_config: {num_layers: 2}}\n")
    ours, theirs = load_config(path, ["--seed=11"]).to_dict(), load_config(base).to_dict()
    assert ours["train_dataset_task"]["dataset_config"]["data_loader"]["dataset_dir"] == "a"
    assert (ours["model"]["model_config"]["num_layers"], ours["seed"], ours["callbacks"]) == (2, 11, [])
    for key, value in (("seed", 0), ("callbacks", theirs["callbacks"])):
        ours[key] = value
    ours["model"]["model_config"]["num_layers"] = theirs["model"]["model_config"]["num_layers"]
    for section in ("train_dataset", "train_dataset_task"):
        ours[section] = theirs[section]
    assert ours == theirs  # nothing else has changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: none.yaml\n", "none.yaml: no such file"),
        ("base: run.yaml\n", r"base \(run.yaml\) leads back to a file"),
        ("base: [1]\n", "must be the path of a YAML file"),
        (
            f"base: {NANO}\nruner_config: {{}}\n",
            "runer_config is not a setting; the nearest valid one is runner_config",
        ),
    ],
)
def test_a_faulty_base_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, text))


def test_settings_of_a_training_answer_with_a_cache() -> None:
    assert load_config(NANO).model_config["use_past"] is False
    assert load_config(NANO, ["run_mode=predict", "generation.max_new_tokens=9"]).model_config["use_past"] is True
    evaluated = load_config(NANO, ["run_mode=eval"])
    assert evaluated.model_config["use_past"] is False


def test_evaluation_data_may_have_names(tmp_path: Path) -> None:
    named = {"captions": "a.mindrecord", "both": ["b.mindrecord", "c.mindrecord"]}
    names = [f"--eval_dataset.data_loader.dataset_files={named}", "--eval_dataset.data_loader.dataset_dir="]
    assert load_config(NANO, names).at("eval_dataset.data_loader.dataset_files") == named
    for text in ("{}", "{a: 1}", "{1: a}"):
        assert "eval_dataset.data_loader.dataset_files" in faults_of(f"--eval_dataset.data_loader.dataset_files={text}")
    # MindFormers reads the data to train on, and knows no names.
    assert "must be" in faults_of(f"--train_dataset.data_loader.dataset_files={named}")
