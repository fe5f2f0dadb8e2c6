"""A process that loads what waits in a store, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from astdialer.clock import SystemClock
from astdialer.config import Engine
from astdialer.engine.uploads import UploadRunner
from astdialer.store import open_store
from astdialer.upload.spool import spool_loader


async def main(path: str) -> None:
    clock = SystemClock()
    async with open_store(Path(path), clock) as store:
        await UploadRunner(store, clock, spool_loader(store, clock, Engine(default_country="ES"))).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
