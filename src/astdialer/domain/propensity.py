"""How likely a contact is to answer, compared with the others: learned call by call from what is known of it.

A logistic regression: each feature, such as a number's type or how often it was tried, moves the log-odds of an answer.
What is common to all calls, the level, is not learned here but given: it changes faster (see laws.Answering).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

from astdialer.domain.contact import Number

#: Log-odds are told apart in steps of half, from -3 to 3.
STEP, MOST_STEPS = 0.5, 6
#: A feature of which nothing is known moves nothing; what is known counts fully after some tens of calls.
_DOUBT = 6.0
#: So many features are kept over a restart.
_KEPT = 300
#: Tries beyond so many are alike.
_TRIES = 4


def features(number: Number, *, base: str, hour: int) -> tuple[str, ...]:
    """What is known of a number before it is called. ``hour``: the local one, 0 to 23."""
    last = number.last_disposition or "none"
    tries = min(number.tries, _TRIES)
    return f"type {number.type}", f"tries {tries}", f"last {last}", f"hour {hour}", f"base {base}"


@dataclass(slots=True)
class Propensities:
    """``memory``: calls of a feature after which a call counts less and less. Mutable."""

    memory: float = 3000.0
    _weights: dict[str, float] = field(default_factory=dict)
    _known: dict[str, float] = field(default_factory=dict)  #: information about each weight

    def steps(self, of: Iterable[str]) -> int:
        """The log-odds of a contact with these features beyond the level, in steps of `STEP`."""
        beyond = sum(self._weights.get(feature, 0.0) for feature in of)
        return min(max(round(beyond / STEP), -MOST_STEPS), MOST_STEPS)

    def ended(self, of: Iterable[str], *, reached: bool, level: float) -> None:
        """A call to a contact with these features led to a person, or did not. ``level``: the share of all that do."""
        listed = list(of)
        logit = log(level / (1 - level)) + sum(self._weights.get(feature, 0.0) for feature in listed)
        expected = 1 / (1 + exp(-min(max(logit, -20.0), 20.0)))
        information = expected * (1 - expected)
        for feature in listed:
            known = self._known.get(feature, 0.0)
            known = self._known[feature] = known * (1 - 1 / self.memory) + information
            self._weights[feature] = self._weights.get(feature, 0.0) + (reached - expected) / (known + _DOUBT)

    def kept(self) -> dict[str, Any]:
        """What is to be kept over a restart: of features that come and go, such as bases, those that are known best."""
        best = sorted(self._known, key=lambda feature: -self._known[feature])[:_KEPT]
        return {feature: [self._weights[feature], self._known[feature]] for feature in best}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what was kept."""
        self._weights = {feature: float(values[0]) for feature, values in kept.items()}
        self._known = {feature: float(values[1]) for feature, values in kept.items()}
