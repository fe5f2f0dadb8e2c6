"""One AMI message in, the facts it holds out. Pure; one table by event name.

Whose event it is: an attempt's channel has the attempt's id, a UUID of 36 characters, as its Uniqueid. Channels that
came into being for it (a Local channel's trunk leg, an agent's phone) have another Uniqueid and the attempt's id as
Linkedid. A UUID that some other program chose passes as well; the engine knows its own.

Times are ms since 1970 UTC. Asterisk's LastCall is in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.domain.amd import Action
from astdialer.domain.queue import QueueFigures
from astdialer.ports import LiveChannel, MemberGone, MemberMissed, MemberSeen, MemberTalk, QueueCall, TelephonyEvent

Message = Mapping[str, str]
Facts = tuple[TelephonyEvent, ...]

_UUID_LENGTH = 36
_ORIGINATE = "originate-"
_RINGING, _UP = "5", "6"  # AST_STATE_RINGING, AST_STATE_UP


def translate(server: str, message: Message, at: int) -> Facts:
    """The facts in an event, in order; none if it is of no interest. `at` is when it was read."""
    rule = _RULES.get(message.get("Event", ""))
    return rule(server, message, at) if rule else ()


def is_attempt_id(text: str) -> bool:
    """Whether it has the shape of an attempt's id; cheap, for every event passes here."""
    return len(text) == _UUID_LENGTH and text[8] == text[13] == text[18] == text[23] == "-"


def sip_code(tech_cause: str) -> int:
    """The code in TechCause: `486` (Asterisk 22.10), or `SIP 486 Busy Here`; 0 if there is none."""
    return next((int(word) for word in tech_cause.split() if word.isdecimal()), 0)


def live_channel(message: Message) -> LiveChannel:
    """A CoreShowChannel item."""
    state = message.get("ChannelState", "")
    return LiveChannel(
        uniqueid=message.get("Uniqueid", ""),
        linkedid=message.get("Linkedid", ""),
        channel=message.get("Channel", ""),
        is_up=state == _UP,
        is_ringing=state == _RINGING,
    )


def queue_member(server: str, message: Message) -> QueueMember:
    """A member, from an event (MemberName, Interface) or an item of QueueStatus (Name, Location)."""
    return QueueMember(
        server=server,
        queue=message.get("Queue", ""),
        interface=message.get("Interface") or message.get("Location", ""),
        name=message.get("MemberName") or message.get("Name", ""),
        status=_status(message.get("Status", "")),
        paused=message.get("Paused") == "1",
        pause_reason=message.get("PausedReason", ""),
        in_call=message.get("InCall") == "1",
        last_call_at=_number(message, "LastCall") * 1000,
        wrap_up_s=_number(message, "Wrapuptime"),
        calls_taken=_number(message, "CallsTaken"),
        penalty=_number(message, "Penalty"),
        state_interface=message.get("StateInterface", ""),
    )


def queue_figures(server: str, message: Message, summary: Message) -> QueueFigures:
    """A queue, from its QueueParams of QueueStatus and its item of QueueSummary, which may be empty."""
    return QueueFigures(
        server=server,
        queue=message.get("Queue", ""),
        strategy=message.get("Strategy", ""),
        waiting=_number(message, "Calls"),
        longest_wait_s=_number(summary, "LongestHoldTime"),
        logged_in=_number(summary, "LoggedIn"),
        available=_number(summary, "Available"),
        completed=_number(message, "Completed"),
        abandoned=_number(message, "Abandoned"),
        hold_s=_number(message, "Holdtime"),
        talk_s=_number(message, "TalkTime"),
        service_level_s=_number(message, "ServiceLevel"),
        service_level=_decimal(message, "ServicelevelPerf"),
        service_level_2=_decimal(message, "ServicelevelPerf2"),
    )


def _number(message: Message, name: str) -> int:
    text = message.get(name, "")
    return int(text) if text.isdecimal() else 0


def _decimal(message: Message, name: str) -> float:
    text = message.get(name, "")
    return float(text) if text.replace(".", "", 1).isdecimal() else 0.0


def _status(text: str) -> AgentStatus:
    code = int(text) if text.isdecimal() else 0
    return AgentStatus(code) if code < AgentStatus.WRAPUP else AgentStatus.UNKNOWN


def _own(message: Message, prefix: str = "") -> str:
    """The attempt whose own channel this is, or nothing."""
    uniqueid = message.get(prefix + "Uniqueid", "")
    return uniqueid if is_attempt_id(uniqueid) else ""


def _behind(message: Message, prefix: str = "") -> str:
    """The attempt behind whose channel this one is, or nothing."""
    linkedid = message.get(prefix + "Linkedid", "")
    return linkedid if is_attempt_id(linkedid) else ""


def _originate_response(_server: str, message: Message, at: int) -> Facts:
    # By ActionID: Uniqueid is the live call's when an id is refused as taken, and may be `<unknown>`.
    action_id = message.get("ActionID", "")
    attempt = action_id.removeprefix(_ORIGINATE)
    if attempt == action_id or not is_attempt_id(attempt):
        return ()
    success = message.get("Response") == "Success"
    ended = ev.OriginateEnded(attempt_id=attempt, at=at, success=success, reason=_number(message, "Reason"))
    return (ended, ev.Answered(attempt_id=attempt, at=at)) if success else (ended,)


def _new_channel(_server: str, message: Message, at: int) -> Facts:
    attempt = _own(message)
    return (ev.ChannelCreated(attempt_id=attempt, at=at, channel=message.get("Channel", "")),) if attempt else ()


