"""Check calls: Asterisk calls its own dialplan, which is answered when it reaches our FastAGI server.

They ring nobody. With them Asterisk itself tells what no look at files could: whether it reaches us, whether it has a
sound file, whether it can write a recording where we will look for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from astdialer import config
from astdialer.agi.scripts import check as check_script
from astdialer.agi.server import AgiServer
from astdialer.ami import values
from astdialer.doctor.findings import Finding, fault, ok, warning
from astdialer.doctor.server import Asker, Message, value
from astdialer.domain.errors import Unavailable
from astdialer.records.layout import FOLDER_MODE

EVENTS = frozenset({"OriginateResponse"})
CHANNEL = "Local/agi@astdialer-check/n"
ANSWER_S = 5  #: Asterisk gives its connection to a FastAGI server 2 s
HEAR_S = 3.0  #: how much longer to wait for Asterisk's report of it
WRITE_LOOKS = 30  #: for the test recording, a tenth of a second apart

_WILD = ("", "0.0.0.0", "::")
_ENDINGS = "gsm, wav, ulaw, alaw, sln, g722 or wav49"


class Result(StrEnum):
    """How a check call ended."""

    ANSWERED = "answered"
    FAILED = "failed"  #: the dialplan hung up
    NO_ANSWER = "no answer"  #: something took the connection and said nothing
    REFUSED = "refused"  #: by Asterisk, before there was a call
    UNHEARD = "unheard"  #: Asterisk sent no OriginateResponse


@dataclass(frozen=True, slots=True)
class Ended:
    """A check call's end; ``why`` are Asterisk's words."""

    result: Result
    why: str = ""


class CheckCalls:
    """Places check calls on one server. ``hear`` must get that server's events."""

    def __init__(self, agi_address: str) -> None:
        self._agi = agi_address
        self._waiting: dict[str, asyncio.Future[Message]] = {}

    def hear(self, message: Message) -> None:
        """Take an event."""
        future = self._waiting.get(message.get("ActionID", ""))
        if future and not future.done():
            future.set_result(message)

    async def place(
        self, asker: Asker, *, sounds: str = "", application: str = "Wait", data: str = "1", hear_s: float = HEAR_S
    ) -> Ended:
        """One call to its answer or failure, ANSWER_S + hear_s at the longest. Raises Unavailable and BadValue."""
        action_id = f"doctor-{uuid.uuid4()}"
        heard = self._waiting[action_id] = asyncio.get_running_loop().create_future()
        variables = {"ASTDIALER_AGI": self._agi, "ASTDIALER_SOUNDS": sounds}
        try:
            answer = await asker.action(_originate(action_id, application, data, variables))
            if answer.get("Response") != "Success":
                return Ended(Result.REFUSED, answer.get("Message", "no reason given"))
            async with asyncio.timeout(ANSWER_S + hear_s):
                return _ended(await heard)
        except TimeoutError:
            return Ended(Result.UNHEARD)
        finally:
            del self._waiting[action_id]


def _originate(
    action_id: str, application: str, data: str, variables: Mapping[str, str]
) -> dict[str, str | Sequence[str]]:
    return {
        "Action": "Originate",
        "ActionID": action_id,
        "Channel": CHANNEL,
        "Application": application,
        "Data": data,
        "Timeout": str(ANSWER_S * 1000),
        "Async": "true",
        "Variable": [f"{name}={values.escape(text)}" for name, text in variables.items() if text],
    }


def _ended(message: Message) -> Ended:
    if message.get("Response") == "Success":
        return Ended(Result.ANSWERED)
    return Ended(Result.NO_ANSWER if message.get("Reason") == "3" else Result.FAILED)


# --- the FastAGI server ----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(agi: config.Agi, *, engine_runs: bool) -> AsyncIterator[Finding | None]:
    """See that somebody answers at the AGI port: the running engine, or else ourselves. The finding if we can't."""
    async with contextlib.AsyncExitStack() as stack:
        trouble = None
        if not engine_runs:
            server = AgiServer(replace(agi, scripts=""), {"check": check_script})
            try:
                await stack.enter_async_context(server)
            except Unavailable as error:
                remedy = (
                    "The engine does not run on this store, so another program has the port: "
                    f"ss -ltnp 'sport = :{agi.port}' names it. End it, or set [agi] port."
                )
                trouble = fault("AGI port", str(error), remedy)
        yield trouble


def address(agi: config.Agi) -> Finding | None:
    """An address that Asterisk can't connect to; None if there is nothing to say."""
    if agi.public or agi.host not in _WILD:
        return None
    remedy = f'In [agi]: public = "ADDRESS:{agi.port}", this machine\'s address as Asterisk reaches it.'
    return fault("AGI address", f"Asterisk is told to connect to {agi.address}", remedy)


