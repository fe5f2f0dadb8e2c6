"""Claiming contacts that may be called: one transaction, and its cost does not grow with the base.

A campaign's contacts lie in pools (an upload's contacts of the same zones, for the same agents). The claim opens the
pools whose zones are within hours, reads each from the start of an index, all of them in one statement (every bulk that
another system sends makes pools of its own), merges them in the campaign's order, and has the domain judge each contact
that comes up.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Protocol

from astdialer.domain.attempt import Attempt
from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.selection import ABANDONED_MS, FOR_EVER, SHORTEST_PREFIX, WEEK_MS, Judgement, NumberFacts
from astdialer.ports import Claim, Claimed, ClaimRequest, Place
from astdialer.store.contact_write import save_contacts
from astdialer.store.database import Parameters, Writing
from astdialer.store.lineup import LineUp
from astdialer.store.rows import attempt_row, contact_of, number_of

#: Due contacts of each pool and rank that one claim takes out of waiting. More than it needs: priorities must be right.
PROMOTED = 1000
#: Contacts that one claim looks at in vain, at most: dialing must go on.
IN_VAIN = 2000

Row = Mapping[str, Any]


async def claim(tx: Writing, request: ClaimRequest) -> Claimed:
    """See ports.AttemptStore.claim."""
    pools = await _open_pools(tx, request)
    due = {"pools": json.dumps(list(pools)), "now": request.now, "limit": max(PROMOTED, request.limit)}
    await tx.execute("promote", due)
    line = LineUp(pools, request.strategy, request.after)
    claims: list[Claim] = []
    seen, count = 0, request.limit + request.window - 1
    while len(claims) < request.limit and (in_vain := seen - len(claims)) < IN_VAIN:
        found = await line.read(tx, min(count, request.limit - len(claims) + IN_VAIN - in_vain))
        if not found:
            return Claimed(claims)
        claims += await _claim_some(tx, request, pools, found, len(claims))
        line.after = found[-1][0]
        seen += len(found)
        count *= 2  # few when all goes well, soon many when nobody may be called
    return Claimed(claims, None if len(claims) == request.limit else line.after)


async def _open_pools(tx: Writing, request: ClaimRequest) -> dict[int, Row]:
    wanted = {"campaign_id": request.campaign_id, "buckets": json.dumps(list(request.buckets))}
    rows = [dict(row) for row in await tx.fetch("claimable_pools", wanted)]
    return {row["id"]: row for row in rows if request.is_open(row["zones"])}


async def with_numbers(tx: Reading, rows: Sequence[Row | Mapping[str, Any]]) -> list[Contact]:
    """The contacts of these rows, with their numbers."""
    found = await tx.fetch("numbers_of", {"ids": json.dumps([row["id"] for row in rows])})
    numbers = {
        contact_id: [number_of(dict(row)) for row in group]
        for contact_id, group in groupby(found, key=lambda row: row["contact_id"])
    }
    return [contact_of(row, numbers.get(row["id"], ())) for row in rows]


async def _claim_some(
    tx: Writing, request: ClaimRequest, pools: Mapping[int, Row], found: Sequence[tuple[Place, int]], claimed: int
) -> list[Claim]:
    """Have each contact judged, and write what was decided, until there are enough calls."""
    ids = [contact_id for _, contact_id in found]
    rows = {row["id"]: dict(row) for row in await tx.fetch("contacts_by_id", {"ids": json.dumps(ids)})}
    contacts = _arranged(request, found, await with_numbers(tx, [rows[contact_id] for contact_id in ids]))
    facts = await facts_of(tx, (n.number for c in contacts for n in c.numbers), request.campaign, request.now)
    claims: list[Claim] = []
    put_off: list[Judgement] = []
    for contact in contacts:
        if claimed + len(claims) == request.limit:
            break
        judgement = request.judge(contact, facts)
        if judgement.number is None:
            put_off.append(judgement)
            continue
        facts[judgement.number.number] = replace(facts[judgement.number.number], in_call=True)
        base = pools[rows[contact.id]["pool_id"]]["base"]
        claims.append(_taken(request, judgement, base, request.attempt_ids[claimed + len(claims)]))
    await _put_off(tx, put_off, request.now)
    await _write(tx, claims, request.now)
    return claims


def _arranged(request: ClaimRequest, found: Sequence[tuple[Place, int]], contacts: Sequence[Contact]) -> list[Contact]:
    """The contacts in the order of asking; those whose places differ by nothing but the id may change them."""
    if request.arrange is None:
        return list(contacts)
    alike = groupby(zip(found, contacts, strict=True), key=lambda each: each[0][0][:-1])
    return [contact for _, group in alike for contact in request.arrange([contact for _, contact in group])]


async def _put_off(tx: Writing, judged: Sequence[Judgement], now: int) -> None:
    """What can't be called now waits for its rule, or is done; what only lacks a free trunk stays where it is."""
    put_off = sorted((j for j in judged if not j.stay), key=lambda j: (j.contact.next_at is None, j.why))
    for (is_done, why), group in groupby(put_off, key=lambda j: (j.contact.next_at is None, j.why)):
        contacts = [j.contact if is_done else replace(j.contact, state=ContactState.WAITING) for j in group]
        await save_contacts(tx, contacts, now, why=why.value, deferred=not is_done)