def _new_state(_server: str, message: Message, at: int) -> Facts:
    # Only of the own channel: the agent's phone rings too. A Local channel's ;1 shows Ringing when its trunk leg does.
    attempt = _own(message)
    state = message.get("ChannelState")
    if not attempt or state not in (_RINGING, _UP):
        return ()
    return (ev.Ringing(attempt_id=attempt, at=at) if state == _RINGING else ev.Answered(attempt_id=attempt, at=at),)


def _dial_state(_server: str, message: Message, at: int) -> Facts:
    attempt = _own(message, "Dest")
    rings = attempt and message.get("DialStatus") == "RINGING"
    return (ev.Ringing(attempt_id=attempt, at=at),) if rings else ()


def _dial_end(_server: str, message: Message, at: int) -> Facts:
    # What was dialed is in the Dest fields; the others are of the channel that dialed, which an Originate has not.
    status = message.get("DialStatus", "")
    if attempt := _own(message, "Dest"):
        return (ev.DialEnded(attempt_id=attempt, at=at, dial_status=status),)
    if attempt := _behind(message, "Dest"):
        return (ev.LegEnded(attempt_id=attempt, at=at, dial_status=status),)
    return ()


def _hangup_request(_server: str, message: Message, at: int) -> Facts:
    attempt = _own(message)
    return (ev.HangupAsked(attempt_id=attempt, at=at, by_contact=True),) if attempt else ()


def _soft_hangup_request(_server: str, message: Message, at: int) -> Facts:
    attempt = _own(message)
    return (ev.HangupAsked(attempt_id=attempt, at=at, by_contact=False),) if attempt else ()


def _hangup(_server: str, message: Message, at: int) -> Facts:
    own = _own(message)
    attempt = own or _behind(message)
    if not attempt:
        return ()
    cause, code = _number(message, "Cause"), sip_code(message.get("TechCause", ""))
    if own:
        return (ev.HungUp(attempt_id=attempt, at=at, cause=cause, sip_code=code),)
    return (ev.LegEnded(attempt_id=attempt, at=at, cause=cause, sip_code=code),)


def _queue_join(_server: str, message: Message, at: int) -> Facts:
    attempt = _own(message)
    return (ev.ActionTaken(attempt_id=attempt, at=at, action=Action.QUEUE),) if attempt else ()


def _talk(server: str, message: Message, at: int, *, in_call: bool) -> MemberTalk:
    interface, queue = message.get("Interface", ""), message.get("Queue", "")
    return MemberTalk(server=server, queue=queue, interface=interface, in_call=in_call, at=at)


def _queue_call(server: str, message: Message, at: int, *, taken: bool) -> QueueCall:
    # Uniqueid is the caller in the queue, DestUniqueid the agent's phone.
    cid = message.get("CallerIDNum", "")
    return QueueCall(
        server=server,
        queue=message.get("Queue", ""),
        interface=message.get("Interface", ""),
        uniqueid=message.get("Uniqueid", ""),
        cid="" if cid == "<unknown>" else cid,
        taken=taken,
        at=at,
    )


def _agent_called(server: str, message: Message, at: int) -> Facts:
    return (_queue_call(server, message, at, taken=False),)


def _agent_connect(server: str, message: Message, at: int) -> Facts:
    # RingTime is in seconds here.
    call, talk = _queue_call(server, message, at, taken=True), _talk(server, message, at, in_call=True)
    attempt = _own(message)
    if not attempt:
        return call, talk
    ring_s = _number(message, "RingTime")
    return ev.AgentConnected(attempt_id=attempt, at=at, agent=talk.interface, ring_s=ring_s), call, talk


def _agent_complete(server: str, message: Message, at: int) -> Facts:
    talk = _talk(server, message, at, in_call=False)
    attempt = _own(message)
    if not attempt:
        return (talk,)
    return ev.AgentFinished(attempt_id=attempt, at=at, agent=talk.interface, ended_by=message.get("Reason", "")), talk


def _bridge_enter(_server: str, message: Message, at: int) -> Facts:
    # Of the agent's own leg too, which has a UUID for Uniqueid as well: the engine knows which is which.
    attempt = _own(message)
    return (ev.Bridged(attempt_id=attempt, at=at),) if attempt else ()


def _member_seen(server: str, message: Message, _at: int) -> Facts:
    return (MemberSeen(queue_member(server, message)),)


def _member_missed(server: str, message: Message, _at: int) -> Facts:
    # For every vain ring, a busy or declining telephone included: the event does not tell them apart.
    return (MemberMissed(server=server, queue=message.get("Queue", ""), interface=message.get("Interface", "")),)


def _member_gone(server: str, message: Message, _at: int) -> Facts:
    return (MemberGone(server=server, queue=message.get("Queue", ""), interface=message.get("Interface", "")),)


_RULES: Mapping[str, Callable[[str, Message, int], Facts]] = {
    "OriginateResponse": _originate_response,
    "Newchannel": _new_channel,
    "Newstate": _new_state,
    "DialState": _dial_state,
    "DialEnd": _dial_end,
    "HangupRequest": _hangup_request,
    "SoftHangupRequest": _soft_hangup_request,
    "Hangup": _hangup,
    "QueueCallerJoin": _queue_join,
    "AgentCalled": _agent_called,
    "AgentConnect": _agent_connect,
    "AgentComplete": _agent_complete,
    "AgentRingNoAnswer": _member_missed,
    "BridgeEnter": _bridge_enter,
    "QueueMemberStatus": _member_seen,
    "QueueMemberAdded": _member_seen,
    "QueueMemberPause": _member_seen,
    "QueueMemberPenalty": _member_seen,
    "QueueMemberRinginuse": _member_seen,
    "QueueMemberRemoved": _member_gone,
}

#: The events that say anything to us; the connection does not even parse the others.
WANTED = frozenset(_RULES)
