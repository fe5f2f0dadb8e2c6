"""Files over HTTP: whole, in ranges, and not again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import Message, Receive, Scope, Send

from astdialer.config import Http
from astdialer.http.audio import CHUNK, audio_response
from astdialer.http.guard import Guard
from astdialer.http.problems import install

BYTES = bytes(range(256)) * (CHUNK // 128)  # two chunks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "1497946560.123.mp3"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
async def client(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app, lambda _: None)

    @app.api_route("/a", methods=["GET", "HEAD"], include_in_schema=False)
    async def audio(request: Request) -> Response:
        return audio_response(request, path)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as opened:
        yield opened


async def test_the_whole_file(client: httpx.AsyncClient) -> None:
    answer = await client.get("/a")
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == 'inline; filename="1497946560.123.mp3"'


async def test_a_head_says_what_a_get_would(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/a", headers={"range": "bytes=0-1"}), await client.get("/a")
    assert (head.status_code, head.content) == (200, b"")
    names = ("content-length", "content-type", "etag", "last-modified", "accept-ranges", "content-disposition")
    assert [head.headers[name] for name in names] == [get.headers[name] for name in names]


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        (f"bytes={CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
        ("bytes=100-", 100, len(BYTES)),
        ("bytes=-5", len(BYTES) - 5, len(BYTES)),
        (f"bytes=-{len(BYTES) * 2}", 0, len(BYTES)),
        ("Bytes=5-999999999999", 5, len(BYTES)),
    ],
)
async def test_a_range(client: httpx.AsyncClient, text: str, first: int, end: int) -> None:
    answer = await client.get("/a", headers={"range": text})
    assert (answer.status_code, answer.content) == (206, BYTES[first:end])
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{len(BYTES)}"
    assert answer.headers["content-length"] == str(end - first)


@pytest.mark.parametrize("text", [f"bytes={len(BYTES)}-", "bytes=-0", "bytes=999999999-9999999999"])
async def test_a_range_that_the_file_has_not(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.get("/a", headers={"range": text})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(BYTES)}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "text", ["bytes=", "bytes=-", "bytes=9-1", "bytes=a-b", "bytes=+1-2", "rows=0-1", "bytes=0-1,5-6", "bytes=1_0-"]
)
async def test_what_is_no_single_range_is_passed_over(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.get("/a", headers={"range": text})
    assert (answer.status_code, len(answer.content)) == (200, len(BYTES))


async def test_a_range_of_another_file_gets_the_whole(client: httpx.AsyncClient, path: Path) -> None:
    known = (await client.get("/a")).headers
    for same in ("etag", "last-modified"):
        assert (await client.get("/a", headers={"range": "bytes=0-1", "if-range": known[same]})).status_code == 206
    assert (await client.get("/a", headers={"range": "bytes=0-1", "if-range": f"W/{known['etag']}"})).status_code == 200
    path.write_bytes(b"cut")
    again = await client.get("/a", headers={"range": "bytes=0-1", "if-range": known["etag"]})
    assert (again.status_code, again.content) == (200, b"cut")


async def test_who_has_the_file_is_told_so(client: httpx.AsyncClient) -> None:
    known = (await client.get("/a")).headers
    for condition in (
        {"if-none-match": known["etag"]},
        {"if-none-match": f'"x", W/{known["etag"]}'},
        {"if-none-match": "*"},
        {"if-modified-since": known["last-modified"]},
    ):
        for method in ("GET", "HEAD"):
            answer = await client.request(method, "/a", headers=condition)
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", known["etag"]), condition
    for condition in (
        {"if-none-match": '"x"'},
        {"if-none-match": '"x"', "if-modified-since": known["last-modified"]},
        {"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"if-modified-since": "yesterday"},
    ):
        assert (await client.get("/a", headers=condition)).status_code == 200, condition


async def test_an_empty_file(client: httpx.AsyncClient, path: Path) -> None:
    path.write_bytes(b"")
    assert (await client.get("/a")).status_code == 200
    assert (await client.get("/a", headers={"range": "bytes=0-"})).status_code == 416


async def test_a_file_that_is_gone(client: httpx.AsyncClient, path: Path) -> None:
    path.unlink()
    answer = await client.get("/a")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:astdialer:problem:not_found")


async def test_a_file_may_take_longer_than_a_request_but_no_piece_of_it(path: Path) -> None:
    async def sent_to(receiver_s: list[float]) -> int:
        """How much of the file somebody gets who takes so long for each piece."""
        taken = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await audio_response(Request(scope), path)(scope, receive, send)

        async def receive() -> Message:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal taken
            await asyncio.sleep(receiver_s.pop(0) if receiver_s else 0)
            taken += len(message.get("body", b""))

        scope = {"type": "http", "method": "GET", "path": "/a.mp3", "headers": [], "query_string": b""}
        with contextlib.suppress(TimeoutError):
            await Guard(app, Http(timeout_s=0.3), lambda _: None)(scope, receive, send)
        return taken

    assert await sent_to([0.2, 0.2, 0.2]) == len(BYTES)
    assert await sent_to([0, 0, 60]) == CHUNK
