"""What is shown of a predictive campaign: in campaign explain, and on the live screen."""

from typing import Any

import click
import pytest
from rich.console import Console

from astdialer.cli.context import Invocation
from astdialer.cli.explain import prediction_words, show_explanation
from astdialer.cli.main import cli
from astdialer.cli.top import screen
from astdialer.domain.campaign import CampaignState
from astdialer.domain.limit import Limit
from astdialer.engine.explain import Explanation

PREDICTION = {"risk": 0.0234, "allowed_risk": 0.021, "answer_rate": 0.2461, "answers_learned": 3184}
WINDOWS = [
    {
        "window": "30 days",
        "since": "2026-11-02",
        "people": 3180.0,
        "abandoned": 84.0,
        "rate": 0.0264,
        "at_most": 0.0315,
        "limit": 0.03,
        "room": 11,
    },
    {
        "window": "day",
        "since": "2026-11-21",
        "people": 0.0,
        "abandoned": 0.0,
        "rate": None,
        "at_most": None,
        "limit": 0.03,
        "room": 0,
    },
]


def row(**values: Any) -> dict[str, Any]:
    usual = {
        "campaign": "spring",
        "state": "running",
        "mode": "predictive",
        "limit": Limit.RISK.value,
        "until": None,
        "calls": {"dialing": 12},
        "contacts": {"ready": 5, "waiting": 0, "in_call": 12, "done": 90},
        "free_agents": 1,
        "logged_in_agents": 8,
        "dispositions": {},
        "abandonment": None,
        "prediction": PREDICTION,
        "windows": WINDOWS,
    }
    return usual | values


def shown(campaigns: list[dict[str, Any]]) -> str:
    console = Console(width=150, record=True)
    view = {
        "written_at": 1,
        "calls": 12,
        "servers": [],
        "store_writes": True,
        "campaigns": campaigns,
        "agents": [],
        "trunks": [],
    }
    with click.Context(cli, obj=Invocation(None)):  # times are shown in the configured zone
        console.print(screen(view))
    return console.export_text()


def test_the_screen_shows_the_live_probability_the_share_and_the_room_that_is_left() -> None:
    text = shown([row()])
    assert "predictive" in text
    line = next(line for line in text.splitlines() if "30 days" in line)
    assert line.split() == ["spring", "2.3%", "2.1%", "24.6%", "30", "days", "3180", "84", "2.64%", "11"]
    assert any(line.split() == ["day", "0", "0", "0"] for line in text.splitlines())


def test_the_screen_shows_no_prediction_where_there_is_none() -> None:
    assert "window" not in shown([row(mode="progressive", prediction=None)])
    assert "window" not in shown([{key: value for key, value in row().items() if key not in ("prediction", "windows")}])


def test_an_explanation_has_them_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"contacts": {"ready": 5}, "prediction": PREDICTION, "windows": WINDOWS}
    month = {"people": 10, "abandoned": 1, "rate": None}
    found = Explanation(
        campaign="spring",
        state=CampaignState.RUNNING.value,
        phase="work",
        limit=Limit.RISK.value,
        rule="",
        until=None,
        detail="",
        facts=facts | {"abandonment_30_days": month},
        rules={"closed_zones": [], "put_off": [], "caps": {}},
    )
    show_explanation(found)
    said = capsys.readouterr().out
    assert prediction_words(PREDICTION) in said
    assert "risk of one call more 2.3%, allowed 2.1%; 24.6% of calls lead to a person (3184 did)" in said
    assert "true rate at most" in said
    assert "3.15%" in said
