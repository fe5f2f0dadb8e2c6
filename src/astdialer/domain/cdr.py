"""The call detail record of an attempt: the fields that Cdr/getrecords of the source systems shows, and ours."""

from __future__ import annotations

from dataclasses import dataclass

from astdialer.domain.attempt import Attempt
from astdialer.domain.disposition import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdr:
    """One per attempt. Seconds are rounded to whole ones in the source systems' fields, exact in ours."""

    guid: str  #: the attempt's id
    calldate: int  #: when dialing began, ms since 1970 UTC
    clid: str
    src: str
    dst: str
    dcontext: str
    channel: str
    dstchannel: str
    lastapp: str
    duration: int
    billsec: int
    disposition: str
    uniqueid: str
    linkedid: str
    causecode: int
    campaign: str
    direction: str
    carrier: str
    dialerbase: str
    accountcode: str
    sip_code: int
    dial_status: str
    amd_verdict: str
    amd_cause: str
    agent: str
    hung_up_by: str
    keypress: str
    queue: str
    ring_s: float
    wait_s: float
    talk_s: float
    server: str
    contact_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrContext:
    """What a CDR takes from outside its attempt."""

    campaign: str
    base: str
    caller_id: str
    queue: str


def cdr_of(a: Attempt, disposition: Disposition, context: CdrContext, now: int) -> Cdr:
    """The record of an attempt that is over; ``now`` stands in for an end that nobody saw.

    At our own timeout (reason 3) Asterisk invents a SIP code 480, which nobody sent: it is left out.
    """
    began_at = a.dialed_at or a.created_at
    ended_at = a.gone_at or now
    leg = not a.was_answered
    return Cdr(
        guid=a.id,
        uniqueid=a.id,
        linkedid=a.id,
        calldate=began_at,
        clid=context.caller_id,
        src=_digits(context.caller_id),
        dst=a.number,
        dcontext="astdialer-answered",
        channel=a.channel,
        dstchannel=a.agent,
        lastapp=_last_application(a),
        duration=round(_between(began_at, ended_at)),
        billsec=round(_between(a.answered_at, ended_at)),
        disposition=disposition.value,
        causecode=a.cause or (a.leg_cause if leg else 0),
        campaign=context.campaign,
        direction="outbound",
        carrier=a.trunk,
        dialerbase=context.base,
        accountcode=context.campaign,
        sip_code=0 if a.originate_reason == 3 else a.sip_code or (a.leg_sip_code if leg else 0),
        dial_status=a.dial_status or (a.leg_dial_status if leg else ""),
        amd_verdict=a.amd_verdict.value if a.amd_verdict else "",
        amd_cause=a.amd_cause,
        agent=a.agent,
        hung_up_by=a.hung_up_by,
        keypress=a.key,
        queue=context.queue,
        ring_s=_between(a.ringing_at, a.answered_at or ended_at),
        wait_s=_between(a.answered_at, a.connected_at or ended_at),
        talk_s=_between(a.connected_at, a.talk_ended_at or ended_at),
        server=a.server,
        contact_id=a.contact_id,
    )


def _between(start: int | None, end: int) -> float:
    return max(0.0, (end - start) / 1000) if start is not None else 0.0


def _digits(caller_id: str) -> str:
    number = caller_id.rpartition("<")[2] if "<" in caller_id else caller_id
    return "".join(c for c in number if c.isdigit() or c == "+")


def _last_application(a: Attempt) -> str:
    if not a.was_answered:
        return "Dial"
    words = {"queue": "Queue", "agent": "Bridge", "play": "Playback", "message": "Playback", "goto": "Goto"}
    return words.get(a.action or "", "Hangup")
