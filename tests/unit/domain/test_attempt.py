"""The life of an attempt: order-free, never backwards, closed once."""

from dataclasses import replace

import pytest
from attempts import BRIDGED, CHANNEL, RESERVED, SENT, STORIES, TALK, Story, after, at, fresh

from astdialer.domain import events as ev
from astdialer.domain.attempt import _MERGE, LATE_FACT_S, LEG_FACT_S, PROVES, State, apply, is_over
from astdialer.domain.events import AttemptEvent
from astdialer.domain.outcome import classify

EVERY_STORY = pytest.mark.parametrize("story", STORIES, ids=str)
LATE_MS = int(LATE_FACT_S * 1000)
EVENTS = {
    kind
    for kind in vars(ev).values()
    if isinstance(kind, type) and issubclass(kind, AttemptEvent) and kind is not AttemptEvent
}
REFUSAL = at(30, ev.OriginateEnded, success=False, reason=0)
BYE = at(900, ev.HungUp, cause=17)


@EVERY_STORY
def test_a_call_comes_to_its_disposition(story: Story) -> None:
    attempt = story.told()
    assert classify(attempt, story.rules) is story.disposition
    assert attempt.hung_up_by == story.hung_up_by


@EVERY_STORY
def test_the_order_of_its_events_makes_no_difference(story: Story) -> None:
    expected = story.told()
    for order in story.orders():
        assert story.told(order) == expected, [type(event).__name__ for event in order]


@EVERY_STORY
def test_the_state_never_goes_back(story: Story) -> None:
    for order in story.orders():
        states = [fresh().state]
        for event in order:
            states.append(after([event], replace(story.begin, state=states[-1])).state)
        assert states == sorted(states)


@EVERY_STORY
def test_every_call_is_over_when_all_is_said(story: Story) -> None:
    end = max(event.at for event in story.events)
    assert is_over(story.told(), end + LATE_MS)


@EVERY_STORY
def test_it_is_not_over_while_its_last_words_are_due(story: Story) -> None:
    """Without its Hangup, its refusal or the news that it vanished, a call that has a channel goes on."""
    lasting = [e for e in story.events if not isinstance(e, ev.HungUp | ev.Refused | ev.Vanished)]
    attempt = story.told(lasting)
    if attempt.channel:
        assert not is_over(attempt, 10**12)


def test_every_event_proves_a_state_and_is_merged() -> None:
    kinds = EVENTS
    assert set(PROVES) == kinds
    assert set(_MERGE) == kinds


@pytest.mark.parametrize("event", {type(e): e for story in STORIES for e in story.events}.values(), ids=repr)
def test_a_closed_attempt_never_changes(event: AttemptEvent) -> None:
    closed = fresh(state=State.CLOSED)
    assert apply(closed, event) is closed


def test_the_sample_stories_use_every_event() -> None:
    assert {type(e) for story in STORIES for e in story.events} == EVENTS


def test_a_hangup_waits_for_the_originate_response() -> None:
    attempt = after([SENT, CHANNEL, BYE])
    assert not is_over(attempt, BYE.at + LATE_MS - 1)
    assert is_over(attempt, BYE.at + LATE_MS)
    assert is_over(apply(attempt, REFUSAL), BYE.at)


def test_a_failure_waits_for_a_late_channel() -> None:
    attempt = after([SENT, REFUSAL])
    assert not is_over(attempt, REFUSAL.at + LATE_MS - 1)
    assert is_over(attempt, REFUSAL.at + LATE_MS)
    assert not is_over(apply(attempt, CHANNEL), REFUSAL.at + LATE_MS)


def test_an_adopted_call_waits_for_no_originate_response() -> None:
    assert is_over(after([SENT, at(30, ev.Adopted, channel="PJSIP/x"), BYE]), BYE.at)
    assert not is_over(after([SENT, at(30, ev.Adopted, channel=""), REFUSAL]), 10**12)


def test_what_the_agent_leg_says_after_the_answer_stays_out_of_the_calls_own_facts() -> None:
    attempt = after([*TALK, at(9000, ev.LegEnded, dial_status="NOANSWER", cause=19, sip_code=480)])
    assert (attempt.cause, attempt.sip_code, attempt.dial_status) == (0, 0, "ANSWER")


def test_a_bridge_is_a_talk_only_where_an_agent_was_reserved() -> None:
    assert after([BRIDGED]) == fresh()
    found = after([BRIDGED, at(9000, ev.Bridged)], RESERVED)
    assert (found.state, found.connected_at, found.answered_at) == (State.CONNECTED, BRIDGED.at, BRIDGED.at)
    assert found.agent == RESERVED.reserved_agent


def test_a_state_has_a_word_for_tables() -> None:
    assert [state.word for state in State] == [
        "created",
        "dialing",
        "ringing",
        "answered",
        "connected",
        "gone",
        "closed",
    ]


def test_a_local_channel_waits_for_its_trunks_last_word() -> None:
    """Its SIP code may come after the Local channel is gone."""
    attempt = after((SENT, at(20, ev.ChannelCreated, channel="Local/1@from-internal-0001;1"), REFUSAL, BYE))
    assert not is_over(attempt, BYE.at + int(LEG_FACT_S * 1000) - 1)
    assert is_over(attempt, BYE.at + int(LEG_FACT_S * 1000))
    assert is_over(apply(attempt, at(800, ev.Answered)), BYE.at), "after an answer the legs are the agents'"
