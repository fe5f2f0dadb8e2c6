"""/v1/statistics and /v1/live."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from call_hands import agent_row, called, campaign_row
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.disposition import Disposition

D = Disposition


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def worked(api: Hands) -> None:
    """Calls of two tenants' campaigns."""
    mine, theirs = await api.campaign("mine", tenant="a"), await api.campaign("theirs", tenant="b")
    await called(api, mine, 1, agent="PJSIP/1001", talk_s=30)
    await called(api, mine, 2, disposition=D.ABANDONED)
    await called(api, mine, 3, disposition=D.BUSY)
    await called(api, theirs, 4, agent="PJSIP/1002", talk_s=10)


async def test_a_campaigns_days(api: Hands) -> None:
    await worked(api)
    found = (await api.ask("GET", "/v1/statistics/campaigns/mine?days=2")).json()
    (day,) = found["days"]
    assert (day["day"], day["attempts"], day["people"], day["busy"]) == ("2025-10-09", 3, 2, 1)
    assert {key: day[key] for key in found["total"]} == found["total"]
    await api.clock.sleep(3 * 86_400)
    assert (await api.ask("GET", "/v1/statistics/campaigns/mine?days=2")).json()["days"] == []


async def test_abandonment_is_of_those_that_people_answered(api: Hands) -> None:
    await worked(api)
    found = (await api.ask("GET", "/v1/statistics/campaigns/mine/abandonment")).json()
    assert (found["people"], found["abandoned"], found["rate"], found["from_day"]) == (2, 1, 0.5, "2025-09-10")
    assert found["days"] == [{"day": "2025-10-09", "people": 2, "abandoned": 1, "rate": 0.5}]


async def test_trunks_and_agents(api: Hands) -> None:
    await worked(api)
    (trunk,) = (await api.ask("GET", "/v1/statistics/trunks")).json()["items"]
    assert (trunk["trunk"], trunk["attempts"], trunk["picked_up"]) == ("carrier", 4, 0.75)
    agents = (await api.ask("GET", "/v1/statistics/agents?days=1")).json()["items"]
    assert [(row["agent"], row["campaign"], row["talk_s"], row["average_talk_s"]) for row in agents] == [
        ("PJSIP/1001", "mine", 30.0, 30.0),
        ("PJSIP/1002", "theirs", 10.0, 10.0),
    ]


@pytest.mark.parametrize("days", ["0", "3661", "x"])
async def test_days_that_can_not_be(api: Hands, days: str) -> None:
    answer = await api.ask("GET", f"/v1/statistics/trunks?days={days}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.days")


async def test_a_tenants_figures_are_its_own(api: Hands) -> None:
    await worked(api)
    agents = (await api.ask("GET", "/v1/statistics/agents", tenant="a")).json()["items"]
    assert [row["agent"] for row in agents] == ["PJSIP/1001"]
    assert (await api.ask("GET", "/v1/statistics/campaigns/theirs", tenant="a")).status_code == 404
    assert (await api.ask("GET", "/v1/statistics/campaigns/theirs/abandonment", tenant="a")).status_code == 404
    assert (await api.ask("GET", "/v1/statistics/trunks", tenant="a")).status_code == 403


# --- live ------------------------------------------------------------------------------------------------------------


async def seen(api: Hands) -> None:
    await api.campaign("mine", tenant="a", queue="sales")
    await api.campaign("theirs", tenant="b", queue="support")
    await api.view(
        calls=6,
        vitals={"event_lag_s": 0.1},
        servers=[{"server": "default", "up": False, "why_down": "10.0.0.1 refuses"}],
        campaigns=[campaign_row("mine"), campaign_row("theirs")],
        agents=[agent_row("PJSIP/1001"), agent_row("PJSIP/1002", "support")],
        trunks=[{"trunk": "carrier", "calls": 6, "max_calls": 30, "rests_until": None, "why_rests": ""}],
    )


async def test_the_live_view_is_what_the_engine_wrote(api: Hands) -> None:
    await seen(api)
    view = (await api.ask("GET", "/v1/live")).json()
    assert (view["written_at"], view["calls"], view["vitals"]) == (NOW, 6, {"event_lag_s": 0.1})
    assert [row["campaign"] for row in view["campaigns"]] == ["mine", "theirs"]
    assert view["campaigns"][0]["windows"] == []
    assert (view["trunks"][0]["calls"], view["servers"][0]["why_down"]) == (6, "10.0.0.1 refuses")


async def test_a_tenant_sees_its_own_part_of_it(api: Hands) -> None:
    await seen(api)
    view = (await api.ask("GET", "/v1/live", tenant="a")).json()
    assert [row["campaign"] for row in view["campaigns"]] == ["mine"]
    assert [row["agent"] for row in view["agents"]] == ["PJSIP/1001"]
    assert (view["calls"], view["trunks"], view["servers"]) == (3, [], [{"server": "default", "up": False}])
    assert "vitals" not in view
    assert (await api.ask("GET", "/v1/live", tenant="c")).json()["campaigns"] == []


async def test_one_campaign_live(api: Hands) -> None:
    await seen(api)
    await api.campaign("new")
    found = (await api.ask("GET", "/v1/campaigns/mine/live")).json()
    assert (found["campaign"]["campaign"], [row["agent"] for row in found["agents"]]) == ("mine", ["PJSIP/1001"])
    assert (await api.ask("GET", "/v1/campaigns/theirs/live", tenant="a")).status_code == 404
    assert (await api.ask("GET", "/v1/campaigns/none/live")).status_code == 404
    new = (await api.ask("GET", "/v1/campaigns/new/live")).json()["campaign"]
    assert (new["state"], new["contacts"]["ready"], new["mode"]) == ("idle", 0, None)


async def test_a_view_of_an_engine_that_is_gone_is_not_the_present(api: Hands) -> None:
    await seen(api)
    await api.clock.sleep(6)
    for path in ("/v1/live", "/v1/campaigns/mine/live"):
        assert (await api.ask("GET", path)).status_code == 503


async def test_who_may_not(api: Hands) -> None:
    for path in ("/v1/live", "/v1/statistics/agents", "/v1/campaigns/x/live"):
        assert (await api.ask("GET", path, role=Role.AGENT)).status_code == 403
        assert (await api.client.get(path)).status_code == 401
