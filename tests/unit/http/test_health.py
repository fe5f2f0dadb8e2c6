"""Is it alive, can it dial, and its figures for Prometheus."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, hands
from prometheus_client.parser import text_string_to_metric_families

from astdialer import config
from astdialer.domain.access import Role
from astdialer.domain.errors import Unavailable
from astdialer.domain.hooks import Webhook
from astdialer.engine.vitals import BOUNDS_S, Vitals
from astdialer.http import health, metrics
from astdialer.ports import Delivery


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        opened.client._transport.app.state.findings = health.Findings()  # type: ignore[attr-defined]
        yield opened


@contextlib.asynccontextmanager
async def scripts(api: Hands, host: str = "127.0.0.1", at: str = "") -> AsyncIterator[None]:
    """An AGI port that takes connections."""
    server = await asyncio.start_server(lambda _r, w: w.close(), host, 0)
    port = server.sockets[0].getsockname()[1]
    object.__setattr__(api.services, "agi", config.Agi(host=at or host, port=port))
    async with server:
        yield


async def ready(api: Hands) -> tuple[int, Mapping[str, str]]:
    api.clock.at += health.FRESH_MS
    answer = await api.client.get("/readyz")
    body = answer.json()
    assert (body["status"] == "ready") == (answer.status_code == 200)
    return answer.status_code, body["checks"]


WELL = {"store": "ok", "agi": "ok", "ami default": "ok"}


# --- alive and ready -------------------------------------------------------------------------------------------------


async def test_it_says_that_it_is_alive_to_anybody(api: Hands) -> None:
    answer = await api.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await api.client.head("/healthz")).status_code == 200


async def test_it_is_ready_when_all_is_there_and_says_so_to_anybody(api: Hands) -> None:
    await api.view()
    async with scripts(api):
        assert await ready(api) == (200, WELL)
        assert (await api.client.head("/readyz")).status_code == 200


@pytest.mark.parametrize(("listens", "told"), [("127.0.0.1", "0.0.0.0"), ("127.0.0.1", ""), ("127.0.0.1", "localhost")])
async def test_scripts_that_listen_everywhere_are_reached_here(api: Hands, listens: str, told: str) -> None:
    async with scripts(api, listens, told):
        if not told:
            object.__setattr__(api.services, "agi", dataclasses.replace(api.services.agi, host=""))
        await api.view()
        assert await ready(api) == (200, WELL)


async def test_what_is_missing_is_named(api: Hands) -> None:
    async with scripts(api):
        assert await ready(api) == (503, {"store": "ok", "agi": "ok", "engine": "is not running"})
        await api.view(
            servers=[{"server": "a", "up": True, "why_down": ""}, {"server": "b", "up": False, "why_down": "x"}]
        )
        assert await ready(api) == (503, {"store": "ok", "agi": "ok", "ami a": "ok", "ami b": "is down"})
        await api.view(store_writes=False)
        assert await ready(api) == (503, WELL | {"store": "the last write failed"})
    await api.view()
    assert await ready(api) == (503, WELL | {"agi": "does not answer"})


async def test_a_view_of_an_engine_that_died_is_not_taken_for_the_present(api: Hands) -> None:
    await api.view()
    async with scripts(api):
        api.clock.at += 6000
        assert (await ready(api))[1]["engine"] == "is not running"


async def test_a_store_that_cannot_be_read_is_named(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any) -> None:
        raise Unavailable("the disk is gone")

    async with scripts(api):
        monkeypatch.setattr(api.store, "last_event", gone)
        monkeypatch.setattr(api.store, "live_view", gone)
        status, checks = await ready(api)
    assert (status, checks["store"]) == (503, "can't be read")


async def test_scripts_that_do_not_answer_are_not_waited_for(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "REACH_S", 0.05)
    monkeypatch.setattr(asyncio, "open_connection", never)
    await api.view()
    assert (await ready(api))[1]["agi"] == "does not answer"


async def test_what_runs_beside_the_engine_counts_too(api: Hands) -> None:
    await api.view()
    states = {"webhooks": "ok", "uploads": "failed and was begun anew: ValueError()"}
    object.__setattr__(api.services, "beside", lambda: states)
    async with scripts(api):
        assert await ready(api) == (503, WELL | states)


async def test_many_who_ask_are_one_look(api: Hands) -> None:
    """Anybody may ask, and each look opens a connection."""
    opened = 0

    def counted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        writer.close()

    server = await asyncio.start_server(counted, "127.0.0.1", 0)
    object.__setattr__(api.services, "agi", config.Agi(port=server.sockets[0].getsockname()[1]))
    async with server:
        answers = await asyncio.gather(*(api.client.get("/readyz") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {503}
        await asyncio.sleep(0.05)
        assert opened == 1
        api.clock.at += health.FRESH_MS
        await api.client.get("/readyz")
        await asyncio.sleep(0.05)
        assert opened == 2
        api.clock.at -= 3_600_000
        await api.client.get("/readyz")
        await asyncio.sleep(0.05)
        assert opened == 3, "a clock that goes back does not freeze it"


# --- figures ---------------------------------------------------------------------------------------------------------


async def figures(api: Hands, **asker: Any) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by its name and labels."""
    answer = await api.ask("GET", "/metrics", **asker)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        found.setdefault(family.name, {})
        assert family.documentation.endswith(".")
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def full_view(api: Hands) -> None:
    vitals = Vitals()
    for seconds in (0.004, 0.03, 0.03, 20.0):
        vitals.originated(seconds)
    vitals.handled(api.clock.at - 350, api.clock.at)
    await api.view(
        vitals=vitals.view(api.clock.at),
        servers=[{"server": "a", "up": True, "why_down": ""}, {"server": "b", "up": False, "why_down": "x"}],
        campaigns=[
            {
                "campaign": name,
                "calls": {"ringing": 2, "connected": 1},
                "contacts": {"ready": 5, "done": 7},
                "abandonment": 0.02,
            }
            for name in ("demo", "theirs")
        ],
        agents=[{"queue": "sales", "status": "NOT_INUSE"}, {"queue": "sales", "status": "WRAPUP"}],
        trunks=[{"trunk": "carrier", "calls": 3, "max_calls": 30}],
    )


