"""Limits that hold before any endpoint is asked, over real sockets: sizes, times, what is no HTTP."""

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wire import Answer, Wire, read_answer, wire

from astdialer.http import guard, protocol

KB = 1024


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Wire]:
    async with wire(tmp_path, max_body_kb=256, max_upload_mb=4, max_connections=20) as opened:
        yield opened


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Wire]:
    """A request has a second."""
    async with wire(tmp_path, timeout_s=1.0) as opened:
        yield opened


def chunks(*sizes: int) -> list[bytes]:
    """A body in pieces, without an end."""
    return [f"{size:x}\r\n".encode() + b"x" * size + b"\r\n" for size in sizes]


def json_of(size: int) -> bytes:
    """A JSON body of so many bytes."""
    return b'{"text":"' + b"x" * (size - 11) + b'"}'


async def post(served: Wire, path: str, body: bytes, *, token: bool = True, method: str = "POST") -> Answer:
    head = await served.head(
        f"{method} {path}", token=token, content_type="application/json", content_length=str(len(body))
    )
    return await served.send(head + body)


# --- size ------------------------------------------------------------------------------------------------------------


async def test_a_body_may_be_as_large_as_the_limit(served: Wire) -> None:
    answer = await post(served, "/t/json", json_of(256 * KB))
    assert (answer.status, json.loads(answer.body)) == (200, {"characters": 256 * KB - 11})


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_read(served: Wire) -> None:
    head = await served.head(
        "POST /t/json", content_type="application/json", content_length=str(10**12), expect="100-continue"
    )
    answer = await served.send(head)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.problem["detail"] == f"the body has more than {256 * KB} bytes"


@pytest.mark.parametrize("path", ["/t/json", "/t/hushed", "/v1/campaigns"])
async def test_a_body_that_grows_too_large_is_refused_whatever_the_endpoint_makes_of_that(
    served: Wire, path: str
) -> None:
    head = await served.head(f"POST {path}", content_type="application/json", transfer_encoding="chunked")
    answer = await served.send(head, *chunks(*[64 * KB] * 10), b"0\r\n\r\n")
    assert (answer.status, answer.problem["title"]) == (413, answer.problem["title"])
    assert answer.problem["status"] == 413


async def test_who_sends_too_much_still_reads_why(served: Wire) -> None:
    """What is on its way is taken for a moment: else the connection would be reset, and the answer lost."""
    answer = await post(served, "/t/json", b"x" * 3_000_000)
    assert answer.status == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", " ", "5, 5", "9" * 30, "9" * 5000, "1\x00"])
async def test_a_length_that_is_none_is_refused(served: Wire, length: str) -> None:
    answer = await served.send(await served.head("POST /t/json", content_length=length))
    assert answer.status in (400, 413)


async def test_an_upload_may_be_larger_but_not_without_limit(served: Wire) -> None:
    answer = await post(served, "/t/uploads", b"x" * 2_000_000)
    assert (answer.status, json.loads(answer.body)) == (200, {"bytes": 2_000_000})
    assert (await post(served, "/t/uploads", b"x" * 5_000_000)).status == 413


async def test_a_thing_that_is_named_like_an_upload_is_none(served: Wire) -> None:
    """Its JSON would be in memory as a whole."""
    for name in ("uploads", "x.mp3", "a.csv"):
        assert (await post(served, f"/t/named/{name}", json_of(200), method="PATCH")).status == 200
        answer = await post(served, f"/t/named/{name}", json_of(300 * KB), method="PATCH")
        assert answer.status == 413, name
    assert (await post(served, "/v1/campaigns/uploads", json_of(300 * KB), method="PATCH")).status == 413


async def test_strangers_may_send_little(served: Wire) -> None:
    """A token is asked for before a large body is taken in: it would fill memory."""
    small = await post(served, "/t/json", json_of(guard.STRANGERS), token=False)
    assert small.status == 401
    head = await served.head(
        "POST /t/json",
        token=False,
        content_type="application/json",
        content_length=str(200 * KB),
        expect="100-continue",
    )
    large = await served.send(head)
    assert (large.status, large.headers["www-authenticate"], large.headers["connection"]) == (401, "Bearer", "close")
    head = await served.head("POST /t/json", token=False, content_type="application/json", transfer_encoding="chunked")
    grown = await served.send(head, *chunks(*[16 * KB] * 10))
    assert (grown.status, grown.headers["connection"]) == (401, "close")


