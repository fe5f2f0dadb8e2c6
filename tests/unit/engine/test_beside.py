"""What runs beside the engine: begun anew when it fails, and told of."""

import asyncio
from functools import partial

import pytest
from use_case_hands import Clock

from astdialer.engine import beside
from astdialer.engine.beside import Beside


async def ever() -> None:
    await asyncio.Event().wait()


async def turns(n: int = 10) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def test_what_runs_is_well() -> None:
    kept = Beside(Clock())
    kept.start("a", ever)
    kept.start("b", ever)
    await turns()
    assert kept.states() == {"a": "ok", "b": "ok"}
    await kept.stop()


async def test_what_fails_is_begun_anew_and_told_of_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock, begun = Clock(), 0

    async def failing() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError("a fault")
        await ever()

    kept = Beside(clock)
    kept.start("a", failing)
    kept.start("b", ever)
    began = clock.at
    await turns()
    assert begun == 3
    assert clock.at - began == 2 * beside.PAUSE_S * 1000, (
        "after a pause: a fault that lasts must not use the processor up"
    )
    assert kept.states() == {"a": "failed and was begun anew: ValueError", "b": "ok"}
    clock.at += int(beside.TOLD_S * 1000)
    assert kept.states() == {"a": "ok", "b": "ok"}
    assert [record.message for record in caplog.records] == ["beside.failed"] * 2
    await kept.stop()


async def test_what_ends_by_itself_is_begun_anew_too() -> None:
    begun = []

    async def ending() -> None:
        begun.append(1)
        if len(begun) > 1:
            await ever()

    kept = Beside(Clock())
    kept.start("a", ending)
    await turns()
    assert len(begun) == 2
    assert kept.states() == {"a": "failed and was begun anew: it ended by itself"}
    await kept.stop()


async def test_a_clock_that_goes_back_tells_of_no_failure_for_ever() -> None:
    clock = Clock()
    begun = []

    async def failing() -> None:
        begun.append(1)
        if len(begun) == 1:
            raise ValueError
        await ever()

    kept = Beside(clock)
    kept.start("a", failing)
    await turns()
    clock.at -= 86_400_000
    assert kept.states() == {"a": "ok"}
    await kept.stop()


async def test_at_the_end_the_last_one_ends_first_and_each_is_let_finish() -> None:
    ended = []

    async def work(name: str) -> None:
        try:
            await ever()
        finally:
            await asyncio.sleep(0.01)
            ended.append(name)

    kept = Beside(Clock())
    for name in ("store", "server"):
        kept.start(name, partial(work, name))
    await turns()
    await kept.stop()
    assert ended == ["server", "store"]