FAMILIES = {
    "astdialer_engine_up",
    "astdialer_ami_up",
    "astdialer_originate_seconds",  # originate latency
    "astdialer_ami_event_lag_seconds",  # AMI lag
    "astdialer_calls",  # calls by state
    "astdialer_contacts",
    "astdialer_attempts",  # dispositions
    "astdialer_abandonment_ratio",
    "astdialer_agents",
    "astdialer_trunk_calls",  # trunk use
    "astdialer_trunk_max_calls",
    "astdialer_conversion_queue",
    "astdialer_webhook_deliveries",
}


async def test_every_figure_that_is_worth_watching_is_there(api: Hands) -> None:
    await api.campaign("demo")
    await api.campaign("theirs", tenant="acme")
    await full_view(api)
    found = await figures(api, role=Role.READ_ONLY)
    assert set(found) >= FAMILIES
    assert found["astdialer_engine_up"] == {(): 1.0}
    assert found["astdialer_ami_up"] == {(("server", "a"),): 1.0, (("server", "b"),): 0.0}
    assert found["astdialer_calls"][("campaign", "demo"), ("state", "ringing")] == 2
    assert found["astdialer_contacts"][("campaign", "demo"), ("state", "done")] == 7
    assert found["astdialer_abandonment_ratio"][("campaign", "demo"),] == 0.02
    assert found["astdialer_agents"][("queue", "sales"), ("status", "wrapup")] == 1
    assert found["astdialer_agents"][("queue", "sales"), ("status", "busy")] == 0
    assert found["astdialer_trunk_calls"] == {(("trunk", "carrier"),): 3.0}
    assert found["astdialer_trunk_max_calls"] == {(("trunk", "carrier"),): 30.0}
    assert found["astdialer_conversion_queue"] == {(): 0.0}
    assert found["astdialer_ami_event_lag_seconds"] == {(): 0.35}


