"""What a rehearsal reckons with: who answers, when, and how long talks last; assumed, stated, or recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.settings import Settings
from astdialer.simulator.history import History
from astdialer.simulator.world import Amd, AtMost, Empirical, Law, Lognormal, Mixture, Ringing

#: Assumed where nobody says otherwise: percent of calls that people answer, and seconds.
ANSWER_RATE, TALK_S, RING_S = 25.0, 150.0, 11.5
#: Percent of the calls that no person answers which a machine does; without AMD nobody could tell, so none.
MACHINES = 35.0
#: Talks vary as much as they are long; people's answers less.
_TALK_CV, _RING_CV = 1.0, 0.55
#: Voicemail takes calls after so long; of the other calls so many fail so soon, and the rest ring to the end.
_VOICEMAIL = Lognormal(24.0, 0.1)
_QUICK_SHARE, _QUICK = 5 / 13, Lognormal(5.5, 0.35)
#: AMD judges after so long, and takes so many people for machines, and machines for people; those an agent hangs up.
_AMD_S, _PERSON_AS_MACHINE, _MACHINE_AS_PERSON, _MACHINE_S = 2.5, 0.05, 0.10, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What whoever rehearses says; None: nothing. Rates are percent, times mean seconds."""

    answer_rate: float | None = None
    talk_s: float | None = None
    ring_s: float | None = None
    machines: float | None = None
    attempts: float | None = None  #: calls that a contact takes, on average


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that is reckoned with: its name, its value, the value in words, and whence it comes."""

    name: str
    value: float
    words: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The laws of callers, and of talks with them."""

    share: float  #: of calls that a person answers
    machines: float  #: of the other calls, a machine answers so many
    ringing: Ringing
    talk: Law
    handoff_s: float  #: an agent's telephone rings so long
    amd: Amd | None
    attempts: float
    assumptions: Sequence[Assumption]


def callers(settings: Settings, stated: Stated, history: History | None = None) -> Callers:
    """What is stated, else what is recorded, else what is assumed. Raises InvalidSetting."""
    return _Reckoning(settings, stated, history).callers()


