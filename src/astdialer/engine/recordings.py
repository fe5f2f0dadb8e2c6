"""From GSM to MP3, out of a durable queue: what a crash interrupts is taken up again."""

from __future__ import annotations

import asyncio
import logging

from astdialer.domain.errors import AstdialerError, Conflict, NotFound
from astdialer.ports import Clock, Recording, Recordings, Store

logger = logging.getLogger(__name__)

#: Pauses after the failed tries of one recording, seconds; after the last one it is given up.
PAUSES_S = (2, 5, 15, 60, 300, 1800, 7200)
IDLE_S = 1.0
BATCH = 64


async def trim_s(store: Store, guid: str) -> int:
    """What is cut off the beginning of a call's recording, seconds; nothing of a call that is none of ours. Raises
    Conflict while the call goes on: its GSM would go before it is whole."""
    try:
        call = await store.attempt(guid)
    except NotFound:
        return 0
    if call["state"] != "closed":
        raise Conflict(f"call {guid} goes on: convert it when it has ended")
    return int(call["recording_trim_s"])


async def convert_due(store: Store, recordings: Recordings, clock: Clock) -> None:
    """Convert until canceled. The adapter bounds how many run at a time."""
    while True:
        try:
            due = await store.due_recordings(clock.now(), BATCH)
            await asyncio.gather(*(_convert(store, recordings, clock, one) for one in due))
        except AstdialerError as error:
            logger.error("recordings.failed", extra={"error": str(error)})
            due = []
        if len(due) < BATCH:
            await clock.sleep(IDLE_S)


async def _convert(store: Store, recordings: Recordings, clock: Clock, recording: Recording) -> None:
    try:
        converted = await recordings.convert(recording)
    except AstdialerError as error:
        last = recording.tries >= len(PAUSES_S)
        retry_at = None if last else clock.now() + PAUSES_S[recording.tries] * 1000
        log = logger.error if last else logger.info
        log("recording.not_converted", extra={"attempt": recording.attempt_id, "error": str(error)})
        await store.recording_failed(recording.attempt_id, str(error), retry_at)
    else:
        await store.recording_done(recording.attempt_id, converted, clock.now())
