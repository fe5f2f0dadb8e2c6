"""``astdialer webhook``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import click

from astdialer.cli.context import clock, local_time, pairs, user, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, say
from astdialer.domain.hooks import Form, Webhook
from astdialer.engine import webhooks
from astdialer.ports import Delivery
from astdialer.store import SqliteStore

COLUMNS = ("id", "url", "events", "campaign", "form", "tenant", "enabled")
DELIVERY_COLUMNS = ("id", "event", "state", "tries", "status", "created", "next_try", "error")


@click.group()
def webhook() -> None:
    """Other systems that are told what happens, and the messages on their way to them."""


@webhook.command("create")
@click.argument("url")
@click.option("--event", "events", multiple=True, help="Told of this alone, such as attempt.closed or contact.*.")
@click.option("--campaign", help="Of this campaign alone.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    default=Form.NATIVE.value,
    show_default=True,
    help="Its words.",
)
@click.option("--secret", default="", help="What messages are signed with, whsec_ and base64.  [default: a new one]")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the form. Repeatable.")
@json_option
def create(
    url: str,
    *,
    events: tuple[str, ...],
    campaign: str | None,
    form: str,
    secret: str,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell URL what happens from now on. Prints the secret that its receiver checks the signatures with."""

    async def work(store: SqliteStore) -> Webhook:
        return await webhooks.create(
            store,
            clock,
            url,
            events=events or ("*",),
            form=Form(form),
            campaign=await store.campaign(campaign) if campaign else None,
            secret=secret,
            options=pairs(options),
            created_by=user(),
        )

    made = with_store(work)
    if as_json:
        emit_record(dataclasses.asdict(made), as_json=True)
    else:
        click.echo(made.secret)
        say(f"webhook {made.id} is told of {', '.join(made.events)}")


@webhook.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All webhooks, without their secrets."""

    async def read(store: SqliteStore) -> list[dict[str, Any]]:
        names = {campaign.id: campaign.name for campaign in await store.campaigns()}
        return [_row(one, names, as_json=as_json) for one in await store.webhooks()]

    emit_rows(with_store(read), COLUMNS, as_json=as_json)


def _row(one: Webhook, names: Mapping[int, str], *, as_json: bool) -> dict[str, Any]:
    row = dataclasses.asdict(one) | {"campaign": names.get(one.campaign_id or 0)}
    del row["secret"]
    return row if as_json else row | {"events": ", ".join(one.events)}


@webhook.command("enable")
@click.argument("webhook_id", metavar="ID")
def enable(webhook_id: str) -> None:
    """Send to a webhook again: what waited meanwhile as well."""
    _set_enabled(webhook_id, enabled=True)
    say(f"{webhook_id} is sent to")


@webhook.command("disable")
@click.argument("webhook_id", metavar="ID")
def disable(webhook_id: str) -> None:
    """Send nothing to a webhook, and tell it nothing of what happens meanwhile."""
    _set_enabled(webhook_id, enabled=False)
    say(f"{webhook_id} is not sent to")


def _set_enabled(webhook_id: str, *, enabled: bool) -> None:
    async def change(store: SqliteStore) -> None:
        found = await webhooks.find(store, webhook_id)
        await store.save_webhook(dataclasses.replace(found, enabled=enabled))

    with_store(change)


@webhook.command("remove")
@click.argument("webhook_id", metavar="ID")
def remove(webhook_id: str) -> None:
    """Forget a webhook, and whatever was not delivered to it."""
    with_store(lambda store: store.remove_webhook(webhook_id))
    say(f"{webhook_id} is removed")


# --- deliveries ------------------------------------------------------------------------------------------------------


@webhook.command("deliveries")
@click.option("--webhook", "webhook_id", metavar="ID", help="Only to this webhook.")
@click.option(
    "--state", type=click.Choice(["pending", "delivered", "dead"]), help="Only in this state; dead ones are given up."
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@json_option
def deliveries(webhook_id: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Messages, the newest first. Those that arrived are kept for three days, dead ones for thirty."""

    async def read(store: SqliteStore) -> Sequence[Delivery]:
        if webhook_id:
            await webhooks.find(store, webhook_id)
        return await store.deliveries(webhook_id, state, limit)

    found = with_store(read)
    emit_rows([_delivery_row(one) for one in found], DELIVERY_COLUMNS, as_json=as_json)


def _delivery_row(one: Delivery) -> dict[str, Any]:
    next_try = local_time(one.retry_at) if one.state == "pending" else None
    times = {"created": local_time(one.created_at), "next_try": next_try}
    return dataclasses.asdict(one) | times | {"event": one.kind}


@webhook.command("resend")
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY]...")
@click.option("--dead", is_flag=True, help="Every message that was given up.")
@click.option("--webhook", "webhook_id", metavar="ID", help="With --dead: only those to this webhook.")
def resend(delivery_ids: tuple[str, ...], dead: bool, webhook_id: str | None) -> None:
    """Send messages once more, for a day at most, with the ids that they had."""
    if bool(delivery_ids) == dead or (webhook_id and not dead):
        raise click.UsageError("expected either DELIVERY ids or --dead, and --webhook with --dead alone")

    async def work(store: SqliteStore) -> int:
        if not dead:
            return await webhooks.resend(store, clock, delivery_ids)
        if webhook_id:
            await webhooks.find(store, webhook_id)
        return await webhooks.resend_dead(store, clock, webhook_id)

    sent = with_store(work)
    rest = len(set(delivery_ids)) - sent if delivery_ids else 0
    say(f"{sent} sent again" + (f", {rest} not: they wait to be sent, or are not there" if rest else ""))
