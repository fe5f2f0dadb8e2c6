"""Members of a dialer: contacts in Webitel's words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import REMOVED, Contact, ContactState, NewContact
from astdialer.domain.errors import AstdialerError, Conflict, NotFound
from astdialer.domain.result import due_again, started_over
from astdialer.domain.retry import settle
from astdialer.engine import campaigns
from astdialer.engine.contacts import main_number
from astdialer.engine.members import add
from astdialer.engine.removal import remove_contacts
from astdialer.http.services import Services
from astdialer.http.turns import turn
from astdialer.http.webitel3 import answers, ids
from astdialer.http.webitel3.aggregate import pipeline
from astdialer.http.webitel3.answers import NAME, Said
from astdialer.http.webitel3.auth import Found, Loads, OnceRoute, Reads
from astdialer.http.webitel3.bodies import body_of, table_of
from astdialer.http.webitel3.dialers import campaign_of, start
from astdialer.http.webitel3.memberdocs import KIND, Known, created_on, frame_of, known_of, member_document, sent
from astdialer.http.webitel3.people import BASE, Person, change_of, cleaned, new_person
from astdialer.http.webitel3.queries import Document, Test, compiled, listing
from astdialer.ports import ForeignObject

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v2/dialer/{dialer}/members", tags=["webitel3"], route_class=OnceRoute)

#: Members that are looked at together; others have their turn between two of these.
BATCH = 500
#: Members that a filter, a sort or a pipeline may look at.
MOST_LOOKED_AT = 50_000
#: Bytes of a pipeline.
LARGEST_PIPELINE = 65_536
#: Sorts and pipelines wait for each other: however many are asked for, they take one thread, and calls go on.
_COMPUTING = ThreadPoolExecutor(1, "webitel3")


@router.get("")
async def list_members(request: Request, found: Found, access: Reads, dialer: str) -> Response:
    """A page of the members, in the order in which they came."""
    campaign = await campaign_of(found, access, dialer)
    wanted = listing(request)
    if wanted.test is None and not wanted.sort:
        contacts = await found.store.contacts_at(campaign.id, wanted.skip, wanted.limit)
        return answers.data(replace(wanted, skip=0).page(await _documents(found, campaign, contacts)))
    documents = [each async for some in _meant(found, campaign) for each in some]
    return await _computed(lambda: wanted.page(documents))


@router.get("/count")
async def count_members(request: Request, found: Found, access: Reads, dialer: str) -> Response:
    """How many a filter means."""
    campaign = await campaign_of(found, access, dialer)
    test = listing(request).test
    if test is None:
        counts = await found.store.counts(campaign.id)
        return answers.data(counts.ready + counts.waiting + counts.in_call + counts.held + counts.done)
    return answers.data(sum([len(some) async for some in _meant(found, campaign, test)]))


@router.post("/aggregate")
async def aggregate_members(request: Request, found: Found, access: Reads, dialer: str) -> Response:
    """Figures by a pipeline."""
    campaign = await campaign_of(found, access, dialer)
    if len(await request.body()) > LARGEST_PIPELINE:
        raise Said(400, f"aggregate: more than {LARGEST_PIPELINE} bytes")
    run = pipeline(await body_of(request))
    documents = [each async for some in _meant(found, campaign) for each in some]
    return await _computed(lambda: run(documents))


@router.post("")
async def add_members(request: Request, found: Found, access: Loads, dialer: str) -> Response:
    """One, or many: all of them are added or, if one can't be, none. ``autoRun=true`` starts the dialer as well."""
    campaign = await campaign_of(found, access, dialer)
    body = await body_of(request)
    given = body if isinstance(body, list) else [{} if body is None else body]
    if not given or not all(isinstance(each, dict) for each in given):
        raise Said(400, "Bad request: data is required. Expected a member, or a list of members")
    auto_run = request.query_params.get("autoRun") == "true"
    if auto_run:
        access.require(Permission.CAMPAIGNS)
    # In another thread: reading thousands of numbers takes seconds, and calls go on in this one.
    new = await asyncio.to_thread(_new, found, campaign, given, many=isinstance(body, list))
    added = await add(found.store, found.clock, campaign, BASE, new)
    if auto_run:
        await _run(found, access, campaign)
    return answers.inserted([ids.object_id(each) for each in added])


