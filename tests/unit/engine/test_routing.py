"""Which way a call leaves: routes and their destinations in order, and only where there is room."""

import logging
from collections.abc import Mapping

import pytest
from engine_doubles import NOON, Rig, phone

from astdialer.domain import events as ev
from astdialer.domain import route as patterns
from astdialer.domain.cause import Cause
from astdialer.domain.contact import ContactState, Number, NumberType
from astdialer.domain.limit import Limit
from astdialer.domain.route import Destination, Lookup, Problem, Route
from astdialer.domain.selection import NO_OPEN_ROUTE_MS, NoOpenRoute, NoRoute, Why
from astdialer.domain.settings import Mode
from astdialer.engine import routing
from astdialer.engine.trouble import NO_CHANNEL_STREAK, REFUSED_PAUSE_S

pytest_plugins = ("engine_fixtures",)


def number(text: str = "+34600000001") -> Number:
    return Number(id=1, number=text, as_uploaded=text, type=NumberType.MOBILE, position=0)


def ways(engine: Rig, text: str = "+34600000001") -> list[tuple[str, str, str]]:
    return [(way.route, way.trunk, way.digits) for way in engine.router.ways(engine.now_of(), number(text))]


def finds(engine: Rig, times: int = 1, queued: Mapping[str, int] | None = None) -> list[str]:
    """The trunks that one claim finds for so many numbers; empty: none is free."""
    find = engine.router.finder(engine.now_of(), queued or {})
    found = [find(number()) for _ in range(times)]
    return [way.trunk if way else "" for way in found]


async def routed(engine: Rig, *destinations: str, **trunk: object) -> None:
    """A broadcast by one route to these destinations; their trunks have one line each."""
    for each in destinations:
        await engine.add_trunk(each.partition("@")[0], **{"max_calls": 1, **trunk})
    await engine.add_route("out", ".*", *destinations)
    await engine.set(mode=Mode.BROADCAST, sound="hello", routes="out")


def fails(engine: Rig, trunk: str) -> None:
    """The trunk makes no channel, as often as it takes to rest."""
    for n in range(NO_CHANNEL_STREAK):
        engine.context.trouble._failed(trunk, f"no channel {n} on {{}}", engine.clock.now())


# --- ways ------------------------------------------------------------------------------------------------------------


async def test_without_routes_there_is_the_trunk_and_the_number_as_it_is(engine: Rig) -> None:
    assert ways(engine) == [("", "carrier", "")]


async def test_routes_and_their_destinations_are_tried_in_order(engine: Rig) -> None:
    await engine.add_route("mobile", r"^346(\d+)$", "b=0$1@2", "a=9$1@1")
    await engine.add_route("all", ".*", "carrier")
    await engine.set(routes="mobile,all")
    assert ways(engine) == [
        ("mobile", "a", "900000001"),
        ("mobile", "b", "000000001"),
        ("all", "carrier", "34600000001"),
    ]
    await engine.set(routes="all,mobile")
    assert [route for route, _, _ in ways(engine)] == ["all", "mobile", "mobile"]


async def test_a_number_takes_only_the_routes_that_match_it(engine: Rig) -> None:
    await engine.add_route("spain", "^34", "a")
    await engine.add_route("britain", "^44", "b")
    await engine.set(routes="spain,britain")
    assert [route for route, _, _ in ways(engine, "+442071234567")] == ["britain"]


async def test_a_disabled_route_is_no_way(engine: Rig) -> None:
    await engine.add_route("off", ".*", "a", enabled=False)
    await engine.add_route("on", ".*", "b")
    await engine.set(routes="off,on")
    assert [route for route, _, _ in ways(engine)] == ["on"]


