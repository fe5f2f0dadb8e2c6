"""What may be written to Asterisk, and in which shape."""

from __future__ import annotations

import pytest
from test_guards import call

from astdialer.ami import values
from astdialer.ami.values import BadValue

ATTEMPT = "0b54f2a0-8bb5-4c7a-9c4e-6f1a52d1c001"


def test_an_originate_is_written_so() -> None:
    asked = call(ATTEMPT, timeout_s=30, caller_id="Shop <+442079460000>", variables={"A": "1", "CONTACT_B": "x"})
    assert values.originate(asked) == {
        "Action": "Originate",
        "ActionID": f"originate-{ATTEMPT}",
        "Channel": "PJSIP/447700900001@carrier",
        "Context": "astdialer-answered",
        "Exten": "s",
        "Priority": "1",
        "Timeout": "30000",
        "CallerID": "Shop <+442079460000>",
        "Account": "c1",
        "Async": "true",
        "ChannelId": ATTEMPT,
        "Variable": ["A=1", "CONTACT_B=x"],
    }


def test_without_a_caller_id_the_trunk_decides() -> None:
    assert "CallerID" not in values.originate(call(ATTEMPT, caller_id=""))


def test_the_other_half_of_a_local_channel_has_an_id_of_fixed_length_that_is_no_attempts() -> None:
    action = values.originate(call(ATTEMPT, channel="Local/447700900001@from-internal/n"))
    assert action["OtherChannelId"] == f"local-{ATTEMPT}"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("Local/100@agents", "Local/100@agents/n"),
        ("local/100@agents/b", "local/100@agents/nb"),
        ("Local/100@agents/", "Local/100@agents/n"),
        ("Local/100@agents/n", "Local/100@agents/n"),
        ("Local/100@agents/bn", "Local/100@agents/bn"),
        ("PJSIP/agent1", "PJSIP/agent1"),
        ("PJSIP/100@trunk/local", "PJSIP/100@trunk/local"),
    ],
)
def test_a_local_channel_stays_in_its_talk(asked: str, sent: str) -> None:
    assert values.originate(call(ATTEMPT, channel=asked))["Channel"] == sent


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("Perez, Juan", r"Perez\, Juan"),
        ("x,CALLERID(num)=666", r"x\,CALLERID(num)=666"),
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("ends with \\", r"ends with \\"),
        ("${SHELL(id)}", "${SHELL(id)}"),
    ],
)
def test_what_is_syntax_in_a_variable_is_escaped(plain: str, escaped: str) -> None:
    assert values.originate(call(ATTEMPT, variables={"N": plain}))["Variable"] == [f"N={escaped}"]


@pytest.mark.parametrize(("seconds", "milliseconds"), [(0.0001, "1"), (0.5, "500"), (30, "30000"), (59.9996, "60000")])
def test_the_timeout_is_in_milliseconds_and_never_zero(seconds: float, milliseconds: str) -> None:
    assert values.originate(call(ATTEMPT, timeout_s=seconds))["Timeout"] == milliseconds


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timeout_s": 0}, "more than 0 s"),
        ({"timeout_s": -1}, "more than 0 s"),
        ({"timeout_s": float("nan")}, "more than 0 s"),
        ({"timeout_s": float("inf")}, "more than 0 s"),
        ({"attempt_id": "dlr-1"}, "expected a UUID"),
        ({"attempt_id": ATTEMPT.upper()}, "expected a UUID"),
        ({"attempt_id": ATTEMPT + "\n"}, "expected a UUID"),
        ({"channel": "447700900001"}, "expected technology/number"),
        ({"channel": "PJSIP/"}, "expected technology/number"),
        ({"channel": "PJSIP/" + "1" * 250}, "longer than 255 bytes"),
        ({"caller_id": "é" * 128}, "longer than 255 bytes"),
        ({"account": "a" * 992}, "makes a line of 1001 bytes"),
        ({"variables": {"N": "é" * 495}}, "makes a line of 1002 bytes"),
        ({"variables": {"N": "," * 495}}, "makes a line of 1002 bytes"),
        ({"variables": {f"V{n}": "" for n in range(65)}}, "65 variables; Asterisk takes 64"),
        ({"variables": {"CALLERID(num)": "1"}}, "expected letters, digits and _"),
        ({"variables": {"A=1,B": "1"}}, "expected letters, digits and _"),
    ],
)
def test_what_asterisk_would_misread_is_refused(changes: dict[str, object], says: str) -> None:
    attempt = str(changes.pop("attempt_id", ATTEMPT))
    with pytest.raises(BadValue, match=says):
        values.originate(call(attempt, **changes))


def test_limits_are_inclusive() -> None:
    variables = {f"V{n}": "x" for n in range(63)} | {"N": "x" * (values.LONGEST_LINE - len("Variable: N="))}
    assert len(values.originate(call(ATTEMPT, variables=variables))["Variable"]) == 64


def test_more_headers_than_asterisk_reads_are_refused() -> None:
    values.check({"Action": "X", "Variable": ["a=1"] * 127})
    with pytest.raises(BadValue, match="X: 129 lines"):
        values.check({"Action": "X", "Variable": ["a=1"] * 128})


@pytest.mark.parametrize("name", ["", "A B", "A\r\nB", "A:", "Ä"])
def test_a_header_is_a_plain_word(name: str) -> None:
    with pytest.raises(BadValue, match="no header"):
        values.check({name: "x"})


@pytest.mark.parametrize("text", ["/.*/", "", "PJSIP/carrier-00000001", ATTEMPT + "0"])
def test_only_a_uuid_is_hung_up(text: str) -> None:
    with pytest.raises(BadValue):
        values.check_uuid("attempt", text)


def test_sip_headers_are_added_to_the_invite_of_a_pjsip_channel_only() -> None:
    headers = {"Call-Info": "<sip:a>;answer-after=0", "X-Note": 'a,"b"'}
    made = values.originate(call(ATTEMPT, channel="PJSIP/1001", variables={"A": "1"}, headers=headers))
    assert made["Variable"] == [
        "A=1",
        "PJSIP_HEADER(add,Call-Info)=<sip:a>;answer-after=0",
        'PJSIP_HEADER(add,X-Note)=a\\,\\"b\\"',
    ]
    local = values.originate(call(ATTEMPT, channel="Local/1001@from-queue", variables={"A": "1"}, headers=headers))
    assert local["Variable"] == ["A=1"]


@pytest.mark.parametrize("name", ["", "Call Info", "A,b", "X)=y,CALLERID(num", "A\r\nB"])
def test_what_is_no_sip_header_is_refused(name: str) -> None:
    with pytest.raises(BadValue):
        values.originate(call(ATTEMPT, channel="PJSIP/1001", headers={name: "x"}))
