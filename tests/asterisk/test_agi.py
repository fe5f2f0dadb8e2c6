"""The FastAGI server and its scripts with calls of a real Asterisk and the dialplan that administrators install."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from labs import wait_quiet
from raw_ami import RawAmi

from astdialer import lab as laboratory
from astdialer.agi.errors import AgiError, AgiHangup
from astdialer.agi.scripts import routes
from astdialer.agi.server import AgiServer
from astdialer.agi.session import AgiSession, Script
from astdialer.config import Agi
from astdialer.domain.amd import Action, AmdParameters, Verdict
from astdialer.engine.answering import AnswerPlan, Conclusion
from astdialer.lab import Lab

pytestmark = pytest.mark.asterisk

PERSON = "447700900001"
VOICEMAIL = "447700900101"
SILENCE = "447700900701"
WITHIN_S = 20


@dataclass
class Engine:
    """An Answering for one call: what it is to say, and what it was told."""

    amd: AmdParameters | None = None
    action: Action = Action.HANGUP
    failure: Exception | None = None
    verdict: tuple[Verdict, str] | None = None
    conclusion: tuple[str, str, str, str, str] | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    deciding: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answered(self, attempt_id: str) -> AnswerPlan:
        self.begun.set()
        return AnswerPlan(amd=self.amd)

    async def amd_finished(self, attempt_id: str, verdict: Verdict, cause: str) -> None:
        self.verdict = (verdict, cause)

    async def next_action(self, attempt_id: str) -> Action:
        self.deciding.set()
        if self.failure:
            raise self.failure
        return self.action

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        return "hangup"

    async def redirected(self, attempt_id: str, to: str) -> None:
        return

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        self.conclusion = (attempt_id, conclusion.result, conclusion.queue_status, conclusion.agent, conclusion.key)
        self.seen_at_end = (conclusion.action, conclusion.amd_verdict)
        self.over.set()

    async def wait_over(self) -> None:
        await asyncio.wait_for(self.over.wait(), WITHIN_S)


@pytest.fixture
def ami(quiet_lab: Lab) -> Iterator[RawAmi]:
    with RawAmi(quiet_lab) as session:
        yield session
        for channel in laboratory.rx(quiet_lab, "pbx", "core show channels concise").splitlines():
            session.action("Hangup", Channel=channel.split("!")[0])
    wait_quiet(quiet_lab)


def server(given: dict[str, Script], scripts: str = "") -> AgiServer:
    return AgiServer(Agi(port=0, scripts=scripts), given)


async def place(ami: RawAmi, channel: str, port: int, context: str = "astdialer-answered", **variables: str) -> str:
    """Originate into the dialplan as the engine does; the attempt's id."""
    attempt = str(uuid.uuid4())
    values = {"ASTDIALER_ID": attempt, "ASTDIALER_AGI": f"127.0.0.1:{port}", "ASTDIALER_FALLBACK": "hangup"} | variables
    fields = [
        ("Channel", channel),
        ("Context", context),
        ("Exten", "agi" if context == "astdialer-check" else "s"),
        ("Priority", "1"),
        ("Timeout", "10000"),
        ("ChannelId", attempt),
        ("Async", "true"),
        *(("Variable", f"{name}={value}") for name, value in values.items()),
    ]
    response = await asyncio.to_thread(ami.actions, "Originate", fields)
    assert response["Response"] == "Success", response
    return attempt


def carrier(number: str) -> str:
    return f"PJSIP/{number}@carrier"


@pytest.mark.parametrize(
    ("number", "verdict", "cause"),
    [
        (PERSON, Verdict.HUMAN, "HUMAN"),
        (VOICEMAIL, Verdict.MACHINE, ""),
        (SILENCE, Verdict.MACHINE, "INITIALSILENCE"),
    ],
)
async def test_amd_hears_who_answered(ami: RawAmi, number: str, verdict: Verdict, cause: str) -> None:
    engine = Engine(amd=AmdParameters())
    async with server(routes(engine)) as agi:
        attempt = await place(ami, carrier(number), agi.port)
        await engine.wait_over()
    assert engine.verdict
    assert engine.verdict[0] is verdict
    assert engine.verdict[1].startswith(cause)
    assert engine.conclusion == (attempt, "", "", "", "")


async def test_a_local_channel_gets_there_too(ami: RawAmi) -> None:
    engine = Engine(amd=AmdParameters())
    async with server(routes(engine)) as agi:
        attempt = await place(ami, f"Local/{PERSON}@from-internal/n", agi.port)
        await engine.wait_over()
    assert engine.verdict
    assert engine.verdict[0] is Verdict.HUMAN
    assert engine.conclusion == (attempt, "", "", "", "")


async def test_a_hangup_during_amd_is_recorded(ami: RawAmi) -> None:
    engine = Engine(amd=AmdParameters(initial_silence_ms=9000, total_analysis_ms=9500))
    async with server(routes(engine)) as agi:
        attempt = await place(ami, carrier(SILENCE), agi.port)
        await asyncio.wait_for(engine.begun.wait(), WITHIN_S)
        await asyncio.sleep(1)
        await asyncio.to_thread(ami.action, "Hangup", Channel=attempt)
        await engine.wait_over()
    assert engine.verdict == (Verdict.HANGUP, "")
    assert not engine.deciding.is_set()


