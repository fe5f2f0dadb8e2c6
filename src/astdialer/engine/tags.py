"""Tagging a call: whoever looks calls up finds it by that text. Its contact has the tag that was given last."""

from __future__ import annotations

import re
from dataclasses import replace

from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.engine.contacts import ask_engine
from astdialer.ports import Clock, Store

LONGEST = 200
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check(tag: str) -> str:
    """The tag as it may be, without spaces around it. Raises InvalidSetting."""
    text = tag.strip()
    if _UNFIT.search(text) or len(text) > LONGEST:
        raise InvalidSetting("tag", text[:80], f"at most {LONGEST} characters without control characters")
    return text


async def last_call(store: Store, contact_id: int, number: str) -> str:
    """The guid of the contact's last call to this number; empty: there was none. Raises NotFound."""
    attempts = (await store.contact(contact_id))["attempts"]
    return next((row["id"] for row in reversed(attempts) if row["number"] == number and row["dialed_at"]), "")


async def tag(store: Store, clock: Clock, contact: Contact, guid: str, text: str) -> None:
    """Tag a call, if one is named, and its contact: at once, or, while that is in a call, by the engine, which writes
    it with the call's end."""
    if guid:
        await store.tag_call(guid, text)
    if contact.state is not ContactState.IN_CALL:
        try:
            await store.change_contact(contact.id, lambda found: replace(found, tag=text), clock.now())
        except Conflict:  # it has just been called
            pass
        else:
            return
    await ask_engine(store, clock, "tag_contact", {"contact_id": contact.id, "tag": text})
