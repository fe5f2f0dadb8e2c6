"""Campaigns that ring the agent first: by themselves, for a preview, for bound contacts, and by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
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
    members_of,
    pauses,
    phones,
    talks,
)
from test_recovery import Wire

from astdialer import lab as laboratory
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
    team.campaign("first", [number(0, n) for n in range(10, 13)], mode="agent-first", **settings)
    team.campaign("beside", [number(0, n) for n in range(20, 23)], mode="progressive", **settings)
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


# --- preview ---------------------------------------------------------------------------------------------------------


def test_a_preview_is_decided_on_the_telephone_or_by_command(floor: Floor) -> None:
    looks = {"mode": "preview", "preview_skip_delay_s": "2", "preview_s": "5", "wrap_up_s": "0"}
    floor.campaign("pressed", [number(8, 31)], **_for(PRESSES_1, **looks))
    floor.campaign("skipped", [number(8, 32)], **_for(PRESSES_2, **looks))
    floor.campaign("asked", [number(8, 33), number(8, 34)], **_for(STAYS, **looks))
    at = log_size(floor.lab)
    floor.serve()
    floor.start("pressed", "skipped", "asked")
    offer = _offer(floor, STAYS)
    assert (offer["campaign"], offer["number"], offer["answer"]) == ("asked", number(8, 33), "")
    wait_for(lambda: phones(floor.lab)[STAYS] == 1, "the agent looks at it", 10)
    assert floor.of("asked")[0]["dialed_at"] is None
    assert f"{number(8, 33)} is called" in floor.run("agent", "accept", STAYS).stderr
    assert floor.run("agent", "skip", STAYS, check=False).returncode == 1, "it has been answered"
    floor.wait_closed("asked", 1)
    assert _offer(floor, STAYS)["number"] == number(8, 34)
    floor.run("agent", "skip", STAYS)
    floor.wait_closed("asked", 2)
    _offer(floor, STAYS)
    floor.wait_closed("asked", 3)
    talk, skipped, silence = floor.closed("asked")
    assert (talk["disposition"], talk["agent"]) == ("answered", f"PJSIP/{STAYS}")
    assert (skipped["refusal"], skipped["dialed_at"]) == (f"skipped by PJSIP/{STAYS}", None)
    assert silence["refusal"].endswith("no answer")
    assert 5000 <= silence["gone_at"] - silence["created_at"] < 7500, "the agent thought too long"
    assert silence["created_at"] - skipped["gone_at"] >= 2000
    [pressed] = floor.wait_closed("pressed", 1)
    assert (pressed["disposition"], pressed["agent"]) == ("answered", f"PJSIP/{PRESSES_1}")
    assert floor.state("pressed") == "finished"
    first, second = floor.wait_closed("skipped", 2)[:2]
    assert {row["refusal"] for row in (first, second)} == {f"skipped by PJSIP/{PRESSES_2}"}
    assert second["created_at"] - first["gone_at"] >= 2000
    assert [row["tries"] for row in (*floor.contacts("skipped"), floor.contacts("asked")[1])] == [0, 0]
    assert set(calls_at_carrier(floor.lab, at)) == {number(8, 31), number(8, 33)}
    for name in ("skipped", "asked"):
        floor.run("campaign", "stop", name, "--hang-up")
    wait_for(lambda: {floor.state("skipped"), floor.state("asked")} == {"stopped"}, "both stop", 20, floor.tail)
    assert floor.ask("agent", "offers") == [], "nobody is asked any more"
    consistent(floor)


def _offer(floor: Floor, agent: str) -> dict[str, Any]:
    """What the agent is asked about, once it is."""
    found: list[dict[str, Any]] = []

    def is_asked() -> bool:
        found[:] = [row for row in floor.ask("agent", "offers") if row["agent"] == f"PJSIP/{agent}"]
        return bool(found)

    wait_for(is_asked, f"{agent} is asked", 15, floor.tail)
    return found[0]


# --- bound contacts --------------------------------------------------------------------------------------------------


def test_contacts_that_only_some_agents_may_have(team: Floor) -> None:
    """A progressive campaign: agent1's own contact, one of a bucket of agent2, one for agent 90, who is not there."""
    header = "number;agentphone;bucket"
    rows = [f"{number(0, 41)};;", f"{number(0, 42)};agent1;", f"{number(0, 43)};;gold", f"{number(8, 44)};{STAYS};"]
    team.rules("mixed", mode="progressive", queue=QUEUE, wrap_up_s="1")
    base = team.directory / "bound.csv"
    base.write_text("\n".join([header, *rows]) + "\n")
    team.run("upload", str(base), "--campaign", "mixed")
    team.run("agent", "set", "agent2", "--bucket", "gold")
    team.serve()
    team.start("mixed")
    team.wait_closed("mixed", 3)
    by_number = {row["number"]: row for row in team.closed("mixed")}
    assert {row["disposition"] for row in by_number.values()} == {"answered"}
    own, gold, free = by_number[number(0, 42)], by_number[number(0, 43)], by_number[number(0, 41)]
    assert (own["reserved_agent"], own["agent"]) == ("PJSIP/agent1", "PJSIP/agent1")
    assert (gold["reserved_agent"], gold["agent"]) == ("PJSIP/agent2", "PJSIP/agent2")
    assert (free["reserved_agent"], free["action"]) == ("", "queue")
    assert own["dialed_at"] - own["created_at"] > 400, "the agent's telephone rang first"
    waiting = team.contacts("mixed")[3]
    assert (waiting["state"], waiting["tries"]) == ("ready", 0)
    said = team.ask("contact", "explain", str(waiting["id"]))
    assert said["only"] == f"@{STAYS}"
    assert f"only @{STAYS} may have the call" in said["verdict"]
    with members_of(team.lab, STAYS):
        team.wait_closed("mixed", 4)
        wait_for(lambda: team.state("mixed") == "finished", "the campaign finishes", 20, team.tail)
    assert team.closed("mixed")[3]["agent"] == f"PJSIP/{STAYS}"
    consistent(team)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_call_by_hand(team: Floor) -> None:
    hours = time.strftime("%H:00-%H:59", time.gmtime(time.time() + 7200))
    team.rules("open", **AGENT_FIRST, wrap_up_s="0")
    team.rules("shut", **AGENT_FIRST, calling_hours=hours)
    words = ("agent", "call", "agent1", number(0, 51), "--campaign", "open", "--data", "order=A 7")
    at, began = log_size(team.lab), time.monotonic()
    refused = team.run(*words, check=False)
    assert (refused.returncode, "is it running?" in refused.stderr) == (69, True)
    assert time.monotonic() - began < 5
    team.serve()
    team.wait_free("agent1", "agent2")
    assert calls_at_carrier(team.lab, at) == {}, "what nobody was there for is not done later"
    guid = team.run(*words).stdout.strip()
    again = team.run(*words, check=False)
    assert (again.returncode, "is on a call" in again.stderr) == (1, True)
    wait_for(lambda: team.of("open")[0]["state"] == "connected", "they talk", 15, team.tail)
    assert "CONTACT_order=A 7" in talks(team.lab)["agent1"]
    live = team.run("agent", "call", "agent2", number(0, 51), "--campaign", "open", check=False)
    assert "it waits for a live call to the same number" in live.stderr
    team.run("agent", "hangup", "agent1")
    [talk] = team.wait_closed("open", 1)
    assert (talk["id"], talk["agent"], talk["disposition"]) == (guid, "PJSIP/agent1", "answered")
    assert (talk["hung_up_by"], talk["manual"]) == ("agent", 1)
    _refused_in_words(team)
    _promised_and_by_a_context(team)
    wait_for(lambda: team.closed("shut") and not phones(team.lab), "all is quiet", 20, team.tail)
    assert {row["state"] for row in team.contacts("open") + team.contacts("shut")} == {"done"}
    only = {"agent3": "lunch"}
    wait_for(lambda: pauses(team.lab) == only, "an agent's own pause stays, and none of ours", 10, team.tail)
    consistent(team)


