"""Causes: the names and classes of source-systems.md 1.7b, and which of them an attempt ended with."""

from collections.abc import Sequence

import pytest
from attempts import CHANNEL, IN_QUEUE, RINGS, SENT, STORIES, TALK, UP, Story, after, amd, at, failed, fresh
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain import events as ev
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.cause import (
    BY_SIP,
    DEFAULT_CLASSES,
    NUMBERS,
    Q850,
    USUAL,
    Cause,
    CauseClass,
    CauseRules,
    EndCause,
    cause_of,
    check_causes,
    classify_cause,
    parse_causes,
)
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.outcome import OutcomeRules, classify

C, D, K = Cause, Disposition, CauseClass
RULES = OutcomeRules(agent_wait_s=2)

#: The text of 1.7b, so that the tables are proved against it and not against themselves.
NUMBERED = """1 UNALLOCATED_NUMBER, 3 NO_ROUTE_DESTINATION, 16 NORMAL_CLEARING, 17 USER_BUSY, 18 NO_USER_RESPONSE,
19 NO_ANSWER, 20 SUBSCRIBER_ABSENT, 21 CALL_REJECTED, 22 NUMBER_CHANGED, 27 DESTINATION_OUT_OF_ORDER,
28 INVALID_NUMBER_FORMAT, 31 NORMAL_UNSPECIFIED, 34 NORMAL_CIRCUIT_CONGESTION, 38 NETWORK_OUT_OF_ORDER,
41 NORMAL_TEMPORARY_FAILURE, 42 SWITCH_CONGESTION, 52 OUTGOING_CALL_BARRED, 63 SERVICE_UNAVAILABLE,
66 CHAN_NOT_IMPLEMENTED, 79 SERVICE_NOT_IMPLEMENTED, 88 INCOMPATIBLE_DESTINATION, 96 MANDATORY_IE_MISSING,
102 RECOVERY_ON_TIMER_EXPIRE, 127 INTERWORKING"""
BEYOND = """487 ORIGINATOR_CANCEL, 502 LOSE_RACE, 503 MANAGER_REQUEST, 606 USER_NOT_REGISTERED, 607 PROGRESS_TIMEOUT,
609 GATEWAY_DOWN, 687 ABANDONED"""
CLASSES = {
    K.OK: "NORMAL_CLEARING",
    K.RETRY: """NO_ROUTE_DESTINATION, DESTINATION_OUT_OF_ORDER, USER_BUSY, CALL_REJECTED, NO_USER_RESPONSE, NO_ANSWER,
    SUBSCRIBER_ABSENT, NUMBER_CHANGED, NORMAL_UNSPECIFIED, NORMAL_CIRCUIT_CONGESTION, ORIGINATOR_CANCEL, LOSE_RACE,
    USER_NOT_REGISTERED""",
    K.ERROR: """UNALLOCATED_NUMBER, NO_ROUTE, MEMBER_EXPIRED, INVALID_NUMBER_FORMAT, NETWORK_OUT_OF_ORDER,
    OUTGOING_CALL_BARRED, SERVICE_UNAVAILABLE, CHAN_NOT_IMPLEMENTED, SERVICE_NOT_IMPLEMENTED, INCOMPATIBLE_DESTINATION,
    MANDATORY_IE_MISSING, PROGRESS_TIMEOUT, GATEWAY_DOWN""",
    K.MINUS: "RECOVERY_ON_TIMER_EXPIRE, NORMAL_TEMPORARY_FAILURE",
}
ENDS = """NORMAL_CLEARING, MAX_TRY_COUNT, MEMBER_EXPIRED, ABANDONED, MANAGER_REQUEST, NO_COMMUNICATIONS, NO_ROUTE,
PROCESS_CRASH"""
SIP = {
    "CALL_REJECTED": (401, 402, 403, 407, 603, 607, 608),
    "UNALLOCATED_NUMBER": (404,),
    "NO_ROUTE_DESTINATION": (482, 483, 485, 604),
    "RECOVERY_ON_TIMER_EXPIRE": (408, 504),
    "NUMBER_CHANGED": (410,),
    "INTERWORKING": (413, 414, 416, 420, 421, 423, 505, 513),
    "NO_USER_RESPONSE": (480,),
    "NORMAL_TEMPORARY_FAILURE": (400, 481, 500, 503),
    "USER_BUSY": (486, 600),
    "INVALID_NUMBER_FORMAT": (484,),
    "INCOMPATIBLE_DESTINATION": (488, 606),
    "NETWORK_OUT_OF_ORDER": (502,),
    "SERVICE_UNAVAILABLE": (405,),
    "SERVICE_NOT_IMPLEMENTED": (406, 415, 501),
    "ORIGINATOR_CANCEL": (487,),
}


