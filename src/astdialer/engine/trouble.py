"""What is learned by trying: who is refused rests for a while, so that a fault of ours does not burn the base."""

from __future__ import annotations

from collections import Counter

from astdialer.domain.attempt import Attempt

#: After Asterisk refused an Originate, its campaign places none for this long.
REFUSED_PAUSE_S = 10.0
#: So many calls in a row without any channel are the trunk's fault, not the numbers'.
NO_CHANNEL_STREAK = 3
#: Longest rest of such a trunk; the first one is REFUSED_PAUSE_S, each further one twice as long.
LONGEST_PAUSE_S = 300.0


class Trouble:
    """Derived, and learned anew after a restart. Instants are ms since 1970 UTC."""

    def __init__(self) -> None:
        self._campaigns: dict[int, tuple[int, str]] = {}
        self._trunks: dict[str, tuple[int, str]] = {}
        self._streaks: Counter[str] = Counter()

    def refused(self, campaign_id: int, words: str, now: int) -> None:
        """Asterisk, or the way to it, refused a call of this campaign."""
        self._campaigns[campaign_id] = (now + int(REFUSED_PAUSE_S * 1000), words)

    def ended(self, attempt: Attempt, now: int) -> bool:
        """An attempt is over; whether it costs its number a try. To be told once for each attempt."""
        if attempt.refusal:
            return not attempt.uncounted
        if attempt.channel or attempt.vanished or attempt.canceled:
            self._streaks.pop(attempt.trunk, None)
            return True
        self._streaks[attempt.trunk] += 1
        beyond = self._streaks[attempt.trunk] - NO_CHANNEL_STREAK
        if beyond < 0:
            return True
        pause_s = min(REFUSED_PAUSE_S * 2**beyond, LONGEST_PAUSE_S)
        words = f"Asterisk can make no channel on trunk {attempt.trunk}: is there such an endpoint? (astdialer doctor)"
        self._trunks[attempt.trunk] = (now + int(pause_s * 1000), words)
        return False

    def of(self, campaign_id: int, trunk: str, now: int) -> tuple[int, str] | None:
        """Until when no call is placed, and why; None if nothing is known against it."""
        found = (self._campaigns.get(campaign_id), self._trunks.get(trunk))
        return next((trouble for trouble in found if trouble and now < trouble[0]), None)