def _refused_in_words(team: Floor) -> None:
    team.run("blacklist", "add", number(0, 52))
    for words, said in (
        ((number(0, 52), "--campaign", "open"), "it is blacklisted"),
        ((number(0, 53), "--campaign", "shut"), "it waits for calling hours until 20"),
        ((number(0, 53), "--campaign", "nowhere"), "no campaign 'nowhere'"),
    ):
        refused = team.run("agent", "call", "agent2", *words, check=False)
        assert refused.returncode == 1
        assert said in refused.stderr
    stranger = team.run("agent", "call", "agent9", number(0, 53), "--campaign", "open", check=False)
    assert "no agent 'agent9'" in stranger.stderr


def _promised_and_by_a_context(team: Floor) -> None:
    """Out of hours because it was promised; and by the PBX's own dialplan, for an agent at lunch."""
    team.run("agent", "pause", "agent3", "--reason", "lunch")
    team.run("agent", "call", "agent2", number(8, 54), "--campaign", "shut", "--promised")
    guid = team.run("agent", "call", "agent3", number(8, 55), "--campaign", "open", "--context", "from-internal").stdout
    wait_for(lambda: len(team.closed("open")) == 2 and team.closed("shut"), "both end", 20, team.tail)
    local = team.closed("open")[1]
    assert (local["id"], local["disposition"]) == (guid.strip(), "answered")
    assert local["channel"].startswith("Local/")
    assert team.closed("shut")[0]["disposition"] == "answered"


