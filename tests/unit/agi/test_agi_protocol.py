"""The parser and the quoting, without I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.agi.errors import AgiViolation, InvalidCommand
from astdialer.agi.protocol import (
    MAX_COMMAND,
    MAX_PIECE,
    Closed,
    Environment,
    Event,
    HungUp,
    Parser,
    Reply,
    command_line,
    quote,
)

ENVIRONMENT = "agi_network: yes\nagi_network_script: a/b?x=1&y=&x=2\nagi_arg_1: one: two\nagi_arg_2: \n\n"


def events(*pieces: bytes) -> list[Event | str]:
    """All events; a violation as its text."""
    parser, found = Parser(), list[Event | str]()
    try:
        for piece in pieces:
            parser.feed(piece)
            while (event := parser.next_event()) is not None and event != Closed():
                found.append(event)
    except AgiViolation as violation:
        return [*found, str(violation)]
    return found


def replies(text: str) -> list[Event | str]:
    """The events after an environment."""
    return events((ENVIRONMENT + text).encode())[1:]


def test_the_environment_gives_script_query_and_arguments() -> None:
    [found] = events(ENVIRONMENT.encode())
    assert isinstance(found, Environment)
    assert found.script == "a/b"
    assert found.query == {"x": "2", "y": ""}
    assert found.arguments == ("one: two", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200 result=1\n", Reply(200, "1", None, "result=1")),
        ("200 result=1 (value with ) in it)\n", Reply(200, "1", "value with ) in it", "result=1 (value with ) in it)")),
        ("200 result=1 ()\n", Reply(200, "1", "", "result=1 ()")),
        ("200 result= (timeout)\n", Reply(200, "", "timeout", "result= (timeout)")),
        ("200 result=0 endpos=1200\n", Reply(200, "0", None, "result=0 endpos=1200")),
        ("200 result=1 (speech) endpos=3\n", Reply(200, "1", "speech", "result=1 (speech) endpos=3")),
        ("200 result=-1\r\n", Reply(200, "-1", None, "result=-1")),
        ("200 result=1 (two\nlines)\n", Reply(200, "1", "two\nlines", "result=1 (two\nlines)")),
        ("200 result=1 (\nlines)\n", Reply(200, "1", "\nlines", "result=1 (\nlines)")),
        ("100 result=0 Trying...\n200 result=0\n", Reply(200, "0", None, "result=0")),
        ("510 Invalid or unknown command\n", Reply(510, text="Invalid or unknown command")),
        ("511 Command Not Permitted on a dead channel\n", Reply(511, text="Command Not Permitted on a dead channel")),
        ("520 Invalid command syntax.\n", Reply(520, text="Invalid command syntax.")),
        ("520-Use:\n\n X\n520 End of\n", Reply(520, text="Use:\n\n X\n520 End of")),
        ("HANGUP\n", HungUp()),
    ],
)
def test_a_reply(text: str, expected: Event) -> None:
    assert replies(text) == [expected]


def test_hangup_is_out_of_band_between_any_two_lines() -> None:
    lines = ["200 result=1 (a\n", "b)\n", "520-Use:\n", " X\n", "520 End\n", "200 result=0\n"]
    undisturbed = replies("".join(lines))
    for position in range(len(lines) + 1):
        disturbed = replies("".join([*lines[:position], "HANGUP\n", *lines[position:]]))
        assert disturbed.count(HungUp()) == 1
        assert [event for event in disturbed if event != HungUp()] == undisturbed


@pytest.mark.parametrize("text", ["\n", "hello\n", "200\n", "200 value=1\n", "20 result=1\n", "2000 result=1\n"])
def test_what_is_no_reply_is_a_violation(text: str) -> None:
    [found] = replies(text)
    assert isinstance(found, str)


@pytest.mark.parametrize(
    "text",
    ["GET / HTTP/1.1\n\n", "\n", "agi_network: yes\n\n", "agi_network_script: a\nagi_x: 1\nagi_x: 2\n\n"],
)
def test_what_is_no_environment_is_a_violation(text: str) -> None:
    [found] = events(text.encode())
    assert isinstance(found, str)


def test_a_violation_stays() -> None:
    parser = Parser()
    parser.feed(b"\n")
    with pytest.raises(AgiViolation):
        parser.next_event()
    parser.feed(ENVIRONMENT.encode())
    with pytest.raises(AgiViolation):
        parser.next_event()


def test_the_end_is_told_after_all_that_came_before_it() -> None:
    parser = Parser()
    parser.feed(ENVIRONMENT.encode() + b"200 result=1\n200 resu")
    parser.feed(b"")
    assert isinstance(parser.next_event(), Environment)
    assert parser.next_event() == Reply(200, "1", None, "result=1")
    assert [parser.next_event(), parser.next_event()] == [Closed(), Closed()]


@pytest.mark.parametrize("text", ["agi_x: " + "x" * MAX_PIECE, "agi_x: y\n" * MAX_PIECE])
def test_an_environment_has_a_limit(text: str) -> None:
    assert isinstance(events(text.encode())[-1], str)


@pytest.mark.parametrize("text", ["200 result=1 (" + "x" * MAX_PIECE, "520-" + "x\n" * MAX_PIECE])
def test_a_reply_has_a_limit(text: str) -> None:
    [found] = replies(text)
    assert isinstance(found, str)
    assert "65536" in found


def test_a_flood_of_hangups_is_no_long_reply() -> None:
    assert replies("HANGUP\n" * MAX_PIECE + "200 result=1\n")[-1] == Reply(200, "1", None, "result=1")


lines = st.sampled_from(
    [
        "HANGUP\n",
        "200 result=1 (value with ) in it)\n",
        "200 result=1 (Zoë\nand )more)\n",
        "100 Trying\n",
        "200 result=0\n",
        "520-Usage\n",
        "520 End of proper usage.\n",
        " text\n",
        "511 Command Not Permitted\n",
        "\n",
        "agi_x: 1\n",
    ]
)


@given(st.lists(lines, max_size=12).map("".join), st.booleans(), st.data())
def test_splitting_does_not_matter(text: str, with_environment: bool, data: st.DataObject) -> None:
    whole = ((ENVIRONMENT if with_environment else "") + text).encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=20)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if whole[a:b]]
    assert events(*pieces) == events(whole) == events(*(bytes([byte]) for byte in whole))


@given(st.binary(max_size=300))
def test_noise_never_raises_anything_but_a_violation(noise: bytes) -> None:
    events(noise)
    events(ENVIRONMENT.encode() + noise)


def asterisk_parse_args(text: str) -> list[str]:
    """parse_args() of Asterisk's res_agi.c, told again: what a command line means to Asterisk."""
    words: list[str] = []
    quoted = escaped = False
    whitespace = True
    for character in text:
        if character == '"' and not escaped:
            quoted = not quoted
            if quoted and whitespace:
                words.append("")
                whitespace = False
        elif character in " \t" and not quoted and not escaped:
            whitespace = True
        elif character == "\\" and not escaped:
            escaped = True
        else:
            if whitespace:
                words.append("")
                whitespace = False
            words[-1] += character
            escaped = False
    return words


printable = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40)
awkward = st.text(st.sampled_from('" \\\t()ab$'), max_size=12)


@given(st.lists(printable | awkward, max_size=5))
def test_quoted_arguments_come_back_as_they_were(arguments: list[str]) -> None:
    line = command_line("SET VARIABLE", *arguments).decode()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert asterisk_parse_args(line[:-1]) == ["SET", "VARIABLE", *arguments]


@pytest.mark.parametrize("bad", ["a\nSET VARIABLE X 1", "a\rb", "a\0b", "\n"])
def test_line_breaks_and_nul_are_refused(bad: str) -> None:
    with pytest.raises(InvalidCommand):
        quote(bad)
    with pytest.raises(InvalidCommand):
        command_line(bad)


def test_a_line_that_asterisk_would_cut_is_refused() -> None:
    room = MAX_COMMAND - len('SET VARIABLE "X" ""\n')
    assert len(command_line("SET VARIABLE", "X", "y" * room)) == MAX_COMMAND
    with pytest.raises(InvalidCommand):
        command_line("SET VARIABLE", "X", "y" * (room + 1))
