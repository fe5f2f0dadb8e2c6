"""The lab is what it says: behaviours by number, real SIP causes, real device states, least rights."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import lab_in, wait_quiet
from raw_ami import Message, RawAmi

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = pytest.mark.asterisk

ALLOWED = {
    "Ping": {},
    "CoreStatus": {},
    "CoreSettings": {},
    "CoreShowChannels": {},
    "Getvar": {"Variable": "QUEUE_MEMBER(astdialer,ready)"},
    "QueueStatus": {},
    "ListCommands": {},
    "ShowDialPlan": {"Context": "astdialer-answered"},
    "QueuePause": {"Interface": "PJSIP/agent3", "Paused": "false"},
    "Hangup": {"Channel": "none"},
    "Redirect": {"Channel": "none", "Context": "astdialer-hangup", "Exten": "s", "Priority": "1"},
}
REFUSED = {
    "Command": {"Command": "core show version"},
    "GetConfig": {"Filename": "manager.conf"},
    "UpdateConfig": {"SrcFilename": "manager.conf", "DstFilename": "manager.conf"},
    "MixMonitor": {"Channel": "none"},
    "AGI": {"Channel": "none", "Command": "answer"},
    "ModuleLoad": {"LoadType": "reload"},
    "DBPut": {"Family": "a", "Key": "b"},
    "Filter": {"Operation": "Add", "Filter": "Event: .*"},
}


@pytest.fixture
def ami(quiet_lab: Lab) -> Iterator[RawAmi]:
    with RawAmi(quiet_lab) as session:
        assert session.login["Response"] == "Success"
        yield session


@pytest.mark.parametrize(
    ("number", "cause", "sip_code"),
    [
        ("447700900201", "17", "486"),
        ("447700900401", "1", "404"),
        ("447700900501", "21", "403"),
        ("447700900601", "34", "503"),
        ("447700910000", "1", "404"),
        ("99921234", "17", "486"),
        ("+447700900299", "17", "486"),
        ("07700900250", "17", "486"),
        ("99821234", "17", "486"),
    ],
)
def test_a_refused_call_has_the_cause_of_its_number(ami: RawAmi, number: str, cause: str, sip_code: str) -> None:
    hangup = ami.wait("Hangup", Uniqueid=ami.originate(number))

    assert hangup["Cause"] == cause
    assert hangup.get("TechCause", sip_code) == sip_code  # Asterisk before 22.7 does not send it


@pytest.mark.parametrize("number", ["447700900001", "447700900101", "447700900701", "447700900901", "99900"])
def test_these_numbers_answer_after_ringing_and_stay(ami: RawAmi, number: str) -> None:
    call = ami.originate(number, Data="1")

    assert ami.wait("DialState", DestUniqueid=call)["DialStatus"] == "RINGING"
    assert ami.wait("OriginateResponse", Uniqueid=call)["Reason"] == "4"
    assert ami.wait("Hangup", Uniqueid=call)["ChannelStateDesc"] == "Up"


@pytest.mark.parametrize("number", ["447700900801", "99800"])
def test_the_far_end_of_a_short_call_hangs_up(ami: RawAmi, number: str) -> None:
    assert ami.wait("Hangup", within_s=5, Uniqueid=ami.originate(number))["Cause"] == "16"


def test_a_number_that_nobody_answers_rings_until_the_timeout(ami: RawAmi) -> None:
    call = ami.originate("447700900301", timeout_s=1.5)

    assert ami.wait("OriginateResponse", Uniqueid=call)["Reason"] == "3"
    assert ami.wait("Hangup", Uniqueid=call)["ChannelStateDesc"] == "Ringing"


def test_the_pbx_can_dial_through_its_own_rules(ami: RawAmi) -> None:
    call = ami.originate("", Channel="Local/447700900201@from-internal/n")

    assert ami.wait("Hangup", Uniqueid=call)["Cause"] == "17"


def agents_of(ami: RawAmi) -> dict[str, Message]:
    ami.events.clear()
    ami.action("QueueStatus", Queue="astdialer")
    ami.wait("QueueStatusComplete")
    return {event["Location"]: event for event in ami.events if event.get("Event") == "QueueMember"}


def test_agents_are_real_sip_devices(ami: RawAmi, lab: Lab) -> None:
    agents = agents_of(ami)

    assert set(agents) == {f"PJSIP/agent{n}" for n in range(1, lab.agents + 1)}
    assert agents["PJSIP/agent1"]["Name"] == "Lab Agent 1"
    assert {agent["Status"] for agent in agents.values()} == {"1"}


def test_an_agent_rings_talks_and_is_free_again(ami: RawAmi) -> None:
    call = queue_call(ami, "447700900001")

    ringing = ami.wait("AgentCalled", Uniqueid=call)
    assert ringing["CallerIDNum"] == "447700900001"
    ami.wait("QueueMemberStatus", Interface=ringing["Interface"], Status="6")
    ami.wait("QueueMemberStatus", Interface=ringing["Interface"], Status="2")
    complete = ami.wait("AgentComplete", Uniqueid=call)
    assert int(complete["TalkTime"]) in range(3, 6)
    ami.wait("QueueMemberStatus", Interface=ringing["Interface"], Status="1")


def test_nobody_takes_a_call_of_behaviour_9(ami: RawAmi) -> None:
    call = queue_call(ami, "447700900901")

    # The limit is 2 s, the phone rings on for its 4 s: timeoutpriority=conf.
    assert ami.wait("AgentRingNoAnswer", Uniqueid=call)["RingTime"] == "4000"
    ami.wait("QueueCallerAbandon", Uniqueid=call)
    ami.wait("Hangup", Uniqueid=call)


def queue_call(ami: RawAmi, number: str) -> str:
    """Call a person and connect them to an agent by the project's own dialplan, past the engine."""
    variables = [
        f"ASTDIALER_NUMBER={number}",
        "ASTDIALER_QUEUE=astdialer",
        "ASTDIALER_LIMIT=2",
        f"ASTDIALER_SAFE_HARBOUR={laboratory.sounds()}/beep",
    ]
    unique_id = f"test-queue-{number}"
    fields = [
        ("Channel", f"PJSIP/{number}@carrier"),
        ("Context", "astdialer-queue"),
        ("Exten", "s"),
        ("Priority", "1"),
        ("ChannelId", unique_id),
        ("Async", "true"),
        *[("Variable", variable) for variable in variables],
    ]
    assert ami.actions("Originate", fields)["Response"] == "Success"
    return unique_id