async def test_the_time_of_originates_is_a_histogram(api: Hands) -> None:
    await full_view(api)
    found = await figures(api)
    buckets = {dict(labels)["le"]: n for labels, n in found["astdialer_originate_seconds_bucket"].items()}
    assert list(buckets) == [*map(str, BOUNDS_S), "+Inf"]
    assert [buckets[bound] for bound in ("0.005", "0.025", "0.05", "10.0", "+Inf")] == [1, 1, 3, 3, 4]
    assert found["astdialer_originate_seconds_count"] == {(): 4.0}
    assert found["astdialer_originate_seconds_sum"][()] == pytest.approx(20.064)


async def test_dispositions_and_messages_are_counted_by_the_store(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = await api.campaign("demo")
    counts = dataclasses.replace(await api.store.counts(campaign.id), dispositions={"busy": 3, "answered": 9})

    async def counted(_campaign_id: int) -> Any:
        return counts

    monkeypatch.setattr(api.store, "counts", counted)
    await api.store.add_webhook(Webhook(id="w", url="http://x/", secret="s"))
    waiting = Delivery(id="d", webhook_id="w", event_id=1, kind="k", body="{}", created_at=1, retry_at=1)
    await api.store.queue_deliveries("webhooks", 1, [waiting])
    found = await figures(api)
    assert found["astdialer_attempts_total"] == {
        (("campaign", "demo"), ("disposition", "busy")): 3.0,
        (("campaign", "demo"), ("disposition", "answered")): 9.0,
    }
    assert found["astdialer_webhook_deliveries"] == {(("state", "pending"),): 1.0, (("state", "dead"),): 0.0}


async def test_without_an_engine_there_is_what_the_store_knows(api: Hands) -> None:
    await api.campaign("demo")
    found = await figures(api)
    assert found["astdialer_engine_up"] == {(): 0.0}
    assert "astdialer_ami_up" not in found
    assert found["astdialer_calls"] == {}


async def test_a_tenant_is_shown_its_own_campaigns_and_nothing_of_others(api: Hands) -> None:
    await api.campaign("demo")
    await api.campaign("theirs", tenant="acme")
    await full_view(api)
    found = await figures(api, tenant="acme")
    labels = {value for samples in found.values() for pairs in samples for _, value in pairs}
    assert labels == {"theirs", "ringing", "connected", "ready", "done"}
    assert "astdialer_trunk_calls" not in found
    assert (await api.ask("GET", "/metrics", role=Role.AGENT)).status_code == 403
    assert (await api.client.get("/metrics")).status_code == 401


def test_names_with_quotes_and_line_breaks_are_data() -> None:
    odd = 'a"b\\c\nd'
    text = metrics.text(metrics.Figures(dispositions={odd: {"busy": 1}})).decode()
    (family,) = [each for each in text_string_to_metric_families(text) if each.name == "astdialer_attempts"]
    assert family.samples[0].labels["campaign"] == odd


# --- how quickly the engine works ------------------------------------------------------------------------------------


def test_the_longest_lag_of_late_is_told_and_then_forgotten() -> None:
    vitals = Vitals()
    assert vitals.view(1_000_000)["event_lag_s"] == 0
    vitals.handled(999_500, 1_000_000)
    vitals.handled(1_000_990, 1_001_000)
    assert vitals.view(1_002_000)["event_lag_s"] == 0.5
    assert vitals.view(1_010_001)["event_lag_s"] == 0, "nothing has come since"
    vitals.handled(1_020_000, 1_020_020)
    assert vitals.view(1_020_020)["event_lag_s"] == 0.02


def test_clocks_that_disagree_make_no_lag() -> None:
    vitals = Vitals()
    vitals.handled(2_000_000, 1_000_000)
    assert vitals.view(1_000_000)["event_lag_s"] == 0
    vitals.handled(999_000, 1_000_000)
    vitals.handled(499_990, 500_000)  # the clock has gone back
    assert vitals.view(500_000)["event_lag_s"] == 0.01
