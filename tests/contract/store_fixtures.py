"""A fresh database of each kind of store for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores import FACTORIES, NOW, FreshDatabase

from astdialer.domain.campaign import Campaign
from astdialer.domain.settings import Settings
from astdialer.ports import Store


@pytest.fixture(params=FACTORIES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> FreshDatabase:
    made: FreshDatabase = FACTORIES[request.param](tmp_path)
    return made


@pytest.fixture
async def store(database: FreshDatabase) -> AsyncIterator[Store]:
    async with database.open() as opened:
        yield opened


@pytest.fixture
async def demo(store: Store) -> Campaign:
    return await store.create_campaign("demo", Settings(), NOW)
