"""Twin24's API over a real socket to a running engine, whose calls go through the real Asterisk."""

import copy
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from dialing import ANNOUNCEMENT, Dialer, calls_at_carrier, consistent, dialer_on, log_size, number, wait_for

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

TELEPHONY = "/api/v1/telephony"
CONTEXT = "astdialer-scenarios"
TW_01 = next(
    each
    for each in json.loads((Path(__file__).parents[1] / "requests.json").read_text(encoding="utf-8"))
    if each["id"] == "TW-01"
)
SCENARIO = TW_01["body"]["defaultExecData"]


class Client:
    """An integration of Twin24, which has logged in."""

    def __init__(self, dialer: Dialer) -> None:
        self._root = f"http://127.0.0.1:{dialer.http_port}"
        secret = json.loads(dialer.run("token", "create", "crm", "--role", "integration", "--json").stdout)["secret"]
        self.token = ""
        told = self.ask("POST", "/api/v1/auth/login", {"email": "crm", "password": secret, "ttl": 3600})
        self.token = told["token"]

    def answer(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(self._root + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as taken:
                return taken.status, dict(taken.headers), json.load(taken)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.load(error)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a request that must succeed."""
        status, _, told = self.answer(method, path, body)
        assert status == 200, told
        return told

    def task(self, **changes: Any) -> str:
        """TW-01's task for people of the lab: its id."""
        body = copy.deepcopy(TW_01["body"]) | {"cidType": "default", "startType": "manual", "webhookUrls": []}
        body["additionalOptions"] |= {"detectRobot": False} | changes.pop("additionalOptions", {})
        return str(self.ask("POST", f"{TELEPHONY}/autoCall", body | changes)["id"]["identity"])

    def status(self, task_id: str) -> str:
        """Of a task."""
        return str(self.ask("GET", f"{TELEPHONY}/autoCall/{task_id}")["status"])

    def candidates(self, task_id: str) -> list[dict[str, Any]]:
        """All of a task."""
        query = urlencode({"autoCallId": task_id, "limit": 1000})
        return list(self.ask("GET", f"{TELEPHONY}/autoCallCandidate?{query}")["items"])


def person(task_id: str, phone: str, **more: Any) -> dict[str, Any]:
    return {"autoCallId": task_id, "phone": [phone.lstrip("+")]} | more


@pytest.fixture
def dialer(lab: Lab, tmp_path: Path) -> Iterator[Dialer]:
    with dialer_on(lab, tmp_path) as found, scenario(lab):
        found.config.write_text(found.config.read_text() + "\n[webhooks]\nallow_private = true\n")
        found.trunk()
        found.serve()
        yield found


@pytest.fixture
def client(dialer: Dialer) -> Client:
    return Client(dialer)


@contextmanager
def scenario(lab: Lab) -> Iterator[None]:
    """The robot: it says something, hands the call over, and says something more."""
    steps = (
        f"Playback({ANNOUNCEMENT})",
        "AGI(agi://${ASTDIALER_AGI}/redirected,${ASTDIALER_ID},${CONTACT_SECOND_EXEC_DATA})",
        f"Playback({ANNOUNCEMENT})",
        "Set(ASTDIALER_RESULT=played)",
        "Hangup()",
    )
    for at, step in enumerate(steps, 1):
        said = laboratory.rx(lab, "pbx", f"dialplan add extension {SCENARIO},{at},{step} into {CONTEXT}")
        assert "added" in said, said
    try:
        yield
    finally:
        laboratory.rx(lab, "pbx", f"dialplan remove context {CONTEXT}")


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server of webhooks: its address, and what has come."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", taken
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_tw_01_as_it_stands(dialer: Dialer, client: Client) -> None:
    status, headers, told = client.answer(TW_01["method"], TW_01["path"], TW_01["body"])
    assert status == TW_01["expect"]["http"]
    assert headers["content-type"] == TW_01["content_type"]
    identity = told["id"]["identity"]
    assert told == {"id": {"identity": identity}}

    shown = client.ask("GET", f"{TELEPHONY}/autoCall/{identity}")
    assert {key: shown[key] for key in TW_01["body"]} == TW_01["body"]
    [campaign] = dialer.rows("SELECT * FROM campaigns")
    assert json.loads(campaign["settings"])["calls_per_second"] == "3"

    # Its moment is long past, but nobody has said which number it may show: it waits, and dials nobody.
    wait_for(lambda: "caller_id" in dialer.rows("SELECT * FROM campaigns")[0]["explanation"], "that is said", 30)
    client.ask("POST", f"{TELEPHONY}/autoCallCandidate", person(identity, number(2, 1)))
    assert client.status(identity) == "READY"
    assert dialer.attempts() == []
    dialer.run("callerid", "create", TW_01["body"]["cidData"], "442079460001")
    wait_for(lambda: client.status(identity) == "FINISHED", "it begins and ends", 60, dialer.tail)
    assert [row["caller_id"] for row in dialer.attempts()] == ["442079460001"]
    consistent(dialer)


def test_cps_1_03_dials_three_a_second(dialer: Dialer, client: Client) -> None:
    since = log_size(dialer.lab)
    task_id = client.task(cps="1.03")
    numbers = [number(2, n) for n in range(21)]
    batch = [person(task_id, each) for each in numbers]
    told = client.ask("POST", f"{TELEPHONY}/autoCallCandidate/batch", {"batch": batch, "forceStart": True})
    assert told["count"] == len(numbers)
    seen: set[str] = set()

    def finished() -> bool:
        seen.update(row["limit"] for row in (dialer.view() or {"campaigns": []})["campaigns"])
        return client.status(task_id) == "FINISHED"

    wait_for(finished, "all are called", 120, dialer.tail)
    consistent(dialer)
    sent = sorted(row["dialed_at"] for row in dialer.attempts())
    assert len(sent) == len(numbers)
    for start in sent:
        assert sum(start <= at < start + 1000 for at in sent) <= 3
    assert sent[-1] - sent[0] >= 1000 * (len(numbers) - 1) / 3 - 1
    assert "the campaign's calls per second" in seen
    assert calls_at_carrier(dialer.lab, since) == dict.fromkeys(numbers, 1)
    assert {candidate["status"] for candidate in client.candidates(task_id)} == {"BUSY"}


def test_a_candidate_is_dialed_and_everybody_is_told(dialer: Dialer, client: Client) -> None:
    redial: dict[str, Any] = {
        name: {"redial": False} for name in ("noAnswer", "answerMash", "congestion", "answerNoList")
    }
    redial |= {"busy": {"redial": True, "time": 1, "count": 1}}
    with receiver() as (url, taken):
        task_id = client.task(
            webhookUrls=[{"url": url, "events": []}],
            redialStrategyOptions={"redialStrategyEn": True, **redial},
            additionalOptions={"detectRobot": "true", "fullListTime": 2},
        )
        talks = person(
            task_id,
            number(0, 1),
            variables={"Name": "Ana"},
            callbackData={"id_client": "123456"},
            clientExternalId="c-1",
        )
        batch = [talks, person(task_id, number(2, 1), clientExternalId="c-2")]
        client.ask("POST", f"{TELEPHONY}/autoCallCandidate/batch", {"batch": batch})
        assert client.status(task_id) == "BLANK"
        for move, status in (("play", "PROCESS"), ("pause", "PAUSED"), ("play", "PROCESS")):
            assert client.ask("POST", f"{TELEPHONY}/autoCall/{task_id}/{move}")["status"] == status
        wait_for(lambda: client.status(task_id) == "FINISHED", "both are called", 90, dialer.tail)
        events = ("CALL_REDIRECTED", "EFFICIENCY_REACHED", "RECALL_SCHEDULED")
        wait_for(
            lambda: (
                {*events} <= {body["event"] for body in taken}
                and sum(body["event"] == "CALL_ENDED" for body in taken) == 3
                and sum(body["event"] == "CANDIDATE_CHANGED" for body in taken) == 2
                and any(body.get("status") == "FINISHED" for body in taken)
            ),
            "the webhooks arrive",
            60,
            lambda: json.dumps(taken) + dialer.tail(),
        )
    consistent(dialer)
    _is_told(client, task_id, taken)
    reached, busy = client.candidates(task_id)
    assert (reached["status"], reached["isEffective"], reached["isDone"]) == ("ANSWERED", True, True)
    assert (busy["status"], busy["reason"]) == ("BUSY", "MAX_TRY_COUNT")
    assert [call["status"] for call in busy["calls"]] == ["BUSY", "BUSY"], "one call and one redial"
    assert client.ask("POST", f"{TELEPHONY}/autoCall/{task_id}/halted")["status"] == "HALTED"
    assert client.answer("POST", f"{TELEPHONY}/autoCall/{task_id}/play")[0] == 400
    [cdr] = dialer.rows("SELECT * FROM cdrs WHERE dst = ?", number(0, 1))
    assert (cdr["disposition"], cdr["amd_verdict"]) == ("answered", "HUMAN")


def _is_told(client: Client, task_id: str, taken: list[dict[str, Any]]) -> None:
    """The talk, by its webhooks and by the search."""
    mine = [body for body in taken if body.get("callbackData") == {"id_client": "123456"}]
    kinds = {body["event"]: body for body in mine}
    ended, changed, redirected = (kinds[name] for name in ("CALL_ENDED", "CANDIDATE_CHANGED", "CALL_REDIRECTED"))
    assert (ended["status"], ended["callTo"], ended["variables"]) == ("ANSWERED", number(0, 1)[1:], {"Name": "Ana"})
    assert (changed["taskId"], changed["lastCallId"]) == (task_id, ended["id"])
    channel = TW_01["body"]["secondExecData"]
    assert (redirected["id"], redirected["redirectDestinationId"]) == (ended["id"], channel)
    query = urlencode({"fields": "currentStatusName,number", "taskId": task_id, "id": changed["lastCallId"]})
    found = client.ask("GET", f"/api/v1/search/cis/sessions?{query}")
    assert found["items"] == [{"id": ended["id"], "currentStatusName": "ANSWERED", "number": number(0, 1)[1:]}]
