"""The configuration of a run: MindFormers' YAML schema with SciMind's routing settings, checked as a whole.

`load_config` reads a file and overrides, and returns a `RunConfig`. The schema is static data, so checking a
configuration loads neither MindSpore nor MindFormers.
"""

from scimind.config.run_config import RunConfig, load_config

__all__ = ["RunConfig", "load_config"]
