"""Contacts that somebody has a word to say about, in SQLite."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import Contact, ContactState, Rank
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.result import terminate, withdrawn
from astdialer.domain.retry import ended
from astdialer.domain.selection import SHORTEST_PREFIX, Judgement, Why
from astdialer.ports import BaseUpload, BlacklistEntry, Claim, ClaimRequest, NewTask, TaskAdded
from astdialer.store.claim import claim_contact, with_numbers
from astdialer.store.contact_write import move_to_pool, save_contacts
from astdialer.store.database import Database, Writing
from astdialer.store.uploads import insert_contacts, open_upload

#: The base that calls outside of any list go to; and the file name of uploads that no file is behind.
TASKS, STANDING = "tasks", "tasks"
#: Numbers that one look takes up, and whose contacts one transaction changes: dialing goes on between them.
BATCH = 500
#: Comes after every number that begins with what stands before it.
LAST = "\U0010ffff"


class Contacts:
    """Implements ports.ContactStore."""

    _db: Database

    async def change_contact(self, contact_id: int, change: Callable[[Contact], Contact], now: int) -> Contact:
        """Apply a pure change; the contact as it is now. Raises NotFound, Conflict, and what ``change`` raises."""

        async def apply(tx: Writing) -> Contact:
            contact = await loaded_contact(tx, contact_id)
            await _write(tx, [(contact, _changed(contact, change))], now)
            return await loaded_contact(tx, contact_id)

        result: Contact = await self._db.write(apply)
        return result

    async def change_contacts(
        self, contact_ids: Sequence[int], change: Callable[[Contact], Contact], now: int
    ) -> Sequence[int]:
        """Apply a pure change to those that it can be applied to, in one transaction; their ids."""

        async def apply(tx: Writing) -> Sequence[int]:
            pairs = []
            for contact in await _found(tx, "shown_contacts", {"ids": json.dumps(list(contact_ids))}):
                with contextlib.suppress(Conflict):
                    pairs.append((contact, _changed(contact, change)))
            await _write(tx, pairs, now)
            return [contact.id for contact, _ in pairs]

        ids: Sequence[int] = await self._db.write(apply)
        return ids

    async def contacts_with(self, number: str, campaign_id: int | None, *, open_only: bool = True) -> Sequence[Contact]:
        """Contacts that have this number, by id."""
        wanted = {"number": number, "campaign_id": campaign_id, "open_only": open_only}
        return await self._all("contacts_with_number", wanted)

    async def load_contact(self, contact_id: int) -> Contact:
        """Raises NotFound."""
        contact: Contact = await self._db.write(lambda tx: loaded_contact(tx, contact_id))
        return contact

    async def contact_of_attempt(self, attempt_id: str) -> int:
        """The id of the contact that an attempt was for. Raises NotFound."""
        rows = await self._db.read("contact_of_attempt", {"id": attempt_id})
        if not rows:
            raise NotFound("call", attempt_id, "its guid is in astdialer cdr list")
        return int(rows[0]["contact_id"])

    async def end_after_call(self, contact_id: int, reason: str) -> bool:
        """End the contact when its open attempt is closed; False if none is open."""
        row = {"id": contact_id, "reason": reason}
        return bool(await self._db.write(lambda tx: tx.execute("end_after_call", row)))

    async def add_task(
        self, task: NewTask, now: int, again: Callable[[Contact, bool], Contact | None] | None = None
    ) -> TaskAdded:
        """A new contact, whose main number may be another's as well, unless ``again`` knows it."""

        async def add(tx: Writing) -> TaskAdded:
            known = await _known_task(tx, task, now, again) if again else None
            return known or TaskAdded(await _add_task(tx, task, now), is_new=True)

        added: TaskAdded = await self._db.write(add)
        return added

    async def claim_task(self, task: NewTask, request: ClaimRequest, reason: str) -> Claim | Judgement:
        """Take a new contact for one call, or say why it can't be called."""
        taken: Claim | Judgement = await self._db.write(lambda tx: _claim_task(tx, task, request, reason))
        return taken

    async def scheduled(
        self,
        campaign_id: int,
        *,
        number: str | None,
        from_at: int | None,
        to_at: int | None,
        limit: int,
        after: tuple[int, int] | None = None,
    ) -> Sequence[Contact]:
        """Dated tasks that are still to be called at ``from_at`` or later and before ``to_at``, by their time;
        ``after``: those behind the one of this time and id."""
        after_at, after_id = after or (None, 0)
        wanted = {"campaign_id": campaign_id, "number": number, "from_at": from_at, "to_at": to_at, "limit": limit}
        return await self._all("scheduled", wanted | {"after_at": after_at, "after_id": after_id})

    async def withdraw(self, entries: Sequence[BlacklistEntry], now: int) -> int:
        """Close or put off whoever waits for a call to these numbers; how many contacts are changed.

        Those in a call are left: the engine looks at the blacklist again before it dials.
        """
        changed: set[int] = set()
        for search in _searches(entries, now):
            while found := await self._db.read(search.query, search.parameters):
                search.go_on_after(found[-1])
                changed |= await self._withdraw(search, {row["contact_id"] for row in found}, now)
        return len(changed)

    async def remove_from_blacklist(self, number: str, campaign: str) -> bool:
        """Whether it was there. Who waits for its end comes up again."""
        key = {"number": number, "campaign": campaign}
        was_there = bool(await self._db.write(lambda tx: tx.execute("remove_from_blacklist", key)))
        await self._rewake(number, campaign)  # if it was not there as well: who removed it may have died before this
        return was_there

    async def _rewake(self, number: str, campaign: str) -> None:
        last = number[:-1] + LAST if number.endswith("*") else number
        at = {"first": number.removesuffix("*"), "after": 0}
        common = {"last": last, "campaign": campaign, "limit": BATCH}
        while found := await self._db.read("deferred_numbers", common | at):
            at = {"first": found[-1]["number"], "after": found[-1]["id"]}
            await self._come_up([row["contact_id"] for row in found])

    async def _come_up(self, ids: Sequence[int]) -> None:
        await self._db.write(lambda tx: tx.execute("rewake_contacts", {"ids": json.dumps(ids)}))

    async def _withdraw(self, search: _Search, ids: Collection[int], now: int) -> set[int]:
        changed: set[int] = await self._db.write(lambda tx: _withdraw(tx, search, ids, now))
        return changed

    async def expire(self, now: int, limit: int) -> int:
        """End contacts whose time is over; how many."""

        async def end(tx: Writing) -> int:
            found = await _found(tx, "expired_contacts", {"now": now, "limit": limit})
            await save_contacts(tx, [ended(c, "expired", EndCause.MEMBER_EXPIRED) for c in found], now)
            return len(found)

        count: int = await self._db.write(end)
        return count

    async def due_results(self, now: int, limit: int) -> Sequence[Contact]:
        """Contacts whose awaited result did not come in time, the longest overdue first."""
        return await self._all("overdue_results", {"now": now, "limit": limit})

    async def rewake(self, campaign_id: int, limit: int) -> int:
        """Let contacts that wait for a rule of their campaign come up again; how many."""
        wanted = {"campaign_id": campaign_id, "limit": limit}
        count: int = await self._db.write(lambda tx: tx.execute("rewake", wanted))
        return count

    async def _all(self, query: str, parameters: Mapping[str, Any]) -> list[Contact]:
        """In one transaction: a contact and its numbers belong together."""
        found: list[Contact] = await self._db.write(lambda tx: _found(tx, query, parameters))
        return found


