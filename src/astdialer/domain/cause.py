"""The one cause an attempt ended with, and what that does to the number and the contact (source-systems.md 1.7b).

Campaigns that come from Webitel v3 name causes as FreeSWITCH does, so these are FreeSWITCH's names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from astdialer.domain.amd import Verdict
from astdialer.domain.attempt import Attempt
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting


class Cause(StrEnum):
    """Why an attempt ended."""

    UNALLOCATED_NUMBER = "UNALLOCATED_NUMBER"
    NO_ROUTE_DESTINATION = "NO_ROUTE_DESTINATION"
    NORMAL_CLEARING = "NORMAL_CLEARING"
    USER_BUSY = "USER_BUSY"
    NO_USER_RESPONSE = "NO_USER_RESPONSE"
    NO_ANSWER = "NO_ANSWER"
    SUBSCRIBER_ABSENT = "SUBSCRIBER_ABSENT"
    CALL_REJECTED = "CALL_REJECTED"
    NUMBER_CHANGED = "NUMBER_CHANGED"
    DESTINATION_OUT_OF_ORDER = "DESTINATION_OUT_OF_ORDER"
    INVALID_NUMBER_FORMAT = "INVALID_NUMBER_FORMAT"
    NORMAL_UNSPECIFIED = "NORMAL_UNSPECIFIED"
    NORMAL_CIRCUIT_CONGESTION = "NORMAL_CIRCUIT_CONGESTION"
    NETWORK_OUT_OF_ORDER = "NETWORK_OUT_OF_ORDER"
    NORMAL_TEMPORARY_FAILURE = "NORMAL_TEMPORARY_FAILURE"
    SWITCH_CONGESTION = "SWITCH_CONGESTION"
    OUTGOING_CALL_BARRED = "OUTGOING_CALL_BARRED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    CHAN_NOT_IMPLEMENTED = "CHAN_NOT_IMPLEMENTED"
    SERVICE_NOT_IMPLEMENTED = "SERVICE_NOT_IMPLEMENTED"
    INCOMPATIBLE_DESTINATION = "INCOMPATIBLE_DESTINATION"
    MANDATORY_IE_MISSING = "MANDATORY_IE_MISSING"
    RECOVERY_ON_TIMER_EXPIRE = "RECOVERY_ON_TIMER_EXPIRE"
    INTERWORKING = "INTERWORKING"
    ORIGINATOR_CANCEL = "ORIGINATOR_CANCEL"  #: we took the call back, or it ended while AMD listened
    LOSE_RACE = "LOSE_RACE"  #: a person answered, and the queue gave them up
    MANAGER_REQUEST = "MANAGER_REQUEST"
    USER_NOT_REGISTERED = "USER_NOT_REGISTERED"
    PROGRESS_TIMEOUT = "PROGRESS_TIMEOUT"
    GATEWAY_DOWN = "GATEWAY_DOWN"
    ABANDONED = "ABANDONED"
    NO_ROUTE = "NO_ROUTE"
    MEMBER_EXPIRED = "MEMBER_EXPIRED"


class EndCause(StrEnum):
    """Why a contact is done. The Cause that closed its last number can stand in its place."""

    NORMAL_CLEARING = "NORMAL_CLEARING"  #: success
    MAX_TRY_COUNT = "MAX_TRY_COUNT"
    MEMBER_EXPIRED = "MEMBER_EXPIRED"
    ABANDONED = "ABANDONED"
    MANAGER_REQUEST = "MANAGER_REQUEST"  #: terminated from outside
    NO_COMMUNICATIONS = "NO_COMMUNICATIONS"  #: no number is left
    NO_ROUTE = "NO_ROUTE"
    PROCESS_CRASH = "PROCESS_CRASH"


class CauseClass(StrEnum):
    """What a cause does to the number and the contact."""

    OK = "ok"  #: success: every number is closed
    RETRY = "retry"  #: counted, and tried again
    ERROR = "error"  #: the number is closed
    MINUS = "minus"  #: not counted, and tried again


C = Cause
D = Disposition

Q850: Mapping[int, Cause] = {
    1: C.UNALLOCATED_NUMBER,
    3: C.NO_ROUTE_DESTINATION,
    16: C.NORMAL_CLEARING,
    17: C.USER_BUSY,
    18: C.NO_USER_RESPONSE,
    19: C.NO_ANSWER,
    20: C.SUBSCRIBER_ABSENT,
    21: C.CALL_REJECTED,
    22: C.NUMBER_CHANGED,
    27: C.DESTINATION_OUT_OF_ORDER,
    28: C.INVALID_NUMBER_FORMAT,
    31: C.NORMAL_UNSPECIFIED,
    34: C.NORMAL_CIRCUIT_CONGESTION,
    38: C.NETWORK_OUT_OF_ORDER,
    41: C.NORMAL_TEMPORARY_FAILURE,
    42: C.SWITCH_CONGESTION,
    52: C.OUTGOING_CALL_BARRED,
    63: C.SERVICE_UNAVAILABLE,
    66: C.CHAN_NOT_IMPLEMENTED,
    79: C.SERVICE_NOT_IMPLEMENTED,
    88: C.INCOMPATIBLE_DESTINATION,
    96: C.MANDATORY_IE_MISSING,
    102: C.RECOVERY_ON_TIMER_EXPIRE,
    127: C.INTERWORKING,
}

#: The number of every cause that has one; above 127 FreeSWITCH's own (switch_types.h of 2017), which no network
#: sends.
NUMBERS: Mapping[Cause, int] = {cause: number for number, cause in Q850.items()} | {
    C.ORIGINATOR_CANCEL: 487,
    C.LOSE_RACE: 502,
    C.MANAGER_REQUEST: 503,
    C.USER_NOT_REGISTERED: 606,
    C.PROGRESS_TIMEOUT: 607,
    C.GATEWAY_DOWN: 609,
    C.ABANDONED: 687,
}

#: SIP code → cause as mod_sofia maps it (sofia_glue_sip_cause_to_freeswitch, after RFC 4497), with two additions.
BY_SIP: Mapping[int, Cause] = {
    400: C.NORMAL_TEMPORARY_FAILURE,
    401: C.CALL_REJECTED,
    402: C.CALL_REJECTED,
    403: C.CALL_REJECTED,
    404: C.UNALLOCATED_NUMBER,
    405: C.SERVICE_UNAVAILABLE,
    406: C.SERVICE_NOT_IMPLEMENTED,
    407: C.CALL_REJECTED,
    408: C.RECOVERY_ON_TIMER_EXPIRE,
    410: C.NUMBER_CHANGED,
    413: C.INTERWORKING,
    414: C.INTERWORKING,
    415: C.SERVICE_NOT_IMPLEMENTED,
    416: C.INTERWORKING,
    420: C.INTERWORKING,
    421: C.INTERWORKING,
    423: C.INTERWORKING,
    480: C.NO_USER_RESPONSE,
    481: C.NORMAL_TEMPORARY_FAILURE,
    482: C.NO_ROUTE_DESTINATION,  # a loop; FreeSWITCH says EXCHANGE_ROUTING_ERROR, which 1.7b does not have: same class
    483: C.NO_ROUTE_DESTINATION,  # too many hops: likewise
    484: C.INVALID_NUMBER_FORMAT,
    485: C.NO_ROUTE_DESTINATION,
    486: C.USER_BUSY,
    487: C.ORIGINATOR_CANCEL,
    488: C.INCOMPATIBLE_DESTINATION,
    500: C.NORMAL_TEMPORARY_FAILURE,
    501: C.SERVICE_NOT_IMPLEMENTED,
    502: C.NETWORK_OUT_OF_ORDER,
    503: C.NORMAL_TEMPORARY_FAILURE,
    504: C.RECOVERY_ON_TIMER_EXPIRE,
    505: C.INTERWORKING,
    513: C.INTERWORKING,
    600: C.USER_BUSY,
    603: C.CALL_REJECTED,
    604: C.NO_ROUTE_DESTINATION,
    606: C.INCOMPATIBLE_DESTINATION,
    607: C.CALL_REJECTED,  # Unwanted, RFC 8197: younger than the causes
    608: C.CALL_REJECTED,  # Rejected, RFC 8688: likewise
}

#: The lists that a campaign has until it gives its own. What stands in none is RETRY.
DEFAULT_CLASSES: Mapping[CauseClass, frozenset[Cause]] = {
    CauseClass.OK: frozenset({C.NORMAL_CLEARING}),
    CauseClass.RETRY: frozenset(
        {
            C.NO_ROUTE_DESTINATION,
            C.DESTINATION_OUT_OF_ORDER,
            C.USER_BUSY,
            C.CALL_REJECTED,
            C.NO_USER_RESPONSE,
            C.NO_ANSWER,
            C.SUBSCRIBER_ABSENT,
            C.NUMBER_CHANGED,
            C.NORMAL_UNSPECIFIED,
            C.NORMAL_CIRCUIT_CONGESTION,
            C.ORIGINATOR_CANCEL,
            C.LOSE_RACE,
            C.USER_NOT_REGISTERED,
        }
    ),
    CauseClass.ERROR: frozenset(
        {
            C.UNALLOCATED_NUMBER,
            C.NO_ROUTE,
            C.MEMBER_EXPIRED,
            C.INVALID_NUMBER_FORMAT,
            C.NETWORK_OUT_OF_ORDER,
            C.OUTGOING_CALL_BARRED,
            C.SERVICE_UNAVAILABLE,
            C.CHAN_NOT_IMPLEMENTED,
            C.SERVICE_NOT_IMPLEMENTED,
            C.INCOMPATIBLE_DESTINATION,
            C.MANDATORY_IE_MISSING,
            C.PROGRESS_TIMEOUT,
            C.GATEWAY_DOWN,
        }
    ),
    CauseClass.MINUS: frozenset({C.RECOVERY_ON_TIMER_EXPIRE, C.NORMAL_TEMPORARY_FAILURE}),
}

#: The cause of a disposition when nothing tells more.
USUAL: Mapping[Disposition, Cause] = {
    D.ANSWERED: C.NORMAL_CLEARING,
    D.MACHINE: C.NORMAL_UNSPECIFIED,
    D.BUSY: C.USER_BUSY,
    D.NO_ANSWER: C.NO_ANSWER,
    D.REJECTED: C.CALL_REJECTED,
    D.INVALID_NUMBER: C.UNALLOCATED_NUMBER,
    D.CONGESTION: C.NORMAL_CIRCUIT_CONGESTION,
    D.FAILED: C.NORMAL_UNSPECIFIED,
    D.ABANDONED: C.ABANDONED,
    D.SHORT: C.NORMAL_CLEARING,
    D.CANCELED: C.ORIGINATOR_CANCEL,
    D.UNKNOWN: C.NORMAL_UNSPECIFIED,  # nobody knows: it is counted, and the retry rule decides
}


def cause_of(attempt: Attempt, disposition: Disposition) -> Cause:
    """The one cause of an attempt that is over, from its facts and what ``outcome.classify`` made of them."""
    if attempt.was_answered:
        return _of_short(attempt) if disposition is D.SHORT else USUAL[disposition]
    if attempt.canceled:
        return C.ORIGINATOR_CANCEL
    if attempt.refusal and attempt.uncounted:
        return C.NORMAL_TEMPORARY_FAILURE  # our own fault: the class that costs no try
    if attempt.originate_reason == 3:
        return C.NO_ANSWER
    known = (*map(BY_SIP.get, _sip_codes(attempt)), *map(Q850.get, _q850_numbers(attempt)))
    return next(filter(None, known), USUAL[disposition])


def _of_short(attempt: Attempt) -> Cause:
    """A person took the call, and there was no talk worth the name."""
    if attempt.connected_at is not None:
        return C.NORMAL_CLEARING
    if attempt.canceled or attempt.amd_verdict is Verdict.HANGUP:
        return C.ORIGINATOR_CANCEL
    gave_up = attempt.queue_status not in ("", "CONTINUE")  # CONTINUE: an agent talked, and hung up
    return C.LOSE_RACE if gave_up else C.NORMAL_CLEARING


def _network_spoke(attempt: Attempt) -> bool:
    """Whether the codes come from the far end: on our own timeout (reason 3) Asterisk invents a 480."""
    return not (attempt.was_answered or attempt.canceled or attempt.originate_reason == 3)


def _sip_codes(attempt: Attempt) -> tuple[int, ...]:
    """The far end's SIP codes, the attempt's own channel first; 0 where there is none."""
    return (attempt.sip_code, attempt.leg_sip_code) if _network_spoke(attempt) else ()


def _q850_numbers(attempt: Attempt) -> tuple[int, ...]:
    """The far end's causes. 16 is not one: before an answer it only says that the channel is gone."""
    numbers = (attempt.cause, attempt.leg_cause) if _network_spoke(attempt) else ()
    return tuple(number for number in numbers if number != 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRules:
    """The campaign's lists, as parse_causes reads them. An empty one is the default list of its class."""

    ok: frozenset[str] = frozenset()
    retry: frozenset[str] = frozenset()
    error: frozenset[str] = frozenset()
    minus: frozenset[str] = frozenset()

    @property
    def lists(self) -> Mapping[CauseClass, frozenset[str]]:
        """The list of every class, in the order in which they are asked."""
        return {
            CauseClass.ERROR: self.error,
            CauseClass.MINUS: self.minus,
            CauseClass.OK: self.ok,
            CauseClass.RETRY: self.retry,
        }


def parse_causes(key: str, text: str) -> frozenset[str]:
    """Cause names, Q.850 numbers and SIP codes (``USER_BUSY, 17, sip_486``), in any case; empty text is none.

    Raises InvalidSetting naming the first that is none of these.
    """
    tokens = {}
    for word in filter(None, map(str.strip, text.split(","))):
        tokens[word] = _token(word)
        if not tokens[word]:
            expected = "cause names (USER_BUSY), Q.850 numbers (17) or SIP codes (sip_486), joined by commas"
            raise InvalidSetting(key, text, f"{expected}; {word!r} is none of them{_hint(word)}")
    return frozenset(tokens.values())


def _token(word: str) -> str:
    if word.upper() in Cause.__members__:
        return word.upper()
    if re.fullmatch(r"sip_[3-6][0-9]{2}", word.lower()):
        return word.lower()
    return word if re.fullmatch(r"[1-9][0-9]{0,2}", word) and int(word) <= 127 else ""


def _hint(word: str) -> str:
    if re.fullmatch(r"[3-6][0-9]{2}", word):
        return f": a SIP code is written sip_{word}"
    near = difflib.get_close_matches(word[:40].upper(), Cause.__members__, 1)
    return f": is {near[0]} meant?" if near else ""


def check_causes(rules: CauseRules) -> CauseRules:
    """The rules; raises InvalidSetting where a cause stands in two given lists, be it once by name, once by number."""
    seen: dict[str, CauseClass] = {}
    for kind, tokens in rules.lists.items():
        for token in sorted(tokens):
            meaning = _meaning(token)
            other = seen.setdefault(meaning, kind)
            if other is not kind:
                name = token if meaning == token else f"{token} ({meaning})"
                expected = f"each cause in one list; {name} is in causes_{other.value} as well"
                raise InvalidSetting(f"causes_{kind.value}", ",".join(sorted(tokens)), expected)
    return rules


def _meaning(token: str) -> str:
    """A number and its name are the same cause. A SIP code is not: it may be set apart from the cause it maps to."""
    return Q850[int(token)].value if token.isdecimal() and int(token) in Q850 else token


def classify_cause(attempt: Attempt, cause: Cause, rules: CauseRules) -> CauseClass:
    """What the cause does to the number and the contact.

    The campaign's lists come before the defaults, and a class whose list is given has that list only. The most
    specific token decides: SIP code, then the number that the network sent, then the cause itself; the own channel's
    before its leg's. Where rules were not checked and a token stands twice: error, minus, ok, retry.

    OK is a success only with the disposition ``answered``, which says that the talk was long enough; with any other
    (``short`` is NORMAL_CLEARING too) the caller treats it as RETRY.
    """
    return _given(attempt, cause, rules) or _default(cause, rules)


def _given(attempt: Attempt, cause: Cause, rules: CauseRules) -> CauseClass | None:
    matches = (kind for token in _tokens(attempt, cause) for kind, tokens in rules.lists.items() if token in tokens)
    return next(matches, None)


def _default(cause: Cause, rules: CauseRules) -> CauseClass:
    open_classes = (kind for kind, tokens in rules.lists.items() if not tokens)
    return next((kind for kind in open_classes if cause in DEFAULT_CLASSES[kind]), CauseClass.RETRY)


def _tokens(attempt: Attempt, cause: Cause) -> Iterator[str]:
    """Every token that stands for how the attempt ended, the most specific first."""
    yield from (f"sip_{code}" for code in _sip_codes(attempt))
    yield from (str(number) for number in _q850_numbers(attempt))
    yield str(NUMBERS.get(cause, ""))
    yield cause.value
