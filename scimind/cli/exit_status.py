"""How a command ends.

| status | meaning |
|---|---|
| 0 | all done |
| 1 | a fault of the program, with its traceback |
| 2 | a mistake of the user, with one line that says what to do; nothing was done |
| 3 | done in part, with one line that says how much |
| 130, 143 | stopped by Ctrl-C or by SIGTERM; where work can be continued, a line says how |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from scimind.errors import SciMindError

PARTLY_DONE = 3
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