# --- what calls tell -------------------------------------------------------------------------------------------------


async def reach(name: str, calls: CheckCalls, asker: Asker, agi: config.Agi) -> Finding:
    """Whether this Asterisk reaches the FastAGI server."""
    check, ended = f"{name}: AGI", await calls.place(asker)
    match ended.result:
        case Result.ANSWERED:
            return ok(check, f"Asterisk reaches {agi.address}")
        case Result.FAILED:
            remedy = (
                f"From Asterisk's machine: nc -vz {agi.address.replace(':', ' ')}. Does [agi] public (or host and "
                "port) fit, does [agi] peers list Asterisk's address, is there a firewall between?"
            )
            return fault(check, f"Asterisk does not reach the AGI server at {agi.address}", remedy)
        case Result.NO_ANSWER:
            remedy = f"ss -ltnp 'sport = :{agi.port}' names the program. If it is astdialer, restart it."
            return fault(check, f"what listens at {agi.address} takes the connection and does not answer", remedy)
    return _not_placed(check, ended)


def _not_placed(check: str, ended: Ended) -> Finding:
    if ended.result is Result.UNHEARD:
        remedy = "In manager_astdialer.conf: read = call,agent; then: asterisk -rx 'manager reload'"
        return fault(check, "Asterisk does not report the end of a call: the manager user reads too little", remedy)
    return fault(
        check, f"Asterisk refuses the check call: {ended.why}", "asterisk -rx 'core show channels' may say why."
    )


async def sound(name: str, calls: CheckCalls, asker: Asker, path: str) -> Finding:
    """Whether Asterisk has a sound file; ``path`` as Playback gets it."""
    check, ended = f"{name}: sound {path}", await calls.place(asker, sounds=path)
    match ended.result:
        case Result.ANSWERED:
            return ok(check, "Asterisk has it")
        case Result.FAILED if not await value(asker, "BASENAME(/a/b)"):
            remedy = "asterisk -rx 'module load func_env.so', and load = func_env.so in modules.conf"
            return warning(check, "not looked for: func_env.so is not loaded", remedy)
        case Result.FAILED:
            return fault(check, "Asterisk does not have this sound file", await _where_to_put(path, asker))
        case Result.NO_ANSWER:
            return warning(check, f"no answer within {ANSWER_S} s", "Is the machine overloaded? Try again.")
    return _not_placed(check, ended)


async def _where_to_put(path: str, asker: Asker) -> str:
    folder = Path(path).parent if path.startswith("/") else Path(await value(asker, "ASTDATADIR") or "…") / "sounds/en"
    return (
        f"Put {Path(path).name} as {_ENDINGS} into {folder}, readable by Asterisk's user: "
        f"sudo -u asterisk ls {folder}. A campaign names it without the ending."
    )


async def recording(name: str, calls: CheckCalls, asker: Asker, root: Path) -> Finding:
    """Whether Asterisk can write a recording that we can read, by letting it write one."""
    check, folder = f"{name}: recording", root / f".doctor-{uuid.uuid4()}"
    try:
        folder.mkdir()
        folder.chmod(FOLDER_MODE)  # as the engine makes the folder of a day
        ended = await calls.place(asker, application="Record", data=f"{folder}/check.gsm,0,1,kq")
        if ended.result is Result.ANSWERED:
            return await _written(check, folder / "check.gsm", root)
        remedy = f"Call once with record=true and look into {root}."
        return warning(check, f"not tried: the check call was {ended.result}. {ended.why}".strip(), remedy)
    except OSError as error:
        return fault(check, f"{folder}: {error.strerror}", _share(root))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _written(check: str, path: Path, root: Path) -> Finding:
    for _ in range(WRITE_LOOKS):
        if path.exists():
            break
        await asyncio.sleep(0.1)
    if not path.exists():
        return fault(check, f"Asterisk can't write into the folders of {root}", _share(root))
    if not os.access(path, os.R_OK):
        mode = path.stat().st_mode & 0o777
        return fault(check, f"what Asterisk writes into {root} has mode {mode:o}: we can't read it", _share(root))
    return ok(check, f"Asterisk wrote a file into {root}, and we can read it")


def _share(root: Path) -> str:
    return (
        f"Give both a group: chgrp asterisk {root}; chmod 2770 {root}; usermod -aG asterisk astdialer; every folder "
        "above it needs x for both. On another machine than Asterisk's, both must mount the same folder there. "
        "In asterisk.service, UMask= must leave files readable to the group and ProtectSystem= the folder writable."
    )