@router.delete("")
async def remove_members(request: Request, found: Found, access: Loads, dialer: str) -> Response:
    """Those that the filter in the body means; who is in a call stays."""
    campaign = await campaign_of(found, access, dialer)
    query = await body_of(request)
    if not isinstance(query, dict):
        raise Said(400, "Bad request: filter is required.")
    test = compiled({key: value for key, value in query.items() if key not in ("access_token", "x_key")})
    meant = [ids.number_of(each["_id"]) async for some in _meant(found, campaign, test) for each in some]
    count = 0
    for at in range(0, len(meant), BATCH):
        some = meant[at : at + BATCH]
        count += len(await remove_contacts(found.store, found.clock, campaign, some, done_by=access.name))
    return answers.deleted(count)


@router.put("/reset")
async def reset_members(request: Request, found: Found, access: Loads, dialer: str) -> Response:
    """Call again, from the start, whoever is done without success and came at ``from`` or later."""
    campaign = await campaign_of(found, access, dialer)
    since = request.query_params.get("from", "")
    if not (since.isascii() and since.isdigit() and len(since) <= 15):
        raise Said(400, f"from = {since[:40]!r}: expected milliseconds since 1970")
    if request.query_params.get("_log") == "true" and access.tenant:
        raise Said(403, "Bad request: resetLog allow from root.")
    frame, count = await frame_of(found, campaign), 0
    async for contacts in _batches(found, campaign):
        done = [contact for contact in contacts if contact.state is ContactState.DONE]
        known = await known_of(found, done, calls=False)
        meant = [each.contact.id for each in known if created_on(each, frame) >= int(since)]
        count += await _reset(found, campaign, meant, access.name)
    return answers.info(count)


@router.get("/{member}")
async def show_member(found: Found, access: Reads, dialer: str, member: str) -> Response:
    """The document as it was sent, with what has become of it."""
    campaign, contact = await member_of(found, access, dialer, member)
    (document,) = await _documents(found, campaign, [contact])
    return answers.data(document)


@router.put("/{member}")
async def change_member(request: Request, found: Found, access: Loads, dialer: str, member: str) -> Response:
    """Put every key that is given in the place of the one that was there. Numbers keep what they have counted."""
    campaign, contact = await member_of(found, access, dialer, member, words=f"Member {member} not found")
    changed = cleaned(await table_of(request))
    async with turn(NAME, KIND, contact.id):
        await _change(found, campaign, contact, changed)
    return answers.updated()


@router.delete("/{member}")
async def remove_member(found: Found, access: Loads, dialer: str, member: str) -> Response:
    """Not while it is in a call."""
    campaign, contact = await member_of(found, access, dialer, member, status=406, words="Not Acceptable")
    if not await remove_contacts(found.store, found.clock, campaign, [contact.id], done_by=access.name):
        raise Said(406, "Not Acceptable")
    return answers.deleted()


# --- what they share -------------------------------------------------------------------------------------------------


async def member_of(
    found: Services, access: Access, dialer: str, member: str, *, words: str = "", status: int = 404
) -> tuple[Campaign, Contact]:
    """The dialer, and a member of it. Raises Said."""
    campaign = await campaign_of(found, access, dialer)
    missing = Said(status, words or f"Not found {member} in dialer {dialer}")
    try:
        contact = await found.store.load_contact(ids.number_of(member))
    except NotFound:
        raise missing from None
    if contact.campaign_id != campaign.id:
        raise missing
    return campaign, contact


async def keep(found: Services, campaign: Campaign, known: Known, **parts: Any) -> None:
    """Keep a member's document, or what was said of its calls."""
    now = found.clock.now()
    body = (dict(known.kept.body) if known.kept else {}) | parts
    created_at = known.kept.created_at if known.kept else now
    await found.store.save_foreign(_kept(campaign, str(known.contact.id), body, now, created_at))


def _kept(
    campaign: Campaign, member_id: str, body: Mapping[str, Any], now: int, created_at: int | None = None
) -> ForeignObject:
    return ForeignObject(
        dialect=NAME,
        kind=KIND,
        id=member_id,
        tenant=campaign.tenant,
        name=str(campaign.id),
        body=body,
        created_at=now if created_at is None else created_at,
        changed_at=now,
    )


def _new(
    found: Services, campaign: Campaign, documents: Sequence[Mapping[str, Any]], *, many: bool
) -> list[tuple[NewContact, ForeignObject]]:
    now = found.clock.now()
    people = (_person(found, each, at if many else None) for at, each in enumerate(documents))
    return [(each.contact, _kept(campaign, "", {"document": dict(each.document)}, now)) for each in people]


