"""What a campaign's call detail records tell about its callers and its talks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from astdialer.domain.disposition import PERSON_REACHED, Disposition
from astdialer.domain.errors import Conflict

#: Fewer say too little.
LEAST_ATTEMPTS, LEAST_TALKS = 200, 30
#: The newest ones are enough: lists and seasons change.
MOST_ATTEMPTS = 20_000
#: They tell nothing about whoever was called.
_TELL_NOTHING = (Disposition.CANCELED, Disposition.UNKNOWN)
#: No call ends sooner after it was placed.
_LEAST_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Recorded calls. Times are seconds; ``since`` and ``until`` ms since 1970 UTC; rates are percent."""

    attempts: int
    since: int
    until: int
    answer_rate: float  #: of calls that people answered
    machines: float  #: of the other calls, as AMD saw them
    attempts_per_contact: float
    answer_s: Sequence[float]  #: from placing a call to a person's answer
    machine_s: Sequence[float]
    nobody_s: Sequence[float]
    talk_s: Sequence[float]
    handoff_s: float  #: a person's usual wait for an agent, without AMD
    amd_s: float | None  #: AMD's usual time, if machines are hung up at once

    @property
    def answer_mean_s(self) -> float:
        """A person's answer comes after so long."""
        return fmean(self.answer_s)

    @property
    def talk_mean_s(self) -> float:
        """A talk's length."""
        return fmean(self.talk_s)


def history(name: str, rows: Iterable[Mapping[str, Any]], *, plays_to_machines: bool = False) -> History:
    """From the campaign's CDRs. ``plays_to_machines``: a machine hears a message, and AMD's time can't be seen.

    Raises Conflict when there are too few.
    """
    told = [row for row in rows if _tells(row)]
    people, machines = _of(told, PERSON_REACHED), _of(told, {Disposition.MACHINE})
    talks = [row["talk_s"] for row in people if row["talk_s"] > 0]
    if len(told) < LEAST_ATTEMPTS or len(talks) < LEAST_TALKS:
        raise Conflict(_too_few(name, len(told), len(talks)))
    nobody = [row for row in told if row["disposition"] not in (*PERSON_REACHED, Disposition.MACHINE)]
    amd_s = None if plays_to_machines or not machines else median(row["wait_s"] for row in machines)
    return History(
        attempts=len(told),
        since=min(row["calldate"] for row in told),
        until=max(row["calldate"] for row in told),
        answer_rate=100 * len(people) / len(told),
        machines=100 * len(machines) / max(1, len(told) - len(people)),
        attempts_per_contact=len(told) / len({row["contact_id"] for row in told}),
        answer_s=[_to_answer_s(row) for row in people],
        machine_s=[_to_answer_s(row) for row in machines],
        nobody_s=[max(float(row["duration"]), float(row["ring_s"]), _LEAST_S) for row in nobody],
        talk_s=talks,
        handoff_s=_handoff_s(people, amd_s or 0.0),
        amd_s=amd_s,
    )


def _tells(row: Mapping[str, Any]) -> bool:
    """Whether the call was placed, and its end was seen."""
    never_placed = row["disposition"] == Disposition.FAILED and not row["channel"]
    return row["disposition"] not in _TELL_NOTHING and not never_placed


def _of(rows: Iterable[Mapping[str, Any]], dispositions: Collection[Disposition]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["disposition"] in dispositions]


def _to_answer_s(row: Mapping[str, Any]) -> float:
    """The record has whole seconds, but of the ringing."""
    return max(float(row["duration"] - row["billsec"]), float(row["ring_s"]), _LEAST_S)


def _handoff_s(people: Iterable[Mapping[str, Any]], amd_s: float) -> float:
    """For most people an agent is free, and only its telephone has to ring."""
    return max(0.0, median(float(row["wait_s"]) for row in people if row["talk_s"] > 0) - amd_s)


def _too_few(name: str, attempts: int, talks: int) -> str:
    return (
        f"{name} has {attempts} recorded calls with {talks} talks: expected at least {LEAST_ATTEMPTS} with "
        f"{LEAST_TALKS}. Dial on first, or leave out --from-history and say --answer-rate, --talk, --ring, --machines"
    )
