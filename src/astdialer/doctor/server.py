"""One Asterisk: reached, willing to let us in, new enough, with the right rights, our dialplan and our time?"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from astdialer import config
from astdialer.ami.connection import Connection
from astdialer.doctor.findings import Finding, Level, fault, ok, or_ok, warning
from astdialer.domain.errors import Unavailable

OLDEST = 18
KNOCK_S = 3.0  #: longest wait for the TCP connection and Asterisk's first line
CLOCKS_APART_S = 2.0
CONTEXTS = (
    *("answered", "queue", "agent", "agent-leg", "preview"),
    *("safe-harbour", "play", "message", "goto", "hangup", "disposition", "check"),
)
NEEDED = ("Originate", "Hangup", "CoreShowChannels", "QueueStatus", "QueuePause")
USEFUL = {"Redirect": "call", "Getvar": "reporting", "ShowDialPlan": "reporting"}
#: Actions that the engine never uses, each a way to take the whole machine over or to change its configuration.
TOO_MUCH = (
    "Command",
    "UpdateConfig",
    "GetConfig",
    "CreateConfig",
    "ModuleLoad",
    "Reload",
    "MixMonitor",
    "Filter",
    "AGI",
)

_WAITING = ("", "no connection yet", "Asterisk is starting")
_TECH_CAUSE = {20: 17, 22: 7, 23: 1}  #: major release → first minor one that tells the SIP code of a failed call

Message = Mapping[str, str]


class Asker(Protocol):
    """What the checks need of an AMI link; `ami.connection.Connection` is one."""

    async def action(self, action: Mapping[str, str | Sequence[str]]) -> Message: ...
    async def action_list(self, action: Mapping[str, str | Sequence[str]]) -> Sequence[Message]: ...


async def value(asker: Asker, variable: str) -> str:
    """A global variable or function of Asterisk; empty when it has none, or we may not ask."""
    return (await asker.action({"Action": "Getvar", "Variable": variable})).get("Value", "")


async def has_context(asker: Asker, context: str) -> bool | None:
    """Whether the dialplan has it; None when we may not ask."""
    answer = await asker.action({"Action": "ShowDialPlan", "Context": context})
    if answer.get("Response") == "Success":
        return True
    return False if "did not find" in answer.get("Message", "").lower() else None


# --- reaching it -----------------------------------------------------------------------------------------------------


async def knock(name: str, ami: config.Ami) -> Finding | None:
    """Whether anything answers there at all, and is it a manager interface; None if so."""
    check, where = f"{name}: reachable", f"{ami.host}:{ami.port}"
    try:
        async with asyncio.timeout(KNOCK_S):
            reader, writer = await asyncio.open_connection(ami.host, ami.port)
            try:
                banner = b"" if ami.tls else await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        return _unreachable(check, f"nothing answers at {where} within {KNOCK_S:g} s", where)
    except OSError as error:
        return _unreachable(check, f"no connection to {where}: {error.strerror or error}", where)
    if not ami.tls and not banner.startswith(b"Asterisk Call Manager"):
        return _unreachable(check, f"what answers at {where} is not Asterisk's manager interface", where)
    return None


def _unreachable(check: str, found: str, where: str) -> Finding:
    remedy = (
        "Does Asterisk run (systemctl status asterisk)? manager.conf needs enabled = yes and a bindaddr and port that "
        f"fit {where}, which is what [ami] host and port say; then: asterisk -rx 'manager reload', and look for a "
        "firewall between the two."
    )
    return Finding(check=check, result=Level.FAULT, found=found, remedy=remedy, unreachable=True)


async def log_in(connection: Connection, timeout_s: float) -> None:
    """Wait until the link is up. Raises Unavailable with the first reason why it is not."""
    try:
        async with asyncio.timeout(timeout_s):
            while not connection.is_up:
                if connection.why_down not in _WAITING:
                    raise Unavailable(connection.why_down)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Unavailable(f"no login within {timeout_s:g} s: {connection.why_down}") from None


def login_refused(name: str, ami: config.Ami, why: str) -> Finding:
    """The finding for a login that failed."""
    return fault(
        f"{name}: login",
        why,
        f"The section [{ami.username}] of manager.conf and secret_file must have the same secret, and its permit lines "
        "this machine's address; then: asterisk -rx 'manager reload'.",
    )


# --- what it is ------------------------------------------------------------------------------------------------------


def version(name: str, settings: Message) -> Finding:
    """Old enough to lack something? ``settings`` is the answer to CoreSettings."""
    check, text = f"{name}: version", settings.get("AsteriskVersion", "")
    numbers = [int(part) for part in re.findall(r"\d+", text)[:2]] or [0]
    major, minor = numbers[0], (numbers[1:] or [0])[0]
    if major == 0:
        remedy = "Let the manager user read it: write = originate,call,reporting,agent"
        return warning(check, f"Asterisk does not tell its version ({settings.get('Message') or text!r})", remedy)
    if major < OLDEST:
        return fault(check, f"Asterisk {text}", f"astdialer needs Asterisk {OLDEST} or newer: upgrade it.")
    if minor >= _TECH_CAUSE.get(major, 0 if major > max(_TECH_CAUSE) else 10_000):
        return ok(check, f"Asterisk {text}")
    return ok(check, f"Asterisk {text}; it does not tell SIP codes (22.7 does), so dispositions rest on hangup causes")


def rights(name: str, commands: Message) -> Sequence[Finding]:
    """What the manager user may do; ``commands`` is the answer to ListCommands, which lists only that."""
    check = f"{name}: AMI rights"
    troubles = []
    if missing := [action for action in NEEDED if action not in commands]:
        remedy = "In manager_astdialer.conf: write = originate,call,reporting,agent"
        troubles.append(fault(check, f"the user may not {', '.join(missing)}", f"{remedy}; then 'manager reload'."))
    if lacking := [action for action in USEFUL if action not in commands]:
        right = ", ".join(dict.fromkeys(USEFUL[action] for action in lacking))
        remedy = f"Add {right} to write = in manager_astdialer.conf; then 'manager reload'."
        troubles.append(warning(check, f"the user may not {', '.join(lacking)}", remedy))
    if dangerous := [action for action in TOO_MUCH if action in commands]:
        remedy = "Whoever has the secret owns the PBX. Take command, system, config and agi out of write = ."
        troubles.append(warning(check, f"the user may more than it needs: {', '.join(dangerous)}", remedy))
    return or_ok(check, "originate, call, reporting and agent, no more", troubles)


async def dialplan(name: str, asker: Asker) -> Finding:
    """Whether the contexts of extensions_astdialer.conf are there."""
    check = f"{name}: dialplan"
    found = {context: await has_context(asker, f"astdialer-{context}") for context in CONTEXTS}
    missing = [f"astdialer-{context}" for context, there in found.items() if there is False]
    if missing:
        remedy = "Add  #include extensions_astdialer.conf  to extensions.conf; then: asterisk -rx 'dialplan reload'"
        return fault(check, f"no context {', '.join(missing)}", remedy)
    if None in found.values():
        return warning(check, "the user may not read the dialplan", "Add reporting to write = of the manager user.")
    return ok(check, f"all {len(CONTEXTS)} contexts of extensions_astdialer.conf")


async def clocks(name: str, asker: Asker) -> Finding:
    """Whether Asterisk's clock and ours agree: CDRs and wrap-up times are made from both."""
    check, asked = f"{name}: clock", time.time()
    answer = await asker.action({"Action": "Ping"})
    ours = (asked + time.time()) / 2
    try:
        apart = float(answer.get("Timestamp", "")) - ours
    except ValueError:
        return warning(
            check, "Asterisk does not tell its time", "Compare by hand: date; asterisk -rx 'core show uptime'"
        )
    if abs(apart) < CLOCKS_APART_S:
        return ok(check, f"{abs(apart):.1f} s apart")
    remedy = "Let both machines keep their time: timedatectl set-ntp true"
    return warning(check, f"Asterisk's clock is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}", remedy)
