"""Queues' figures and members' times in the live view; and what asking for them must not do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_doubles import NOON, Rig, member, rig

from astdialer.domain.agent import AgentStatus
from astdialer.domain.errors import Unavailable
from astdialer.domain.queue import QueueFigures
from astdialer.engine.queues import PERIOD_S, SOON_S, QueueWatch, Stays

SALES, CARE = (QueueFigures(server="default", queue=name, completed=3) for name in ("sales", "care"))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as opened:
        yield opened


@pytest.fixture
async def watch(made: Rig) -> AsyncIterator[QueueWatch]:
    found = QueueWatch(made.context)
    task = asyncio.create_task(found.run())
    yield found
    assert not task.done(), "nothing ends it"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_figures_are_asked_for_again_and_again(made: Rig, watch: QueueWatch) -> None:
    period_ms = int(PERIOD_S * 1000)
    made.telephony.figures = [SALES, CARE]
    await made.clock.advance(PERIOD_S + 0.1)
    assert (watch.figures(), watch.asked_at) == ([CARE, SALES], {"default": NOON + period_ms})
    made.telephony.figures = [SALES]
    await made.clock.advance(PERIOD_S)
    assert (watch.figures(), watch.asked_at["default"]) == ([SALES], NOON + 2 * period_ms)


@pytest.mark.parametrize("trouble", [Unavailable("no answer"), RuntimeError("nobody foresaw it"), TimeoutError()])
async def test_a_queue_that_can_not_be_asked_has_no_figures(made: Rig, watch: QueueWatch, trouble: Exception) -> None:
    made.telephony.figures = [SALES]
    await made.clock.advance(PERIOD_S + 0.1)
    assert watch.figures() == [SALES]
    made.telephony.figures = trouble
    await made.clock.advance(PERIOD_S)
    assert watch.figures() == []
    made.telephony.figures = [SALES]
    await made.clock.advance(PERIOD_S)
    assert watch.figures() == [SALES]


async def test_a_server_that_is_down_is_not_asked_and_is_as_soon_as_it_is_up(made: Rig, watch: QueueWatch) -> None:
    made.telephony.figures, made.telephony.up = [SALES], False
    await made.clock.advance(2 * PERIOD_S)
    assert watch.figures() == []
    made.telephony.up = True
    await made.clock.advance(SOON_S)
    assert watch.figures() == [SALES]


def test_how_long_a_member_has_been_as_it_is() -> None:
    stays, one = Stays(), member(AgentStatus.NOT_INUSE)
    assert [stays.since(one, status, at) for at, status in ((1, "idle"), (2, "idle"), (3, "busy"), (4, "busy"))] == [
        1,
        1,
        3,
        3,
    ]
    stays.forget_others([one])
    assert stays.since(one, "busy", 5) == 3
    stays.forget_others([])
    assert stays.since(one, "busy", 6) == 6
