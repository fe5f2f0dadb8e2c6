"""Campaigns that ring the agent first: by themselves, for a preview, for bound contacts, and by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dialing import calls_at_carrier, consistent, log_size, number, wait_for
from floor import (
    AGENT_FIRST,
    BUSY,
    DECLINES,
    PRESSES_1,
    PRESSES_2,
    QUEUE,
    RINGS_ON,
    STAYS,
    Floor,
    floor_on,
    pauses,
    phones,
)

from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(200)]

RESERVED, RESTS = "astdialer: reserved", "astdialer: rests"


@pytest.fixture
def floor(lab: Lab, tmp_path: Path) -> Iterator[Floor]:
    with floor_on(lab, tmp_path, STAYS, BUSY, DECLINES, RINGS_ON, PRESSES_1, PRESSES_2) as found:
        yield found


@pytest.fixture
def team(lab: Lab, tmp_path: Path) -> Iterator[Floor]:
    """Only the lab's own three agents are in the queue."""
    with floor_on(lab, tmp_path) as found:
        yield found


def _for(agent: str, **settings: str) -> dict[str, str]:
    return AGENT_FIRST | {"agents": agent} | settings


def _only(rows: list[dict[str, Any]], **wanted: object) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


# --- agent-first -----------------------------------------------------------------------------------------------------


def test_the_agent_is_rung_first_and_then_the_contact(floor: Floor) -> None:
    """Each campaign has one telephone: one that stays, one that hangs up, and those that are of no use."""
    talking = [number(8, 1), number(2, 1), number(3, 1)]
    floor.campaign("talks", talking, **_for(STAYS, originate_timeout_s="2", wrap_up_s="2"))
    floor.campaign("leaves", [number(3, 2), number(0, 2)], **_for("agent1", originate_timeout_s="20"))
    floor.campaign("busy", [number(0, 3)], **_for(BUSY, busy_delay_s="2"))
    floor.campaign("declines", [number(0, 4)], **_for(DECLINES, reject_delay_s="3"))
    alone = {"agent_call_timeout_s": "1", "no_answer_delay_s": "1", "max_no_answer": "2"}
    floor.campaign("silent", [number(0, 5)], **_for(RINGS_ON, **alone))
    at = log_size(floor.lab)
    floor.serve()
    floor.start("talks", "leaves", "busy", "declines", "silent")
    wait_for(lambda: pauses(floor.lab).get(STAYS) == RESERVED, "the queue is told that the agent is reserved", 10)
    wait_for(lambda: floor.agent(STAYS)["code"] == 9, "wrap-up after a talk that no queue knew of", 20, floor.tail)
    floor.wait_closed("talks", 3)
    _a_talk_and_two_that_came_to_nothing(floor, talking)
    floor.wait_closed("leaves", 2)
    _the_agent_left_while_it_rang(floor)
    floor.wait_closed("busy", 2)
    floor.wait_closed("declines", 2)
    _of_no_use(floor, "busy", "busy", 2)
    _of_no_use(floor, "declines", "rejected", 3)
    wait_for(lambda: "calls not answered" in pauses(floor.lab).get(RINGS_ON, ""), "who does not answer is paused", 20)
    _of_no_use(floor, "silent", "no answer", 1)
    assert pauses(floor.lab)[RINGS_ON] == "2 calls not answered"
    assert floor.agent(RINGS_ON)["pause_reason"] == "2 calls not answered"
    assert len(floor.closed("silent")) == 2
    called = set(calls_at_carrier(floor.lab, at))
    assert called == {*talking, number(3, 2), number(0, 2)}, "nobody is called whose agent is not there"
    for name in ("leaves", "busy", "declines", "silent"):
        floor.run("campaign", "stop", name, "--hang-up")
    wait_for(lambda: set(pauses(floor.lab)) <= {RINGS_ON}, "no pause of ours is left", 10, floor.tail)
    wait_for(lambda: floor.state("busy") == "stopped", "all stop", 20, floor.tail)
    consistent(floor)


