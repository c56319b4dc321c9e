"""`python -m scimind.launch`, the program that `scripts/run_distribute.sh` starts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from scimind.cli.continuation import COMMAND
from scimind.cli.exit_status import guarded
from scimind.launch.job import run_job
from scimind.launch.options import read_job

_SCRIPT = "SCIMIND_LAUNCHER"  # set by scripts/run_distribute.sh to its own path


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job that the arguments describe; returns its exit status.

    Args:
        argv: Arguments without the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    script = os.environ.get(_SCRIPT)
    program = ["bash", script] if script else ["python", "-m", "scimind.launch"]
    os.environ[COMMAND] = json.dumps([*program, *arguments])  # for the workers, which name it if they are interrupted
    return guarded("run_distribute.sh", lambda: run_job(read_job(arguments)))


if __name__ == "__main__":
    sys.exit(main())
