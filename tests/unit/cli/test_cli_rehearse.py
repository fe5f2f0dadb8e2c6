"""Rehearsals by command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_hands import clock, done, failed, in_store, shown
from recorded import cdrs

from astdialer.domain.pacer import Pacer
from astdialer.domain.settings import Settings
from astdialer.store import SqliteStore

FIGURES = {
    "mode",
    "days",
    "busy",
    "abandoned",
    "abandoned_low",
    "abandoned_high",
    "limit",
    "days_above_limit",
    "wait_mean_s",
    "wait_p95_s",
    "lines_most",
    "lines_mean",
    "calls_per_talk",
    "talks_per_agent_hour",
    "hours_to_finish",
    "contacts_left",
    "days_to_finish",
    "binds",
    "steps",
}
SHORT = ("--agents", "5", "--hours", "0.5", "--days", "2")


@pytest.fixture(autouse=True)
def sales(own_store_and_logging: None) -> None:
    done("trunk", "create", "carrier", "--dial", "PJSIP/{number}@c", "--max-calls", "12")
    done("campaign", "create", "sales", "trunk=carrier", "queue=q")


def keep_records(rows: list[dict[str, Any]]) -> None:
    async def work(store: SqliteStore) -> None:
        await store._db.write(lambda tx: tx.execute_many("insert_cdr", rows))

    in_store(work)


def publish(view: dict[str, Any]) -> None:
    in_store(lambda store: store.publish_live_view("e", view, clock.now()))


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_json_has_every_figure_of_each_mode() -> None:
    found = shown("rehearse", "sales", *SHORT, "--mode", "progressive", "--mode", "power")
    assert [mode["mode"] for mode in found["modes"]] == ["progressive", "power"]
    assert all(set(mode) == FIGURES for mode in found["modes"])
    assert (found["campaign"], found["agents"], found["days"], found["hours"]) == ("sales", 5, 2, 0.5)
    assert (found["contacts"], found["calls"], found["history"], found["lines"]) == (None, None, None, 12)
    assert {one["name"] for one in found["reckoned_with"]} >= {"answered by people", "talk", "calls for a contact"}
    assert 0.3 < found["modes"][0]["busy"] < 1
    assert found["modes"][0]["steps"][-1]["hour"] == 0.5


def test_a_campaigns_own_pace_is_reckoned_with() -> None:
    def rate() -> list[str]:
        lines = done("rehearse", "sales", *SHORT, "--mode", "progressive").output.splitlines()
        (line,) = (line for line in lines if line.startswith("calls per second"))
        return line.split()[3:]

    assert rate() == ["5", "carrier"]
    done("campaign", "set", "sales", "calls_per_second=1/4")
    assert rate() == ["0.25", "calls_per_second"]


def test_the_same_seed_gives_the_same_and_another_one_does_not() -> None:
    first, again, other = (shown("rehearse", "sales", *SHORT, "--seed", seed) for seed in ("3", "3", "4"))
    assert first == again
    assert first["modes"] != other["modes"]


def test_the_table_says_what_is_reckoned_with_and_what_to_expect() -> None:
    result = done("rehearse", "sales", *SHORT, "--talk", "60")
    for words in (
        "sales: 5 agents, 2 days of 0.5 h, a list without end",
        "assumed; say --answer-rate",
        "60 s on average",
        "12, talks included",
        "agents busy",
        "0.00% (0.00% to 0.00%)",
        "0 of 2 above 3%",
        "progressive was held back by: all free agents are covered",
        "progressive: agents busy, %",
    ):
        assert words in result.stdout, result.stdout
    assert "--mode progressive --mode predictive" in result.stderr


def test_a_predictive_campaign_is_shown_beside_progressive() -> None:
    done("campaign", "set", "sales", "mode=predictive")
    found = shown("rehearse", "sales", "--agents", "5", "--hours", "0.25", "--days", "1")
    assert [mode["mode"] for mode in found["modes"]] == ["predictive", "progressive"]


def test_a_picture_is_written(tmp_path: Path) -> None:
    result = done("rehearse", "sales", *SHORT, "--png", str(tmp_path / "p.png"))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"{tmp_path}/p.png is written" in result.stderr


# --- what it starts from ---------------------------------------------------------------------------------------------


def test_the_list_is_that_of_the_campaign_unless_told_otherwise(tmp_path: Path) -> None:
    base = tmp_path / "base.csv"
    base.write_text("".join(f"sales;6123456{n:02d}\n" for n in range(60)), encoding="utf-8")
    done("upload", str(base))
    found = shown("rehearse", "sales", *SHORT)
    assert (found["contacts"], found["calls"]) == (60, 60)
    assert 0 < found["modes"][0]["hours_to_finish"] < 0.5
    told = shown("rehearse", "sales", *SHORT, "--base", "4000", "--attempts", "1.5")
    assert (told["contacts"], told["calls"]) == (4000, 6000)
    assert told["modes"][0]["hours_to_finish"] is None
    assert told["modes"][0]["days_to_finish"] > 5


def test_agents_are_those_who_are_logged_in() -> None:
    publish({"campaigns": [{"campaign": "sales", "logged_in_agents": 7}]})
    assert shown("rehearse", "sales", "--hours", "0.25", "--days", "1")["agents"] == 7


def test_callers_are_those_of_the_records() -> None:
    keep_records(cdrs(1500))
    found = shown("rehearse", "sales", *SHORT, "--from-history")
    assert found["history"]["attempts"] == 1500
    values = {one["name"]: one["value"] for one in found["reckoned_with"]}
    assert values["answered by people"] == pytest.approx(30, abs=3)
    assert values["talk"] == pytest.approx(60, rel=0.1)
    assert values["calls for a contact"] == 3
    assert "1500 calls, 2026-09-01 to 2026-09-01" in done("rehearse", "sales", *SHORT, "--from-history").stdout


def learned(**spoiled: Any) -> str:
    """From many calls, but for what is spoiled."""
    pacer = Pacer(Settings().pace)
    for n in range(3000):
        pacer.call_ended(8.0, reached=n % 3 == 0, trunk="carrier")
    return json.dumps(pacer.kept() | spoiled)


def test_what_pacing_has_learned_is_where_it_begins() -> None:
    keep_records(cdrs(1500))
    arguments = ("rehearse", "sales", *SHORT, "--from-history", "--mode", "predictive")
    before = shown(*arguments)["modes"][0]["binds"]
    in_store(lambda store: store.save_learned(1, learned(), clock.now()))
    after = shown(*arguments)["modes"][0]["binds"]
    learning = "too little is known to predict: one call for each free agent"
    assert before.get(learning, 0) > after.get(learning, 0)


@pytest.mark.parametrize(
    "body",
    ["[]", "[1]", "nonsense", '{"answers": {}}', learned(talks=5), learned(propensities={"type M": [1]})],
    ids=["empty", "a list", "no JSON", "incomplete", "no law", "no weights"],
)
def test_what_another_version_has_learned_is_left_alone(body: str) -> None:
    keep_records(cdrs(500))
    arguments = ("rehearse", "sales", *SHORT, "--from-history", "--mode", "predictive")
    before = shown(*arguments)
    in_store(lambda store: store.save_learned(1, body, clock.now()))
    assert shown(*arguments) == before, "as if nothing had been learned"


@pytest.mark.parametrize(
    ("setting", "engine", "lines", "by"),
    [
        ("max_calls=9", "500", 9, "max_calls"),
        ("max_calls=30", "500", 12, "carrier"),
        ("max_calls=30", "4", 4, "[engine] max_calls"),
    ],
)
def test_the_narrowest_limit_of_lines_is_told(
    setting: str, engine: str, lines: int, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTDIALER_ENGINE_MAX_CALLS", engine)
    done("campaign", "set", "sales", setting)
    shown_lines = done("rehearse", "sales", *SHORT).stdout.splitlines()
    found = next(line for line in shown_lines if line.startswith("lines  "))
    assert f" {lines}, talks included " in found
    assert found.rstrip().endswith(by)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_without_agents_it_says_how_to_give_them() -> None:
    assert "the engine is not running: say --agents N" in failed("rehearse", "sales")
    publish({"campaigns": [{"campaign": "sales", "logged_in_agents": 0}]})
    assert "no agent is logged in to the queue 'q': say --agents N" in failed("rehearse", "sales")


def test_an_unknown_campaign_is_told() -> None:
    assert "no campaign 'nobody'" in failed("rehearse", "nobody", *SHORT)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("broadcast", "it calls for no agents"),
        ("agent-first", "every call has its agent before anybody is dialed"),
        ("preview", "agents decide when to call"),
    ],
)
def test_modes_that_can_t_be_rehearsed_say_why_and_which_can(mode: str, why: str) -> None:
    done("campaign", "set", "sales", f"mode={mode}", "sound=hello")
    said = failed("rehearse", "sales", *SHORT)
    assert f"sales is {mode}: {why}" in said
    assert "--mode progressive, power or predictive" in said
    assert shown("rehearse", "sales", *SHORT, "--mode", "power")["modes"][0]["mode"] == "power"


def test_a_broadcast_s_records_tell_nothing_of_agents() -> None:
    done("campaign", "set", "sales", "mode=broadcast", "sound=hello")
    keep_records(cdrs(500))
    said = failed("rehearse", "sales", *SHORT, "--mode", "power", "--from-history")
    assert "sales is a broadcast" in said


def test_too_few_records_are_refused() -> None:
    keep_records(cdrs(20))
    assert "sales has 20 recorded calls with" in failed("rehearse", "sales", *SHORT, "--from-history")


def test_a_picture_needs_a_directory(tmp_path: Path) -> None:
    said = failed("rehearse", "sales", *SHORT, "--png", str(tmp_path / "none" / "p.png"), code=2)
    assert f"there is no directory {tmp_path}/none" in said


def test_people_can_t_answer_later_than_it_rings() -> None:
    assert "--ring = 60.0: expected less than the 30 s" in failed("rehearse", "sales", *SHORT, "--ring", "60")


@pytest.mark.parametrize(
    "option",
    [("--answer-rate", "0"), ("--agents", "0"), ("--hours", "25"), ("--mode", "broadcast"), ("--days", "31")],
    ids=lambda option: option[0],
)
def test_values_out_of_range_are_wrong_usage(option: tuple[str, str]) -> None:
    assert option[0] in failed("rehearse", "sales", *option, code=2)


# --- what it costs others --------------------------------------------------------------------------------------------


def test_no_command_brings_arrays_or_pictures_before_it_rehearses() -> None:
    code = (
        "import sys, astdialer.cli.main;"
        "print([name for name in ('numpy', 'matplotlib', 'astdialer.simulator.day') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
