"""/v1/events: server-sent events, over a real socket."""

import asyncio
import contextlib
import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from call_hands import agent_row, campaign_row
from http_hands import Hands, hands

from astdialer.clock import SystemClock
from astdialer.config import Http
from astdialer.domain.access import Role
from astdialer.engine import tokens
from astdialer.http import feed as feeds
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.http.feed import Feed, Listener, Message
from astdialer.http.server import _Server, listening
from astdialer.http.v1 import events
from astdialer.ports import NewEvent

clock = SystemClock()


@dataclass(slots=True)
class Ear:
    """What a listener has heard."""

    answer: httpx.Response
    heard: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0
    ended: bool = False

    @property
    def ids(self) -> list[int]:
        return [int(each["id"]) for each in self.heard if "id" in each]

    @property
    def kinds(self) -> list[str]:
        return [each["event"] for each in self.heard]

    def of(self, kind: str) -> list[Any]:
        return [each["data"] for each in self.heard if each["event"] == kind]

    async def read(self) -> None:
        one: dict[str, Any] = {}
        async for line in self.answer.aiter_lines():
            name, _, value = line.partition(":")
            if line == "":
                if "event" in one:
                    self.heard.append(one)
                one = {}
            elif name == "":
                self.comments += 1
            else:
                one[name] = json.loads(value) if name == "data" else value.strip()
        self.ended = True

    async def until(self, is_so: Callable[[], bool], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@dataclass(slots=True)
class Radio:
    """A server of the application, and its listeners."""

    api: Hands
    feed: Feed
    url: str
    client: httpx.AsyncClient

    @contextlib.asynccontextmanager
    async def listen(
        self, query: str = "", *, headers: Mapping[str, str] | None = None, **who: Any
    ) -> AsyncIterator[Ear]:
        token = await self.api.bearer(**who)
        url, before = f"{self.url}/v1/events{query}", set(self.feed._joined)
        async with self.client.stream("GET", url, headers={**token, **(headers or {})}) as answer:
            assert answer.status_code == 200, await answer.aread()
            ear = Ear(answer)
            task = asyncio.create_task(ear.read())
            try:
                await ear.until(lambda: bool(self.feed._joined - before) or ear.ended)
                yield ear
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def tell(self, *kinds: str, campaign_id: int | None = None) -> None:
        at = clock.now()
        made = [NewEvent(at=at, kind=kind, campaign_id=campaign_id, body={"n": n}) for n, kind in enumerate(kinds)]
        await self.api.store.add_events(made)

    async def show(self, **parts: Any) -> None:
        """Publish what an engine sees."""
        empty: dict[str, Any] = {"servers": [], "store_writes": True, "calls": 0, "agents": [], "trunks": []}
        view = empty | {"campaigns": []} | parts
        await self.api.store.publish_live_view("test", view, clock.now())


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


@pytest.fixture
async def radio(api: Hands, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Radio]:
    monkeypatch.setattr(feeds, "LOOK_S", 0.02)
    monkeypatch.setattr(feeds, "LIVE_MS", 50)
    app = make(dataclasses.replace(api.services, clock=clock), dialects())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=3))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=20, limits=limits) as client:
        yield Radio(api, app.state.feed, f"http://127.0.0.1:{port}", client)
    app.state.feed.end()
    server.should_exit = True
    await asyncio.wait_for(task, 10)
    listener.close()


# --- what happens ----------------------------------------------------------------------------------------------------


async def test_what_happens_is_told_from_now_on_with_id_kind_and_data(radio: Radio) -> None:
    demo = await radio.api.campaign("demo")
    before = await radio.api.store.last_event()
    async with radio.listen() as ear:
        assert ear.answer.headers["content-type"].startswith("text/event-stream")
        assert ear.answer.headers["cache-control"] == "no-store"
        await radio.tell("attempt.dialed", campaign_id=demo.id)
        await radio.api.ask("PATCH", "/v1/campaigns/demo", json={"settings": {"max_calls": 3}})
        await ear.until(lambda: len(ear.ids) == 2)
    first, second = ear.heard
    assert (first["id"], first["event"]) == (str(before + 1), "attempt.dialed")
    assert first["data"] | {"id": before + 1, "event": "attempt.dialed", "campaign": "demo"} == first["data"]
    assert first["data"]["data"] == {"n": 0}
    assert (second["event"], second["data"]["data"]["done_by"]) == ("campaign.changed", "admin")