async def test_many_strangers_fill_no_memory(served: Wire) -> None:
    tracemalloc.start()
    head = await served.head("POST /t/json", token=False, content_type="application/json", transfer_encoding="chunked")
    await asyncio.gather(*(served.send(head, *chunks(*[16 * KB] * 15)) for _ in range(15)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40_000_000


async def test_a_good_token_is_counted_once_for_a_large_body(tmp_path: Path) -> None:
    async with wire(tmp_path, rate_per_second=0.1, burst=2) as served:
        assert (await post(served, "/t/json", json_of(100 * KB))).status == 200
        assert (await post(served, "/t/json", json_of(100 * KB))).status == 200
        answer = await post(served, "/t/json", json_of(100 * KB))
        assert (answer.status, answer.headers["retry-after"]) == (429, "10")


# --- time ------------------------------------------------------------------------------------------------------------


async def test_a_request_has_so_long(hasty: Wire) -> None:
    answer = await hasty.send(await hasty.head("GET /t/slow"))
    assert (answer.status, answer.problem["detail"]) == (503, "the request took longer than 1 s")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("5", "close")


@pytest.mark.parametrize("path", ["/t/json", "/t/uploads"])
async def test_a_body_that_does_not_come_is_not_waited_for(hasty: Wire, path: str) -> None:
    head = await hasty.head(f"POST {path}", content_type="application/json", content_length="1000")
    answer = await hasty.send(head + b"{")
    assert answer.status == 503


async def test_a_body_that_drips_has_no_longer_than_others(hasty: Wire) -> None:
    head = await hasty.head("POST /t/json", content_type="application/json", content_length="1000")
    answer = await hasty.send(head, *[b" "] * 1000, pause_s=0.1)
    assert answer.status == 503


async def test_an_upload_may_take_long_as_long_as_it_comes(hasty: Wire) -> None:
    head = await hasty.head("POST /t/uploads", transfer_encoding="chunked")
    answer = await hasty.send(head, *chunks(*[1000] * 15), b"0\r\n\r\n", pause_s=0.15)
    assert (answer.status, json.loads(answer.body)) == (200, {"bytes": 15_000})


async def test_a_thing_that_is_named_like_a_stream_has_no_longer_than_others(hasty: Wire) -> None:
    head = await hasty.head("PATCH /t/named/x.mp3", content_type="application/json", content_length="1000")
    answer = await hasty.send(head, *[b" "] * 1000, pause_s=0.1)
    assert answer.status == 503


async def test_an_answer_may_take_long_as_long_as_it_is_taken(hasty: Wire) -> None:
    reader, writer = await hasty.connect()
    writer.write(await hasty.head("GET /t/numbers.csv", connection="close"))
    text = await asyncio.wait_for(reader.read(), 20)
    assert b"29\n" in text
    assert text.endswith(b"0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_an_answer_that_nobody_takes_ends(hasty: Wire) -> None:
    reader, writer = await hasty.connect()
    writer.write(await hasty.head("GET /t/endless.csv"))
    await reader.readuntil(b"\r\n\r\n")
    app = hasty.api.services
    assert app.settings.timeout_s == 1.0
    await asyncio.sleep(2.5)  # and reads nothing
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        async with asyncio.timeout(20):
            while await reader.read(1_000_000):
                pass
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


# --- what is no request ----------------------------------------------------------------------------------------------


async def test_a_connection_that_says_nothing_is_cut(served: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    reader, writer = await served.connect()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_head_that_drips_is_cut(served: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.5)
    answer = await served.send(b"GET /healthz HTTP/1.1\r\n", *[b"x: y\r\n"] * 100, pause_s=0.05)
    assert answer.status == 0


async def test_a_second_request_has_its_time_too(served: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.5)
    reader, writer = await served.connect()
    writer.write(await served.head("GET /healthz"))
    assert (await read_answer(reader)).status == 200
    await asyncio.sleep(1.0)  # between two requests the connection may rest
    writer.write(await served.head("GET /healthz"))
    assert (await read_answer(reader)).status == 200
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /" + b"x" * 200_000,
        b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 30_000,
    ],
)
async def test_a_head_without_end_is_cut(served: Wire, flood: bytes) -> None:
    pieces = [flood[at : at + 10_000] for at in range(0, len(flood), 10_000)]
    answer = await served.send(*pieces, pause_s=0.001)
    assert answer.status in (0, 400)


async def test_what_follows_a_body_without_end_is_cut(served: Wire) -> None:
    head = await served.head("POST /t/json", content_type="application/json", transfer_encoding="chunked")
    answer = await served.send(head, b"2\r\n{}\r\n0\r\n", *[b"x: " + b"y" * 10_000 + b"\r\n"] * 30, pause_s=0.001)
    assert answer.status == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n",
        b"POST /t/json HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /t/json HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /t/json HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_refused(served: Wire, raw: bytes) -> None:
    answer = await served.send(raw)
    assert answer.status in (0, 400, 401)


@pytest.mark.parametrize("host", ["a/b?c=", "[", "a b", "a@b", "a#b", "ñ", "a:b", "a\\b", "[::1", "x" * 10 + "/v1"])
async def test_a_host_that_is_none_is_refused(served: Wire, host: str) -> None:
    """Else the path that is looked at would be another than the one that is asked for."""
    answer = await served.send(await served.head("GET /v1/campaigns", host=host))
    assert (answer.status, "Host" in answer.problem["detail"]) == (400, True)


@pytest.mark.parametrize("host", ["dialer", "dialer.example:8480", "127.0.0.1", "[::1]:80", "a_b-c.d", ""])
async def test_a_host_may_be_a_name_or_an_address(served: Wire, host: str) -> None:
    assert (await served.send(await served.head("GET /v1/campaigns", host=host))).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/campaigns/%00", 422),
        ("/v1/campaigns/%ff%fe", 404),
        ("/v1/campaigns/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/v1/campaigns/../../healthz", 404),
        ("//v1/campaigns", 404),
        ("/v1/campaigns?limit=9" + "9" * 5000, 422),
        ("/v1/campaigns?cursor=%ff", 422),
        ("/v1/campaigns/" + "x" * 3000, 422),
    ],
)
async def test_strange_paths_find_nothing(served: Wire, path: str, status: int) -> None:
    answer = await served.send(await served.head(f"GET {path}"))
    assert answer.status in (status, 404)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "a", "name\\u0000": 1}',
        b'{"name": "\\ud800"}',
        b'{"\\ud800": 1, "name": "a"}',
        b'{"name": "a", "settings": {"\\udfff": "1"}}',
        b'{"name": "a", "settings": {"max_calls": 1e400}}',
        b'{"name": "a", "settings": {"max_calls": ' + b"9" * 5000 + b"}}",
        b'{"name": "a", "settings": {"max_calls": NaN}}',
        b"[" * 100_000,
        b'{"name":' * 20_000,
        b'{"name": "a\\u0000b"}',
        b'{"name": "a\\r\\nb"}',
        json.dumps({f"x{n}": "y" for n in range(5000)}).encode(),
        json.dumps({"x" * 50_000: 1}).encode(),
        '{"name": "a"'.encode("utf-16"),
    ],
)
async def test_a_body_that_cannot_be_is_refused_in_a_few_words_and_changes_nothing(served: Wire, body: bytes) -> None:
    answer = await post(served, "/v1/campaigns", body)
    assert answer.status in (400, 422), answer.body
    assert answer.problem["status"] == answer.status
    assert len(answer.body) < 20_000
    assert await served.api.store.campaigns() == []


