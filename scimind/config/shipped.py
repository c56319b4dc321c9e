"""Named files that come with the package: configurations and the files of the sample.

`scimind/configs` and `scimind/sample` are links to `configs` and `LPM-24-data` in a checkout, and folders of their
files in an installed package.
"""

from __future__ import annotations

from pathlib import Path

from scimind.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_CONFIGURATIONS = _PACKAGE / "configs"
_SAMPLE = _PACKAGE / "sample"
_SAMPLE_PREFIX = "sample:"
_YAML = (".yaml", ".yml")


def configuration_names() -> list[str]:
    """Returns the names of the shipped configurations, such as `scimind_nano_finetune` and `tasks/moa`."""
    files = sorted(_CONFIGURATIONS.glob("*.yaml")) + sorted(_CONFIGURATIONS.glob("*/*.yaml"))
    return [file.relative_to(_CONFIGURATIONS).with_suffix("").as_posix() for file in files]


def configuration_file(name: str | Path, folder: Path = Path()) -> Path:
    """Returns the YAML file given by a path or by the name of a shipped configuration.

    Args:
        name: The path or the name. An existing file takes precedence over a shipped configuration.
        folder: The folder that a path is relative to.

    Raises:
        ConfigError: It is neither; a path that ends in .yaml or .yml is returned even if the file does not exist.
    """
    path = folder / name
    if path.is_file():
        return path
    names = configuration_names()
    if str(name) in names:
        return _CONFIGURATIONS / f"{name}.yaml"
    if path.suffix in _YAML or path.exists():
        return path
    raise ConfigError(f"no such file or shipped configuration; give a YAML file or one of {', '.join(names)}", path)


def data_file(path: str) -> str:
    """Returns the path of a data file; `sample:text2smiles/test.json` means a file of the shipped sample."""
    return str(_SAMPLE / path.removeprefix(_SAMPLE_PREFIX)) if path.startswith(_SAMPLE_PREFIX) else path
