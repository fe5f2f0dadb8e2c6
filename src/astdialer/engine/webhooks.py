"""Telling others what has happened: events become messages in a durable queue, and are sent until they arrive."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import InvalidSetting, NotFound, Unavailable
from astdialer.domain.hooks import FORM_KINDS, LIFETIME_S, Event, Form, Webhook, covers
from astdialer.engine.deliveries import SECRET, Line
from astdialer.ports import Clock, Delivery, Notifier, Store, Tried

logger = logging.getLogger(__name__)

FOLLOWER = "webhooks"
#: Between two looks for events, and for what is due; and after the store has failed.
LOOK_S, STORE_RETRY_S = 0.25, 1.0
#: Events read at a time, and messages that one transaction queues: the engine's writes get in between.
BATCH, QUEUED = 500, 200
#: While nobody wants any of them, how many events are seen before that is written down.
KEPT_BEHIND = 5000
#: Between two looks for what waits in vain, and for what can be forgotten.
TIDY_S, FORGET_S = 60.0, 600.0
#: Events, and messages that have arrived, are kept so long for those who were away; dead ones, for those who mend what
#: ailed them. None are kept beyond so many, messages of each webhook.
KEPT_S, DEAD_KEPT_S = 3 * 86_400, 30 * 86_400
MOST_EVENTS, MOST_KEPT, MOST_WAITING = 1_000_000, 100_000, 200_000
#: At a stop, what is on its way has so long to arrive.
STOP_S = 2.0
#: Longest delay of a webhook's messages, seconds: its option ``delay_s``.
LONGEST_DELAY_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event with everything that a message about it may want to say; rows are those of the store's reports."""

    event: Event
    campaign: Campaign | None
    contact: Mapping[str, Any] | None  #: with its ``numbers`` and ``attempts``
    cdr: Mapping[str, Any] | None

    @property
    def attempt(self) -> Mapping[str, Any] | None:
        """The attempt that it is about."""
        attempts = self.contact["attempts"] if self.contact else ()
        return next((row for row in attempts if row["id"] == self.event.attempt_id), None)


#: What a webhook is told of a happening in the words of its form: kinds and bodies, none or several.
Words = Callable[[Webhook, Happening], Iterable[tuple[str, Mapping[str, Any]]]]


# --- use cases -------------------------------------------------------------------------------------------------------


async def create(
    store: Store,
    clock: Clock,
    url: str,
    *,
    events: Sequence[str] = ("*",),
    form: Form = Form.NATIVE,
    campaign: Campaign | None = None,
    tenant: str = "",
    secret: str = "",
    options: Mapping[str, Any] | None = None,
    created_by: str = "",
) -> Webhook:
    """A new webhook, told of everything from now on. Raises InvalidSetting."""
    webhook = Webhook(
        id=str(uuid.uuid4()),
        url=check_url(url),
        secret=check_secret(secret) if secret else new_secret(),
        events=check_events(events, form),
        form=form,
        tenant=campaign.tenant if campaign else tenant,
        campaign_id=campaign.id if campaign else None,
        options=check_options(options or {}),
        created_at=clock.now(),
        created_by=created_by,
    )
    await store.add_webhook(webhook)
    return webhook


async def find(store: Store, webhook_id: str, tenant: str = "") -> Webhook:
    """Raises NotFound, for another tenant's too."""
    for webhook in await store.webhooks():
        if webhook.id == webhook_id and tenant in ("", webhook.tenant):
            return webhook
    raise NotFound("webhook", webhook_id, "see astdialer webhook list")


async def resend(store: Store, clock: Clock, deliveries: Sequence[str]) -> int:
    """Send dead, or arrived, messages once more; how many."""
    return await store.resend(deliveries, clock.now())


async def resend_dead(store: Store, clock: Clock, webhook_id: str | None = None) -> int:
    """Send every dead message once more, or those to one webhook; how many."""
    return await store.resend_dead(webhook_id, clock.now())


def check_url(url: str) -> str:
    """Raises InvalidSetting unless it can be a receiver's address."""
    expected = "an address such as https://crm.example.com/hooks, in ASCII, without name and password in it"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]{1,2000}", url):
        raise InvalidSetting("url", url, expected)
    return url


def check_events(events: Sequence[str], form: Form = Form.NATIVE) -> tuple[str, ...]:
    """Raises InvalidSetting for what is no kind of event, nor takes any, in the words of the form."""
    kinds = FORM_KINDS[form]
    for wanted in events:
        if not any(covers([wanted], kind) for kind in kinds):
            raise InvalidSetting("events", wanted, "* or some of " + ", ".join(kinds))
    return tuple(events) or ("*",)


