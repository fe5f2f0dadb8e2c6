"""Webhooks, as those outside change and try them: beside what engine/webhooks.py has for the command."""

from __future__ import annotations

import dataclasses
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.errors import Conflict
from astdialer.domain.hooks import Webhook
from astdialer.engine import webhooks
from astdialer.ports import Clock, Delivery, Store

#: The kind of a message that somebody asks for, to see whether it arrives.
TEST = "webhook.test"


async def change(
    store: Store,
    webhook: Webhook,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
    new_secret: bool = False,
) -> Webhook:
    """Change what is given. Raises InvalidSetting, and then changes nothing."""
    changed = dataclasses.replace(
        webhook,
        url=webhook.url if url is None else webhooks.check_url(url),
        events=webhook.events if events is None else webhooks.check_events(events, webhook.form),
        options=webhook.options if options is None else webhooks.check_options(options),
        enabled=webhook.enabled if enabled is None else enabled,
        secret=webhooks.new_secret() if new_secret else webhook.secret,
    )
    await store.save_webhook(changed)
    return changed


async def try_out(store: Store, clock: Clock, webhook: Webhook) -> Delivery:
    """Queue a message that says nothing but that it is a test. Raises Conflict for a webhook that is disabled."""
    if not webhook.enabled:
        raise Conflict(f"the webhook {webhook.id} is disabled: enable it first (astdialer webhook enable {webhook.id})")
    now = clock.now()
    body = {"id": 0, "event": TEST, "at": now, "data": {}}
    made = Delivery(
        id=str(uuid.uuid4()),
        webhook_id=webhook.id,
        event_id=-secrets.randbits(62),  # of no event; a webhook has one message of each event and kind
        kind=TEST,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        created_at=now,
        retry_at=now,
    )
    await store.queue_deliveries(webhooks.FOLLOWER, 0, [made])
    return made
