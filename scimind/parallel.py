"""Distributes work over processes and returns the results in order.

The workers are separate processes, not copies of this one: they load only what the work needs, they do not run the
caller's script again as `multiprocessing` may, and they end by themselves when the caller is gone.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, suppress
from itertools import chain, islice
from typing import Any, BinaryIO, TypeVar

from scimind.errors import SciMindError

Task = TypeVar("Task")
Result = TypeVar("Result")

# Tasks that wait in a worker's queue: enough to keep it busy, few enough to limit memory.
_QUEUED = 3
_START = "import sys; sys.path[:] = sys.argv[1:]; from scimind.parallel import serve; serve()"


MOST_WORKERS = 1024


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int) -> int:
    """Returns the given number of workers after a check.

    Raises:
        SciMindError: It is less than 1, or more than any machine has cores.
    """
    if workers < 1:
        raise SciMindError(f"workers ({workers}) must be at least 1")
    if workers > MOST_WORKERS:
        raise SciMindError(f"workers ({workers}) must be at most {MOST_WORKERS}; leave it out for one per core")
    return workers


def ordered_map(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int, *, fewest: int = 1
) -> Generator[Result, None, None]:
    """Yields `function(task)` for each task, in the order of the tasks.

    Tasks are read as needed, so memory does not grow with their number. If the iterator is not read to its end, close
    it (`contextlib.closing`), which ends the workers.

    Args:
        function: A picklable function, such as a method of a small object; each worker receives it once.
        tasks: The tasks, about equally large, since each worker gets every n-th task.
        workers: Number of processes; with one, this process does the work itself.
        fewest: Up to this many tasks are done in this process, as starting others would not pay off.

    Raises:
        SciMindError: `function` raised it, or a worker ended before its work was done.
        RuntimeError: `function` raised another exception, whose traceback is the message.
    """
    tasks = iter(tasks)
    first = list(islice(tasks, fewest + 1)) if workers > 1 else []
    tasks = chain(first, tasks)
    if len(first) <= fewest:
        yield from map(function, tasks)
        return
    with ExitStack() as stack:
        team = [_Worker(function) for _ in range(workers)]
        for worker in team:
            stack.callback(worker.stop)
        busy: deque[_Worker] = deque()
        for number, task in enumerate(tasks):
            worker = team[number % workers]
            worker.send(task)
            busy.append(worker)
            if len(busy) == workers * _QUEUED:
                yield busy.popleft().receive()
        while busy:
            yield busy.popleft().receive()


class _Worker:
    """A process that works on tasks one after the other."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # In a separate session, so that Ctrl-C in a terminal only reaches this process, which then ends the worker.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A thread does the writing, since a worker that is writing its result does not read.
        self._sender = threading.Thread(target=self._send_messages, daemon=True)
        self._sender.start()
        self.send(function)

    def send(self, message: Any) -> None:
        """Adds a task to the worker's queue."""
        self._messages.put(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))

    def receive(self) -> Any:
        """Waits for the result of the oldest task, and returns it or raises its error."""
        assert self._process.stdout is not None
        try:
            is_good, result = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise SciMindError(
                f"a worker process ended before its work was done ({_ending(self._process.wait())}); use fewer workers "
                "if memory ran out"
            ) from error
        if is_good:
            return result
        raise result if isinstance(result, SciMindError) else RuntimeError(f"a worker process failed:\n{result}")

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._messages.put(None)
        self._sender.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def _send_messages(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the worker has ended, which `receive` reports
            while (message := self._messages.get()) is not None:
                self._process.stdin.write(message)
                self._process.stdin.flush()


def serve() -> None:
    """Works on the tasks of the caller at the other ends of standard input and output, until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = sys.stdin.buffer
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the work prints must not mix with the results
    with suppress(EOFError, pickle.UnpicklingError, BrokenPipeError):
        function = pickle.load(tasks)
        while True:
            _answer(function, pickle.load(tasks), results)


def _answer(function: Callable[[Any], Any], task: Any, results: BinaryIO) -> None:
    """Writes whether a task succeeded, and its result or its error."""
    try:
        answer = (True, function(task))
    except SciMindError as error:
        answer = (False, error)
    except Exception:
        answer = (False, traceback.format_exc())
    pickle.dump(answer, results, protocol=pickle.HIGHEST_PROTOCOL)
    results.flush()


def _ending(status: int) -> str:
    """Returns in words how a process ended."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
