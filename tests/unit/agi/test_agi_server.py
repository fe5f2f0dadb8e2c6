"""The server against peers that scan, stall, flood, hang up and come in crowds; and panoramisk's faults P14 to P19."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable

import pytest
from agi_peer import ATTEMPT, Heartbeat, Peer, environment, serving

from astdialer.agi.errors import AgiError, AgiHangup, AgiTimeout
from astdialer.agi.server import AgiServer
from astdialer.agi.session import AgiSession
from astdialer.config import Agi, ConfigError
from astdialer.domain.errors import Unavailable


async def ping(session: AgiSession) -> None:
    await session.set_variable("PONG", session.query.get("x", ""))


async def is_alive(server: AgiServer) -> bool:
    peer = await Peer.call(server.port, "ping")
    return await peer.serve(lambda _: "200 result=1\n") == ['SET VARIABLE "PONG" ""']


# --- panoramisk's faults ---------------------------------------------------------------------------------------------


async def test_p14_a_port_scan_does_not_freeze_the_event_loop(caplog: pytest.LogCaptureFixture) -> None:
    async with serving({"ping": ping}) as server, Heartbeat() as heart:
        for _ in range(50):
            (await Peer.connect(server.port)).close()
        halves = [await Peer.connect(server.port) for _ in range(50)]
        for half in halves:
            await half.send("agi_network: yes\n")
            half.close()
        await asyncio.sleep(0.2)
        assert await is_alive(server)
        assert server.sessions <= 1
    assert heart.longest_s < 2
    assert caplog.messages == []


async def test_p15_a_usage_text_of_many_lines_is_one_reply() -> None:
    seen: list[object] = []

    async def script(session: AgiSession) -> None:
        try:
            await session.command("GET VARIABLE")
        except AgiError as error:
            seen.append((error.reply, error.text.count("\n")))
        seen.append(await session.get_variable("NEXT"))

    usage = "520-Invalid command syntax.  Proper usage follows:\n Usage: GET VARIABLE <name>\n\n\n520 End of usage.\n"
    async with serving({"s": script}) as server:
        peer = await Peer.call(server.port, "s")
        await peer.serve(lambda command: "200 result=1 (next)\n" if "NEXT" in command else usage)
    assert seen == [(520, 4), "next"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("position", range(6))
async def test_p15_a_hangup_at_any_command_shifts_no_reply(position: int, after: bool) -> None:
    values: list[str | None] = []
    hung_up: list[bool] = []

    async def script(session: AgiSession) -> None:
        for number in range(6):
            values.append(await session.get_variable(f"V{number}"))
            hung_up.append(session.hung_up)

    def answer(command: str) -> str:
        number = command[-2]
        reply = f"200 result=1 (value {number})\n"
        if number != str(position):
            return reply
        return reply + "HANGUP\n" if after else "HANGUP\n" + reply

    async with serving({"s": script}) as server:
        await (await Peer.call(server.port, "s")).serve(answer)
    assert values == [f"value {number}" for number in range(6)]
    assert hung_up[position + 1 :] == [True] * (5 - position)
    assert not any(hung_up[:position])


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("last_words", ["", "HANGUP\n", "200 resu"])
async def test_p16_the_end_of_the_connection_at_any_command_is_a_hangup(position: int, last_words: str) -> None:
    done: list[str] = []

    async def script(session: AgiSession) -> None:
        try:
            for number in range(4):
                await session.set_variable("V", str(number))
                done.append(str(number))
        except AgiHangup:
            done.append("hangup")
            assert session.hung_up
            with pytest.raises(AgiHangup):
                await session.get_variable("V")

    async with serving({"s": script, "ping": ping}) as server:
        peer = await Peer.call(server.port, "s")
        for _ in range(position):
            await peer.line()
            await peer.send("200 result=1\n")
        await peer.line()
        await peer.send(last_words)
        peer.close()
        assert await is_alive(server)
    assert done == [*map(str, range(position)), "hangup"]


async def test_p16_an_empty_line_ends_the_session_and_not_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async with serving({"s": ping, "ping": ping}) as server:
        peer = await Peer.call(server.port, "s")
        assert await peer.serve(lambda _: "\n") == ['SET VARIABLE "PONG" ""']
        assert await is_alive(server)
    assert "agi.fault" in caplog.messages


@pytest.mark.parametrize("script", ["ping?x=1", "/ping?x=1", "ping/?y=2&x=1"])
async def test_p17_a_query_is_split_off_the_route(script: str) -> None:
    async with serving({"ping": ping}) as server:
        peer = await Peer.call(server.port, script)
        assert await peer.serve(lambda _: "200 result=1\n") == ['SET VARIABLE "PONG" "1"']


async def test_p18_a_plain_function_is_refused_by_name() -> None:
    def plain(session: AgiSession) -> None:
        """Not async."""

    with pytest.raises(TypeError, match="route 'plain' is not an async function"):
        async with serving({"plain": plain}):  # type: ignore[dict-item]
            pass


async def test_p19_cancellation_reaches_the_script_and_is_not_swallowed() -> None:
    ended: list[str] = []

    async def script(session: AgiSession) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    begun = time.monotonic()
    async with serving({"s": script}) as server:
        peers = [await Peer.call(server.port, "s") for _ in range(5)]
        await _until(lambda: server.sessions == 5)
        await asyncio.sleep(0.1)
    assert time.monotonic() - begun < 3
    assert ended == ["cancelled"] * 5
    assert all([await peer.ended() for peer in peers])


async def test_p19_a_session_that_is_cancelled_before_its_first_step_is_closed() -> None:
    async with serving({"ping": ping}) as server:
        connecting = asyncio.create_task(Peer.connect(server.port))
        while not server.sessions:  # noqa: ASYNC110  # to leave in the very turn of the loop
            await asyncio.sleep(0)
    assert await (await connecting).ended(within_s=2)


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_script_that_will_not_end_holds_the_stop_up_no_longer_than_its_limit() -> None:
    release = asyncio.Event()

    async def stubborn(session: AgiSession) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with serving({"s": stubborn}, stop_s=0.2) as server:
        peer = await Peer.call(server.port, "s")
        await asyncio.sleep(0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    assert await peer.ended()
    release.set()
    await asyncio.sleep(0)


@pytest.mark.parametrize("sent", ["", "agi_network: yes\n", environment("ping")[:-1]])
async def test_an_environment_that_does_not_come_ends_the_connection(sent: str) -> None:
    async with serving({"ping": ping}, environment_s=0.2) as server:
        peer = await Peer.connect(server.port)
        await peer.send(sent)
        assert await peer.ended(within_s=2)
        assert await is_alive(server)


async def test_an_environment_that_drips_has_no_more_time() -> None:
    async with serving({"ping": ping}, environment_s=0.3) as server:
        peer = await Peer.connect(server.port)
        begun = time.monotonic()
        drip = asyncio.create_task(_drip(peer))
        assert await peer.ended(within_s=3)
        assert time.monotonic() - begun < 2
        drip.cancel()


async def _drip(peer: Peer) -> None:
    for letter in environment("ping", *["x"] * 40):
        await peer.send(letter)
        await asyncio.sleep(0.05)


async def test_an_oversized_environment_ends_the_connection() -> None:
    async with serving({"ping": ping}) as server:
        peer = await Peer.connect(server.port)
        await peer.send("agi_network_script: " + "x" * 70_000)
        assert await peer.ended(within_s=2)
        assert await is_alive(server)


@pytest.mark.parametrize("listed", ["10.0.0.0/8", "::1", "127.0.0.2"])
async def test_a_peer_that_is_not_listed_is_closed_at_once(listed: str) -> None:
    async with serving({"ping": ping}, peers=(listed,)) as server:
        peer = await Peer.connect(server.port)
        assert await peer.ended(within_s=1)


@pytest.mark.parametrize("listed", ["127.0.0.0/8", "127.0.0.9/8", " 127.0.0.1", "::1,127.0.0.1"])
async def test_a_peer_may_be_listed_by_its_network(listed: str) -> None:
    async with serving({"ping": ping}, peers=tuple(listed.split(","))) as server:
        assert await is_alive(server)


def test_an_ipv4_peer_on_an_ipv6_socket_is_the_same_peer() -> None:
    server = AgiServer(Agi(peers=("127.0.0.1",)), {})
    assert server.is_listed("::ffff:127.0.0.1")
    assert not server.is_listed("::ffff:127.0.0.2")
    assert not server.is_listed("fe80::1%eth0")


def test_a_peer_that_is_no_address_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"\[agi\] peers: 'localhost': expected an address or a network"):
        AgiServer(Agi(peers=("localhost",)), {})


async def test_a_taken_port_says_so() -> None:
    async with serving({}) as server:
        with pytest.raises(Unavailable, match=rf"\[agi\] can't listen on 127.0.0.1:{server.port}"):
            async with AgiServer(Agi(port=server.port), {}):
                pass


async def test_connections_beyond_the_limit_are_closed_and_later_ones_served() -> None:
    async with serving({"ping": ping}, max_connections=3) as server:
        open_ones = [await Peer.connect(server.port) for _ in range(3)]
        await _until(lambda: server.sessions == 3)
        assert await (await Peer.connect(server.port)).ended(within_s=1)
        for peer in open_ones:
            peer.close()
        await _until(lambda: server.sessions == 0)
        assert await is_alive(server)


async def test_200_calls_at_once() -> None:
    async def long(session: AgiSession) -> None:
        for number in range(5):
            assert await session.get_variable(f"V{number}") == f"{session.arguments[0]}/V{number}"
        await session.set_variable("DONE", session.arguments[0])

    async def call(number: int) -> str:
        peer = await Peer.call(server.port, "long", str(number))
        return (await peer.serve(lambda command: f"200 result=1 ({number}/{command[-3:-1]})\n"))[-1]

    async with serving({"long": long}) as server:
        done = await asyncio.gather(*(call(number) for number in range(200)))
    assert done == [f'SET VARIABLE "DONE" "{number}"' for number in range(200)]


# --- peers and scripts that fail -------------------------------------------------------------------------------------


async def test_a_peer_that_does_not_answer_times_out_and_stays_out_of_step() -> None:
    seen: list[str] = []

    async def script(session: AgiSession) -> None:
        try:
            await session.command("GET VARIABLE", "A", timeout_s=0.1)
        except AgiTimeout as error:
            seen.append(str(error))
        await asyncio.sleep(0.2)
        await session.get_variable("B")

    async with serving({"s": script, "ping": ping}) as server:
        slow = await Peer.call(server.port, "s")
        assert await slow.line() == 'GET VARIABLE "A"'
        assert await is_alive(server)
        await asyncio.sleep(0.15)
        await slow.send("200 result=1 (A, too late)\n")
        assert await slow.line() == ""
        slow.close()
    assert seen == ["no answer within 0.1 s to b'GET VARIABLE \"A\"\\n'"]


async def test_a_cancelled_command_leaves_no_reply_for_the_next() -> None:
    seen: list[str] = []

    async def script(session: AgiSession) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.get_variable("A"), 0.1)
        try:
            await session.get_variable("B")
        except AgiHangup as error:
            seen.append(str(error))

    async with serving({"s": script}) as server:
        peer = await Peer.call(server.port, "s")
        await peer.line()
        assert await peer.line() == ""
        peer.close()
    assert seen == ["the session ended with an earlier command"]


async def test_a_peer_that_does_not_read_blocks_nobody() -> None:
    async def chatter(session: AgiSession) -> None:
        session.writer.write(b"x" * 50_000_000)  # more than the kernel takes
        await session.command("NOOP", timeout_s=0.3)

    async with serving({"s": chatter, "ping": ping}, stop_s=1) as server, Heartbeat() as heart:
        deaf = await Peer.call(server.port, "s")
        for _ in range(5):
            assert await is_alive(server)
        await _until(lambda: server.sessions == 0)
        deaf.close()
    assert heart.longest_s < 2


async def test_a_reply_to_no_command_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def script(session: AgiSession) -> None:
        await session.get_variable("NAME")
        await session.get_variable("OTHER")

    async with serving({"s": script}) as server:
        peer = await Peer.call(server.port, "s")
        sent = await peer.serve(lambda _: "200 result=1 (Eve)\n200 result=1 (forged)\n")
    assert sent == ['GET VARIABLE "NAME"']
    assert "agi.fault" in caplog.messages


async def test_commands_of_one_script_wait_for_each_other() -> None:
    got: list[str | None] = []

    async def script(session: AgiSession) -> None:
        got.extend(await asyncio.gather(*(session.get_variable(f"V{number}") for number in range(9))))

    async with serving({"s": script}) as server:
        await (await Peer.call(server.port, "s")).serve(lambda command: f"200 result=1 ({command[-2]})\n")
    assert got == [str(number) for number in range(9)]


async def test_a_hangup_that_a_script_lets_out_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving({"ping": ping}) as server:
        peer = await Peer.call(server.port, "ping")
        await peer.line()
        peer.end_of_stream()
        assert await peer.ended()
    assert ("agi.hung_up", logging.INFO) in [(record.message, record.levelno) for record in caplog.records]
    assert all(record.levelno < logging.WARNING for record in caplog.records)


async def test_511_is_a_hangup() -> None:
    seen: list[bool] = []

    async def script(session: AgiSession) -> None:
        with pytest.raises(AgiHangup):
            await session.command("ANSWER")
        seen.append(session.hung_up)
        seen.append(await session.get_variable("A") == "dead but here")

    def answer(command: str) -> str:
        return (
            "511 Command Not Permitted on a dead channel\n" if command == "ANSWER" else "200 result=1 (dead but here)\n"
        )

    async with serving({"s": script}) as server:
        await (await Peer.call(server.port, "s")).serve(answer)
    assert seen == [True, True]


@pytest.mark.parametrize(
    ("result", "error"), [("-2", AgiError), ("-1", AgiHangup)], ids=["no such application", "hung up"]
)
async def test_execute(result: str, error: type[Exception]) -> None:
    seen: list[str] = []

    async def script(session: AgiSession) -> None:
        seen.append(await session.execute("Playback", 'a b,"c"'))
        with pytest.raises(error):
            await session.execute("NoSuch")

    async with serving({"s": script}) as server:
        peer = await Peer.call(server.port, "s")
        sent = await peer.serve(lambda command: f"200 result={result if 'NoSuch' in command else 0}\n")
    assert sent == ['EXEC Playback "a b,\\"c\\""', 'EXEC NoSuch ""']
    assert seen == ["0"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyError("x")])
async def test_an_exception_in_a_script_is_logged_with_its_attempt(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(session: AgiSession) -> None:
        raise error

    async with serving({"s": script, "ping": ping}) as server:
        assert await (await Peer.call(server.port, "s")).ended()
        assert await is_alive(server)
    [record] = [record for record in caplog.records if record.message == "agi.script_failed"]
    assert vars(record)["attempt"] == ATTEMPT
    assert vars(record)["route"] == "s"
    assert record.exc_info


async def test_an_unknown_route_is_closed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving({"ping": ping}) as server:
        assert await (await Peer.call(server.port, "nowhere")).ended()
    assert ("agi.no_route", logging.ERROR) in [(record.message, record.levelno) for record in caplog.records]


async def test_a_script_written_for_panoramisk_runs_unchanged() -> None:
    seen: list[object] = []

    async def call_waiting(request: AgiSession) -> None:
        seen.append(request.headers["agi_channel"])
        seen.append(await request.send_command("ANSWER"))
        seen.append((await request.send_command("GET VARIABLE X"))["result"])
        seen.append((await request.send_command("NONSENSE"))["error"])

    def answer(command: str) -> str:
        return {"ANSWER": "200 result=0\n", "NONSENSE": "510 Invalid\n"}.get(command, "200 result=1 (x)\n")

    async with serving({"s": call_waiting}) as server:
        await (await Peer.call(server.port, "s")).serve(answer)
    assert seen == [
        "PJSIP/carrier-00000001",
        {"status_code": 200, "result": ("0", ""), "msg": ""},
        ("1", "x"),
        "AGIInvalidCommand",
    ]


async def _until(holds: Callable[[], bool], within_s: float = 5) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_descriptor_is_left() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    async with serving({"ping": ping}) as server:
        assert await is_alive(server)
        before = count()
        for _ in range(30):
            assert await is_alive(server)
            (await Peer.connect(server.port)).close()
        await _until(lambda: server.sessions == 0)
        await asyncio.sleep(0.1)
        assert count() <= before + 2
