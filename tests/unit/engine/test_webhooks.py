"""Webhooks: what is told to whom, that it arrives once it can, and that nobody waits for one who does not listen."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import DAY, HOUR, NOON, Clock, campaign, person

from astdialer.domain.errors import InvalidSetting, NotFound, Unavailable
from astdialer.domain.hooks import LIFETIME_S, PAUSES_S, Event, Form, Webhook
from astdialer.engine import deliveries, webhooks
from astdialer.engine.deliveries import TO_ONE, Line, signed
from astdialer.engine.webhooks import Happening, Herald, Words, native_words
from astdialer.ports import Delivery, NewEvent
from astdialer.store import SqliteStore, open_store

CRM, OTHER = "https://crm.example/hook", "https://other.example/hook"


@dataclass
class Receivers:
    """Other people's servers: each answers as the test says, 200 if it says nothing."""

    clock: Clock
    answers: dict[str, Any] = field(default_factory=dict)  #: a status, an exception, or what is called with the body
    taken: list[tuple[str, Mapping[str, Any], Mapping[str, str], int]] = field(default_factory=list)
    at_once: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)
    silent: dict[str, asyncio.Event] = field(default_factory=dict)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.taken.append((url, json.loads(body), headers, self.clock.at))
        self.at_once[url] += 1
        self.most_at_once[url] = max(self.most_at_once[url], self.at_once[url])
        try:
            if url in self.silent:
                await self.silent[url].wait()
            await asyncio.sleep(0)
            answer = self.answers.get(url, 200)
            answer = answer(json.loads(body)) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return int(answer)
        finally:
            self.at_once[url] -= 1

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        raise AssertionError("nothing is asked here")

    def told(self, url: str = CRM) -> list[Any]:
        """The ``data`` of messages that a receiver was sent."""
        return [body["data"] for to, body, _, _ in self.taken if to == url]

    def ids(self, url: str = CRM) -> list[str]:
        return [headers["webhook-id"] for to, _, headers, _ in self.taken if to == url]

    def times(self, url: str = CRM) -> list[int]:
        return [at for to, _, _, at in self.taken if to == url]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "s.db", clock) as opened:
        yield opened


@pytest.fixture
def receivers(clock: Clock) -> Receivers:
    return Receivers(clock)


@pytest.fixture
async def herald(store: SqliteStore, clock: Clock, receivers: Receivers) -> AsyncIterator[Herald]:
    made = herald_of(store, clock, receivers)
    yield made
    for silent in receivers.silent.values():
        silent.set()
    await made._stop()


def herald_of(store: SqliteStore, clock: Clock, receivers: Receivers, words: Words = native_words) -> Herald:
    return Herald(store, receivers, clock, {Form.NATIVE: native_words, Form.TWIN24: words})


async def hook(store: SqliteStore, clock: Clock, url: str = CRM, **values: Any) -> Webhook:
    return await webhooks.create(store, clock, url, **values)


async def happen(store: SqliteStore, *numbers: int, kind: str = "call.offered", **values: Any) -> None:
    await store.add_events([NewEvent(at=NOON, kind=kind, body={"n": n}, **values) for n in numbers or (1,)])


async def turn(herald: Herald, times: int = 1) -> None:
    """A look at everything, and what it has begun to send arrives; no receiver may be silent."""
    for _ in range(times):
        await herald._turn()
        await arrived(herald)
        await herald._note()


async def arrived(herald: Herald) -> None:
    async with asyncio.timeout(10):
        while workers := [worker for line in herald._lines.values() for worker in line._workers]:
            await asyncio.wait(workers)
            await asyncio.sleep(0)


async def states(store: SqliteStore) -> Counter[str]:
    return Counter([each.state for each in await store.deliveries(None, None, 100_000)])


