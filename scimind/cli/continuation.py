"""The command that continues an interrupted training."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence

COMMAND = "SCIMIND_COMMAND"  # the launcher's command line as JSON, in the environment of its workers
_FLAG = "--resume_training"


def command_to_continue(command: Sequence[str]) -> str:
    """Returns the command line that continues a training, for a shell in the same folder.

    Args:
        command: The program and arguments that started it; a launcher's own, if there is one, takes their place.
    """
    launched = os.environ.get(COMMAND)
    words, kept = iter(json.loads(launched) if launched else command), []
    for word in words:
        if word == _FLAG:
            next(words, None)
        elif not word.startswith(f"{_FLAG}="):
            kept.append(word)
    return shlex.join([*kept, _FLAG, "True"])