def _a_talk_and_two_that_came_to_nothing(floor: Floor, numbers: list[str]) -> None:
    talk, busy, silent = floor.closed("talks")
    assert [row["number"] for row in (talk, busy, silent)] == numbers
    assert [row["disposition"] for row in (talk, busy, silent)] == ["answered", "busy", "no_answer"]
    assert {row["reserved_agent"] for row in (talk, busy, silent)} == {f"PJSIP/{STAYS}"}
    assert (talk["agent"], talk["hung_up_by"], busy["agent"]) == (f"PJSIP/{STAYS}", "contact", "")
    assert talk["dialed_at"] - talk["created_at"] > 400, "the agent's telephone rang first"
    assert busy["created_at"] - talk["gone_at"] >= 2000, "wrap-up after the talk"
    assert silent["created_at"] - busy["gone_at"] < 2500, "and none after a call that came to nothing"
    wait_for(lambda: floor.rows("SELECT state FROM recordings") == [{"state": "done"}], "it is recorded", 20)
    wait_for(lambda: phones(floor.lab)[STAYS] == 0, "the agent is let go", 3)


def _the_agent_left_while_it_rang(floor: Floor) -> None:
    """agent1 hangs up some five seconds after its answer."""
    ringing, talk = floor.closed("leaves")[:2]
    assert (ringing["disposition"], ringing["hung_up_by"]) == ("canceled", "engine")
    assert ringing["ringing_at"]
    assert ringing["gone_at"] - ringing["ringing_at"] < 12_000
    assert (talk["disposition"], talk["agent"], talk["hung_up_by"]) == ("answered", "PJSIP/agent1", "agent")
    assert talk["talk_s"] > 1
    left = floor.contacts("leaves")[0]
    assert (left["tries"], left["state"], left["end_reason"]) == (0, "waiting", ""), "it costs the contact nothing"


def _of_no_use(floor: Floor, campaign: str, how: str, rest_s: int) -> None:
    rows, [contact] = floor.closed(campaign), floor.contacts(campaign)
    assert {row["refusal"].rpartition(": ")[2] for row in rows} == {how}
    assert {(row["dialed_at"], row["disposition"]) for row in rows} == {(None, "failed")}
    assert {row["uncounted"] for row in rows} == {1}
    assert contact["tries"] == 0
    assert contact["state"] in ("waiting", "ready", "in_call")
    rests = [(b["created_at"] - a["gone_at"]) / 1000 for a, b in pairwise(rows)]
    assert all(rest_s <= rest < rest_s + 2.5 for rest in rests), rests


def test_one_call_for_each_agent_whoever_dials(team: Floor) -> None:
    """A progressive campaign uses the same queue: no telephone has two calls, and no pause stays behind."""
    settings = {"queue": QUEUE, "wrap_up_s": "1"}
    team.campaign("first", [number(0, n) for n in range(10, 14)], mode="agent-first", **settings)
    team.campaign("beside", [number(0, n) for n in range(20, 24)], mode="progressive", **settings)
    team.serve()
    team.start("first", "beside")
    seen: set[str] = set()
    end = time.monotonic() + 90
    while {team.state("first"), team.state("beside")} != {"finished"}:
        assert max(phones(team.lab).values(), default=0) <= 1, "one call at a time for each telephone"
        seen |= set(pauses(team.lab).values())
        assert time.monotonic() < end, team.tail()
        time.sleep(0.1)
    assert RESERVED in seen
    wait_for(lambda: pauses(team.lab) == {}, "no pause is left", 10, team.tail)
    consistent(team)
    rows = team.closed("first") + team.closed("beside")
    assert {row["disposition"] for row in rows} <= {"answered"}, team.ends()
    for agent in ("agent1", "agent2", "agent3"):
        spans = sorted((row["connected_at"], row["gone_at"]) for row in _only(rows, agent=f"PJSIP/{agent}"))
        assert all(ended <= began for (_, ended), (began, _) in pairwise(spans)), "one talk after the other"
    assert len({row["agent"] for row in rows}) == 3
