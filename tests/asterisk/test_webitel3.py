"""Webitel v3 over a real socket: the requests of the source as they stand, and what comes of them on Asterisk."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from dialing import ANNOUNCEMENT, number, wait_for
from floor import Floor, floor_on

from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
REQUESTS = {
    each["id"]: each
    for each in json.loads((ROOT / "requests.json").read_text(encoding="utf-8"))
    if each["id"][1] == "3"
}
DIALER, MEMBER, OTHER = "5947d253877320000ca427a7", "5949067198ff9f000ca9a264", "571f2e2e6ea6478aba60581a"
KEY = "8fd26a17-eb28-4c74-aa6f-a3794f4f466c"
PATH = "/api/v2/dialer"
HOUR_MS = 3_600_000
#: As often as the test likes.
FREELY = {"attempts_per_day": 0, "attempts_per_week": 0, "min_ring_s": 0}


class Receiver(ThreadingHTTPServer):
    """Takes webhooks."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Taking)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def of(self, word: str, **wanted: Any) -> list[dict[str, Any]]:
        """What came of this name, with these values."""
        names = ("Event-Name", "Event-Subclass")
        found = [body for body in self.bodies if word in [body.get(name) for name in names]]
        return [body for body in found if all(body.get(key) == value for key, value in wanted.items())]


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nowhere."""


class Site:
    """A client of Webitel, with a domain token, and the dialer behind it."""

    def __init__(self, floor: Floor, receiver: Receiver) -> None:
        self.floor, self.receiver = floor, receiver
        made = floor.ask("token", "create", "crm", "--role", "integration", "--tenant", "site", "--jwt")
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{floor.http_port}", headers={"X-Access-Token": made["secret"]}, timeout=30
        )
        self.calendar = self.made("/api/v2/calendars", {
            "name": "WorksDay",
            "timeZone": {"id": "UTC"},
            "accept": [{"weekDay": day, "startTime": 0, "endTime": 1440} for day in range(1, 8)],
        })  # fmt: skip

    def send(self, name: str, headers: dict[str, str] | None = None, **ids: str) -> httpx.Response:
        """A request of the source as it stands, but for the ids of what the server made."""
        request = REQUESTS[name]
        path = request["path"]
        for was, now in ((DIALER, ids.get("dialer")), (OTHER, ids.get("dialer")), (MEMBER, ids.get("member"))):
            path = path.replace(was, now) if now else path
        body = b"" if request["body"] is None else json.dumps(request["body"]).encode()
        kinds = {"Content-Type": request["content_type"]} if request["content_type"] else {}
        return self.http.request(request["method"], path, content=body, headers=kinds | (headers or {}))

    def data(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["status"] == "OK"
        return found.get("data", found.get("info"))

    def made(self, path: str, body: Any) -> str:
        (new,) = self.data("POST", path, body)["insertedIds"]
        return str(new)

    def dialer(self, kind: str, **more: Any) -> str:
        """The path of a dialer on the lab's carrier."""
        document = {
            "name": f"{kind} {time.monotonic_ns()}",
            "type": kind,
            "calendar": {"id": self.calendar},
            "parameters": {"limit": 3, "originateTimeout": 10, "maxTryCount": 5, "intervalTryCount": 60},
            "resources": [
                {
                    "dialedNumber": r"^44(\d+)$",
                    "destinations": [{"gwName": "carrier", "dialString": "44$1", "limit": 5}],
                }
            ],
            "agentParams": {"callTimeout": 10, "wrapUpTime": 1},
            "astdialer": FREELY,
        }
        return f"{PATH}/{self.made(PATH, document | more)}"

    def member(self, dialer: str, behaviour: int, n: int, **more: Any) -> str:
        """The path of a member whose number behaves so."""
        communications = [{"number": number(behaviour, n).lstrip("+")}]
        return f"{dialer}/members/{self.made(f'{dialer}/members', {'communications': communications} | more)}"

    def wait(self, path: str, what: str, condition: Any, within_s: float = 60) -> dict[str, Any]:
        """Until a document is as it should be."""
        wait_for(lambda: condition(self.data("GET", path)), what, within_s, self.floor.tail)
        found: dict[str, Any] = self.data("GET", path)
        return found


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    receiver = Receiver()
    taking = threading.Thread(target=receiver.serve_forever)
    taking.start()
    try:
        with floor_on(lab, tmp_path_factory.mktemp("webitel3")) as floor:
            config = floor.config.read_text().replace("[http]\n", '[http]\ntenant_queues = ["site:astdialer"]\n')
            floor.config.write_text(config + "\n[webhooks]\nallow_private = true\n")
            floor.run("webhook", "create", receiver.url, "--form", "webitel")
            floor.serve()
            found = Site(floor, receiver)
            yield found
            found.http.close()
    finally:
        receiver.shutdown()
        receiver.server_close()
        taking.join()


