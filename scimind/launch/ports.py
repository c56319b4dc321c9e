"""The port at which the workers of a job meet."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress

from scimind.errors import SciMindError
from scimind.launch.options import DEFAULT_PORT, Job


def choose_port(job: Job) -> int:
    """Returns the port of a job: the requested one, or any free one if all workers are on this server.

    Raises:
        SciMindError: The port is in use, or this is server 0 and the job's address is not its own.
    """
    if job.node_rank > 0:  # the port is on server 0
        return job.port or DEFAULT_PORT
    if job.port is None:  # not always the same port, which another job may be about to use
        return _any_port(job.master)
    if not is_free(job.master, job.port):
        raise SciMindError(f"port ({job.port}) of {job.master} is in use; give another --port, or none")
    return job.port


def is_free(address: str, port: int) -> bool:
    """Returns whether a program on this server can listen at a port.

    Raises:
        SciMindError: The address does not belong to this server.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SciMindError(
            f"master ({address}) is not an address that this server knows ({error.strerror}); correct --master"
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if isinstance(error, PermissionError) or error.errno == errno.EADDRINUSE:
                return False
            raise SciMindError(
                f"master ({address}) is not an address of this server ({error.strerror}), which is server 0; "
                "give an address of this server, or another --node-rank"
            ) from error
    return True


def _any_port(address: str) -> int:
    """Returns a port that is free now."""
    family = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0][0]
    with socket.socket(family, socket.SOCK_STREAM) as probe, suppress(OSError):
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
    raise SciMindError(f"{address} has no free port")