def _taken(request: ClaimRequest, judgement: Judgement, base: str, attempt_id: str) -> Claim:
    contact = replace(judgement.contact, state=ContactState.IN_CALL, next_at=None)
    return Claim(attempt=_attempt(request, judgement, attempt_id), contact=contact, base=base)


async def _write(tx: Writing, claims: Sequence[Claim], now: int) -> None:
    await tx.execute_many("insert_attempt", [attempt_row(claim.attempt) for claim in claims])
    await save_contacts(tx, [claim.contact for claim in claims], now)


def _attempt(request: ClaimRequest, judgement: Judgement, attempt_id: str) -> Attempt:
    number, way = judgement.number, judgement.way
    assert number is not None
    assert way is not None
    return Attempt(
        id=attempt_id,
        campaign_id=request.campaign_id,
        contact_id=judgement.contact.id,
        number_id=number.id,
        number=number.number,
        trunk=way.trunk,
        dialed_as=way.digits,
        range_key=judgement.range_key,
        reserved_agent=request.reserved_agent,
        leg_id=request.leg_id,
        server=request.server,
        created_at=request.now,
        reason=request.reason,
    )


async def claim_contact(tx: Writing, contact_id: int, request: ClaimRequest) -> Claim | Judgement:
    """Take this contact for a call by hand, or say why it can't be called. Raises NotFound, and Conflict if it is
    not waiting for a call."""
    rows = await tx.fetch("contact_with_base", {"id": contact_id})
    if not rows:
        raise NotFound("contact", contact_id, "see astdialer contact list")
    contact = (await with_numbers(tx, [dict(rows[0])]))[0]
    if contact.state not in (ContactState.READY, ContactState.WAITING):
        raise Conflict(f"contact {contact_id} is {contact.state.value}: {contact.end_reason or 'not to be called now'}")
    facts = await facts_of(tx, (n.number for n in contact.numbers), request.campaign, request.now)
    judgement = request.judge(contact, facts)
    if judgement.number is None:
        return judgement
    taken = _taken(request, judgement, rows[0]["base"], request.attempt_ids[0])
    manual = replace(taken, attempt=replace(taken.attempt, manual=True))
    await _write(tx, [manual], request.now)
    return manual


# --- facts -----------------------------------------------------------------------------------------------------------


class Reading(Protocol):
    """The named queries, inside a transaction or beside it."""

    async def fetch(self, query: str, parameters: Parameters = ()) -> Sequence[Any]:
        """All rows."""


async def facts_of(tx: Reading, numbers: Iterable[str], campaign: str, now: int) -> dict[str, NumberFacts]:
    """What the store knows about numbers beyond their contacts."""
    wanted = sorted(set(numbers))
    listed = json.dumps(wanted)
    barred = await barred_until(tx, wanted, campaign, now)
    live = {row["number"] for row in await tx.fetch("live_numbers", {"numbers": listed})}
    since = now - max(WEEK_MS, ABANDONED_MS)
    placed: dict[str, list[int]] = defaultdict(list)
    abandoned: dict[str, int] = {}
    for row in await tx.fetch("placed_attempts", {"numbers": listed, "since": since}):
        placed[row["number"]].append(row["dialed_at"])
        if row["disposition"] == "abandoned":
            abandoned[row["number"]] = row["dialed_at"]
    return {
        number: NumberFacts(
            blacklisted_until=barred.get(number),
            in_call=number in live,
            placed_at=tuple(placed[number]),
            abandoned_at=abandoned.get(number),
        )
        for number in wanted
    }


async def barred_until(tx: Reading, numbers: Sequence[str], campaign: str, now: int) -> dict[str, int]:
    """Which numbers are blacklisted, themselves or by how they begin, and until when."""
    keys: dict[str, list[str]] = defaultdict(list)
    for number in numbers:
        for key in blacklist_keys(number):
            keys[key].append(number)
    found = await tx.fetch("blacklisted", {"numbers": json.dumps(list(keys)), "campaign": campaign, "now": now})
    barred: dict[str, int] = {}
    for row in found:
        until = FOR_EVER if row["expires_at"] is None else row["expires_at"]
        for number in keys[row["number"]]:
            barred[number] = max(barred.get(number, 0), until)
    return barred


def blacklist_keys(number: str) -> list[str]:
    """The number, and every prefix entry that would cover it: +4477… is covered by ``+4477*``."""
    return [number, *(number[:n] + "*" for n in range(SHORTEST_PREFIX, len(number) + 1))]
