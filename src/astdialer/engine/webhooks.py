"""Telling others what has happened: events become messages in a durable queue, and are sent until they arrive.

Signed as Standard Webhooks are (standardwebhooks.com, version 1): a receiver checks them with any of its libraries.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
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
from astdialer.domain.hooks import FORM_KINDS, Event, Form, Webhook, covers, retry_at
from astdialer.ports import Clock, Delivery, Notifier, Store

logger = logging.getLogger(__name__)

FOLLOWER = "webhooks"
#: Between two looks for events, and for what is due.
LOOK_S = 0.25
#: Events read at a time; messages on their way to one receiver, and to all, at a time.
BATCH, TO_ONE, TO_ALL = 500, 8, 64
#: Events, and messages that have arrived, are kept so long: for those who were away.
KEPT_S = 3 * 86_400
FORGET_S = 600.0
#: While nobody wants any of them, how many events are seen before that is written down.
KEPT_BEHIND = 5000
_SECRET = "whsec_"


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
        options=dict(options or {}),
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


def check_url(url: str) -> str:
    """Raises InvalidSetting unless it can be a receiver's address."""
    expected = "an address such as https://crm.example.com/hooks, without name and password in it"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or len(url) > 2000 or re.search(r"[\x00-\x20\x7f]", url):
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
        size = len(base64.b64decode(secret.removeprefix(_SECRET), validate=True))
    except ValueError:
        size = 0
    if not secret.startswith(_SECRET) or not 24 <= size <= 64:
        raise InvalidSetting("secret", "********", f"{_SECRET} and 24 to 64 bytes in base64")
    return secret


def new_secret() -> str:
    """What a webhook's messages are signed with."""
    return _SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(webhook: Webhook, delivery: Delivery, at_s: int) -> dict[str, str]:
    """The headers of a message that is sent at ``at_s``, seconds since 1970."""
    key = base64.b64decode(webhook.secret.removeprefix(_SECRET))
    text = f"{delivery.id}.{at_s}.{delivery.body}".encode()
    signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "astdialer",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
        "x-astdialer-event": delivery.kind,
    }


