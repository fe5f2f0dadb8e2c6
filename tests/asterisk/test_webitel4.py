"""Webitel v4 over a real socket to a running engine on the real Asterisk: members, calls, events, lookup."""

from __future__ import annotations

import json
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dialing import calls_at_carrier, consistent, log_size, number, wait_for
from floor import QUEUE, STAYS, Floor, floor_on, phones
from raw_ami import RawAmi

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(200)]

REQUESTS = {each["id"]: each for each in json.loads((Path(__file__).parents[1] / "requests.json").read_text())}
CALLER = "447700900555"
HELD = {"mode": "progressive", "queue": QUEUE, "wait_for_result": "yes", "result_timeout_s": "60", "wrap_up_s": "0"}


class Customer:
    """The customer's own system: it is told of calls, and asked who calls."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.signed: list[bool] = []
        customer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                customer.signed.append("webhook-signature" in self.headers)
                customer.told.append(json.loads(body))
                self._answer({})

            def do_GET(self) -> None:
                customer.asked.append(self.path)
                self._answer({"name": "Ana, of 7", "debt": 12.5, "orders": [1]})

            def _answer(self, found: dict[str, Any]) -> None:
                raw = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def of(self, **wanted: Any) -> list[dict[str, Any]]:
        """What was told, with these values."""
        return [each for each in self.told if all(each[key] == value for key, value in wanted.items())]


@pytest.fixture
def customer() -> Iterator[Customer]:
    found = Customer()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


class Client:
    """Somebody's integration: plain requests with a token."""

    def __init__(self, floor: Floor) -> None:
        self._base = f"http://127.0.0.1:{floor.http_port}"
        self._token = floor.run("token", "create", "crm", "--role", "integration").stdout.strip()

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The answer's JSON; its status has to be this one."""
        headers = {"X-Webitel-Access": self._token, "Content-Type": "application/json"}
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, raw, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                told, code = json.loads(answer.read()), answer.status
        except urllib.error.HTTPError as error:
            with error:
                told, code = json.loads(error.read()), error.code
        assert code == status, f"{method} {path}: {code} {told}"
        return told


@pytest.fixture
def floor(lab: Lab, tmp_path: Path, customer: Customer) -> Iterator[Floor]:
    with floor_on(lab, tmp_path, STAYS) as found:
        with found.config.open("a") as config:
            config.write(f'\n[webhooks]\nallow_private = true\nlookup_url = "{customer.url}/who"\n')
        yield found


def queue_id(floor: Floor, name: str) -> str:
    return str(floor.rows("SELECT id FROM campaigns WHERE name = ?", name)[0]["id"])


def member(destination: str, **more: Any) -> dict[str, Any]:
    return {"name": "Ann", "communications": [{"destination": destination, "type": {"id": 1}}]} | more


def test_the_requests_of_the_source_document(floor: Floor) -> None:
    """Each as it stands. What they ask for has no number, so that nobody is called."""
    client = Client(floor)
    floor.rules("soft", mode="progressive", queue=QUEUE)
    queue = queue_id(floor, "soft")
    floor.serve()
    for name in ("W4-02", "W4-03"):
        request = REQUESTS[name]
        made = client.ask(request["method"], request["path"].replace("{queue_id}", queue), request["body"])
        assert list(made) == ["ids"]
        assert len(set(made["ids"])) == 2
    stored = floor.contacts("soft")
    assert [row["bucket"] for row in stored] == ["", "", "1", "2"]
    assert {(row["state"], row["end_cause"]) for row in stored} == {("done", "INVALID_NUMBER_FORMAT")}

    refused = client.ask("POST", "/calls", REQUESTS["W4-01"]["body"], status=400)
    assert list(refused) == ["id", "detail", "status", "code"]
    assert (refused["status"], refused["code"]) == ("Bad Request", 400)
    assert refused["detail"].startswith("destination = 'Destination number': expected a telephone number")
    body = REQUESTS["W4-01"]["body"] | {"destination": number(0, 1)}
    assert "Agent's Extension" in client.ask("POST", "/api/calls", body, status=404)["detail"]
    assert floor.attempts() == []


