"""Predictive dialing through the real Asterisk: it learns, over-dials within the limit, and keeps what it has learned.

The long run is benchmarks/real_pacing.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dialing import Dialer, consistent, dialer_on, wait_for
from real_pacing import most_dialing

from astdialer.domain.limit import Limit
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

AGENTS = 3


@pytest.fixture
def dialer(lab: Lab, tmp_path: Path) -> Iterator[Dialer]:
    with dialer_on(lab, tmp_path) as found:
        found.config.write_text(found.config.read_text().replace('number_check = "possible"', 'number_check = "none"'))
        found.trunk()
        yield found


def drawn(n: int) -> str:
    """Of four numbers one answers after 4 s and talks for 3 s; the others are busy after 3 to 5 s."""
    return (f"9970040030{n:03}", f"9972030000{n:03}", f"9972050000{n:03}", f"9972040000{n:03}")[n % 4]


def test_a_predictive_campaign_learns_and_over_dials(dialer: Dialer) -> None:
    settings = {"mode": "predictive", "queue": "astdialer", "agent_wait_s": "4", "predict_after_answers": "4"}
    # Of so few answers the share of abandoned ones says nothing: the target is one that lets it dial.
    liberal = {"abandonment_target": "20", "abandonment_limit": "50", "predict_adjust": "1000"}
    dialer.campaign("sales", [drawn(n) for n in range(60)], **settings, **liberal)
    dialer.serve()
    dialer.run("campaign", "start", "sales")
    wait_for(lambda: dialer.ask("campaign", "explain", "sales")["facts"].get("prediction"), "it predicts", 60)
    found = dialer.ask("campaign", "explain", "sales")["facts"]
    assert 0 <= found["prediction"]["risk"] <= 1
    assert 0.05 < found["prediction"]["answer_rate"] < 0.6
    assert [window["limit"] for window in found["windows"]] == [0.5, 0.5]
    assert "predictive" in dialer.run("top", "--once").stdout
    dialer.wait_finished("sales")
    rows = dialer.rows("SELECT * FROM attempts ORDER BY created_at")
    assert len(rows) == 60
    assert {row["disposition"] for row in rows} <= {"answered", "busy", "abandoned", "short"}
    reasons = [row["reason"] for row in rows]
    assert set(reasons[:AGENTS]) == {Limit.LEARNING.value}, "at first one call for each free agent"
    assert set(reasons) & {Limit.RISK.value, Limit.GROWTH.value}
    assert most_dialing(rows) > AGENTS, "more calls than there are agents"
    consistent(dialer)
    dialer.stop()
    kept = dialer.rows("SELECT body FROM learned")
    assert len(kept) == 1
    people = sum(row["disposition"] in ("answered", "abandoned") for row in rows)
    assert f'"count":{people}' in kept[0]["body"]
