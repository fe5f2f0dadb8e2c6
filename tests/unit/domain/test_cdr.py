"""The call detail record."""

import dataclasses

import pytest
from attempts import STORIES, Story, fresh
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt
from astdialer.domain.cdr import Cdr, CdrContext, cdr_of
from astdialer.domain.disposition import Disposition
from astdialer.domain.outcome import classify

CONTEXT = CdrContext(campaign="demo", base="spring", caller_id="Sales <+34910000000>", queue="sales")


def record(name: str) -> Cdr:
    story = next(one for one in STORIES if one.name == name)
    return cdr_of(story.told(), story.disposition, CONTEXT, 10**9)


def test_a_talk_in_every_field() -> None:
    assert dataclasses.asdict(record("the agent hangs up")) == {
        "guid": "a",
        "calldate": 10,
        "clid": "Sales <+34910000000>",
        "src": "+34910000000",
        "dst": "+34600000001",
        "dcontext": "astdialer-answered",
        "channel": "PJSIP/carrier-00000001",
        "dstchannel": "PJSIP/agent1",
        "lastapp": "Queue",
        "duration": 60,
        "billsec": 56,
        "disposition": "answered",
        "uniqueid": "a",
        "linkedid": "a",
        "causecode": 16,
        "campaign": "demo",
        "direction": "outbound",
        "carrier": "carrier",
        "dialerbase": "spring",
        "accountcode": "demo",
        "sip_code": 0,
        "dial_status": "ANSWER",
        "amd_verdict": "",
        "amd_cause": "",
        "agent": "PJSIP/agent1",
        "hung_up_by": "agent",
        "keypress": "",
        "queue": "sales",
        "ring_s": 3.5,
        "wait_s": 1.0,
        "talk_s": 54.0,
        "server": "default",
        "contact_id": 1,
    }


def test_a_talk_with_an_agent_who_was_called_first() -> None:
    found = record("the agent who was called first hangs up")
    assert (found.lastapp, found.agent, found.dstchannel) == ("Bridge", "PJSIP/agent1", "PJSIP/agent1")
    assert (found.hung_up_by, found.wait_s, found.talk_s) == ("agent", 0.15, 55.85)


def test_a_busy_trunk_leg_gives_its_cause_and_code() -> None:
    found = record("a Local channel whose trunk leg is busy")
    assert (found.sip_code, found.dial_status, found.causecode) == (486, "BUSY", 16)
    assert (found.billsec, found.lastapp) == (0, "Dial")


def test_an_agents_leg_says_nothing_about_the_called_number() -> None:
    up = fresh(answered_at=5, leg_cause=19, leg_sip_code=480, leg_dial_status="NOANSWER", gone_at=9)
    found = cdr_of(up, Disposition.SHORT, CONTEXT, 10)
    assert (found.causecode, found.sip_code, found.dial_status) == (0, 0, "")


@pytest.mark.parametrize(
    ("action", "application"),
    [
        (Action.QUEUE, "Queue"),
        (Action.AGENT, "Bridge"),
        (Action.PLAY, "Playback"),
        (Action.MESSAGE, "Playback"),
        (Action.GOTO, "Goto"),
        (Action.HANGUP, "Hangup"),
        (None, "Hangup"),
    ],
)
def test_the_last_application_is_what_the_call_did(action: Action | None, application: str) -> None:
    assert cdr_of(fresh(answered_at=1, action=action), Disposition.SHORT, CONTEXT, 2).lastapp == application


@pytest.mark.parametrize(
    ("caller_id", "src"),
    [("", ""), ("34910000000", "34910000000"), ("Sales <+34 910>", "+34910"), ("007 Bond <100>", "100")],
)
def test_the_source_is_the_caller_ids_number(caller_id: str, src: str) -> None:
    context = dataclasses.replace(CONTEXT, caller_id=caller_id)
    assert cdr_of(fresh(), Disposition.FAILED, context, 1).src == src


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_every_story_has_a_record_with_sound_seconds(story: Story) -> None:
    attempt = story.told()
    found = cdr_of(attempt, classify(attempt, story.rules), CONTEXT, 10**9)
    assert 0 <= found.billsec <= found.duration
    assert found.talk_s <= found.billsec + 1


instants = st.none() | st.integers(0, 10**7)


@given(
    st.builds(
        fresh,
        created_at=st.integers(0, 10**7),
        dialed_at=instants,
        ringing_at=instants,
        answered_at=instants,
        connected_at=instants,
        talk_ended_at=instants,
        gone_at=instants,
    ),
    st.integers(0, 10**7),
)
def test_no_duration_is_negative_whatever_the_clock_did(attempt: Attempt, now: int) -> None:
    found = cdr_of(attempt, Disposition.UNKNOWN, CONTEXT, now)
    assert min(found.duration, found.billsec, found.ring_s, found.wait_s, found.talk_s) >= 0