async def test_what_was_played_and_that_it_was_comes_with_the_disposition(ami: RawAmi) -> None:
    engine = Engine(action=Action.PLAY)
    async with server(routes(engine)) as agi:
        sound = str(laboratory.sounds() / "hello")
        attempt = await place(ami, carrier(PERSON), agi.port, ASTDIALER_SOUND=sound)
        await engine.wait_over()
    assert engine.conclusion == (attempt, "played", "", "", "")
    assert engine.seen_at_end == (Action.PLAY, None)


async def test_the_agent_comes_with_the_disposition(ami: RawAmi) -> None:
    engine = Engine(amd=AmdParameters(), action=Action.QUEUE)
    async with server(routes(engine)) as agi:
        variables = {"ASTDIALER_QUEUE": "astdialer", "ASTDIALER_LIMIT": "10", "ASTDIALER_NUMBER": PERSON}
        attempt = await place(ami, carrier(PERSON), agi.port, **variables)
        joined = await asyncio.to_thread(ami.wait, "AgentConnect", WITHIN_S, Uniqueid=attempt)
        await asyncio.to_thread(ami.action, "Hangup", Channel=attempt)
        await engine.wait_over()
    assert engine.conclusion
    assert engine.conclusion[:2] == (attempt, "")
    assert engine.conclusion[3] == joined["Interface"]


async def test_a_person_whom_no_agent_takes_is_abandoned(ami: RawAmi, quiet_lab: Lab) -> None:
    engine = Engine(action=Action.QUEUE)
    async with server(routes(engine)) as agi:
        await _pause(ami, quiet_lab, "true")
        variables = {"ASTDIALER_QUEUE": "astdialer", "ASTDIALER_LIMIT": "1", "ASTDIALER_NUMBER": PERSON}
        sound = str(laboratory.sounds() / "hello")
        attempt = await place(ami, carrier(PERSON), agi.port, ASTDIALER_SAFE_HARBOUR=sound, **variables)
        await engine.wait_over()
        await _pause(ami, quiet_lab, "false")
    assert engine.conclusion
    assert engine.conclusion[:2] == (attempt, "abandoned")
    assert engine.conclusion[2] in ("TIMEOUT", "JOINEMPTY", "LEAVEEMPTY")
    assert engine.conclusion[3:] == ("", "")


async def _pause(ami: RawAmi, lab: Lab, paused: str) -> None:
    for number in range(1, lab.agents + 1):
        await asyncio.to_thread(ami.action, "QueuePause", Interface=f"PJSIP/agent{number}", Paused=paused)