def names(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}


def numbered(text: str) -> dict[int, str]:
    return {int(number): name for number, name in (entry.split() for entry in text.split(","))}


def unanswered(*, cause: int = 0, sip: int = 0, **more: int) -> Sequence[ev.AttemptEvent]:
    return (*failed(cause, sip, ""), at(903, ev.LegEnded, cause=more.get("leg", 0), sip_code=more.get("leg_sip", 0)))


def judged(events: Sequence[ev.AttemptEvent], rules: OutcomeRules = RULES) -> Cause:
    attempt = after(events)
    return cause_of(attempt, classify(attempt, rules))


def kind_of(events: Sequence[ev.AttemptEvent], causes: CauseRules, rules: OutcomeRules = RULES) -> CauseClass:
    attempt = after(events)
    return classify_cause(attempt, cause_of(attempt, classify(attempt, rules)), causes)


def given_lists(**texts: str) -> CauseRules:
    return CauseRules(**{name: parse_causes(f"causes_{name}", text) for name, text in texts.items()})


# --- the tables -----------------------------------------------------------------------------------------------------


def test_the_q850_causes_are_those_of_the_source() -> None:
    assert {number: str(cause) for number, cause in Q850.items()} == numbered(NUMBERED)


def test_a_cause_has_the_number_of_the_source() -> None:
    assert {number: str(cause) for cause, number in NUMBERS.items()} == numbered(NUMBERED) | numbered(BEYOND)


def test_every_name_of_the_source_is_a_cause_and_no_other() -> None:
    in_classes = {name for text in CLASSES.values() for name in names(text)}
    assert set(Cause) == in_classes | set(numbered(NUMBERED).values()) | set(numbered(BEYOND).values())
    assert all(cause.name == cause.value for cause in Cause)


@pytest.mark.parametrize("kind", CauseClass)
def test_a_default_list_is_that_of_the_source(kind: CauseClass) -> None:
    assert set(DEFAULT_CLASSES[kind]) == names(CLASSES[kind])


def test_no_cause_stands_in_two_default_lists() -> None:
    assert sum(map(len, DEFAULT_CLASSES.values())) == len(frozenset().union(*DEFAULT_CLASSES.values()))


def test_the_end_causes_are_those_of_the_source() -> None:
    assert set(EndCause) == names(ENDS)


@pytest.mark.parametrize(("code", "expected"), [(code, name) for name, codes in SIP.items() for code in codes])
def test_a_sip_code_is_the_cause_that_freeswitch_makes_of_it(code: int, expected: str) -> None:
    assert BY_SIP[code] == expected
    assert judged(unanswered(sip=code, cause=127)) == expected


def test_no_sip_code_is_mapped_beyond_that_table() -> None:
    assert set(BY_SIP) == {code for codes in SIP.values() for code in codes}


@pytest.mark.parametrize("number", [number for number in Q850 if number != 16])
def test_without_a_sip_code_the_q850_cause_is_taken(number: int) -> None:
    assert judged(unanswered(cause=number)) is Q850[number]


@pytest.mark.parametrize("disposition", Disposition)
def test_every_disposition_has_a_cause_when_nothing_tells_more(disposition: Disposition) -> None:
    assert cause_of(fresh(), disposition) is USUAL[disposition]


# --- the cause of an attempt ----------------------------------------------------------------------------------------

