"""``astdialer token``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from astdialer.cli.context import clock, instant, local_time, user, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, say
from astdialer.domain.access import Role
from astdialer.engine import tokens
from astdialer.ports import Token

COLUMNS = ("name", "role", "tenant", "agent", "state", "created", "created_by", "expires")


@click.group()
def token() -> None:
    """Tokens of the HTTP API: who may do what with it."""


@token.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What its holder may do.")
@click.option("--tenant", default="", help="Sees nothing but this tenant's campaigns, and makes them its own.")
@click.option("--agent", default="", help="Role agent: its telephone, such as 1001.")
@click.option("--expires", metavar="DATE", help="Good until then: YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'.")
@click.option("--jwt", is_flag=True, help="In the shape of a Webitel domain token, for clients that look into it.")
@json_option
def create(name: str, role: str, *, tenant: str, agent: str, expires: str | None, jwt: bool, as_json: bool) -> None:
    """Make a token and print its secret, which is shown this once and kept by nobody.

    Other systems that log in with a user and a password take NAME and the secret.
    """
    made = with_store(
        lambda store: tokens.create(
            store,
            clock,
            name,
            Role(role),
            tenant=tenant,
            agent=agent,
            expires_at=instant(expires) if expires else None,
            created_by=user(),
            jwt=jwt,
        )
    )
    if as_json:
        emit_record(dataclasses.asdict(made.token) | {"secret": made.secret}, as_json=True)
    else:
        click.echo(made.secret)
        say(f"keep it: it is not shown again. Send it as Authorization: Bearer {made.secret[:8]}…")


@token.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All tokens, without their secrets; those that are revoked too."""
    rows = [_row(one) for one in with_store(tokens.tokens)]
    emit_rows(rows, COLUMNS, as_json=as_json)


def _row(one: Token) -> dict[str, Any]:
    good = one.is_good(clock.now())
    state = "good" if good else "revoked" if one.revoked_at is not None else "expired"
    times = {"created": local_time(one.created_at), "expires": local_time(one.expires_at)}
    return dataclasses.asdict(one) | times | {"state": state}


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """End the token NAME, and the sessions that were made with it, within two seconds."""
    with_store(lambda store: tokens.revoke(store, clock, name))
    say(f"{name} opens nothing any more")
