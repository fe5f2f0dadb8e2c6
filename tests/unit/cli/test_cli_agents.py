"""Agents by command: what is said about them, orders to the engine, offers."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from astdialer.cli import agent as agent_commands
from astdialer.cli.main import cli
from astdialer.clock import SystemClock
from astdialer.domain.errors import Conflict, Unavailable
from astdialer.ports import Offer
from astdialer.store import SqliteStore, open_store


class Engine:
    """Takes orders; answers what it is told to, or fails so."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, Mapping[str, Any]]] = []
        self.answer: Mapping[str, Any] | Exception = {}

    async def ask(
        self, store: SqliteStore, clock: object, kind: str, body: Mapping[str, Any], **_: object
    ) -> Mapping[str, Any]:
        self.orders.append((kind, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(agent_commands, "ask", made.ask)
    return made


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


def now() -> int:
    return int(time.time() * 1000)


# --- what is said about agents ---------------------------------------------------------------------------------------


def test_what_is_said_about_an_agent_adds_up() -> None:
    done("agent", "set", "1001", "--name", "Ana", "--skill", "english", "--skill", "sales", "--bucket", "vip")
    done("agent", "set", "1001", "--call-timeout", "25", "--max-no-answer", "0", "--busy-delay", "5")
    (found,) = shown("agent", "profiles")
    assert (found["agent"], found["name"], found["skills"], found["buckets"]) == (
        "1001",
        "Ana",
        ["english", "sales"],
        ["vip"],
    )
    assert (found["call_timeout_s"], found["max_no_answer"], found["busy_delay_s"]) == (25, 0, 5)
    assert (found["wrap_up_s"], found["reject_delay_s"], found["no_answer_delay_s"]) == (None, None, None)
    assert "english, sales" in done("agent", "profiles").stdout


def test_it_can_be_taken_back_one_by_one_or_whole() -> None:
    done(
        "agent", "set", "PJSIP/1001", "--skill", "a", "--wrap-up", "7", "--reject-delay", "8", "--no-answer-delay", "9"
    )
    done("agent", "set", "PJSIP/1001", "--skill", "", "--wrap-up", "campaign")
    (found,) = shown("agent", "profiles")
    assert (found["skills"], found["wrap_up_s"], found["reject_delay_s"], found["no_answer_delay_s"]) == (
        [],
        None,
        8,
        9,
    )
    done("agent", "forget", "PJSIP/1001")
    assert shown("agent", "profiles") == []
    assert "no agent 'PJSIP/1001'" in failed("agent", "forget", "PJSIP/1001")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("1001", "--wrap-up", "-1"), 2, "a whole number from 0 to 3600, or campaign"),
        (("1001", "--call-timeout", "0"), 2, "a whole number from 1 to 600, or campaign"),
        (("1001", "--max-no-answer", "x"), 2, "a whole number from 0 to 100, or campaign"),
        (("1001", "--skill", "a b"), 1, "name = 'a b'"),
        (("10 01", "--name", "x"), 1, "agent = '10 01'"),
    ],
)
def test_what_can_not_be_said_is_refused(words: tuple[str, ...], code: int, sentence: str) -> None:
    assert sentence in failed("agent", "set", *words, code=code)
    assert shown("agent", "profiles") == []


def test_the_list_shows_who_is_reserved_rests_and_can_what(tmp_path: Path) -> None:
    row = {
        "agent": "PJSIP/1001",
        "name": "Ana",
        "queue": "q",
        "server": "default",
        "code": 1,
        "status": "NOT_INUSE",
        "paused": False,
        "pause_reason": "",
        "free": False,
        "reserved": True,
        "rests_until": 1_790_000_000_000,
        "calls_taken": 3,
        "last_call_at": None,
        "wrap_up_until": None,
    }

    async def publish() -> None:
        async with open_store(tmp_path / "store.db", SystemClock()) as store:
            view = {"campaigns": [], "trunks": [], "agents": [row, row | {"agent": "PJSIP/1002", "queue": "other"}]}
            await store.publish_live_view("engine", view, now())

    asyncio.run(publish())
    done("agent", "set", "1001", "--skill", "english", "--bucket", "vip")
    first, second = shown("agent", "list")
    assert (first["skills"], first["buckets"], first["reserved"]) == (["english"], ["vip"], True)
    assert (second["skills"], second["buckets"]) == ([], [])
    (found,) = shown("agent", "list", "--queue", "q")
    assert found["agent"] == "PJSIP/1001"
    text = done("agent", "list").stdout
    assert "english" in text
    assert "2026-09-21 14:13:20" in text


