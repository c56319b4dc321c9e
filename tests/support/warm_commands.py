"""Commands in processes that have MindSpore and MindFormers already, whose import takes longer than a small command.

A server imports the two libraries, nothing of SciMind, and forks for each command. `WarmCommands` starts it and puts
`scimind` and `python` into a folder: programs that have the server run a command in their place, with their folder,
environment and streams, and that end as it ends. Tests whose subject is the start of a process do without.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

# The bodies of the two programs; they begin with the interpreter, without site-packages.
_CLIENT = """
import json, os, signal, socket, sys
link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
link.connect({address!r})
asked = {{"arguments": [*{before!r}, *sys.argv[1:]], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(link, [json.dumps(asked).encode()], [0, 1, 2])
status = int(link.recv(100))
if status < 0:
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
_SCIMIND = "import sys\nfrom scimind.cli import main\nsys.exit(main())\n"
_LARGEST = 1 << 17  # bytes of a command with its environment


class WarmCommands:
    """A running server; leaving its context ends it.

    Args:
        folder: An empty folder for the server's files; `bin` in it belongs to the front of the PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        (folder / "start_scimind.py").write_text(_SCIMIND)
        address = str(folder / "socket")
        for name, before in (("scimind", [str(folder / "start_scimind.py")]), ("python", [])):
            program = self.programs / name
            program.write_text(f"#!{sys.executable} -IS\n{_CLIENT.format(address=address, before=before)}")
            program.chmod(0o755)
        self._server = subprocess.Popen(
            [sys.executable, __file__, address],
            env={**os.environ, "GLOG_v": "2"},  # MindSpore's warnings; a command cannot choose them
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        assert self._server.stdout is not None
        while self._server.stdout.readline() not in ("ready\n", ""):  # MindFormers logs there
            pass

    def __enter__(self) -> WarmCommands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()


def serve(address: str) -> None:
    """Runs the commands that come in at a socket; returns in the processes of the commands, with 0."""
    import gc

    gc.disable()
    import mindformers  # noqa: F401

    gc.enable()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    while True:
        link, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _answer(link)
        link.close()


def _answer(link: socket.socket) -> None:
    """Runs the command that a link asks for in a child, and reports how it ended."""
    asked, descriptors, _, _ = socket.recv_fds(link, _LARGEST, 3)
    child = os.fork()
    if child == 0:
        link.close()
        return _run(json.loads(asked), descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    link.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(asked: dict[str, object], descriptors: list[int]) -> None:
    """Becomes `python SCRIPT ARGUMENTS`."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    os.chdir(str(asked["folder"]))
    os.environ.clear()
    os.environ.update(asked["environment"])  # type: ignore[call-overload]
    sys.argv = list(asked["arguments"])  # type: ignore[call-overload]
    script = Path(sys.argv[0])
    paths = os.environ.get("PYTHONPATH", "")
    sys.path[:1] = [str(script.parent.resolve()), *filter(None, paths.split(os.pathsep))]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[1])