CAUSES_OF_STORIES = {
    "486 at once": C.USER_BUSY,
    "180 then 486": C.USER_BUSY,
    "our own timeout, ringing": C.NO_ANSWER,
    "the agent hangs up": C.NORMAL_CLEARING,
    "the contact hangs up in the talk": C.NORMAL_CLEARING,
    "a talk shorter than the campaign's": C.NORMAL_CLEARING,
    "a transfer": C.NORMAL_CLEARING,
    "a machine": C.NORMAL_UNSPECIFIED,
    "a machine that heard the message": C.NORMAL_UNSPECIFIED,
    "not sure, taken for a machine": C.NORMAL_UNSPECIFIED,
    "not sure, taken for a person": C.NORMAL_CLEARING,
    "abandoned": C.ABANDONED,
    "hung up during the safe-harbour message": C.ABANDONED,
    "hung up before the limit": C.NORMAL_CLEARING,
    "hung up past the limit": C.ABANDONED,
    "in the queue by the dialplan's own fallback": C.ABANDONED,
    "we hang up a waiting person": C.ABANDONED,
    "hung up during AMD": C.ORIGINATOR_CANCEL,
    "a broadcast heard to its end": C.NORMAL_CLEARING,
    "a broadcast with a key": C.NORMAL_CLEARING,
    "a broadcast broken off": C.NORMAL_CLEARING,
    "own dialplan, long enough": C.NORMAL_CLEARING,
    "a Local channel whose trunk leg is busy": C.USER_BUSY,
    "no channel at all": C.NORMAL_UNSPECIFIED,
    "refused": C.NORMAL_TEMPORARY_FAILURE,
    "withdrawn before it was sent": C.ORIGINATOR_CANCEL,
    "canceled while it rings": C.ORIGINATOR_CANCEL,
    "adopted after a restart": C.NORMAL_CLEARING,
    "vanished": C.NORMAL_UNSPECIFIED,
    "vanished while it waited": C.NORMAL_UNSPECIFIED,
    "vanished from a talk": C.NORMAL_CLEARING,
    "the agent who was called first hangs up": C.NORMAL_CLEARING,
    "the contact hangs up on the agent who was called first": C.NORMAL_CLEARING,
    "a short talk with the agent who was called first": C.NORMAL_CLEARING,
    "nobody but the channel saw that talk": C.NORMAL_CLEARING,
    "the agent who was called first is gone": C.ABANDONED,
    "we hang up the person whose agent is gone": C.ABANDONED,
    "a person who does not wait for the bridge": C.NORMAL_CLEARING,
    "in a queue, a bridge says nothing": C.ABANDONED,
}


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_a_story_ends_with_its_cause(story: Story) -> None:
    attempt = after(story.events, story.begin)
    assert cause_of(attempt, classify(attempt, story.rules)) is CAUSES_OF_STORIES[story.name]


@pytest.mark.parametrize(
    ("case", "events", "expected"),
    [
        ("the own SIP code outranks the leg's", unanswered(sip=486, leg_sip=404), C.USER_BUSY),
        ("the leg's SIP code outranks the own Q.850 cause", unanswered(cause=17, leg_sip=404), C.UNALLOCATED_NUMBER),
        ("the own Q.850 cause outranks the leg's", unanswered(cause=17, leg=1), C.USER_BUSY),
        ("16 before an answer tells nothing: the leg does", unanswered(cause=16, leg=21), C.CALL_REJECTED),
        ("16 before an answer and nothing else", unanswered(cause=16), C.NO_ANSWER),
        ("a SIP code without a name: the Q.850 cause", unanswered(sip=409, cause=41), C.NORMAL_TEMPORARY_FAILURE),
        ("a Q.850 cause without a name: the disposition", unanswered(cause=44), C.NORMAL_CIRCUIT_CONGESTION),
        ("302, whose cause 23 has no name", failed(23, 302, "CANCEL"), C.NO_ANSWER),
        ("nothing known", unanswered(), C.NORMAL_UNSPECIFIED),
        ("480 from the network", unanswered(sip=480, cause=19), C.NO_USER_RESPONSE),
        (
            "the contact's own data could not be sent",
            (SENT, at(40, ev.Refused, message="x", counted=True)),
            C.NORMAL_UNSPECIFIED,
        ),
        (
            "vanished, but the leg had spoken",
            (SENT, CHANNEL, at(700, ev.LegEnded, cause=1, sip_code=404), at(9000, ev.Vanished)),
            C.UNALLOCATED_NUMBER,
        ),
        (
            "canceled, whatever else was heard",
            (SENT, CHANNEL, RINGS, at(800, ev.Canceled), *failed(17, 486, "BUSY")),
            C.ORIGINATOR_CANCEL,
        ),
        (
            "the queue gave a person up before the limit",
            (*IN_QUEUE, at(4200, ev.Concluded, queue_status="JOINEMPTY"), at(4300, ev.HungUp, cause=16)),
            C.LOSE_RACE,
        ),
        (
            "we break a broadcast off",
            (*UP, at(4100, ev.ActionTaken, action=Action.PLAY), at(5000, ev.Canceled), at(5001, ev.HungUp, cause=16)),
            C.ORIGINATOR_CANCEL,
        ),
    ],
)
def test_the_most_telling_fact_is_the_cause(case: str, events: Sequence[ev.AttemptEvent], expected: Cause) -> None:
    assert judged(events) is expected, case


def test_a_short_talk_that_the_queue_called_continued_lost_no_race() -> None:
    events = (*IN_QUEUE, at(4200, ev.Concluded, queue_status="CONTINUE"), at(4300, ev.HungUp, cause=16))
    assert judged(events) is C.NORMAL_CLEARING


