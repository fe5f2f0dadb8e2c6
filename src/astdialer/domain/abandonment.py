"""The abandonment rate as the law counts it, and how much risk the dialing may take to use what is left of it.

Sources: docs/explanation/predictive-dialing.md. Rates are shares, 0.03 is 3 %. Not legal advice: all are settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import exp, sqrt


class Profile(StrEnum):
    """Whose formula counts."""

    US = "us"  #: FTC 16 CFR 310.4(b)(4)(i): abandoned / answered by people, over successive 30-day blocks
    UK = "uk"  #: Ofcom's policy of 2010: the same over a calendar day, with people whom AMD took for machines
    ITALY = "it"  #: Garante 20 February 2014: abandoned for 100 that were connected
    CANADA = "ca"  #: CRTC: over a calendar month


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What has become of the answered calls of a window."""

    connected: int = 0  #: people who were given an agent
    abandoned: int = 0  #: people who were not
    machines: int = 0  #: answered calls that AMD took for machines

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            connected=self.connected + other.connected,
            abandoned=self.abandoned + other.abandoned,
            machines=self.machines + other.machines,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Abandoned people among answered ones, as a profile counts both; fractions come from estimates."""

    answered: float = 0
    abandoned: float = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.answered + other.answered, self.abandoned + other.abandoned)

    @property
    def rate(self) -> float:
        """Abandoned / answered; 0 if nobody has answered."""
        return self.abandoned / self.answered if self.answered else 0.0

    def at_most(self, deviations: float = 1.645) -> float:
        """The rate that the true one does not exceed with a probability of 95 % (Wilson 1927, one-sided)."""
        if not self.answered:
            return 1.0
        n, rate, z2 = self.answered, min(self.rate, 1.0), deviations * deviations
        return (rate + z2 / (2 * n) + deviations * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)


def tally(profile: Profile, counts: Counts, *, amd: bool, false_machines: float = 0.0) -> Tally:
    """Count as the profile does; ``false_machines``: the share of AMD's machines that are people."""
    abandoned, connected = float(counts.abandoned), float(counts.connected)
    if profile is Profile.ITALY:
        return Tally(connected, abandoned)
    if profile is Profile.UK and amd:
        abandoned += false_machines * counts.machines
    return Tally(abandoned + connected, abandoned)


#: What each profile is known for, in percent (docs/explanation/predictive-dialing.md).
LIMITS_PERCENT: Mapping[Profile, float] = {Profile.US: 3, Profile.UK: 3, Profile.ITALY: 3, Profile.CANADA: 5}
#: A person must have an agent within so many seconds.
LEGAL_WAIT_S = 2
#: The law's blocks have so many days (16 CFR 310.4(b)(4)(i)).
BLOCK_DAYS = 30


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a window, both included."""

    name: str
    begins: date
    ends: date


def spans(profile: Profile, first: date, today: date) -> Sequence[Span]:
    """The windows of the law that today is in, the longest first. ``first``: the campaign's first day; the days are its
    local ones."""
    day = Span("day", today, today)
    if profile is Profile.UK:
        return (day,)
    if profile is Profile.CANADA:
        next_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
        return (Span("month", today.replace(day=1), next_month - timedelta(days=1)), day)
    begins = today - timedelta(days=(today - first).days % BLOCK_DAYS)
    return (Span(f"{BLOCK_DAYS} days", begins, begins + timedelta(days=BLOCK_DAYS - 1)), day)


@dataclass(frozen=True, slots=True)
class Window:
    """A span over which the law counts: what it has seen, and how long it lasts still, if that is known."""

    tally: Tally
    dialed_s: float = 0  #: seconds in which the campaign has dialed since it began
    left_s: float | None = None
    in_list: float | None = None  #: answers that the rest of the list can give, if that is known
    span: str = ""  #: what it is called
    since: str = ""  #: its first day, YYYY-MM-DD

    @property
    def answers_left(self) -> float | None:
        """How many people are expected to answer until it ends, by its pace and by the list; None: nobody knows."""
        pace = (self.tally.answered + 5) / (self.dialed_s + 60)
        known = [self.in_list] if self.in_list is not None else []
        known += [pace * self.left_s] if self.left_s is not None else []
        return min(known, default=None)

    def is_spent(self, limit: float) -> bool:
        """Whether the rate is above the limit by more than chance makes of so few answers, or by more than the rest of
        the window can make up for; of less, the dialing is steered back, which costs less than a stop."""
        most = limit * self.tally.answered
        by_chance, left = sqrt(most), self.answers_left
        return self.tally.abandoned >= most + (by_chance if left is None else min(by_chance, limit * left))

    def room(self, limit: float) -> int:
        """How many more people could be abandoned, and the rate be within the limit if nobody else answered."""
        return max(0, int(limit * self.tally.answered - self.tally.abandoned + 1e-9))


#: The risk that is taken when a window is on its way to the aim; good values for 5 to 500 agents and shares of answers
#: of 10 to 50 % lie between 0.014 and 0.035.
USUAL_RISK = 0.02
#: No risk is taken beyond this one.
_MOST_RISK = 0.6
#: A window is planned no further ahead than half of what it has seen, and a hundred answers: agents may leave.
_AHEAD_SHARE, _AHEAD_LEAST = 0.5, 100.0
#: People are abandoned as a whole: of a window that ends, one is left over.
_RESERVE = 1.0
#: What a window has left is used up at so many times the aimed rate at most.
_MOST_HASTE, _HASTE_POWER = 2.5, 1.5
#: What is left of the risk when a window has used up what it had: practically one call for each free agent.
_SPENT = exp(-6)


def risk(windows: Sequence[Window], *, aim: float, usual: float = USUAL_RISK) -> float:
    """The probability that an answer may find nobody free, so that the rate of every window ends at ``aim``."""
    haste = min((_haste(window, aim) for window in windows), default=1.0)
    hasty: float = min(max(haste, 0.0), _MOST_HASTE) ** _HASTE_POWER
    return min(usual * max(hasty, _SPENT), _MOST_RISK)


def _haste(window: Window, aim: float) -> float:
    """The rate from now on that would end the window at the aim, in units of the aim."""
    seen = window.tally
    ahead, left = _AHEAD_SHARE * seen.answered + _AHEAD_LEAST, window.answers_left
    reserve = 0.0
    if left is not None:
        ahead, reserve = min(ahead, max(left, 5.0)), _RESERVE
    return (aim * (seen.answered + ahead) - reserve - seen.abandoned) / (ahead * aim)
