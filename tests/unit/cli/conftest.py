"""What every command is tested with: a store of its own, in Spain, and the log as it was."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_store_and_logging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ASTDIALER_STORE_URL", f"sqlite://{tmp_path}/store.db")
    monkeypatch.setenv("ASTDIALER_ENGINE_DEFAULT_COUNTRY", "ES")
    monkeypatch.setenv("ASTDIALER_ENGINE_TIMEZONE", "UTC")
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
