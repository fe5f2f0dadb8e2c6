"""Names that are made of other people's texts."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.names import check_name, folded, free_names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("myPredictiveDialer", "myPredictiveDialer"),
        ("Café №1 / “spring”", "Cafe-No1-spring"),
        ("  -> a\r\nb <script>", "a-b-script"),
        ("Обзвон", "usual"),
        ("", "usual"),
        ("x" * 55 + "-yz", "x" * 55),
    ],
)
def test_a_name_reads_like_its_text(text: str, name: str) -> None:
    assert folded(text, "usual") == name


@given(st.text())
def test_whatever_the_text_it_is_a_name(text: str) -> None:
    assert check_name(folded(text, "usual")) == folded(text, "usual")


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert list(islice(free_names("a", ("a", "a-2")), 2)) == ["a-3", "a-4"]
    assert next(free_names("a", ())) == "a"
