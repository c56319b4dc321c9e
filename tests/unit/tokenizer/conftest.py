from __future__ import annotations

import os
import tempfile

import pytest

from scimind.tokenizer import TokenCodec

# MindFormers otherwise creates ./output/log wherever the tests are started.
os.environ.setdefault("LOG_MF_PATH", tempfile.mkdtemp(prefix="scimind_test_log_"))


@pytest.fixture(scope="session")
def codec() -> TokenCodec:
    return TokenCodec()