# --- orders ----------------------------------------------------------------------------------------------------------


def test_a_call_by_hand_is_an_order_and_prints_its_guid(engine: Engine) -> None:
    engine.answer = {"guid": "abc", "contact_id": 5}
    options = (
        "--campaign",
        "sales",
        "--data",
        "name=Ana",
        "--data",
        "x=a=b",
        "--context",
        "from-internal",
        "--promised",
    )
    result = done("agent", "call", "1001", "612345678", *options)
    assert result.stdout == "abc\n"
    ((kind, body),) = engine.orders
    assert kind == "agent_call"
    assert body == {
        "agent": "1001",
        "number": "+34612345678",
        "zones": body["zones"],
        "campaign": "sales",
        "data": {"name": "Ana", "x": "a=b"},
        "context": "from-internal",
        "any_hour": True,
    }
    assert shown("agent", "call", "1001", "612345678", "--campaign", "sales") == engine.answer
    assert (engine.orders[1][1]["any_hour"], engine.orders[1][1]["data"]) == (False, {})


def test_what_is_wrong_with_a_call_is_said_before_any_order(engine: Engine) -> None:
    assert "number '12'" in failed("agent", "call", "1001", "12", "--campaign", "sales", code=2)
    assert "--campaign" in failed("agent", "call", "1001", "612345678", code=2)
    assert "expected name=value" in failed("agent", "call", "1", "612345678", "--campaign", "s", "--data", "x", code=2)
    assert engine.orders == []


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (("hangup", "1001"), ("agent_hangup", {"agent": "1001"})),
        (("pause", "1001", "--reason", "lunch"), ("agent_pause", {"agent": "1001", "paused": True, "reason": "lunch"})),
        (("unpause", "1001"), ("agent_pause", {"agent": "1001", "paused": False, "reason": ""})),
    ],
)
def test_an_order_is_passed_on(engine: Engine, words: tuple[str, ...], order: tuple[str, Mapping[str, Any]]) -> None:
    done("agent", *words)
    assert engine.orders == [order]


def test_whether_a_call_was_hung_up_is_said(engine: Engine) -> None:
    engine.answer = {"hung_up": 1}
    assert "1 calls of 1001 are hung up" in done("agent", "hangup", "1001").stderr
    engine.answer = {"hung_up": 0}
    assert "1001 has no call" in done("agent", "hangup", "1001").stderr


def test_the_engines_words_are_the_commands(engine: Engine) -> None:
    engine.answer = Conflict("agent PJSIP/1001 is on a call")
    assert failed("agent", "pause", "1001") == "astdialer: agent PJSIP/1001 is on a call\n"
    engine.answer = Unavailable("the engine does not answer")
    assert "does not answer" in failed("agent", "unpause", "1001", code=69)


# --- offers ----------------------------------------------------------------------------------------------------------


def offer(folder: Path, agent: str, attempt: str, *, lasts_s: int = 60) -> None:
    async def make() -> None:
        async with open_store(folder / "store.db", SystemClock()) as store:
            made = Offer(
                attempt_id=attempt,
                agent=agent,
                campaign_id=1,
                contact_id=5,
                number="+34612345678",
                made_at=now() - 1000,
                expires_at=now() + lasts_s * 1000,
            )
            await store.make_offer(made)

    asyncio.run(make())


def test_an_offer_is_listed_and_answered_once(tmp_path: Path) -> None:
    done("campaign", "create", "sales")
    offer(tmp_path, "PJSIP/1001", "a")
    offer(tmp_path, "PJSIP/1002", "b")
    assert [(row["agent"], row["campaign"]) for row in shown("agent", "offers")] == [
        ("PJSIP/1001", "sales"),
        ("PJSIP/1002", "sales"),
    ]
    assert done("agent", "accept", "1001").stderr == "+34612345678 is called\n"
    assert "no offer to agent '1001'" in failed("agent", "skip", "1001")
    assert done("agent", "skip", "PJSIP/1002").stderr == "+34612345678 is left for later\n"
    assert [row["answer"] for row in shown("agent", "offers")] == ["accept", "skip"]


def test_an_offer_that_is_over_has_no_answer(tmp_path: Path) -> None:
    offer(tmp_path, "PJSIP/1001", "a", lasts_s=0)
    assert "no offer to agent '1001'" in failed("agent", "accept", "1001")


def test_nobody_answers_for_another_agent(tmp_path: Path) -> None:
    offer(tmp_path, "PJSIP/1001", "a")
    assert "no offer to agent '100'" in failed("agent", "accept", "100")
    assert [row["answer"] for row in shown("agent", "offers")] == [""]
