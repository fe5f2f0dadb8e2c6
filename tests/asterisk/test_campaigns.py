"""Campaigns through the real Asterisk: every behaviour, every mode, and what is left of each call."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialing import (
    ANNOUNCEMENT,
    ENDS,
    MESSAGE,
    Dialer,
    consistent,
    dialer_on,
    number,
    wait_for,
)
from labs import channels, lab_in

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

AGENTS = {"mode": "progressive", "queue": "astdialer", "amd": "true"}


@pytest.fixture
def dialer(lab: Lab, tmp_path: Path) -> Iterator[Dialer]:
    with dialer_on(lab, tmp_path) as found:
        found.trunk()
        yield found


def test_every_behaviour_with_agents(dialer: Dialer) -> None:
    numbers = [number(b, n) for b in range(10) for n in range(2)]
    dialer.campaign("team", numbers, **AGENTS)
    dialer.serve()
    dialer.run("campaign", "start", "team")
    seen: set[int] = set()
    end = time.monotonic() + 180
    while dialer.state("team") != "finished":
        seen |= {row["code"] for row in (dialer.view() or {"agents": []})["agents"]}
        assert time.monotonic() < end, dialer.tail()
        time.sleep(0.1)
    dialer.wait_finished("team")
    consistent(dialer)
    assert dialer.ends() == {n: ENDS[n.removeprefix("+447700900")[0]] for n in numbers}
    assert {1, 2, 6, 9} <= seen, "idle, talking, ringing and wrap-up were seen"
    _facts_are_kept(dialer)
    _recordings_can_be_heard(dialer)


def _facts_are_kept(dialer: Dialer) -> None:
    """Raw causes, SIP codes, AMD's verdict and who hung up stand beside each disposition."""
    by_behaviour = {row["dst"].removeprefix("+447700900")[0]: row for row in dialer.rows("SELECT * FROM cdrs")}
    facts = {b: (row["causecode"], row["sip_code"]) for b, row in by_behaviour.items()}
    assert facts["2"] == (17, 486)
    assert facts["4"] == (1, 404)
    assert facts["5"] == (21, 403)
    assert facts["6"] == (34, 503)
    assert facts["3"][0] == 19
    assert by_behaviour["0"]["amd_verdict"] == "HUMAN"
    assert by_behaviour["0"]["agent"].startswith("PJSIP/agent")
    assert by_behaviour["0"]["hung_up_by"] == "agent"
    assert 2 < by_behaviour["0"]["talk_s"] < 10
    assert by_behaviour["0"]["billsec"] >= by_behaviour["0"]["talk_s"]
    assert by_behaviour["1"]["amd_verdict"] == "MACHINE"
    assert by_behaviour["7"]["amd_cause"].startswith("INITIALSILENCE")
    assert by_behaviour["8"]["hung_up_by"] == "contact"
    assert by_behaviour["2"]["ring_s"] == 0 < by_behaviour["3"]["ring_s"]


def _recordings_can_be_heard(dialer: Dialer) -> None:
    rows = {row["guid"]: row for row in dialer.ask("records", "list", "--limit", "100")}
    talks = [row for row in dialer.rows("SELECT * FROM cdrs") if row["disposition"] == "answered"]
    assert talks
    for talk in talks:
        recording = rows[talk["guid"]]
        path = Path(recording["path"])
        assert path.parent.name == talk_date(talk)
        assert path.name == talk["guid"] + ".mp3"
        assert not path.with_suffix(".gsm").exists()
        seconds, loudness = listen(path)
        assert seconds == pytest.approx(recording["duration_s"], abs=0.5)
        assert talk["talk_s"] - 0.5 < seconds < talk["billsec"] + 1.5
        assert loudness > -45, "somebody is heard"
        assert dialer.run("records", "find", talk["guid"]).stdout.strip().endswith(str(path))


def talk_date(cdr: dict[str, object]) -> str:
    """The call's own date, in UTC as the lab has it."""
    return time.strftime("%Y%m%d", time.gmtime(int(str(cdr["calldate"])) / 1000))


