"""Commands on a store of their own, and calls as the engine makes them."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result

from astdialer.cli.main import cli
from astdialer.clock import SystemClock
from astdialer.domain.attempt import State
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, NumberFacts, Why
from astdialer.engine.rulebook import redial_rules
from astdialer.ports import Claim, ClaimRequest, Closing
from astdialer.store import SqliteStore, open_store
from astdialer.store.claim import claim_contact

T = TypeVar("T")
clock = SystemClock()


def done(*words: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(cli, words, input=text)
    assert result.exit_code == 0, result.output
    return result


def told(*words: str) -> str:
    """What is said on stderr."""
    return done(*words).stderr


def shown(*words: str) -> Any:
    return json.loads(done(*words, "--json").stdout)


def failed(*words: str, code: int = 1) -> str:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stderr


def in_store(work: Callable[[SqliteStore], Coroutine[Any, Any, T]]) -> T:
    async def opened() -> T:
        place = Path(os.environ["ASTDIALER_STORE_URL"].removeprefix("sqlite://"))
        async with open_store(place, clock) as store:
            return await work(store)

    return asyncio.run(opened())


def begin_call(campaign: str, contact_id: int) -> str:
    """A call to the contact's first open number; its guid."""

    async def begin(store: SqliteStore) -> str:
        return (await _claim(store, campaign, contact_id)).attempt.id

    return in_store(begin)


def talk(campaign: str, contact_id: int) -> str:
    """A whole call to the contact, with a talk; its guid."""

    async def call(store: SqliteStore) -> str:
        claim, now = await _claim(store, campaign, contact_id), clock.now()
        attempt = replace(
            claim.attempt, state=State.GONE, dialed_at=now, answered_at=now, connected_at=now, gone_at=now
        )
        rules = redial_rules((await store.campaign(campaign)).settings, None, "UTC")
        answered = Disposition.ANSWERED
        context = CdrContext(campaign=campaign, base=claim.base, caller_id="", queue="q")
        closing = Closing(
            attempt=attempt,
            disposition=answered,
            contact=after_attempt(claim.contact, attempt, answered, rules, now),
            cdr=cdr_of(attempt, answered, context, now),
            recording=None,
            now=now,
            day="2026-09-22",
        )
        await store.close([closing])
        return attempt.id

    return in_store(call)


async def _claim(store: SqliteStore, campaign: str, contact_id: int) -> Claim:
    def judge(found: Contact, _facts: Mapping[str, NumberFacts]) -> Judgement:
        number = next(n for n in found.numbers if n.is_open)
        return Judgement(contact=found, why=Why.READY, number=number, way=Way("", "carrier", ""))

    request = ClaimRequest(
        campaign_id=(await store.campaign(campaign)).id,
        campaign=campaign,
        server="default",
        limit=1,
        is_open=lambda _zones: True,
        judge=judge,
        attempt_ids=[str(uuid.uuid4())],
        reason="",
        now=clock.now(),
    )
    claimed = await store._db.write(lambda tx: claim_contact(tx, contact_id, request))
    assert isinstance(claimed, Claim)
    return claimed
