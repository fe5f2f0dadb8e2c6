"""A fresh engine in parts for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_doubles import Rig, rig


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as parts:
        yield parts
