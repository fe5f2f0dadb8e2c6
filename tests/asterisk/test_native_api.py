"""The native API on a real Asterisk: a contact that is added is called, and everybody hears of it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dialing import ONCE, Dialer, dialer_on, number, wait_for

from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]


@pytest.fixture
def dialer(lab: Lab, tmp_path: Path) -> Iterator[Dialer]:
    with dialer_on(lab, tmp_path) as found:
        found.config.write_text(found.config.read_text() + "\n[webhooks]\nallow_private = true\n")
        found.trunk()
        yield found


class Api:
    """The native API of a dialer, as an administrator."""

    def __init__(self, dialer: Dialer) -> None:
        self.url = f"http://127.0.0.1:{dialer.http_port}"
        self.token = dialer.run("token", "create", "root", "--role", "admin").stdout.strip()

    def raw(self, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[int, Any, bytes]:
        """Status, headers and body of an answer."""
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/json", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a good answer."""
        status, _, text = self.raw(method, path, body)
        assert 200 <= status < 300, (method, path, status, text)
        return json.loads(text or b"null")


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server for webhooks: its address, and the bodies that came."""
    taken: list[dict[str, Any]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", taken
    finally:
        server.shutdown()
        server.server_close()


def test_a_contact_is_added_called_and_told_of(dialer: Dialer) -> None:
    dialer.serve()
    api = Api(dialer)
    settings = ONCE | {"mode": "progressive", "queue": "astdialer"}
    with receiver() as (url, taken):
        api.ask("POST", "/v1/campaigns", {"name": "team", "settings": settings})
        hook = api.ask(
            "POST", "/v1/webhooks", {"url": url, "events": ["attempt.*", "contact.ended", "recording.ready"]}
        )
        assert hook["secret"].startswith("whsec_")
        wait_for(lambda: api.raw("GET", "/readyz")[0] == 200, "everything is ready", 60, dialer.tail)
        added = api.ask(
            "POST", "/v1/campaigns/team/contacts", {"numbers": [{"number": number(0, 1)}], "params": {"name": "Ann"}}
        )
        api.ask("POST", "/v1/campaigns/team/start")
        wait_for(lambda: dialer.state("team") == "finished", "the campaign finishes", 120, dialer.tail)
        wait_for(lambda: {"recording.ready", "contact.ended"} <= {b["event"] for b in taken}, "it is told", 60)

    contact = api.ask("GET", f"/v1/contacts/{added['id']}")
    assert (contact["state"], contact["end_reason"]) == ("done", "answered")
    (call,) = api.ask("GET", "/v1/attempts?campaign=team")["items"]
    assert (call["disposition"], call["dst"]) == ("answered", number(0, 1))
    told = [body["event"] for body in taken]
    assert sorted(told) == sorted(set(told)), "each once"
    assert {"attempt.dialed", "attempt.answered", "attempt.connected", "attempt.closed"} <= set(told)
    closed = next(body for body in taken if body["event"] == "attempt.closed")
    assert (closed["cdr"]["guid"], closed["contact"]["params"]) == (call["guid"], {"name": "Ann"})
    _recording_is_served(api, call["guid"])
    _events_can_be_read_again(api, call["guid"])


def _recording_is_served(api: Api, guid: str) -> None:
    status, headers, whole = api.raw("GET", f"/v1/recordings/{guid}/audio")
    assert (status, headers["content-type"]) == (200, "audio/mpeg")
    status, headers, part = api.raw("GET", f"/v1/recordings/{guid}/audio", headers={"range": "bytes=10-19"})
    assert (status, part) == (206, whole[10:20])
    assert headers["content-range"] == f"bytes 10-19/{len(whole)}"


def _events_can_be_read_again(api: Api, guid: str) -> None:
    """From the beginning, as one who was away would."""
    request = urllib.request.Request(
        f"{api.url}/v1/events?after=0&kinds=attempt.closed", headers={"authorization": f"Bearer {api.token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as stream:
        for line in stream:
            if line.startswith(b"data:"):
                assert json.loads(line[5:])["attempt_id"] == guid
                return
    raise AssertionError("no event came")
