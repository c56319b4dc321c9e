"""Settings for all tests, made before MindSpore or MindFormers is imported."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["tests.support.tiers"]

# MindFormers otherwise creates ./output/log wherever the tests are started.
os.environ.setdefault("LOG_MF_PATH", tempfile.mkdtemp(prefix="scimind_test_log_"))
os.environ.setdefault("GLOG_v", "3")
# Tests run side by side, and threads that wait busily take the others' cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Neither are the user's compiled graphs.
os.environ.setdefault("SCIMIND_CACHE_DIR", tempfile.mkdtemp(prefix="scimind_test_cache_"))

# The longest first, begun while the other cores have something left to do: each file is one process's.
LONGEST = (
    *("integration/test_distributed.py", "integration/test_resume.py", "unit/generate/decoders/test_cached.py"),
    *("unit/generate/decoders/test_full.py", "unit/model/test_causal_lm.py", "integration/test_finetune.py"),
    *("parallel/test_strategies.py", "integration/test_tune.py", "parity/test_original_outputs.py"),
    *(
        "unit/model/cpu/test_gradients.py",
        "unit/evaluate/metrics/test_golden.py",
        "unit/evaluate/report/test_browser.py",
    ),
    *("unit/model/test_feed_forward.py", "unit/runtime/test_graph_cache.py", "unit/model/cpu/test_attention.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


def pytest_collection_finish() -> None:
    # MindSpore collects garbage whenever it compiles; what was imported is none, and takes long to look at.
    gc.freeze()
