"""Settings for all tests, made before MindSpore or MindFormers is imported."""

from __future__ import annotations

import os
import tempfile

# MindFormers otherwise creates ./output/log wherever the tests are started.
os.environ.setdefault("LOG_MF_PATH", tempfile.mkdtemp(prefix="scimind_test_log_"))
os.environ.setdefault("GLOG_v", "3")
# Tests run side by side, and threads that wait busily take the others' cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Neither are the user's compiled graphs.
os.environ.setdefault("SCIMIND_CACHE_DIR", tempfile.mkdtemp(prefix="scimind_test_cache_"))