def check_secret(secret: str) -> str:
    """Raises InvalidSetting unless it is ``whsec_`` and base64 of 24 to 64 bytes."""
    try:
        size = len(base64.b64decode(secret.removeprefix(SECRET), validate=True))
    except ValueError:
        size = 0
    if not secret.startswith(SECRET) or not 24 <= size <= 64:
        raise InvalidSetting("secret", "********", f"{SECRET} and 24 to 64 bytes in base64")
    return secret


def new_secret() -> str:
    """What a webhook's messages are signed with."""
    return SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidSetting for a delay that can't be. The rest is the form's own."""
    checked = dict(options)
    if "delay_s" in checked:
        try:
            checked["delay_s"] = int(checked["delay_s"])
        except (TypeError, ValueError, OverflowError):
            checked["delay_s"] = -1
        if not 0 <= checked["delay_s"] <= LONGEST_DELAY_S:
            raise InvalidSetting("delay_s", options["delay_s"], f"a whole number of seconds up to {LONGEST_DELAY_S}")
    return checked


def event_words(event: Event, campaign: Campaign | None) -> dict[str, Any]:
    """An event in our own words, without what it is about."""
    return {
        "id": event.id,
        "event": event.kind,
        "at": event.at,
        "campaign": campaign.name if campaign else None,
        "contact_id": event.contact_id,
        "attempt_id": event.attempt_id or None,
        "data": dict(event.body),
    }


def native_words(_webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Our own words: the event, and what it is about."""
    event = happening.event
    body = event_words(event, happening.campaign)
    if happening.contact:
        body["contact"] = {
            key: happening.contact.get(key)
            for key in (
                "id",
                "number",
                "base",
                "state",
                "tries",
                "tag",
                "successful",
                "end_reason",
                "end_cause",
                "next_at",
                "reference",
                "params",
            )
        }
    if happening.cdr:
        body["cdr"] = dict(happening.cdr)
    yield event.kind, body


# --- the queue -------------------------------------------------------------------------------------------------------


