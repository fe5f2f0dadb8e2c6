"""FreeSWITCH's names of causes, of which campaigns of Webitel make their lists, as our settings know them."""

from __future__ import annotations

from collections.abc import Iterable

from astdialer.domain.cause import Cause
from astdialer.http.webitel3.answers import Said

#: Names that are no cause of ours, by the Q.850 number that stands behind each.
NUMBERS = {
    "NO_ROUTE_TRANSIT_NET": 2,
    "CHANNEL_UNACCEPTABLE": 6,
    "CALL_AWARDED_DELIVERED": 7,
    "REDIRECTION_TO_NEW_DESTINATION": 23,
    "EXCHANGE_ROUTING_ERROR": 25,
    "FACILITY_REJECTED": 29,
    "RESPONSE_TO_STATUS_ENQUIRY": 30,
    "ACCESS_INFO_DISCARDED": 43,
    "REQUESTED_CHAN_UNAVAIL": 44,
    "PRE_EMPTED": 45,
    "FACILITY_NOT_SUBSCRIBED": 50,
    "INCOMING_CALL_BARRED": 54,
    "BEARERCAPABILITY_NOTAUTH": 57,
    "BEARERCAPABILITY_NOTAVAIL": 58,
    "BEARERCAPABILITY_NOTIMPL": 65,
    "FACILITY_NOT_IMPLEMENTED": 69,
    "INVALID_CALL_REFERENCE": 81,
    "INVALID_MSG_UNSPECIFIED": 95,
    "MESSAGE_TYPE_NONEXIST": 97,
    "WRONG_MESSAGE": 98,
    "IE_NONEXIST": 99,
    "INVALID_IE_CONTENTS": 100,
    "WRONG_CALL_STATE": 101,
    "MANDATORY_IE_LENGTH_ERROR": 103,
    "PROTOCOL_ERROR": 111,
}
#: What happens inside FreeSWITCH alone, and an end of a member that is no cause of a call.
NEVER = {
    "UNSPECIFIED",
    "CRASH",
    "SYSTEM_SHUTDOWN",
    "BLIND_TRANSFER",
    "ATTENDED_TRANSFER",
    "ALLOTTED_TIMEOUT",
    "USER_CHALLENGE",
    "MEDIA_TIMEOUT",
    "PICKED_OFF",
    "MAX_TRY_COUNT",
}


def ours(names: Iterable[str]) -> list[str]:
    """The names as our lists take them. Raises Said for what is none."""
    found = []
    for name in names:
        word = name.strip().upper()
        if word in Cause.__members__:
            found.append(word)
        elif word in NUMBERS:
            found.append(str(NUMBERS[word]))
        elif word not in NEVER:
            raise Said(400, f"causes: {name!r} is no cause of FreeSWITCH")
    return found
