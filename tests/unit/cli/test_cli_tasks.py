"""``astdialer task``: calls that somebody asks for."""

from __future__ import annotations

from typing import Any

import pytest
from cli_hands import clock, done, failed, in_store, shown, told

from astdialer.ports import Order
from astdialer.store import SqliteStore

ANA, BEN = "612345678", "612345679"
E164 = "+34" + ANA
AT = "2026-01-02 15:00:00"
AT_MS = 1767366000000


@pytest.fixture(autouse=True)
def sales(own_store_and_logging: None) -> None:
    done("campaign", "create", "sales")


def test_a_call_is_asked_for_as_soon_as_possible() -> None:
    words = ("task", "add", "sales", ANA, "--alternative", f"W={BEN}", "--data", "order=7", "--agent", "1001")
    said = told(*words)
    assert f": {E164} is called next\n" in said
    assert "sales is idle, and calls nobody until astdialer campaign start sales" in said
    (row,) = shown("contact", "list", "--rank", "task")
    assert (row["number"], row["base"], row["params"], row["agentphone"]) == (E164, "tasks", {"order": "7"}, "1001")
    found = shown("contact", "show", str(row["id"]))
    assert [(n["number"], n["type"], n["zones"]) for n in found["numbers"]] == [
        (E164, "P", "Atlantic/Canary|Europe/Madrid"),
        ("+34" + BEN, "W", "Atlantic/Canary|Europe/Madrid"),
    ]


def test_a_call_is_scheduled_listed_and_removed() -> None:
    assert f"is called at {AT}" in told("task", "add", "sales", ANA, "--at", AT, "--promised", "--agent", "1001")
    done("task", "add", "sales", BEN, "--at", "2026-01-03")
    first, second = shown("task", "list", "sales")
    assert (first["number"], first["at"], first["promised"], first["agent"]) == (E164, AT_MS, True, "1001")
    assert shown("task", "list", "sales", "--to", "2026-01-03") == [first]
    assert shown("task", "list", "sales", "--from", "2026-01-03") == [second]
    assert shown("task", "list", "sales", "--number", BEN) == [second]
    assert AT in done("task", "list", "sales").stdout
    assert told("task", "remove", "sales", ANA, "--from", "2026-01-03") == "0 removed\n"
    assert told("task", "remove", "sales", ANA, "--to", "2026-01-03") == "1 removed\n"
    assert shown("task", "list", "sales") == [second]


def test_a_call_is_put_into_the_list() -> None:
    assert "is called in its turn" in told("task", "add", "sales", ANA, "--list", "--priority", "70")
    (row,) = shown("contact", "list", "--rank", "list")
    assert (row["number"], row["priority"]) == (E164, 70)


def test_the_same_call_twice_is_one() -> None:
    first = shown("task", "add", "sales", ANA)
    assert shown("task", "add", "sales", ANA) == first
    assert "it was asked for already" in told("task", "add", "sales", ANA)


def test_a_blacklisted_number_is_not_asked_for() -> None:
    done("blacklist", "add", ANA)
    assert "is blacklisted: astdialer blacklist check +34612345678" in failed("task", "add", "sales", ANA)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--at", AT, "--list"), "one of --at, --manual and --list"),
        (("--manual", "--list"), "one of --at, --manual and --list"),
        (("--promised",), "--promised needs the time that was promised"),
        (("--at", "soon"), "expected YYYY-MM-DD"),
        (("--data", "x"), "expected name=value"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in failed("task", "add", "sales", ANA, *words, code=2)
    assert shown("contact", "list") == []


# --- at once, by an agent --------------------------------------------------------------------------------------------


def engine_runs() -> None:
    in_store(lambda store: store.publish_live_view("engine", {"campaigns": []}, clock.now()))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine makes of the next order, while the command waits."""
    made: dict[str, Any] = {"result": '{"guid": "x", "contact_id": 5}', "failed": False}
    usual = SqliteStore.give_order

    async def answered(self: SqliteStore, order: Order) -> None:
        await usual(self, order)
        (made["order"],) = await self.take_orders(clock.now())
        await self.order_done(order.id, result=made["result"], failed=made["failed"])

    monkeypatch.setattr(SqliteStore, "give_order", answered)
    return made


def test_an_agent_calls_at_once(answer: dict[str, Any]) -> None:
    engine_runs()
    words = ("task", "add", "sales", ANA, "--manual", "--agent", "1001", "--data", "order=7")
    assert shown(*words) == {"contact": 5, "guid": "x"}
    body = answer["order"].body
    assert (body["campaign"], body["agent"], body["number"], body["data"]) == ("sales", "1001", E164, {"order": "7"})
    assert told(*words) == f"1001 calls {E164}\n"
    assert shown("contact", "list") == []


def test_what_the_engine_says_against_it_is_said(answer: dict[str, Any]) -> None:
    engine_runs()
    answer |= {"failed": True, "result": "agent 1001 is on a call"}
    assert failed("task", "add", "sales", ANA, "--manual", "--agent", "1001") == "astdialer: agent 1001 is on a call\n"


def test_an_agent_can_not_call_without_the_engine() -> None:
    said = failed("task", "add", "sales", ANA, "--manual", "--agent", "1001", code=69)
    assert "the engine is not running: start it with astdialer serve" in said
    assert in_store(lambda store: store.take_orders(0)) == []


def test_an_agent_must_be_named() -> None:
    engine_runs()
    assert "agent = '': expected the agent" in failed("task", "add", "sales", ANA, "--manual")
