"""A dialer's document as settings: every field of source-systems.md 1.3 to 1.6."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webitel3_hands import DIALER

from astdialer.domain.agent import AgentStrategy, parse_strategy
from astdialer.domain.params import parse_params
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.route import Destination, rewrite_number
from astdialer.domain.settings import Settings, check_together, parse_settings
from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.translate import House, Translation, translate, type_code

DIALER_ID = "617374640000000000000007"
HOUSE = House(dialer_id=DIALER_ID, campaign="spring.7", calendar="office", queue="sales", trunk="only")
LEAST: dict[str, Any] = {"name": "spring", "type": "Predictive Dialer", "calendar": {"id": "x"}}


def settings(**document: Any) -> Settings:
    return check_together(parse_settings(translate(LEAST | document, HOUSE).settings))


def of(document: dict[str, Any]) -> Translation:
    return translate(LEAST | document, HOUSE)


def parameter(**values: Any) -> dict[str, Any]:
    return {"parameters": values}


def test_the_example_of_the_source() -> None:
    found = translate(DIALER, HOUSE)
    ours = check_together(parse_settings(found.settings))
    assert found.unsaid == ()
    expected = {
        "mode": "predictive",
        "priority": 1,
        "calendar": "office",
        "calling_hours": "00:00-24:00",
        "routes": "spring.7.1",
        "trunk": "",
        "queue": "sales",
        "caller_id": "000000000",
        "max_calls": 10,
        "short_call_s": 10,
        "originate_timeout_s": 40,
        "max_tries": 0,
        "retry_interval_s": 180,
        "result_retry_s": 180,
        "result_timeout_s": 60,
        "predict_adjust": 150,
        "abandonment_target": 2.5,
        "abandonment_limit": 3,
        "wait_for_result": True,
        "record": True,
        "eternal_queue": True,
        "retries_by_number": True,
        "one_day_task": False,
        "amd": True,
        "amd_not_sure": "person",
        "number_strategy": "by-priority",
        "contact_strategy": "next-tries-circuit",
        "auto_reset_stats": True,
        "agent_call_timeout_s": 20,
        "wrap_up_s": 40,
        "max_no_answer": 2,
        "busy_delay_s": 10,
        "reject_delay_s": 10,
        "no_answer_delay_s": 10,
        "agents": "100,200",
        "skills": "english",
        "agent_strategy": "longest-idle-agent",
        "ranges": "1=09:00-18:00/2@10;2=18:00-21:00/1@5",
    }
    assert {key: getattr(ours, key) for key in expected} == expected
    assert ours.retry_abandoned.tries == 1
    params = {"myVar": "10", "cc_queue": "myPredictiveDialer", "dlr_queue": DIALER_ID}
    assert parse_params("params", ours.params) == params


#: What a document says, and what the setting then is.
FIELDS: list[tuple[dict[str, Any], str, Any]] = [
    ({"type": "Predictive Dialer"}, "mode", "predictive"),
    ({"type": "Progressive Dialer"}, "mode", "agent-first"),
    ({"type": "Voice Broadcasting"}, "mode", "broadcast"),
    ({}, "priority", 0),
    ({"priority": -5}, "priority", -5),
    ({}, "auto_reset_stats", False),
    ({"autoResetStats": True}, "auto_reset_stats", True),
    # parameters: Webitel's engine's defaults where nothing is said
    ({}, "max_calls", 999),
    (parameter(limit=20), "max_calls", 20),
    (parameter(limit="20"), "max_calls", 20),
    ({}, "short_call_s", 0),
    (parameter(minBillSec=10), "short_call_s", 10),
    ({}, "originate_timeout_s", 60),
    (parameter(originateTimeout=40), "originate_timeout_s", 40),
    (parameter(originateTimeout=5), "originate_timeout_s", 15),
    ({}, "max_tries", 5),
    (parameter(maxTryCount=0), "max_tries", 0),
    ({}, "retry_interval_s", 5),
    (parameter(intervalTryCount=180), "retry_interval_s", 180),
    (parameter(intervalTryCount=0), "retry_interval_s", 1),
    (parameter(intervalTryCount=180), "result_retry_s", 180),
    ({}, "result_timeout_s", 60),
    (parameter(wrapUpTime=30), "result_timeout_s", 30),
    (parameter(wrapUpTime=0), "result_timeout_s", 1),
    ({}, "predict_adjust", 150),
    (parameter(predictAdjust=0), "predict_adjust", 0),
    ({}, "abandonment_target", 2.5),
    (parameter(targetPredictiveSilentCalls=1.5), "abandonment_target", 1.5),
    (parameter(targetPredictiveSilentCalls=0), "abandonment_target", 0.1),
    (parameter(targetPredictiveSilentCalls=5), "abandonment_target", 3),
    ({}, "abandonment_limit", 3),
    (parameter(maxPredictiveSilentCalls=4), "abandonment_limit", 4),
    ({}, "wait_for_result", False),
    (parameter(waitingForResultStatus=True), "wait_for_result", True),
    ({}, "record", True),
    (parameter(recordSession=False), "record", False),
    ({}, "eternal_queue", False),
    (parameter(eternalQueue="true"), "eternal_queue", True),
    ({}, "retry_abandoned", "1/0"),
    (parameter(retryAbandoned=True, intervalTryCount=60), "retry_abandoned", "*/60"),
    ({}, "retries_by_number", False),
    (parameter(retriesByNumber=True), "retries_by_number", True),
    ({}, "one_day_task", False),
    (parameter(oneDayTask=True), "one_day_task", True),
    ({}, "agent_wait_s", 2),
    (parameter(maxLocateAgentSec=10), "agent_wait_s", 10),
    ({}, "predict_after_answers", 10),
    (parameter(predictStartBridgedCount=0), "predict_after_answers", 1),
    (parameter(predictStartBridgedCount=25), "predict_after_answers", 25),
    # answering machines
    ({}, "amd", False),
    ({"amd": {"enabled": True}}, "amd", True),
    ({"amd": {"enabled": True}, "type": "Voice Broadcasting"}, "amd", True),
    ({"amd": {"enabled": True}, "type": "Progressive Dialer"}, "amd", False),
    ({}, "amd_not_sure", "machine"),
    ({"amd": {"allowNotSure": True}}, "amd_not_sure", "person"),
    ({"amd": {"initialSilence": 11}}, "amd_initial_silence_ms", 11),
    ({"amd": {"greeting": 12}}, "amd_greeting_ms", 12),
    ({"amd": {"afterGreetingSilence": 13}}, "amd_after_greeting_silence_ms", 13),
    ({"amd": {"totalAnalysisTime": 14}}, "amd_total_analysis_ms", 14),
    ({"amd": {"minWordLength": 15}}, "amd_min_word_ms", 15),
    ({"amd": {"betweenWordsSilence": 16}}, "amd_between_words_ms", 16),
    ({"amd": {"maximumNumberOfWords": 17}}, "amd_max_words", 17),
    ({"amd": {"silenceThreshold": 18}}, "amd_silence_threshold", 18),
    ({"amd": {"maximumWordLength": 19}}, "amd_max_word_ms", 19),
    # who comes first
    ({}, "number_strategy", "by-priority"),
    ({"numberStrategy": "top-down"}, "number_strategy", "top-down"),
    ({}, "contact_strategy", "next-tries-circuit"),
    ({"membersStrategy": "strict-circuit"}, "contact_strategy", "strict-circuit"),
    # agents
    ({}, "queue", "sales"),
    ({"queue": "support"}, "queue", "support"),
    ({"agents": ["100", 200, "300@site.com"]}, "agents", "100,200,300"),
    ({"skills": ["english", "Customer care"]}, "skills", "english,Customer-care"),
    ({}, "agent_strategy", "with-fewest-calls"),
    ({"agentStrategy": "something new"}, "agent_strategy", "with-fewest-calls"),
    ({"agentParams": {"callTimeout": 11}}, "agent_call_timeout_s", 11),
    ({"agentParams": {"wrapUpTime": 12}}, "wrap_up_s", 12),
    ({"agentParams": {"maxNoAnswer": 13}}, "max_no_answer", 13),
    ({"agentParams": {"busyDelayTime": 14}}, "busy_delay_s", 14),
    ({"agentParams": {"rejectDelayTime": 15}}, "reject_delay_s", 15),
    ({"agentParams": {"noAnswerDelayTime": 16}}, "no_answer_delay_s", 16),
    # causes
    ({}, "causes_ok", ""),
    ({"causesOK": ["NORMAL_CLEARING"]}, "causes_ok", "NORMAL_CLEARING"),
    ({"causesRetry": ["USER_BUSY", "NO_ANSWER"]}, "causes_retry", "USER_BUSY,NO_ANSWER"),
    ({"causesError": ["NO_ROUTE", "CRASH", "EXCHANGE_ROUTING_ERROR"]}, "causes_error", "NO_ROUTE,25"),
    ({"causesMinus": ["NORMAL_TEMPORARY_FAILURE"]}, "causes_minus", "NORMAL_TEMPORARY_FAILURE"),
    # a broadcast's scenario
    ({"type": "Voice Broadcasting"}, "goto", f"astdialer-scenarios,{DIALER_ID},1"),
    ({"type": "Voice Broadcasting", "playbackFile": {"uri": "custom/hello.wav"}}, "sound", "custom/hello.wav"),
    ({"type": "Voice Broadcasting", "playbackFile": {"uri": "custom/hello.wav"}}, "goto", ""),
    ({"type": "Voice Broadcasting", "playbackFile": {"uri": "a;b"}}, "sound", ""),
    ({"type": "Voice Broadcasting", "_cf": [{"answer": 1}, {"playback": {"name": "a"}}, {"hangup": 1}]}, "sound", "a"),
    ({"type": "Voice Broadcasting", "_cf": [{"playback": "hi"}]}, "sound", "hi"),
    ({"type": "Voice Broadcasting", "_cf": [{"playback": "hi"}, {"goto": "x"}]}, "sound", ""),
    ({"type": "Voice Broadcasting", "_cf": [{"playback": "a"}, {"playback": "b"}]}, "sound", ""),
    ({"_cf": [{"playback": "hi"}]}, "sound", ""),
    ({}, "goto", ""),
    # dispositions
    ({"callResult": [{"name": "Sold", "type": "t"}, {"name": "No", "type": "f"}, {"name": "Later", "type": "n"}]},
     "outcomes", "Sold=success;No=retry;Later=reschedule"),
    ({"callResult": [{"name": "No", "type": "f", "items": [{"name": "Dear", "type": "f"}]}]},
     "outcomes", "No|Dear=retry"),
    ({"callResult": [{"name": "a;b", "type": "t"}, {"name": "ok", "type": "t"}, {"name": "OK", "type": "f"}, 5,
                     {"name": "x", "type": "?"}]}, "outcomes", "ok=success"),
    # where calls leave
    ({}, "trunk", "only"),
    ({}, "routes", ""),
    # our own words
    ({"astdialer": {"min_ring_s": 0, "calling_hours": "09:00-10:00"}}, "calling_hours", "09:00-10:00"),
    ({"astdialer": {"record": False}}, "record", False),
    ({"astdialer": {"mode": "power"}}, "mode", "power"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "setting", "value"), FIELDS)
def test_a_field_is_a_setting(document: dict[str, Any], setting: str, value: Any) -> None:
    found = getattr(settings(**document), setting)
    assert (found.text if setting.startswith("retry_") and hasattr(found, "text") else found) == value


#: Keys whose usual value the example has; all others decide something by being there.
OTHERWISE = {"numberStrategy": "top-down", "membersStrategy": "strict-circuit", "type": "Progressive Dialer"}


@pytest.mark.parametrize("key", sorted(DIALER.keys() - {"description", "calendar"}))
def test_every_field_of_the_source_decides_something(key: str) -> None:
    other = {name: value for name, value in copy.deepcopy(DIALER).items() if name != key}
    if key in OTHERWISE:
        other[key] = OTHERWISE[key]
    usual, changed = translate(DIALER, HOUSE), translate(other, HOUSE)
    assert changed != usual


@pytest.mark.parametrize("key", sorted(DIALER["parameters"]))
def test_a_parameter_has_to_be_what_it_is(key: str) -> None:
    with pytest.raises(Said, match=rf"parameters\.{key} = "):
        translate(DIALER | {"parameters": {key: {"x": 1}}}, HOUSE)


@pytest.mark.parametrize("key", sorted(DIALER["amd"]))
def test_so_has_each_word_about_machines(key: str) -> None:
    with pytest.raises(Said, match=rf"amd\.{key} = "):
        translate(DIALER | {"amd": {key: "x"}}, HOUSE)


@pytest.mark.parametrize(
    "spelling",
    [
        "random", "agent-with-fewest-calls", "with_fewest_calls", "agent-with-least-talk-time", "longest_idle_agent",
        "longest-idle-agent", "with_least_utilization", "with_highest_waiting_time", "top-down",
    ],
)  # fmt: skip
def test_agent_strategies_come_in_all_spellings(spelling: str) -> None:
    assert settings(agentStrategy=spelling).agent_strategy == parse_strategy(spelling)
    assert parse_strategy(spelling) in list(AgentStrategy)


# --- resources -------------------------------------------------------------------------------------------------------


def resource(*destinations: dict[str, Any], pattern: str = "^44", **more: Any) -> dict[str, Any]:
    return {
        "dialedNumber": pattern,
        "destinations": [{"gwName": "a", "gwProto": "sip"} | each for each in destinations],
    } | more


def test_resources_are_routes_in_their_order() -> None:
    found = of({"resources": [
        resource({"dialString": "0$1", "order": 2}, {"gwName": "b", "order": 1, "enabled": False}, pattern="^44(.*)"),
        resource({}, pattern="/^1/i", disabled=True),
    ]})  # fmt: skip
    first, second = found.routes
    assert (first.name, second.name) == ("spring.7.1", "spring.7.2")
    assert found.settings["routes"] == "spring.7.1,spring.7.2"
    assert first.destinations == (Destination("a", "0$1", 2), Destination("b", "$&", 1, enabled=False))
    assert (first.enabled, second.enabled, second.pattern) == (True, False, "^1")
    assert rewrite_number(first.pattern, "0$1", "+44 20 7946").digits == "0207946"


def test_a_limit_of_nothing_is_blocked() -> None:
    """Decision 2."""
    (route,) = of({"resources": [resource({"limit": 0}, {"limit": 5})]}).routes
    assert [each.enabled for each in route.destinations] == [False, True]


def test_the_dialer_has_no_more_calls_than_its_destinations_take() -> None:
    some = [resource({"limit": 4}, {"limit": 3, "enabled": False}), resource({"limit": 2})]
    assert of({"resources": some}).settings["max_calls"] == "6"
    assert of({"resources": some} | parameter(limit=5)).settings["max_calls"] == "5"


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ({"callerIdNumber": "000000000"}, "000000000"),
        ({"callerIdNumber": 442079460000}, "442079460000"),
        ({"callerIdNumber": "1", "callerIdNumbers": "442079460001\n 442079460002 \n\n"}, "442079460001 | 442079460002"),
        ({}, ""),
        ({"callerIdNumber": "1", "enabled": False}, ""),
    ],
)
def test_what_the_called_person_sees(destination: dict[str, Any], shown: str) -> None:
    assert of({"resources": [resource(destination)]}).settings["caller_id"] == shown


def test_the_first_destination_with_a_caller_id_says_it() -> None:
    both = [resource({"callerIdNumber": ""}, {"callerIdNumber": "222"}, {"callerIdNumber": "333"})]
    assert of({"resources": both}).settings["caller_id"] == "222"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (resource({"dialString": "$9"}), "dialString"),
        (resource({"dialString": "a b"}), "dialString"),
        (resource({"order": "first"}), r"resources\[0\]\.destinations\[0\]\.order = "),
        (resource({"limit": -1}), r"destinations\[0\]\.limit = -1"),
        (resource({"callerIdNumber": "Ana; <b>"}), r"destinations\[0\]\.callerIdNumber = "),
        (resource({}, pattern="["), r"resources\[0\]\.dialedNumber = '\['"),
        (resource({}, pattern=""), r"dialedNumber = ''"),
        (resource({}, pattern="(" * 300), "dialedNumber"),
        ({"dialedNumber": "x", "destinations": {}}, r"resources\[0\]\.destinations = \{\}"),
    ],
)
def test_a_resource_that_cant_be_is_refused_with_its_place(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(Said, match=words):
        of({"resources": [bad]})


def test_a_gateway_that_is_no_trunks_name_is_one_like_it() -> None:
    (route,) = of({"resources": [resource({"gwName": "Мой gateway"})]}).routes
    assert route.destinations[0].trunk == "gateway"


@pytest.mark.parametrize("destination", [{"gwProto": "user"}, {"gwName": ""}, {"gwName": None}])
def test_what_leaves_by_no_gateway_is_told(destination: dict[str, Any]) -> None:
    found = of({"resources": [resource(destination, {})]})
    assert found.unsaid == (
        "resources[0].destinations[0]: gwProto has to be sip, and gwName a trunk's name (astdialer trunk list)",
    )
    assert len(found.routes[0].destinations) == 1
    assert of({"resources": [resource(destination | {"enabled": False})]}).unsaid == ()


# --- types and variables ---------------------------------------------------------------------------------------------


def types(*kinds: dict[str, Any]) -> dict[str, Any]:
    return {"communications": {"types": list(kinds)}}


def test_a_type_without_ranges_is_never_dialed() -> None:
    (never,) = parse_ranges(of(types({"code": "1", "name": "x"})).settings["ranges"])["1"]
    assert never.attempts == 0


def test_ranges_of_a_type_that_comes_twice_are_together() -> None:
    kind = {"code": "1", "ranges": [{"startTime": 0, "endTime": 60, "attempts": 1}]}
    assert len(parse_ranges(of(types(kind, kind)).settings["ranges"])["1"]) == 2


@pytest.mark.parametrize(
    "ranges",
    [
        [{"startTime": 60, "endTime": 60}],
        [{"startTime": -1, "endTime": 60}],
        [{"startTime": 0, "endTime": 1441}],
        [{"startTime": "x"}],
        [{"attempts": 1.5}],
        ["x"],
        {},
    ],
)
def test_a_range_that_cant_be_is_refused(ranges: Any) -> None:
    with pytest.raises(Said, match=r"communications\.types\[0\]\.ranges"):
        of(types({"code": "1", "ranges": ranges}))


@given(st.text(max_size=40), st.text(max_size=40))
def test_each_type_has_a_code_of_its_own(one: str, other: str) -> None:
    assert (type_code(one) == type_code(other)) is (one == other)
    assert parse_ranges(f"{type_code(one)}=00:00-24:00/1")
    assert type_code(one) != "U"


def test_variables_go_to_every_channel() -> None:
    found = of({"variables": {"a": 1, "b;": 2, "C": "x;y\\z", "cc_queue": "mine"}}).settings["params"]
    assert parse_params("params", found) == {
        "dlr_queue": DIALER_ID, "a": "1", "C": "x;y\\z", "cc_queue": "mine"
    }  # fmt: skip


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=9), max_size=80)
)
def test_whatever_the_variables_they_can_be_set(variables: dict[str, Any]) -> None:
    parse_settings({"params": of({"variables": variables}).settings["params"]})