def _person(found: Services, document: Mapping[str, Any], at: int | None) -> Person:
    try:
        return new_person(document, found.read_number)
    except Said as problem:
        if at is None or str(problem).startswith("Bad comm"):  # Webitel's own words
            raise
        raise Said(problem.status, f"[{at}].{problem}") from None


async def _run(found: Services, access: Access, campaign: Campaign) -> None:
    """As Webitel does: the members are there, whether or not the dialer can be started."""
    try:
        await start(found, access, await campaign_of(found, access, ids.object_id(campaign.id)))
    except AstdialerError as error:
        logger.warning("webitel3.not_started", extra={"campaign": campaign.name, "why": str(error)})


async def _change(found: Services, campaign: Campaign, contact: Contact, changed: Mapping[str, Any]) -> None:
    (known,) = await known_of(found, [contact])
    before = sent(known, await frame_of(found, campaign))
    now = found.clock.now()
    base = next(row for row in await found.store.bases(campaign.id) if row["id"] == contact.base_id)
    change = change_of(changed, before, found.read_number, base["timezone"], now)
    if "communications" in changed and base["base"] != BASE:
        await _check_main(found, contact, change(contact))
    try:
        await found.store.change_contact(contact.id, change, now)
    except Conflict:
        raise Said(406, f"Member {ids.object_id(contact.id)} locked") from None
    await keep(found, campaign, known, document={**before, **changed})


async def _check_main(found: Services, contact: Contact, changed: Contact) -> None:
    """A base that was uploaded has each main number once. Raises Said."""
    main = main_number(changed)
    if main == main_number(contact):
        return
    for other in await found.store.contacts_with(main, contact.campaign_id, open_only=False):
        if other.id != contact.id and other.base_id == contact.base_id and main_number(other) == main:
            raise Said(400, f"communications[0].number: {main} is member {ids.object_id(other.id)} already")


async def _reset(found: Services, campaign: Campaign, member_ids: Sequence[int], done_by: str) -> int:
    """How many of a batch are called again: all of them, or none if anything dies."""
    now = found.clock.now()

    def again(known: Contact) -> Contact:
        opened = started_over(known)
        is_over = known.expires_at is not None and known.expires_at <= now
        is_gone = known.end_reason == REMOVED  # by the command or another API: nobody is to call them again
        if known.state is not ContactState.DONE or known.successful or is_over or is_gone:
            raise Conflict("not one of these")
        if not any(number.is_open for number in opened.numbers):
            raise Conflict("no number is left")
        return settle(replace(due_again(opened, now), preferred="", any_hour=False), "reset")

    count = len(await found.store.change_contacts(member_ids, again, now)) if member_ids else 0
    if count:  # at once: of a reset that is broken off, those that are called again are told
        words = f"{count} members were reset"
        await campaigns.note(found.store, found.clock, campaign, "changed", words, done_by=done_by)
    return count


async def _documents(found: Services, campaign: Campaign, contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    frame = await frame_of(found, campaign)
    return [member_document(known, frame) for known in await known_of(found, contacts)]


async def _meant(found: Services, campaign: Campaign, test: Test | None = None) -> AsyncIterator[list[Document]]:
    """The documents that a filter means, or all, some at a time, in the order in which they came. Raises Said where
    there are too many members."""
    frame, seen = await frame_of(found, campaign), 0

    def of(known: Sequence[Known]) -> list[Document]:
        documents = [member_document(each, frame) for each in known]
        return [each for each in documents if test is None or test(each)]

    async for contacts in _batches(found, campaign):
        seen += len(contacts)
        if seen > MOST_LOOKED_AT:
            raise Said(400, f"the dialer has more than {MOST_LOOKED_AT} members: page through them without a filter")
        yield await asyncio.to_thread(of, await known_of(found, contacts))


async def _computed(figures: Callable[[], list[Document]]) -> Response:
    """An answer that may take seconds."""
    return await asyncio.get_running_loop().run_in_executor(_COMPUTING, lambda: answers.data(figures()))


async def _batches(found: Services, campaign: Campaign) -> AsyncIterator[Sequence[Contact]]:
    after = 0
    while contacts := await found.store.contacts_page(campaign.id, after, BATCH):
        yield contacts
        after = contacts[-1].id
        await asyncio.sleep(0)
