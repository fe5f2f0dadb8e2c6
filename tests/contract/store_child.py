"""A process that works on a store without end and says a line for each commit, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from stores import FACTORIES, NOW, begin, person, request


async def main(folder: str, work: str) -> None:
    async with FACTORIES["sqlite"](Path(folder)).open() as store:
        demo = await store.campaign("demo")
        upload = await begin(store, demo) if work == "upload" else None
        for n in count():
            if upload:
                await store.add_contacts(upload, [person(1000 + n * 100 + i) for i in range(100)], NOW)
            else:
                assert await store.claim(request(demo, limit=5))
            print(n, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
