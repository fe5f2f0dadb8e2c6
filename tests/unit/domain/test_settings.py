"""Every setting: its text form, its limits, its sentence."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.campaign import (
    Mode,
    NotSure,
    Settings,
    check_name,
    parse_settings,
    problems,
    setting_docs,
    settings_texts,
    text_of,
)
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.retry import DEFAULTS, Retry

KEYS = tuple(f.name for f in dataclasses.fields(Settings))
retries = st.builds(Retry, tries=st.integers(1, 999), delay_s=st.integers(0, 99_999_999))
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?", fullmatch=True)
plain = st.text(st.characters(codec="utf-8", exclude_characters=",;|\"'\\$`{}\x7f", min_codepoint=32), max_size=255)
whole = {
    "priority": (-1000, 1000),
    "max_calls": (1, 10000),
    "originate_timeout_s": (5, 600),
    "agent_wait_s": (1, 600),
    "wrap_up_s": (0, 3600),
    "short_call_s": (0, 600),
    "key_wait_s": (0, 60),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(Mode),
    "amd_not_sure": st.sampled_from(NotSure),
    "trunk": st.just("") | names,
    "queue": st.just("") | names,
    "caller_id": plain,
    "safe_harbour": plain,
    "sound": plain,
    "message": plain,
    "goto": st.sampled_from(["", "own,s,1", "own-ctx,*72#,start", "a.b,*72#,label"]),
    "record": st.booleans(),
    "amd": st.booleans(),
    "lines_per_agent": st.integers(1_000_000, 10_000_000).map(lambda millionths: millionths / 1_000_000),
    "calling_hours": st.sampled_from(["08:00-21:00", "0:00-24:00", "09:30-17:45"]),
    "weekdays": st.sampled_from(["mon-sun", "fri-mon", "tue,thu"]),
    "timezone": st.sampled_from(["", "Asia/Kolkata", "America/Argentina/Buenos_Aires"]),
    **{key: st.integers(low, high) for key, (low, high) in whole.items()},
    **{key: st.integers(0, 32767) for key in KEYS if key.startswith("amd_") and key != "amd_not_sure"},
    **{key: retries for key in KEYS if key.startswith("retry_")},
}
BAD: dict[str, list[str]] = {
    "mode": ["", "predictive", "POWER"],
    "amd_not_sure": ["", "maybe"],
    "trunk": ["a b", "-x", "x" * 70, "a\n"],
    "queue": ["q,1", "a/b"],
    "caller_id": ["a\r\nb", "${X}", "a;b", 'A "B"', "x" * 256],
    "safe_harbour": ["a,b", "\x00"],
    "sound": ["a|b", "`id`"],
    "message": ["{x}", "\x7f"],
    "goto": ["own", "own,s", "own,s,1,2", "own,s,", "own;s;1", "o wn,s,1"],
    "record": ["", "maybe", "2"],
    "amd": ["ja"],
    "lines_per_agent": ["", "0.9", "10.1", "nan", "inf", "1e1", "-2"],
    "calling_hours": ["", "8-21"],
    "weekdays": ["", "monday", ","],
    "timezone": ["Mars/Olympus", "../../etc/passwd"],
    **{key: ["", "x", "1.5", str(low - 1), str(high + 1), "9" * 30] for key, (low, high) in whole.items()},
    **{key: ["", "-1", "32768"] for key in KEYS if key.startswith("amd_") and key != "amd_not_sure"},
    **{key: ["", "3", "0/60", "3/-1", "3/60/1", "1000/1", "a/b"] for key in KEYS if key.startswith("retry_")},
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
        assert (error.key, error.value) == (key, text)
        assert error.expected
        assert str(error) == f"{key} = {text!r}: expected {error.expected}"
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


def test_retries_come_from_the_settings_or_the_defaults() -> None:
    retries = Settings(retry_busy=Retry(tries=9, delay_s=1)).retries
    assert retries[Disposition.BUSY] == Retry(tries=9, delay_s=1)
    assert retries[Disposition.ANSWERED] == DEFAULTS[Disposition.ANSWERED]
    assert set(retries) == set(Disposition)


def test_the_window_and_the_outcome_rules_are_the_settings() -> None:
    settings = Settings(calling_hours="09:30-10:00", weekdays="sat", amd_not_sure=NotSure.MACHINE, short_call_s=4)
    assert (settings.window.start_minute, settings.window.end_minute, sorted(settings.window.weekdays)) == (
        570,
        600,
        [5],
    )
    rules = settings.outcome_rules
    assert (rules.not_sure_is_machine, rules.agent_wait_s, rules.short_call_s) == (True, 2, 4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), ["trunk=NAME", "queue=NAME"]),
        (Settings(trunk="t", queue="q"), []),
        (Settings(trunk="t", mode=Mode.BROADCAST), ["sound=FILE"]),
        (Settings(trunk="t", mode=Mode.BROADCAST, goto="own,s,1"), []),
        (Settings(trunk="t", mode=Mode.BROADCAST, sound="x"), []),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(settings: Settings, words: list[str]) -> None:
    found = problems(settings)
    assert len(found) == len(words)
    assert all(word in problem for word, problem in zip(words, found, strict=True))


@given(names)
def test_a_good_name_is_kept(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a\n", "x" * 65, "a->b", "ñ"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="name"):
        check_name(name)
