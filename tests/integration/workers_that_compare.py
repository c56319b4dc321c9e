"""The program of the two workers in `test_workers_exchange_values`; msrun starts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore.communication import get_group_size, get_rank, init

from scimind.errors import SciMindError
from scimind.train.workers.workers import Workers, weights_checksum


def main() -> None:
    ms.set_context(mode=0, device_target="CPU")
    init()
    workers = Workers(get_rank(), get_group_size())
    seen: dict[str, object] = {
        "gathered": workers.gather([np.pi * (workers.rank + 1), 2.0**53 - workers.rank]).tolist(),
        "total": workers.total([0.1, workers.rank]),
        "largest": workers.largest(15 if workers.rank == 1 else 0),
    }
    network = ms.nn.Dense(3, 2, weight_init="ones", has_bias=False)
    workers.check_same("weights", weights_checksum(network))
    if workers.rank == 1:  # the smallest change that float32 can represent
        changed = network.weight.asnumpy()
        changed[0, 0] = np.nextafter(changed[0, 0], np.float32(2))
        network.weight.set_data(ms.Tensor(changed))
    try:
        workers.check_same("weights", weights_checksum(network))
    except SciMindError as error:
        seen["error"] = str(error)
    workers.wait()
    (Path(sys.argv[1]) / f"{workers.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