def listen(path: Path) -> tuple[float, float]:
    """Seconds and mean loudness (dB) of an audio file, decoded by ffmpeg."""
    report = subprocess.run(
        ["ffmpeg", "-hide_banner", "-i", str(path), "-af", "volumedetect", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    hours, minutes, seconds = report.rpartition("time=")[2].split()[0].split(":")
    loudness = float(report.partition("mean_volume: ")[2].split()[0])
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds), loudness


def test_a_broadcast_plays_and_keeps_the_key_that_was_pressed(dialer: Dialer) -> None:
    numbers = [number(0, 1), "+447700900091", number(1, 1), number(8, 1)]
    sound = {"mode": "broadcast", "sound": str(ANNOUNCEMENT), "key_wait_s": "4"}
    dialer.campaign("news", numbers, **sound, amd="true", message=str(MESSAGE))
    dialer.serve()
    dialer.run("campaign", "start", "news")
    dialer.wait_finished("news")
    consistent(dialer)
    assert dialer.ends() == dict(zip(numbers, ["answered", "answered", "machine", "short"], strict=True))
    keys = {row["dst"]: row["keypress"] for row in dialer.rows("SELECT dst, keypress FROM cdrs")}
    assert keys["+447700900091"] == "5"
    assert keys[numbers[0]] == ""
    [machine] = dialer.rows("SELECT * FROM attempts WHERE number = ?", number(1, 1))
    assert (machine["action"], machine["result"]) == ("message", "message")
    assert machine["gone_at"] - machine["answered_at"] > 7000, "its greeting was waited for"


def test_numbers_go_out_through_a_local_channel_as_on_freepbx(dialer: Dialer) -> None:
    dialer.run("trunk", "set", "carrier", "--dial", "Local/{number}@from-internal")
    numbers = [number(b, 5) for b in (0, 2, 3, 4, 5, 6)]
    dialer.campaign("pbx", numbers, mode="broadcast", sound=str(ANNOUNCEMENT), originate_timeout_s="8")
    dialer.serve()
    dialer.run("campaign", "start", "pbx")
    dialer.wait_finished("pbx")
    consistent(dialer)
    assert dialer.ends() == {n: ENDS[n.removeprefix("+447700900")[0]] for n in numbers}
    codes = {row["dst"].removeprefix("+447700900")[0]: row["sip_code"] for row in dialer.rows("SELECT * FROM cdrs")}
    assert (codes["2"], codes["4"], codes["6"]) == (486, 404, 503)


def test_power_places_its_lines_for_each_agent_and_never_more(dialer: Dialer) -> None:
    numbers = [number(3, n) for n in range(30)]
    dialer.campaign("power", numbers, mode="power", queue="astdialer", lines_per_agent="3")
    dialer.serve()
    dialer.run("campaign", "start", "power")
    wait_for(lambda: len(dialer.attempts()) >= 9, "nine calls for three agents", 30, dialer.tail)
    time.sleep(1)
    live = [row for row in dialer.attempts() if row["state"] != "closed"]
    assert len(live) <= 9
    binding = dialer.ask("campaign", "explain", "power")
    assert binding["limit"] == "all free agents are covered"
    dialer.run("campaign", "stop", "power", "--hang-up")
    wait_for(lambda: dialer.state("power") == "stopped", "the campaign stops", 30, dialer.tail)
    consistent(dialer)
    assert {row["disposition"] for row in dialer.attempts()} <= {"canceled", "no_answer"}
    assert channels(dialer.lab) == []


def test_paused_agents_get_no_calls_and_their_reason_is_shown(dialer: Dialer) -> None:
    dialer.campaign("quiet", [number(0, n) for n in range(3)], **AGENTS)
    dialer.serve()
    rx = laboratory.rx
    for agent in range(1, 4):
        rx(dialer.lab, "pbx", f"queue pause member PJSIP/agent{agent} queue astdialer reason lunch")
    try:
        wait_for(lambda: [row["paused"] for row in dialer.ask("agent", "list")] == [True] * 3, "all are paused")
        assert {row["pause_reason"] for row in dialer.ask("agent", "list")} == {"lunch"}
        dialer.run("campaign", "start", "quiet")
        wait_for(lambda: dialer.ask("campaign", "explain", "quiet")["limit"] == "no agent is logged in", "it is said")
        assert dialer.attempts() == []
    finally:
        for agent in range(1, 4):
            rx(dialer.lab, "pbx", f"queue unpause member PJSIP/agent{agent} queue astdialer")
    dialer.wait_finished("quiet")
    assert set(dialer.ends().values()) == {"answered"}


def test_changes_on_the_way_pause_blacklist_limits_and_hours(dialer: Dialer) -> None:
    numbers = [number(2, n) for n in range(6)]
    dialer.campaign("steps", numbers, mode="broadcast", sound=str(ANNOUNCEMENT), calling_hours="00:00-00:01")
    dialer.run("blacklist", "add", numbers[3], "--reason", "asked not to be called")
    dialer.serve()
    dialer.run("campaign", "start", "steps")
    if time.strftime("%H:%M", time.gmtime()) != "00:00":
        wait_for(lambda: _limit(dialer) == "outside calling hours", "hours bind", 20, dialer.tail)
        assert dialer.ask("campaign", "explain", "steps")["until"] > time.time() * 1000
    dialer.run("trunk", "set", "carrier", "--disabled")
    dialer.run("campaign", "set", "steps", "calling_hours=00:00-24:00")
    wait_for(lambda: _limit(dialer) == "the trunk can't be used", "the trunk binds", 20, dialer.tail)
    dialer.run("campaign", "pause", "steps")
    dialer.run("trunk", "set", "carrier", "--enabled")
    wait_for(lambda: _limit(dialer) == "not running", "the pause binds", 20, dialer.tail)
    assert dialer.attempts() == []
    dialer.run("campaign", "resume", "steps")
    dialer.wait_finished("steps")
    consistent(dialer)
    ends = dialer.ends()
    assert ends.pop(numbers[3]) == "blacklisted"
    assert set(ends.values()) == {"busy"}


def _limit(dialer: Dialer) -> str:
    return str(dialer.ask("campaign", "explain", "steps")["limit"])


def test_one_live_call_per_number_across_campaigns(dialer: Dialer) -> None:
    shared = [number(3, 7), number(3, 8)]
    sound = {"mode": "broadcast", "sound": str(ANNOUNCEMENT)}
    dialer.campaign("first", shared, **sound)
    dialer.campaign("second", shared, **sound)
    dialer.serve()
    dialer.run("campaign", "start", "first")
    dialer.run("campaign", "start", "second")
    wait_for(lambda: len(dialer.attempts()) == 4, "both campaigns have dialed both numbers", 90, dialer.tail)
    dialer.wait_finished("first")
    dialer.wait_finished("second")
    for wanted in shared:
        calls = [row for row in dialer.attempts() if row["number"] == wanted]
        assert len(calls) == 2
        assert calls[0]["closed_at"] <= calls[1]["created_at"], "one after the other"


def test_retries_follow_the_rule_and_alternatives_follow_the_main_number(dialer: Dialer) -> None:
    rows = [f"{number(2, 1)};a=1;{number(4, 1)}:{number(0, 1)}"]
    dialer.campaign("retry", rows, mode="broadcast", sound=str(ANNOUNCEMENT), retry_busy="2/60")
    dialer.serve()
    dialer.run("campaign", "start", "retry")
    dialer.wait_finished("retry")
    calls = [(row["number"], row["disposition"]) for row in dialer.attempts()]
    assert calls == [(number(2, 1), "busy"), (number(4, 1), "invalid_number"), (number(0, 1), "answered")]
    [contact] = dialer.ask("contact", "list")
    shown = dialer.ask("contact", "show", str(contact["id"]))
    assert shown["end_reason"] == "answered"
    assert [n["end_reason"] for n in shown["numbers"]] == ["answered", "invalid_number", "answered"]


def test_two_asterisks_in_one_engine(lab: Lab, tmp_path: Path) -> None:
    with lab_in(tmp_path / "second") as second, dialer_on(lab, tmp_path / "dialer") as dialer:
        other = second.config_file.read_text().partition("[agi]")[0].partition("[ami]")[2]
        dialer.config.write_text(dialer.config.read_text().replace("[agi]", f"[ami.servers.second]{other}\n[agi]"))
        dialer.trunk()
        dialer.run("trunk", "create", "far", "--dial", "PJSIP/{number}@carrier", "--server", "second", "--cps", "20")
        numbers = [number(b, 60) for b in (0, 2, 4)]
        dialer.campaign("here", numbers, mode="broadcast", sound=str(ANNOUNCEMENT))
        dialer.campaign("there", [number(b, 61) for b in (0, 2, 4)], **AGENTS | {"trunk": "far"})
        dialer.serve()
        dialer.run("campaign", "start", "here")
        dialer.run("campaign", "start", "there")
        dialer.wait_finished("here")
        dialer.wait_finished("there")
        consistent(dialer)
        assert dialer.ends() == {n: ENDS[n.removeprefix("+447700900")[0]] for n in dialer.ends()}
        servers = {(row["campaign"], row["server"]) for row in dialer.rows("SELECT campaign, server FROM cdrs")}
        assert servers == {("here", "default"), ("there", "second")}
        laboratory.kill_pbx(second)
        wait_for(lambda: not _server(dialer, "second")["up"], "the second one's death is seen", 30, dialer.tail)
        assert _server(dialer, "default")["up"], "the first goes on"


def _server(dialer: Dialer, name: str) -> dict[str, object]:
    view = dialer.view()
    assert view is not None
    found: dict[str, object] = next(row for row in view["servers"] if row["server"] == name)
    return found


def test_a_channel_that_cannot_be_made_and_a_dialplan_that_is_missing(dialer: Dialer) -> None:
    dialer.run("trunk", "set", "carrier", "--dial", "PJSIP/{number}@nowhere")
    numbers = [number(0, n) for n in range(40)]
    dialer.campaign("lost", numbers, mode="broadcast", sound=str(ANNOUNCEMENT), max_calls="2")
    dialer.serve()
    dialer.run("campaign", "start", "lost")

    def refused() -> bool:
        said = dialer.ask("campaign", "explain", "lost")
        return bool(said["limit"] == "Asterisk refuses the calls") and "is there such an endpoint" in said["detail"]

    wait_for(refused, "the trunk's fault is seen and said", 40, dialer.tail)
    assert len(dialer.attempts()) < 10, "a broken trunk does not burn the base"
    dialer.run("trunk", "set", "carrier", "--dial", "PJSIP/{number}@carrier")
    dialer.run("campaign", "stop", "lost", "--hang-up")
    wait_for(lambda: dialer.state("lost") == "stopped", "the campaign stops", 30, dialer.tail)
    consistent(dialer)
    ended = [end for end in dialer.ends().values() if end]
    assert 1 <= len(ended) <= 4
    assert set(ended) == {"failed"}


def test_equal_campaigns_share_their_agents(dialer: Dialer) -> None:
    for name, behaviour in (("left", 4), ("right", 5)):
        numbers = [number(behaviour, n) for n in range(12)]
        dialer.campaign(name, numbers, mode="progressive", queue="astdialer")
    dialer.run("trunk", "set", "carrier", "--cps", "4")
    dialer.run("campaign", "start", "left")
    dialer.run("campaign", "start", "right")
    dialer.serve()  # only now: however slow the commands are, neither campaign is ahead
    dialer.wait_finished("left")
    dialer.wait_finished("right")
    order = [row["campaign_id"] for row in dialer.attempts()]
    assert len(set(order[4:12])) == 2, "neither waits until the other has done"


def test_the_screen_shows_campaigns_agents_and_trunks(dialer: Dialer) -> None:
    dialer.campaign("screen", [number(3, n) for n in range(3)], **AGENTS)
    dialer.serve()
    dialer.run("campaign", "start", "screen")
    wait_for(lambda: "ringing" in json.dumps((dialer.view() or {}).get("campaigns", [])), "it rings", 20, dialer.tail)
    text = dialer.run("top", "--once").stdout
    assert "screen" in text
    assert "Lab Agent 1" in text
    assert "carrier" in text
    dialer.run("campaign", "stop", "screen", "--hang-up")
    wait_for(lambda: dialer.state("screen") == "stopped", "the campaign stops", 30, dialer.tail)
