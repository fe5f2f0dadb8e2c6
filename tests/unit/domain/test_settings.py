"""Every setting: its text form, its limits, its sentence."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.abandonment import Profile
from astdialer.domain.agent import AgentStrategy
from astdialer.domain.amd import AmdParameters
from astdialer.domain.cause import CauseRules
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import check_name, parse_names
from astdialer.domain.retry import DEFAULTS, Retry
from astdialer.domain.settings import (
    ContactStrategy,
    Mode,
    NotSure,
    NumberStrategy,
    Settings,
    check_together,
    parse_settings,
    setting_docs,
    settings_texts,
    text_of,
)

D = Disposition
KEYS = tuple(f.name for f in dataclasses.fields(Settings))
DEFAULT = Settings()
FLAGS = tuple(key for key in KEYS if isinstance(getattr(DEFAULT, key), bool))
RETRIES = tuple(key for key in KEYS if isinstance(getattr(DEFAULT, key), Retry))
AMD = tuple(key for key in KEYS if key.startswith("amd_") and isinstance(getattr(DEFAULT, key), int))
CAUSES = ("causes_ok", "causes_retry", "causes_error", "causes_minus")
CHOICES = {
    "mode": Mode,
    "amd_not_sure": NotSure,
    "number_strategy": NumberStrategy,
    "contact_strategy": ContactStrategy,
    "abandonment_profile": Profile,
}
NUMBERS = {"abandonment_target": (0.1, 100), "abandonment_limit": (0.1, 100), "amd_false_machines": (0, 100)}
WHOLE = {
    "priority": (-1000, 1000),
    "max_calls": (1, 10000),
    "originate_timeout_s": (1, 600),
    "min_ring_s": (0, 120),
    "agent_wait_s": (1, 600),
    "wrap_up_s": (0, 3600),
    "short_call_s": (0, 600),
    "key_wait_s": (0, 60),
    "max_tries": (0, 999),
    "max_tries_per_number": (0, 999),
    "record_trim_s": (0, 600),
    "retry_interval_s": (0, 99_999_999),
    "attempts_per_day": (0, 999),
    "attempts_per_week": (0, 999),
    "abandoned_rest_h": (0, 8784),
    "result_timeout_s": (1, 604_800),
    "result_retry_s": (0, 99_999_999),
    "agent_call_timeout_s": (1, 600),
    "max_no_answer": (0, 100),
    "busy_delay_s": (0, 3600),
    "reject_delay_s": (0, 3600),
    "no_answer_delay_s": (0, 3600),
    "preview_s": (5, 3600),
    "preview_skip_delay_s": (0, 99_999_999),
    "choose_among": (1, 200),
    "predict_adjust": (0, 1000),
    "predict_after_answers": (1, 10_000),
    "predict_memory": (50, 100_000),
    **dict.fromkeys(AMD, (0, 32767)),
}


def one_in(seconds: int) -> float:
    """One call in so many seconds, as precisely as its text form has it."""
    return float(f"{1 / seconds:.12g}")


delays = st.lists(st.integers(0, 99_999_999), min_size=1, max_size=30).map(tuple)
retries = st.builds(Retry, tries=st.none() | st.integers(1, 999), delays_s=delays)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?", fullmatch=True)
lists = st.lists(names, max_size=4).map(",".join)
plain = st.text(st.characters(codec="utf-8", exclude_characters=",;|\"'\\$`{}\x7f", min_codepoint=32), max_size=255)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{key: st.sampled_from(kind) for key, kind in CHOICES.items()},
    **{key: st.integers(low, high) for key, (low, high) in WHOLE.items()},
    **{key: st.integers(int(low * 100), high * 100).map(lambda n: n / 100) for key, (low, high) in NUMBERS.items()},
    **dict.fromkeys(FLAGS, st.booleans()),
    **dict.fromkeys(RETRIES, retries),
    **dict.fromkeys(("trunk", "queue", "calendar"), st.just("") | names),
    **dict.fromkeys(("routes", "skills"), lists),
    **dict.fromkeys(("safe_harbour", "sound", "message"), plain),
    **dict.fromkeys(CAUSES, st.sampled_from(["", "USER_BUSY", "user_busy, 18, sip_486", "17"])),
    "agents": st.sampled_from(["", "1001", "PJSIP/1001, 1002", "Local/1001@from-queue/n,SIP/ana.lopez"]),
    "caller_id": st.sampled_from(
        ["", "34910000000", "Ana <34910000000>", "34910000 | 34910001", "1234567-89", "pool:x"]
    ),
    "goto": st.sampled_from(["", "own,s,1", "own-ctx,*72#,start", "a.b,*72#,label"]),
    "calls_per_second": st.sampled_from([0.0, 0.01, 2.5, 10000.0]) | st.integers(1, 100).map(one_in),
    **dict.fromkeys(("start_at", "stop_at"), st.sampled_from(["", "2026-12-01T10:00Z", "2026-12-01 10:00:30+05:30"])),
    "lines_per_agent": st.integers(1_000_000, 10_000_000).map(lambda millionths: millionths / 1_000_000),
    "calling_hours": st.sampled_from(["08:00-21:00", "0:00-24:00", "09:30-17:45"]),
    "weekdays": st.sampled_from(["mon-sun", "fri-mon", "tue,thu"]),
    "timezone": st.sampled_from(["", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "UTC+05:30"]),
    "ranges": st.sampled_from(["", "M=09:00-12:00/2@10;H=18:00-21:00/1", "home-1=0:00-24:00/0@-5"]),
    "outcomes": st.sampled_from(["", "Sale=success;No|Too expensive=close", "Later=reschedule:other->"]),
    "params": st.sampled_from(["", "source=spring", r"a=1\;2;B_2=x\\y; c = d ;"]),
    "agent_strategy": st.sampled_from([*AgentStrategy, "with_fewest_calls", "agent-with-least-talk-time"]),
}
BAD: dict[str, list[str]] = {
    **{key: ["", "x", "1.5", "٣", str(low - 1), str(high + 1), "9" * 30] for key, (low, high) in WHOLE.items()},
    **{key: ["", "maybe", "2", "ja"] for key in FLAGS},
    **{
        key: [
            "",
            "3",
            "0/60",
            "000/60",
            "０/60",
            "3/-1",
            "3/60/1",
            "3/60,",
            "1000/1",
            "a/b",
            "**/1",
            "3/" + "1," * 30 + "1",
        ]
        for key in RETRIES
    },
    **{key: ["a b", "-x", "x" * 70, "a\n", "a/b"] for key in ("trunk", "queue", "calendar")},
    **{key: ["a b", "a,-x", "a;b", "a/b", "x" * 70] for key in ("routes", "skills")},
    **{key: ["USER_BUSI", "0", "128", "486", "sip_200", "17;18"] for key in CAUSES},
    **{key: ["", "-1", "100.1", "nan", "3 %", "1e1"] for key in NUMBERS},
    "abandonment_profile": ["", "US", "de"],
    "mode": ["", "predictiv", "POWER"],
    "amd_not_sure": ["", "maybe"],
    "number_strategy": ["", "by_priority"],
    "contact_strategy": ["", "random"],
    "agents": ["PJSIP/1001 PJSIP/1002", "/1001", "a;b", "Ana López", "x" * 200],
    "caller_id": ["a\r\nb", "${X}", "a;b", 'A "B"', "x" * 256],
    "safe_harbour": ["a,b", "\x00"],
    "sound": ["a|b", "`id`"],
    "message": ["{x}", "\x7f"],
    "goto": ["own", "own,s", "own,s,1,2", "own,s,", "own;s;1", "o wn,s,1", "own,s,٣"],
    "calls_per_second": ["", "-1", "0.009", "10001", "1/0", "1/101", "1/2/3", "nan", "1e1", "٣"],
    "start_at": ["2026-12-01", "2026-12-01T10:00", "2026-13-01T10:00Z", "tomorrow"],
    "stop_at": ["2026-12-01T25:00Z", "0001-01-01T00:00Z", "2026-12-01T10:00+0300"],
    "lines_per_agent": ["", "0.9", "10.1", "nan", "inf", "1e1", "-2"],
    "calling_hours": ["", "8-21"],
    "weekdays": ["", "monday", ","],
    "timezone": ["Mars/Olympus", "../../etc/passwd", "UTC+25:00"],
    "ranges": ["M", "M=9-12/2", "M=12:00-09:00/2", "M=09:00-12:00"],
    "outcomes": ["Sale", "Sale=buy", "a|b|c|d=close", "Sale=success;sale=close"],
    "params": ["source", "a b=1", "=1", "a=\n", r"a=\n", "a=1;A=2", "a=1;a=2", "a=" + "x" * 901],
    "agent_strategy": ["fastest", "with fewest calls", "agent-", " "],
}


@pytest.mark.parametrize("key", KEYS)
def test_parse_takes_back_what_text_gives(key: str) -> None:
    @given(VALUES[key])
    def check(value: Any) -> None:
        settings = parse_settings({key: text_of(value)})
        assert getattr(settings, key) == value
        assert parse_settings(settings_texts(settings)) == settings

    check()


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_value_is_refused_by_name_with_what_was_expected(key: str) -> None:
    for text in BAD[key]:
        with pytest.raises(InvalidSetting) as caught:
            parse_settings({key: text})
        error = caught.value
        assert error.key == key
        assert str(error.value) in text, "the value, or the part of it that is wrong"
        assert error.expected
        assert str(error) == f"{key} = {error.value!r}: expected {error.expected}"
        assert error.code == "invalid_setting"


@given(st.sampled_from(KEYS), st.text())
def test_any_text_is_a_setting_or_an_invalid_setting(key: str, text: str) -> None:
    blamed, settings = key, Settings()
    try:
        settings = parse_settings({key: text})
    except InvalidSetting as error:
        blamed = error.key
    assert blamed == key
    assert parse_settings(settings_texts(settings)) == settings


def test_a_key_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidSetting, match="max_calls"):
        parse_settings({"maxcalls": "3"})


def test_given_settings_leave_the_others_alone() -> None:
    base = Settings(queue="sales", max_calls=7)
    assert parse_settings({"max_calls": "8"}, base) == dataclasses.replace(base, max_calls=8)


def test_every_setting_has_a_default_and_a_sentence() -> None:
    docs = setting_docs()
    assert tuple(docs) == KEYS
    for key, (default, sentence) in docs.items():
        assert len(sentence) > 10, key
        assert sentence.endswith("."), key
        assert parse_settings({key: default}) == Settings()


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("Yes", True), ("1", True), ("off", False), ("NO", False), ("0", False)]
)
def test_flags_are_read_as_people_write_them(text: str, flag: bool) -> None:
    assert parse_settings({"record": text}).record is flag


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("3/600", Retry(tries=3, delays_s=(600,))),
        ("*/60", Retry(tries=None, delays_s=(60,))),
        ("4/60,300, 3600", Retry(tries=4, delays_s=(60, 300, 3600))),
    ],
)
def test_a_redial_rule_has_tries_and_one_or_more_delays(text: str, retry: Retry) -> None:
    assert parse_settings({"retry_busy": text}).retry_busy == retry


def test_retries_come_from_the_settings_or_the_defaults() -> None:
    often = Retry(tries=9, delays_s=(1,))
    retries = Settings(retry_busy=often).retries
    assert retries[D.BUSY] == often
    assert retries[D.ANSWERED] == DEFAULTS[D.ANSWERED]
    assert set(retries) == set(Disposition)


def test_the_window_and_the_outcome_rules_are_the_settings() -> None:
    settings = Settings(calling_hours="09:30-10:00", weekdays="sat", amd_not_sure=NotSure.MACHINE, short_call_s=4)
    window = settings.window
    assert (window.start_minute, window.end_minute, sorted(window.weekdays)) == (570, 600, [5])
    rules = settings.outcome_rules
    assert (rules.not_sure_is_machine, rules.agent_wait_s, rules.short_call_s) == (True, 2, 4)


def test_the_arguments_of_amd_are_the_settings() -> None:
    assert Settings().amd_parameters == AmdParameters()
    assert Settings(amd_max_words=5).amd_parameters == AmdParameters(max_words=5)


def test_the_causes_are_the_settings_and_empty_ones_the_usual() -> None:
    assert Settings().cause_rules == CauseRules()
    rules = parse_settings({"causes_error": "user_busy, sip_404", "causes_minus": "41"}).cause_rules
    assert rules == CauseRules(error=frozenset({"USER_BUSY", "sip_404"}), minus=frozenset({"41"}))


def test_a_number_rings_for_its_time_and_at_least_as_long_as_it_must() -> None:
    assert Settings(originate_timeout_s=30, min_ring_s=15).ring_s == 30
    assert Settings(originate_timeout_s=10, min_ring_s=15).ring_s == 15


@pytest.mark.parametrize(
    ("mode", "needs_agents", "rings_agent_first"),
    [
        (Mode.BROADCAST, False, False),
        (Mode.POWER, True, False),
        (Mode.PROGRESSIVE, True, False),
        (Mode.AGENT_FIRST, True, True),
        (Mode.PREVIEW, True, True),
    ],
)
def test_a_mode_says_who_is_rung_first(mode: Mode, needs_agents: bool, rings_agent_first: bool) -> None:
    assert (mode.needs_agents, mode.rings_agent_first) == (needs_agents, rings_agent_first)


def test_settings_that_agree_are_kept() -> None:
    settings = parse_settings({"originate_timeout_s": "15", "causes_ok": "USER_BUSY", "causes_retry": "18"})
    assert check_together(settings) is settings
    assert check_together(Settings()) == Settings()


def test_a_ring_that_is_shorter_than_the_shortest_is_refused_with_both_remedies() -> None:
    settings = parse_settings({"originate_timeout_s": "14"})
    with pytest.raises(InvalidSetting, match=r"originate_timeout_s = 14: .*raise it, or lower min_ring_s"):
        check_together(settings)


def test_a_target_above_the_limit_is_refused_with_both_remedies() -> None:
    settings = parse_settings({"abandonment_target": "3.5"})
    with pytest.raises(InvalidSetting, match=r"abandonment_target = 3.5: .*lower it, or raise abandonment_limit"):
        check_together(settings)


@pytest.mark.parametrize(("text", "per_second"), [("0", 0), ("1/60", 1 / 60), ("3", 3), ("0.5", 0.5), ("1/100", 0.01)])
def test_a_pace_is_calls_a_second_or_one_in_so_many_seconds(text: str, per_second: float) -> None:
    assert parse_settings({"calls_per_second": text}).calls_per_second == pytest.approx(per_second, rel=1e-11)


def test_a_campaign_starts_and_stops_at_instants() -> None:
    assert (Settings().starts, Settings().stops) == (None, None)
    settings = parse_settings({"start_at": "2026-12-01T10:00+03:00", "stop_at": "2026-12-01 07:00:01Z"})
    assert (settings.starts, settings.stops) == (1_796_108_400_000, 1_796_108_401_000)
    assert check_together(settings) is settings


@pytest.mark.parametrize("stop", ["2026-12-01T07:00Z", "2026-11-30T10:00Z"])
def test_a_campaign_that_would_stop_before_it_starts_is_refused(stop: str) -> None:
    settings = parse_settings({"start_at": "2026-12-01T10:00+03:00", "stop_at": stop})
    with pytest.raises(InvalidSetting, match=r"stop_at = .*: expected later than start_at, 2026-12-01T10:00\+03:00"):
        check_together(settings)


@pytest.mark.parametrize("again", ["USER_BUSY", "17"])
def test_a_cause_in_two_lists_is_refused(again: str) -> None:
    settings = parse_settings({"causes_retry": "USER_BUSY", "causes_error": again})
    with pytest.raises(InvalidSetting, match=r"each cause in one list; .*USER_BUSY.* is in causes_error as well"):
        check_together(settings)


@given(names)
def test_a_good_name_is_kept(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a\n", "x" * 65, "a->b", "ñ"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="name"):
        check_name(name)


def test_a_list_of_names_is_read_with_any_spaces_and_commas() -> None:
    assert parse_names("routes", "") == parse_names("routes", " , ") == ()
    assert parse_names("routes", " one, two,,three ") == ("one", "two", "three")


def test_agents_are_named_by_interface_as_well_and_routes_are_not() -> None:
    assert parse_names("agents", "1001, Local/1002@from-queue/n") == ("1001", "Local/1002@from-queue/n")
    with pytest.raises(InvalidSetting, match="'a/b' can't be one"):
        parse_names("routes", "a/b")
