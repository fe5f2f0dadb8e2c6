"""A simulated day, event by event in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from astdialer.domain.prediction import Traffic
from astdialer.simulator.world import Draws, End, Fate, World

#: Pacing is asked after each event, and at least so often.
TICK_S = 1.0


@dataclass(slots=True)
class Record:
    """What a day came to. Times are summed seconds."""

    agents_s: float = 0  #: of logged-in agents
    busy_s: float = 0  #: talks and rests
    calls_s: float = 0  #: of calls that nobody has answered
    dialed: int = 0
    connected: int = 0
    abandoned: int = 0
    false_machines: int = 0  #: people whom AMD took for machines
    most_calls: int = 0  #: under way at a time
    waits_s: list[float] = field(default_factory=list)  #: of connected people

    @property
    def answered(self) -> int:
        """By people who needed an agent."""
        return self.connected + self.abandoned

    @property
    def utilisation(self) -> float:
        """The share of their time that agents talk or rest."""
        return self.busy_s / self.agents_s if self.agents_s else 0.0

    @property
    def abandonment(self) -> float:
        """The share of answers that found no agent in time."""
        return self.abandoned / self.answered if self.answered else 0.0


class Pacing(Protocol):
    """A way of pacing: it is told what a dialer sees, and says how many calls to place."""

    def decide(self, day: Day) -> int:
        """Calls to place now."""

    def call_ended(self, age_s: float, end: End) -> None: ...
    def served(self, *, in_time: bool) -> None: ...
    def verdict(self, age_s: float, *, person: bool) -> None: ...
    def talk_ended(self, age_s: float) -> None: ...
    def rest_ended(self, age_s: float) -> None: ...


class Day:
    """``run`` once; what is public is what pacing may see."""

    def __init__(self, world: World, pacing: Pacing, seed: int) -> None:
        self.world, self._pacing, self._draws = world, pacing, Draws(world, seed)
        self.now = 0.0
        self.logged_in = self.free = world.agents
        self.dialing: dict[int, float] = {}  #: call → when it was placed
        self.analysed: dict[int, float] = {}  #: call → when it was answered
        self.waiting: dict[int, float] = {}  #: person → since when
        self.talking: dict[int, float] = {}  #: talk → since when the agent is reserved
        self.resting: dict[int, float] = {}
        self.record = Record()
        self._machines: set[int] = set()  # answered calls that AMD wrongly took for people
        self._leaving = 0
        self._next_id = 0
        self._events: list[tuple[float, int, Callable[[int, object], None], int, object]] = []
        self._order = 0

    def traffic(self) -> Traffic:
        """What a dialer sees now."""
        return Traffic(
            free=self.free,
            waiting=len(self.waiting),
            dialing={"": self._ages(self.dialing)},
            analysed_s=self._ages(self.analysed),
            talking_s=self._ages(self.talking),
            resting_s=self._ages(self.resting),
        )

    def _ages(self, since: dict[int, float]) -> np.ndarray:
        return self.now - np.fromiter(since.values(), float, len(since))

    def run(self) -> Record:
        """From the first second to the last."""
        self._at(0.0, self._tick)
        for at, change in self.world.shift:
            self._at(at, self._join if change > 0 else self._leave)
        while self._events and self._events[0][0] <= self.world.ends_s:
            at, _, act, key, what = heapq.heappop(self._events)
            self._pass(at)
            act(key, what)
            self._dial(self._pacing.decide(self))
        self._pass(self.world.ends_s)
        return self.record

    def _at(self, at: float, act: Callable[[int, object], None], key: int = 0, what: object = None) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, act, key, what))

    def _pass(self, at: float) -> None:
        record, span = self.record, at - self.now
        record.agents_s += span * self.logged_in
        record.busy_s += span * (len(self.talking) + len(self.resting))
        record.calls_s += span * len(self.dialing)
        self.now = at

    def _tick(self, key: int, what: object) -> None:
        self._at(self.now + TICK_S, self._tick)

    # --- calls -------------------------------------------------------------------------------------------------------

    def _dial(self, calls: int) -> None:
        room = self.world.max_lines - len(self.dialing) - len(self.analysed) - len(self.talking) - len(self.waiting)
        for _ in range(min(calls, room)):
            self._next_id += 1
            fate = self._draws.fate(self.now)
            self.dialing[self._next_id] = self.now
            self._at(self.now + fate.after_s, self._dialed, self._next_id, fate)
            self.record.dialed += 1
        self.record.most_calls = max(self.record.most_calls, len(self.dialing))

    def _dialed(self, call: int, fate: object) -> None:
        assert isinstance(fate, Fate)
        age_s = self.now - self.dialing.pop(call)
        amd = self.world.amd
        if fate.end is not End.NOBODY and amd:
            self.analysed[call] = self.now
            self._at(self.now + amd.takes_s, self._judged, call, (fate, age_s))
            return
        self._pacing.call_ended(age_s, fate.end)
        if fate.end is End.PERSON:
            self._answered(call, machine=False)

    def _judged(self, call: int, what: object) -> None:
        assert isinstance(what, tuple)
        fate, age_s = what
        took_s = self.now - self.analysed.pop(call)
        person = (fate.end is End.PERSON) != fate.misjudged
        self._pacing.call_ended(age_s, End.PERSON if person else End.MACHINE)
        self._pacing.verdict(took_s, person=person)
        if person:
            self._answered(call, machine=fate.end is End.MACHINE)
        elif fate.misjudged:
            self.record.false_machines += 1

    def _answered(self, call: int, *, machine: bool) -> None:
        self.waiting[call] = self.now
        if machine:
            self._machines.add(call)
        if self.free:
            self._connect(call)
        else:
            self._at(self.now + self._draws.patience_s(), self._gone, call)

    def _gone(self, call: int, what: object) -> None:
        if self.waiting.pop(call, None) is not None:
            self.record.abandoned += 1
            self._pacing.served(in_time=False)

    # --- agents ------------------------------------------------------------------------------------------------------

    def _connect(self, call: int) -> None:
        self.record.waits_s.append(self.now - self.waiting.pop(call))
        self.record.connected += 1
        self._pacing.served(in_time=True)
        self.free -= 1
        talk_s, rest_s = self._draws.handle()
        if call in self._machines and self.world.amd:
            talk_s = self.world.amd.machine_s
        self._next_id += 1
        self.talking[self._next_id] = self.now
        self._at(self.now + self.world.handoff_s + talk_s, self._hung_up, self._next_id, rest_s)

    def _hung_up(self, talk: int, rest_s: object) -> None:
        assert isinstance(rest_s, float)
        self._pacing.talk_ended(self.now - self.talking.pop(talk))
        self.resting[talk] = self.now
        if rest_s:
            self._at(self.now + rest_s, self._rested, talk)
        else:
            self._rested(talk, None)

    def _rested(self, talk: int, what: object) -> None:
        self._pacing.rest_ended(self.now - self.resting.pop(talk))
        if self._leaving:
            self._leaving -= 1
            self.logged_in -= 1
            return
        self.free += 1
        self._serve()

    def _serve(self) -> None:
        if self.waiting and self.free:
            self._connect(next(iter(self.waiting)))

    def _join(self, key: int, what: object) -> None:
        self.logged_in += 1
        self.free += 1
        self._serve()

    def _leave(self, key: int, what: object) -> None:
        """One who is free goes at once, one in a talk after the rest."""
        if self.free:
            self.free -= 1
            self.logged_in -= 1
        else:
            self._leaving += 1
