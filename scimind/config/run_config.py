"""The checked configuration of a run."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scimind.config import facts
from scimind.config.canonical import TASKS, TRAINING_MODES, keep_answers_cache, move_to_one_place
from scimind.config.reading import apply_overrides, read_yaml
from scimind.config.rules import broken_rules
from scimind.config.schema import Faults
from scimind.config.sections.root import SCHEMA
from scimind.config.shipped import configuration_file
from scimind.errors import ConfigError, SciMindError


class RunConfig(dict[str, Any]):
    """Checked settings as nested dicts, with frequently needed ones as attributes.

    Args:
        tree: Settings as read from a YAML file, unchecked; not changed.
        source: The file that they come from, for messages.

    Raises:
        ConfigError: With all faults of all settings.
    """

    def __init__(self, tree: Mapping[str, Any], source: str | Path | None = None) -> None:
        """Checks the settings and fills in defaults."""
        faults = Faults(SCHEMA)
        raw = copy.deepcopy(dict(tree))
        faults.extend(move_to_one_place(raw))
        checked = SCHEMA.check(raw, "", faults)
        faults.extend(broken_rules(checked, raw.keys()))
        if faults:
            raise ConfigError(faults, source)
        super().__init__(checked)
        self.source = source
        self._fill()

    def _fill(self) -> None:
        """Adds its data set to each data set task, as MindFormers requires."""
        for task, section in TASKS:
            if section in self:
                self.setdefault(task, {"type": "CausalLanguageModelDataset"})
                self[task]["dataset_config"] = copy.deepcopy(self[section])

    @classmethod
    def of(cls, config: Mapping[str, Any], *run_modes: str) -> RunConfig:
        """Returns settings, checked for one of several run modes.

        Args:
            config: Settings, checked or not; not changed.
            *run_modes: The acceptable run modes, by default all. Settings with another mode, or without one, are
                checked for the first of these.

        Raises:
            ConfigError: With all faults of all settings.
        """
        fits = not run_modes or config.get("run_mode") in run_modes
        if isinstance(config, cls) and fits:
            return config
        source = config.source if isinstance(config, cls) else None
        return cls(config if fits else {**config, "run_mode": run_modes[0]}, source)

    def at(self, name: str, default: Any = None) -> Any:
        """Returns the setting with a dotted name, or `default` if it or a section on the way is missing."""
        value: Any = self
        for key in name.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value

    @property
    def model_config(self) -> dict[str, Any]:
        """The section model.model_config, with all defaults."""
        section: dict[str, Any] = self["model"]["model_config"]
        return section

    @property
    def generation(self) -> dict[str, Any]:
        """The section generation, with all defaults."""
        section: dict[str, Any] = self["generation"]
        return section

    @property
    def run_mode(self) -> str | None:
        """finetune, train, predict or eval; None if it is not given."""
        return self.get("run_mode")

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self["seed"])

    @property
    def seq_length(self) -> int:
        """Longest sequence in tokens."""
        return int(self.model_config["seq_length"])

    @property
    def device_target(self) -> str:
        """CPU or Ascend."""
        return str(self["context"]["device_target"])

    @property
    def output_dir(self) -> Path:
        """Folder for everything that a run writes."""
        return Path(self["output_dir"])

    @property
    def devices(self) -> int:
        """Number of devices over which the run is distributed."""
        if not self["use_parallel"]:
            return 1
        spread = self["parallel_config"]
        names = ("data_parallel", "model_parallel", "context_parallel", "pipeline_stage")
        product = 1
        for name in names:
            product *= spread[name]
        return product

    @property
    def splits_tensors(self) -> bool:
        """Whether MindSpore splits tensors over devices."""
        return facts.splits_tensors(self)

    @property
    def runs_on_cpu(self) -> bool:
        """Whether operators run on a CPU, with whole tensors."""
        return self.device_target == "CPU" and not self.splits_tensors

    @property
    def kernels(self) -> str:
        """The kernels that the model uses: "mindformers", or "cpu" for `scimind.model.cpu`."""
        return facts.chosen_kernels(self.model_config, on_cpu=self.runs_on_cpu)

    @property
    def dispatch(self) -> str:
        """How tokens reach their experts: "masked" or "grouped"."""
        model = self.model_config
        return facts.chosen_dispatch(model["dispatch"], model["router"], self.kernels, splits=self.splits_tensors)

    @property
    def pipeline_stages(self) -> int:
        """Number of pipeline stages, 1 without a pipeline."""
        return int(self["parallel_config"]["pipeline_stage"]) if self.splits_tensors else 1

    def reporting_rank(self, workers: int) -> int:
        """Returns the rank of the worker that reports, see `facts.reporting_rank`.

        Args:
            workers: Number of processes of the run.
        """
        return facts.reporting_rank(workers, self.pipeline_stages)

    @property
    def global_batch_size(self) -> int:
        """Number of records per optimizer step over all devices."""
        runner, spread = self["runner_config"], self["parallel_config"]
        if runner.get("global_batch_size"):
            return int(runner["global_batch_size"])
        records = runner["batch_size"] * runner["gradient_accumulation_steps"]
        if self["use_parallel"]:
            records *= spread["data_parallel"]
            if spread["pipeline_stage"] > 1:
                records *= spread["micro_batch_num"]
        return int(records)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain dicts and lists that share nothing with this object."""
        return copy.deepcopy(dict(self))

    def to_yaml(self) -> str:
        """Returns the resolved settings as YAML."""
        return yaml.dump(self.to_dict(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

    def save(self, path: str | Path) -> None:
        """Writes the resolved settings to a YAML file, from which `load_config` reads equal settings.

        Raises:
            SciMindError: The file cannot be written.
        """
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(self.to_yaml(), encoding="utf-8")
        except OSError as error:
            reason = f"cannot be written: {error.strerror}; free space or choose another folder"
            raise SciMindError(f"{path}: {reason}") from error


class _Dumper(yaml.SafeDumper):
    """Writes every section in full, without YAML references between them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Returns True, so that nothing is shared."""
        return True


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Returns the checked configuration in a YAML file.

    Args:
        path: The YAML file, or the name of a shipped one, such as `scimind_nano_finetune`. Paths in it are relative to
            the current folder, as in MindFormers, except that of its `base` and those that begin with `here:`, which
            are relative to the file's folder.
        overrides: `--a.b=value` or `a.b=value`, with the value in YAML, applied to the file in order.

    Raises:
        ConfigError: The file cannot be read, or settings are unknown, wrong or contradictory; all faults are listed.
    """
    path = configuration_file(path)
    tree = read_yaml(path)
    faults = move_to_one_place(tree)
    if faults:
        raise ConfigError(faults, path)
    is_of_training = tree.get("run_mode") in TRAINING_MODES
    try:
        apply_overrides(tree, overrides)
    except ConfigError as error:
        raise ConfigError(error.faults, path) from error
    move_to_one_place(tree, second_wins=True)
    if is_of_training and tree.get("run_mode") == "predict":
        keep_answers_cache(tree)
    return RunConfig(tree, path)