def test_the_agent_is_rung_and_then_the_number(floor: Floor) -> None:
    client = Client(floor)
    floor.rules("open", mode="progressive", queue=QUEUE, wrap_up_s="0")
    at = log_size(floor.lab)
    floor.serve()
    floor.wait_free(STAYS)
    body = REQUESTS["W4-01"]["body"] | {"destination": number(0, 11), "from": {"extension": STAYS}}
    with sip_trace(floor.lab) as trace:
        made = client.ask("POST", "/calls", body)
        wait_for(lambda: phones(floor.lab)[STAYS] == 1, "the agent's telephone rings first", 10)
        assert "answer-after=0" in trace()
        assert "alert-autoanswer" in trace()
    assert calls_at_carrier(floor.lab, at) == {}, "and nobody else's"
    call = f"/calls/{made['id']}"
    wait_for(lambda: client.ask("GET", call)["state"] == "bridge", "they talk", 20, floor.tail)
    shown = client.ask("GET", call)
    assert (shown["extension"], shown["destination"], shown["queue"]["name"]) == (STAYS, number(0, 11), "open")
    assert [row["id"] for row in client.ask("GET", "/calls/active")["items"]] == [made["id"]]
    assert client.ask("DELETE", call) == {}
    [row] = floor.wait_closed("open", 1)
    assert (row["id"], row["disposition"], row["agent"], row["manual"]) == (
        made["id"],
        "answered",
        f"PJSIP/{STAYS}",
        1,
    )
    assert json.loads(floor.contacts("open")[0]["params"]) == body["params"]["variables"]
    assert client.ask("GET", call)["state"] == "hangup"
    client.ask("DELETE", call, status=404)


@contextmanager
def sip_trace(lab: Lab) -> Iterator[Any]:
    """What the PBX has written of SIP since, in its log."""
    log = next((lab.directory / "pbx").rglob("full.log"))
    at = log.stat().st_size
    laboratory.rx(lab, "pbx", "pjsip set logger on")
    try:
        yield lambda: log.read_bytes()[at:].decode(errors="replace")
    finally:
        laboratory.rx(lab, "pbx", "pjsip set logger off")


def test_members_are_called_told_of_and_reported_on(floor: Floor, customer: Customer) -> None:
    """One whoever is free, by the queue; and one for an agent of its own, who is called first."""
    client = Client(floor)
    floor.rules("held", **HELD)
    queue = queue_id(floor, "held")
    floor.run("webhook", "create", f"{customer.url}/calls", "--form", "webitel-call", "--option", "agent_format=id")
    floor.serve()
    floor.wait_free(STAYS)
    agents = {row["extension"]: row for row in client.ask("GET", "/call_center/agents")["items"]}
    assert agents[STAYS]["status"] == "online"
    items = [
        member(number(0, 21), variables={"order": "7"}, priority=9),
        member(number(0, 22), agent={"id": agents[STAYS]["id"]}, name="Bea"),
    ]
    free, own = client.ask("POST", f"/call_center/queues/{queue}/members/bulk", {"items": items})["ids"]
    floor.start("held")
    wait_for(lambda: len(customer.of(event="bridged")) == 2, "both were offered and taken", 40, floor.tail)
    assert all(customer.signed)
    by_member = {each["member"]: each for each in customer.of(event="bridged")}
    for contact, to in ((free, 21), (own, 22)):
        offering = customer.of(event="offering", member=contact)
        bridged = by_member[contact]
        assert bridged | {"event": "offering"} in offering, "an agent who takes a call was offered it"
        assert customer.told.index(offering[0]) < customer.told.index(bridged)
        assert (bridged["direction"], bridged["queue"], bridged["cid"]) == ("outbound", queue, number(0, to))
        assert bridged["uuid"] == bridged["attempt"]
    assert by_member[own]["agent"] == agents[STAYS]["id"]
    assert by_member[free]["agent"] in {row["id"] for name, row in agents.items() if name != STAYS}
    _reports(client, floor, queue, {free: by_member[free]["attempt"], own: by_member[own]["attempt"]})
    floor.run("campaign", "stop", "held", "--hang-up")
    wait_for(lambda: floor.state("held") == "stopped", "it stops", 20, floor.tail)
    consistent(floor)