@given(
    cause=st.integers(0, 127),
    sip=st.sampled_from([0, *BY_SIP]),
    leg=st.integers(0, 127),
    leg_sip=st.sampled_from([0, *BY_SIP]),
)
def test_our_own_timeout_is_no_answer_whatever_asterisk_invents(cause: int, sip: int, leg: int, leg_sip: int) -> None:
    invented = unanswered(cause=cause, sip=sip, leg=leg, leg_sip=leg_sip)
    events = [
        *(event for event in invented if not isinstance(event, ev.OriginateEnded)),
        at(902, ev.OriginateEnded, success=False, reason=3),
    ]
    assert judged(events) is C.NO_ANSWER
    rules = given_lists(error=f"sip_480,sip_486,{cause or 1},17", retry="sip_404")
    assert kind_of(events, rules) is (K.ERROR if cause == 19 else K.RETRY)


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        (" , ", set()),
        ("USER_BUSY", {"USER_BUSY"}),
        ("user_busy, 17 ,SIP_486,", {"USER_BUSY", "17", "sip_486"}),
        ("1,127,44", {"1", "127", "44"}),
        ("sip_300,sip_699", {"sip_300", "sip_699"}),
        ("17,17", {"17"}),
    ],
)
def test_a_list_of_causes_is_read(text: str, expected: set[str]) -> None:
    assert parse_causes("causes_ok", text) == expected


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_can_stand_in_a_list(cause: Cause) -> None:
    assert parse_causes("causes_ok", cause.lower()) == {cause}


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("USER_BUSY,BUZY", "'BUZY' is none of them"),
        ("USER_BUZY", "'USER_BUZY' is none of them: is USER_BUSY meant?"),
        ("486", "'486' is none of them: a SIP code is written sip_486"),
        ("128", "'128' is none of them"),
        ("0", "'0' is none of them"),
        ("017", "'017' is none of them"),
        ("-1", "'-1' is none of them"),
        ("sip_200", "'sip_200' is none of them"),
        ("sip_700", "'sip_700' is none of them"),
        ("sip_48", "'sip_48' is none of them"),
        ("sip_4861", "'sip_4861' is none of them"),
        ("USER BUSY", "'USER BUSY' is none of them: is USER_BUSY meant?"),
        ("٤٨٦", "'٤٨٦' is none of them"),
        ("x" * 9999, "is none of them"),
    ],
)
def test_a_list_that_is_wrong_names_the_token_and_what_was_expected(text: str, end: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse_causes("causes_retry", text)
    message = str(caught.value)
    assert message.startswith(f"causes_retry = {text!r}: expected cause names (USER_BUSY), Q.850 numbers (17) or SIP")
    assert message.endswith(end)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (
            {"ok": "NORMAL_CLEARING", "retry": "USER_BUSY,NORMAL_CLEARING"},
            "causes_retry = 'NORMAL_CLEARING,USER_BUSY': expected each cause in one list; "
            "NORMAL_CLEARING is in causes_ok as well",
        ),
        (
            {"error": "USER_BUSY", "minus": "17"},
            "causes_minus = '17': expected each cause in one list; 17 (USER_BUSY) is in causes_error as well",
        ),
        (
            {"ok": "sip_486", "minus": "sip_486"},
            "causes_ok = 'sip_486': expected each cause in one list; sip_486 is in causes_minus as well",
        ),
        ({"ok": "44", "error": "44"}, "causes_ok = '44': expected each cause in one list; 44 is in causes_error"),
    ],
)
def test_a_cause_in_two_lists_is_refused(lists: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        check_causes(given_lists(**lists))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "lists",
    [{}, {"ok": "17,USER_BUSY"}, {"error": "sip_486", "retry": "USER_BUSY"}, {"error": "sip_486", "minus": "sip_600"}],
)
def test_lists_without_a_contradiction_are_accepted(lists: dict[str, str]) -> None:
    rules = given_lists(**lists)
    assert check_causes(rules) is rules


# --- classes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", Cause)
def test_without_lists_a_cause_has_its_default_class_and_is_else_retried(cause: Cause) -> None:
    usual = next((kind for kind, text in CLASSES.items() if cause in names(text)), K.RETRY)
    assert classify_cause(fresh(), cause, CauseRules()) is usual


BUSY = failed(17, 486, "BUSY")


