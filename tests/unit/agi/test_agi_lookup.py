"""The script lookup against a scripted Asterisk and a server on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agi_peer import Peer, environment, serving

from astdialer import config
from astdialer.agi.scripts import routes
from astdialer.engine.answering import AnswerPlan, Conclusion
from astdialer.engine.lookup import Lookup
from astdialer.http.notify import HttpNotifier

OK = "200 result=1\n"


class Engine:
    """It has no part in this."""

    async def answered(self, attempt_id: str) -> AnswerPlan:
        raise AssertionError

    async def amd_finished(self, attempt_id: str, verdict: object, cause: str) -> None:
        raise AssertionError

    async def next_action(self, attempt_id: str) -> Any:
        raise AssertionError

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        raise AssertionError

    async def redirected(self, attempt_id: str, to: str) -> None:
        raise AssertionError

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        raise AssertionError


class Customer:
    """A web service of the customer's: what it answers, and the request lines that came."""

    def __init__(self, status: int, body: bytes, delay_s: float) -> None:
        self._answer = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        self._delay_s = delay_s
        self.asked: list[str] = []
        self.port = 0
        self.serving: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head.partition("\r\n")[0])
            await asyncio.sleep(self._delay_s)
            writer.write(self._answer)
        finally:
            writer.close()


@asynccontextmanager
async def customer(body: Any = None, status: int = 200, delay_s: float = 0) -> AsyncIterator[Customer]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = Customer(status, raw, delay_s)
    server = await asyncio.start_server(found.connected, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in found.serving:
            task.cancel()
        await asyncio.gather(*found.serving, return_exceptions=True)


async def look_up(to: Customer, *arguments: str, cid: str = "447700900001", timeout_s: float = 5) -> list[str]:
    """The commands that Asterisk gets."""
    settings = config.Webhooks(allow_private=True, lookup_timeout_s=timeout_s)
    async with HttpNotifier(settings) as notifier:
        lookup = Lookup(notifier, f"http://127.0.0.1:{to.port}/who?key=7", timeout_s)
        async with serving(routes(Engine(), lookup)) as server:
            peer = await Peer.connect(server.port)
            await peer.send(environment("lookup", *arguments, agi_callerid=cid))
            return await peer.serve(lambda _: OK)


async def test_what_is_known_of_the_caller_is_set_and_lookup_comes_last() -> None:
    async with customer({"name": 'Ana "A"', "debt": 5, "orders": [1]}) as found:
        commands = await look_up(found)
    assert found.asked == ["GET /who?key=7&cid=447700900001 HTTP/1.1"]
    assert commands == [
        'SET VARIABLE "LOOKUP_NAME" "Ana \\"A\\""',
        'SET VARIABLE "LOOKUP_DEBT" "5"',
        'SET VARIABLE "LOOKUP" "found"',
    ]


async def test_a_number_may_be_given_and_is_data() -> None:
    async with customer({"a": 1}) as found:
        await look_up(found, "+44&x=1#")
    assert found.asked == ["GET /who?key=7&cid=%2B44%26x%3D1%23 HTTP/1.1"]


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (200, {}, "none"),
        (404, {"error": "no such client"}, "none"),
        (204, b"", "none"),
        (200, {"found": False}, "none"),
        (500, {"name": "Ana"}, "error"),
        (302, {"name": "Ana"}, "error"),
        (200, b"<html>", "error"),
        (200, [1], "error"),
        (200, b"\xff{", "error"),
    ],
)
async def test_an_answer_is_found_none_or_an_error(status: int, body: Any, word: str) -> None:
    async with customer(body, status) as found:
        commands = await look_up(found)
    assert commands[-1] == f'SET VARIABLE "LOOKUP" "{word}"'


async def test_a_caller_without_a_number_is_none() -> None:
    async with customer({"name": "Ana"}) as found:
        assert await look_up(found, cid="unknown") == ['SET VARIABLE "LOOKUP" "none"']
    assert found.asked == []


async def test_a_slow_server_keeps_the_caller_waiting_no_longer_than_the_limit() -> None:
    async with customer({"name": "Ana"}, delay_s=30) as found:
        began = time.monotonic()
        assert await look_up(found, timeout_s=0.3) == ['SET VARIABLE "LOOKUP" "error"']
    assert time.monotonic() - began < 3


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with customer() as found:
        pass
    assert await look_up(found) == ['SET VARIABLE "LOOKUP" "error"']


async def test_without_a_lookup_the_script_says_so() -> None:
    async with serving(routes(Engine())) as server:
        commands = await (await Peer.call(server.port, "lookup")).serve(lambda _: OK)
    assert commands == ['SET VARIABLE "LOOKUP" "error"']
