"""How a command ends: a user's mistake with a one-line message, a fault of the program with its traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from scimind.errors import SciMindError

_MISTAKE = 2
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def guarded(program: str, body: Callable[[], int]) -> int:
    """Runs `body`; returns its exit status, 2 after a SciMindError, or 130 if the user stopped it.

    Args:
        program: Name that the message begins with.
        body: The command; any exception other than a SciMindError or an interruption passes through.
    """
    try:
        return body()
    except SciMindError as error:
        print(f"{program}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return _MISTAKE
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, is gone; Python would raise once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
