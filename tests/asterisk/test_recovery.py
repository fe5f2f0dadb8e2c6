"""What dies in the middle of a campaign: the engine, the AMI link, Asterisk. No call lost, none dialed twice."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialing import (
    ANNOUNCEMENT,
    ENDS,
    Dialer,
    calls_at_carrier,
    consistent,
    dialer_on,
    log_size,
    number,
    wait_for,
)
from labs import lab_in

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

NUMBERS = [number(b, n) for n in range(10, 16) for b in range(9)]


class Wire:
    """A TCP proxy in front of AMI that can be cut and mended."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._is_cut = True
        for end in self._open:
            end.close() if end.fileno() == -1 else end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """The end."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        source.close()
        sink.close()


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    found = Wire(lab.ami_port)
    yield found
    found.close()


def _expected(numbers: set[str]) -> dict[str, str]:
    return {n: ENDS[n.removeprefix("+447700900")[0]] for n in numbers}


def _none_twice(dialer: Dialer, lab: Lab, since: int) -> None:
    consistent(dialer)
    sent = Counter(row["number"] for row in dialer.attempts() if not row["refusal"])
    assert set(sent.values()) == {1}, "one attempt for each decision"
    seen = calls_at_carrier(lab, since)
    assert max(seen.values()) == 1, "the carrier saw no number twice"


def test_an_ami_cut_in_the_middle(lab: Lab, tmp_path: Path, wire: Wire) -> None:
    since = log_size(lab)
    with dialer_on(lab, tmp_path, ami_port=wire.port) as dialer:
        dialer.trunk(cps=10)
        dialer.campaign("cut", NUMBERS, mode="broadcast", sound=str(ANNOUNCEMENT), amd="true", max_calls="60")
        dialer.serve()
        dialer.run("campaign", "start", "cut")
        wait_for(lambda: len(dialer.attempts()) >= 20, "calls are placed", 30, dialer.tail)
        live: set[str] = set()
        for _ in range(2):
            wire.cut()
            live |= {row["number"] for row in dialer.attempts() if row["state"] != "closed"}
            wait_for(lambda: not dialer.view()["servers"][0]["up"], "the cut is seen", 10, dialer.tail)  # type: ignore[index]
            said = dialer.ask("campaign", "explain", "cut")
            assert said["limit"] in ("Asterisk is down", "nothing is due", "not running", "no contacts left")
            time.sleep(2)
            live |= {row["number"] for row in dialer.attempts() if row["state"] != "closed"}
            wire.mend()
            wait_for(lambda: dialer.view()["servers"][0]["up"], "the link is back", 30, dialer.tail)  # type: ignore[index]
            time.sleep(1.5)
        dialer.wait_finished("cut")
        _none_twice(dialer, lab, since)
        ends = dialer.ends()
        unknown = {n for n, end in ends.items() if end == "unknown"}
        assert unknown <= live
        known = set(ends) - unknown
        assert {n: ends[n] for n in known} == _expected(known)
        agents = {row["agent"]: row["status"] for row in dialer.ask("agent", "list")}
        assert agents == {f"PJSIP/agent{n}": "NOT_INUSE" for n in (1, 2, 3)}, "the mirror is right after the cut"


def test_a_talk_goes_on_while_the_engine_is_dead(lab: Lab, tmp_path: Path) -> None:
    with dialer_on(lab, tmp_path) as dialer:
        dialer.trunk()
        dialer.campaign("talk", [number(0, n) for n in range(20, 23)], mode="progressive", queue="astdialer")
        dialer.serve()
        dialer.run("campaign", "start", "talk")
        wait_for(
            lambda: any(row["state"] == "connected" for row in dialer.attempts()), "an agent talks", 30, dialer.tail
        )
        dialer.kill()
        talking = {row["id"] for row in dialer.attempts() if row["state"] == "connected"}
        time.sleep(0.3)
        dialer.serve()
        dialer.wait_finished("talk")
        consistent(dialer)
        assert len(dialer.attempts()) == 3
        ended = {row["id"]: row for row in dialer.attempts()}
        for attempt in talking:
            assert ended[attempt]["disposition"] == "answered"
            assert ended[attempt]["agent"].startswith("PJSIP/agent")
        assert {row["disposition"] for row in dialer.attempts()} <= {"answered", "unknown"}


def test_an_asterisk_restart_in_the_middle(tmp_path: Path) -> None:
    with lab_in(tmp_path / "lab") as own, dialer_on(own, tmp_path / "dialer") as dialer:
        dialer.trunk(cps=10)
        settings = {"mode": "progressive", "queue": "astdialer", "amd": "true"}
        numbers = [number(b, n) for n in range(30, 34) for b in range(9)]
        dialer.campaign("crash", numbers, **settings)
        dialer.serve()
        dialer.run("campaign", "start", "crash")
        wait_for(lambda: len(dialer.attempts()) >= 8, "calls are placed", 60, dialer.tail)
        laboratory.kill_pbx(own)
        live = {row["number"] for row in dialer.attempts() if row["state"] != "closed"}
        wait_for(lambda: not dialer.view()["servers"][0]["up"], "the death is seen", 30, dialer.tail)  # type: ignore[index]
        assert dialer.ask("agent", "list") == [], "nothing is claimed about agents that nobody sees"
        laboratory.start_pbx(own)
        wait_for(lambda: len(dialer.ask("agent", "list")) == 3, "the agents are back", 60, dialer.tail)
        dialer.wait_finished("crash", 180)
        _none_twice(dialer, own, 0)
        ends = dialer.ends()
        assert set(ends) == set(numbers)
        undisturbed = set(numbers) - live
        assert {n: ends[n] for n in undisturbed} == _expected(undisturbed)
        assert {ends[n] for n in live} <= {"unknown", "answered", *_expected(live).values()}


def test_an_engine_that_stops_in_order_leaves_calls_to_the_next(lab: Lab, tmp_path: Path) -> None:
    since = log_size(lab)
    with dialer_on(lab, tmp_path) as dialer:
        dialer.trunk()
        numbers = [number(3, n) for n in range(40, 46)]
        dialer.campaign("restart", numbers, mode="broadcast", sound=str(ANNOUNCEMENT), originate_timeout_s="10")
        dialer.serve()
        dialer.run("campaign", "start", "restart")
        wait_for(lambda: len(dialer.attempts()) == 6, "all are dialed", 30, dialer.tail)
        dialer.stop()
        assert dialer.run("campaign", "explain", "restart").stdout.startswith(
            "restart is running. What binds: the engine"
        )
        second = dialer.run("agent", "list", check=False)
        assert second.returncode == 69
        dialer.serve()
        dialer.wait_finished("restart")
        _none_twice(dialer, lab, since)
        assert set(dialer.ends().values()) == {"no_answer"}


def test_two_engines_on_one_store_are_refused(lab: Lab, tmp_path: Path) -> None:
    with dialer_on(lab, tmp_path) as dialer:
        dialer.trunk()
        dialer.serve()
        second = dialer.run("serve", check=False)
        assert second.returncode == 1
        assert "another astdialer serve runs" in second.stderr
