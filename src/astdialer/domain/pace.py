"""How predictive dialing is to go. Apart from what it does, so that settings need no arrays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How predictive dialing is to go, from the campaign's settings."""

    ring_s: float
    patience_s: float
    wrap_up_s: float
    aim: float  #: the rate of abandoned people that is aimed at
    limit: float  #: at or above it, one call for each free agent
    usual_risk: float  #: 0: one call for each free agent
    least_answers: int = 10  #: before so many nothing is predicted: one call for each free agent
    memory: float = 1000  #: calls after which a call counts 1/e for the share of answers
