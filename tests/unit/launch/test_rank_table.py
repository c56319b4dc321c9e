"""HCCL's rank table is written and read, and every broken rule is reported."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scimind.errors import DataError
from scimind.launch.rank_table import (
    make_rank_table,
    merge_rank_tables,
    read_device_addresses,
    read_rank_table,
)

ROOT = Path(__file__).resolve().parents[3]
SERVERS = [
    ("10.0.0.1", {0: "192.168.100.101", 1: "192.168.101.101"}),
    ("10.0.0.2", {0: "192.168.100.102", 1: "192.168.101.102"}),
]


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_rank_table.py"), *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_a_table_is_what_the_documentation_of_hccl_shows() -> None:
    assert json.loads(make_rank_table(SERVERS[:1]).to_json()) == {
        "version": "1.0",
        "server_count": "1",
        "server_list": [
            {
                "server_id": "10.0.0.1",
                "device": [
                    {"device_id": "0", "device_ip": "192.168.100.101", "rank_id": "0"},
                    {"device_id": "1", "device_ip": "192.168.101.101", "rank_id": "1"},
                ],
                "host_nic_ip": "reserve",
            }
        ],
        "status": "completed",
    }


def test_ranks_continue_from_server_to_server(tmp_path: Path) -> None:
    table = merge_rank_tables([make_rank_table([server]) for server in SERVERS])
    assert table == make_rank_table(SERVERS)
    assert [device.rank for device in table.devices] == [0, 1, 2, 3]
    table.write(tmp_path / "tables" / "both.json")
    assert read_rank_table(tmp_path / "tables" / "both.json") == table


Change = Callable[[dict[str, Any]], None]
BROKEN: list[tuple[str, Change]] = [
    (r"version \('1.2'\) must be", lambda tree: tree.update(version="1.2")),
    ("status is missing", lambda tree: tree.pop("status")),
    (r"server_count \(3\) must be the number of servers \(2\)", lambda tree: tree.update(server_count="3")),
    (r"server_list \({}\) must be a list", lambda tree: tree.update(server_list={})),
    (r"server_list \(\[\]\) must be a list with at least one item", lambda tree: tree.update(server_list=[])),
    ("server_count is missing", lambda tree: tree.pop("server_count")),
    (r"server_list\.0\.server_id is missing", lambda tree: tree["server_list"][0].pop("server_id")),
    (
        r"server_list\.1\.device \(\[\]\) must be a list with at least one item",
        lambda tree: tree["server_list"][1].update(device=[]),
    ),
    (r"rank_id \('x'\) must be a whole number", lambda tree: tree["server_list"][0]["device"][0].update(rank_id="x")),
    (r"device\.0\.device_ip \(5\) must be text", lambda tree: tree["server_list"][0]["device"][0].update(device_ip=5)),
    (r"rank_id must count from 0 to 3", lambda tree: tree["server_list"][1]["device"][1].update(rank_id="2")),
    (r"device_id \(0\) appears more than once", lambda tree: tree["server_list"][0]["device"][1].update(device_id="0")),
    (
        r"device_ip \(192.168.100.101\) appears more than once",
        lambda tree: tree["server_list"][1]["device"][0].update(device_ip="192.168.100.101"),
    ),
    (
        r"device_ip \(300.1.1.1\) must be",
        lambda tree: tree["server_list"][0]["device"][0].update(device_ip="300.1.1.1"),
    ),
    ("each device must have a device_ip", lambda tree: tree["server_list"][0]["device"][0].pop("device_ip")),
    (
        r"all servers must have the same number of devices, not \[2, 1\]",
        lambda tree: tree["server_list"][1]["device"].pop(),
    ),
]


@pytest.mark.parametrize(("message", "change"), BROKEN, ids=[message for message, _ in BROKEN])
def test_a_broken_rule_is_reported(message: str, change: Change, tmp_path: Path) -> None:
    tree = copy.deepcopy(json.loads(make_rank_table(SERVERS).to_json()))
    change(tree)
    (tmp_path / "table.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match=message):
        read_rank_table(tmp_path / "table.json")


def test_a_file_that_is_not_a_table_is_reported(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("[1]")
    with pytest.raises(DataError, match="table.json: is not a JSON object; write a new one"):
        read_rank_table(tmp_path / "table.json")


@pytest.mark.parametrize("number", ["7" * 5000, 10**12, -1, 1.5, None, [1], "x", "²"])
def test_a_number_that_is_none_is_reported(tmp_path: Path, number: object) -> None:
    tree = json.loads(make_rank_table(SERVERS).to_json())
    tree["server_list"][0]["device"][0]["device_id"] = number
    (tmp_path / "table.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match="device_id .*must be a whole number from 0") as caught:
        read_rank_table(tmp_path / "table.json")
    assert len(str(caught.value)) < 400


def test_other_programs_may_write_more_and_numbers_as_numbers(tmp_path: Path) -> None:
    table = make_rank_table(SERVERS)
    tree = json.loads(table.to_json())
    tree.update(server_count=2, group_count="1")
    tree["server_list"][0]["device"][0].update(device_id=0, super_device_id="0")
    (tmp_path / "table.json").write_text(json.dumps(tree))
    assert read_rank_table(tmp_path / "table.json") == table


def test_device_addresses_are_read_from_the_drivers_configuration(tmp_path: Path) -> None:
    (tmp_path / "hccn.conf").write_text(
        "address_0=192.168.100.101\nnetmask_0=255.255.255.0\naddress_1=192.168.101.101\nnetmask_1=255.255.255.0\n"
    )
    assert read_device_addresses(tmp_path / "hccn.conf") == SERVERS[0][1]
    (tmp_path / "empty.conf").write_text("netmask_0=255.255.255.0\n")
    with pytest.raises(DataError, match="has no line address"):
        read_device_addresses(tmp_path / "empty.conf")


def test_the_script_writes_merges_and_checks(tmp_path: Path) -> None:
    files = []
    for address, devices in SERVERS:
        files.append(str(tmp_path / f"{address}.json"))
        done = script(
            *(
                "--server",
                address,
                "--devices",
                "0-1",
                "--device-ips",
                ",".join(devices.values()),
                "--output",
                files[-1],
            )
        )
        assert (done.returncode, done.stdout) == (0, f"{files[-1]}: 1 server, 2 devices\n"), done.stderr
    both = str(tmp_path / "both.json")
    assert script("--merge", *files, "--output", both).returncode == 0
    assert read_rank_table(both) == make_rank_table(SERVERS)
    assert script("--check", both).stdout == f"{both}: 2 servers, 4 devices\n"

    Path(both).write_text(Path(both).read_text().replace('"rank_id": "3"', '"rank_id": "0"'))
    refused = script("--check", both)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"make_rank_table.py: error: {both}: rank_id must count")
    assert len(refused.stderr.splitlines()) == 1
    for arguments in (["--output", both], ["--server", "10.0.0.1", "--check", both], ["--server", "10.0.0.1"]):
        assert script(*arguments).returncode == 2


def test_a_table_of_impossible_addresses_is_reported_briefly(tmp_path: Path) -> None:
    tree = json.loads(make_rank_table(SERVERS).to_json())
    for server in tree["server_list"]:
        server["server_id"] = "8." * 50_000
    (tmp_path / "table.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match="must be an IP address") as caught:
        read_rank_table(tmp_path / "table.json")
    assert len(str(caught.value)) < 1000
