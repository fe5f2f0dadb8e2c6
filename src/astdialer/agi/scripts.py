"""The scripts that the dialplan runs: answered, preview, redirected, disposition, check of our calls, lookup of inbound
ones."""

from __future__ import annotations

import asyncio
import logging
import re
from functools import partial

from astdialer.agi.errors import AgiError, AgiHangup
from astdialer.agi.session import COMMAND_S, AgiSession, Script
from astdialer.domain.amd import Action, AmdParameters, Verdict
from astdialer.domain.errors import NotFound
from astdialer.engine.answering import Answering, Conclusion
from astdialer.engine.lookup import ERROR, Answer, Lookup

ENGINE_S = 5.0  #: longest wait for the engine: a person is on the line, and the dialplan has a fallback
AMD_GRACE_S = 5.0  #: AMD counts frames of sound; without any it takes a little longer than its own limit
PREVIEW_POLL_S = 1.0  #: how soon a decision on the screen reaches the phone
PREVIEW_POLLS = 3600  #: the engine has its own limit; this one ends a session whatever the engine does
ACTION = "ASTDIALER_ACTION"
PREVIEW = "ASTDIALER_PREVIEW"
CHECK = "ASTDIALER_CHECK"
LOOKUP = "LOOKUP"

_ATTEMPT = re.compile(r"[A-Za-z0-9._;-]{1,149}")
_RESULTS = frozenset({"abandoned", "played", "message", "agent_hung_up"})
_QUEUE_STATUS = re.compile(r"[A-Z]{1,32}")
_AGENT = re.compile(r"[!-~]{1,128}")
_KEY = re.compile(r"[0-9A-D*#]{1,32}")
_AMD_CAUSE = re.compile(r"[A-Za-z0-9-]{1,80}")
_SOUND = re.compile(r"[A-Za-z0-9_/.-]{1,200}")
_SOUND_FORMATS = ("gsm", "wav", "ulaw", "alaw", "sln", "g722", "wav49", "WAV")
_SOUND_PLACES = (
    "${ASTDATADIR}/sounds/${CHANNEL(language)}/",
    "${ASTDATADIR}/sounds/en/",
    "${ASTDATADIR}/sounds/custom/",
    "${ASTDATADIR}/sounds/",
)

logger = logging.getLogger(__name__)


def routes(answering: Answering, lookup: Lookup | None = None) -> dict[str, Script]:
    """astdialer's own scripts by route."""
    return {
        "lookup": partial(look_up, lookup),
        "answered": partial(answered, answering),
        "preview": partial(preview, answering),
        "disposition": partial(disposition, answering),
        "redirected": partial(redirected, answering),
        "check": check,
    }


async def answered(answering: Answering, session: AgiSession) -> None:
    """Arg 1 is the attempt. Runs AMD if the campaign wants it and sets ASTDIALER_ACTION.

    That comes last of all: AGISTATUS is SUCCESS even when this script dies, so the dialplan tests the variable.
    """
    attempt = _matching(_ATTEMPT, session, 0)
    try:
        async with asyncio.timeout(ENGINE_S):
            plan = await answering.answered(attempt)
        if plan.amd:
            await _detect(answering, session, attempt, plan.amd)
        if session.hung_up:
            return
        async with asyncio.timeout(ENGINE_S):
            action = await answering.next_action(attempt)
    except NotFound:
        logger.warning("agi.unknown_attempt", extra={"attempt": attempt, "uniqueid": session.uniqueid})
        return
    await session.set_variable(ACTION, action)


async def _detect(answering: Answering, session: AgiSession, attempt: str, parameters: AmdParameters) -> None:
    verdict, cause = await _listen(session, parameters)
    logger.info("agi.amd", extra={"attempt": attempt, "verdict": verdict.value, "cause": cause})
    async with asyncio.timeout(ENGINE_S):
        await answering.amd_finished(attempt, verdict, cause)


async def _listen(session: AgiSession, parameters: AmdParameters) -> tuple[Verdict, str]:
    try:
        timeout_s = parameters.total_analysis_ms / 1000 + AMD_GRACE_S
        await session.execute("AMD", parameters.argument(), timeout_s=timeout_s)
        status = await session.get_variable("AMDSTATUS") or ""
        cause = await session.get_variable("AMDCAUSE") or ""
    except AgiHangup:
        return Verdict.HANGUP, ""
    except AgiError as error:
        # app_amd.so is not loaded, or amd.conf is missing. Nobody knows who answered: the campaign's rule decides.
        logger.error("agi.amd_unavailable", extra={"uniqueid": session.uniqueid, "error": error.text})
        return Verdict.NOTSURE, "AMD is not available"
    if session.hung_up and not status:
        return Verdict.HANGUP, cause[:80]
    return Verdict.parse(status), cause[:80]