def envelope(new: str) -> dict[str, Any]:
    """Of an insert, as the source has it."""
    found: dict[str, Any] = copy.deepcopy(REQUESTS["W3-01"]["expect"]["body"])
    found["data"]["insertedIds"] = [new]
    return found


def inserted(answer: httpx.Response) -> str:
    """The new id, of an answer that is the source's but for it."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    (new,) = answer.json()["data"]["insertedIds"]
    assert answer.json() == envelope(new)
    assert len(new) == 24
    assert int(new, 16)
    return str(new)


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"status", "info"}
    assert answer.json()["status"] == "error"
    return answer.status_code, answer.json()["info"]


# --- the requests of the source --------------------------------------------------------------------------------------


def test_every_request_of_the_source_as_it_stands(site: Site) -> None:
    dialer = inserted(site.send("W3-01"))
    path = f"{PATH}/{dialer}"
    _the_document_is_kept(site, path)
    _its_ids_are_nobodys_here(site, dialer)
    _it_starts_once_its_trunk_is_there(site, path)
    _the_member_of_the_source_has_expired(site, dialer)
    _members_are_shown_changed_terminated_and_removed(site, dialer)
    other = site.send("W3-13", {"X-Key": KEY}, dialer=dialer)
    shown = site.data("GET", f"{path}/members/{inserted(other)}")
    assert {key: shown[key] for key in ("name", "timezone", "variables")} == {
        key: REQUESTS["W3-13"]["body"][key] for key in ("name", "timezone", "variables")
    }
    _it_is_stopped_and_removed(site, dialer)


def _the_document_is_kept(site: Site, path: str) -> None:
    shown = site.send("W3-03", dialer=path[-24:]).json()["data"]
    for destination in shown["resources"][0]["destinations"]:
        assert len(destination.pop("uuid")) == 36
    sent = REQUESTS["W3-01"]["body"]
    assert {key: shown[key] for key in sent} == sent
    assert (shown["_id"], shown["domain"], shown["state"], shown["active"]) == (path[-24:], "site", 0, False)
    answer = site.send("W3-02", dialer=path[-24:])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "data": {"ok": 1, "nModified": 1, "n": 1}})
    site.data("PUT", path, {"description": "changed"})
    assert site.data("GET", path)["description"] == "changed"


def _its_ids_are_nobodys_here(site: Site, dialer: str) -> None:
    nobody = (404, f"Not found {DIALER}")
    for name in ("W3-02", "W3-03", "W3-04", "W3-05", "W3-06", "W3-07", "W3-08", "W3-09", "W3-10", "W3-11", "W3-12"):
        assert refused(site.send(name)) == nobody, name
    assert refused(site.send("W3-13", {"X-Key": KEY})) == (404, f"Not found {OTHER}")
    absent = f"Not found {MEMBER} in dialer {dialer}"
    for name, expected in (
        ("W3-07", (404, absent)),
        ("W3-08", (404, f"Member {MEMBER} not found")),
        ("W3-09", (406, "Not Acceptable")),
        ("W3-10", (404, absent)),
        ("W3-11", (404, absent)),
        ("W3-12", (404, absent)),
    ):
        assert refused(site.send(name, dialer=dialer)) == expected, name
    stranger = httpx.get(f"{site.http.base_url}{PATH}/{dialer}", headers={"X-Access-Token": "eyJ0eXAiOi.x.y"})
    assert refused(stranger) == (401, "Invalid token")


def _it_starts_once_its_trunk_is_there(site: Site, path: str) -> None:
    status, info = refused(site.send("W3-05", dialer=path[-24:]))
    assert (status, "there is no trunk 'testDialer'" in info) == (400, True)
    site.floor.run("trunk", "create", "testDialer", "--dial", "PJSIP/{number}@carrier")
    answer = site.send("W3-05", dialer=path[-24:])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    shown = site.data("GET", path)
    assert (shown["state"], shown["active"], shown["_cause"]) == (1, True, "QUEUE_HUNTING")
    assert refused(site.http.put(f"{path}/state/2")) == (400, "Bad set state")


def _the_member_of_the_source_has_expired(site: Site, dialer: str) -> None:
    member = inserted(site.send("W3-06", dialer=dialer))
    shown = site.send("W3-07", dialer=dialer, member=member).json()["data"]
    assert (shown["_endCause"], shown["expire"], shown["_log"]) == ("MEMBER_EXPIRED", 1497992400000, [])
    assert [each["state"] for each in shown["communications"]] == [2, 2]
    wait_for(lambda: site.receiver.of("engine::dialer_member_end", id=member), "its end is told")
    (told,) = site.receiver.of("engine::dialer_member_end", id=member)
    assert (told["endCause"], told["reason"], told["dialerId"]) == ("MEMBER_EXPIRED", "expire", dialer)
    assert (told["name"], told["variable_productId"]) == ("Ivan Ivanov", "235444")
    assert site.floor.of("myPredictiveDialer") == []
    refusal = refused(site.send("W3-10", dialer=dialer, member=member))
    assert refusal == (400, f"Member {member}: result status false")


def _members_are_shown_changed_terminated_and_removed(site: Site, dialer: str) -> None:
    path = f"{PATH}/{dialer}"
    later = {"name": "Eva", "expire": int(time.time() * 1000) + HOUR_MS, "communications": [{"number": "60123456789"}]}
    quiet = site.dialer("Progressive Dialer", queue="astdialer")
    member = site.made(f"{quiet}/members", later)
    answer = site.send("W3-08", dialer=quiet[-24:], member=member)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "data": {"ok": 1, "nModified": 1, "n": 1}})
    site.data("PUT", f"{quiet}/members/{member}", {"name": "Ana"})
    assert site.data("GET", f"{quiet}/members/{member}")["name"] == "Ana"
    answer = site.send("W3-12", dialer=quiet[-24:], member=member)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "info": {"_id": member}})
    assert site.data("GET", f"{quiet}/members/{member}")["_endCause"] == "MANAGER_REQUEST"
    second = refused(site.send("W3-12", dialer=quiet[-24:], member=member))
    assert second == (405, "Not allow set terminate member")
    answer = site.send("W3-09", dialer=quiet[-24:], member=member)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "data": {"ok": 1, "n": 1}})
    assert refused(site.send("W3-09", dialer=quiet[-24:], member=member)) == (406, "Not Acceptable")
    assert site.data("GET", f"{path}/members/count") == 1


def _it_is_stopped_and_removed(site: Site, dialer: str) -> None:
    path = f"{PATH}/{dialer}"
    status, info = refused(site.send("W3-04", dialer=dialer))
    assert (status, "stop it first" in info) == (400, True)
    site.data("PUT", f"{path}/state/3")
    wait_for(lambda: site.floor.state("myPredictiveDialer") == "stopped", "the dialer has stopped", 20, site.floor.tail)
    states = [body["State"] for body in site.receiver.of("DC::CHANGE_STATE", **{"Dialer-Id": dialer})]
    wait_for(lambda: 3 in [body["State"] for body in _changes(site, dialer)], "its stop is told")
    assert states[:1] == [1]
    answer = site.send("W3-04", dialer=dialer)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "data": {"ok": 1, "n": 1}})
    assert refused(site.send("W3-03", dialer=dialer)) == (404, f"Not found {dialer}")
    wait_for(lambda: "myPredictiveDialer" not in _seen(site), "the engine has forgotten it", 20, site.floor.tail)


def _changes(site: Site, dialer: str) -> list[dict[str, Any]]:
    return site.receiver.of("DC::CHANGE_STATE", **{"Dialer-Id": dialer})


def _seen(site: Site) -> list[str]:
    return [row["campaign"] for row in (site.floor.view() or {"campaigns": []})["campaigns"]]


# --- what comes of them ----------------------------------------------------------------------------------------------


def test_members_are_dialed_and_their_results_are_taken(site: Site) -> None:
    """Agent first, on the real Asterisk; the results of the source decide what comes next."""
    waits = {"limit": 3, "originateTimeout": 10, "maxTryCount": 5, "intervalTryCount": 60}
    path = site.dialer(
        "Progressive Dialer",
        queue="astdialer",
        parameters=waits | {"waitingForResultStatus": True, "wrapUpTime": 120, "eternalQueue": True},
        variables={"source": "spring"},
    )
    dialer = path[-24:]
    stopped, closed, sold = (site.member(path, 0, n, name=f"Member {n}", variables={"n": n}) for n in (41, 42, 43))
    site.data("PUT", stopped, {"communications": [
        {"number": number(0, 41).lstrip("+"), "description": "mobile"},
        {"number": "380920000000"},
        {"number": "380930000000"},
    ]})  # fmt: skip
    site.data("PUT", f"{path}/state/1")
    for member in (stopped, closed, sold):
        held = site.wait(member, "the talk is over", lambda shown: shown["_waitingForResultStatusCb"] == 1)
        _the_talk_is_in_the_log(held)

    _a_failure_is_tried_again_in_an_hour(site, dialer, stopped)
    _all_numbers_but_the_next_are_closed(site, dialer, closed)
    _a_success_ends_the_member(site, sold)
    shown = site.data("GET", path)
    assert (shown["state"], shown["stats"]["callCount"], shown["stats"]["bridgedCall"]) == (1, 3, 3)
    rows = site.data("POST", f"{path}/agents/stats", {"agents": ["agent1", "agent2", "agent3"], "skills": []})
    assert sum(row["bridged_count"] for row in rows) == 3
    site.data("PUT", f"{path}/state/3")


def _the_talk_is_in_the_log(shown: dict[str, Any]) -> None:
    (line,) = shown["_log"]
    assert (line["cause"], line["causeQ850"], line["callAttempt"], line["callState"]) == ("NORMAL_CLEARING", 16, 1, 2)
    assert line["connectedTime"] <= line["bridgedTime"]
    assert line["talkSec"] >= 1
    assert line["agentId"].startswith("PJSIP/agent")
    assert (line["session"], shown["_probeCount"], shown["_lock"]) == (shown["_lastSession"], 1, None)


def _a_failure_is_tried_again_in_an_hour(site: Site, dialer: str, member: str) -> None:
    assert refused(site.send("W3-12", dialer=dialer, member=member[-24:])) == (405, "Not allow set terminate member")
    asked_at = int(time.time() * 1000)
    answer = site.send("W3-10", dialer=dialer, member=member[-24:])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "info": "success"})
    shown = site.data("GET", member)
    assert 0 <= shown["_nextTryTime"] - asked_at - HOUR_MS < 20_000
    states = {each["number"]: (each["state"], each["stopCommunication"]) for each in shown["communications"]}
    assert states == {
        number(0, 41).lstrip("+"): (0, False),
        "380920000000": (2, True),
        "380930000000": (2, True),
        "380910000000": (0, False),
    }
    assert shown["communications"][-1]["priority"] == 100
    assert shown["_log"][0]["callback"]["data"] == REQUESTS["W3-10"]["body"]
    (row,) = site.floor.rows("SELECT next_at, preferred FROM contacts WHERE id = ?", int(member[-16:], 16))
    assert (row["next_at"], row["preferred"]) == (shown["_nextTryTime"], "+380910000000")
    late = refused(site.send("W3-10", dialer=dialer, member=member[-24:]))
    assert late == (400, f"Member {member[-24:]}: result status false")


def _all_numbers_but_the_next_are_closed(site: Site, dialer: str, member: str) -> None:
    answer = site.send("W3-11", dialer=dialer, member=member[-24:])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "info": "success"})
    states = {each["number"]: each["state"] for each in site.data("GET", member)["communications"]}
    assert states == {number(0, 42).lstrip("+"): 2, "380910000000": 0}


def _a_success_ends_the_member(site: Site, member: str) -> None:
    site.data("PUT", f"{member}/status", {"success": True, "description": "sold"})
    shown = site.data("GET", member)
    assert (shown["_endCause"], shown["callSuccessful"]) == ("NORMAL_CLEARING", True)
    wait_for(lambda: site.receiver.of("engine::dialer_member_end", id=member[-24:]), "its end is told")
    (told,) = site.receiver.of("engine::dialer_member_end", id=member[-24:])
    assert (told["endCause"], told["reason"], told["currentProbe"]) == ("NORMAL_CLEARING", "callback", 1)
    assert (told["session"], told["agentId"]) == (shown["_lastSession"], shown["_log"][0]["agentId"])
    assert (told["name"], told["variable_n"], told["variable_domain_name"]) == ("Member 43", "43", "site")


def test_a_broadcast_is_heard_and_its_dialer_ends(site: Site) -> None:
    path = site.dialer("Voice Broadcasting", playbackFile={"uri": str(ANNOUNCEMENT)})
    heard, busy = site.member(path, 0, 51), site.member(path, 2, 52)
    added = site.http.post(f"{path}/members?autoRun=true", json={"communications": [{"number": "nonsense"}]})
    never = f"{path}/members/{inserted(added)}"
    shown = site.wait(heard, "the broadcast was heard", lambda found: found["_endCause"])
    assert (shown["_endCause"], shown["callSuccessful"], shown["_log"][0]["cause"]) == (
        "NORMAL_CLEARING", True, "NORMAL_CLEARING"
    )  # fmt: skip
    again = site.wait(busy, "the busy one was called", lambda found: found["_log"] and found["_log"][0]["cause"])
    assert (again["_log"][0]["cause"], again["_log"][0]["causeQ850"], again["_endCause"]) == ("USER_BUSY", 17, None)
    assert again["_nextTryTime"] - again["lastCall"] == 60_000
    assert site.data("GET", never)["_endCause"] == "INVALID_NUMBER_FORMAT"
    site.data("PUT", f"{busy}/terminate")
    ended = site.wait(path, "the dialer has ended", lambda found: found["state"] == 4)
    assert (ended["_cause"], ended["active"]) == ("QUEUE_COMPLETE", False)
    wait_for(lambda: [body["State"] for body in _changes(site, path[-24:])][-1:] == [4], "its end is told")
    assert _changes(site, path[-24:])[-1] == {
        "Event-Name": "DC::CHANGE_STATE",
        "Event-Domain": "site",
        "Event-Calling-Function": "end",
        "Dialer-Id": path[-24:],
        "Dialer-Name": ended["name"],
        "Type": "Voice Broadcasting",
        "State": 4,
        "Active": False,
        "Cause": "QUEUE_COMPLETE",
        "Members-Count": 0,
    }
