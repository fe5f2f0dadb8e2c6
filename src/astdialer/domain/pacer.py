"""Predictive pacing of one campaign: learns from facts, and says how many calls the risk allows.

The engine and the simulator feed it the same facts, and ask it the same question. Times are seconds on one clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from astdialer.domain.abandonment import Window, risk
from astdialer.domain.laws import Answering, Lifetimes
from astdialer.domain.prediction import Beliefs, Prediction, Traffic

#: Before so many answers nothing is predicted: one call for each free agent.
LEAST_ANSWERS = 10
#: Before so many answers, the rate of the law's window says nothing.
LEAST_COUNTED = 500
#: How fast the usual risk is learned, for each answer, and how far it may go.
LEANING, MOST_LEAN = 0.05, 1.5
#: Calls under way grow beyond what they lately were by no more than this factor in each span of so many seconds; what
#: they were fades by half in six minutes.
GROWTH, GROWTH_S = 1.3, 5.0
_FADES = 0.99
#: So many calls for each agent are no flood, once so many people have answered.
_FREELY, _KNOWN_ANSWERS = 2, 50
#: A talk is assumed to last so long before any has ended.
_TALK_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How predictive dialing is to go, from the campaign's settings."""

    ring_s: float
    patience_s: float
    wrap_up_s: float
    aim: float  #: the rate of abandoned people that is aimed at
    limit: float  #: at or above it, one call for each free agent
    usual_risk: float
    memory: float = 1000  #: calls after which a call counts 1/e for the share of answers


@dataclass(frozen=True, slots=True)
class Advice:
    """How many calls may be placed now, and why not more."""

    calls: int
    risk: float  #: P(an answer to one call more finds nobody free)
    allowed: float  #: the risk that the abandonment windows leave room for
    share: float  #: of calls that lead to a person
    thin: bool = False  #: too little is known: one call for each free agent


class Pacer:
    """Mutable, and kept over restarts as text, see ``kept`` and ``restore``."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.beliefs = Beliefs(
            answers=Answering(step_s=0.5, longest_s=pace.ring_s + 3, share=0.2, memory=pace.memory),
            verdicts=Answering(step_s=0.25, longest_s=6.0, share=0.5, memory=pace.memory),
            talks=Lifetimes(step_s=5.0, steps=300, mean_s=_TALK_S, memory=3000),
            rests=Lifetimes(step_s=1.0, steps=240, mean_s=max(pace.wrap_up_s, 0.01), memory=3000),
        )
        self.answers = 0
        #: The logarithm of what the usual risk is multiplied with: what rate comes of a risk differs with the number of
        #: agents, and is learned by stochastic approximation (Robbins and Monro 1951).
        self.lean = 0.0
        self._prediction = Prediction(self.beliefs, pace.patience_s)
        self._most, self._looked_at, self._someone_answered = 0.0, float("-inf"), False

    # --- facts -------------------------------------------------------------------------------------------------------

    def call_ended(self, age_s: float, *, reached: bool) -> None:
        """A call was answered by a person who needs an agent, or ended without."""
        self.beliefs.answers.ended(age_s, reached=reached)
        self.answers += reached
        self._someone_answered |= reached

    def served(self, *, in_time: bool) -> None:
        """A person got an agent, or was abandoned."""
        self.lean += LEANING * (self.pace.aim - (not in_time))
        self.lean = min(max(self.lean, -MOST_LEAN), MOST_LEAN)

    def verdict(self, age_s: float, *, person: bool) -> None:
        """AMD took so long to say who has answered."""
        self.beliefs.verdicts.ended(age_s, reached=person)

    def talk_ended(self, age_s: float) -> None:
        """An agent was so long in a call, its ringing included."""
        self.beliefs.talks.ended(age_s)

    def rest_ended(self, age_s: float) -> None:
        """An agent was free again so long after its talk."""
        self.beliefs.rests.ended(age_s)

    # --- the question ------------------------------------------------------------------------------------------------

    def advise(self, traffic: Traffic, windows: Sequence[Window], now_s: float) -> Advice:
        """How many calls may be placed now. ``windows``: those of the law, the longest first."""
        under_way = len(traffic.dialing_s) + len(traffic.analysed_s)
        one_each = traffic.free - traffic.waiting - under_way
        allowed = risk(windows, aim=self.pace.aim, usual=self.pace.usual_risk * exp(self.lean))
        agents = traffic.free + len(traffic.talking_s) + len(traffic.resting_s)
        room = self._growth(under_way, _FREELY * agents if self._knows else traffic.free, now_s)
        calls, of_one_more = self._prediction.calls(traffic, allowed, now_s, max(room, 1))
        thin = self.answers < LEAST_ANSWERS
        if thin or self._is_spent(windows):
            calls = one_each
        return Advice(min(calls, room), of_one_more, allowed, self.beliefs.answers.share, thin)

    def _is_spent(self, windows: Sequence[Window]) -> bool:
        """Whether the law's window is at its limit; of a few answers, a single one makes more than that."""
        spans = windows[:1]
        return any(w.tally.answered >= LEAST_COUNTED and w.tally.rate >= self.pace.limit for w in spans)

    @property
    def _knows(self) -> bool:
        return self.answers >= _KNOWN_ANSWERS

    def _growth(self, under_way: int, freely: int, now_s: float) -> int:
        """How many calls more there may be, so that a wrong belief can't flood the trunks; ``freely``: in any case.

        Without an answer there is no growth: while a carrier is down, nobody answers, and more calls are no help.
        """
        if now_s - self._looked_at >= GROWTH_S:
            grown = under_way if self._someone_answered else min(under_way, self._most)
            self._most, self._looked_at = max(grown, self._most * _FADES), now_s
            self._someone_answered = False
        return int(GROWTH * max(self._most, freely, 3)) - under_way

    # --- over restarts -----------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, Any]:
        """What is to be kept over a restart."""
        parts = self._parts()
        return {"count": self.answers, "lean": self.lean} | {name: part.kept() for name, part in parts.items()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what was kept."""
        self.answers, self.lean = int(kept["count"]), float(kept["lean"])
        for name, part in self._parts().items():
            part.restore(kept[name])

    def _parts(self) -> Mapping[str, Answering | Lifetimes]:
        b = self.beliefs
        return {"answers": b.answers, "verdicts": b.verdicts, "talks": b.talks, "rests": b.rests}