async def preview(answering: Answering, session: AgiSession) -> None:
    """Arg 1 is the attempt that the agent on this phone looks at. Sets ASTDIALER_PREVIEW to ``dial`` or ``hangup``.

    The agent decides by a key or on a screen, so the engine is asked again and again, with the key if there is one.
    """
    attempt, key, answer = _matching(_ATTEMPT, session, 0), "", "wait"
    try:
        for _ in range(PREVIEW_POLLS):
            async with asyncio.timeout(ENGINE_S):
                answer = await answering.preview_answer(attempt, key)
            if answer != "wait":
                break
            key = await _pressed(session)
    except NotFound:
        logger.warning("agi.unknown_attempt", extra={"attempt": attempt, "uniqueid": session.uniqueid})
        return
    logger.info("agi.preview", extra={"attempt": attempt, "answer": answer, "key": key})
    await session.set_variable(PREVIEW, answer)


async def _pressed(session: AgiSession) -> str:
    """The key pressed within the next moment, or nothing. Raises AgiHangup."""
    timeout_s = PREVIEW_POLL_S + COMMAND_S
    reply = await session.command("WAIT FOR DIGIT", str(round(PREVIEW_POLL_S * 1000)), timeout_s=timeout_s)
    if reply.result == "-1":
        raise AgiHangup
    key = chr(int(reply.result)) if reply.result.isdecimal() and int(reply.result) < 128 else ""
    return key if _KEY.fullmatch(key) else ""


async def look_up(lookup: Lookup | None, session: AgiSession) -> None:
    """Arg 1 is the caller's number; without one it is the channel's. Sets LOOKUP_… to what the customer's system says
    of it, and then LOOKUP to ``found``, ``none`` or ``error``.

    That comes last: AGISTATUS is SUCCESS even when this script dies, so the dialplan tests the variable.
    """
    cid = _argument(session, 0) or session.environment.get("agi_callerid", "")
    answer = await lookup.ask("" if cid == "unknown" else cid) if lookup else Answer(ERROR)
    logger.info("agi.lookup", extra={"uniqueid": session.uniqueid, "cid": cid[:80], "answer": answer.word})
    for name, value in answer.values.items():
        await session.set_variable(f"{LOOKUP}_{name}", value)
    await session.set_variable(LOOKUP, answer.word)


async def disposition(answering: Answering, session: AgiSession) -> None:
    """Args: attempt, ASTDIALER_RESULT, QUEUESTATUS, MEMBERINTERFACE, ASTDIALER_KEY, ASTDIALER_ACTION, AMDSTATUS,
    AMDCAUSE. The channel is dead: no commands.

    The values come from a dialplan that others may have changed: what they can't be is taken for empty.
    """
    result, action, verdict = (_argument(session, index) for index in (1, 5, 6))
    conclusion = Conclusion(
        result=result if result in _RESULTS else "",
        queue_status=_matching(_QUEUE_STATUS, session, 2),
        agent=_matching(_AGENT, session, 3),
        key=_matching(_KEY, session, 4),
        action=Action(action) if action in list(Action) else None,
        amd_verdict=Verdict(verdict) if verdict in list(Verdict) else None,
        amd_cause=_matching(_AMD_CAUSE, session, 7),
    )
    async with asyncio.timeout(ENGINE_S):
        await answering.concluded(_matching(_ATTEMPT, session, 0), conclusion)


async def redirected(answering: Answering, session: AgiSession) -> None:
    """Args: attempt, where the call is handed over to. For a dialplan of the administrator's own, just before that."""
    async with asyncio.timeout(ENGINE_S):
        await answering.redirected(_matching(_ATTEMPT, session, 0), _matching(_AGENT, session, 1))


def _argument(session: AgiSession, index: int) -> str:
    return session.arguments[index] if index < len(session.arguments) else ""


def _matching(pattern: re.Pattern[str], session: AgiSession, index: int) -> str:
    argument = _argument(session, index)
    return argument if pattern.fullmatch(argument) else ""


async def check(session: AgiSession) -> None:
    """Args: sound files without their ending, joined by ``&``; none asks only whether this server is reached.

    Sets ASTDIALER_CHECK to ``ok``, to ``missing: name, name``, or to why that can't be told.
    """
    names = [name for argument in session.arguments for name in argument.split("&") if name]
    result = await _look_for(session, names) if names else "ok"
    logger.info("agi.check", extra={"uniqueid": session.uniqueid, "result": result})
    await session.set_variable(CHECK, result[:1000])


async def _look_for(session: AgiSession, names: list[str]) -> str:
    if await session.get_full_variable("${STAT(e,/)}") != "1":
        return "can't look for sound files: func_env.so is not loaded"
    missing = [name for name in names if not await _has_sound(session, name)]
    return f"missing: {', '.join(missing)}" if missing else "ok"


async def _has_sound(session: AgiSession, name: str) -> bool:
    if not _SOUND.fullmatch(name) or ".." in name:
        return False
    for place in ("",) if name.startswith("/") else _SOUND_PLACES:
        expression = "".join(f"${{STAT(e,{place}{name}.{ending})}}" for ending in _SOUND_FORMATS)
        if "1" in (await session.get_full_variable(expression) or ""):
            return True
    return False
