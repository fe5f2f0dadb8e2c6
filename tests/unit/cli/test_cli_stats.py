"""Figures, history and check by command."""

import asyncio
import csv
import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli_hands import in_store
from click.testing import CliRunner, Result

from astdialer.cli.main import cli
from astdialer.clock import SystemClock
from astdialer.domain.attempt import State
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, Why
from astdialer.ports import Claim, ClaimRequest, Closing
from astdialer.store import SqliteStore, open_store

D = Disposition


@pytest.fixture(autouse=True)
def no_asterisk(own_store_and_logging: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_AMI_PORT", "1")  # nobody answers there


@pytest.fixture
def sales(tmp_path: Path) -> str:
    done("trunk", "create", "carrier", "--dial", "PJSIP/{number}@c")
    done("campaign", "create", "sales", "trunk=carrier", "queue=q", "calling_hours=00:00-24:00")
    base = tmp_path / "base.csv"
    base.write_text("".join(f"sales;61234567{n}\n" for n in range(10)), encoding="utf-8")
    done("upload", str(base))
    return "sales"


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def done(*words: str) -> Result:
    result = ask(*words)
    assert result.exit_code == 0, result.output
    return result


def shown(*words: str) -> Any:
    return json.loads(done(*words, "--json").stdout)


def today() -> str:
    return datetime.now(tz=UTC).date().isoformat()


def called(folder: Path, *dispositions: Disposition) -> None:
    """Calls of today that ended so."""

    def judge(contact: Contact, _facts: object) -> Judgement:
        return Judgement(contact=contact, why=Why.READY, number=contact.numbers[0], way=Way("", "carrier", ""))

    async def work() -> None:
        now = int(time.time() * 1000)
        async with open_store(folder / "store.db", SystemClock()) as store:
            campaign = await store.campaign("sales")
            request = ClaimRequest(
                campaign_id=campaign.id,
                campaign="sales",
                server="default",
                limit=len(dispositions),
                is_open=lambda _zones: True,
                judge=judge,
                attempt_ids=[f"id{n}" for n in range(len(dispositions))],
                reason="",
                now=now,
            )
            claims = await store.claim(request)
            await store.close([closing(claim, d, now) for claim, d in zip(claims, dispositions, strict=True)])

    asyncio.run(work())


def closing(claim: Claim, disposition: Disposition, now: int) -> Closing:
    attempt = replace(claim.attempt, state=State.GONE, gone_at=now, reserved_agent="PJSIP/1001")
    return Closing(
        attempt=attempt,
        disposition=disposition,
        contact=after_attempt(claim.contact, attempt, disposition, RedialRules(), now),
        cdr=cdr_of(attempt, disposition, CdrContext(campaign="sales", base="b", caller_id="", queue="q"), now),
        recording=None,
        now=now,
        day=today(),
    )


def test_a_campaigns_days_are_shown_with_their_total(sales: str, tmp_path: Path) -> None:
    called(tmp_path, D.ANSWERED, D.ABANDONED, D.BUSY, D.BUSY)
    found = shown("stats", "campaign", sales)
    assert [(day["day"], day["attempts"], day["busy"]) for day in found["days"]] == [(today(), 4, 2)]
    assert (found["total"]["people"], found["total"]["picked_up"]) == (2, 0.5)
    head, day, total = done("stats", "campaign", sales).stdout.splitlines()
    assert head.split() == ["day", "attempts", "people", "picked", "up", "answered", "busy", "abandoned"]
    assert day.split()[1:] == total.split()[1:] == ["4", "2", "50.0%", "1", "2", "1"]


def test_figures_as_csv_have_every_column(sales: str, tmp_path: Path) -> None:
    called(tmp_path, D.ANSWERED, D.MACHINE)
    (row,) = csv.DictReader(io.StringIO(done("stats", "campaign", sales, "--csv").stdout))
    assert (row["day"], row["picked_up"], row["no_answer"]) == (today(), "1.0", "0")


def test_a_day_without_calls_is_no_fault(sales: str) -> None:
    assert shown("stats", "campaign", sales, "--days", "1")["days"] == []
    assert done("stats", "campaign", sales).exit_code == 0
    assert shown("stats", "trunks") == shown("stats", "agents") == []


def test_trunks_and_agents_have_their_figures(sales: str, tmp_path: Path) -> None:
    called(tmp_path, D.NO_ANSWER, D.CONGESTION)
    (trunk,) = shown("stats", "trunks", "--days", "1")
    assert (trunk["trunk"], trunk["attempts"], trunk["congestion"]) == ("carrier", 2, 1)
    (agent,) = shown("stats", "agents")
    assert (agent["agent"], agent["campaign"], agent["offered"], agent["answered"]) == ("PJSIP/1001", "sales", 2, 0)
    assert "carrier" in done("stats", "trunks").stdout


def test_abandonment_is_shown_by_day_and_over_thirty(sales: str, tmp_path: Path) -> None:
    assert "0 of 0 abandoned, nobody answered yet" in done("stats", "abandonment", sales).stderr
    called(tmp_path, D.ABANDONED, D.ANSWERED, D.ANSWERED, D.SHORT)
    found = shown("stats", "abandonment", sales)
    assert (found["people"], found["abandoned"], found["rate"]) == (4, 1, 0.25)
    result = done("stats", "abandonment", sales)
    assert result.stdout.splitlines()[1].split() == [today(), "4", "1", "25.0%"]
    assert "1 of 4 abandoned, 25.00%" in result.stderr
    assert "last 30 days" in done("campaign", "explain", sales).stdout


def test_a_reset_zeroes_and_is_refused_while_active(sales: str, tmp_path: Path) -> None:
    called(tmp_path, D.BUSY)
    done("campaign", "start", sales)
    result = ask("campaign", "reset", sales)
    assert (result.exit_code, "stop it first" in result.stderr) == (1, True)
    done("campaign", "pause", sales)
    assert ask("campaign", "reset", sales).exit_code == 1

    async def stopped() -> None:
        async with open_store(tmp_path / "store.db", SystemClock()) as store:
            campaign = await store.campaign(sales)
            await store.set_state(campaign.id, type(campaign.state).STOPPED, now=1)

    asyncio.run(stopped())
    done("campaign", "reset", sales)
    assert shown("campaign", "show", sales)["dispositions"] == {}
    assert shown("stats", "campaign", sales)["total"]["busy"] == 1


def test_the_history_says_what_was_done_and_by_whom(sales: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    done("campaign", "set", sales, "max_calls=7")
    done("campaign", "start", sales)
    rows = shown("campaign", "history", sales)
    assert [row["event"] for row in rows] == ["started", "changed", "created"]
    assert (rows[0]["done_by"], rows[1]["detail"]) == ("ana", "max_calls 30 → 7")
    assert len(shown("campaign", "history", sales, "--limit", "1")) == 1
    assert "max_calls 30 → 7" in done("campaign", "history", sales).stdout


# --- check -----------------------------------------------------------------------------------------------------------


def test_a_check_of_a_sound_campaign_ends_well(sales: str) -> None:
    result = done("campaign", "check", sales, "--no-asterisk")
    assert "callable_now   10" in result.stdout
    assert "Nothing that the store knows of keeps sales from dialing." in result.stderr
    assert shown("campaign", "check", sales, "--no-asterisk")["contacts"]["callable_now"] == 10


def test_an_obstacle_is_exit_code_one_and_is_named(sales: str) -> None:
    done("campaign", "create", "empty", "trunk=carrier", "queue=q")
    result = ask("campaign", "check", "empty", "--no-asterisk")
    assert (result.exit_code, "OBSTACLE: there are no contacts" in result.stderr) == (1, True)
    assert json.loads(ask("campaign", "check", "empty", "--no-asterisk", "--json").stdout)["obstacles"]


def test_an_asterisk_that_does_not_answer_is_told_and_is_exit_code_one(sales: str) -> None:
    result = ask("campaign", "check", sales)
    assert result.exit_code == 1
    assert "callable_now   10" in result.stdout
    assert "default: reachable" in result.stdout
    assert "no connection to 127.0.0.1:1" in result.stdout
    found = json.loads(ask("campaign", "check", sales, "--json").stdout)
    assert found["obstacles"] == []
    assert any(row["unreachable"] for row in found["infrastructure"])


def test_a_contact_is_explained(sales: str, tmp_path: Path) -> None:
    called(tmp_path, D.BUSY)
    rows = shown("contact", "list")
    busy = next(row for row in rows if row["state"] == "waiting")
    found = shown("contact", "explain", str(busy["id"]))
    assert found["verdict"] == "it waits for its next try"
    text = done("contact", "explain", str(busy["id"])).stdout
    assert f"Contact {busy['id']} of sales: it waits for its next try, until " in text
    assert "a try: retry_busy=4/300" in text
    ready = next(row for row in rows if row["state"] == "ready")
    assert "it may be called now, on +34" in done("contact", "explain", str(ready["id"])).stdout
    assert ask("contact", "explain", "99").exit_code == 1


def test_the_infrastructure_of_a_campaign_is_that_of_its_routes(sales: str) -> None:
    done("trunk", "create", "spare", "--dial", "PJSIP/{number}@s", "--disabled")
    done("trunk", "create", "others", "--dial", "PJSIP/{number}@o", "--disabled")
    done("route", "create", "all", "--pattern", ".*", "--to", "carrier", "--to", "spare")
    done("campaign", "set", sales, "routes=all", "trunk=others")
    for words in (("campaign", "check", sales, "--json"), ("doctor", "--campaign", sales, "--json")):
        found = json.loads(ask(*words).stdout)
        checks = [row["check"] for row in (found["infrastructure"] if isinstance(found, dict) else found)]
        assert "trunk spare" in checks
        assert "trunk others" not in checks


async def lose_trunk(store: SqliteStore, name: str) -> None:
    """No command lets a campaign name a trunk that there is not."""
    of = await store.campaign(name)
    await store.save_settings(of.id, replace(of.settings, trunk="gone"))


def test_the_doctor_names_what_a_campaign_lacks_with_the_command_that_mends_it(sales: str) -> None:
    done("campaign", "set", sales, "queue=")
    in_store(lambda store: lose_trunk(store, sales))
    rows = json.loads(ask("doctor", "--campaign", sales, "--json").stdout)
    remedies = {row["found"]: row["remedy"] for row in rows if row["check"] == "campaign sales"}
    assert remedies["there is no trunk 'gone'"].startswith("astdialer trunk create gone")
    assert remedies["a progressive campaign needs agents"] == "astdialer campaign set queue=NAME"
