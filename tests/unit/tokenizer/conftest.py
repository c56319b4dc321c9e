from __future__ import annotations

import pytest

from scimind.tokenizer import TokenCodec


@pytest.fixture(scope="session")
def codec() -> TokenCodec:
    return TokenCodec()
