"""Webhooks: other systems that are told what happens, and the messages on their way to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.hooks import Form, Webhook
from astdialer.engine import subscriptions, webhooks
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import PROBLEMS, USUAL_LIMIT, Cursor, Found, HookKeeper, Limit, Model, Page
from astdialer.http.v1.kinds import Row
from astdialer.ports import Delivery

router = APIRouter(tags=["webhooks"], route_class=IdempotentRoute, responses=PROBLEMS)

WebhookId = Annotated[str, Path(max_length=70, examples=["0b9d5e0e-4a33-4f6e-9a11-6f7f9b1c2d3e"])]
DeliveryId = Annotated[str, Path(max_length=70, examples=["7b1d3a2c-90f4-4c51-8f0b-2d6a5e4c3b2a"])]
Url = Annotated[str, Field(max_length=2000, examples=["https://crm.example.com/hooks"])]
Events = Annotated[
    list[Annotated[str, Field(max_length=100)]],
    Field(
        min_length=1,
        max_length=100,
        examples=[["attempt.closed", "contact.*"]],
        description="Kinds of events; `contact.*` is all of a group, `*` all.",
    ),
]
Options = Annotated[
    dict[Annotated[str, Field(max_length=60)], str | int | float | bool],
    Field(max_length=50, examples=[{"delay_s": 0}], description="The form's own, and `delay_s`: send so much later."),
]


# --- shapes ----------------------------------------------------------------------------------------------------------


class NewWebhook(Model):
    """Whom to tell of what, from now on."""

    url: Url = Field(description="http or https.")
    events: Events = Field(default=["*"])
    campaign: str | None = Field(
        default=None, max_length=70, examples=["spring"], description="Of this campaign alone; else of all."
    )
    form: Form = Field(default=Form.NATIVE, description="Whose words its messages speak.")
    secret: str = Field(
        default="",
        max_length=200,
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwcmVzdG9mMzI="],
        description="What messages are signed with, whsec_ and 24 to 64 bytes in base64; else a new one.",
    )
    options: Options = Field(default={})


class WebhookChange(Model):
    """What to change."""

    url: Url | None = None
    events: Events | None = None
    options: Options | None = Field(default=None, description="In place of all there are.")
    enabled: bool | None = Field(
        default=None, description="false: nothing is sent to it, and of what happens meanwhile it is not told."
    )
    new_secret: bool = Field(default=False, description="Sign with a new secret, which is in the answer.")


class WebhookRow(Row):
    """A webhook without its secret."""

    id: str = Field(examples=["0b9d5e0e-4a33-4f6e-9a11-6f7f9b1c2d3e"])
    url: str = Field(examples=["https://crm.example.com/hooks"])
    events: list[str] = Field(examples=[["attempt.closed", "contact.*"]])
    campaign: str | None = Field(examples=["spring"], description="Null: of every campaign.")
    form: Form
    tenant: str = Field(examples=["acme"])
    options: dict[str, Any] = Field(examples=[{"delay_s": 0}])
    enabled: bool
    created_at: int = Field(examples=[1760000000000])
    created_by: str = Field(examples=["crm"])
    secret: str | None = Field(
        default=None, examples=[None], description="Only in the answer that it was made or changed by."
    )


class DeliveryRow(Row):
    """A message to a webhook."""

    id: str = Field(
        examples=["7b1d3a2c-90f4-4c51-8f0b-2d6a5e4c3b2a"], description="The same in every try: the header webhook-id."
    )
    webhook_id: str = Field(examples=["0b9d5e0e-4a33-4f6e-9a11-6f7f9b1c2d3e"])
    event_id: int = Field(examples=[815])
    kind: str = Field(examples=["attempt.closed"], description="In the words of the webhook's form.")
    state: str = Field(examples=["delivered"], description="pending, delivered, or dead: given up.")
    tries: int = Field(examples=[1])
    status: int = Field(examples=[200], description="Of the receiver's last answer, 0 for none.")
    error: str = Field(examples=[""], description="What was wrong with it.")
    created_at: int = Field(examples=[1760000041000])
    retry_at: int = Field(examples=[1760000041000], description="Pending: when it is sent next, ms.")
    delivered_at: int | None = Field(examples=[1760000041200])
    body: str = Field(examples=['{"id":815,"event":"attempt.closed"}'], description="What is sent, as text.")


class Resent(Row):
    """How many messages are sent again."""

    resent: int = Field(examples=[1])


async def _names(found: Services, access: Access) -> Mapping[int, str]:
    return {campaign.id: campaign.name for campaign in await found.campaigns(access)}


def _row(one: Webhook, names: Mapping[int, str], *, secret: bool = False) -> WebhookRow:
    shown = {"campaign": names.get(one.campaign_id or 0), "secret": one.secret if secret else None}
    return WebhookRow(**dataclasses.asdict(one) | shown)


async def _webhook(found: Services, access: Access, webhook_id: str) -> Webhook:
    return await webhooks.find(found.store, webhook_id, access.tenant)


async def _delivery(found: Services, access: Access, delivery_id: str) -> Delivery:
    """Raises NotFound, for those to another tenant's webhook too."""
    delivery = await found.store.delivery(delivery_id)
    try:
        await _webhook(found, access, delivery.webhook_id)
    except NotFound:
        raise NotFound("delivery", delivery_id, "see astdialer webhook deliveries") from None
    return delivery


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.get("/webhooks")
async def list_webhooks(found: Found, access: HookKeeper) -> Page[WebhookRow]:
    """All webhooks, the oldest first, without their secrets."""
    names = await _names(found, access)
    listed = [one for one in await found.store.webhooks() if access.tenant in ("", one.tenant)]
    return Page[WebhookRow](items=[_row(one, names) for one in listed])