async def test_a_fault_of_ours_is_told_without_its_inside(served: Wire, caplog: pytest.LogCaptureFixture) -> None:
    answer = await served.send(await served.head("GET /t/fault"))
    assert (answer.status, answer.problem["detail"]) == (500, "a fault of astdialer; its log has more")
    assert b"secret" not in answer.body
    assert "http.fault" in [record.message for record in caplog.records]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "HEAD"])
async def test_other_methods_are_refused_with_one_that_there_is(served: Wire, method: str) -> None:
    answer = await served.send(await served.head(f"{method} /v1/campaigns"))
    assert answer.status == 405
    assert answer.headers["allow"] in ("GET", "POST", "GET, POST")


# --- many at once ----------------------------------------------------------------------------------------------------


async def test_more_connections_than_allowed_hear_why_and_far_more_are_cut(
    served: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPARE", 5)
    idle = [await served.connect() for _ in range(20)]
    refused = await served.send(await served.head("GET /healthz"))
    assert (refused.status, refused.headers["connection"]) == (503, "close")
    more = [await served.connect() for _ in range(5)]
    cut = await served.send(await served.head("GET /healthz"))
    assert cut.status == 0
    for _, writer in [*idle, *more]:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    await asyncio.sleep(0.3)
    assert (await served.send(await served.head("GET /healthz"))).status == 200
