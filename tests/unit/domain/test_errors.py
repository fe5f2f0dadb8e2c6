"""Errors that a user may see."""

import pytest

from astdialer.domain import errors


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (errors.InvalidSetting("max_calls", "x", "a number"), "max_calls = 'x': expected a number", "invalid_setting"),
        (errors.NotFound("campaign", "a"), "no campaign 'a'", "not_found"),
        (errors.NotFound("campaign", "a", "make it"), "no campaign 'a': make it", "not_found"),
        (errors.InvalidNumber("12", "12 is too short"), "12 is too short", "invalid_number"),
        (
            errors.UnknownName("zone", "zone", "Mars", "see /usr/share/zoneinfo"),
            "no zone 'Mars': see /usr/share/zoneinfo",
            "unknown_name",
        ),
        (errors.Conflict(), "That can't be done in the present state.", "conflict"),
        (errors.LinkLost("gone"), "gone", "link_lost"),
    ],
)
def test_an_error_says_what_is_wrong(error: errors.AstdialerError, text: str, code: str) -> None:
    assert (str(error), error.code) == (text, code)


def test_a_lost_link_is_something_unavailable() -> None:
    assert isinstance(errors.LinkLost(), errors.Unavailable)


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.AstdialerError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