async def test_the_fallback_runs_when_nobody_listens(ami: RawAmi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    variables = {"ASTDIALER_FALLBACK": "queue", "ASTDIALER_QUEUE": "astdialer", "ASTDIALER_LIMIT": "10"}
    attempt = await place(ami, carrier(PERSON), port, **variables)
    joined = await asyncio.to_thread(ami.wait, "QueueCallerJoin", WITHIN_S, Uniqueid=attempt)
    assert joined["Queue"] == "astdialer"


async def test_without_the_engine_the_dialplan_detects_machines_itself(ami: RawAmi) -> None:
    engine = Engine(failure=RuntimeError("disk full"))
    variables = {"ASTDIALER_FALLBACK": "queue", "ASTDIALER_MACHINE": "hangup", "ASTDIALER_NOTSURE": "HUMAN"}
    async with server(routes(engine)) as agi:
        await place(ami, carrier(VOICEMAIL), agi.port, ASTDIALER_AMD=AmdParameters().argument(), **variables)
        await engine.wait_over()
    assert engine.seen_at_end == (Action.HANGUP, Verdict.MACHINE)


async def test_the_fallback_runs_when_the_engine_fails(ami: RawAmi) -> None:
    engine = Engine(failure=RuntimeError("disk full"))
    variables = {"ASTDIALER_FALLBACK": "queue", "ASTDIALER_QUEUE": "astdialer", "ASTDIALER_LIMIT": "10"}
    async with server(routes(engine)) as agi:
        attempt = await place(ami, carrier(PERSON), agi.port, **variables)
        await asyncio.to_thread(ami.wait, "QueueCallerJoin", WITHIN_S, Uniqueid=attempt)
        await asyncio.to_thread(ami.action, "Hangup", Channel=attempt)
        await engine.wait_over()


async def test_the_fallback_runs_when_the_server_stops_during_amd(ami: RawAmi) -> None:
    engine = Engine(amd=AmdParameters())
    variables = {"ASTDIALER_FALLBACK": "queue", "ASTDIALER_QUEUE": "astdialer", "ASTDIALER_LIMIT": "10"}
    async with server(routes(engine)) as agi:
        attempt = await place(ami, carrier(PERSON), agi.port, **variables)
        await asyncio.wait_for(engine.begun.wait(), WITHIN_S)
        await asyncio.sleep(0.5)
    await asyncio.to_thread(ami.wait, "QueueCallerJoin", WITHIN_S, Uniqueid=attempt)
    assert not engine.deciding.is_set()


async def test_an_own_script_answers(ami: RawAmi, quiet_lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "answered.py").write_text("async def run(session): ...\n")
    (tmp_path / "own.py").write_text(
        "async def run(session):\n"
        "    assert await session.get_variable('CONTACT_NAME') == 'Ann'\n"
        "    await session.set_variable('ASTDIALER_RESULT', session.query['result'])\n"
    )
    step = "dialplan add extension s,1,AGI,agi://${ASTDIALER_AGI}/own?result=message into test-own-script"
    assert "added" in laboratory.rx(quiet_lab, "pbx", step)
    engine = Engine(action=Action.GOTO)
    async with server(routes(engine), scripts=str(tmp_path)) as agi:
        assert list(agi.broken) == ["answered"]
        own = {"ASTDIALER_GOTO": "test-own-script\\,s\\,1", "CONTACT_NAME": "Ann"}
        attempt = await place(ami, carrier(PERSON), agi.port, **own)
        await engine.wait_over()
    assert engine.conclusion == (attempt, "message", "", "", "")


AWKWARD = [
    "plain",
    'say "hi"',
    "back\\slash",
    "(brackets) in) it",
    " spaces  kept ",
    "Zoë 日本",
    "tab\there",
    "a,b;c|d$e",
    "",
]


async def test_values_survive_the_way_to_asterisk_and_back(ami: RawAmi, quiet_lab: Lab) -> None:
    """And errors are what the protocol says they are."""
    laboratory.rx(quiet_lab, "pbx", "module load func_uri.so")
    seen: dict[str, object] = {}
    done = asyncio.Event()

    async def script(session: AgiSession) -> None:
        try:
            seen["values"] = [await _there_and_back(session, value) for value in AWKWARD]
            seen["two lines"] = await session.get_full_variable("${URIDECODE(one%0Atwo)}")
            seen["unset"] = await session.get_variable("NO_SUCH")
            seen["function"] = await session.get_variable("CHANNEL(language)")
            seen["usage"] = await _error(session, "GET VARIABLE")
            seen["unknown"] = await _error(session, "NONSENSE")
            seen["no application"] = await _error(session, "EXEC NoSuchApplication")
            seen["in step"] = await _there_and_back(session, "still in step")
        finally:
            done.set()

    engine = Engine()
    async with server({**routes(engine), "answered": script}) as agi:
        await place(ami, carrier(PERSON), agi.port)
        await asyncio.wait_for(done.wait(), WITHIN_S)
        await engine.wait_over()
    assert seen == {
        "values": AWKWARD,
        "two lines": "one\ntwo",
        "unset": None,
        "function": "en",
        "usage": 520,
        "unknown": 510,
        "no application": -2,
        "in step": "still in step",
    }


async def _there_and_back(session: AgiSession, value: str) -> str | None:
    await session.set_variable("AWKWARD", value)
    return await session.get_variable("AWKWARD")


async def _error(session: AgiSession, command: str) -> int:
    try:
        reply = await session.command(command)
    except AgiError as error:
        return error.reply
    return int(reply.result)


async def test_a_dead_channel_refuses_what_needs_a_live_one(ami: RawAmi) -> None:
    seen: list[object] = []
    engine = Engine()

    async def script(session: AgiSession) -> None:
        seen.append(session.arguments[1:])
        try:
            await session.command("ANSWER")
        except AgiHangup as error:
            seen.append(str(error))
        seen.append(await session.get_variable("ASTDIALER_FALLBACK"))
        engine.over.set()

    async with server({**routes(engine), "disposition": script}) as agi:
        await place(ami, carrier(PERSON), agi.port)
        await engine.wait_over()
    assert seen == [("", "", "", "", "hangup", "", ""), "ANSWER: the channel is gone", "hangup"]


@pytest.mark.parametrize(
    ("sounds", "answers"),
    [("", True), (str(laboratory.sounds() / "hello"), True), ("no-such-sound", False), ("../../etc/passwd", False)],
)
async def test_check_is_answered_only_with_all_its_sounds(
    ami: RawAmi, quiet_lab: Lab, sounds: str, answers: bool
) -> None:
    laboratory.rx(quiet_lab, "pbx", "module load func_env.so")
    async with server(routes(Engine())) as agi:
        attempt = str(uuid.uuid4())
        fields = {
            "Channel": "Local/agi@astdialer-check",
            "Application": "Wait",
            "Data": "0.1",
            "Timeout": "10000",
            "ChannelId": attempt,
            "Async": "true",
        }
        variables = [("Variable", f"_ASTDIALER_AGI=127.0.0.1:{agi.port}"), ("Variable", f"_ASTDIALER_SOUNDS={sounds}")]
        await asyncio.to_thread(ami.actions, "Originate", [*fields.items(), *variables])
        ended = await asyncio.to_thread(ami.wait, "OriginateResponse", WITHIN_S)
    assert (ended["Response"] == "Success") is answers