def native_words(_webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Our own words: the event, and what it is about."""
    event = happening.event
    body: dict[str, Any] = {
        "id": event.id,
        "event": event.kind,
        "at": event.at,
        "campaign": happening.campaign.name if happening.campaign else None,
        "contact_id": event.contact_id,
        "attempt_id": event.attempt_id or None,
        "data": dict(event.body),
    }
    if happening.contact:
        body["contact"] = {
            key: happening.contact[key]
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
        self._sending: dict[str, str] = {}  # delivery → webhook
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget_at = 0
        self._seen = self._kept = -1  # events seen, and that the store knows of

    async def run(self) -> None:
        """Until canceled."""
        try:
            while True:
                try:
                    await self._look()
                except Unavailable as error:
                    logger.error("webhooks.store_failed", extra={"error": str(error)})
                except Exception:  # telling others must not end all calls
                    logger.exception("webhooks.failed")
                await self._clock.sleep(LOOK_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        webhooks = [webhook for webhook in await self._store.webhooks() if webhook.enabled]
        while await self._spread(webhooks) == BATCH:
            pass
        due = await self._store.due_webhooks(self._clock.now())
        for webhook in webhooks:
            if webhook.id in due:
                await self._send_due(webhook)
        await self._forget()

    async def _spread(self, webhooks: Sequence[Webhook]) -> int:
        """Queue messages for the next events; how many events there were."""
        if self._seen < 0:
            self._seen = self._kept = await self._store.followed_to(FOLLOWER)
        events = await self._store.events(self._seen, BATCH)
        if not events:
            return 0
        campaigns = {campaign.id: campaign for campaign in await self._store.campaigns()}
        deliveries: list[Delivery] = []
        for event in events:
            campaign = campaigns.get(event.campaign_id or 0)
            wanting = [w for w in webhooks if w.wants(event, campaign.tenant if campaign else "")]
            if wanting:
                deliveries += await self._messages(event, campaign, wanting)
        self._seen = events[-1].id
        if deliveries or self._seen >= self._kept + KEPT_BEHIND:
            await self._keep(deliveries)
        return len(events)

    async def _keep(self, deliveries: Sequence[Delivery]) -> None:
        await self._store.queue_deliveries(FOLLOWER, self._seen, deliveries)
        self._kept = self._seen

    async def _messages(self, event: Event, campaign: Campaign | None, wanting: Iterable[Webhook]) -> list[Delivery]:
        happening = await self._happening(event, campaign)
        found = []
        for webhook in wanting:
            try:
                said = list(self._words[webhook.form](webhook, happening))
            except Exception:  # a fault in one form's words must not hold all others up
                logger.exception("webhook.no_words", extra={"webhook": webhook.id, "event": event.id})
                continue
            wanted = [(kind, body) for kind, body in said if covers(webhook.events, kind)]
            found += [self._delivery(webhook, event, kind, body) for kind, body in wanted]
        return found

    async def _happening(self, event: Event, campaign: Campaign | None) -> Happening:
        contact = cdr = None
        if event.contact_id is not None:
            try:
                contact = await self._store.contact(event.contact_id)
            except NotFound:
                contact = None
        if event.kind in ("attempt.closed", "recording.ready"):
            cdr = await anext(aiter(self._store.cdrs({"guid": event.attempt_id}, 1)), None)
        return Happening(event=event, campaign=campaign, contact=contact, cdr=cdr)

    def _delivery(self, webhook: Webhook, event: Event, kind: str, body: Mapping[str, Any]) -> Delivery:
        now = self._clock.now()
        text = json.dumps(dict(body), ensure_ascii=False, separators=(",", ":"))
        return Delivery(
            id=str(uuid.uuid4()),
            webhook_id=webhook.id,
            event_id=event.id,
            kind=kind,
            body=text,
            created_at=now,
            retry_at=now + int(webhook.options.get("delay_s", 0)) * 1000,
        )

    async def _send_due(self, webhook: Webhook) -> None:
        under_way = [d for d, of in self._sending.items() if of == webhook.id]
        room = min(TO_ONE - len(under_way), TO_ALL - len(self._sending))
        if room <= 0:
            return
        due = await self._store.due_deliveries(webhook.id, self._clock.now(), room + len(under_way))
        for delivery in [d for d in due if d.id not in self._sending][:room]:
            self._sending[delivery.id] = webhook.id
            task = asyncio.create_task(self._send(webhook, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            status, error = await self._try(webhook, delivery)
            await self._note(webhook, delivery, status, error)
        except Unavailable as failed:  # the store: it is sent again, and has the same id
            logger.error("webhook.not_noted", extra={"delivery": delivery.id, "error": str(failed)})
        finally:
            self._sending.pop(delivery.id, None)

    async def _try(self, webhook: Webhook, delivery: Delivery) -> tuple[int, str]:
        """The status of the answer, 0 for none, and what is wrong with it."""
        try:
            headers = signed(webhook, delivery, self._clock.now() // 1000)
            status = await self._notifier.post(webhook.url, delivery.body.encode(), headers)
        except Unavailable as error:
            return 0, str(error)
        except Exception as error:  # whatever one receiver does
            logger.exception("webhook.failed", extra={"webhook": webhook.id})
            return 0, repr(error)
        return status, "" if 200 <= status < 300 else f"the receiver answered {status}"

    async def _note(self, webhook: Webhook, delivery: Delivery, status: int, error: str) -> None:
        now = self._clock.now()
        if not error:
            await self._store.delivered(delivery.id, status, now)
            return
        gone = status == 410  # the receiver wants no more of it
        again = None if gone else retry_at(delivery.created_at, delivery.tries + 1, now)
        await self._store.not_delivered(delivery.id, status=status, error=error, retry_at=again)
        log = logger.error if again is None else logger.info
        log("webhook.not_delivered", extra={"webhook": webhook.id, "delivery": delivery.id, "error": error})

    async def _forget(self) -> None:
        now = self._clock.now()
        if now < self._forget_at:
            return
        await self._keep(())
        while await self._store.forget_events(now - KEPT_S * 1000, 5000) >= 5000:
            pass
        self._forget_at = now + int(FORGET_S * 1000)
