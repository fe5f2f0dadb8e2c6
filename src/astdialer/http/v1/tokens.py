"""Tokens: who may do what over HTTP."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from astdialer.domain.access import PERMISSIONS, Access, Forbidden, Permission, Role
from astdialer.engine import tokens
from astdialer.http.access import CheckedRoute, gate_of
from astdialer.http.v1.common import PROBLEMS, Found, Model, Page, TokenKeeper
from astdialer.http.v1.kinds import LATEST, LookerOrCaller, Row
from astdialer.ports import Token

router = APIRouter(tags=["tokens"], route_class=CheckedRoute, responses=PROBLEMS)


class NewToken(Model):
    """A token to make."""

    name: str = Field(max_length=70, examples=["crm"])
    role: Role = Field(examples=["integration"], description="What its holder may do.")
    tenant: str = Field(
        default="", max_length=64, examples=["acme"], description="Sees nothing but this tenant's campaigns."
    )
    agent: str = Field(default="", max_length=128, examples=["1001"], description="Role agent: its telephone.")
    expires_at: int | None = Field(default=None, ge=0, le=LATEST, description="Good until this instant, ms.")


class TokenRow(Row):
    """A token without its secret, which is kept by nobody."""

    id: str = Field(examples=["5f0c1a4e-27d1-4c0e-8a52-3f9f0d9a7c11"])
    name: str = Field(examples=["crm"])
    role: Role = Field(examples=["integration"])
    tenant: str = Field(examples=["acme"], description="Empty: it sees every tenant's.")
    agent: str = Field(examples=[""])
    good: bool = Field(description="Whether it opens anything now.")
    created_at: int = Field(examples=[1760000000000])
    created_by: str = Field(examples=["admin"])
    expires_at: int | None = Field(examples=[None])
    revoked_at: int | None = Field(examples=[None])


class MadeToken(TokenRow):
    """A new token, and its secret, which is shown this once."""

    secret: str = Field(examples=["astd_…"], description="Send it as `Authorization: Bearer SECRET`.")


class Me(Row):
    """Who asks."""

    name: str = Field(examples=["crm"])
    role: Role = Field(examples=["integration"])
    tenant: str = Field(examples=["acme"])
    agent: str = Field(examples=[""], description="Role agent: its telephone.")
    permissions: list[Permission] = Field(examples=[["read", "contacts"]], description="What the token allows.")


def _row(one: Token, now: int) -> dict[str, object]:
    return dataclasses.asdict(one) | {"good": one.is_good(now)}


def _checked(access: Access, new: NewToken) -> str:
    """The tenant of the token to be made. Raises Forbidden for one that would have more rights than its maker's."""
    if access.tenant and new.tenant not in ("", access.tenant):
        raise Forbidden(f"a token of tenant {access.tenant} makes tokens of that tenant alone")
    if not PERMISSIONS[new.role] <= PERMISSIONS[access.role]:
        raise Forbidden(f"a token with the role {access.role} makes none with the role {new.role}")
    return access.tenant or new.tenant


@router.get("/me")
async def who_am_i(access: LookerOrCaller) -> Me:
    """Who the token's holder is, and what it may do."""
    allowed = [permission for permission in Permission if access.may(permission)]
    return Me(name=access.name, role=access.role, tenant=access.tenant, agent=access.agent, permissions=allowed)


@router.get("/tokens")
async def list_tokens(found: Found, access: TokenKeeper) -> Page[TokenRow]:
    """All tokens, or those of the asker's tenant, by name; those that are revoked too. Sessions are not listed."""
    now = found.clock.now()
    listed = await tokens.tokens(found.store, access.tenant)
    return Page[TokenRow](items=[TokenRow.model_validate(_row(one, now)) for one in listed])


@router.post("/tokens", status_code=201)
async def create_token(found: Found, access: TokenKeeper, new: NewToken, response: Response) -> MadeToken:
    """Make a token. Its secret is in the answer and nowhere else: an Idempotency-Key has no effect here, for it would
    have to be kept."""
    made = await tokens.create(
        found.store,
        found.clock,
        new.name,
        new.role,
        tenant=_checked(access, new),
        agent=new.agent,
        expires_at=new.expires_at,
        created_by=access.name,
    )
    response.headers["cache-control"] = "no-store"
    return MadeToken.model_validate(_row(made.token, found.clock.now()) | {"secret": made.secret})


@router.delete("/tokens/{token}", status_code=204)
async def revoke_token(
    request: Request,
    found: Found,
    access: TokenKeeper,
    token: Annotated[str, Path(max_length=70, description="Its name or its id.", examples=["crm"])],
) -> None:
    """End a token, and the sessions that were made with it, at once."""
    await tokens.revoke(found.store, found.clock, token, tenant=access.tenant)
    gate_of(request).known.clear()
