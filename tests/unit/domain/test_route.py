"""Routes match numbers by users' patterns, rewrite them as JavaScript does, and no pattern stalls anybody."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astdialer.domain import route as module
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.route import (
    HEAVIEST,
    LONGEST_NUMBER,
    LONGEST_PATTERN,
    LONGEST_RESULT,
    Destination,
    Problem,
    Rewritten,
    Route,
    Way,
    candidates,
    check_pattern,
    check_rewrite,
    check_route,
    destination_text,
    from_dict,
    look_up,
    may_lead,
    parse_destination,
    rewrite_number,
    to_dict,
)

#: Exponential in any engine that tries one way after the other, and not seen through by ``regex``.
SLOW = r"^(\d|\d\d|\d\d\d)+[x-z]$"
INFAMOUS = (
    r"(\d+)+x",
    r"(\d|\d\d)+$y",
    r"((\d*)*)*z",
    r"^(\d+)+$",
    r"(\d+)+[x-z]",
    r"^(\d|\d\d)+[x-z]$",
    r"((\d|\d\d)+)\1(?!$)(?<!\d)",
    r"(?=(\d|\d\d|\d\d\d)+[x-z])",
    r"(\d*)\1*(\d*)\2*(\d*)\3*5$",
    "|".join([r"(0*)*5"] * 36),
    SLOW,
)
#: No pattern may take longer than this from its definition to its last use. Generous: the machine may be busy.
BOUND_S = 3.0

numbers = st.text("+0123456789 ()-", max_size=30) | st.text(max_size=30)
PIECES = r"""\d . ^ $ ( ( ) ) (?: (?= (?! (?<! (?<= (?<a> | * + ? {2} {,3} {1,} {0,20} {999} [0-4] [^5] [ [--&&]
    [a||b] [[ \1 \2 \b \x \p{L} 0 4 60 x { ] ++ (\d|\d\d)+ )* )+"""
pieces = st.sampled_from(PIECES.split())
patterns = st.lists(pieces, max_size=30).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("pattern", "rewrite", "number", "expected"),
    [
        (r"^\+?60(\d{8,11})$", "0$1", "+60123456789", "0123456789"),
        (r"^\+44", "0", "+442079460000", "02079460000"),
        (r"^\+44", "$&", "+442079460000", "+442079460000"),
        (r"^44", "0", "+442079460000", "02079460000"),
        ("2079", "#", "+442079460000", "44#460000"),
        ("0", "9", "+442079460000", "442979460000"),
        (r"^(\d{2})(\d+)$", "$2*$1", "44 (20) 79-46", "207946*44"),
        (r"^", "00", "+442079460000", "00442079460000"),
        (r"^44", "", "+442079460000", "2079460000"),
        (r"^44(\d{3})?(\d{9})?", "$2x$1", "+44207", "x207"),
        (r"(\d)(\d)(\d)(\d)(\d)(\d)(\d)(\d)(\d)(\d)", "$10.$1", "1234567890", "0.1"),
        (r"^(4)", "$10", "44", "404"),
        (r"^(4)", "$01", "44", "44"),
        (r"^(?=4)(?:44)", "+$&", "44123", "+44123"),
        (r"(\d)\1$", "$1", "44122", "4412"),
        (r"(?<=44)7", "8", "447", "448"),
        (r"^(?<area>\d\d)", "$1-", "447", "44-7"),
        (r"^60", "$&", "+442079460000", ""),
        (r"\d", "$&", "no digits", ""),
        (r"\d", "$&", "1" * (LONGEST_NUMBER + 1), ""),
        (r"^\u{1}", "$&", "1", ""),
    ],
)
def test_a_number_is_rewritten_as_javascript_does(pattern: str, rewrite: str, number: str, expected: str) -> None:
    assert rewrite_number(pattern, rewrite, number).digits == expected


@pytest.mark.parametrize("rewrite", ["$0", "$00", "$09", "$5", "$$", "$", "$$1", "", "@", " ", "é", "0" * 65])
def test_what_nobody_can_dial_is_a_problem_and_no_number(rewrite: str) -> None:
    rewritten = rewrite_number(r"^(\d+)$", rewrite, "442079460000")
    assert not rewritten.digits
    assert repr(rewrite) in rewritten.problem
    assert "442079460000" in rewritten.problem


def test_a_number_that_the_pattern_does_not_match_is_no_problem() -> None:
    assert rewrite_number("^60", "0", "442079460000") == Rewritten("", "")


ROUTES = (
    Route("uk", r"^\+44", (Destination("late", "0", 2), Destination("off", "0", 0, False), Destination("early", "0"))),
    Route("disabled", ".", (Destination("early"),), enabled=False),
    Route("all", ".*", (Destination("b", order=1), Destination("a", order=1), Destination("c", order=-1))),
)


def test_ways_are_in_the_order_of_routes_and_within_one_of_its_destinations() -> None:
    assert candidates(ROUTES, "+4420") == (
        Way("uk", "early", "020"),
        Way("uk", "late", "020"),
        Way("all", "c", "4420"),
        Way("all", "b", "4420"),
        Way("all", "a", "4420"),
    )


@pytest.mark.parametrize("routes", [(), ROUTES[:2], [Route("empty", ".")]])
def test_a_number_that_no_route_takes_has_no_way(routes: list[Route]) -> None:
    assert look_up(routes, "+34600000001") == ((), ())


@pytest.mark.parametrize(
    ("route", "leads"),
    [
        (Route("on", "^34"), True),
        (Route("off", "^34", enabled=False), True),
        (Route("other", "^44"), False),
        (Route("broken", "("), True),  # nobody knows whom it was meant for
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_a_route_may_lead_to_what_it_matches_though_it_is_disabled(route: Route, leads: bool) -> None:
    assert may_lead([Route("none", "x"), route], "+34600000001") is leads


def test_what_stands_in_the_way_of_one_destination_leaves_the_others_and_is_told() -> None:
    broken = Route("broken", "(", (Destination("a"),))
    half = Route("half", "^4", (Destination("a", "@"), Destination("b")))
    ways, problems = look_up([broken, half], "44")
    assert ways == (Way("half", "b", "44"),)
    assert [problem.route for problem in problems] == ["broken", "half"]
    assert "regular expression" in problems[0].words
    assert "trunk a: the rewrite '@' makes '@4'" in problems[1].words


def test_a_pattern_that_takes_too_long_is_no_match_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MATCH_S", 0.0002)
    number = "1" * LONGEST_NUMBER
    ways, problems = look_up([Route("slow", SLOW, (Destination("a"),)), Route("all", ".", (Destination("b"),))], number)
    assert ways == (Way("all", "b", number),)
    assert problems == (Problem("slow", f"the pattern {SLOW!r} takes too long for {number}"),)


@given(patterns, st.text("$&0123456789x+", max_size=20) | st.text(max_size=20), numbers)
@settings(deadline=None)
def test_rewriting_never_raises_and_gives_only_what_can_be_dialed(pattern: str, rewrite: str, number: str) -> None:
    digits, problem = rewrite_number(pattern, rewrite, number)
    assert len(digits) <= LONGEST_RESULT
    assert all(each in "+*#._-" or (each.isascii() and each.isalnum()) for each in digits)
    assert not (digits and problem)


@given(st.text("0123456789+- ", max_size=20))
def test_a_route_for_everything_gives_the_digits_as_they_are(number: str) -> None:
    digits = "".join(filter(str.isdigit, number))
    assert rewrite_number(r"\d", "$&", number).digits == digits


@given(patterns)
@settings(deadline=None)
def test_a_pattern_is_taken_or_refused_with_words_and_never_stalls_anybody(pattern: str) -> None:
    began = time.perf_counter()
    try:
        taken = check_pattern(pattern)
    except InvalidSetting as error:
        assert error.key == "pattern"  # noqa: PT017
    else:
        assert check_pattern(taken) == taken
    assert time.perf_counter() - began < BOUND_S


@pytest.mark.parametrize("pattern", INFAMOUS)
def test_the_infamous_patterns_end_within_bounded_work(pattern: str) -> None:
    began = time.perf_counter()
    for number in ("1" * LONGEST_NUMBER, "12" * 10, "0" * LONGEST_NUMBER, "12345678901234567890"):
        assert len(rewrite_number(pattern, "$&", number).digits) <= LONGEST_RESULT
    try:
        check_pattern(pattern)
    except InvalidSetting as error:
        assert "takes too long" in str(error)  # noqa: PT017
    assert time.perf_counter() - began < BOUND_S


@pytest.mark.parametrize("pattern", [SLOW, SLOW.replace("^", "^45"), SLOW.replace("^", r"^\+3[579]"), f"/{SLOW}/"])
def test_a_slow_pattern_is_refused_where_it_is_defined_wherever_its_trap_begins(pattern: str) -> None:
    with pytest.raises(InvalidSetting, match="takes too long"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:(?:\d{999}){999}){999}",
        "(?:" * 60 + "1" + "+)" * 60,
        r"(?:\d{100}){100}0",
        r"\d{999}" * 11,
    ],
)
def test_a_pattern_that_would_fill_the_memory_is_refused_before_it_is_compiled(pattern: str) -> None:
    with pytest.raises(InvalidSetting, match="takes too long"):
        module._compiled(pattern)
    assert module._weight(r"(?:\d{30}){30}") <= HEAVIEST


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (r"^\+?60(\d{8,11})$", r"^\+?60(\d{8,11})$"),
        (r"/^44\d+$/", r"^44\d+$"),
        (r"/^44/i", r"^44"),
        (r"^(?:44|34|1[2-9]\d)(?!0)(\d*?)$", r"^(?:44|34|1[2-9]\d)(?!0)(\d*?)$"),
        (r"[\d\-\]]", r"[\d\-\]]"),
        (r"^(\d)\1(?<!99)", r"^(\d)\1(?<!99)"),
    ],
)
def test_a_javascript_pattern_is_kept(text: str, pattern: str) -> None:
    assert check_pattern(text) == pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "1 to 256 characters"),
        ("1" * (LONGEST_PATTERN + 1), "1 to 256 characters"),
        ("(", "missing"),
        ("1)", "read it from '\\)'"),
        ("+1", r"read it from '\+1'"),
        ("1++", r"read it from '\+'"),
        ("1{3,2}", "min repeat"),
        ("1{a}", "read it from '{a}'"),
        ("[1", "read it from '.1'"),
        ("[[:digit:]]", "read it from"),
        ("(?R)", r"read it from '\?R"),
        ("(?i)1", "read it from"),
        ("(?:1){e<=1}", "read it from '{e"),
        (r"\p{Nd}", "read it from"),
        (r"\L<x>", "read it from"),
        (r"(1)\2", "group"),
        ("1(|+)", r"read it from '\+\)'"),
        ("44\\", "read it from"),
    ],
)
def test_what_is_no_javascript_pattern_is_refused_with_the_place(pattern: str, words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        check_pattern(pattern)


@pytest.mark.parametrize("text", ["", "$&", "0$1", "$1$12$99", "$01", "+*#._-aZ", "$1" * 32])
def test_a_rewrite_that_can_be_dialed_is_kept(text: str) -> None:
    assert check_rewrite(text) == text


@pytest.mark.parametrize(
    "text", ["$", "$0", "$00", "$$", "$`", "$<a>", "a b", "@", "=", "é", "1\n", "1" * 65, "$12" * 22]
)
def test_a_rewrite_that_can_never_be_dialed_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"\$1 to \$99"):
        check_rewrite(text)


def test_a_route_is_checked_as_a_whole() -> None:
    route = Route("uk", r"/^44(\d+)/", (Destination("carrier", "0$1"), Destination("carrier", "$10", -5)))
    assert check_route(route).pattern == r"^44(\d+)"
    for wrong, words in (
        (Route("a b", "."), "name"),
        (Route("uk", "("), "pattern"),
        (Route("uk", ".", (Destination("a b"),)), "name"),
        (Route("uk", ".", (Destination("a", "$$"),)), "rewrite"),
        (Route("uk", "(.)", (Destination("a", "$2"),)), r"beyond the 1 of '\(\.\)'"),
        (Route("uk", ".", (Destination("a", order=1_000_000),)), "order"),
    ):
        with pytest.raises(InvalidSetting, match=words):
            check_route(wrong)


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("carrier", Destination("carrier")),
        ("carrier=0$1@2", Destination("carrier", "0$1", 2)),
        ("carrier@-1", Destination("carrier", order=-1)),
        ("carrier=", Destination("carrier", "")),
        ("sip@home", Destination("sip@home")),
        ("sip@home=$&", Destination("sip@home")),
        ("sip@5@0", Destination("sip@5")),
        ("out->=00$&", Destination("out->", "00$&")),
    ],
)
def test_a_destination_is_read_from_the_command_line(text: str, destination: Destination) -> None:
    assert parse_destination(text) == destination


@pytest.mark.parametrize("text", ["", "=0$1", "a=b=c", "a=0@x", "a b", "a=$$", "a=1@1234567"])
def test_a_destination_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        parse_destination(text)


destinations = st.builds(
    Destination,
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.@+-]{0,9}(->|<-)?\Z"),
    st.sampled_from(["$&", "", "0$1", "+$&", "0"]),
    st.integers(-999_999, 999_999) | st.just(0),
)


@given(destinations)
def test_a_destination_survives_its_text_form(destination: Destination) -> None:
    assert parse_destination(destination_text(destination)) == destination


@given(st.lists(destinations, max_size=3).map(tuple), st.booleans())
def test_a_route_survives_json(routed: tuple[Destination, ...], enabled: bool) -> None:
    route = Route("uk", r"^44(\d+)", routed, enabled)
    assert from_dict(json.loads(json.dumps(to_dict(route)))) == route


def test_a_route_needs_no_more_than_a_name_and_a_pattern() -> None:
    assert from_dict({"name": "uk", "pattern": "^44"}) == Route("uk", "^44")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("uk", "route = 'uk': expected a table"),
        ({"pattern": "."}, r"route\.name = None"),
        ({"name": "uk"}, r"route\.pattern = None"),
        ({"name": "uk", "pattern": 44}, r"route\.pattern = 44: expected a value of type str"),
        ({"name": "uk", "pattern": ".", "limit": 3}, r"route\.limit = 3: expected one of the keys name"),
        ({"name": "uk", "pattern": ".", "enabled": 1}, r"route\.enabled"),
        ({"name": "uk", "pattern": ".", "destinations": [{}]}, r"route\.destinations\[0\]\.trunk"),
        ({"name": "uk", "pattern": ".", "destinations": ["a"]}, r"route\.destinations\[0\] = 'a'"),
        (
            {"name": "uk", "pattern": ".", "destinations": [{"trunk": "a"}, {"trunk": "a", "order": True}]},
            r"route\.destinations\[1\]\.order = True: expected a value of type int",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(values: object, words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        from_dict(values)
