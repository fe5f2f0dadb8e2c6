"""Logging in with a token's name and its secret, for a session's token, and logging out."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Unauthorized
from astdialer.engine import tokens
from astdialer.http.access import STRANGER_BURST, STRANGER_RATE, gate_of
from astdialer.http.dialect import Credentials, bearer
from astdialer.http.services import services
from astdialer.http.ucontact.forms import Fields, fields_of
from astdialer.http.ucontact.values import plain

router = APIRouter(prefix="/auth")
#: What a session is called where no token is asked for.
OPEN = "loopback"


def find(request: Request) -> Credentials | None:
    """``Authorization: Basic TOKEN``, as uContact has it; ``NAME:TOKEN`` in base64, as HTTP has it; or Bearer."""
    found = bearer(request, "Basic") or bearer(request)
    return Credentials(_password(found.secret)) if found else None


def _password(text: str) -> str:
    """What follows the colon, if that is what the text decodes to; no token of ours does."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text
    name, colon, password = decoded.partition(":")
    return password if colon and name.isprintable() else text


@router.post("/getUserToken")
async def get_user_token(request: Request) -> Response:
    """The text of a new session's token."""
    _, secret = await _logged_in(request)
    return plain(secret)


@router.post("/UserLogin")
async def user_login(request: Request) -> Response:
    """The same in an array, of which integrations take the third."""
    fields, secret = await _logged_in(request)
    return JSONResponse([fields.line("user"), "ok", secret])


async def _logged_in(request: Request) -> tuple[Fields, str]:
    """Raises Unauthorized, and TooMany for who tries too often."""
    found, gate, fields = services(request), gate_of(request), await fields_of(request)
    user, password = fields.line("user", "username"), fields.line("password")
    if not found.settings.tokens:
        return fields, OPEN
    try:
        made = await tokens.log_in(found.store, found.clock, user, password)
    except Unauthorized:
        peer = request.client.host if request.client else ""
        gate.take(f"stranger {peer}", STRANGER_RATE, STRANGER_BURST, found.clock.now())
        raise
    return fields, made.secret


@router.post("/EndSession")
async def end_session(request: Request) -> Response:
    """1 if the session of this token was open, else 0. Whoever has a token may end its session."""
    found, fields = services(request), await fields_of(request)
    given = Credentials(_password(fields.line("token"))) if fields.line("token") else find(request)
    ended = given is not None and await tokens.log_out(found.store, found.clock, given.secret)
    if given:
        gate_of(request).known.pop(given, None)
    return plain("1" if ended else "0")
