"""Predictive pacing of one campaign: learns from facts, and says how many calls the risk allows.

The engine and the simulator feed it the same facts, and ask it the same question. Times are seconds on one clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, isfinite
from typing import Any

from astdialer.domain.abandonment import Tally, Window, risk
from astdialer.domain.laws import Answering, Lifetimes
from astdialer.domain.limit import Limit
from astdialer.domain.pace import Pace
from astdialer.domain.prediction import Beliefs, Part, Prediction, Traffic
from astdialer.domain.propensity import Propensities

#: What is learned is stale after so long without any news: seasons, lists and carriers change.
STALE_S = 14 * 86400.0
#: After nothing was seen for a while, so long nothing is predicted.
BLIND_S = 30.0
#: Before so many answers, the rate of the law's window says nothing.
LEAST_COUNTED = 100
#: How fast the usual risk is learned, for each answer, and how far it may go.
LEANING, MOST_LEAN = 0.05, 1.5
#: Calls under way grow beyond what they lately were by no more than this factor in each span of so many seconds; what
#: they were fades by half in six minutes.
GROWTH, GROWTH_S = 1.3, 5.0
_FADES = 0.99
#: So many calls for each agent are no flood, once so many people have answered.
_FREELY, _KNOWN_ANSWERS = 2, 50
#: What was expected at so many calls is remembered, to know what is much and what is little; below so many nothing is.
_REMEMBERED, _RANKED = 500, 20
#: Who is first in line is called at every so manyth call, whoever fits better.
_HEAD_EVERY = 8
#: Laws of times, and what tells contacts apart, change more slowly than the share of answers: so many times.
_SLOWER = 3
#: A talk is assumed to last so long before any has ended, and so many calls to lead to a person.
_TALK_S, _SHARE = 120.0, 0.2


@dataclass(frozen=True, slots=True)
class Advice:
    """How many calls may be placed now, and why not more."""

    calls: int
    limit: Limit
    risk: float  #: P(an answer to one call more finds nobody free)
    allowed: float  #: the risk that the abandonment windows leave room for
    share: float  #: of calls that lead to a person, as believed


class Pacer:
    """Mutable, and kept over restarts as text, see ``kept`` and ``restore``."""

    def __init__(self, pace: Pace) -> None:
        self.pace, slow = pace, _SLOWER * pace.memory
        self.beliefs = Beliefs(
            make=self._calls_by_a_new_trunk,
            verdicts=Answering(step_s=0.25, longest_s=6.0, share=0.5, memory=pace.memory, law_memory=slow),
            talks=Lifetimes(step_s=5.0, steps=300, mean_s=_TALK_S, memory=slow),
            rests=Lifetimes(step_s=1.0, steps=240, mean_s=max(pace.wrap_up_s, 0.01), memory=slow),
        )
        self.propensities = Propensities(slow)
        self.answers = 0
        #: The logarithm of what the usual risk is multiplied with: what rate comes of a risk differs with the number of
        #: agents, and is learned by stochastic approximation (Robbins and Monro 1951).
        self.lean = 0.0
        self._prediction = Prediction(self.beliefs, pace.patience_s)
        self._most, self._looked_at, self._someone_answered = 0.0, float("-inf"), False
        self.blind_until_s = float("-inf")  #: nothing is predicted before
        self._expected, self._turn = deque[float](maxlen=_REMEMBERED), 0

    def _calls_by_a_new_trunk(self, alike: Answering | None) -> Answering:
        memory, longest_s = self.pace.memory, self.pace.ring_s + 3
        new = Answering(step_s=0.5, longest_s=longest_s, share=_SHARE, memory=memory, law_memory=_SLOWER * memory)
        if alike:
            new.restore(alike.kept())
            new.doubt()
        return new

    # --- facts -------------------------------------------------------------------------------------------------------

    def call_ended(self, age_s: float, *, reached: bool, trunk: str = "", features: Iterable[str] = ()) -> None:
        """A call was answered by a person who needs an agent, or ended without; ``features``: of the contact."""
        answers = self.beliefs.of(trunk)
        self.propensities.ended(features, reached=reached, level=answers.share)
        answers.ended(age_s, reached=reached)
        self.answers += reached
        self._someone_answered |= reached

    def served(self, *, in_time: bool) -> None:
        """A person whom predictive dialing has called got an agent, or was abandoned."""
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

    def went_blind(self, now_s: float) -> None:
        """For a while nothing was seen: how long the talks under way have lasted is not known."""
        self.blind_until_s = now_s + BLIND_S

    def look(self, traffic: Traffic, now_s: float) -> None:
        """See how many calls are under way: it bounds how many more there may be soon."""
        if now_s - self._looked_at >= GROWTH_S:
            # Without an answer there is no growth: while a carrier is down, more calls are no help.
            grown = traffic.under_way if self._someone_answered else min(traffic.under_way, self._most)
            self._most, self._looked_at = max(grown, self._most * _FADES), now_s
            self._someone_answered = False

    # --- the question ------------------------------------------------------------------------------------------------

    def part(self, traffic: Traffic, now_s: float) -> Part:
        """What this campaign's calls and talks are to others that dial for the same agents."""
        return self._prediction.part(traffic, now_s)

    def advise(self, traffic: Traffic, windows: Sequence[Window], now_s: float) -> Advice:
        """How many calls may be placed now. ``windows``: those of the law, the longest first."""
        allowed = risk(windows, aim=self.pace.aim, usual=self.pace.usual_risk * exp(self.lean))
        room = self._room(traffic)
        calls, of_one_more = self._prediction.calls(traffic, allowed, now_s, max(room, 1))
        limit = self._keeps_to_one_each(windows, now_s)
        if limit:
            others = sum(other.answers for other in traffic.others)  # there are more of those calls than agents
            calls = traffic.free - traffic.waiting - traffic.under_way - ceil(others)
        elif room <= calls:
            limit = Limit.GROWTH
        share = self._prediction.share(traffic.trunk)
        return Advice(min(calls, room), limit or Limit.RISK, of_one_more, allowed, share)

    def order(self, line: Sequence[Iterable[str]], calls: int, traffic: Traffic, now_s: float) -> list[int]:
        """In which order contacts are called, of whom so many will be: positions in the ``line``, given by features.

        One who is likely to answer fits when agents are short, one who is not when many will be free: then the answers
        vary less. Every few calls the head of the line goes first, so that nobody stays in it for long.
        """
        steps = [self.propensities.steps(of) for of in line]
        ranked = sorted(range(len(line)), key=lambda n: (steps[n], -n))  # of equals the first in line is the likeliest
        chosen: list[int] = []
        for _ in range(min(calls, len(line))):
            self._turn += 1
            wish = self._wish(traffic, now_s)
            fits = min(ranked) if self._turn % _HEAD_EVERY == 0 else ranked[round(wish * (len(ranked) - 1))]
            ranked.remove(fits)
            chosen.append(fits)
        return [*chosen, *sorted(ranked)]

    def _wish(self, traffic: Traffic, now_s: float) -> float:
        """Which contact fits now: from 0, the least likely to answer, to 1, the most.

        By the rank of the agents who are expected to be free among what was expected at the last calls: so everybody
        is called in the end.
        """
        free = self._prediction.expected_free(traffic, now_s)
        more = sum(before > free for before in self._expected)
        wish = more / len(self._expected) if len(self._expected) >= _RANKED else 0.5
        self._expected.append(free)
        return wish

    def _keeps_to_one_each(self, windows: Sequence[Window], now_s: float) -> Limit | None:
        """Why nothing is predicted: one call for each free agent."""
        if not self.pace.usual_risk:
            return Limit.AGENTS_COVERED
        if self.answers < max(self.pace.least_answers, 1) or now_s < self.blind_until_s:
            return Limit.LEARNING
        return Limit.ABANDONMENT if self._is_spent(windows) else None

    def _is_spent(self, windows: Sequence[Window]) -> bool:
        """Whether the law's longest window is at its limit; of a few answers, a single one makes more than that."""
        longest = windows[0] if windows else Window(Tally())
        return longest.tally.answered >= LEAST_COUNTED and longest.is_spent(self.pace.limit)

    def _room(self, traffic: Traffic) -> int:
        """How many calls more there may be, so that a wrong belief can't flood the trunks."""
        agents = traffic.free + traffic.busy + sum(other.busy for other in traffic.others)
        freely = _FREELY * agents if self.answers >= _KNOWN_ANSWERS else traffic.free
        return ceil(GROWTH * max(self._most, freely)) - traffic.under_way

    # --- over restarts -----------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, Any]:
        """What is to be kept over a restart."""
        answers = {trunk: answers.kept() for trunk, answers in self.beliefs.answers.items()}
        parts = {name: part.kept() for name, part in self._parts().items()}
        propensities = self.propensities.kept()
        return {"count": self.answers, "lean": self.lean, "answers": answers, "propensities": propensities} | parts

    def paced(self, pace: Pace) -> Pacer:
        """The same, for other settings."""
        new = Pacer(pace)
        new.restore(self.kept())
        new._most, new._looked_at, new.blind_until_s = self._most, self._looked_at, self.blind_until_s
        return new

    def restore(self, kept: Mapping[str, Any], *, age_s: float = 0.0) -> None:
        """Go on from what was kept so long ago. What is too old is only the best guess until there are new answers.

        Raises ValueError for what can't have been kept; the pacer is of no use then.
        """
        if not _is_finite(kept):
            raise ValueError("what was kept has a value that is no number")
        try:
            self._restore(kept)
        except (KeyError, TypeError, IndexError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"what was kept can't be read: {error!r}") from error
        if age_s > STALE_S:
            self.answers = 0
            for answers in self.beliefs.answers.values():
                answers.doubt()

    def _restore(self, kept: Mapping[str, Any]) -> None:
        self.answers, self.lean = int(kept["count"]), float(kept["lean"])
        for name, part in self._parts().items():
            part.restore(kept[name])
        self.propensities.restore(kept["propensities"])
        for trunk, of_trunk in kept["answers"].items():
            self.beliefs.of(trunk).restore(of_trunk)

    def _parts(self) -> Mapping[str, Answering | Lifetimes]:
        return {"verdicts": self.beliefs.verdicts, "talks": self.beliefs.talks, "rests": self.beliefs.rests}


def _is_finite(kept: Any) -> bool:
    """Whether every number in it is one."""
    if isinstance(kept, Mapping):
        return all(map(_is_finite, kept.values()))
    if isinstance(kept, (list, tuple)):
        return all(map(_is_finite, kept))
    return not isinstance(kept, float) or isfinite(kept)
