"""``astdialer serve`` in a process of its own: messages that survive kill -9, and how it starts and ends with HTTP."""

import base64
import contextlib
import hashlib
import hmac
import json
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate_of_localhost
from serving import Served, free_port


def wait_for(condition: Callable[[], object], what: str, served: Served, within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}\n{served.log.read_text()[-3000:]}"
        time.sleep(0.05)


class Crm(ThreadingHTTPServer):
    """A receiver that comes and goes, on a port that stays."""

    daemon_threads = True

    def __init__(self, port: int, status: int = 200) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.status, self.may_answer = status, threading.Event()
        self.may_answer.set()
        super().__init__(("127.0.0.1", port), Taking)

    def ids(self) -> Counter[str]:
        return Counter(headers["webhook-id"] for headers, _ in self.taken)

    def kinds(self) -> Counter[str]:
        return Counter(json.loads(body)["event"] for _, body in self.taken)


class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Crm

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.may_answer.wait(30)
        with contextlib.suppress(OSError):
            self.send_response(self.server.status)
            self.send_header("content-length", "0")
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def crm(port: int, status: int = 200) -> Iterator[Crm]:
    made = Crm(port, status)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
    finally:
        made.may_answer.set()
        made.shutdown()
        made.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, webhooks="allow_private = true\ntimeout_s = 5")
    made.run("trunk", "create", "carrier", "--dial", "PJSIP/{number}@carrier")
    yield made
    made.kill()


