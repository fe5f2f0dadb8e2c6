"""Speaking to other people's servers, over real sockets: which addresses, how long, whose certificate."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpcore
import pytest
from certificates import certificate_of_localhost
from http_hands import Receiver, receiver
from wire import until

from astdialer import config
from astdialer.config import ConfigError
from astdialer.domain.errors import Unavailable
from astdialer.http import addresses, notify
from astdialer.http.addresses import Names, is_public
from astdialer.http.notify import HttpNotifier

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def notifier(**settings: Any) -> AsyncIterator[HttpNotifier]:
    known: dict[str, Any] = {"allow_private": True, "timeout_s": 5.0, "lookup_timeout_s": 5.0}
    async with HttpNotifier(config.Webhooks(**known | settings)) as opened:
        yield opened


@contextlib.asynccontextmanager
async def peer(act: Peer, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server on loopback that does as the test says; its port."""
    acting: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def acted() -> None:
            try:
                await act(reader, writer)
            finally:
                await drop(writer)

        acting.add(asyncio.create_task(acted()))

    server = await asyncio.start_server(begin, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in acting:
            task.cancel()
        await asyncio.gather(*acting, return_exceptions=True)


async def drop(writer: asyncio.StreamWriter) -> None:
    """What was written still goes out, unless nobody takes it."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(0.5):
            await writer.wait_closed()
    writer.transport.abort()


def answering(raw: bytes) -> Peer:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()

    return act


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def crm() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


async def test_a_message_arrives_as_it_was_sent(crm: Receiver) -> None:
    async with notifier() as sender:
        status = await sender.post(f"{crm.url}?key=a%20b", "Ñandú".encode(), {"x-one": "1", "user-agent": "astdialer"})
    ((headers, body),) = crm.taken
    assert (status, body.decode()) == (200, "Ñandú")
    assert headers[":line"] == "POST /hook?key=a%20b HTTP/1.1"
    assert (headers["host"], headers["x-one"], headers["content-length"]) == (f"127.0.0.1:{crm.port}", "1", "7")


async def test_a_connection_is_used_again(crm: Receiver) -> None:
    async with notifier() as sender:
        for _ in range(5):
            assert await sender.post(crm.url, b"{}", {}) == 200
        assert len(sender._pool.connections) == 1
    assert len(crm.taken) == 5


@pytest.mark.parametrize("status", [204, 301, 302, 307, 410, 500, 503])
async def test_any_status_is_told_and_none_is_followed(status: int) -> None:
    """A redirect may lead to where no message is to go."""
    asked = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))

    async with peer(other) as elsewhere:
        raw = f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n".encode()
        async with peer(answering(raw)) as port, notifier() as sender:
            assert await sender.post(f"http://127.0.0.1:{port}/", b"{}", {}) == status
    assert asked == []


@pytest.mark.parametrize("name", ["x-a\r\nevil", "x a", ""])
async def test_no_line_break_reaches_a_receiver(crm: Receiver, name: str) -> None:
    async with notifier() as sender:
        for headers in ({name: "1"}, {"x-one": "1\r\nevil: 2"}):
            with pytest.raises(Unavailable):
                await sender.post(crm.url, b"{}", headers)
    assert crm.taken == []


async def test_a_large_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000000000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536

    async with peer(endless) as port, notifier() as sender:
        assert await sender.post(f"http://127.0.0.1:{port}/", b"{}", {}) == 200
        await asyncio.sleep(0.1)
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 X\r\nx: " + b"y" * 300_000,
        b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_answer_is_said_to_be_none(raw: bytes) -> None:
    async with peer(answering(raw)) as port, notifier() as sender:
        with pytest.raises(Unavailable, match=rf"http://127\.0\.0\.1:{port} can't be reached"):
            await sender.post(f"http://127.0.0.1:{port}/secret?key=1", b"{}", {})


async def test_a_receiver_that_is_not_there_is_said_not_to_be_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with notifier() as sender:
        with pytest.raises(Unavailable, match="can't be reached"):
            await sender.post(f"http://127.0.0.1:{port}/", b"{}", {})
        with pytest.raises(Unavailable, match=r"nobody\.invalid is not known"):
            await sender.post("http://nobody.invalid/", b"{}", {})


async def test_keys_in_an_address_are_told_nobody(crm: Receiver) -> None:
    async with notifier(allow_private=False) as sender:
        with pytest.raises(Unavailable) as failed:
            await sender.post(f"http://127.0.0.1:{crm.port}/hooks/s3cret?key=s3cret", b"{}", {})
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://127.0.0.1:x/", "http://[::1/", "http://ñ.invalid/", "x"])
async def test_what_is_no_address_is_an_answer_too(url: str) -> None:
    async with notifier() as sender:
        with pytest.raises(Unavailable):
            await sender.post(url, b"{}", {})


# --- time ------------------------------------------------------------------------------------------------------------


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that never ends and never pauses for long."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 5000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("act", [silence, drip])
async def test_a_receiver_has_so_long_and_no_longer(act: Peer) -> None:
    async with peer(act) as port, notifier(timeout_s=0.4) as sender:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"did not answer within 0\.4 s"):
            await sender.post(f"http://127.0.0.1:{port}/", b"{}", {})
        assert 0.3 < time.monotonic() - began < 5


async def test_receivers_that_say_nothing_keep_no_other_waiting(crm: Receiver) -> None:
    """Not by the number of connections either."""
    async with peer(silence) as port, notifier(timeout_s=20) as sender:
        held = [asyncio.create_task(sender.post(f"http://127.0.0.1:{port}/", b"{}", {})) for _ in range(150)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(10):
            assert await sender.post(crm.url, b"{}", {}) == 200
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def test_a_name_server_that_does_not_answer_holds_up_only_those_who_ask_it(
    crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []
    look_up = socket.getaddrinfo

    def hanging(host: Any, *args: Any, **values: Any) -> Any:
        if str(host).endswith(".dead"):
            asked.append(host)
            answers.wait(20)
            raise socket.gaierror(-3, "try again later")
        return look_up(host, *args, **values)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    monkeypatch.setattr(addresses, "MOST", 16)
    async with notifier(timeout_s=3) as sender:
        held = [
            asyncio.create_task(sender.post(f"http://n{n % (addresses.MOST + 8)}.dead/", b"{}", {}))
            for n in range(addresses.MOST * 4)
        ]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            assert await sender.post(crm.url, b"{}", {}) == 200
            assert await asyncio.to_thread(lambda: 7) == 7, "the loop's own threads are free"
        results = await asyncio.gather(*held, return_exceptions=True)
        assert {type(result) for result in results} == {Unavailable}
        assert len(asked) == addresses.MOST, "each name once, and no more than that"
        answers.set()


# --- which addresses -------------------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "4000::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "2a00:1450:4003:80e::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_this_machine_or_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_anybodys_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_no_spelling_of_loopback_is_connected_to(crm: Receiver, host: str) -> None:
    async with notifier(allow_private=False) as sender:
        with pytest.raises(Unavailable, match=r"a private address: set \[webhooks\] allow_private = true|is not known"):
            await sender.post(f"http://{host}:{crm.port}/hook", b"{}", {})
    assert crm.taken == []


def names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> list[str]:
    """Names that lead where the test says; who was asked for."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "leads_to", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]]
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    crm: Receiver, monkeypatch: pytest.MonkeyPatch, leads_to: list[str]
) -> None:
    """Of several addresses one is enough: the next look might give it first."""
    names(monkeypatch, crm=leads_to)
    async with notifier(allow_private=False) as sender:
        with pytest.raises(Unavailable, match=r"crm is at a private address"):
            await sender.post(f"http://crm:{crm.port}/", b"{}", {})
    assert crm.taken == []