@router.post("/webhooks", status_code=201)
async def create_webhook(found: Found, access: HookKeeper, new: NewWebhook, response: Response) -> WebhookRow:
    """Tell an address what happens from now on. The answer has the secret that its receiver checks the signatures
    with."""
    made = await webhooks.create(
        found.store,
        found.clock,
        new.url,
        events=new.events,
        form=new.form,
        campaign=await found.campaign(access, new.campaign) if new.campaign is not None else None,
        tenant=access.tenant,
        secret=new.secret,
        options=new.options,
        created_by=access.name,
    )
    response.headers["location"] = f"/v1/webhooks/{made.id}"
    return _row(made, await _names(found, access), secret=True)


@router.get("/webhooks/{webhook_id}")
async def show_webhook(found: Found, access: HookKeeper, webhook_id: WebhookId) -> WebhookRow:
    """One webhook."""
    return _row(await _webhook(found, access, webhook_id), await _names(found, access))


@router.patch("/webhooks/{webhook_id}")
async def change_webhook(found: Found, access: HookKeeper, webhook_id: WebhookId, change: WebhookChange) -> WebhookRow:
    """Change an address, what it is told, or whether it is."""
    known = await _webhook(found, access, webhook_id)
    changed = await subscriptions.change(found.store, known, **change.model_dump())
    return _row(changed, await _names(found, access), secret=change.new_secret)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def remove_webhook(found: Found, access: HookKeeper, webhook_id: WebhookId) -> None:
    """Forget a webhook, and whatever was not delivered to it."""
    await found.store.remove_webhook((await _webhook(found, access, webhook_id)).id)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
async def try_webhook(found: Found, access: HookKeeper, webhook_id: WebhookId) -> DeliveryRow:
    """Send a message of the kind `webhook.test`. Whether it has arrived is among its deliveries."""
    known = await _webhook(found, access, webhook_id)
    return _delivery_row(await subscriptions.try_out(found.store, found.clock, known))


# --- deliveries ------------------------------------------------------------------------------------------------------


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_deliveries(
    found: Found,
    access: HookKeeper,
    webhook_id: WebhookId,
    state: Annotated[
        Literal["pending", "delivered", "dead"] | None, Query(description="Only in this state; dead is given up.")
    ] = None,
    *,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[DeliveryRow]:
    """Messages to a webhook, the newest first: those that arrived are kept for three days."""
    known = await _webhook(found, access, webhook_id)
    (after,) = place_of(cursor, str) or ("",)
    if after and (await _delivery(found, access, after)).webhook_id != known.id:
        raise InvalidSetting("cursor", cursor, "the next of an earlier answer, as it was")
    rows = [_delivery_row(one) for one in await found.store.deliveries(known.id, state, limit, after)]
    return Page[DeliveryRow](**page(rows, limit, *(row.id for row in rows[-1:])))


@router.post("/deliveries/{delivery_id}/resend")
async def resend_delivery(found: Found, access: HookKeeper, delivery_id: DeliveryId) -> Resent:
    """Send a message once more that is dead or has arrived, for a day at most, with the id that it had."""
    delivery = await _delivery(found, access, delivery_id)
    return Resent(resent=await webhooks.resend(found.store, found.clock, [delivery.id]))


@router.post("/webhooks/{webhook_id}/resend-dead")
async def resend_dead(found: Found, access: HookKeeper, webhook_id: WebhookId) -> Resent:
    """Send every message to a webhook that was given up once more."""
    known = await _webhook(found, access, webhook_id)
    return Resent(resent=await webhooks.resend_dead(found.store, found.clock, known.id))


def _delivery_row(one: Delivery) -> DeliveryRow:
    return DeliveryRow(**dataclasses.asdict(one))