# --- use cases -------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_made_with_a_secret_of_its_own(store: SqliteStore, clock: Clock) -> None:
    made = await hook(store, clock, events=["attempt.closed", "contact.*"], created_by="ana")
    assert (made.url, made.events, made.created_by, made.created_at) == (
        CRM,
        ("attempt.closed", "contact.*"),
        "ana",
        NOON,
    )
    assert len(base64.b64decode(made.secret.removeprefix("whsec_"), validate=True)) == 32
    assert made.secret != (await hook(store, clock)).secret
    assert await webhooks.find(store, made.id) == replace(made, since_event=0)


async def test_a_campaigns_webhook_is_its_tenants(store: SqliteStore, clock: Clock) -> None:
    theirs = await store.create_campaign("a", (await campaign(store)).settings, NOON, "acme")
    made = await hook(store, clock, campaign=theirs, tenant="somebody else")
    assert (made.campaign_id, made.tenant) == (theirs.id, "acme")
    assert (await webhooks.find(store, made.id, "acme")).id == made.id
    with pytest.raises(NotFound):
        await webhooks.find(store, made.id, "b")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "crm.example",
        "/hook",
        "ftp://crm.example/",
        "file:///etc/passwd",
        "gopher://crm.example:70/",
        "https://",
        "https:///x",
        "https://user:secret@crm.example/",
        "https://crm.example@evil.example/",
        "https://crm.example/\r\nHost: evil",
        "https://crm.example/\nx",
        "https://crm.example/a b",
        "https://crm.example/\x00",
        "https://crm.example/ñ",
        "https://crm.ñandú.example/",
        "https://crm.example:0/",
        "https://crm.example:99999/",
        "https://crm.example:port/",
        "https://[::1/",
        "https://crm.example/" + "x" * 2000,
        "javascript:alert(1)",
    ],
)
async def test_what_can_be_no_receiver_is_refused(store: SqliteStore, clock: Clock, url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        await hook(store, clock, url)
    assert refused.value.key == "url"
    assert await store.webhooks() == []


@pytest.mark.parametrize(
    "url", ["http://crm.example", "https://crm.example:8443/a?b=c#d", "http://10.0.0.1/", "http://[2001:db8::1]:80/x"]
)
async def test_what_may_be_a_receiver_is_taken(store: SqliteStore, clock: Clock, url: str) -> None:
    """Which addresses are allowed is known when they are connected to."""
    assert (await hook(store, clock, url)).url == url


@pytest.mark.parametrize(
    ("form", "events"),
    [
        (Form.NATIVE, ["attempt.closd"]),
        (Form.NATIVE, ["CALL_ENDED"]),
        (Form.NATIVE, ["attempts.*"]),
        (Form.NATIVE, [""]),
        (Form.TWIN24, ["attempt.closed"]),
        (Form.TWIN24, ["CALL_ENDED", "x"]),
    ],
)
async def test_a_filter_that_takes_nothing_is_refused(
    store: SqliteStore, clock: Clock, form: Form, events: list[str]
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        await hook(store, clock, form=form, events=events)
    assert refused.value.key == "events"


async def test_a_filter_of_nothing_takes_all(store: SqliteStore, clock: Clock) -> None:
    assert (await hook(store, clock, events=[])).events == ("*",)


@pytest.mark.parametrize(
    "secret",
    [
        "x",
        "whsec_",
        "whsec_????",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        base64.b64encode(b"x" * 32).decode(),
        "whsec_" + base64.b64encode(b"x" * 32).decode().rstrip("=") + "ñ",
    ],
)
async def test_a_secret_that_is_too_short_or_none_is_refused_and_not_told(
    store: SqliteStore, clock: Clock, secret: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        await hook(store, clock, secret=secret)
    assert secret not in str(refused.value).replace("whsec_ and", "") or secret == "x"


async def test_a_secret_of_ones_own_is_taken(store: SqliteStore, clock: Clock) -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 24).decode()
    assert (await hook(store, clock, secret=secret)).secret == secret


@pytest.mark.parametrize("delay", ["soon", "-1", -1, 3601, 1e99, None, [1]])
async def test_a_delay_that_cannot_be_is_refused(store: SqliteStore, clock: Clock, delay: Any) -> None:
    with pytest.raises(InvalidSetting) as refused:
        await hook(store, clock, options={"delay_s": delay})
    assert refused.value.key == "delay_s"


async def test_a_delay_may_come_as_text(store: SqliteStore, clock: Clock) -> None:
    made = await hook(store, clock, options={"delay_s": "30", "own": "x"})
    assert made.options == {"delay_s": 30, "own": "x"}


# --- signatures ------------------------------------------------------------------------------------------------------


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """Their reference libraries' own example; openssl makes the same of it."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    one = Delivery(
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_id="w",
        event_id=1,
        kind="k",
        body='{"test": 2432232314}',
        created_at=0,
        retry_at=0,
    )
    headers = signed(Webhook(id="w", url=CRM, secret=secret), one, 1614265330)
    assert headers == {
        "content-type": "application/json",
        "user-agent": "astdialer",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "x-astdialer-event": "k",
    }


async def test_what_arrives_can_be_checked_by_hand(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    made = await hook(store, clock)
    await store.add_events([NewEvent(at=NOON, kind="call.offered", body={"name": 'Ñandú "é" \\ \n'})])
    await turn(herald)
    ((_, body, headers, at),) = receivers.taken
    (sent,) = await store.deliveries(None, None, 10)
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    text = headers["webhook-id"].encode() + b"." + str(at // 1000).encode() + b"." + sent.body.encode()
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert body["data"]["name"] == 'Ñandú "é" \\ \n'


# --- from events to messages -----------------------------------------------------------------------------------------


async def test_what_happens_is_told_once(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await happen(store, 0)
    await hook(store, clock)
    await happen(store, 1, 2)
    await turn(herald, 3)
    assert sorted(each["n"] for each in receivers.told()) == [1, 2], "and nothing that was before it"
    assert await states(store) == {"delivered": 2}


async def test_a_message_says_what_has_happened_to_whom(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    sales = await campaign(store)
    contact = await person(store, sales, 1)
    await hook(store, clock)
    await happen(store, kind="contact.ended", campaign_id=sales.id, contact_id=contact.id, attempt_id="guid")
    await turn(herald)
    ((_, body, headers, _),) = receivers.taken
    assert headers["x-astdialer-event"] == "contact.ended"
    assert {key: body[key] for key in ("event", "at", "campaign", "contact_id", "attempt_id", "data")} == {
        "event": "contact.ended",
        "at": NOON,
        "campaign": "sales",
        "contact_id": contact.id,
        "attempt_id": "guid",
        "data": {"n": 1},
    }
    assert body["id"] == await store.last_event()
    told = body["contact"]
    assert (told["id"], told["number"], told["base"], told["state"], told["reference"]) == (
        contact.id,
        contact.numbers[0].number,
        "march",
        "ready",
        "",
    )
    assert "cdr" not in body


async def test_a_contact_that_is_gone_is_no_obstacle(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    await happen(store, 1, contact_id=12345, campaign_id=999)
    await turn(herald)
    ((_, body, _, _),) = receivers.taken
    assert (body["campaign"], body["contact_id"], "contact" in body) == (None, 12345, False)


async def test_each_is_told_what_it_wants(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    one, two = await campaign(store, "one"), await campaign(store, "two")
    theirs = await store.create_campaign("theirs", one.settings, NOON, "acme")
    wants: list[tuple[str, dict[str, Any]]] = [
        ("https://all/", {}),
        ("https://one/", {"campaign": one}),
        ("https://ended/", {"events": ["contact.*"]}),
        ("https://acme/", {"tenant": "acme"}),
        ("https://off/", {}),
    ]
    made = {url: await hook(store, clock, url, **values) for url, values in wants}
    await store.save_webhook(replace(made["https://off/"], enabled=False))
    await happen(store, 1, campaign_id=one.id)
    await happen(store, 2, campaign_id=two.id, kind="contact.ended")
    await happen(store, 3, campaign_id=theirs.id)
    await happen(store, 4)
    await turn(herald)
    told = {url: sorted(each["n"] for each in receivers.told(url)) for url, _ in wants}
    assert told == {
        "https://all/": [1, 2, 3, 4],
        "https://one/": [1],
        "https://ended/": [2],
        "https://acme/": [3],
        "https://off/": [],
    }


async def test_another_form_says_it_in_its_own_words_and_is_filtered_by_them(
    store: SqliteStore, clock: Clock, receivers: Receivers
) -> None:
    def words(webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
        assert webhook.options == {"who": "me"}
        yield "CALL_ENDED", {"data": happening.event.body}
        yield "CANDIDATE_CHANGED", {"data": "other"}

    herald = herald_of(store, clock, receivers, words)
    await hook(store, clock, form=Form.TWIN24, events=["CALL_ENDED"], options={"who": "me"})
    await hook(store, clock, OTHER, form=Form.TWIN24, options={"who": "me"})
    await happen(store, 1)
    await turn(herald)
    assert receivers.told() == [{"n": 1}]
    assert sorted(map(str, receivers.told(OTHER))) == ["other", "{'n': 1}"]
    await herald._stop()


async def test_a_fault_in_one_forms_words_holds_nobody_up(
    store: SqliteStore, clock: Clock, receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    def words(_webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
        if happening.event.body["n"] == 2:
            raise KeyError("a fault")
        yield "CALL_ENDED", {"data": happening.event.body}

    herald = herald_of(store, clock, receivers, words)
    await hook(store, clock, form=Form.TWIN24)
    await hook(store, clock, OTHER)
    await happen(store, 1, 2, 3)
    await turn(herald)
    assert sorted(each["n"] for each in receivers.told()) == [1, 3]
    assert sorted(each["n"] for each in receivers.told(OTHER)) == [1, 2, 3]
    assert [record.message for record in caplog.records] == ["webhook.no_words"]
    await herald._stop()


async def test_half_of_a_character_and_numbers_that_are_none_hold_nobody_up(
    store: SqliteStore, clock: Clock, receivers: Receivers
) -> None:
    def words(_webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
        n = happening.event.body["n"]
        yield "CALL_ENDED", {"data": {1: "\ud83d half", 2: float("nan"), 3: "whole"}[n]}

    herald = herald_of(store, clock, receivers, words)
    await hook(store, clock, form=Form.TWIN24)
    await happen(store, 1, 2, 3)
    await turn(herald)
    assert sorted(receivers.told()) == ["? half", "whole"]
    await herald._stop()


async def test_an_option_that_was_written_past_us_holds_nobody_up(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    broken = await hook(store, clock)
    await store.save_webhook(replace(broken, options={"delay_s": "soon"}))
    await hook(store, clock, OTHER)
    await happen(store, 1)
    await turn(herald)
    assert (receivers.told(), receivers.told(OTHER)) == ([], [{"n": 1}])


async def test_a_webhook_that_is_made_just_before_an_event_is_told_of_it(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the herald has read by then."""
    await hook(store, clock, OTHER)
    for query in ("last_event", "webhooks", "events", "campaigns"):
        asked = getattr(store, query)
        number = await store.last_event() + 1

        async def late(*args: Any, _asked: Any = asked, _query: str = query, _n: int = number) -> Any:
            found = await _asked(*args)
            monkeypatch.setattr(store, _query, _asked)
            await hook(store, clock, f"https://{_query}/")
            await happen(store, _n)
            return found

        monkeypatch.setattr(store, query, late)
        await happen(store, 0)
        await turn(herald, 3)
        assert number in [each["n"] for each in receivers.told(f"https://{query}/")], query


async def test_no_event_is_lost_when_messages_cannot_be_queued(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hook(store, clock)
    await happen(store, 1, 2)

    async def full(*_: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "queue_deliveries", full)
        assert await herald._turn() == webhooks.STORE_RETRY_S
        await happen(store, 3)
        assert await herald._turn() == webhooks.STORE_RETRY_S
    await turn(herald)
    assert sorted(each["n"] for each in receivers.told()) == [1, 2, 3]


async def test_a_fault_in_one_step_holds_no_other_up(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    await herald._spread()

    async def broken(*_: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(store, "events", broken)
    monkeypatch.setattr(store, "forget_events", broken)
    assert await herald._turn() == webhooks.LOOK_S
    await arrived(herald)
    assert receivers.told() == [{"n": 1}]


async def test_many_events_are_worked_through_without_a_rest_and_in_small_transactions(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hook(store, clock)
    await hook(store, clock, OTHER)
    await happen(store, *range(1200))
    sizes = []
    queue = store.queue_deliveries

    async def counted(follower: str, event_id: int, made: Any) -> None:
        sizes.append(len(made))
        await queue(follower, event_id, made)

    monkeypatch.setattr(store, "queue_deliveries", counted)
    rests = [await herald._turn() for _ in range(3)]
    assert rests == [0.0, 0.0, webhooks.LOOK_S]
    await turn(herald, 30)
    assert sum(sizes) == 2400
    assert max(sizes) <= webhooks.QUEUED + 1
    assert await states(store) == {"delivered": 2400}
    assert len(set(receivers.ids())) == 1200


async def test_while_nobody_wants_anything_events_are_passed_over(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await happen(store, *range(6000))
    await turn(herald)
    assert await store.followed_to("webhooks") == 6000
    await happen(store, 1)
    await hook(store, clock)
    await happen(store, 2)
    await turn(herald)
    assert receivers.told() == [{"n": 2}]


# --- from the queue to receivers -------------------------------------------------------------------------------------


async def test_a_message_is_sent_again_with_growing_pauses_and_the_same_id_until_it_arrives(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    receivers.answers[CRM] = 500
    for _ in range(400):
        await turn(herald)
        clock.at += 1000
    assert [round((b - a) / 1000) for a, b in zip(receivers.times(), receivers.times()[1:], strict=False)] == list(
        PAUSES_S[: len(receivers.times()) - 1]
    )
    assert len(receivers.times()) == 6
    receivers.answers[CRM] = 204
    clock.at += HOUR
    await turn(herald)
    assert len(set(receivers.ids())) == 1
    (one,) = await store.deliveries(None, None, 10)
    assert (one.state, one.tries, one.status, one.error) == ("delivered", 7, 204, "")


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (500, 500, "the receiver answered 500"),
        (301, 301, "the receiver answered 301"),
        (404, 404, "the receiver answered 404"),
        (Unavailable("no answer in time"), 0, "no answer in time"),
        (ValueError("what is this"), 0, "ValueError('what is this')"),
    ],
)
async def test_what_is_not_taken_is_noted_with_the_reason(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers, *, answer: Any, status: int, words: str
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    receivers.answers[CRM] = answer
    await turn(herald)
    (one,) = await store.deliveries(None, None, 10)
    assert (one.state, one.tries, one.status, one.error) == ("pending", 1, status, words)


async def test_after_a_day_of_tries_a_message_is_dead_and_can_be_sent_again(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    receivers.answers[CRM] = Unavailable("down")
    while await states(store) == {"pending": 1} or not await states(store):
        await turn(herald)
        clock.at += 60_000
    days = (clock.at - NOON) / DAY
    assert 0.95 < days < 1.01
    tries = len(receivers.taken)
    assert 25 < tries < 45
    clock.at += DAY
    await turn(herald, 3)
    assert len(receivers.taken) == tries, "a dead one is left alone"

    assert await webhooks.resend_dead(store, clock) == 1
    for _ in range(20):
        await turn(herald)
        clock.at += HOUR
    assert len(receivers.taken) > tries + 10, "it has a new day to live"
    receivers.answers[CRM] = 200
    clock.at += HOUR
    await turn(herald)
    assert await states(store) == {"delivered": 1}
    assert len(set(receivers.ids())) == 1


async def test_a_receiver_that_wants_no_more_of_it_is_not_asked_again(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    receivers.answers[CRM] = 410
    await turn(herald)
    assert await states(store) == {"dead": 1}
    receivers.answers[CRM] = 200
    (one,) = await store.deliveries(None, None, 10)
    assert await webhooks.resend(store, clock, [one.id]) == 1
    await turn(herald)
    assert await states(store) == {"delivered": 1}


async def test_a_message_may_be_told_later(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock, options={"delay_s": 30})
    await happen(store, 1)
    await turn(herald)
    clock.at += 29_999
    await turn(herald)
    assert receivers.told() == []
    clock.at += 1
    await turn(herald)
    assert receivers.told() == [{"n": 1}]


async def test_a_receiver_is_sent_several_at_a_time_and_is_not_waited_for(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    """One look is enough to send as many as it takes."""
    await hook(store, clock)
    await happen(store, *range(180))
    await herald._spread()
    await herald._send()
    await arrived(herald)
    assert len(receivers.told()) == 180
    assert receivers.most_at_once[CRM] == TO_ONE
    assert len(set(receivers.ids())) == 180


async def test_no_more_is_sent_than_can_be_lost(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store does not write, a message that was sent would be sent again after a crash."""
    await hook(store, clock)
    await happen(store, *range(450))
    await herald._spread()

    async def full(*_: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "note_tries", full)
        for _ in range(5):
            await herald._send()
            await arrived(herald)
            assert await herald._turn() == webhooks.STORE_RETRY_S
    assert len(receivers.taken) <= deliveries.UNNOTED + TO_ONE
    await turn(herald, 5)
    assert await states(store) == {"delivered": 450}
    assert len(receivers.taken) == 450, "what was sent is known, and not sent again"


async def test_a_silent_receiver_keeps_nobody_else_waiting(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    silent = [f"https://silent{n}.example/" for n in range(30)]
    for url in silent:
        receivers.silent[url] = asyncio.Event()
        await hook(store, clock, url)
    await hook(store, clock, OTHER)
    await happen(store, *range(100))
    for _ in range(3):
        await herald._turn()
    async with asyncio.timeout(10):
        while len(receivers.told(OTHER)) < 100:
            await asyncio.sleep(0.01)
            await herald._turn()
    assert {receivers.most_at_once[url] for url in silent} == {TO_ONE}


async def test_a_dead_receiver_is_asked_now_and_then_and_one_at_a_time(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    """A thousand messages that wait for it are not a thousand tries each time."""
    await hook(store, clock)
    await happen(store, *range(1000))
    receivers.answers[CRM] = Unavailable("down")
    for _ in range(3600):
        await herald._turn()
        clock.at += 1000
        if herald._lines:
            await arrived(herald)
    assert len(receivers.taken) < TO_ONE + 3600 / 60 + 10
    receivers.answers[CRM] = 200
    before = len(receivers.taken)
    clock.at += 61_000
    await turn(herald, 20)
    clock.at += 2 * HOUR
    await turn(herald, 20)
    assert await states(store) == {"delivered": 1000}, "once it is back it gets all of them"
    assert len(receivers.taken) == before + 1000


async def test_a_message_that_is_refused_again_and_again_is_no_obstacle_for_others(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    receivers.answers[CRM] = lambda body: 422 if body["data"]["n"] % 10 == 0 else 200
    await happen(store, *range(200))
    for _ in range(30):
        await turn(herald)
        clock.at += 1000
    assert await states(store) == {"delivered": 180, "pending": 20}


async def test_a_message_is_sent_again_after_a_crash_and_has_the_same_id(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    await happen(store, 1)
    await herald._spread()
    await herald._send()
    await arrived(herald)
    assert len(receivers.taken) == 1
    after = herald_of(store, clock, receivers)  # the first one has died before it wrote that down
    await turn(after)
    assert len(receivers.taken) == 2
    assert len(set(receivers.ids())) == 1
    await after._stop()


async def test_messages_are_made_once_though_the_herald_dies_between_any_two_steps(
    store: SqliteStore, clock: Clock, receivers: Receivers
) -> None:
    await hook(store, clock)
    for n in range(12):
        await happen(store, n)
        dying = herald_of(store, clock, receivers)
        steps: list[Callable[[], Any]] = [dying._spread, dying._send, partial(arrived, dying), dying._note]
        for step in steps[: n % 5]:
            await step()
        for line in dying._lines.values():
            for worker in line._workers:
                worker.cancel()
    last = herald_of(store, clock, receivers)
    await turn(last, 2)
    assert await states(store) == {"delivered": 12}
    assert {each["n"] for each in receivers.told()} == set(range(12))
    assert len(set(receivers.ids())) == 12
    await last._stop()


async def test_a_webhook_that_is_disabled_gets_nothing_more_and_what_waited_once_it_is_enabled(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    made = await hook(store, clock)
    receivers.answers[CRM] = 500
    await happen(store, 1)
    await turn(herald)
    await store.save_webhook(replace(made, enabled=False))
    receivers.answers[CRM] = 200
    await happen(store, 2)
    clock.at += HOUR
    await turn(herald, 3)
    assert receivers.told() == [{"n": 1}]
    assert herald._lines == {}
    await store.save_webhook(replace(made, enabled=True))
    await happen(store, 3)
    await turn(herald, 3)
    assert sorted(each["n"] for each in receivers.told()) == [1, 1, 3]


async def test_a_webhook_that_is_removed_while_it_is_sent_to_is_no_obstacle(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    made = await hook(store, clock)
    await hook(store, clock, OTHER)
    receivers.silent[CRM] = asyncio.Event()
    await happen(store, *range(20))
    await herald._turn()
    await asyncio.sleep(0)
    await store.remove_webhook(made.id)
    await herald._turn()
    receivers.silent.pop(CRM).set()
    await turn(herald, 2)
    assert await states(store) == {"delivered": 20}
    assert set(herald._lines) == {each.id for each in await store.webhooks()}
    assert len(receivers.told()) <= TO_ONE


async def test_a_receiver_that_has_moved_is_sent_to_at_its_new_place(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    made = await hook(store, clock)
    receivers.answers[CRM] = 500
    await happen(store, 1)
    await turn(herald)
    await store.save_webhook(replace(made, url=OTHER))
    clock.at += 5000
    await turn(herald)
    assert receivers.told(OTHER) == [{"n": 1}]
    assert receivers.ids(OTHER) == receivers.ids(CRM)


# --- clocks, days, upkeep --------------------------------------------------------------------------------------------


async def test_a_clock_that_goes_back_loses_nothing_and_silences_nobody(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    receivers.answers[CRM] = 500
    await happen(store, *range(20))
    await turn(herald)
    await turn(herald)
    clock.at -= 10 * HOUR
    receivers.answers[CRM] = 200
    await happen(store, 77)
    await turn(herald, 2)
    assert {"n": 77} in receivers.told(), "a rest is no longer than it was, and what is new is told"
    clock.at += 11 * HOUR
    await turn(herald, 3)
    assert await states(store) == {"delivered": 21}


async def test_after_a_weekend_off_what_waited_arrives_late(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    """Nobody has tried meanwhile: to give it up would be to lose it."""
    await hook(store, clock)
    await happen(store, *range(30))
    await herald._spread()
    clock.at += 3 * DAY - HOUR
    monday = herald_of(store, clock, receivers)
    await turn(monday, 2)
    assert await states(store) == {"delivered": 30}
    await monday._stop()


async def test_what_waited_for_a_day_for_a_receiver_that_fails_is_dead(
    store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers
) -> None:
    await hook(store, clock)
    receivers.answers[CRM] = Unavailable("down")
    await happen(store, *range(500))
    for _ in range(40):
        await turn(herald)
        clock.at += 30_000
    assert await states(store) == {"pending": 500}
    clock.at = NOON + (LIFETIME_S + 60) * 1000
    for _ in range(5):
        await turn(herald)
        clock.at += 61_000
    assert await states(store) == {"dead": 500}
    assert len(receivers.taken) < 60
    (newest, *_) = await store.deliveries(None, "dead", 1)
    assert "the receiver failed for a day" in newest.error or newest.error == "down"


async def test_no_more_waits_for_a_receiver_than_may(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fill the disk, and a full disk ends all dialing."""
    monkeypatch.setattr(webhooks, "MOST_WAITING", 50)
    await hook(store, clock)
    receivers.answers[CRM] = Unavailable("down")
    await happen(store, *range(120))
    for _ in range(3):
        await turn(herald)
        clock.at += 61_000
    assert await states(store) == {"pending": 50, "dead": 70}


async def test_what_is_old_is_forgotten(store: SqliteStore, clock: Clock, herald: Herald, receivers: Receivers) -> None:
    await hook(store, clock)
    await hook(store, clock, OTHER)
    receivers.answers[OTHER] = 410
    await happen(store, *range(10))
    await turn(herald, 2)
    assert await states(store) == {"delivered": 10, "dead": 10}
    clock.at += webhooks.KEPT_S * 1000 + 1
    await turn(herald)
    assert await states(store) == {"dead": 10}, "dead ones are kept for those who mend what ailed them"
    assert await store.events(0, 10) == []
    clock.at += webhooks.DEAD_KEPT_S * 1000
    await turn(herald)
    assert await states(store) == Counter()


async def test_it_runs_until_it_is_stopped_and_then_lets_arrive_what_is_on_its_way(
    store: SqliteStore, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Real:
        def now(self) -> int:
            return NOON

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.01))

    monkeypatch.setattr(webhooks, "STOP_S", 0.5)
    herald = Herald(store, receivers, Real(), {Form.NATIVE: native_words})
    receivers.silent = {CRM: asyncio.Event(), OTHER: asyncio.Event()}
    running = asyncio.create_task(herald.run())
    await hook(store, receivers.clock)
    await hook(store, receivers.clock, OTHER)
    await happen(store, 1)
    async with asyncio.timeout(10):
        while len(receivers.taken) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.sleep(0.05)
    receivers.silent[CRM].set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await states(store) == {"delivered": 1, "pending": 1}
    assert receivers.at_once == Counter({CRM: 0, OTHER: 0})


async def test_a_line_that_is_dropped_while_it_reads_sends_nothing(
    store: SqliteStore, clock: Clock, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await hook(store, clock)
    await store.queue_deliveries(
        "webhooks",
        1,
        [Delivery(id="d", webhook_id=made.id, event_id=1, kind="k", body="{}", created_at=NOON, retry_at=NOON)],
    )
    line = Line(store, receivers, clock, made)
    read = store.due_deliveries

    async def slow(*args: Any) -> Any:
        found = await read(*args)
        line.drop()
        return found

    monkeypatch.setattr(store, "due_deliveries", slow)
    await line.look(made)
    assert (receivers.taken, line.is_idle) == ([], True)


def test_a_happening_knows_the_attempt_that_it_is_about() -> None:
    def event(attempt_id: str) -> Event:
        return Event(id=1, at=0, kind="attempt.dialed", campaign_id=1, contact_id=1, attempt_id=attempt_id, body={})

    contact = {"attempts": [{"id": "a"}, {"id": "b"}]}
    known: dict[str, Any] = {"campaign": None, "cdr": None}
    assert Happening(event=event("b"), contact=contact, **known).attempt == {"id": "b"}
    assert Happening(event=event("x"), contact=contact, **known).attempt is None
    assert Happening(event=event("b"), contact=None, **known).attempt is None


async def test_a_closed_call_is_told_with_its_record(
    store: SqliteStore, clock: Clock, herald: Herald, *, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cdr(guid: str) -> Mapping[str, Any]:
        return {"guid": guid, "disposition": "busy"}

    monkeypatch.setattr(store, "cdr", cdr)
    await hook(store, clock, events=["attempt.*", "recording.ready"])
    for kind in ("attempt.dialed", "attempt.closed", "recording.ready"):
        await happen(store, kind=kind, attempt_id="g")
    await turn(herald)
    assert {body["event"]: body.get("cdr") for _, body, _, _ in receivers.taken} == {
        "attempt.dialed": None,
        "attempt.closed": {"guid": "g", "disposition": "busy"},
        "recording.ready": {"guid": "g", "disposition": "busy"},
    }