async def _found(tx: Writing, query: str, parameters: Mapping[str, Any]) -> list[Contact]:
    return await with_numbers(tx, [dict(row) for row in await tx.fetch(query, parameters)])


async def loaded_contact(tx: Writing, contact_id: int) -> Contact:
    """The contact inside a transaction. Raises NotFound."""
    found = await _found(tx, "shown_contact", {"id": contact_id})
    if not found:
        raise NotFound("contact", contact_id, "see astdialer contact list")
    return found[0]


def _changed(contact: Contact, change: Callable[[Contact], Contact]) -> Contact:
    """Raises Conflict for one in a call, and what ``change`` raises."""
    if contact.state is ContactState.IN_CALL:
        raise Conflict(f"contact {contact.id} is in a call")
    return change(contact)


async def _write(tx: Writing, pairs: Sequence[tuple[Contact, Contact]], now: int) -> None:
    """Contacts as they were, and as they are now."""
    await save_contacts(tx, [after for _, after in pairs], now)
    for before, after in pairs:
        if after.numbers[0].number != before.numbers[0].number:
            await _name(tx, after.id, after.numbers[0].number)
        if after.state is not ContactState.DONE:
            await move_to_pool(tx, after)  # its agent, or which of its numbers are open, may be others now


async def _name(tx: Writing, contact_id: int, number: str) -> None:
    """Give the contact another main number. Raises Conflict."""
    try:
        await tx.execute("name_contact", {"id": contact_id, "number": number})
    except sqlite3.IntegrityError:
        raise Conflict(f"contact {contact_id}: another contact of its base has the main number {number}") from None