# --- what dies in the middle -----------------------------------------------------------------------------------------


def test_an_engine_that_dies_leaves_nobody_waiting(floor: Floor) -> None:
    """kill -9 during a talk, while a contact rings, while an agent's telephone rings, and after it was answered."""
    floor.campaign("talk", [number(0, 61)], **_for("agent1", wrap_up_s="1"))
    floor.campaign("busy", [number(3, 62)], **_for(STAYS, originate_timeout_s="8"))
    floor.campaign("rings", [number(8, 63)], **_for(RINGS_ON, agent_call_timeout_s="30"))
    floor.campaign("looks", [number(8, 64)], **_for(PRESSES_2, mode="preview", preview_skip_delay_s="60"))
    at = log_size(floor.lab)
    floor.serve()
    floor.start("rings", "busy", "talk", "looks")
    wait_for(lambda: _states(floor, "talk") == ["connected"], "agent1 talks", 20, floor.tail)
    wait_for(lambda: _states(floor, "busy") == ["ringing"], "a contact rings", 20, floor.tail)
    assert _states(floor, "rings") == ["created"]
    floor.kill()
    assert phones(floor.lab)[RINGS_ON] == 1
    for name in ("rings", "looks"):
        floor.run("campaign", "pause", name)
    floor.serve()
    _the_agents_are_let_go(floor)
    [talk], [ringing] = floor.wait_closed("talk", 1), floor.wait_closed("busy", 1)
    assert (talk["disposition"], talk["agent"]) == ("answered", "PJSIP/agent1")
    assert talk["talk_s"] > 1
    assert ringing["disposition"] == "no_answer"
    wait_for(lambda: phones(floor.lab)[STAYS] == 0, "whoever waited for it is let go", 3)
    wait_for(lambda: pauses(floor.lab) == {}, "no pause is left", 10, floor.tail)
    consistent(floor)
    assert calls_at_carrier(floor.lab, at) == {number(0, 61): 1, number(3, 62): 1}


def _states(floor: Floor, name: str) -> list[str]:
    return [row["state"] for row in floor.of(name)]


