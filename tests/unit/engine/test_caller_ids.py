"""What called persons are shown: chosen once for each call."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import pytest
from engine_doubles import Rig, until

from astdialer.domain.caller_id import NAME_PARAM, NUMBER_PARAM
from astdialer.engine.callerids import CallerIds

pytest_plugins = ("engine_fixtures",)


async def shown(engine: Rig, *, params: Mapping[str, str] | None = None) -> str:
    """What the next contact would be shown."""
    number = 1 + len(engine.calls)
    (call,) = await engine.claim(number)
    call.contact = replace(call.contact, params=params or {})
    return engine.caller_ids.pick(call, engine.now_of(), engine.trunk)


async def test_nothing_set_is_nothing_shown(engine: Rig) -> None:
    assert await shown(engine) == ""


async def test_the_contacts_own_goes_before_the_trunks_before_the_campaigns(engine: Rig) -> None:
    await engine.set(caller_id="911")
    assert await shown(engine) == "911"
    await engine.add_trunk("carrier", caller_id="922")
    assert await shown(engine) == "922"
    own = {NUMBER_PARAM: "933", NAME_PARAM: "Shop"}
    assert await shown(engine, params=own) == "Shop <933>"


async def test_a_pools_numbers_take_turns_and_begin_again(engine: Rig) -> None:
    await engine.store.save_caller_id_pool("city", ["911", "922"])
    await engine.set(caller_id="pool:city")
    assert [await shown(engine) for _ in range(3)] == ["911", "922", "911"]


async def test_two_campaigns_with_one_pool_share_its_turns(engine: Rig) -> None:
    await engine.store.save_caller_id_pool("city", ["911", "922"])
    await engine.set(caller_id="pool:city")
    other = await engine.add_campaign("another", caller_id="pool:city")
    assert await shown(engine) == "911"
    (call,) = await engine.claim(50)
    assert engine.caller_ids.pick(call, other, engine.trunk) == "922"


async def test_a_pool_without_numbers_is_passed_over_and_logged(engine: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await engine.add_trunk("carrier", caller_id="pool:gone")
    await engine.set(caller_id="911")
    with caplog.at_level(logging.WARNING):
        assert await shown(engine) == "911"
    (record,) = [record for record in caplog.records if record.message == "caller_id.problem"]
    assert "gone does not exist" in vars(record)["why"]


async def test_chance_decides_between_several(engine: Rig) -> None:
    await engine.set(caller_id="911|922|933")
    (call,) = await engine.claim(1)
    chances = iter((0.0, 0.5, 0.99))
    caller_ids = CallerIds(engine.context, lambda: next(chances))
    assert [caller_ids.pick(call, engine.now_of(), engine.trunk) for _ in range(3)] == ["911", "922", "933"]


async def test_what_was_chosen_once_stays(engine: Rig) -> None:
    """An agent that is rung first has seen it already."""
    await engine.store.save_caller_id_pool("city", ["911", "922"])
    await engine.set(caller_id="pool:city")
    first, second = await engine.claim(1, 2)
    first.caller_id = engine.caller_ids.pick(first, engine.now_of(), engine.trunk)
    engine.placer.place(first, engine.trunk)
    await until(lambda: len(engine.telephony.placed) == 1)
    engine.placer.place(second, engine.trunk)
    await until(lambda: len(engine.telephony.placed) == 2)
    assert [order.caller_id for _, order in engine.telephony.placed] == ["911", "922"]
    assert [call.attempt.caller_id for call in (first, second)] == ["911", "922"]
