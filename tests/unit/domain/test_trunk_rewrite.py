"""What a route made of a number is what its trunk dials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.route import Destination, Route, candidates, check_route
from astdialer.domain.trunk import Trunk

NUMBER, AS_UPLOADED = "+60123456789", "(012) 345-6789"


def dialed(template: str, dialed_as: str = "") -> str:
    return Trunk(name="t", dial=template).dial_string(NUMBER, AS_UPLOADED, dialed_as)


@pytest.mark.parametrize(
    ("template", "plain"),
    [
        ("PJSIP/{number}@c", "PJSIP/60123456789@c"),
        ("PJSIP/{e164}@c", "PJSIP/+60123456789@c"),
        ("Local/{as_uploaded}@from-internal", "Local/0123456789@from-internal"),
    ],
)
def test_the_rewritten_number_stands_in_every_place(template: str, plain: str) -> None:
    assert dialed(template) == plain
    assert dialed(template, "0123456789") == template.partition("{")[0] + "0123456789" + template.partition("}")[2]


def test_a_rewrite_may_have_letters_and_marks() -> None:
    assert dialed("PJSIP/{number}@c", "x9.A_b-1*#") == "PJSIP/x9.A_b-1*#@c"


@given(st.text())
def test_nothing_else_reaches_the_dial_string(dialed_as: str) -> None:
    text = dialed("PJSIP/{number}@c", "1" + dialed_as).removeprefix("PJSIP/").removesuffix("@c")
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+*#._-")


def test_a_number_without_a_rewrite_has_no_letters() -> None:
    assert Trunk(name="t", dial="PJSIP/{number}@c").dial_string("+60x1", "") == "PJSIP/601@c"


def test_a_way_is_dialed_as_its_route_says() -> None:
    route = check_route(Route("my", r"^\+?60(\d{8,11})$", (Destination("t", "0$1"),)))
    (way,) = candidates([route], NUMBER)
    assert dialed("PJSIP/{number}@c", way.digits) == "PJSIP/0123456789@c"
