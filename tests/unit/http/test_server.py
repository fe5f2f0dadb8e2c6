"""uvicorn in the engine's process: where it listens, with which certificate, how it ends and begins anew."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate_of_localhost, openssl
from http_hands import SteppedClock, hands
from wire import read_answer, until, wire

from astdialer import config
from astdialer.config import ConfigError
from astdialer.domain.access import Role
from astdialer.domain.errors import Unavailable
from astdialer.engine import tokens
from astdialer.engine.beside import Beside
from astdialer.http import server
from astdialer.http.server import HttpServer, check, listening
from astdialer.store import SqliteStore, open_store


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_of_localhost(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "s.db", clock) as opened:
        yield opened


def http(**values: Any) -> config.Http:
    return dataclasses.replace(config.Http(), **values)


# --- whom it lets in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_on_loopback_it_listens_without_a_token(store: SqliteStore, clock: SteppedClock, host: str) -> None:
    await check(http(host=host), store, clock)
    await check(http(host=host, tokens=False), store, clock)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "dialer.example"])
async def test_elsewhere_it_does_not_listen_without_a_good_token(
    store: SqliteStore, clock: SteppedClock, host: str
) -> None:
    with pytest.raises(ConfigError, match="astdialer token create NAME --role admin"):
        await check(http(host=host), store, clock)
    await tokens.create(store, clock, "old", Role.ADMIN, expires_at=clock.at + 1)
    await tokens.create(store, clock, "revoked", Role.ADMIN)
    await tokens.revoke(store, clock, "revoked")
    clock.at += 2
    with pytest.raises(ConfigError, match="not listened on without a token"):
        await check(http(host=host), store, clock)
    await tokens.create(store, clock, "good", Role.READ_ONLY)
    await check(http(host=host), store, clock)


async def test_elsewhere_it_does_not_listen_without_asking_for_tokens(store: SqliteStore, clock: SteppedClock) -> None:
    await tokens.create(store, clock, "good", Role.ADMIN)
    with pytest.raises(ConfigError, match=r"\[http\] tokens = false"):
        await check(http(host="0.0.0.0", tokens=False), store, clock)


# --- where it listens ------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_waited_for_and_then_named(tmp_path: Path, clock: SteppedClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        began = clock.at
        async with hands(tmp_path) as api:
            app: Any = api.client._transport.app  # type: ignore[attr-defined]
            with pytest.raises(
                Unavailable, match=rf"\[http\] 127\.0\.0\.1:{port} can't be listened on: Address already"
            ):
                async with listening(app, http(port=port), clock):
                    pass
        assert clock.at - began == sum(server.LISTEN_PAUSES_S) * 1000


async def test_a_host_that_is_not_ours_is_named(tmp_path: Path, clock: SteppedClock) -> None:
    async with hands(tmp_path) as api:
        app: Any = api.client._transport.app  # type: ignore[attr-defined]
        for host in ("192.0.2.77", "nobody.invalid"):
            with pytest.raises(Unavailable, match=rf"\[http\] {host}:8480 can't be listened on"):
                async with listening(app, http(host=host), clock):
                    pass


@pytest.mark.parametrize(
    ("host", "at"),
    [("127.0.0.1", ["127.0.0.1"]), ("localhost", ["127.0.0.1"]), ("::1", ["::1"]), ("::", ["::1", "127.0.0.1"])],
)
def test_it_listens_where_it_is_told(host: str, at: list[str]) -> None:
    try:
        listener = server._bound(_any_port(host))
    except OSError:
        pytest.skip("no IPv6 here")
    with listener:
        for address in at:
            with socket.create_connection((address, listener.getsockname()[1]), 5):
                pass


def _any_port(host: str) -> config.Http:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return http(host=host, port=probe.getsockname()[1])


def test_who_takes_nothing_of_what_is_sent_is_cut_off() -> None:
    with server._bound(_any_port("127.0.0.1")) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == server.TAKES_NOTHING_MS
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == server.TAKES_NOTHING_MS


# --- TLS -------------------------------------------------------------------------------------------------------------


async def test_it_speaks_https(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    client = ssl.create_default_context(cafile=str(certificate[0]))
    cert, key = map(str, certificate)
    async with wire(tmp_path, client_tls=client, tls_cert=cert, tls_key=key) as served:
        answer = await served.send(await served.head("GET /v1/campaigns"))
        assert answer.status == 200
        served.tls = None
        assert (await served.send(await served.head("GET /v1/campaigns"))).status == 0, "and nothing else"
        old = ssl.create_default_context(cafile=cert)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        served.tls = old
        assert (await served.send(await served.head("GET /healthz"))).status == 200


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("missing.pem", "key.pem", "tls_cert = .*missing.pem.*: no such file"),
        ("cert.pem", "", "expected both or none"),
        ("", "key.pem", "expected both or none"),
        ("key.pem", "key.pem", "can't be used"),
        ("cert.pem", "empty.pem", "can't be used"),
        ("cert.pem", "locked.pem", "can't be used: .* expected PEM, the key without a password"),
        ("cert.pem", "other.pem", "can't be used"),
    ],
)
async def test_a_certificate_that_cannot_be_is_named_before_anything_starts(
    tmp_path: Path, certificate: tuple[Path, Path], clock: SteppedClock, *, cert: str, key: str, words: str
) -> None:
    (tmp_path / "empty.pem").touch()
    for name, source in (("cert.pem", certificate[0]), ("key.pem", certificate[1])):
        (tmp_path / name).write_bytes(source.read_bytes())
    locked = ["-aes128", "-passout", "pass:secret"]
    for name, more in (("locked.pem", locked), ("other.pem", [])):
        openssl("genrsa", *more, "-out", str(tmp_path / name), "2048")
    names = {"tls_cert": cert, "tls_key": key}
    paths = {option: str(tmp_path / name) if name else "" for option, name in names.items()}
    async with hands(tmp_path) as api:
        app: Any = api.client._transport.app  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match=r"\[http\] tls.*" + words.removeprefix("tls_cert")):
            async with listening(app, http(**paths), clock):
                pass


# --- how it ends -----------------------------------------------------------------------------------------------------


async def test_what_is_under_way_at_the_end_is_answered(tmp_path: Path) -> None:
    async with wire(tmp_path) as served:
        reader, writer = await served.connect()
        head = await served.head("POST /t/uploads", content_length="10")
        writer.write(head + b"12345")
        await asyncio.sleep(0.3)
        closing = asyncio.create_task(_end(served))
        await asyncio.sleep(0.3)
        writer.write(b"67890")
        answer = await asyncio.wait_for(read_answer(reader), 10)
        assert (answer.status, answer.body, answer.headers["connection"]) == (200, b'{"bytes":10}', "close")
        await closing
        writer.close()


async def _end(served: Any) -> None:
    """As at the end of ``wire``, which cancels it once more."""
    for task in asyncio.all_tasks():
        if "HttpServer.run" in repr(task.get_coro()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_S", 0.5)
    async with wire(tmp_path) as served:
        reader, writer = await served.connect()
        writer.write(await served.head("GET /t/slow"))
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        await _end(served)
        assert asyncio.get_running_loop().time() - began < 4
        await asyncio.wait_for(reader.read(), 10)
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_server_that_fails_is_begun_anew_on_the_same_port_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The port stays ours meanwhile."""
    failed = asyncio.Event()
    tick = server._Server.on_tick

    async def failing(self: Any, counter: int) -> bool:
        if counter > 3 and not failed.is_set():
            failed.set()
            raise SystemExit(1)
        return await tick(self, counter)

    monkeypatch.setattr(server._Server, "on_tick", failing)
    monkeypatch.setattr("astdialer.engine.beside.PAUSE_S", 0.0)
    async with hands(tmp_path) as api:
        app: Any = api.client._transport.app  # type: ignore[attr-defined]
        settings = _any_port("127.0.0.1")
        beside = Beside(api.clock)
        object.__setattr__(api.services, "beside", beside.states)
        async with listening(app, settings, api.clock) as opened:
            assert isinstance(opened, HttpServer)
            beside.start("http", opened.run)
            await asyncio.wait_for(failed.wait(), 10)
            await until(lambda: beside.states()["http"] != "ok")
            await asyncio.sleep(0.3)  # who connects while the first one falls may be lost with it
            answer = await asyncio.wait_for(_get(settings.port, "/readyz"), 10)
            assert b"failed and was begun anew: RuntimeError" in answer
            assert b" 503 " in answer.splitlines()[0]
            await beside.stop()
    assert "beside.failed" in [record.message for record in caplog.records]


async def _get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return answer
