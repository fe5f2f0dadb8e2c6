"""``astdialer blacklist``: numbers, and how numbers begin, for a while or for good."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from cli_hands import clock, done, failed, shown, told

from astdialer.cli import blacklist as command
from astdialer.clock import SystemClock

ANA, BEN = "612345678", "612345679"
TILL = "2050-01-02 15:00:00"
TILL_MS = 2524748400000


class Later(SystemClock):
    """When entries until TILL have just ended."""

    def now(self) -> int:
        return TILL_MS


def listed() -> list[str]:
    return [row["number"] for row in shown("blacklist", "list")]


@pytest.fixture
def contact(tmp_path: Path) -> str:
    file = tmp_path / "march.csv"
    file.write_text(f"sales;{ANA};;{BEN}\n", encoding="utf-8")
    done("campaign", "create", "sales")
    done("upload", str(file))
    return str(shown("contact", "list")[0]["id"])


# --- prefixes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "text", "stored"),
    [
        ("ES", "+4477*", "+4477*"),
        ("ES", "0044 77*", "+4477*"),
        ("ES", "+44 (77)-0.0*", "+447700*"),
        ("ES", "6*", "+346*"),
        ("GB", "077*", "+4477*"),
        ("GB", "77*", "+4477*"),
        ("IT", "02*", "+3902*"),
        ("US", "1 212*", "+1212*"),
        ("", "+4477*", "+4477*"),
    ],
)
def test_how_numbers_begin_is_read_as_it_is_typed(
    monkeypatch: pytest.MonkeyPatch, country: str, text: str, stored: str
) -> None:
    monkeypatch.setenv("ASTDIALER_ENGINE_DEFAULT_COUNTRY", country)
    said = told("blacklist", "add", text)
    assert listed() == [stored]
    assert (f"{text} is {stored}\n" in said) is (text != stored)
    assert told("blacklist", "remove", text) == "1 removed, 1 given\n"


def test_unchecked_numbers_begin_as_they_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_ENGINE_NUMBER_CHECK", "none")
    done("blacklist", "add", "612*", "0044*", "612345")
    assert listed() == ["+44*", "612*", "612345"]


@pytest.mark.parametrize("text", ["*", "+*", "+1*", "+44a*", "4*4*", "+1234567890123456*"])
def test_what_covers_too_much_or_is_no_number_is_refused(text: str) -> None:
    assert "Invalid value" in failed("blacklist", "add", BEN, text, code=2)
    assert listed() == []


def test_a_prefix_needs_its_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_ENGINE_DEFAULT_COUNTRY", "")
    assert "set [engine] default_country, or write it as +4477*" in failed("blacklist", "add", "077*", code=2)


# --- what an entry says ----------------------------------------------------------------------------------------------


def test_an_entry_says_who_when_why_and_until_when() -> None:
    before = clock.now()
    done("blacklist", "add", ANA, "--reason", "on holiday", "--until", TILL)
    (row,) = shown("blacklist", "list")
    assert (row["reason"], row["added_by"], row["expires_at"]) == ("on holiday", getpass.getuser(), TILL_MS)
    assert before <= row["added_at"] <= clock.now()
    assert row["until"] == TILL
    assert TILL in done("blacklist", "list").stdout


def test_what_is_listed_already_may_end_later_and_never_sooner() -> None:
    done("blacklist", "add", ANA, "--until", TILL)
    assert told("blacklist", "add", ANA, "--reason", "asked") == "0 added, 1 given\n"
    again = told("blacklist", "add", ANA, BEN, "--until", TILL, "--reason", "on holiday")
    assert again == "1 added, 1 there already and kept as they were, 2 given\n"
    assert [(row["reason"], row["until"]) for row in shown("blacklist", "list")] == [
        ("asked", None),
        ("on holiday", TILL),
    ]


def test_an_import_says_what_was_there_already(tmp_path: Path) -> None:
    done("blacklist", "add", ANA)
    said = done("blacklist", "import", "-", "--until", TILL, text=f"{ANA}\n{BEN}\n").stderr
    assert said == "1 added, 1 there already and kept as they were, 0 lines could not be read\n"
    assert shown("blacklist", "list")[0]["until"] is None


@pytest.mark.parametrize("command_", ["add", "import"])
def test_an_end_that_has_passed_is_refused(command_: str, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(ANA, encoding="utf-8")
    what = ANA if command_ == "add" else str(file)
    assert "'2020-01-01' has passed" in failed("blacklist", command_, what, "--until", "2020-01-01", code=2)
    assert listed() == []


# --- who waits -------------------------------------------------------------------------------------------------------


def test_who_waits_is_not_called_there_any_more(contact: str) -> None:
    assert told("blacklist", "add", ANA) == (
        "waiting contacts that are not called there any more, or only later: 1\n1 added, 1 given\n"
    )
    numbers = shown("contact", "show", contact)["numbers"]
    assert [n["end_reason"] for n in numbers] == ["blacklisted", ""]
    done("blacklist", "add", "612 34*", "--campaign", "sales")
    assert shown("contact", "show", contact)["end_reason"] == "blacklisted"


def test_who_is_forbidden_for_a_while_is_called_later(contact: str) -> None:
    done("blacklist", "add", "612*", "--until", TILL)
    assert shown("contact", "list")[0]["next_at"] == TILL_MS


def test_who_was_forbidden_for_a_while_is_called_when_the_entry_is_removed(contact: str) -> None:
    done("blacklist", "add", "612*", "--until", TILL)
    assert told("blacklist", "remove", "612*") == "1 removed, 1 given\n"
    assert shown("contact", "list")[0]["next_at"] == 0


def test_an_import_withdraws_as_well(contact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BATCH", 2)
    lines = f"{ANA};moved\n{BEN},\n+4477*\n\n6*;all of them\nbad*\n"
    result = done("blacklist", "import", "-", "--until", TILL, "--reason", "asked", text=lines)
    assert "line 6: 'bad*': expected how numbers begin and a *" in result.stderr
    assert result.stderr.endswith("4 added, 1 lines could not be read\n")
    assert {row["number"]: (row["reason"], row["until"]) for row in shown("blacklist", "list")} == {
        "+34" + ANA: ("moved", TILL),
        "+34" + BEN: ("asked", TILL),
        "+4477*": ("asked", TILL),
        "+346*": ("all of them", TILL),
    }
    assert shown("contact", "list")[0]["next_at"] == TILL_MS


# --- check -----------------------------------------------------------------------------------------------------------


def test_it_is_said_which_entries_bar_a_number() -> None:
    done("campaign", "create", "sales")
    done("campaign", "create", "care")
    done("blacklist", "add", ANA, "--campaign", "sales", "--reason", "asked")
    done("blacklist", "add", "612*", "--until", TILL)
    done("blacklist", "add", "613*", BEN)

    def barring(*words: str) -> list[tuple[str, str]]:
        return [(row["number"], row["campaign"]) for row in shown("blacklist", "check", *words)]

    assert barring(ANA) == [("+34612*", "*"), ("+34" + ANA, "sales")]
    assert barring(ANA, "--campaign", "care") == [("+34612*", "*")]
    assert barring("612000000") == [("+34612*", "*")]
    assert told("blacklist", "check", "600000000") == "+34600000000 is not blacklisted\n"
    assert "no campaign 'x'" in failed("blacklist", "check", ANA, "--campaign", "x")


def test_an_entry_that_has_ended_bars_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    done("blacklist", "add", ANA, "--until", TILL)
    monkeypatch.setattr(command, "clock", Later())
    assert shown("blacklist", "check", ANA) == []