class _Reckoning:
    """Puts the laws together, and notes each with its source."""

    def __init__(self, settings: Settings, stated: Stated, history: History | None) -> None:
        self._settings, self._stated, self._history = settings, stated, history
        self._found: list[Assumption] = []

    def callers(self) -> Callers:
        """In the order in which people read them."""
        share = self._share()
        person = self._person()
        machines = self._machines()
        amd = self._amd(share, machines)
        return Callers(
            share=share,
            machines=machines,
            ringing=Ringing(person=person, machine=self._machine(), nobody=self._nobody()),
            amd=amd,
            talk=self._talk(),
            handoff_s=self._handoff_s(),
            attempts=self._attempts(),
            assumptions=tuple(self._found),
        )

    def _note(self, name: str, value: float, words: str, source: str) -> None:
        self._found.append(Assumption(name, value, words, source))

    def _share(self) -> float:
        percent, source = self._value("--answer-rate", self._stated.answer_rate, ANSWER_RATE, "answer_rate")
        self._note("answered by people", percent, f"{percent:.3g}% of calls", source)
        return percent / 100

    def _machines(self) -> float:
        assumed = MACHINES if self._settings.amd else 0.0
        percent, source = self._value("--machines", self._stated.machines, assumed, "machines")
        words = f"{percent:.3g}% of the other calls" if percent else "none"
        self._note("answered by machines", percent, words, source)
        return percent / 100

    def _value(self, option: str, stated: float | None, assumed: float, recorded: str) -> tuple[float, str]:
        if stated is not None:
            return stated, option
        if self._history:
            return float(getattr(self._history, recorded)), "recorded"
        return assumed, f"assumed; say {option}"

    # --- calls -------------------------------------------------------------------------------------------------------

    def _person(self) -> Law:
        most_s = float(self._settings.ring_s)
        mean_s, source = self._value("--ring", self._stated.ring_s, min(RING_S, most_s / 2), "answer_mean_s")
        if self._stated.ring_s is not None and mean_s >= most_s:
            raise InvalidSetting("--ring", mean_s, f"less than the {most_s:g} s that a number rings at most")
        self._note("they answer after", mean_s, f"{mean_s:.1f} s on average, {most_s:g} s at most", source)
        if self._history and self._stated.ring_s is None:
            return AtMost(most_s, Empirical(self._history.answer_s))
        return AtMost(most_s, Lognormal(mean_s, _RING_CV))

    def _machine(self) -> Law:
        recorded = self._history.machine_s if self._history else ()
        return AtMost(self._settings.ring_s, Empirical(recorded) if recorded else _VOICEMAIL)

    def _nobody(self) -> Law:
        most_s = float(self._settings.ring_s)
        if self._history and self._history.nobody_s:
            mean_s = sum(self._history.nobody_s) / len(self._history.nobody_s)
            self._note("the rest ends after", mean_s, f"{mean_s:.1f} s on average", "recorded")
            return AtMost(most_s, Empirical(self._history.nobody_s))
        words = f"{100 * _QUICK_SHARE:.0f}% after {_QUICK.mean:g} s on average, the others after {most_s:g} s"
        mean_s = _QUICK_SHARE * _QUICK.mean + (1 - _QUICK_SHARE) * most_s
        self._note("the rest ends after", mean_s, words, "assumed, and originate_timeout_s")
        return AtMost(most_s, Mixture(_QUICK_SHARE, _QUICK, Empirical((most_s,))))

    def _amd(self, share: float, machines: float) -> Amd | None:
        """Without detection, machines are connected as if they were people."""
        if not self._settings.amd:
            if not machines:
                return None
            self._note("machines take agents", _MACHINE_S, f"{_MACHINE_S:g} s each: amd is off", "assumed")
            return Amd(takes_s=0.0, person_as_machine=0.0, machine_as_person=1.0, machine_s=_MACHINE_S)
        longest_s = self._settings.amd_total_analysis_ms / 1000
        if self._history:  # who is recorded as a person or a machine is whom AMD took for one
            takes_s = min(self._history.amd_s or _AMD_S, longest_s)
            self._note("AMD takes", takes_s, f"{takes_s:.1f} s", "recorded" if self._history.amd_s else "assumed")
            return Amd(takes_s=takes_s, person_as_machine=0.0, machine_as_person=0.0, machine_s=_MACHINE_S)
        lost = self._people_as_machines(share, machines)
        takes_s = min(_AMD_S, longest_s)
        words = f"{takes_s:.1f} s, and errs on {lost:.0%} of people and {_MACHINE_AS_PERSON:.0%} of machines"
        self._note("AMD takes", takes_s, words, "assumed")
        return Amd(takes_s=takes_s, person_as_machine=lost, machine_as_person=_MACHINE_AS_PERSON, machine_s=_MACHINE_S)

    def _people_as_machines(self, share: float, machines: float) -> float:
        """From amd_false_machines, the share of AMD's machines that are people, if that is set."""
        false = self._settings.amd_false_machines / 100
        if not 0 < false < 1:
            return _PERSON_AS_MACHINE
        judged = (1 - share) * machines * (1 - _MACHINE_AS_PERSON)
        return min(1.0, false * judged / (share * (1 - false)))

    # --- talks -------------------------------------------------------------------------------------------------------

    def _talk(self) -> Law:
        mean_s, source = self._value("--talk", self._stated.talk_s, TALK_S, "talk_mean_s")
        if self._history and self._stated.talk_s is None:
            self._note("talk", mean_s, f"{mean_s:.1f} s on average, as they were", source)
            return Empirical(self._history.talk_s)
        self._note("talk", mean_s, f"{mean_s:g} s on average, lognormal, as much deviation", source)
        return Lognormal(mean_s, _TALK_CV)

    def _handoff_s(self) -> float:
        seconds, source = (self._history.handoff_s, "recorded") if self._history else (0.0, "assumed")
        words = f"{seconds:.1f} s" if seconds else "not at all: they answer at once"
        self._note("agents' telephones ring", seconds, words, source)
        return seconds

    def _attempts(self) -> float:
        value, source = self._value("--attempts", self._stated.attempts, 1.0, "attempts_per_contact")
        self._note("calls for a contact", value, f"{value:.2g} on average", source)
        return value