def _the_agents_are_let_go(floor: Floor) -> None:
    """Those whose contacts were not called: that costs the contact nothing, and is no riddle."""
    wait_for(lambda: phones(floor.lab)[RINGS_ON] == 0, "a telephone that rang for nobody is let go", 10, floor.tail)
    wait_for(lambda: phones(floor.lab)[PRESSES_2] == 0, "so is one that nobody answers to", 10, floor.tail)
    [rang] = floor.wait_closed("rings", 1)
    assert (rang["dialed_at"], rang["uncounted"], rang["disposition"]) == (None, 1, "failed")
    assert floor.contacts("rings")[0]["tries"] == 0


def test_an_engine_that_stops_in_order_ends_no_talk(floor: Floor) -> None:
    """Before that, an agent leaves while AMD listens: the person hears the safe harbour."""
    floor.campaign("talk", [number(0, 66)], **_for(STAYS, wrap_up_s="1"))
    floor.campaign("left", [number(0, 67)], **_for("agent2", amd="true"))
    floor.campaign("rings", [number(8, 68)], **_for(RINGS_ON, agent_call_timeout_s="30"))
    floor.serve()
    floor.start("left", "talk", "rings")
    wait_for(lambda: _states(floor, "left") == ["answered"], "AMD listens", 20, floor.tail)
    floor.run("agent", "hangup", "agent2")
    [left] = floor.wait_closed("left", 1)
    assert (left["disposition"], left["amd_verdict"], left["result"]) == ("abandoned", "HUMAN", "abandoned")
    assert _states(floor, "talk") == ["connected"]
    floor.stop()
    assert phones(floor.lab) == {STAYS: 1}, "the talk goes on, and a telephone that rang for nobody is let go"
    assert pauses(floor.lab) == {}, "no pause of ours outlives the engine"
    assert floor.contacts("rings")[0]["state"] == "waiting"
    floor.run("campaign", "pause", "rings")
    floor.serve()
    wait_for(lambda: floor.agent(STAYS).get("reserved"), "the next engine knows of the talk", 10, floor.tail)
    floor.run("agent", "hangup", STAYS)
    [talk] = floor.wait_closed("talk", 1)
    assert (talk["disposition"], talk["agent"], talk["hung_up_by"]) == ("answered", f"PJSIP/{STAYS}", "agent")
    wait_for(lambda: pauses(floor.lab) == {}, "no pause is left", 10, floor.tail)
    consistent(floor)


def test_what_agents_do_while_the_link_is_cut_is_found_out(lab: Lab, tmp_path: Path) -> None:
    """One leaves while its contact rings; the contact of another has ended when the link is back."""
    wire = Wire(lab.ami_port)
    with closing(wire), floor_on(lab, tmp_path, STAYS, PRESSES_1, ami_port=wire.port) as floor:
        floor.campaign("leaves", [number(3, 71)], **_for(STAYS, originate_timeout_s="30"))
        floor.campaign("waits", [number(3, 72)], **_for(PRESSES_1, originate_timeout_s="3"))
        floor.serve()
        floor.start("leaves", "waits")
        both = ("leaves", "waits")
        wait_for(lambda: [_states(floor, name) for name in both] == [["ringing"]] * 2, "both ring", 20, floor.tail)
        wire.cut()
        wait_for(lambda: not floor.view()["servers"][0]["up"], "the cut is seen", 10, floor.tail)  # type: ignore[index]
        laboratory.rx(lab, "pbx", f"channel request hangup {_channel(lab, STAYS)}")
        time.sleep(3)
        wire.mend()
        [left], [unknown] = floor.wait_closed("leaves", 1), floor.wait_closed("waits", 1)
        assert (left["disposition"], left["hung_up_by"]) == ("canceled", "engine")
        assert floor.contacts("leaves")[0]["tries"] == 0
        assert unknown["disposition"] in ("unknown", "no_answer")
        wait_for(lambda: not phones(lab), "the agent who waited is let go", 5)
        wait_for(lambda: pauses(lab) == {}, "no pause is left", 10, floor.tail)
        consistent(floor)


def _channel(lab: Lab, name: str) -> str:
    rows = laboratory.rx(lab, "pbx", "core show channels concise").splitlines()
    return next(row.split("!")[0] for row in rows if row.startswith(f"PJSIP/{name}-"))
