"""Work spread over processes, with its results in order.

The workers are processes of their own, not copies of this one: they load what the work needs and nothing else, they do
not run the caller's script again as `multiprocessing` may, and they end by themselves when the caller is gone.
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

# Tasks that wait in a worker's queue: enough to keep it busy, few enough to hold the memory down.
_QUEUED = 3
_START = "import sys; sys.path[:] = sys.argv[1:]; from scimind.parallel import serve; serve()"


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int) -> int:
    """Returns a number of workers that was given, if it is one.

    Raises:
        SciMindError: It is less than 1.
    """
    if workers < 1:
        raise SciMindError(f"workers ({workers}) must be at least 1")
    return workers


def ordered_map(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int, *, fewest: int = 1
) -> Generator[Result, None, None]:
    """Yields `function(task)` of each task, in the tasks' order.

    Tasks are read as they are needed, so that memory does not grow with their number. Close the iterator where it is
    not read to its end (`contextlib.closing`): that ends the workers.

    Args:
        function: Something that can be pickled, such as a method of a small object; each worker gets it once.
        tasks: The tasks; about equally large, since each worker gets every n-th.
        workers: Processes; with one, this process does the work itself.
        fewest: Tasks for which starting processes pays; up to so many are done here.

    Raises:
        SciMindError: What `function` raised, or a worker ended before its work did.
        RuntimeError: `function` raised something else, whose traceback is the text.
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
    """A process that answers tasks one after the other."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # In a session of its own, so that Ctrl-C in a terminal reaches this process alone, which then ends the worker.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A thread writes, since a worker that is writing its result does not read.
        self._sender = threading.Thread(target=self._send_messages, daemon=True)
        self._sender.start()
        self.send(function)

    def send(self, message: Any) -> None:
        """Puts a task into the worker's queue."""
        self._messages.put(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))

    def receive(self) -> Any:
        """Waits for the result of the oldest task that was sent, and returns it or raises its error."""
        assert self._process.stdout is not None
        try:
            is_good, result = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise SciMindError(
                f"a worker process ended before its work did ({_ending(self._process.wait())}); give fewer workers if "
                "memory ran out"
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
        with suppress(BrokenPipeError):  # the worker has ended, which `receive` tells
            while (message := self._messages.get()) is not None:
                self._process.stdin.write(message)
                self._process.stdin.flush()


def serve() -> None:
    """Answers the tasks of a caller that holds the other ends of standard input and output, until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = sys.stdin.buffer
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the work prints must not get among the results
    with suppress(EOFError, pickle.UnpicklingError, BrokenPipeError):
        function = pickle.load(tasks)
        while True:
            _answer(function, pickle.load(tasks), results)


def _answer(function: Callable[[Any], Any], task: Any, results: BinaryIO) -> None:
    """Writes whether a task went well, and its result or its error."""
    try:
        answer = (True, function(task))
    except SciMindError as error:
        answer = (False, error)
    except Exception:
        answer = (False, traceback.format_exc())
    pickle.dump(answer, results, protocol=pickle.HIGHEST_PROTOCOL)
    results.flush()


def _ending(status: int) -> str:
    """Returns how a process ended, in words."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
