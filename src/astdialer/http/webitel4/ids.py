"""Ids in Webitel's form. Queues and members have ours; an agent's is made of its extension, so that it is the same
wherever it is told and needs no table."""

from __future__ import annotations

import re
import zlib

from astdialer.domain.agent import extension_of

#: Ids of agents whose extension is no number are above all extensions that are, and within 32 bits.
_BEYOND = 1_000_000_000
_PLAIN = re.compile(r"[1-9][0-9]{0,8}")


def extension(agent: str) -> str:
    """``1001`` of PJSIP/1001, or of 1001."""
    return extension_of(agent) or agent


def agent_number(agent: str) -> int:
    """The agent's id: its extension if that is a number, else one that is made of its letters."""
    own = extension(agent)
    return int(own) if _PLAIN.fullmatch(own) else _BEYOND + zlib.crc32(own.encode()) % _BEYOND


def whole(text: str) -> int | None:
    """An id of ours, or None if it can't be one."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else None
