"""Dial strings that no number can change, and calls per second."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.trunk import CallRate, Trunk, check_dial

TEMPLATES = ("PJSIP/{number}@carrier", "SIP/carrier/{e164}", "Local/{as_uploaded}@out/n", "PJSIP/{number}-{e164}@c")


def test_a_dial_string_has_the_number_in_the_form_the_trunk_wants() -> None:
    forms = {
        "PJSIP/{number}@c": "PJSIP/34600000001@c",
        "SIP/c/{e164}": "SIP/c/+34600000001",
        "DAHDI/g1/{as_uploaded}": "DAHDI/g1/600000001",
    }
    for template, expected in forms.items():
        assert Trunk(name="t", dial=template).dial_string("+34600000001", "600-000-001") == expected


@given(st.sampled_from(TEMPLATES), st.text(), st.text())
def test_a_number_adds_nothing_but_what_a_telephone_has_keys_for(template: str, number: str, as_uploaded: str) -> None:
    fixed = re.split(r"\{\w+\}", template)
    pattern = "[0-9+*#]*".join(map(re.escape, fixed))
    assert re.fullmatch(pattern, Trunk(name="t", dial=template).dial_string(number, as_uploaded))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_usable_dial_string_is_kept(template: str) -> None:
    assert check_dial(template) == template


@pytest.mark.parametrize(
    "template",
    [
        "",
        "PJSIP/carrier",
        "{number}",
        "PJSIP/{number}@{trunk}",
        "PJSIP/{number}@c,30",
        "PJSIP/{number}@c&PJSIP/x",
        "PJSIP/{number}@c\r\nAction: Logoff",
        "PJSIP/{number} @c",
        "PJSIP/${number}@c",
        "PJSIP/{number}}@c",
        "PJSIP/{{number}@c",
        "PJSIP/{number}@" + "c" * 200,
    ],
)
def test_an_unusable_dial_string_is_refused_with_an_example(template: str) -> None:
    with pytest.raises(InvalidSetting, match=r"PJSIP/\{number\}@carrier"):
        check_dial(template)


@given(st.floats(0.1, 50), st.lists(st.integers(0, 400), max_size=60), st.integers(1, 5000))
def test_the_rate_is_never_exceeded_in_any_window(rate: float, gaps: list[int], window_ms: int) -> None:
    bucket, now, sent = CallRate(rate), 1_000_000.0, []
    for gap in gaps:
        now += gap
        now += bucket.wait_s(int(now)) * 1000
        if bucket.wait_s(int(now)) == 0:
            bucket.take(int(now))
            sent.append(now)
    for start in sent:
        inside = sum(start <= at < start + window_ms for at in sent)
        assert inside <= window_ms * rate / 1000 + 1 + 0.01 * inside


@given(st.floats(0.1, 50), st.integers(0, 1), st.floats(0, 3))
def test_room_is_what_really_may_leave_within_the_horizon(rate: float, taken: int, horizon_s: float) -> None:
    bucket, now = CallRate(rate), 1_000_000
    for _ in range(taken):
        bucket.take(now)
    promised = bucket.room(now, horizon_s)
    leaves = [bucket.wait_s(now) + n / rate for n in range(200)]
    assert promised == pytest.approx(sum(at <= horizon_s for at in leaves), abs=1e-6) or any(
        abs(at - horizon_s) < 1e-6 for at in leaves
    )


@given(st.floats(0.01, 50), st.lists(st.integers(0, 10_000), min_size=1))
def test_calls_that_have_left_already_count_in_whatever_order_they_are_told(rate: float, sent: list[int]) -> None:
    bucket = CallRate(rate)
    for at in sent:
        bucket.took(at)
    assert bucket.wait_s(max(sent)) == pytest.approx(1 / rate)


def test_a_rest_saves_up_no_calls() -> None:
    bucket = CallRate(2)
    bucket.take(0)
    bucket.take(60_000)
    assert bucket.wait_s(60_000) == 0.5
