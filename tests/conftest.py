"""Settings for all tests, made before MindSpore or MindFormers is imported."""

from __future__ import annotations

import os
import tempfile

# MindFormers otherwise creates ./output/log wherever the tests are started.
os.environ.setdefault("LOG_MF_PATH", tempfile.mkdtemp(prefix="scimind_test_log_"))
os.environ.setdefault("GLOG_v", "3")
# Neither are the user's compiled graphs.
os.environ.setdefault("SCIMIND_CACHE_DIR", tempfile.mkdtemp(prefix="scimind_test_cache_"))
