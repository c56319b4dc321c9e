"""HCCL's rank table, version 1.0: the rank and address of each device.

A table is JSON with `version`, `server_count`, `status` and `server_list`; a server has `server_id` (its address) and
`device`, a list of devices with `device_id`, `device_ip` and `rank_id`. All values are text.

Source: the description of the rank table file in the documentation of CANN's collective communication library.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.atomic import replace_text
from scimind.config.nodes import Items, Section, Value
from scimind.config.schema import INVALID, Faults, show
from scimind.errors import DataError, SciMindError, excerpt
from scimind.small_files import read_small_json

HCCN_CONFIGURATION = "/etc/hccn.conf"
_VERSION = "1.0"
_COMPLETED = "completed"
_MOST_DIGITS = 9
_ADDRESS_LINE = re.compile(r"address_(\d+)\s*=\s*(\S+)")


@dataclass(frozen=True)
class _Number:
    """A number, at least 0, which HCCL writes as text."""

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns an int; see `scimind.config.schema`."""
        text = str(value) if isinstance(value, str | int) else ""
        if not (text.isdecimal() and len(text) <= _MOST_DIGITS):
            faults.append(f"{name} ({show(value)}) must be a whole number from 0 to {10**_MOST_DIGITS - 1}")
            return INVALID
        return int(text)


# Tables written by other programs contain more than HCCL needs.
_DEVICE = Section(
    {"device_id": _Number(), "device_ip": Value(str, None), "rank_id": _Number()},
    required=("device_id", "rank_id"),
    open=True,
)
_SERVER = Section(
    {"server_id": Value(str), "device": Items(_DEVICE, filled=True)}, required=("server_id", "device"), open=True
)
_TABLE = Section(
    {
        "version": Value(str, choices=(_VERSION,)),
        "status": Value(str, choices=(_COMPLETED,)),
        "server_count": _Number(),
        "server_list": Items(_SERVER, filled=True),
    },
    required=("version", "status", "server_count", "server_list"),
    open=True,
)


@dataclass(frozen=True)
class Device:
    """A device.

    Args:
        number: Its number within the server, from 0.
        address: Its address in the network of devices; None if it has none, which is only possible with one server.
        rank: The rank of its worker.
    """

    number: int
    address: str | None
    rank: int


@dataclass(frozen=True)
class Server:
    """A server.

    Args:
        address: Its address.
        devices: Its devices in order of rank.
    """

    address: str
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class RankTable:
    """The devices of a job.

    Args:
        servers: The servers in order of the ranks of their devices.
    """

    servers: tuple[Server, ...]

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices in order of rank."""
        return tuple(device for server in self.servers for device in server.devices)

    def to_json(self) -> str:
        """Returns the table in the form that HCCL reads."""
        servers = [
            {
                "server_id": server.address,
                "device": [_device_entry(device) for device in server.devices],
                "host_nic_ip": "reserve",
            }
            for server in self.servers
        ]
        tree = {
            "version": _VERSION,
            "server_count": str(len(self.servers)),
            "server_list": servers,
            "status": _COMPLETED,
        }
        return json.dumps(tree, indent=2) + "\n"

    def write(self, path: str | Path) -> None:
        """Writes the file atomically.

        Raises:
            SciMindError: The file cannot be written.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_text(target, self.to_json())
        except OSError as error:
            raise SciMindError(f"{path} cannot be written ({error.strerror}); choose another file") from error


def make_rank_table(servers: Sequence[tuple[str, Mapping[int, str | None]]]) -> RankTable:
    """Returns a table in which ranks follow the order of servers and, within a server, of device numbers.

    Args:
        servers: The address of each server, and the addresses of its devices by number.

    Raises:
        DataError: The table breaks a rule.
    """
    made, rank = [], 0
    for address, devices in servers:
        made.append(
            Server(address, tuple(Device(n, devices[n], rank + i) for i, n in enumerate(sorted(devices)))),
        )
        rank += len(devices)
    table = RankTable(tuple(made))
    _raise_faults(_faults(table), None)
    return table


def merge_rank_tables(tables: Sequence[RankTable]) -> RankTable:
    """Returns one table with the servers of several tables, in this order, with new ranks."""
    return make_rank_table(
        [
            (server.address, {device.number: device.address for device in server.devices})
            for table in tables
            for server in table.servers
        ]
    )


def read_rank_table(path: str | Path) -> RankTable:
    """Reads and checks a table.

    Raises:
        DataError: The file is missing, not JSON, or not a table that HCCL accepts; all faults are listed.
    """
    try:
        tree = read_small_json(path)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); write one with make_rank_table.py", path) from error
    except ValueError as error:
        raise DataError(f"{error}; write a new one with make_rank_table.py", path) from error
    faults = Faults(_TABLE)
    checked = _TABLE.check(tree, "", faults)
    listed, count = checked.get("server_list"), checked.get("server_count")
    if listed is not None and count not in (None, len(listed)):
        faults.append(f"server_count ({count}) must be the number of servers ({len(listed)})")
    _raise_faults(faults, path)
    table = RankTable(tuple(_server(entry) for entry in listed))
    _raise_faults(_faults(table), path)
    return table


def read_device_addresses(path: str | Path = HCCN_CONFIGURATION) -> dict[int, str]:
    """Returns the address of each device of this server, from the configuration of its driver.

    Raises:
        DataError: The file is missing or contains no address.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror}); only servers with Ascend devices have it, elsewhere give --device-ips",
            path,
        ) from error
    found = {int(number): address for number, address in _ADDRESS_LINE.findall(text)}
    if not found:
        raise DataError("has no line address_N=…; give --device-ips", path)
    return found


def _device_entry(device: Device) -> dict[str, str]:
    entry = {"device_id": str(device.number), "rank_id": str(device.rank)}
    if device.address is not None:
        entry["device_ip"] = device.address
    return entry


def _server(entry: Mapping[str, Any]) -> Server:
    """Returns the server in a checked entry of `server_list`."""
    devices = [Device(device["device_id"], device["device_ip"], device["rank_id"]) for device in entry["device"]]
    return Server(entry["server_id"], tuple(devices))


def _faults(table: RankTable) -> list[str]:
    """Returns a sentence for each rule that a table breaks."""
    faults = []
    addresses = [device.address for device in table.devices if device.address is not None]
    for name, given in (("server_id", [server.address for server in table.servers]), ("device_ip", addresses)):
        for address in given:
            if not _is_address(address):
                faults.append(f"{name} ({excerpt(address)}) must be an IP address")
        faults += [f"{name} ({excerpt(address)}) appears more than once" for address in _repeated(given)]
    for server in table.servers:
        for number in _repeated([device.number for device in server.devices]):
            faults.append(f"server {excerpt(server.address)}: device_id ({number}) appears more than once")
    ranks = [device.rank for device in table.devices]
    if ranks != list(range(len(ranks))):
        faults.append(
            f"rank_id must count from 0 to {len(ranks) - 1} in the order of servers and devices, not {show(ranks)}"
        )
    if len(table.servers) > 1:
        counts = [len(server.devices) for server in table.servers]
        if len(set(counts)) > 1:
            faults.append(f"all servers must have the same number of devices, not {show(counts)}")
        if len(addresses) < len(ranks):
            faults.append("with several servers each device must have a device_ip")
    return faults


def _raise_faults(faults: Sequence[str], path: str | Path | None) -> None:
    if faults:
        raise DataError("; ".join(faults), path)


def _repeated(values: Sequence[Any]) -> list[Any]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


def _is_address(text: Any) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