def rows(served: Served, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{served.database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def states(served: Served) -> Counter[str]:
    return Counter(state for (state,) in rows(served, "SELECT state FROM deliveries"))


def hook(served: Served, port: int) -> str:
    """A webhook's secret."""
    return served.run("webhook", "create", f"http://127.0.0.1:{port}/hook", "--event", "campaign.*")


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As docs/how-to/webhooks.md has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return abs(time.time() - int(headers["webhook-timestamp"])) < 300 and headers["webhook-signature"] == expected


def test_what_a_dead_receiver_missed_survives_kill_9_and_arrives_once_each(served: Served) -> None:
    port = free_port()
    secret = hook(served, port)
    served.start()
    token = served.token()
    made = [f"c{n}" for n in range(5)]
    for name in made:  # by HTTP, while nobody listens
        served.ask("POST", "/v1/campaigns", token, {"name": name, "settings": {"trunk": "carrier", "queue": "q"}})
    wait_for(lambda: rows(served, "SELECT id FROM deliveries WHERE tries > 0"), "the receiver is tried", served)
    served.kill()
    waiting = {id_ for (id_,) in rows(served, "SELECT id FROM deliveries WHERE state = 'pending'")}
    assert waiting
    for name in made:  # by commands, while nobody tells anybody
        served.run("campaign", "set", name, "max_calls=3")
    with crm(port) as receiver:
        served.start()
        wait_for(lambda: len(receiver.taken) >= 10, "all is told", served)
        wait_for(lambda: states(served) == {"delivered": 10}, "that is written down", served)
        time.sleep(1)
        assert receiver.kinds() == {"campaign.created": 5, "campaign.changed": 5}
        assert set(receiver.ids().values()) == {1}
        assert waiting <= set(receiver.ids()), "what waited has the id that it had"
        assert all(is_genuine(secret, headers, body) for headers, body in receiver.taken)
        told = {(body["event"], body["campaign"]) for body in (json.loads(body) for _, body in receiver.taken)}
        assert told == {(f"campaign.{event}", name) for event in ("created", "changed") for name in made}


def test_what_was_on_its_way_at_kill_9_is_sent_again_under_the_same_id(served: Served) -> None:
    port = free_port()
    hook(served, port)
    token = served.token()
    served.start()
    with crm(port) as receiver:
        receiver.may_answer.clear()
        for n in range(20):
            served.ask("POST", "/v1/campaigns", token, {"name": f"c{n}"})
        wait_for(lambda: len(receiver.taken) >= 8, "some are on their way", served)
        served.kill()
        before = receiver.ids()
        receiver.may_answer.set()
        served.start()
        wait_for(lambda: states(served) == {"delivered": 20}, "all have arrived", served)
        ids = receiver.ids()
        assert len(ids) == 20, "twenty messages, whatever was sent twice"
        assert set(before) <= set(ids)
        assert {id_ for id_, times in ids.items() if times > 1} <= set(before), "only what was under way"
        assert receiver.kinds() == {"campaign.created": sum(ids.values())}


def test_it_says_what_it_lacks_for_dialing_and_ends_in_order(served: Served) -> None:
    served.start()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.url}/readyz", timeout=10)
    checks = json.loads(refused.value.read())["checks"]
    refused.value.close()
    states = {"store": "ok", "agi": "ok", "webhooks": "ok", "uploads": "ok", "http": "ok"}
    assert {name: checks[name] for name in states} == states
    assert "ami default" in checks or "engine" in checks
    token = served.token()
    request = urllib.request.Request(f"{served.url}/v1/events", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10):  # a stream that would never end
        assert served._process is not None
        began = time.monotonic()
        served._process.send_signal(signal.SIGTERM)
        assert served._process.wait(30) == 0
        assert time.monotonic() - began < 15
    log = served.log.read_text()
    assert "engine.stopped" in log
    assert "Traceback" not in log


def refusal(served: Served, *more: str) -> tuple[int, str]:
    """How it ends by itself, and what it says."""
    command = [sys.executable, "-m", "astdialer", "--config", str(served.config), *more, "serve"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.splitlines()[-1]


def test_it_does_not_listen_for_strangers_without_a_token(served: Served) -> None:
    code, said = refusal(served, "--set", "http.host=0.0.0.0")
    assert (code, "astdialer token create NAME --role admin" in said) == (78, True)
    served.token()
    code, said = refusal(served, "--set", "http.host=0.0.0.0", "--set", "http.tokens=false")
    assert (code, "[http] tokens = false" in said) == (78, True)
    code, said = refusal(served, "--set", "http.tls_cert=/nowhere.pem")
    assert (code, "/nowhere.pem" in said) == (78, True)


def test_a_port_that_is_taken_is_said_to_be_taken(served: Served) -> None:
    with socket.create_server(("127.0.0.1", served.port)):
        code, said = refusal(served)
    assert (code, f"127.0.0.1:{served.port} can't be listened on" in said) == (69, True)


def test_without_http_it_dials_and_tells_all_the_same(tmp_path: Path) -> None:
    port = free_port()
    quiet = Served(tmp_path, http="enabled = false", webhooks="allow_private = true")
    hook(quiet, port)
    with crm(port) as receiver, quiet.log.open("ab") as log:
        command = [sys.executable, "-m", "astdialer", "--config", str(quiet.config), "serve"]
        process = subprocess.Popen(command, stderr=log, stdout=log)
        try:
            quiet.run("campaign", "create", "demo")
            wait_for(lambda: receiver.kinds() == {"campaign.created": 1}, "the receiver is told", quiet)
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", quiet.port), 2):
                pass
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_it_speaks_https_to_those_who_trust_it(tmp_path: Path) -> None:
    cert, key = certificate_of_localhost(tmp_path)
    secure = Served(tmp_path, http=f'tls_cert = "{cert}"\ntls_key = "{key}"')
    with secure.log.open("ab") as log:
        command = [sys.executable, "-m", "astdialer", "--config", str(secure.config), "serve"]
        process = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        trusting = ssl.create_default_context(cafile=str(cert))
        url = f"https://localhost:{secure.port}/healthz"

        def answers() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5, context=trusting) as answer:
                return bool(answer.status == 200)
            return False

        wait_for(answers, "it answers", secure)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(url, timeout=5)
    finally:
        process.terminate()
        assert process.wait(30) == 0
