"""Writes the HCCL rank table of one server or several, or checks one; `--help` shows the options."""

from __future__ import annotations

import argparse
import sys

from scimind.cli.exit_status import guarded
from scimind.errors import SciMindError
from scimind.launch.rank_table import (
    HCCN_CONFIGURATION,
    RankTable,
    make_rank_table,
    merge_rank_tables,
    read_device_addresses,
    read_rank_table,
)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="make_rank_table.py",
        description="Write the HCCL rank table of this server, merge the tables of several servers, or check a table.",
        allow_abbrev=False,
    )
    parser.add_argument("--server", metavar="ADDRESS", help="address of this server")
    parser.add_argument("--devices", default="0-7", metavar="LIST", help="numbers of its devices (default: 0-7)")
    parser.add_argument(
        "--device-ips",
        metavar="LIST",
        help=f"addresses of the devices, in the same order (default: those in {HCCN_CONFIGURATION})",
    )
    parser.add_argument("--merge", nargs="+", metavar="FILE", help="tables of the servers, in order of their ranks")
    parser.add_argument("--check", metavar="FILE", help="table to check; nothing is written")
    parser.add_argument("--output", metavar="FILE", help="table to write")
    return parser


def run(args: argparse.Namespace) -> int:
    """Writes or checks a table; returns the exit status.

    Raises:
        SciMindError: The options or a table are wrong.
    """
    ways = [way for way in (args.server, args.merge, args.check) if way]
    if len(ways) != 1:
        raise SciMindError("give exactly one of --server ADDRESS, --merge FILE… and --check FILE")
    if args.check:
        print(f"{args.check}: {_count(read_rank_table(args.check))}")
        return 0
    if not args.output:
        raise SciMindError("no output file; give --output FILE")
    if args.merge:
        table = merge_rank_tables([read_rank_table(path) for path in args.merge])
    else:
        table = _table_of_server(args.server, args.devices, args.device_ips)
    table.write(args.output)
    print(f"{args.output}: {_count(table)}")
    return 0


def _table_of_server(address: str, devices: str, given: str | None) -> RankTable:
    numbers = _read_numbers(devices)
    if given is not None:
        addresses = given.split(",")
        if len(addresses) != len(numbers):
            raise SciMindError(
                f"--device-ips has {len(addresses)} addresses, but --devices has {len(numbers)} devices; "
                "give one address per device"
            )
        known = dict(zip(numbers, addresses, strict=True))
    else:
        known = read_device_addresses()
    lacking = [str(number) for number in numbers if number not in known]
    if lacking:
        raise SciMindError(f"{HCCN_CONFIGURATION} has no address for device {', '.join(lacking)}; give --device-ips")
    return make_rank_table([(address, {number: known[number] for number in numbers})])


def _read_numbers(text: str) -> list[int]:
    """Returns the numbers in a list such as `0-3,6`."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise SciMindError(f"--devices ({text}) must be numbers and ranges, such as 0-7 or 0,2")
        numbers += range(int(first), int(last or first) + 1)
    if not numbers or len(set(numbers)) < len(numbers):
        raise SciMindError(f"--devices ({text}) must name each device once")
    return numbers


def _count(table: RankTable) -> str:
    return f"{len(table.servers)} server{'s' * (len(table.servers) > 1)}, {len(table.devices)} devices"


if __name__ == "__main__":
    sys.exit(guarded("make_rank_table.py", lambda: run(build_parser().parse_args())))
