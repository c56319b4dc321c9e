"""How a command ends.

| status | meaning |
|---|---|
| 0 | all done |
| 1 | a fault of the program, with its traceback |
| 2 | a mistake of the user, with one line that says what to do; nothing was done |
| 3 | done in part, with one line that says how much |
| 129, 130, 143 | stopped by SIGHUP, Ctrl-C or SIGTERM; where work can be continued, a line says how |
| 141 | the reader of the output has ended, as `head` does |
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from scimind.errors import SciMindError
from scimind.runtime.garbage import rare_collections
from scimind.runtime.stopping import stops_on_signals

PARTLY_DONE = 3
_MISTAKE = 2
_PIPE_CLOSED = 141


def guarded(program: str, body: Callable[[], int], *, after_stop: str = "") -> int:
    """Runs `body`; returns its exit status, 2 after a SciMindError, or 128 + n if signal n stopped it.

    Args:
        program: Name that the message begins with.
        body: The command; any exception other than a SciMindError passes through, unless a signal came before it.
        after_stop: What the user can do after a signal, for the message.
    """
    # Collections become frequent again only after signals are no longer handled: one takes a second, and a signal would
    # end it with a traceback.
    with rare_collections(), stops_on_signals() as stopping:
        try:
            return body()
        except KeyboardInterrupt as stop:
            number = getattr(stop, "number", stopping.first or signal.SIGINT)
        except BrokenPipeError:
            # The reader of our output, such as `head`, is gone; Python would raise once more when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _PIPE_CLOSED
        except Exception as error:
            if stopping.first is None:
                if not isinstance(error, SciMindError):
                    raise
                print(f"{program}: error: {' '.join(str(error).split())}", file=sys.stderr)
                return _MISTAKE
            number = stopping.first  # an interrupted import of a C++ module, for instance, is an ImportError
        with suppress(OSError):  # after SIGHUP the terminal is gone
            print(f"{program}: stopped{f'; {after_stop}' if after_stop else ''}", file=sys.stderr, flush=True)
        if "mindspore" not in sys.modules and any(name.startswith("mindspore.") for name in sys.modules):
            # The import of MindSpore was interrupted. Python would abort when it takes what is there down, and what
            # MindSpore has registered for the end prints a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            atexit._run_exitfuncs()
            os._exit(128 + number)
        return 128 + number