class Herald:
    """Makes messages of events, and sends them. A receiver that is slow or dead keeps nobody else waiting."""

    def __init__(self, store: Store, notifier: Notifier, clock: Clock, words: Mapping[Form, Words]) -> None:
        self._store, self._notifier, self._clock, self._words = store, notifier, clock, words
        self._lines: dict[str, Line] = {}
        self._seen = self._kept = -1  # events seen, and that the store knows of
        self._is_behind = False
        self._tidied_at = self._forgot_at = 0

    async def run(self) -> None:
        """Until canceled."""
        try:
            while True:
                await self._clock.sleep(await self._turn())
        finally:
            await self._stop()

    async def _turn(self) -> float:
        """Everything once; how long to rest then."""
        for step in (self._note, self._spread, self._send, self._tidy):
            try:
                await step()
            except Unavailable as error:
                logger.error("webhooks.store_failed", extra={"error": str(error)})
                return STORE_RETRY_S
            except Exception:  # a fault in one step must not hold the others up
                logger.exception("webhooks.failed", extra={"step": step.__name__})
                self._is_behind = False
        return 0.0 if self._is_behind else LOOK_S

    async def _stop(self) -> None:
        await asyncio.gather(*(line.stop(STOP_S) for line in self._lines.values()))
        try:
            async with asyncio.timeout(STOP_S):
                await self._note()
        except (Unavailable, TimeoutError) as error:
            logger.error("webhooks.not_noted", extra={"error": str(error)})

    # --- from events to messages -------------------------------------------------------------------------------------

    async def _spread(self) -> None:
        """Queue messages for the next events.

        Webhooks and campaigns are read after the newest event is known: those that there were before it are among them.
        """
        if self._seen < 0:
            self._seen = self._kept = await self._store.followed_to(FOLLOWER)
        last = await self._store.last_event()
        webhooks = [webhook for webhook in await self._store.webhooks() if webhook.enabled]
        if not webhooks:
            self._is_behind = False
            await self._saw(max(last, self._seen), ())
            return
        events = [event for event in await self._store.events(self._seen, BATCH) if event.id <= last]
        self._is_behind = len(events) == BATCH
        if events:
            await self._queue(events, webhooks)

    async def _queue(self, events: Sequence[Event], webhooks: Sequence[Webhook]) -> None:
        campaigns = {campaign.id: campaign for campaign in await self._store.campaigns()}
        contacts: dict[int, Mapping[str, Any] | None] = {}
        deliveries: list[Delivery] = []
        for event in events:
            campaign = campaigns.get(event.campaign_id or 0)
            wanting = [w for w in webhooks if w.wants(event, campaign.tenant if campaign else "")]
            if wanting:
                deliveries += await self._messages(event, campaign, contacts, wanting)
            if len(deliveries) >= QUEUED:
                await self._saw(event.id, deliveries)
                deliveries = []
        await self._saw(events[-1].id, deliveries)

    async def _saw(self, event_id: int, deliveries: Sequence[Delivery]) -> None:
        """Go on behind an event, once its messages are in the store."""
        if deliveries or event_id >= self._kept + KEPT_BEHIND:
            await self._store.queue_deliveries(FOLLOWER, event_id, deliveries)
            self._kept = event_id
        self._seen = event_id

    async def _messages(
        self,
        event: Event,
        campaign: Campaign | None,
        contacts: dict[int, Mapping[str, Any] | None],
        wanting: Iterable[Webhook],
    ) -> list[Delivery]:
        happening = await self._happening(event, campaign, contacts)
        found: list[Delivery] = []
        for webhook in wanting:
            try:
                said = list(self._words[webhook.form](webhook, happening))
                wanted = [(kind, body) for kind, body in said if covers(webhook.events, kind)]
                found += [self._delivery(webhook, event, kind, body) for kind, body in wanted]
            except Exception:  # a fault in one form's words must not hold all others up
                logger.exception("webhook.no_words", extra={"webhook": webhook.id, "event": event.id})
        return found

    async def _happening(
        self, event: Event, campaign: Campaign | None, contacts: dict[int, Mapping[str, Any] | None]
    ) -> Happening:
        contact = cdr = None
        if event.contact_id is not None:
            if event.contact_id not in contacts:
                contacts[event.contact_id] = await self._contact(event.contact_id)
            contact = contacts[event.contact_id]
        if event.kind in ("attempt.closed", "recording.ready"):
            cdr = await self._store.cdr(event.attempt_id)
        return Happening(event=event, campaign=campaign, contact=contact, cdr=cdr)

    async def _contact(self, contact_id: int) -> Mapping[str, Any] | None:
        try:
            return await self._store.contact(contact_id)
        except NotFound:
            return None

    def _delivery(self, webhook: Webhook, event: Event, kind: str, body: Mapping[str, Any]) -> Delivery:
        now = self._clock.now()
        text = json.dumps(dict(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Delivery(
            id=str(uuid.uuid4()),
            webhook_id=webhook.id,
            event_id=event.id,
            kind=kind,
            body=text.encode("utf-8", "replace").decode(),  # half of a character can't be sent
            created_at=now,
            retry_at=now + int(webhook.options.get("delay_s", 0)) * 1000,
        )

    # --- from the queue to their receivers ---------------------------------------------------------------------------

    async def _send(self) -> None:
        enabled = {webhook.id: webhook for webhook in await self._store.webhooks() if webhook.enabled}
        for webhook_id, line in list(self._lines.items()):
            if webhook_id not in enabled:
                line.drop()
                if line.is_idle:
                    del self._lines[webhook_id]
        due = await self._store.due_webhooks(self._clock.now()) if enabled else ()
        for webhook_id in (known for known in due if known in enabled):
            if webhook_id not in self._lines:
                self._lines[webhook_id] = Line(self._store, self._notifier, self._clock, enabled[webhook_id])
            await self._lines[webhook_id].look(enabled[webhook_id])

    async def _note(self) -> None:
        """Write down what came of messages: of all lines in one transaction. One that is lost is sent once more, and
        has the same id."""
        tried = {line: tuple(line.tried) for line in self._lines.values() if line.tried}
        all_of_them: list[Tried] = [each for tries in tried.values() for each in tries]
        if all_of_them:
            await self._store.note_tries(all_of_them)
            for line, tries in tried.items():
                line.noted(tries)

    # --- upkeep ------------------------------------------------------------------------------------------------------

    async def _tidy(self) -> None:
        now = self._clock.now()
        if not 0 <= now - self._tidied_at < TIDY_S * 1000:
            await self._give_up(now)
            self._tidied_at = now
        if not 0 <= now - self._forgot_at < FORGET_S * 1000:
            await self._forget(now)
            self._forgot_at = now

    async def _give_up(self, now: int) -> None:
        """What waits for more than a day for a receiver that fails, and what is too much."""
        for webhook_id, line in self._lines.items():
            before = now - LIFETIME_S * 1000 if line.is_failing else 0
            why = "the receiver failed for a day, or too many messages waited for it"
            dead = await self._store.give_up(webhook_id, before=before, most=MOST_WAITING, why=why)
            if dead:
                logger.error("webhook.given_up", extra={"webhook": webhook_id, "messages": dead})

    async def _forget(self, now: int) -> None:
        if self._seen > self._kept:
            await self._store.queue_deliveries(FOLLOWER, self._seen, ())
            self._kept = self._seen
        await self._store.forget_events(now - KEPT_S * 1000, MOST_EVENTS)
        await self._store.forget_deliveries("delivered", now - KEPT_S * 1000, MOST_KEPT)
        forgotten = await self._store.forget_deliveries("dead", now - DEAD_KEPT_S * 1000, MOST_KEPT)
        if forgotten:
            logger.warning("webhooks.dead_forgotten", extra={"messages": forgotten})
