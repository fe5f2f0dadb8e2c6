"""The final result of an attempt, and the tables that raw facts are read by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Disposition(StrEnum):
    """What came of an attempt. Set once, when the attempt is closed."""

    ANSWERED = "answered"  #: a person talked to an agent, or heard the broadcast
    MACHINE = "machine"  #: AMD took the answering side for a machine
    BUSY = "busy"  #: the number was engaged
    NO_ANSWER = "no_answer"  #: it rang, or would have, and nobody took it in time
    REJECTED = "rejected"  #: the number, or its network, declined the call
    INVALID_NUMBER = "invalid_number"  #: the number does not exist
    CONGESTION = "congestion"  #: the network or the trunk had no room
    FAILED = "failed"  #: the call could not be placed, for another reason
    ABANDONED = "abandoned"  #: a person answered, and no agent was there within the campaign's limit
    SHORT = "short"  #: a person answered and hung up before there was anything to talk about
    CANCELED = "canceled"  #: we took the call back before it was answered
    UNKNOWN = "unknown"  #: nobody saw how it ended: the engine, the link or Asterisk was down


#: A person took the call: its other numbers are not tried any more.
PERSON_REACHED = frozenset({Disposition.ANSWERED, Disposition.ABANDONED, Disposition.SHORT})

#: Nothing about the number was learned: these cost it no try.
NOT_COUNTED = frozenset({Disposition.CANCELED})

#: ITU-T Q.850 cause → disposition, for a call that was not answered. What is missing here is FAILED.
BY_CAUSE = {
    1: Disposition.INVALID_NUMBER,  # unallocated number
    16: Disposition.NO_ANSWER,  # normal clearing before an answer
    17: Disposition.BUSY,
    18: Disposition.NO_ANSWER,  # no user responding
    19: Disposition.NO_ANSWER,  # no answer from user
    20: Disposition.NO_ANSWER,  # subscriber absent
    21: Disposition.REJECTED,
    22: Disposition.INVALID_NUMBER,  # number changed
    28: Disposition.INVALID_NUMBER,  # invalid number format
    34: Disposition.CONGESTION,  # no circuit available
    38: Disposition.CONGESTION,  # network out of order
    41: Disposition.CONGESTION,  # temporary failure
    42: Disposition.CONGESTION,  # switching equipment congestion
    44: Disposition.CONGESTION,  # requested circuit not available
    47: Disposition.CONGESTION,  # resource unavailable
}

#: SIP codes that say more than the cause Asterisk derives from them (res_pjsip.c, ast_sip_hangup_sip2cause).
BY_SIP_CODE = {
    480: Disposition.NO_ANSWER,
    600: Disposition.BUSY,
    603: Disposition.REJECTED,
    604: Disposition.INVALID_NUMBER,
    607: Disposition.REJECTED,  # Unwanted, RFC 8197; Asterisk's cause is 127
    608: Disposition.REJECTED,  # Rejected, RFC 8688; Asterisk's cause is 127
}

#: DialStatus of a leg, for technologies that give no cause.
BY_DIAL_STATUS = {
    "BUSY": Disposition.BUSY,
    "CONGESTION": Disposition.CONGESTION,
    "CHANUNAVAIL": Disposition.FAILED,
    "INVALIDARGS": Disposition.FAILED,
    "NOANSWER": Disposition.NO_ANSWER,
    "CANCEL": Disposition.NO_ANSWER,
}

#: OriginateResponse's Reason (AST_CONTROL_*). PJSIP failures all say 0, so it is the last to be asked.
BY_REASON = {3: Disposition.NO_ANSWER, 5: Disposition.BUSY, 8: Disposition.CONGESTION}


def abandonment(attempts: Mapping[str, int]) -> float | None:
    """Abandoned calls per call that a person answered (0 to 1), from counts by disposition; None before the first."""
    people = sum(attempts.get(disposition, 0) for disposition in PERSON_REACHED)
    return round(attempts.get(Disposition.ABANDONED, 0) / people, 4) if people else None


def unanswered(
    *,
    canceled: bool,
    reason: int | None,
    causes: tuple[int, ...],
    sip_codes: tuple[int, ...],
    dial_statuses: tuple[str, ...],
) -> Disposition:
    """The disposition of a call that nobody took, from the raw facts, the most telling first.

    Each tuple holds the attempt's own channel first, then the leg behind it (the trunk leg of a Local channel).
    ``reason`` 3 is our own originate timeout: the 480 that Asterisk then invents says nothing about the number.
    """
    if canceled:
        return Disposition.CANCELED
    if reason == 3:
        return Disposition.NO_ANSWER
    known = (
        *(BY_SIP_CODE.get(code) for code in sip_codes),
        *(BY_CAUSE.get(cause) for cause in causes if cause != 16),
        BY_REASON.get(reason or 0),
        *(BY_DIAL_STATUS.get(status) for status in dial_statuses),
        *(BY_CAUSE.get(cause) for cause in causes),
    )
    return next((disposition for disposition in known if disposition), Disposition.FAILED)