async def _known_task(
    tx: Writing, task: NewTask, now: int, again: Callable[[Contact, bool], Contact | None]
) -> TaskAdded | None:
    upload = await standing_upload(tx, task.campaign_id, TASKS, now)
    number, is_list = task.contact.numbers[0].number, task.contact.rank is Rank.LIST
    wanted = {"number": number, "campaign_id": task.campaign_id, "open_only": not is_list}
    found = await _found(tx, "contacts_with_number", wanted)
    pairs = ((contact, again(contact, contact.base_id == upload.base_id)) for contact in found)
    known = next(((contact, changed) for contact, changed in pairs if changed is not None), None)
    if known is None:
        return None
    contact, changed = known
    await _write(tx, [(contact, _changed(contact, lambda _: changed))], now)
    return TaskAdded(contact.id, is_new=False)


async def _add_task(tx: Writing, task: NewTask, now: int) -> int:
    upload = await standing_upload(tx, task.campaign_id, TASKS, now)
    numbers = tuple(replace(n, zones=n.zones or task.zone) for n in task.contact.numbers)
    return (await insert_contacts(tx, upload, [replace(task.contact, numbers=numbers)]))[0]


async def _claim_task(tx: Writing, task: NewTask, request: ClaimRequest, reason: str) -> Claim | Judgement:
    contact_id = await _add_task(tx, task, request.now)
    taken = await claim_contact(tx, contact_id, request)
    if isinstance(taken, Claim):
        await tx.execute("end_after_call", {"id": contact_id, "reason": reason})
    else:
        await save_contacts(tx, [terminate(await loaded_contact(tx, contact_id))], request.now)
    return taken


async def standing_upload(tx: Writing, campaign_id: int, base: str, now: int) -> BaseUpload:
    """The upload of a base that contacts come to one by one; it was published when it was made."""
    rows = await tx.fetch("standing_upload", {"campaign_id": campaign_id, "base": base, "file_name": STANDING})
    if rows:
        return BaseUpload(**dict(rows[0]))
    upload = await open_upload(tx, campaign_id, base, file_name=STANDING, timezone="", now=now)
    await tx.execute("publish_upload", {"id": upload.id, "now": now})
    return upload


# --- withdrawing -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Search:
    """Numbers that were blacklisted together, and how far the search for their contacts has come."""

    query: str
    parameters: dict[str, Any]
    covers: Callable[[str], bool]

    def go_on_after(self, row: Mapping[str, Any]) -> None:
        self.parameters |= {"first": row["number"], "after": row["id"]}


def _searches(entries: Iterable[BlacklistEntry], now: int) -> Iterator[_Search]:
    """By campaign and end; exact numbers many at a time, each prefix for itself. What has expired binds nobody."""

    def key(entry: BlacklistEntry) -> tuple[str, int]:
        return entry.campaign, -1 if entry.expires_at is None else entry.expires_at

    binding = (entry for entry in entries if entry.expires_at is None or entry.expires_at > now)
    for (campaign, until), group in groupby(sorted(binding, key=key), key=key):
        common = {"campaign": campaign, "until": None if until < 0 else until, "after": 0, "limit": BATCH}
        numbers = [entry.number for entry in group]
        exact = (number for number in numbers if not number.endswith("*"))
        while some := set(islice(exact, BATCH)):
            yield _exact(some, common)
        # A shorter prefix binds no claim either, see claim.blacklist_keys.
        yield from (_range(n[:-1], common) for n in numbers if n.endswith("*") and len(n) > SHORTEST_PREFIX)


def _exact(numbers: Collection[str], common: Mapping[str, Any]) -> _Search:
    listed = {"numbers": json.dumps(sorted(numbers))}
    return _Search(query="withdrawable", parameters={**common, **listed}, covers=numbers.__contains__)


def _range(prefix: str, common: Mapping[str, Any]) -> _Search:
    span = {"first": prefix, "end": prefix + LAST}
    return _Search(
        query="withdrawable_range", parameters={**common, **span}, covers=lambda number: number.startswith(prefix)
    )


async def _withdraw(tx: Writing, search: _Search, ids: Collection[int], now: int) -> set[int]:
    """The contacts that were changed: some may have got a call since they were found."""
    until = search.parameters["until"]
    found = await _found(tx, "idle_contacts", {"ids": json.dumps(sorted(ids))})
    pairs = [(contact, withdrawn(contact, _covered(contact, search), until)) for contact in found]
    changed = [after for before, after in pairs if after != before]
    why = "" if until is None else Why.BLACKLISTED.value
    await save_contacts(tx, changed, now, why=why, deferred=until is not None)
    return {contact.id for contact in changed}


def _covered(contact: Contact, search: _Search) -> list[str]:
    return [number.number for number in contact.numbers if search.covers(number.number)]