def _reports(client: Client, floor: Floor, queue: str, attempts: dict[str, str]) -> None:
    """The first is sold; the second is called again at a time, and by that agent."""
    free, own = attempts
    client.ask("DELETE", f"/calls/{attempts[own]}")
    held = "SELECT count(*) AS n FROM contacts WHERE state = 'held'"
    wait_for(lambda: floor.rows(held)[0]["n"] == 2, "both calls have ended", 30, floor.tail)
    active = client.ask("GET", "/call_center/queues/attempts/active")["items"]
    assert {row["id"]: row["state"] for row in active} == dict.fromkeys(attempts.values(), "processing")
    sold = {"status": "success", "description": "sold", "variables": {"sum": 12}}
    assert client.ask("PATCH", f"/call_center/attempts/{attempts[free]}", sold) == {"status": "success"}
    at = (int(time.time()) + 7200) * 1000
    later = {"status": "abandoned", "min_offering_at": str(at), "display": True}
    client.ask("PATCH", f"/api/call_center/attempts/{attempts[own]}", later)
    client.ask("PATCH", f"/call_center/attempts/{attempts[own]}", later, status=409)
    rows = {str(row["id"]): row for row in floor.contacts("held")}
    assert (rows[free]["state"], rows[free]["successful"], rows[free]["end_reason"]) == ("done", 1, "success")
    assert (rows[own]["state"], rows[own]["next_at"], rows[own]["agentphone"]) == ("waiting", at, STAYS)
    assert json.loads(rows[own]["params"])["outbound_caller_id_number"] == "442079460000"

    shown = client.ask("GET", f"/call_center/queues/{queue}/members/{free}")
    assert (shown["stop_cause"], shown["variables"]) == ("success", {"order": "7", "sum": "12"})
    assert client.ask("GET", f"/call_center/queues/{queue}/members/{own}")["min_offering_at"] == str(at)
    [row] = client.ask("GET", f"/call_center/queues/{queue}/members/{own}/attempts")["items"]
    assert (row["id"], row["result"], row["active"]) == (attempts[own], "abandoned", False)
    one = client.ask("GET", f"/call_center/attempts/{attempts[free]}")
    assert (one["result"], one["description"], one["state"]) == ("success", "sold", "leaving")


def test_an_inbound_caller_is_looked_up_and_told_of(floor: Floor, customer: Customer) -> None:
    floor.run("webhook", "create", f"{customer.url}/calls", "--form", "webitel-call", "--event", "bridged")
    floor.run("webhook", "create", f"{customer.url}/calls", "--form", "webitel-call", "--event", "offering")
    floor.serve()
    floor.wait_free("agent1", "agent2", "agent3")
    port = tomllib.loads(floor.config.read_text())["agi"]["port"]
    with inbound(floor.lab, port) as channel, RawAmi(floor.lab) as pbx:
        pbx.originate("", Channel=channel)
        wait_for(lambda: customer.of(event="bridged"), "an agent takes the call", 20, floor.tail)
    [bridged] = customer.of(event="bridged")
    offering = customer.of(event="offering", agent=bridged["agent"])
    assert offering[0] == bridged | {"event": "offering"}
    assert (bridged["direction"], bridged["queue"], bridged["cid"]) == ("inbound", QUEUE, CALLER)
    assert (bridged["member"], bridged["attempt"]) == (None, None)
    assert bridged["agent"].startswith("agent")
    assert bridged["uuid"]
    assert customer.asked == [f"/who?cid={CALLER}"]
    assert "W4_LOOKUP=found/Ana, of 7/12.5/" in laboratory.rx(floor.lab, "pbx", "dialplan show globals")


@contextmanager
def inbound(lab: Lab, agi_port: int) -> Iterator[str]:
    """A dialplan for calls that come in, as an administrator writes it; the channel that is such a call."""
    context = "webitel4-inbound"
    steps = [
        "Answer()",
        f"Set(CALLERID(num)={CALLER})",
        f"AGI(agi://127.0.0.1:{agi_port}/lookup)",
        "Set(GLOBAL(W4_LOOKUP)=${LOOKUP}/${LOOKUP_NAME}/${LOOKUP_DEBT}/${LOOKUP_ORDERS})",
        f"Queue({QUEUE},,,,20)",
    ]
    for n, step in enumerate(steps, 1):
        laboratory.rx(lab, "pbx", f"dialplan add extension s,{n},{step} into {context}")
    try:
        yield f"Local/s@{context}"
    finally:
        laboratory.rx(lab, "pbx", "channel request hangup all")
        laboratory.rx(lab, "pbx", f"dialplan remove context {context}")
