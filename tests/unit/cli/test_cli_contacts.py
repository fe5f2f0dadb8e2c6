"""``astdialer contact`` and ``astdialer outcome``: what a command does, the next one shows."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from cli_hands import begin_call, done, failed, in_store, shown, talk, told

from astdialer.engine import contacts as use_cases

ANA, BEN, EVA = "612345678", "612345679", "612345670"
E164 = "+34" + ANA


@pytest.fixture(autouse=True)
def quick_closing(own_store_and_logging: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_cases, "CLOSING_S", 0.01)


@pytest.fixture
def ana(tmp_path: Path) -> int:
    """Who has two numbers in the base march of the campaign sales."""
    done("campaign", "create", "sales", "wait_for_result=true", "outcomes=Sale=success;No|Price=close;Later=reschedule")
    return upload(tmp_path, f"sales;{ANA};name=Ana;{BEN}")


def upload(folder: Path, row: str, base: str = "march") -> int:
    file = folder / f"{base}.csv"
    file.write_text(row + "\n", encoding="utf-8")
    done("upload", str(file))
    return int(shown("contact", "list", "--base", base)[-1]["id"])


def contact(contact_id: int) -> Any:
    return shown("contact", "show", str(contact_id))


# --- results ---------------------------------------------------------------------------------------------------------


def test_a_success_ends_a_contact_that_waits_for_its_result(ana: int) -> None:
    guid = talk("sales", ana)
    assert [row["id"] for row in shown("contact", "list", "--state", "held")] == [ana]
    assert told("contact", "result", str(ana), "--success", "--call", guid) == f"contact {ana} is done: success\n"
    assert (contact(ana)["successful"], contact(ana)["end_cause"]) == (1, "NORMAL_CLEARING")
    assert f"contact {ana}: no result is awaited" in failed("contact", "result", str(ana), "--success")


def test_numbers_of_a_result_are_read_as_uploads_read_them(ana: int) -> None:
    talk("sales", ana)
    words = ("--no-success", "--next-after", "60", "--next-number", "612 345 670", "--stop", BEN, "--reset-retries")
    assert ", due " in told("contact", "result", str(ana), *words)
    numbers = {n["number"]: n for n in contact(ana)["numbers"]}
    assert numbers["+34" + BEN]["end_reason"] == "stopped"
    assert (numbers["+34" + EVA]["as_uploaded"], numbers["+34" + EVA]["zones"]) == (
        EVA,
        "Atlantic/Canary|Europe/Madrid",
    )
    assert (contact(ana)["preferred"], contact(ana)["tries"]) == ("+34" + EVA, 0)


def test_all_numbers_can_be_stopped(ana: int) -> None:
    talk("sales", ana)
    assert "no number left" in told("contact", "result", str(ana), "--no-success", "--stop-all")


def test_a_result_says_what_came_of_it(ana: int) -> None:
    assert "say --success, or --no-success" in failed("contact", "result", str(ana), code=2)
    assert "expected 3 to 20 digits" in failed("contact", "result", "1", "--success", "--stop", "x", code=2)
    assert "no contact '77'" in failed("contact", "result", "77", "--success")


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_contact_is_terminated_and_its_end_can_be_read(ana: int, tmp_path: Path) -> None:
    ben = upload(tmp_path, f"sales;{BEN}", "april")
    assert told("contact", "terminate", str(ana)) == f"contact {ana} is done: terminated\n"
    done("contact", "terminate", str(ben))
    first, second = shown("contact", "ended")
    assert (first["contact_id"], first["campaign"], first["number"]) == (ana, "sales", E164)
    assert (first["end_reason"], first["end_cause"], first["successful"]) == ("terminated", "MANAGER_REQUEST", False)
    assert shown("contact", "ended", "--after", str(first["id"])) == [second]
    assert shown("contact", "ended", "--campaign", "sales", "--limit", "1") == [first]
    assert "no campaign 'x'" in failed("contact", "ended", "--campaign", "x")
    (row, _) = csv.DictReader(io.StringIO(done("contact", "ended", "--csv").stdout))
    assert (row["contact_id"], row["at"][:2]) == (str(ana), "20")


def test_a_live_call_is_hung_up_only_if_that_is_said(ana: int) -> None:
    begin_call("sales", ana)
    assert f"contact {ana} is in a call" in failed("contact", "terminate", str(ana))
    assert "is in a call that is being hung up" in told("contact", "terminate", str(ana), "--hang-up")
    assert [order.kind for order in in_store(lambda store: store.take_orders(0))] == ["hangup_call"]
    assert contact(ana)["ends_after_call"] == "terminated"


def test_contacts_are_removed_by_their_number(ana: int, tmp_path: Path) -> None:
    begin_call("sales", upload(tmp_path, f"sales;{ANA}", "april"))
    assert told("contact", "remove", "sales", ANA) == "1 removed, 1 in a call: done when that has ended\n"
    assert contact(ana)["end_reason"] == "removed"
    assert "no open contact" in failed("contact", "remove", "sales", BEN)


# --- outcomes --------------------------------------------------------------------------------------------------------


def test_an_outcome_is_chosen_by_guid(ana: int) -> None:
    guid = talk("sales", ana)
    words = ("contact", "outcome", "sales", guid, "Later", "--schedule", "2020-01-01 10:00:00", "--promised")
    assert shown(*words, "--tag", "gold") == {
        "contact": ana,
        "state": "waiting",
        "action": "reschedule",
        "tag": "gold",
        "task": None,
    }
    found = contact(ana)
    assert (found["rank"], found["any_hour"], found["next_at"], found["tag"]) == ("dated", 1, 1577872800000, "gold")
    assert "its time has passed: it is due now" in told(*words)


def test_an_outcome_is_chosen_by_number(ana: int) -> None:
    talk("sales", ana)
    assert told("contact", "outcome", "sales", ANA, "no", "price") == f"contact {ana} is done: No|Price\n"


def test_another_campaign_can_be_asked_to_call_again(ana: int) -> None:
    done("campaign", "create", "care")
    guid = talk("sales", ana)
    words = ("contact", "outcome", "sales", guid, "Later", "--schedule", "2026-01-01", "--campaign-to", "care")
    assert "of care is called instead" in told(*words)
    (task,) = shown("contact", "list", "--campaign", "care")
    assert (task["number"], task["base"], task["rank"]) == (E164, "tasks", "dated")


def test_what_is_wrong_with_an_outcome_is_said(ana: int) -> None:
    guid = talk("sales", ana)
    assert "the campaign has sale; no|price; later" in failed("contact", "outcome", "sales", guid, "Nope").lower()
    assert "schedule = '': expected when to call again" in failed("contact", "outcome", "sales", guid, "Later")
    assert "no call with this guid, and no number 'k1'" in failed("contact", "outcome", "sales", "k1", "nope", "Sale")
    words = ("contact", "outcome", "sales", guid, "Later", "--schedule", "tomorrow")
    assert "expected YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'" in failed(*words, code=2)


def test_the_outcomes_of_a_campaign_are_listed(ana: int) -> None:
    rows = shown("outcome", "list", "sales")
    assert [(r["level_1"], r["level_2"], r["action"], r["tag"]) for r in rows] == [
        ("Sale", "", "success", "Sale"),
        ("No", "Price", "close", "No|Price"),
        ("Later", "", "reschedule", "Later"),
    ]
    assert "no campaign 'x'" in failed("outcome", "list", "x")


# --- another go ------------------------------------------------------------------------------------------------------


def test_a_contact_is_put_back_with_what_is_said_of_it(ana: int) -> None:
    done("contact", "terminate", str(ana))
    words: tuple[str, ...] = (
        "--alternative",
        f"W=0={EVA}=office",
        "--data",
        "debt=1=2",
        "--data",
        "name=",
        "--priority",
        "5",
    )
    said = told(
        "contact", "respool", "sales", ANA, "--base", "march", *words, "--agentphone", "1001", "--tries-used", "1"
    )
    assert said.startswith(f"contact {ana} is waiting, due 20")
    found = contact(ana)
    assert (found["params"], found["priority"], found["agentphone"]) == ({"debt": "1=2", "name": ""}, 5, "1001")
    numbers = [(n["number"], n["type"], n["description"], n["end_reason"]) for n in found["numbers"]]
    assert numbers == [
        (E164, "P", "", ""),
        ("+34" + EVA, "W", "office", ""),
        ("+34" + BEN, "U", "", "replaced"),
    ]
    assert found["tries"] == 1


def test_what_is_not_said_of_it_stays(ana: int) -> None:
    before = contact(ana)
    done("contact", "respool", "sales", ANA)
    same = ("params", "priority", "agentphone", "base", "campaign")
    assert {key: contact(ana)[key] for key in same} == {key: before[key] for key in same}
    assert [n["end_reason"] for n in contact(ana)["numbers"]] == ["", ""]


def test_another_main_number_is_called_instead(ana: int) -> None:
    done("contact", "respool", "sales", ANA, "--new-number", EVA)
    assert [n["number"] for n in contact(ana)["numbers"] if not n["end_reason"]] == ["+34" + EVA, "+34" + BEN]
    assert "no contact with main number" in failed("contact", "respool", "sales", ANA)
    done("contact", "respool", "sales", EVA)


def test_lists_show_the_new_main_number(ana: int) -> None:
    done("contact", "respool", "sales", ANA, "--new-number", EVA)
    assert shown("contact", "list")[0]["number"] == "+34" + EVA


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--data", "debt"), "'debt': expected name=value"),
        (("--alternative", "W=x"), "expected 3 to 20 digits"),
        (("--new-number", "1"), "expected 3 to 20 digits"),
    ],
)
def test_what_can_not_be_read_is_said(ana: int, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in failed("contact", "respool", "sales", ANA, *words, code=2)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_contacts_are_listed_by_rank(ana: int) -> None:
    for number in (BEN, EVA):
        done("task", "add", "sales", number)
    done("task", "add", "sales", BEN, "--at", "2026-01-01")

    def ids(*words: str) -> list[int]:
        return [row["id"] for row in shown("contact", "list", *words)]

    assert ids() == [ana, ana + 1, ana + 2, ana + 3]
    assert (ids("--rank", "list"), ids("--rank", "dated")) == ([ana], [ana + 3])
    assert ids("--rank", "task") == [ana + 1, ana + 2]
    assert ids("--rank", "task", "--limit", "1") == [ana + 1]
    assert ids("--rank", "task", "--offset", "1") == [ana + 2]
    assert ids("--rank", "task", "--number", BEN) == [ana + 1]
    assert {row["rank"] for row in shown("contact", "list")} == {"list", "task", "dated"}


def test_a_contact_that_is_ready_has_no_time(ana: int) -> None:
    assert [row["next_try"] for row in shown("contact", "list")] == [None]


def test_what_is_known_of_a_contact_is_shown(ana: int) -> None:
    talk("sales", ana)
    text = done("contact", "show", str(ana)).stdout
    assert [line.split()[:2] for line in text.splitlines() if line.startswith(("rank", "state", "tries"))] == [
        ["state", "held"],
        ["tries", "1"],
        ["rank", "list"],
    ]
    (until,) = (line for line in text.splitlines() if line.startswith("held_until"))
    assert until.split()[1][:3] == "202"
    assert contact(ana)["rank"] == "list"
