"""The bookkeeper: whatever becomes known is written, whatever is over is closed once."""

import asyncio

import pytest
from engine_doubles import NOON, Rig, until

from astdialer.domain import events as ev
from astdialer.domain.attempt import State
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Unavailable
from astdialer.engine.bookkeeper import GATHER_S, STORE_RETRY_S, local_date
from astdialer.engine.calls import Call

pytest_plugins = ("engine_fixtures",)


def end(engine: Rig, call: Call, cause: int = 17) -> None:
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.HungUp, cause=cause)
    engine.tell(call, ev.OriginateEnded, success=False, reason=0)


async def dispositions(engine: Rig) -> dict[str, int]:
    return dict((await engine.store.counts(engine.campaign.id)).dispositions)


async def test_what_becomes_known_is_written(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.Ringing)
    await engine.bookkeeper.flush()
    (found,) = await engine.store.open_attempts()
    assert found.attempt == call.attempt
    assert found.attempt.state is State.RINGING
    assert engine.calls.unsaved() == []


async def test_a_fact_that_arrives_during_a_write_is_written_by_the_next(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    engine.store.before_save = lambda: engine.tell(call, ev.Ringing)
    await engine.bookkeeper.flush()
    assert engine.calls.unsaved() == [call]
    engine.store.before_save = None
    await engine.bookkeeper.flush()
    assert [claim.attempt for claim in await engine.store.open_attempts()] == [call.attempt]


async def test_a_call_that_is_over_is_closed_with_all_that_belongs_to_it(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    end(engine, call)
    await engine.bookkeeper.flush()
    assert len(engine.calls) == 0
    assert await engine.store.open_attempts() == []
    (closing,) = engine.closed
    assert (closing.disposition, closing.recording) == (Disposition.BUSY, None)
    assert closing.contact.next_at == NOON + 300_000
    (row,) = [row async for row in engine.store.cdrs({}, None)]
    assert (row["campaign"], row["dialerbase"], row["disposition"], row["queue"]) == ("demo", "b", "busy", "sales")


@pytest.mark.parametrize("record", [True, False])
async def test_an_answered_call_leaves_a_recording_to_convert(engine: Rig, record: bool) -> None:
    await engine.set(record=record)
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Answered)
    end(engine, call, 16)
    await engine.bookkeeper.flush()
    due = await engine.store.due_recordings(NOON, 10)
    assert [(r.attempt_id, r.date) for r in due] == ([(call.attempt.id, "20260922")] if record else [])


async def test_a_store_that_fails_and_recovers_loses_nothing(engine: Rig) -> None:
    over, live = await engine.claim(1, 2)
    end(engine, over)
    engine.tell(live, ev.Sent)
    engine.store.fails = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await engine.bookkeeper.flush()
    engine.tell(live, ev.Ringing)
    assert engine.closed == []
    assert len(engine.calls) == 2
    engine.store.fails = False
    await engine.bookkeeper.flush()
    assert [closing.attempt.id for closing in engine.closed] == [over.attempt.id]
    assert [claim.attempt for claim in await engine.store.open_attempts()] == [live.attempt]
    assert await dispositions(engine) == {"busy": 1}


async def test_closing_twice_after_a_lost_answer_counts_once(engine: Rig) -> None:
    """The first close was committed, but its caller never heard of it."""
    (call,) = await engine.claim(1)
    end(engine, call)
    await engine.store.close([engine.bookkeeper._closing(call)])
    await engine.bookkeeper.flush()
    assert len(engine.calls) == 0
    assert await dispositions(engine) == {"busy": 1}


async def test_it_goes_on_writing_after_the_store_failed(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    end(engine, call)
    engine.store.fails = True
    task = asyncio.create_task(engine.bookkeeper.run())
    await engine.clock.advance(GATHER_S)
    engine.store.fails = False
    await engine.clock.advance(STORE_RETRY_S / 2)
    assert engine.closed == []
    await engine.clock.advance(STORE_RETRY_S / 2 + GATHER_S)
    await until(lambda: len(engine.closed) == 1)
    task.cancel()


async def test_a_refusal_that_was_not_the_contacts_fault_costs_no_try(engine: Rig) -> None:
    ours, theirs = await engine.claim(1, 2)
    engine.tell(ours, ev.Refused, message="no such context", counted=False)
    engine.tell(theirs, ev.Refused, message="a bad name", counted=True)
    await engine.bookkeeper.flush()
    assert [(c.disposition, dict(c.contact.numbers[0].tally)) for c in engine.closed] == [
        (Disposition.FAILED, {}),
        (Disposition.FAILED, {"failed": 1}),
    ]


def test_a_recordings_date_is_the_local_one() -> None:
    assert local_date(NOON, "Pacific/Auckland") == "20260923"
    assert local_date(NOON, "America/Lima") == "20260922"


async def test_a_trunk_is_not_blamed_twice_for_one_call_while_the_store_fails(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.OriginateEnded, success=False, reason=0)
    await engine.clock.advance(3)
    engine.store.fails = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            await engine.bookkeeper.flush()
    engine.store.fails = False
    await engine.bookkeeper.flush()
    assert engine.trouble is None
    assert [dict(closing.contact.numbers[0].tally) for closing in engine.closed] == [{"failed": 1}]
