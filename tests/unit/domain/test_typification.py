"""Outcomes of a talk: their text, how they are found, and the result that comes from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.typification import (
    LONGEST_NEXT_S,
    Action,
    Outcome,
    Result,
    find,
    outcomes_text,
    parse_outcomes,
)

A = Action
TEXT = (
    "Sale=success;No|Too expensive=close;Later=retry;Later|Tomorrow|Morning=reschedule;"
    "Never=blacklist;Nobody=blacklist:*;VIP=tag:vip;Seen|Twice=tag;Moved=reschedule:other-campaign"
)
OUTCOMES = (
    Outcome(("Sale",), A.SUCCESS),
    Outcome(("No", "Too expensive"), A.CLOSE),
    Outcome(("Later",), A.RETRY),
    Outcome(("Later", "Tomorrow", "Morning"), A.RESCHEDULE),
    Outcome(("Never",), A.BLACKLIST),
    Outcome(("Nobody",), A.BLACKLIST, "*"),
    Outcome(("VIP",), A.TAG, "vip"),
    Outcome(("Seen", "Twice"), A.TAG),
    Outcome(("Moved",), A.RESCHEDULE, "other-campaign"),
)


# --- the text -------------------------------------------------------------------------------------------------------


def test_outcomes_are_read() -> None:
    assert parse_outcomes(TEXT) == OUTCOMES


def test_outcomes_are_written_as_they_are_read() -> None:
    assert outcomes_text(OUTCOMES) == TEXT


@pytest.mark.parametrize("text", ["", " ", ";", " ; ;"])
def test_no_text_is_no_outcomes(text: str) -> None:
    assert parse_outcomes(text) == ()


def test_spaces_and_the_case_of_an_action_do_not_count() -> None:
    assert parse_outcomes(" Sale = Success ;; No | Price = RESCHEDULE : other<- ;") == (
        Outcome(("Sale",), A.SUCCESS),
        Outcome(("No", "Price"), A.RESCHEDULE, "other<-"),
    )


def test_a_level_may_have_a_colon_and_a_tag_may_have_anything_but_a_semicolon() -> None:
    assert parse_outcomes("Asks: price=tag:a|b=c:d") == (Outcome(("Asks: price",), A.TAG, "a|b=c:d"),)


LEVELS = "one to three levels joined by |, each 1 to 64 characters without ; | = or control characters"
ACTIONS = "one of the actions success, close, retry, reschedule, blacklist, tag"
TAG = "tag, or tag:TEXT of at most 200 characters without ; or control characters"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("Sale", "LEVEL1|LEVEL2|LEVEL3=ACTION"),
        ("Sale success", "LEVEL1|LEVEL2|LEVEL3=ACTION"),
        ("=success", LEVELS),
        ("|A=success", LEVELS),
        ("A|=success", LEVELS),
        ("A||C=success", LEVELS),
        ("A|B|C|D=success", LEVELS),
        ("A" * 65 + "=success", LEVELS),
        ("A\x00B=success", LEVELS),
        ("A\nB=success", LEVELS),
        ("A\x85B=success", LEVELS),
        ("A\ud800=success", LEVELS),
        ("A=", ACTIONS),
        ("A=:x", ACTIONS),
        ("A=sold", ACTIONS),
        ("A=success=close", ACTIONS),
        ("A=success:x", "success without an argument"),
        ("A=close:", "close without an argument"),
        ("A=retry:60", "retry without an argument"),
        ("A=reschedule:", "reschedule, or reschedule:CAMPAIGN"),
        ("A=reschedule:two words", "reschedule, or reschedule:CAMPAIGN"),
        ("A=blacklist:", "blacklist, or blacklist:* for all campaigns"),
        ("A=blacklist:other", "blacklist, or blacklist:* for all campaigns"),
        ("A=tag:", TAG),
        ("A=tag:a\tb", TAG),
        ("A=tag:" + "x" * 201, TAG),
        ("fine=close", "each outcome once"),
        (" FINE =success", "each outcome once"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place_and_what_was_expected(entry: str, expected: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse_outcomes(f"Fine=success; {entry}", "outcomes")
    place = 15 + len(entry) - len(entry.lstrip())
    assert str(caught.value) == (
        f"outcomes = {entry.strip()!r}: expected {expected}, in the entry at character {place}"
    )


def test_the_error_names_the_setting_that_the_text_came_from() -> None:
    with pytest.raises(InvalidSetting, match=r"^dispositions = "):
        parse_outcomes("Sale", "dispositions")


def test_levels_that_differ_only_in_how_their_letters_are_composed_are_the_same() -> None:
    with pytest.raises(InvalidSetting, match="each outcome once"):
        parse_outcomes("Situação=success;Situac\u0327a\u0303o=close")


def test_the_same_level_at_another_depth_is_another_outcome() -> None:
    assert len(parse_outcomes("A=success;A|A=close;A|A|A=retry")) == 3


level_text = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=";|="),
    min_size=1,
    max_size=64,
).filter(lambda text: text == text.strip())
outcome = st.builds(
    lambda levels, way: Outcome(tuple(levels), *way),
    st.lists(level_text, min_size=1, max_size=3),
    st.sampled_from([(action, "") for action in Action])
    | st.sampled_from([(A.BLACKLIST, "*"), (A.RESCHEDULE, "other->"), (A.RESCHEDULE, "b")])
    | level_text.map(lambda text: (A.TAG, text)),
)
outcomes_lists = st.lists(outcome, max_size=6)


@given(outcomes_lists)
def test_what_is_written_is_read_back(outcomes: list[Outcome]) -> None:
    text = outcomes_text(outcomes)
    try:
        found = parse_outcomes(text)
    except InvalidSetting as error:
        assert "each outcome once" in error.expected  # noqa: PT017
        return
    assert found == tuple(outcomes)
    assert outcomes_text(found) == text
    assert all(find(found, *each.levels) is each for each in found)


@given(st.text(st.sampled_from("aB|=;: *\n\x00é") | st.characters(), max_size=40))
def test_any_text_is_read_or_refused_and_what_is_read_can_be_written(text: str) -> None:
    try:
        found = parse_outcomes(text)
    except InvalidSetting:
        return
    assert parse_outcomes(outcomes_text(found)) == found


# --- finding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", OUTCOMES, ids=str)
def test_an_outcome_is_found_by_its_levels(each: Outcome) -> None:
    assert find(OUTCOMES, *each.levels) is each


@pytest.mark.parametrize(
    "levels", [("sale",), (" SALE ",), ("Sale", ""), ("Sale", " ", ""), ("no", "TOO EXPENSIVE", " ")]
)
def test_case_spaces_and_empty_levels_do_not_count(levels: tuple[str, ...]) -> None:
    assert find(OUTCOMES, *levels) in OUTCOMES[:2]


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        (("",), "level 1: , level 2: , level 3: "),
        (("No",), "level 1: No, level 2: , level 3: "),
        (("Sale", "Big"), "level 1: Sale, level 2: Big, level 3: "),
        (("Later", "Tomorrow"), "level 1: Later, level 2: Tomorrow, level 3: "),
        (("No", "", "Too expensive"), "level 1: No, level 2: , level 3: Too expensive"),
        (("No|Too expensive",), "level 1: No|Too expensive, level 2: , level 3: "),
    ],
)
def test_levels_that_no_outcome_has_are_named(levels: tuple[str, ...], named: str) -> None:
    with pytest.raises(NotFound) as caught:
        find(OUTCOMES, *levels)
    assert str(caught.value).startswith(f"no outcome {named!r}: the campaign has Sale; No|Too expensive; Later; ")


def test_a_campaign_without_outcomes_says_how_to_get_some() -> None:
    with pytest.raises(NotFound, match="the campaign has none: set outcomes="):
        find((), "Sale")


# --- tags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each", "tag"),
    [
        (Outcome(("VIP",), A.TAG, "vip"), "vip"),
        (Outcome(("Seen", "Twice"), A.TAG), "Seen|Twice"),
        (Outcome(("A", "B", "C"), A.SUCCESS), "A|B|C"),
        (Outcome(("Moved",), A.RESCHEDULE, "other"), "Moved"),
    ],
)
def test_a_call_is_tagged_with_the_outcomes_text_or_its_levels(each: Outcome, tag: str) -> None:
    assert each.tag == tag


# --- a result from outside ------------------------------------------------------------------------------------------


def test_a_result_says_nothing_but_success_unless_told() -> None:
    assert Result(success=True) == Result(
        success=True,
        reset_retries=False,
        next_after_s=None,
        next_number="",
        next_number_as_given="",
        next_number_zones="",
        stop_numbers=(),
        stop_all=False,
        description="",
        attempt_id="",
    )


@pytest.mark.parametrize("seconds", [None, 0, 1, LONGEST_NEXT_S])
def test_a_next_try_within_a_year_is_accepted(seconds: int | None) -> None:
    result = Result(success=False, next_after_s=seconds)
    assert result.validate() is result


@pytest.mark.parametrize("seconds", [-1, LONGEST_NEXT_S + 1, 10**18])
def test_a_next_try_in_the_past_or_too_far_away_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Result(success=False, next_after_s=seconds).validate()
    assert str(caught.value) == f"next_after_s = {seconds}: expected 0 (at once) to 31622400 seconds (366 days)"