@pytest.mark.parametrize("action", ALLOWED)
def test_the_manager_user_may(ami: RawAmi, action: str) -> None:
    assert ami.action(action, **ALLOWED[action]).get("Message") != "Permission denied"


@pytest.mark.parametrize("action", REFUSED)
def test_the_manager_user_may_not(ami: RawAmi, action: str) -> None:
    assert ami.action(action, **REFUSED[action])["Message"] == "Permission denied"


@pytest.mark.parametrize("application", ["System", "AGI", "MixMonitor", "TrySystem", "ExecIf"])
def test_the_manager_user_may_not_run_programs(ami: RawAmi, application: str) -> None:
    response = ami.action(
        "Originate", Channel="PJSIP/447700900001@carrier", Application=application, Data="id", Async="true"
    )

    assert response["Response"] == "Error"


def test_a_wrong_secret_is_refused(quiet_lab: Lab) -> None:
    with RawAmi(quiet_lab, secret="wrong") as session:
        assert session.login["Response"] == "Error"


def test_the_systems_directories_are_not_used(lab: Lab) -> None:
    settings = laboratory.rx(lab, "pbx", "core show settings")
    places = dict(re.findall(r"^  ([^:\n]+):\s+(/.*)$", settings, re.MULTILINE))

    for name in ("Configuration", "Spool", "Log", "VarLib", "Run/Sockets"):
        place = Path(places[f"{name} directory"])
        assert place.is_relative_to(lab.directory) or place.parent.name.startswith("astlab-")
    assert Path(places["ASTDB"]).is_relative_to(lab.directory)


def test_it_listens_on_one_address_only(lab: Lab) -> None:
    with socket.socket() as neighbour:
        neighbour.bind(("127.0.0.2", lab.ami_port))  # fails when Asterisk has the port on every address


def test_the_logs_have_no_errors(lab: Lab) -> None:
    for which in ("pbx", "carrier"):
        log = (lab.directory / which / "log" / "full.log").read_text()
        boot = log.split("Asterisk Ready", 1)[0]
        assert [line for line in boot.splitlines() if "ERROR" in line or "WARNING" in line] == []


def test_up_again_leaves_a_running_lab_alone(lab: Lab) -> None:
    before = laboratory.status(lab.directory)

    assert laboratory.up(lab.directory, agents=lab.agents, say=lambda text: None) == lab
    assert [each.pid for each in laboratory.status(lab.directory).instances] == [each.pid for each in before.instances]
    assert laboratory.load(lab.directory) == lab


def test_a_second_lab_lives_beside_the_first_and_its_pbx_can_die(lab: Lab, tmp_path: Path) -> None:
    with lab_in(tmp_path / "second", agents=1) as second:
        laboratory.kill_pbx(second)
        assert not laboratory.status(second.directory).up
        laboratory.start_pbx(second)
        assert laboratory.status(second.directory).up
        laboratory.restart_pbx(second)
        with RawAmi(second) as session:
            assert session.login["Response"] == "Success"
            assert list(agents_of(session)) == ["PJSIP/agent1"]
        assert wait_quiet(second) == []
    status = laboratory.status(second.directory)
    assert [each.alive for each in status.instances] == [False, False]
    assert laboratory.status(lab.directory).up


def test_a_lab_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 60) / ("e" * 60)

    with lab_in(directory) as found:
        assert laboratory.status(found.directory).up