async def test_what_was_checked_is_what_is_connected_to(crm: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is asked for once: it can't lead elsewhere the second time."""
    asked = names(monkeypatch, crm=["127.0.0.1"])
    async with notifier() as sender:
        assert await sender.post(f"http://crm:{crm.port}/hook", b"{}", {}) == 200
    assert asked == ["crm"]
    assert crm.taken[0][0]["host"] == f"crm:{crm.port}"


async def test_the_next_address_of_a_name_is_tried(crm: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, crm=["127.0.0.3", "127.0.0.1"])  # nobody listens at the first
    async with notifier() as sender:
        assert await sender.post(f"http://crm:{crm.port}/hook", b"{}", {}) == 200


async def test_an_address_that_swallows_everything_leaves_time_for_the_next(
    crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, crm=["127.0.0.3", "127.0.0.1"])
    async with notifier(timeout_s=1.0) as sender:
        guarded: Any = sender._pool._network_backend
        connect = guarded._backend.connect_tcp

        async def swallowing(host: str, port: int, timeout: float, *args: Any) -> Any:
            if host == "127.0.0.3":
                await asyncio.sleep(timeout)
                raise httpcore.ConnectTimeout("swallowed")
            return await connect(host, port, timeout, *args)

        monkeypatch.setattr(guarded._backend, "connect_tcp", swallowing)
        assert await sender.post(f"http://crm:{crm.port}/hook", b"{}", {}) == 200


async def test_names_are_given_up_when_nobody_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Names()
    names(monkeypatch, a=["1.1.1.1"])
    task = asyncio.create_task(found.addresses("a", 80))
    gone = asyncio.create_task(found.addresses("b", 80))
    await asyncio.sleep(0)
    gone.cancel()
    assert await task == ["1.1.1.1"]
    await until(lambda: not found._asked)


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_of_localhost(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def secure(certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with peer(answering(b"HTTP/1.1 204 X\r\n\r\n"), context) as port:
        yield port


async def test_a_private_certificate_is_trusted_when_its_authority_is_named(certificate: tuple[Path, Path]) -> None:
    async with secure(certificate) as port, notifier(ca_file=str(certificate[0])) as sender:
        assert await sender.post(f"https://localhost:{port}/", b"{}", {}) == 204


async def test_a_stranger_with_a_certificate_of_its_own_is_told_nothing(certificate: tuple[Path, Path]) -> None:
    async with secure(certificate) as port, notifier() as sender:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await sender.post(f"https://localhost:{port}/", b"{}", {})


async def test_another_hosts_certificate_is_not_taken(certificate: tuple[Path, Path]) -> None:
    async with secure(certificate) as port, notifier(ca_file=str(certificate[0])) as sender:
        with pytest.raises(Unavailable, match=r"certificate is not valid for '127\.0\.0\.1'"):
            await sender.post(f"https://127.0.0.1:{port}/", b"{}", {})


def test_ones_own_authority_is_trusted_beside_those_of_the_machine(certificate: tuple[Path, Path]) -> None:
    usual = len(ssl.create_default_context().get_ca_certs())
    assert len(notify._trust(str(certificate[0])).get_ca_certs()) == usual + 1
    assert notify._trust("").verify_mode is ssl.CERT_REQUIRED


def test_a_file_that_holds_no_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=r"\[webhooks\] ca_file = .*" + name):
            HttpNotifier(config.Webhooks(ca_file=str(tmp_path / name)))


# --- look-ups --------------------------------------------------------------------------------------------------------


def json_answer(body: bytes, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def test_a_look_up_gives_an_object() -> None:
    async with receiver(answer=b'{"name": "Ana"}') as found, notifier() as asker:
        assert await asker.get_json(f"{found.url}?a=1", {"cid": "+44 &x"}) == {"name": "Ana"}
    assert found.taken[0][0][":line"] == "GET /hook?a=1&cid=%2B44+%26x HTTP/1.1"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[]", 200), (b"", 200), (b"{", 200), (b"\xff", 200), (b"[" * 100_000, 200), (b'{"a": 1}', 500)],
)
async def test_what_is_no_object_is_unavailable(body: bytes, status: int) -> None:
    async with peer(answering(json_answer(body, status))) as port, notifier() as asker:
        with pytest.raises(Unavailable, match=f"answered {status}, and no JSON object"):
            await asker.get_json(f"http://127.0.0.1:{port}/", {})


async def test_a_look_up_has_its_own_time() -> None:
    async with peer(silence) as port, notifier(lookup_timeout_s=0.2) as asker:
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await asker.get_json(f"http://127.0.0.1:{port}/", {})