async def test_a_number_without_a_route_is_not_dialed_and_says_so(engine: Rig) -> None:
    await engine.add_route("britain", "^44", "carrier")
    await engine.set(mode=Mode.BROADCAST, sound="hello", routes="britain")
    with pytest.raises(NoRoute):
        ways(engine)
    await engine.people(1)
    await engine.turn()
    (contact,) = await engine.store.contacts_with(phone(1), None, open_only=False)
    assert (contact.state, contact.end_cause) == (ContactState.DONE, Cause.NO_ROUTE)
    assert len(engine.calls) == 0


async def test_a_slow_pattern_is_logged_and_no_way(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.set(routes="out")
    slow = Lookup((), (Problem("out", "the pattern takes too long"),))
    monkeypatch.setattr(routing, "look_up", lambda routes, text: slow)
    with caplog.at_level(logging.WARNING), pytest.raises(NoOpenRoute):
        ways(engine)
    (record,) = caplog.records
    assert (record.message, vars(record)["route"]) == ("route.problem", "out")
    assert vars(record)["why"] == "the pattern takes too long"


async def disabled(engine: Rig, *, route: bool) -> None:
    """Spain's route, or its only destination, is disabled; Britain's is not."""
    to = Destination("carrier", enabled=route)
    await engine.store.save_route(Route("spain", "^34", (to,), enabled=not route))
    await engine.add_route("britain", "^44", "carrier")
    await engine.set(mode=Mode.BROADCAST, sound="hello", routes="spain,britain")


@pytest.mark.parametrize("route", [True, False], ids=["route", "destination"])
async def test_who_has_a_disabled_route_only_is_put_off_and_called_when_it_is_enabled(engine: Rig, route: bool) -> None:
    await disabled(engine, route=route)
    await engine.people(1)
    await engine.turn()
    (contact,) = await engine.store.contacts_with(phone(1), None)
    assert (contact.state, contact.next_at) == (ContactState.WAITING, NOON + NO_OPEN_ROUTE_MS)
    assert [row["why"] for row in await engine.store.put_off(engine.campaign.id)] == [Why.NO_OPEN_ROUTE]
    await engine.add_route("spain", "^34", "carrier")
    await engine.sweeps.look()
    await engine.turn()
    assert [call.attempt.number for call in engine.calls] == [phone(1)]


async def test_who_has_a_disabled_route_only_is_looked_at_again_by_itself(engine: Rig) -> None:
    await disabled(engine, route=True)
    await engine.people(1)
    await engine.turn()
    engine.clock.at = NOON + NO_OPEN_ROUTE_MS
    await engine.turn()
    (contact,) = await engine.store.contacts_with(phone(1), None)
    assert contact.next_at == NOON + 2 * NO_OPEN_ROUTE_MS


async def test_a_pattern_that_took_too_long_once_ends_nobody(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(pattern: str, digits: str) -> None:
        raise TimeoutError

    await routed(engine, "a")
    await engine.people(1)
    with monkeypatch.context() as slow:
        slow.setattr(patterns, "_find", too_slow)
        await engine.turn()
    assert not len(engine.calls)
    engine.clock.at = NOON + NO_OPEN_ROUTE_MS
    await engine.turn()
    assert [call.attempt.number for call in engine.calls] == [phone(1)]


# --- room ------------------------------------------------------------------------------------------------------------


async def test_a_full_destination_leaves_the_call_to_the_next(engine: Rig) -> None:
    await routed(engine, "a", "b")
    await engine.people(1, 2, 3)
    await engine.turn()
    assert sorted(call.attempt.trunk for call in engine.calls) == ["a", "b"]
    (third,) = await engine.store.contacts_with(phone(3), None)
    assert third.state is ContactState.READY


async def test_one_claim_counts_what_it_has_given_away(engine: Rig) -> None:
    await routed(engine, "a", "b", max_calls=2)
    assert finds(engine, 5) == ["a", "a", "b", "b", ""]


async def test_a_trunks_own_pace_is_room_too(engine: Rig) -> None:
    await routed(engine, "a", "b", max_calls=9, calls_per_second=4)
    assert finds(engine, 5) == ["a", "a", "b", "b", ""]
    assert finds(engine, 3, {"a": 2}) == ["b", "b", ""]


async def test_calls_of_other_campaigns_fill_a_trunk_as_well(engine: Rig) -> None:
    await engine.claim(1)
    await routed(engine, "carrier", "b")
    assert finds(engine) == ["b"]


async def test_a_disabled_trunk_is_left_out(engine: Rig) -> None:
    await routed(engine, "a", "b")
    await engine.add_trunk("a", enabled=False)
    assert finds(engine) == ["b"]


async def test_trunks_of_another_server_are_left_out(engine: Rig) -> None:
    """The agents are on one Asterisk: that of the first destination."""
    await routed(engine, "a", "b")
    await engine.add_trunk("b", server="two")
    assert [trunk.name for trunk in engine.router.usable(engine.now_of())] == ["a"]
    assert finds(engine, 2) == ["a", ""]


async def test_a_resting_trunk_is_skipped(engine: Rig) -> None:
    await routed(engine, "a", "b")
    fails(engine, "a")
    assert [trunk.name for trunk in engine.router.usable(engine.now_of())] == ["a", "b"]
    assert [trunk.name for trunk in engine.router.rested(engine.now_of())] == ["b"]
    assert finds(engine) == ["b"]


async def test_when_every_trunk_rests_the_campaign_says_until_when(engine: Rig) -> None:
    await routed(engine, "a", "b")
    await engine.people(1)
    fails(engine, "a")
    engine.clock.at = NOON + 5_000
    fails(engine, "b")
    await engine.turn()
    standing = engine.dialer.standings[engine.campaign.id]
    assert (standing.limit, standing.until) == (Limit.REFUSED, NOON + int(REFUSED_PAUSE_S * 1000))
    assert "no channel 2 on a" in standing.detail


async def test_after_its_rest_a_trunk_gets_one_call_until_that_has_rung(engine: Rig) -> None:
    await routed(engine, "a", max_calls=5)
    await engine.people(1, 2, 3)
    fails(engine, "a")
    engine.clock.at = NOON + int(REFUSED_PAUSE_S * 1000)
    for _ in range(2):
        await engine.turn()
        assert len(engine.calls) == 1
    (first,) = engine.calls
    engine.tell(first, ev.ChannelCreated, channel="PJSIP/a-1")
    assert finds(engine) == [""]
    engine.tell(first, ev.Ringing)
    assert finds(engine, 2) == ["a", ""]


async def test_after_a_good_call_a_trunk_has_all_its_lines_again(engine: Rig) -> None:
    await routed(engine, "a", max_calls=3)
    await engine.people(1)
    fails(engine, "a")
    engine.clock.at = NOON + int(REFUSED_PAUSE_S * 1000)
    await engine.turn()
    (call,) = engine.calls
    engine.tell(call, ev.ChannelCreated, channel="PJSIP/a-1")
    engine.tell(call, ev.Ringing)
    engine.tell(call, ev.HungUp, cause=17)
    engine.tell(call, ev.OriginateEnded, success=False, reason=5)
    await engine.bookkeeper.flush()
    assert finds(engine, 4) == ["a", "a", "a", ""]


async def test_what_the_route_made_of_the_number_is_dialed(engine: Rig) -> None:
    await engine.add_route("out", r"^34(\d+)$", "carrier=00$1")
    await engine.set(mode=Mode.BROADCAST, sound="hello", routes="out")
    await engine.people(1)
    await engine.turn()
    (call,) = engine.calls
    assert call.attempt.dialed_as == "00600000001"
    assert [order.channel for _, order in engine.telephony.placed] == ["PJSIP/00600000001@c"]


async def test_a_limit_that_was_lowered_takes_no_room_from_other_trunks(engine: Rig) -> None:
    await engine.claim(1, 2, 3)
    await routed(engine, "carrier", "b")
    await engine.people(4)
    await engine.dialer._turn()
    assert [call.attempt.trunk for call in engine.calls][3:] == ["b"]
