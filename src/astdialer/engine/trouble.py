"""What is learned by trying: who is refused rests for a while, so that a fault of ours does not burn the base.

A trunk that fails several calls in a row rests, ever longer, and its first call after a rest shows whether it is well
again. Calls that were claimed before the rest say nothing about that, however they end: they do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

from astdialer.domain.attempt import Attempt

#: After Asterisk refused an Originate, its campaign places none for this long.
REFUSED_PAUSE_S = 10.0
#: So many calls in a row without any channel are the trunk's fault, not the numbers'.
NO_CHANNEL_STREAK = 3
#: So many calls in a row with congestion, likewise; calls of both kinds count together.
CONGESTION_STREAK = NO_CHANNEL_STREAK
#: Longest rest of such a trunk; the first one is REFUSED_PAUSE_S, each further one twice as long.
LONGEST_PAUSE_S = 300.0

#: Q.850: no circuit available, switching equipment congestion. 41 and 47 are said of single numbers as well.
_CONGESTION_CAUSES = frozenset({34, 42})
_SERVICE_UNAVAILABLE = 503


@dataclass(slots=True)
class _Trunk:
    """How a trunk has failed lately. Instants are ms since 1970 UTC."""

    streak: int = 0
    began_at: int = 0  #: of the last rest; 0: it never rested
    until: int = 0
    words: str = ""

    def fail(self, words: str, now: int) -> bool:
        """One more failed call; whether that is the trunk's fault by now, so that it rests."""
        self.streak += 1
        beyond = self.streak - NO_CHANNEL_STREAK
        if beyond < 0:
            return False
        pause_s = min(REFUSED_PAUSE_S * 2 ** min(beyond, 30), LONGEST_PAUSE_S)
        self.began_at, self.until, self.words = now, now + int(pause_s * 1000), words
        return True


class Trouble:
    """Derived, and learned anew after a restart. Instants are ms since 1970 UTC."""

    def __init__(self) -> None:
        self._campaigns: dict[int, tuple[int, str]] = {}
        self._trunks: dict[str, _Trunk] = {}

    def refused(self, campaign_id: int, words: str, now: int) -> None:
        """Asterisk, or the way to it, refused a call of this campaign."""
        self._campaigns[campaign_id] = (now + int(REFUSED_PAUSE_S * 1000), words)

    def ended(self, attempt: Attempt, now: int) -> bool:
        """An attempt is over; whether it costs its number a try. To be told once for each attempt.

        Congestion costs one even while the trunk is at fault: a network that always answers so would otherwise be
        called for ever.
        """
        if attempt.refusal:
            return not attempt.uncounted
        trunk = self._trunks.get(attempt.trunk) or _Trunk()
        early = attempt.created_at < trunk.began_at
        if _has_no_channel(attempt):
            words = "Asterisk can make no channel on trunk {}: is there such an endpoint? (astdialer doctor)"
            return not (early or self._failed(attempt.trunk, words, now))
        if not early:
            self._learn(attempt, now)
        return True

    def _learn(self, attempt: Attempt, now: int) -> None:
        if _is_congested(attempt):
            words = "trunk {} answers with congestion: is the carrier up, and does it allow so many calls at a time?"
            self._failed(attempt.trunk, words, now)
        elif not attempt.canceled or _has_rung(attempt):
            self._trunks.pop(attempt.trunk, None)

    def _failed(self, trunk: str, words: str, now: int) -> bool:
        return self._trunks.setdefault(trunk, _Trunk()).fail(words.format(trunk), now)

    def campaign(self, campaign_id: int, now: int) -> tuple[int, str] | None:
        """Until when the campaign places no call, whatever the trunk, and why; None if nothing is known against it."""
        return _lasting(self._campaigns.get(campaign_id), now)

    def trunk(self, trunk: str, now: int) -> tuple[int, str] | None:
        """Until when no call leaves by the trunk, whatever the campaign, and why."""
        known = self._trunks.get(trunk)
        return _lasting((known.until, known.words) if known else None, now)

    def is_on_probation(self, trunk: str, now: int) -> bool:
        """Whether its rest is over and no call has shown yet that it is well: one call at a time will do."""
        known = self._trunks.get(trunk)
        return bool(known and known.until) and self.trunk(trunk, now) is None

    def of(self, campaign_id: int, trunk: str, now: int) -> tuple[int, str] | None:
        """Until when the campaign places no call by this trunk, and why."""
        return self.campaign(campaign_id, now) or self.trunk(trunk, now)


def _lasting(trouble: tuple[int, str] | None, now: int) -> tuple[int, str] | None:
    return trouble if trouble and now < trouble[0] else None


def _has_no_channel(attempt: Attempt) -> bool:
    return not (attempt.channel or attempt.vanished or attempt.canceled)


def _has_rung(attempt: Attempt) -> bool:
    return attempt.ringing_at is not None or attempt.was_answered


def _is_congested(attempt: Attempt) -> bool:
    """Whether the trunk, rather than the number, turned the call away."""
    if attempt.canceled or attempt.vanished or _has_rung(attempt):
        return False
    causes = {attempt.cause, attempt.leg_cause} - {0}
    if _SERVICE_UNAVAILABLE in (attempt.sip_code, attempt.leg_sip_code) or causes & _CONGESTION_CAUSES:
        return True
    return not causes and "CONGESTION" in (attempt.dial_status, attempt.leg_dial_status)