async def test_only_what_is_asked_for_is_told(radio: Radio) -> None:
    one, other = await radio.api.campaign("one"), await radio.api.campaign("other")
    async with (
        radio.listen("?kinds=attempt.*,contact.ended") as some,
        radio.listen("?campaign=one") as of_one,
        radio.listen("?kinds=base.loaded") as last,
    ):
        await radio.tell("attempt.dialed", "contact.scheduled", "contact.ended", campaign_id=one.id)
        await radio.tell("attempt.closed", campaign_id=other.id)
        await radio.tell("call.offered", "base.loaded")
        await last.until(lambda: last.kinds == ["base.loaded"])
        await some.until(lambda: len(some.kinds) == 3)
        await of_one.until(lambda: len(of_one.kinds) == 3)
    assert some.kinds == ["attempt.dialed", "contact.ended", "attempt.closed"]
    assert of_one.kinds == ["attempt.dialed", "contact.scheduled", "contact.ended"]


async def test_a_tenant_is_told_of_its_own_campaigns_alone(radio: Radio) -> None:
    mine, theirs = await radio.api.campaign("mine", tenant="a"), await radio.api.campaign("theirs", tenant="b")
    async with (
        radio.listen("?kinds=attempt.*,call.*", tenant="a") as ear,
        radio.listen("?kinds=attempt.*,call.*") as all_,
    ):
        await radio.tell("attempt.dialed", campaign_id=theirs.id)
        await radio.tell("call.offered")
        await radio.tell("attempt.closed", campaign_id=mine.id)
        await all_.until(lambda: len(all_.ids) == 3)
        await ear.until(lambda: bool(ear.ids))
    assert ear.kinds == ["attempt.closed"]
    answer = await radio.client.get(
        f"{radio.url}/v1/events?campaign=theirs", headers=await radio.api.bearer(tenant="a")
    )
    assert answer.status_code == 404