@pytest.mark.parametrize(
    ("case", "lists", "expected"),
    [
        ("no list", {}, K.RETRY),
        ("by name", {"error": "USER_BUSY"}, K.ERROR),
        ("by number", {"error": "17"}, K.ERROR),
        ("by SIP code", {"error": "sip_486"}, K.ERROR),
        ("another SIP code of the same cause", {"error": "sip_600"}, K.RETRY),
        ("the SIP code outranks the name", {"error": "USER_BUSY", "minus": "sip_486"}, K.MINUS),
        ("the SIP code outranks the number", {"minus": "sip_486", "error": "17"}, K.MINUS),
        (
            "a given list that lacks it: the class is closed to it, and what is in none is retried",
            {"retry": "1"},
            K.RETRY,
        ),
    ],
)
def test_a_busy_number_is_classed_by_the_most_specific_token(
    case: str, lists: dict[str, str], expected: CauseClass
) -> None:
    assert kind_of(BUSY, given_lists(**lists)) is expected, case


def test_a_given_list_outranks_the_default_of_another_class() -> None:
    assert kind_of(failed(1, 404, ""), CauseRules()) is K.ERROR
    assert kind_of(failed(1, 404, ""), given_lists(minus="UNALLOCATED_NUMBER")) is K.MINUS


def test_a_given_list_takes_the_place_of_its_default() -> None:
    rules = given_lists(error="INVALID_NUMBER_FORMAT")
    assert kind_of(failed(1, 404, ""), rules) is K.RETRY
    assert kind_of(failed(34, 503, ""), rules) is K.MINUS  # the other classes keep theirs
    assert kind_of(TALK, given_lists(ok="USER_BUSY")) is K.RETRY


def test_the_number_that_the_network_sent_outranks_the_name_that_its_sip_code_has() -> None:
    refused = failed(19, 480, "")
    assert kind_of(refused, given_lists(error="19")) is K.ERROR
    assert kind_of(refused, given_lists(error="19", minus="NO_USER_RESPONSE")) is K.ERROR
    assert kind_of(refused, given_lists(error="18")) is K.ERROR
    assert kind_of(refused, given_lists(error="NO_ANSWER")) is K.RETRY


def test_a_number_that_has_no_name_can_be_listed() -> None:
    assert kind_of(unanswered(cause=44), given_lists(minus="44")) is K.MINUS


def test_the_own_channel_is_listed_before_its_leg() -> None:
    events = unanswered(sip=486, leg_sip=603, cause=17, leg=21)
    assert kind_of(events, given_lists(error="sip_486", minus="sip_603")) is K.ERROR
    assert kind_of(events, given_lists(error="21", minus="17")) is K.MINUS


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"error": "17", "minus": "17", "ok": "17", "retry": "17"}, K.ERROR),
        ({"minus": "17", "ok": "17", "retry": "17"}, K.MINUS),
        ({"ok": "16", "retry": "16"}, K.OK),
    ],
)
def test_lists_that_contradict_each_other_are_read_with_caution(lists: dict[str, str], expected: CauseClass) -> None:
    assert kind_of(TALK if expected is K.OK else BUSY, given_lists(**lists)) is expected


def test_an_answered_call_is_not_matched_by_the_codes_of_its_channel() -> None:
    talk = (*TALK, at(59_000, ev.AgentFinished, agent="a", ended_by="caller"), at(60_000, ev.HungUp, sip_code=486))
    assert kind_of(talk, given_lists(error="sip_486")) is K.OK
    machine = (*UP, *amd(Verdict.MACHINE, Action.HANGUP), at(6100, ev.HungUp, cause=16))
    assert kind_of(machine, given_lists(error="16")) is K.RETRY


def test_a_short_talk_is_normal_clearing_as_well_and_only_its_disposition_tells() -> None:
    talk = (*TALK, at(10_000, ev.AgentFinished, agent="a", ended_by="caller"))
    short = OutcomeRules(short_call_s=6)
    assert kind_of(talk, CauseRules(), short) is K.OK
    assert classify(after(talk), short) is D.SHORT


@given(
    st.sampled_from(STORIES),
    st.dictionaries(
        st.sampled_from(["ok", "retry", "error", "minus"]),
        st.lists(st.sampled_from([*Cause, "17", "44", "sip_486", "sip_480"]), max_size=5).map(",".join),
    ),
)
def test_lists_move_causes_between_classes_and_never_out_of_them(story: Story, lists: dict[str, str]) -> None:
    rules = given_lists(**lists)
    kind = kind_of(story.events, rules, story.rules)
    usual = kind_of(story.events, CauseRules(), story.rules)
    assert rules.lists[kind] or kind in (usual, K.RETRY)
