"""Calendars and pools of caller ids by command."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from astdialer.cli.main import cli

HOURS = ("--hours", "mon-fri 09:00-18:00, sat 10:00-14:00")
DIAL = ("--dial", "PJSIP/{number}@c")


@pytest.fixture(autouse=True)
def in_madrid(own_store_and_logging: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_ENGINE_TIMEZONE", "Europe/Madrid")


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def done(*words: str) -> Result:
    result = ask(*words)
    assert result.exit_code == 0, result.output
    return result


def shown(*words: str) -> Any:
    return json.loads(done(*words, "--json").stdout)


def failed(*words: str, code: int = 1) -> str:
    result = ask(*words)
    assert result.exit_code == code, result.output
    return result.stderr


def office() -> Any:
    return shown("calendar", "show", "office")


def test_a_calendar_is_made_changed_and_removed() -> None:
    done("calendar", "create", "office", *HOURS, "--holiday", "2026-12-25 yearly Christmas")
    assert office()["hours"] == "mon-fri 09:00-18:00, sat 10:00-14:00"
    assert "already" in failed("calendar", "create", "office", *HOURS)
    done("calendar", "set", "office", "--zone", "America/Lima", "--holiday", "2026-12-28 Bridge")
    found = office()
    assert found["timezone"] == found["in_zone"] == "America/Lima"
    assert found["exceptions"] == ["2026-12-25 yearly Christmas", "2026-12-28 Bridge"]
    assert [row["name"] for row in shown("calendar", "list")] == ["office"]
    done("calendar", "remove", "office")
    assert shown("calendar", "list") == []
    assert "no calendar 'office'" in failed("calendar", "set", "office", *HOURS)


def test_a_day_off_is_taken_away_by_its_date() -> None:
    done("calendar", "create", "office", *HOURS, "--holiday", "2026-12-25 A", "--holiday", "2026-12-28 B")
    done("calendar", "set", "office", "--remove-holiday", "2026-12-25")
    assert office()["exceptions"] == ["2026-12-28 B"]
    assert "no day off '2026-12-25'" in failed("calendar", "set", "office", "--remove-holiday", "2026-12-25")


def test_the_same_day_off_is_kept_once() -> None:
    done("calendar", "create", "office", *HOURS, "--holiday", "2026-12-25 A")
    done("calendar", "set", "office", "--holiday", "2026-12-25 A")
    assert office()["exceptions"] == ["2026-12-25 A"]


def test_from_and_until_are_whole_days_of_the_zone_and_can_be_taken_away() -> None:
    done("calendar", "create", "office", *HOURS, "--zone", "America/Lima", "--from", "2026-01-01")
    done("calendar", "set", "office", "--until", "2026-12-31")
    found = office()
    assert (found["starts_at"], found["ends_at"]) == (1_767_243_600_000, 1_798_779_600_000)  # 05:00 UTC
    done("calendar", "set", "office", "--until", "none")
    assert "ends_at" not in office()
    assert office()["starts_at"] == 1_767_243_600_000


def test_without_a_zone_days_are_the_configured_ones() -> None:
    done("calendar", "create", "office", *HOURS, "--from", "2026-01-01")
    assert office()["starts_at"] == 1_767_222_000_000  # 23:00 UTC
    assert office()["in_zone"] == "Europe/Madrid"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("create", "office"), 2, "--hours"),
        (("create", "office", "--hours", "noon"), 1, "hours = 'noon': expected days and hours"),
        (("create", "office", *HOURS, "--zone", "Mars"), 1, "timezone = 'Mars'"),
        (("create", "office", *HOURS, "--holiday", "Christmas"), 1, "exceptions = 'Christmas': expected DATE"),
        (("create", "office", *HOURS, "--from", "tomorrow"), 2, "expected YYYY-MM-DD, or none"),
        (("create", "office", *HOURS, "--from", "2026-02-30"), 2, "expected YYYY-MM-DD, or none"),
        (
            ("create", "office", *HOURS, "--from", "2026-02-02", "--until", "2026-02-01"),
            1,
            "--until = '2026-02-01': expected the day of --from, 2026-02-02, or a later one",
        ),
        (("create", "../office", *HOURS), 1, "name = '../office'"),
        (("show", "office"), 1, "no calendar 'office': see astdialer calendar list"),
        (("remove", "office"), 1, "no calendar 'office'"),
    ],
)
def test_what_can_not_be_a_calendar_is_refused(words: tuple[str, ...], code: int, sentence: str) -> None:
    assert sentence in failed("calendar", *words, code=code)
    assert shown("calendar", "list") == []


def test_a_bad_change_changes_nothing() -> None:
    done("calendar", "create", "office", *HOURS)
    before = office()
    failed("calendar", "set", "office", "--holiday", "2026-12-28 Bridge", "--hours", "noon")
    assert office()["exceptions"] == before["exceptions"] == []


def test_a_calendar_in_use_says_by_whom_and_stays() -> None:
    done("calendar", "create", "office", *HOURS)
    done("campaign", "create", "sales", "calendar=office")
    assert office()["campaigns"] == ["sales"]
    assert ["campaigns", "sales"] in [line.split() for line in done("calendar", "show", "office").stdout.splitlines()]
    assert "sales" in failed("calendar", "remove", "office")


def test_people_see_days_off_and_whether_it_is_open() -> None:
    done("calendar", "create", "office", "--hours", "mon-sun 00:00-24:00", "--holiday", "2020-12-25 Then")
    text = done("calendar", "show", "office").stdout
    assert "2020-12-25 Then" in text
    assert ["open_now", "True"] in [line.split() for line in text.splitlines()]


# --- caller ids ------------------------------------------------------------------------------------------------------


def test_a_pool_is_made_changed_and_removed() -> None:
    done("callerid", "create", "pool", "100", "Ana <200>", '"Bea" <300>')
    assert shown("callerid", "list") == [{"name": "pool", "numbers": ["100", "Ana <200>", "Bea <300>"]}]
    assert "already" in failed("callerid", "create", "pool", "1")
    done("callerid", "set", "pool", "400")
    assert "400" in done("callerid", "list").stdout
    done("callerid", "remove", "pool")
    assert "no pool 'pool'" in failed("callerid", "set", "pool", "1")


def test_a_pool_has_numbers_and_no_ranges() -> None:
    assert "a pool has no ranges" in failed("callerid", "create", "pool", "1234567-89")
    assert "expected a number" in failed("callerid", "create", "pool", "1,2")
    assert "expected a number, Name <number>" in failed("callerid", "create", "pool", "x<y")
    assert "NUMBERS" in failed("callerid", "create", "pool", code=2)


def test_a_pool_in_use_says_by_whom_and_stays() -> None:
    done("callerid", "create", "pool", "100")
    done("campaign", "create", "sales", "caller_id=pool:pool")
    done("trunk", "create", "carrier", *DIAL, "--caller-id", "pool:pool")
    assert "campaign sales, trunk carrier: change that first" in failed("callerid", "remove", "pool")
    done("campaign", "set", "sales", "caller_id=")
    done("trunk", "set", "carrier", "--caller-id", "")
    done("callerid", "remove", "pool")


def test_a_trunk_has_a_caller_id_of_its_own() -> None:
    done("trunk", "create", "carrier", *DIAL, "--caller-id", "A <100> | 200")
    assert shown("trunk", "list")[0]["caller_id"] == "A <100> | 200"
    assert "no pool 'gone'" in failed("trunk", "set", "carrier", "--caller-id", "pool:gone")
    assert "caller_id = 'a,b'" in failed("trunk", "set", "carrier", "--caller-id", "a,b")
    done("trunk", "set", "carrier", "--max-calls", "3")
    assert shown("trunk", "list")[0]["caller_id"] == "A <100> | 200"
