"""uContact's API over a real socket, and what it does on a real Asterisk."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from dialing import calls_at_carrier, consistent, log_size, number, wait_for
from floor import QUEUE, STAYS, Floor, floor_on, phones, talks

from astdialer import lab as laboratory
from astdialer.lab import Lab, sounds

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(200)]

REQUESTS = {
    each["id"]: each
    for each in json.loads((Path(__file__).parents[1] / "requests.json").read_text())
    if each["id"].startswith("UC-")
}
OUTCOMES = "Sale=success;No|Never again=blacklist;Later=reschedule"
TEAM = {"mode": "progressive", "queue": QUEUE, "outcomes": OUTCOMES}


class Portal:
    """A client as uContact's integrations are written: it logs in, and sends forms with the token it got."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.url = f"http://127.0.0.1:{floor.http_port}"
        secret = floor.run("token", "create", "crm", "--role", "integration").stdout.split()[0]
        self.client = httpx.Client(base_url=self.url, timeout=40)
        login = self.client.post("/Integra/resources/auth/getUserToken", data={"user": "crm", "password": secret})
        assert (login.status_code, login.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        self.headers = {"Authorization": f"Basic {login.text}"}

    def send(self, path: str, body: bytes | str, content_type: str) -> httpx.Response:
        headers = self.headers | {"Content-Type": content_type}
        return self.client.post(path, content=body, headers=headers)

    def post(self, path: str, **fields: Any) -> httpx.Response:
        """Objects go as JSON text."""
        texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items()}
        body = str(httpx.QueryParams(texts))
        return self.send(f"/Integra/resources/{path}", body, "application/x-www-form-urlencoded; charset=UTF-8")

    def result(self, path: str, **fields: Any) -> str:
        """The text of an answer that is 200."""
        answer = self.post(path, **fields)
        assert answer.status_code == 200, answer.text
        return answer.text

    def records(self, **wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post(
            "Cdr/getrecords", lastrow="0", searchLimit="50", random="1", filter=wanted
        ).json()
        return found


@pytest.fixture(scope="module")
def portal(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A running service in Uruguay, where uContact's examples are from, and a client of it. Each test has campaigns of
    its own."""
    with floor_on(lab, tmp_path_factory.mktemp("ucontact"), STAYS) as floor:
        text = floor.config.read_text().replace('default_country = "GB"', 'default_country = "UY"')
        floor.config.write_text(text + "\n[webhooks]\nallow_private = true\n")
        floor.serve()
        made = Portal(floor)
        yield made
        made.client.close()


# --- each request as it stands ---------------------------------------------------------------------------------------

#: What a request of the source document leaves open.
FILLED = {"UC-22": {"timezone": "America/Montevideo"}}


def _body(request: dict[str, Any]) -> str:
    """As a client writes it: objects as JSON in their field, and where no field is named, the object itself."""
    body = REQUESTS["UC-01"]["body"] | {"data": "{}", "form": "f"} if request["id"] == "UC-02" else request["body"]
    if isinstance(body, list):
        return json.dumps(body)
    fields = body | FILLED.get(request["id"], {})
    return str(httpx.QueryParams({k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}))


def _expected(request_id: str) -> tuple[int, str, str]:
    """Status, kind and text; a shape is looked at by itself."""
    text, shape = "text/plain; charset=utf-8", "application/json"
    if request_id in ("UC-01", "UC-02", "UC-03"):
        return 200, text, "0"  # nobody is called <agent>
    if request_id == "UC-04":
        return 400, text, "Parâmetros errados: Campanha vazia"
    if request_id == "UC-11":
        return 200, text, ""
    return (200, shape, "") if request_id in ("UC-09", "UC-23", "UC-24", "UC-25") else (200, text, "1")


def _alike(answer: Any, sample: Any) -> None:
    """The same keys in the same order, and values of the same kinds."""
    assert list(answer) == list(sample)
    known = {key: type(value) for key, value in sample.items() if value is not None}
    assert {key: type(answer[key]) for key in known} == known


def test_each_request_of_the_source_document_as_it_stands(portal: Portal, tmp_path: Path) -> None:
    floor = portal.floor
    for name in ("Campaign", "Ventas->", "Sales->", "nombreCampana<-", "nombreCampana->", "prueba1"):
        floor.rules(name, mode="broadcast", sound="hello", outcomes=OUTCOMES)
    floor.rules("test->", mode="progressive", queue=QUEUE)
    base = tmp_path / "basetest.csv"
    base.write_text("Ventas->;098344484;;\n")
    floor.run("upload", str(base))
    gsm = floor.records / "20160118" / "7e4e7db9-f080-494e-b04b-7c8e47711558.gsm"
    gsm.parent.mkdir(parents=True)
    shutil.copy(sounds() / "announcement.gsm", gsm)
    wait_for(lambda: (floor.view() or {}).get("queues"), "the engine knows the queues", 20, floor.tail)
    for request_id, request in sorted(REQUESTS.items()):
        assert request["method"] == "POST"
        answer = portal.send(request["path"], _body(request), request["content_type"])
        status, kind, text = _expected(request_id)
        assert (answer.status_code, answer.headers["content-type"]) == (status, kind), f"{request_id} {answer.text}"
        if kind != "application/json":
            assert answer.text == text, f"{request_id}: {answer.headers}"
        else:
            _shape(request_id, answer.json(), request["expect"]["body"])
    _what_they_did(portal, gsm)


def _shape(request_id: str, answer: Any, sample: Any) -> None:
    if request_id == "UC-09":
        assert answer == []  # of 2015
    elif request_id == "UC-23":
        assert [each.get("queue") for each in answer] == ["test->", None]
        _alike(answer[0], sample[0])
        _alike(answer[-1], sample[-1])
    elif request_id == "UC-24":
        assert list(answer) == ["test->"]
        _alike(answer["test->"], sample["test->"])
    else:
        agents = sorted(["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3", f"PJSIP/{STAYS}"])
        assert (next(iter(answer)), sorted(list(answer)[1:])) == ("test->", agents)
        _alike(answer["test->"], sample["test->"])
        for agent in agents:
            _alike(answer[agent], sample["SIP/1010"])


def _what_they_did(portal: Portal, gsm: Path) -> None:
    floor = portal.floor
    assert portal.client.get(f"/records/20160118/{gsm.stem}.mp3", headers=portal.headers).status_code == 200
    assert floor.rows("SELECT * FROM blacklist") == []
    (put_back,) = floor.contacts("Ventas->")
    assert (put_back["state"], put_back["params"], put_back["agentphone"]) == (
        "waiting",
        '{"Par1": "Val1", "Par2": "Val2"}',
        "1001",
    )
    (scheduled,) = floor.contacts("Sales->")
    assert (scheduled["rank"], scheduled["main_number"]) == (0, "+59898344484")
    assert [row["rank"] for row in floor.contacts("nombreCampana<-")] == [1], "the second one is the same wish"
    assert [row["rank"] for row in floor.contacts("nombreCampana->")] == [2, 0], "a list has each number once"
    wait_for(lambda: floor.contacts("prueba1"), "the base is loaded", 20, floor.tail)
    (loaded,) = floor.contacts("prueba1")
    assert (loaded["main_number"], loaded["agentphone"]) == ("+59898344484", "1001")


# --- a base, from its upload to its results --------------------------------------------------------------------------


class Hook:
    """Takes webhooks on loopback."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        bodies = self.bodies

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                bodies.append(json.loads(self.rfile.read(size)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_base_and_a_task_are_dialed_and_their_results_recordings_and_webhooks_come_back(
    portal: Portal, hook: Hook
) -> None:
    floor = portal.floor
    floor.rules("Mayo->", **TEAM, agents="agent1,agent2", amd="true")
    floor.run("webhook", "create", hook.url, "--event", "attempt.closed", "--campaign", "Mayo->")
    talking, busy, task = number(0, 1), number(2, 1), number(0, 2)
    rows = f"Mayo->;{talking};name=Ana:due=7;H=0={number(3, 1)};9999;\nMayo->;{busy};;;1;\n"
    answer = portal.result(
        "Dialers/uploadbase",
        filename="lista mayo.csv",
        fileb64=base64.b64encode(rows.encode()).decode(),
        campaign="Mayo->",
        cant="2",
        username="u",
    )
    assert answer == "1"
    wait_for(lambda: len(floor.contacts("Mayo->")) == 2, "the base is loaded", 20, floor.tail)
    call = {"calldate": None, "campaign": "Mayo->", "destination": task, "alternatives": "", "agent": ""}
    more = {"data": "order=5", "source": "crm", "bulk": False, "automatic": True}
    assert portal.result("Dialers/DialerTask", call=call | more) == "1"
    with _away(portal.floor.lab, STAYS):  # who would talk for a minute
        floor.start("Mayo->")
        floor.wait_finished("Mayo->")
    consistent(floor)
    _results_are_read_back(portal, talking, busy, task)
    wait_for(lambda: len(hook.bodies) >= 3, "three calls are told of", 20, floor.tail)
    told = {body["data"]["number"]: body["data"]["disposition"] for body in hook.bodies}
    assert told == {talking: "answered", busy: "busy", task: "answered"}
    _queue_agrees(portal)


@contextmanager
def _away(lab: Lab, agent: str, reason: str = "away") -> Iterator[None]:
    """The agent is paused for a while."""
    laboratory.rx(lab, "pbx", f"queue pause member PJSIP/{agent} queue {QUEUE} reason {reason}")
    try:
        yield
    finally:
        laboratory.rx(lab, "pbx", f"queue unpause member PJSIP/{agent} queue {QUEUE}")


def _results_are_read_back(portal: Portal, talking: str, busy: str, task: str) -> None:
    records = portal.records(campaign="Mayo->")
    assert [record["calldate"] for record in records] == sorted(record["calldate"] for record in records)
    by_number = {record["dst"]: record for record in records}
    assert {dst: record["disposition"] for dst, record in by_number.items()} == {
        talking: "ANSWERED",
        busy: "BUSY",
        task: "ANSWERED",
    }
    record = by_number[talking]
    assert (record["parandvalues"], record["alternatives"]) == ("name=Ana:due=7", f"H=0={number(3, 1)}")
    assert (record["dialerbase"], record["lastapp"], record["lastdata"]) == ("lista_mayo", "Queue", QUEUE)
    assert (by_number[task]["dialerbase"], by_number[task]["parandvalues"]) == ("tasks", "order=5")
    assert by_number[busy]["causecode"] == "17"
    agent = record["peeraccount"]
    assert {each["dst"] for each in portal.records(agent=agent)} >= {talking}
    assert [each["dst"] for each in portal.records(destination=busy)] == [busy]
    assert [each["dst"] for each in portal.records(campaign="Mayo->", mindur="1", exclude=talking)] == [task]
    _a_recording_is_heard(portal, record)


def _a_recording_is_heard(portal: Portal, record: dict[str, Any]) -> None:
    """In the four places that clients try, the first one or the second has it."""
    guid, folder = record["guid"], record["calldate"][:10].replace("-", "")
    whole = portal.client.get(f"/records/{folder}/{guid}.mp3", headers=portal.headers)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/mpeg")
    assert whole.content == (portal.floor.records / folder / f"{guid}.mp3").read_bytes()
    part = portal.client.get(f"/records/{guid}.mp3", headers=portal.headers | {"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    token = portal.headers["Authorization"].removeprefix("Basic ")
    player = httpx.get(f"{portal.url}/records/{folder}/{guid}.mp3", auth=("crm", token))
    assert player.content == whole.content
    assert httpx.get(f"{portal.url}/records/{folder}/{guid}.mp3").status_code == 401
    assert portal.client.get(f"/records/{folder}/{guid}.gsm", headers=portal.headers).status_code == 404
    assert portal.result("Supervisor/convert", guid=guid, folder=folder) == "1", "it is there already"


def _queue_agrees(portal: Portal) -> None:
    """What the API says of the queue is what app_queue says, who is paused and for how long included."""
    with _away(portal.floor.lab, "agent3", "lunch"):
        began = time.monotonic()
        wait_for(lambda: _member(portal, "agent3")["paused"], "the pause is seen", 10, portal.floor.tail)
        assert _status(portal)["paused"] == 1
        wait_for(lambda: _counts(portal) == _asterisks(portal.floor.lab), "the figures are the queue's own", 20)
        assert _status(portal)["completed"] >= 2
        member = _member(portal, "agent3")
        assert (member["status"], member["paused"], member["pausedreason"]) == (1, True, "lunch")
        assert 0 <= _seconds(member["server"]) <= time.monotonic() - began + 2
        assert member["name"] == "Lab Agent 3"
        summary = portal.post("Supervisor/queuesummary").json()
        assert {"queue": "Mayo->", "loggedIn": 4}.items() <= next(r for r in summary if r["queue"] == "Mayo->").items()


def _status(portal: Portal) -> dict[str, Any]:
    found: dict[str, Any] = portal.post("Supervisor/campaignstatus").json()["Mayo->"]
    return found


def _member(portal: Portal, agent: str) -> dict[str, Any]:
    found: dict[str, Any] = portal.post("Supervisor/campaignstatus", queue="Mayo->").json()[f"PJSIP/{agent}"]
    return found


def _counts(portal: Portal) -> tuple[int, int, str, str]:
    status = _status(portal)
    return status["completed"], status["abandoned"], status["strategy"], status["slevelthreshold"]


def _asterisks(lab: Lab) -> tuple[int, int, str, str]:
    """From ``… in 'rrmemory' strategy (…), W:1, C:2, A:0, SL:0.0%, SL2:0.0% within 15s``."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", laboratory.rx(lab, "pbx", f"queue show {QUEUE}")).splitlines()[0]
    found = re.search(r"in '(\w+)' strategy .* C:(\d+), A:(\d+),.* within (\d+)s", line)
    assert found, line
    return int(found[2]), int(found[3]), found[1], found[4]


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


# --- an agent's calls ------------------------------------------------------------------------------------------------


def test_an_agents_call_from_its_first_ring_to_what_came_of_it(portal: Portal) -> None:
    floor = portal.floor
    floor.rules("Out->", **TEAM)
    floor.rules("Again->", **TEAM)
    floor.wait_free(STAYS)
    at = log_size(floor.lab)
    guid = _called(portal, number(0, 3))
    _the_agent_talks(portal, guid)
    assert portal.result("Agents/TagRecord", phone="", guid=guid, data="gold") == ""
    cti = portal.post("Agents/CTI", phone=STAYS).json()
    assert (cti["guid"], cti["Dialer"]["destination"]) == (guid, number(0, 3))
    assert portal.result("Agents/HangupPhone", phone=STAYS) == "1"
    (ended,) = floor.wait_closed("Out->", 1)
    assert (ended["id"], ended["disposition"], ended["agent"]) == (guid, "answered", f"PJSIP/{STAYS}")
    assert portal.result("Agents/HangupPhone", phone=STAYS) == "0", "there is no call any more"
    (record,) = portal.records(data="GOLD")
    assert (record["guid"], record["src"], record["peeraccount"]) == (guid, "59829001234", STAYS)
    _a_disposition_is_chosen(portal, guid)
    _spool_and_blacklist(portal, cti["Dialer"])
    _a_context_that_the_dialplan_has_is_taken(portal)
    assert calls_at_carrier(floor.lab, at)[number(0, 3)] == 2, "by hand, and respooled"
    consistent(floor)


def _called(portal: Portal, destination: str) -> str:
    """A context of uContact's own does not hinder: the call goes by the campaign's trunk."""
    answer = portal.post(
        "Agents/AgentCallwithData",
        callerid="59829001234",
        agent="",
        phone=STAYS,
        tech="SIP",
        context="CTX_agents",
        outqueue="Out->",
        destination=destination,
        data='{"order": 7}',
        form="https://crm.example.com/form",
    )
    assert (answer.status_code, len(answer.text)) == (200, 36), answer.headers
    return answer.text


def _a_context_that_the_dialplan_has_is_taken(portal: Portal) -> None:
    floor = portal.floor
    floor.wait_free(STAYS)
    fields = {"phone": STAYS, "context": "from-internal", "outqueue": "Again->", "destination": number(2, 5)}
    guid = portal.result("Agents/AgentCall", **fields)
    (ended,) = floor.wait_closed("Again->", 1)
    assert (ended["id"], ended["disposition"]) == (guid, "busy")
    assert ended["channel"].startswith("Local/447700900205@from-internal")


def _the_agent_talks(portal: Portal, guid: str) -> None:
    floor = portal.floor
    wait_for(lambda: floor.of("Out->")[0]["state"] == "connected", "both talk", 20, floor.tail)
    (row,) = floor.of("Out->")
    assert (row["id"], row["number"]) == (guid, number(0, 3))
    assert row["dialed_at"] > row["created_at"], "the agent's telephone rang first"
    channel = talks(floor.lab)[STAYS]
    assert 'CONTACT_data={"order": 7}' in channel
    assert "CONTACT_form=https://crm.example.com/form" in channel
    assert phones(floor.lab)[STAYS] == 1


def _a_disposition_is_chosen(portal: Portal, guid: str) -> None:
    said = {"campaign": "Out->", "agent": STAYS, "callerid": number(0, 3), "guid": guid, "d1": "", "d2": ""}
    later = said | {"l1": "later", "schedule": "2030-01-01 10:00:00", "camptoreschedule": "Again->"}
    assert portal.post("api/DispositionCall", **later).status_code == 400, "too far away"
    answer = portal.post("api/DispositionCall", **said, l1="sale")
    assert (answer.status_code, answer.json()) == (200, {"Result": "ok", "txtcode": "Sale"})
    (contact,) = portal.floor.contacts("Out->")
    assert (contact["state"], contact["successful"], contact["tag"]) == ("done", 1, "Sale")


def _spool_and_blacklist(portal: Portal, dialer: dict[str, Any]) -> None:
    """The contact is put back and called again; one that is blacklisted meanwhile is not called."""
    floor = portal.floor
    other = {"campaign": "Out->", "destination": number(0, 4), "alternatives": "", "agent": "", "calldate": None}
    assert portal.result("Dialers/DialerTask", call=other | {"bulk": True, "automatic": False}) == "1"
    black = {"phone": number(0, 4), "campaign": "Out->", "username": "u"}
    assert portal.result("admin/addblack", black=black) == "1"
    again = dialer | {"retries": 0, "agentphone": STAYS}
    assert portal.result("Dialers/Respool", callspool=again) == "1"
    floor.start("Out->")
    wait_for(lambda: len(floor.of("Out->")) == 2, "it is called again", 30, floor.tail)
    wait_for(lambda: floor.of("Out->")[1]["state"] == "connected", "and talks", 30, floor.tail)
    assert portal.result("Agents/HangupPhone", phone=STAYS) == "1"
    floor.wait_closed("Out->", 2)
    assert {row["contact_id"] for row in floor.of("Out->")} == {floor.contacts("Out->")[0]["id"]}
    barred = floor.contacts("Out->")[1]
    assert (barred["state"], barred["end_reason"], barred["main_number"]) == ("done", "blacklisted", number(0, 4))