async def test_a_line_comes_though_nothing_happens(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    async with radio.listen() as ear:
        await ear.until(lambda: ear.comments >= 2)
    assert ear.heard == []


# --- going on where it was -------------------------------------------------------------------------------------------


async def test_a_stream_goes_on_behind_the_last_event_that_came(radio: Radio) -> None:
    await radio.tell(*["attempt.dialed"] * 10)
    newest = await radio.api.store.last_event()
    async with radio.listen(f"?after={newest - 4}") as ear:
        await ear.until(lambda: len(ear.ids) == 4)
    assert ear.ids == list(range(newest - 3, newest + 1))
    async with radio.listen("?after=1", headers={"last-event-id": str(newest - 1)}) as ear:
        await ear.until(lambda: bool(ear.ids))
        await radio.tell("attempt.closed")
        await ear.until(lambda: len(ear.ids) == 2)
    assert ear.ids == [newest, newest + 1]


async def test_nothing_is_lost_or_repeated_while_much_happens(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BATCH", 7)
    begin = await radio.api.store.last_event()
    await radio.tell(*["attempt.dialed"] * 300)

    async def happen() -> None:
        for _ in range(60):
            await radio.tell(*["attempt.closed"] * 5)
            await asyncio.sleep(0.002)

    async with contextlib.AsyncExitStack() as stack:
        happening = asyncio.create_task(happen())
        ears = [await stack.enter_async_context(radio.listen(f"?after={begin + skip}")) for skip in (0, 100, 299)]
        await happening
        last = await radio.api.store.last_event()
        for ear in ears:
            await ear.until(lambda ear=ear: bool(ear.ids) and ear.ids[-1] == last)  # type: ignore[misc]
    assert last == begin + 600
    for ear, skip in zip(ears, (0, 100, 299), strict=True):
        assert ear.ids == list(range(begin + skip + 1, last + 1))


async def test_an_id_that_is_not_there_yet_is_the_present(radio: Radio) -> None:
    async with radio.listen("?after=999999999") as ear:
        await radio.tell("attempt.dialed")
        await ear.until(lambda: len(ear.ids) == 1)


async def test_what_is_forgotten_by_then_is_told_as_a_gap(radio: Radio) -> None:
    await radio.tell(*["attempt.dialed"] * 5)
    newest = await radio.api.store.last_event()
    await radio.api.store.queue_deliveries("webhooks", newest - 1, [])
    first = (await radio.api.store.events(0, 1))[0].id
    await radio.api.store._db.write(
        lambda tx: tx.execute("forget_happenings", {"before": 2**60, "limit": 3, "most": 9})
    )
    oldest = (await radio.api.store.events(0, 1))[0].id
    assert oldest > first + 1
    async with radio.listen(f"?after={first}") as ear:
        await ear.until(lambda: bool(ear.ids) and ear.ids[-1] == newest)
    assert (ear.kinds[0], ear.of("gap")) == ("gap", [{"after": first, "first": oldest}])
    assert ear.ids == list(range(oldest, newest + 1))
    async with radio.listen(f"?after={newest - 1}") as ear:
        await ear.until(lambda: ear.ids == [newest])
    assert ear.of("gap") == []


# --- the live view ---------------------------------------------------------------------------------------------------


async def test_the_live_view_comes_at_once_and_whenever_it_has_changed(radio: Radio) -> None:
    await radio.show(calls=1, vitals={"event_lag_s": 0.1})
    async with radio.listen("?kinds=live") as ear:
        await ear.until(lambda: len(ear.heard) == 1)
        for lag in (0.2, 0.3, 0.4):
            await radio.show(calls=1, vitals={"event_lag_s": lag})
            await asyncio.sleep(0.3)
        await radio.tell("attempt.dialed")
        await radio.show(calls=2)
        await ear.until(lambda: len(ear.heard) == 2)
    assert ear.kinds == ["live", "live"]
    assert [view["calls"] for view in ear.of("live")] == [1, 2]
    assert all("id" not in each for each in ear.heard)


async def test_the_live_view_is_the_listeners_own_part_of_it(radio: Radio) -> None:
    await radio.api.campaign("mine", tenant="a", queue="sales")
    await radio.api.campaign("theirs", tenant="b", queue="support")
    await radio.show(
        calls=6,
        campaigns=[campaign_row("mine"), campaign_row("theirs")],
        agents=[agent_row("PJSIP/1001"), agent_row("PJSIP/1002", "support")],
        trunks=[{"trunk": "carrier", "calls": 6, "max_calls": 30}],
    )
    async with radio.listen(tenant="a") as own, radio.listen("?campaign=theirs") as of_one, radio.listen() as whole:
        for ear in (own, of_one, whole):
            await ear.until(lambda ear=ear: bool(ear.of("live")))  # type: ignore[misc]
    (view, *_) = own.of("live")
    assert [row["campaign"] for row in view["campaigns"]] == ["mine"]
    assert ([row["agent"] for row in view["agents"]], view["trunks"]) == (["PJSIP/1001"], [])
    (view, *_) = of_one.of("live")
    assert (view["campaign"]["campaign"], [row["agent"] for row in view["agents"]]) == ("theirs", ["PJSIP/1002"])
    (view, *_) = whole.of("live")
    assert len(view["trunks"]) == 1


# --- ends ------------------------------------------------------------------------------------------------------------


async def test_streams_end_with_the_server_and_none_begins(radio: Radio) -> None:
    async with radio.listen() as one, radio.listen("?kinds=live") as other:
        radio.feed.end()
        for ear in (one, other):
            await ear.until(lambda ear=ear: ear.ended)  # type: ignore[misc]
    answer = await radio.client.get(f"{radio.url}/v1/events", headers=await radio.api.bearer())
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_a_server_that_is_stopped_waits_for_no_listener(api: Hands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = make(dataclasses.replace(api.services, clock=clock), dialects())
    async with httpx.AsyncClient(timeout=20) as client, contextlib.AsyncExitStack() as stack:
        async with listening(app, Http(port=port), clock) as server:
            running = asyncio.create_task(server.run())
            stream = client.stream("GET", f"http://127.0.0.1:{port}/v1/events", headers=await api.bearer())
            ear = Ear(await stack.enter_async_context(stream))
            reading = asyncio.create_task(ear.read())
            await ear.until(lambda: bool(app.state.feed._joined))
            began = clock.now()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await reading
    assert ear.ended
    assert clock.now() - began < 2900  # a request gets 3 s


async def test_a_client_that_goes_is_forgotten_and_nobody_is_followed_for(
    radio: Radio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    async with radio.listen() as ear:
        await ear.until(lambda: ear.comments > 0)
        assert len(radio.feed._present) == 1
        task = radio.feed._task
    await ear.until(lambda: not radio.feed._present)
    assert task is not None
    await asyncio.wait_for(task, 10)
    asked = count(radio, monkeypatch)
    await asyncio.sleep(0.2)
    assert asked == []


async def test_a_token_that_is_revoked_ends_its_stream(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    async with radio.listen(role=Role.SUPERVISOR) as ear:
        await tokens.revoke(radio.api.store, clock, "supervisor")
        await ear.until(lambda: ear.ended, timeout_s=15)


def count(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each look for events from now on."""
    looks: list[int] = []
    look = radio.api.store.events

    async def counted(after: int, limit: int) -> Any:
        looks.append(after)
        return await look(after, limit)

    monkeypatch.setattr(radio.api.store, "events", counted)
    return looks


async def test_many_listeners_are_fed_by_one_follower(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LOOK_S", 0.1)
    async with contextlib.AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(radio.listen("?kinds=attempt.*")) for _ in range(20)]
        await ears[-1].until(lambda: len(radio.feed._joined) == 20)
        asked = count(radio, monkeypatch)
        await asyncio.sleep(1)
        assert 1 <= len(asked) <= 12
        await radio.tell("attempt.dialed")
        for ear in ears:
            await ear.until(lambda ear=ear: len(ear.ids) == 1)  # type: ignore[misc]


async def test_who_takes_too_little_is_cut_off_and_may_go_on(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ROOM", 5)
    monkeypatch.setattr(feeds, "LOOK_S", 0.01)
    feed = Feed(dataclasses.replace(api.services, clock=clock))

    async def sees(_view: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def listener() -> Listener:
        return Listener(lambda _event, _campaign: True, sees, None)

    async def tell(count: int) -> None:
        body = {"n": 1}
        await api.store.add_events([NewEvent(at=1, kind="attempt.dialed", body=body) for _ in range(count)])

    slow, quick = listener(), listener()
    heard: list[Message] = []
    async with feed.listening(slow), feed.listening(quick):
        for each in (slow, quick):
            assert [messages async for messages in feed.missed(each, None)] == []
        for _ in range(4):
            await tell(2)
            async with asyncio.timeout(20):
                heard += await quick.take(20)
                while len(heard) % 2:
                    heard += await quick.take(20)
        assert (slow.is_over, quick.is_over) == (True, False)
        taken = await slow.take(1)
        assert [message.id for message in taken] == [message.id for message in heard[:5]]
        assert await slow.take(60) == ()

    again = listener()
    async with feed.listening(again):
        missed = [message async for messages in feed.missed(again, taken[-1].id) for message in messages]
    assert [message.id for message in missed] == [message.id for message in heard[5:]]
    feed.end()


# --- bad requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "status", "fields"),
    [
        ("?kinds=attempt.lost", {}, 422, ["kinds"]),
        ("?kinds=", {}, 422, ["kinds"]),
        ("?kinds=live,,", {}, 422, ["kinds"]),
        ("?after=-1", {}, 422, ["query.after"]),
        ("?after=x", {}, 422, ["query.after"]),
        ("", {"last-event-id": "x"}, 422, ["Last-Event-ID"]),
        ("", {"last-event-id": "9" * 30}, 422, ["Last-Event-ID"]),
        ("?campaign=none", {}, 404, []),
    ],
)
async def test_a_bad_request_is_told(
    api: Hands, query: str, headers: dict[str, str], status: int, fields: list[str]
) -> None:
    answer = await api.ask("GET", f"/v1/events{query}", headers=headers)
    assert answer.status_code == status
    assert [each["field"] for each in answer.json().get("errors", [])] == fields


async def test_who_may_not(api: Hands) -> None:
    assert (await api.ask("GET", "/v1/events", role=Role.AGENT)).status_code == 403
    assert (await api.client.get("/v1/events")).status_code == 401
