"""MindSpore's automatic-parallel frontend on a CPU, to check whether it accepts the shard strategies of a network.

A CPU-only MindSpore has the whole frontend, but its passes reject the device target "CPU". Here the name of another
target is registered without an actual device, MindSpore's own test interface answers for the collectives, and
compilation ends before kernels are chosen. This proves that strategies are accepted, not that kernels exist, memory
suffices or numbers agree. It is written for MindSpore 2.9 on x86-64 and uses private names and one C++ symbol; a
process that uses it cannot do anything else.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["MS_DEV_PRECOMPILE_ONLY"] = "1"  # read by MindSpore when it compiles: run the frontend only

import mindspore as ms
from mindspore import _c_expression
from mindspore.communication import _comm_helper
from mindspore.graph.api import _cell_graph_executor

_REGISTER = "_ZN9mindspore9MsContext16RegisterInitFuncERKSsPFvPS0_E"  # static MsContext::RegisterInitFunc
_HARMLESS = "_ZNK9mindspore9MsContext14enable_dump_irEv"  # a function of an MsContext without effect
_COLLECTIVES = ("AllReduce", "AllGather", "ReduceScatter", "Send", "Receive", "AlltoAll", "AllSwap")
_alive: list[Any] = []  # objects to which C++ keeps pointers


class _Devices:
    """Answers the frontend's questions about collectives: ranks and sizes of groups."""

    device_num = 1
    rank = 0

    @classmethod
    def get_rank_size(cls, group: str) -> int:
        """Returns the devices of a group; the frontend names its own "{size}-{hash}"."""
        return cls.device_num if group.endswith("_world_group") else int(group.split("-")[0])

    @classmethod
    def get_rank_id(cls, group: str) -> int:
        """Returns this device's number in a group."""
        return cls.rank if group.endswith("_world_group") else 0

    @staticmethod
    def create_group(group: str, size: int, ranks: Any) -> None:
        """Does nothing: no group is created."""


def be_device(rank: int, device_num: int) -> None:
    """Makes this process device `rank` of `device_num`, and clears the previous parallel settings."""
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    _Devices.rank, _Devices.device_num = rank, device_num
    _comm_helper.hccl, _comm_helper._HCCL_TEST_AVAILABLE = _Devices, True
    _comm_helper.GlobalComm.INITED = True
    ms.reset_auto_parallel_context()
    ms.set_auto_parallel_context(device_num=device_num, global_rank=rank)


def compile_frontend(network: ms.nn.Cell, *inputs: ms.Tensor) -> dict[str, Any]:
    """Compiles a network up to the choice of kernels.

    Returns:
        `layouts`: the slice and the full shape of each split parameter; `collectives`: the number of each operator.

    Raises:
        RuntimeError: A strategy is rejected, or the frontend raises another error. The reason may only be in the log on
            standard error.
    """
    phase = "train" if network.training else "predict"  # compiler passes depend on the name
    with _called("Ascend"):
        _cell_graph_executor.compile(network, *inputs, phase=phase)
    graph = _cell_graph_executor._get_func_graph_proto(network, network.compile_phase, "mind_ir")
    layouts = {name: (list(item[2]), list(item[6])) for name, item in network.parameter_layout_dict.items()}
    found = Counter({name: graph.count(f"REF::{name}".encode()) for name in _COLLECTIVES})
    return {"layouts": layouts, "collectives": {name: number for name, number in found.items() if number}}


@contextmanager
def _called(target: str) -> Iterator[None]:
    """Replaces the name of the device target for the duration of the context."""
    context = _c_expression.MSContext.get_instance()
    if not context.is_pkg_support_device(target):
        core = ctypes.CDLL(str(Path(ms.__file__).parent / "lib" / "libmindspore_core.so"))
        register = core[_REGISTER]
        register.restype, register.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p]
        register(_old_string(target), ctypes.cast(core[_HARMLESS], ctypes.c_void_p))
    context.set_param(_c_expression.ms_ctx_param.device_target, target)
    try:
        yield
    finally:
        context.set_param(_c_expression.ms_ctx_param.device_target, "CPU")


def _old_string(text: str) -> int:
    """Returns the address of a std::string as MindSpore is built with it (_GLIBCXX_USE_CXX11_ABI=0)."""
    raw = text.encode()

    class Header(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_size_t),
            ("capacity", ctypes.c_size_t),
            ("references", ctypes.c_int),
            ("padding", ctypes.c_int),
            ("data", ctypes.c_char * (len(raw) + 1)),
        ]

    header = Header(len(raw), len(raw), 1 << 20, 0, raw)  # enough references that it is never freed
    pointer = ctypes.c_void_p(ctypes.addressof(header) + Header.data.offset)
    _alive.extend((header, pointer))
    return ctypes.addressof(pointer)
