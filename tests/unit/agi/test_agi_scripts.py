"""answered, disposition and check against a scripted Asterisk and a stub of the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agi_peer import ATTEMPT, Peer, serving

from astdialer.agi.scripts import routes
from astdialer.domain.amd import Action, AmdParameters, Verdict
from astdialer.domain.errors import NotFound
from astdialer.engine.answering import AnswerPlan, Conclusion

ACTION_SET = 'SET VARIABLE "ASTDIALER_ACTION" "queue"'


class Engine:
    """An Answering that knows one attempt and remembers what it was told."""

    def __init__(self, *, amd: AmdParameters | None = None, failure: Exception | None = None) -> None:
        self.told: list[tuple[object, ...]] = []
        self._amd = amd
        self._failure = failure

    async def answered(self, attempt_id: str) -> AnswerPlan:
        self.told.append(("answered", attempt_id))
        if attempt_id != ATTEMPT:
            raise NotFound("attempt", attempt_id)
        return AnswerPlan(amd=self._amd)

    async def amd_finished(self, attempt_id: str, verdict: Verdict, cause: str) -> None:
        self.told.append(("amd", verdict, cause))

    async def next_action(self, attempt_id: str) -> Action:
        self.told.append(("next_action",))
        if self._failure:
            raise self._failure
        return Action.QUEUE

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        self.told.append(("preview", key))
        if attempt_id != ATTEMPT:
            raise NotFound("attempt", attempt_id)
        asked = sum(word[0] == "preview" for word in self.told)
        return {"1": "dial", "2": "hangup"}.get(key, "wait" if asked < 4 else "hangup")

    async def redirected(self, attempt_id: str, to: str) -> None:
        self.told.append(("redirected", attempt_id, to))

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        self.told.append((attempt_id, conclusion))


async def run(engine: Engine, answer: Callable[[str], str], route: str, *arguments: str) -> list[str]:
    async with serving(routes(engine)) as server:
        return await (await Peer.call(server.port, route, *arguments)).serve(answer)


def asterisk(status: str = "HUMAN", cause: str = "HUMAN-800-800", amd_result: str = "0") -> Callable[[str], str]:
    values = {'"AMDSTATUS"': f"1 ({status})" if status else "0", '"AMDCAUSE"': f"1 ({cause})" if cause else "0"}

    def answer(command: str) -> str:
        name = command.rpartition(" ")[2]
        return f"200 result={amd_result if command.startswith('EXEC') else values.get(name, '1')}\n"

    return answer


async def test_answered_without_amd_asks_for_the_action_and_sets_it_last() -> None:
    engine = Engine()
    assert await run(engine, asterisk(), "answered", ATTEMPT) == [ACTION_SET]
    assert engine.told == [("answered", ATTEMPT), ("next_action",)]


@pytest.mark.parametrize(
    ("status", "cause", "verdict"),
    [
        ("HUMAN", "HUMAN-800-800", Verdict.HUMAN),
        ("MACHINE", "MAXWORDS-3-2", Verdict.MACHINE),
        ("NOTSURE", "TOOLONG-4900", Verdict.NOTSURE),
        ("", "", Verdict.NOTSURE),
        ("SOMETHING", "NEW-1", Verdict.NOTSURE),
    ],
)
async def test_answered_runs_amd_and_keeps_its_verdict(status: str, cause: str, verdict: Verdict) -> None:
    engine = Engine(amd=AmdParameters())
    sent = await run(engine, asterisk(status, cause), "answered", ATTEMPT)
    assert sent == [
        'EXEC AMD "2500,1500,800,5000,100,50,3,256,5000"',
        'GET VARIABLE "AMDSTATUS"',
        'GET VARIABLE "AMDCAUSE"',
        ACTION_SET,
    ]
    assert engine.told[1:] == [("amd", verdict, cause), ("next_action",)]


@pytest.mark.parametrize(("to", "told"), [("10103", "10103"), ("PJSIP/1001", "PJSIP/1001"), ("two words", "")])
async def test_a_call_that_is_handed_over_is_told_to_the_engine(to: str, told: str) -> None:
    engine = Engine()
    assert await run(engine, asterisk(), "redirected", ATTEMPT, to) == []
    assert engine.told == [("redirected", ATTEMPT, told)]


async def test_without_the_amd_module_the_campaigns_rule_decides(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(amd=AmdParameters())
    sent = await run(engine, asterisk(amd_result="-2"), "answered", ATTEMPT)
    assert sent[1:] == [ACTION_SET]
    assert engine.told[1:] == [("amd", Verdict.NOTSURE, "AMD is not available"), ("next_action",)]
    assert "agi.amd_unavailable" in caplog.messages


def hanging_up(position: int, *, status: str) -> Callable[[str], str]:
    """HANGUP within the reply to command number ``position``, then a dead channel that still answers."""
    answer, count = asterisk(status, ""), 0

    def disturbed(command: str) -> str:
        nonlocal count
        count += 1
        return "HANGUP\n" * (count == position + 1) + answer(command)

    return disturbed


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    ("status", "verdict"), [("", Verdict.HANGUP), ("HANGUP", Verdict.HANGUP), ("MACHINE", Verdict.MACHINE)]
)
async def test_a_hangup_during_amd_is_recorded_and_takes_no_agent(position: int, status: str, verdict: Verdict) -> None:
    engine = Engine(amd=AmdParameters())
    await run(engine, hanging_up(position, status=status), "answered", ATTEMPT)
    assert engine.told == [("answered", ATTEMPT), ("amd", verdict, "")]


async def test_amd_that_ends_with_minus_one_is_a_hangup() -> None:
    engine = Engine(amd=AmdParameters())
    assert len(await run(engine, asterisk(amd_result="-1"), "answered", ATTEMPT)) == 1
    assert engine.told[1:] == [("amd", Verdict.HANGUP, "")]


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_connection_that_ends_during_amd_is_a_hangup(position: int) -> None:
    engine, answer = Engine(amd=AmdParameters()), asterisk()
    async with serving(routes(engine)) as server:
        peer = await Peer.call(server.port, "answered", ATTEMPT)
        for _ in range(position):
            await peer.send(answer(await peer.line()))
        await peer.line()
        assert await peer_left(peer)
    assert engine.told == [("answered", ATTEMPT), ("amd", Verdict.HANGUP, "")]


async def peer_left(peer: Peer) -> bool:
    peer.end_of_stream()
    return await peer.ended()


@pytest.mark.parametrize("arguments", [["00000000-0000-0000-0000-000000000000"], ["' OR 1=1"], [""], []])
async def test_an_unknown_attempt_leaves_the_action_to_the_dialplan(
    arguments: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert await run(Engine(), asterisk(), "answered", *arguments) == []
    assert "agi.unknown_attempt" in caplog.messages


async def test_an_engine_that_fails_leaves_the_action_to_the_dialplan(caplog: pytest.LogCaptureFixture) -> None:
    assert await run(Engine(failure=RuntimeError("disk full")), asterisk(), "answered", ATTEMPT) == []
    assert "agi.script_failed" in caplog.messages


def keypad(*results: str) -> Callable[[str], str]:
    """An Asterisk whose WAIT FOR DIGIT ends so, one after the other."""
    left = list(results)
    return lambda command: f"200 result={left.pop(0) if command.startswith('WAIT') else 1}\n"


WAITS = 'WAIT FOR DIGIT "1000"'


@pytest.mark.parametrize(
    ("results", "asked", "answer"),
    [
        (["49"], ["", "1"], "dial"),
        (["0", "50"], ["", "", "2"], "hangup"),
        (["0", "51", "0"], ["", "", "3", ""], "hangup"),
        (["9999", "7", "x"], ["", "", "", ""], "hangup"),
    ],
)
async def test_a_preview_asks_the_engine_until_it_is_decided(results: list[str], asked: list[str], answer: str) -> None:
    engine = Engine()
    sent = await run(engine, keypad(*results), "preview", ATTEMPT)
    assert sent == [*[WAITS] * len(results), f'SET VARIABLE "ASTDIALER_PREVIEW" "{answer}"']
    assert engine.told == [("preview", key) for key in asked]


async def test_an_agent_who_hangs_up_ends_the_preview() -> None:
    engine = Engine()
    assert await run(engine, keypad("0", "-1"), "preview", ATTEMPT) == [WAITS, WAITS]
    assert engine.told == [("preview", ""), ("preview", "")]


async def test_a_preview_of_an_unknown_attempt_is_left_to_the_dialplan(caplog: pytest.LogCaptureFixture) -> None:
    assert await run(Engine(), asterisk(), "preview", "00000000-0000-0000-0000-000000000000") == []
    assert "agi.unknown_attempt" in caplog.messages


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["abandoned", "TIMEOUT", "", "", ""], Conclusion(result="abandoned", queue_status="TIMEOUT")),
        (
            ["", "", "PJSIP/agent1", "", "queue", "HUMAN", "HUMAN-800-800"],
            Conclusion(agent="PJSIP/agent1", action=Action.QUEUE, amd_verdict=Verdict.HUMAN, amd_cause="HUMAN-800-800"),
        ),
        (["", "CONTINUE", "Local/100@agents/n"], Conclusion(queue_status="CONTINUE", agent="Local/100@agents/n")),
        (["played", "", "", "5", "play", "", ""], Conclusion(result="played", key="5", action=Action.PLAY)),
        (["played", "", "", "*"], Conclusion(result="played", key="*")),
        (["message"], Conclusion(result="message")),
        (
            ["agent_hung_up", "", "PJSIP/agent1", "", "agent"],
            Conclusion(result="agent_hung_up", agent="PJSIP/agent1", action=Action.AGENT),
        ),
        (["answered", "time out", "a b", "x", "shell", "human", "a;b"], Conclusion()),
        (["x" * 999, "X" * 999, "x" * 999, "1" * 999, "q" * 999, "H" * 999, "c" * 999], Conclusion()),
    ],
)
async def test_disposition_sends_no_command_and_passes_on_what_can_be(arguments: list[str], kept: Conclusion) -> None:
    engine = Engine()
    assert await run(engine, asterisk(), "disposition", ATTEMPT, *arguments) == []
    assert engine.told == [(ATTEMPT, kept)]


def disk(*files: str, with_stat: bool = True) -> Callable[[str], str]:
    """An Asterisk with these files; ASTDATADIR is /data and the language es."""

    def answer(command: str) -> str:
        if not command.startswith("GET FULL VARIABLE"):
            return "200 result=1\n"
        if not with_stat:
            return "200 result=0\n"
        expression = command.split('"')[1].replace("${ASTDATADIR}", "/data").replace("${CHANNEL(language)}", "es")
        asked = [part.removeprefix("${STAT(e,").removesuffix(")}") for part in expression.split("}${")]
        asked = [part.removeprefix("STAT(e,").removesuffix(")") for part in asked]
        return f"200 result=1 ({''.join(str(int(path in (*files, '/'))) for path in asked)})\n"

    return answer


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "ok"),
        ([""], "ok"),
        (["hello"], "ok"),
        (["hello&deep/own"], "ok"),
        (["hello", "/srv/a-b_c.1"], "ok"),
        (["spanish&hello"], "ok"),
        (["nothing"], "missing: nothing"),
        (["hello&nothing", "/srv/none"], "missing: nothing, /srv/none"),
        (["../../etc/passwd"], "missing: ../../etc/passwd"),
        (["a)}${SHELL(id)"], "missing: a)}${SHELL(id)"),
    ],
)
async def test_check_asks_asterisk_for_the_sound_files(arguments: list[str], expected: str) -> None:
    files = disk(
        "/data/sounds/en/hello.gsm", "/data/sounds/deep/own.wav", "/data/sounds/es/spanish.alaw", "/srv/a-b_c.1.g722"
    )
    sent = await run(Engine(), files, "check", *arguments)
    assert sent[-1] == f'SET VARIABLE "ASTDIALER_CHECK" "{expected}"'
    assert not any("SHELL" in command or "passwd" in command for command in sent[:-1])
    assert all(len(command) < 2000 for command in sent)


async def test_check_says_when_it_can_not_tell() -> None:
    sent = await run(Engine(), disk(with_stat=False), "check", "hello")
    assert sent[-1].endswith('"can\'t look for sound files: func_env.so is not loaded"')
