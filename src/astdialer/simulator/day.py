"""A simulated day, event by event in virtual time."""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astdialer.domain.prediction import Traffic
from astdialer.simulator.world import Contact, Draws, End, Fate, World

#: Pacing is asked after each event, and at least so often.
TICK_S = 1.0
#: The worst rate is that of so many successive answers.
_SUCCESSIVE = 100
#: Who watches a day looks so often.
WATCH_S = 60.0


@dataclass(slots=True)
class Record:
    """What a day came to. Times are seconds. Agents' time counts as long as there is somebody to call."""

    agents_s: float = 0  #: of logged-in agents
    talk_s: float = 0  #: from the reservation of the agent on
    busy_s: float = 0  #: talks and rests
    calls_s: float = 0  #: of calls that nobody has answered
    dialing_ended_s: float = 0  #: the list, the answers or the day was at its end
    ended_s: float = 0  #: the last call and the last talk were over
    dialed: int = 0
    connected: int = 0
    abandoned: int = 0
    false_machines: int = 0  #: people whom AMD took for machines
    most_calls: int = 0  #: under way at a time
    decisions: int = 0  #: that were timed
    deciding_s: float = 0  #: real time that they took
    waits_s: list[float] = field(default_factory=list)  #: of connected people
    idle_s: list[float] = field(default_factory=list)  #: of agents, before each talk
    lost: bytearray = field(default_factory=bytearray)  #: of each person who answered: 1 abandoned, 0 connected

    @property
    def answered(self) -> int:
        """By people who needed an agent."""
        return self.connected + self.abandoned

    @property
    def utilisation(self) -> float:
        """The share of their time that agents talk or rest."""
        return self.busy_s / self.agents_s if self.agents_s else 0.0

    @property
    def talk_share(self) -> float:
        """The share of their time that agents talk."""
        return self.talk_s / self.agents_s if self.agents_s else 0.0

    @property
    def abandonment(self) -> float:
        """The share of answers that found no agent in time."""
        return self.abandoned / self.answered if self.answered else 0.0

    @property
    def worst_abandonment(self) -> float:
        """The same over the worst 100 successive answers; of fewer answers, over all."""
        if len(self.lost) < _SUCCESSIVE:
            return self.abandonment
        sums = np.concatenate([[0], np.cumsum(np.frombuffer(self.lost, np.uint8), dtype=np.int64)])
        return float((sums[_SUCCESSIVE:] - sums[:-_SUCCESSIVE]).max()) / _SUCCESSIVE

    @property
    def most_lost_in_a_row(self) -> int:
        """How many successive people were abandoned."""
        return max(map(len, self.lost.split(b"\0")))

    @property
    def idle_per_connect_s(self) -> float:
        """How long agents are idle for one connected person."""
        return (self.agents_s - self.busy_s) / self.connected if self.connected else 0.0

    def idle_within_s(self, share: float) -> float:
        """So many of the agents' idle spans were no longer; who is free longest gets the next person."""
        return float(np.quantile(self.idle_s, share)) if self.idle_s else 0.0

    def waited_within_s(self, share: float) -> float:
        """So many of the connected people waited no longer."""
        return float(np.quantile(self.waits_s, share)) if self.waits_s else 0.0

    def waited_over(self, seconds: float) -> float:
        """The share of connected people who waited longer."""
        return sum(wait > seconds for wait in self.waits_s) / len(self.waits_s) if self.waits_s else 0.0

    @property
    def ms_per_decision(self) -> float:
        """Real milliseconds, if they were timed."""
        return 1000 * self.deciding_s / self.decisions if self.decisions else 0.0


class Pacing(ABC):
    """A way of pacing: it is told what a dialer sees, and says how many calls to place. This one learns nothing."""

    window = 1  #: of so many contacts it chooses one

    @abstractmethod
    def decide(self, day: Day) -> int:
        """Calls to place now."""

    def choose(self, day: Day, line: Sequence[tuple[str, ...]]) -> int:
        """Which of the contacts that are next is called, given what is known of them."""
        return 0

    def steps(self, known: tuple[str, ...]) -> int:
        """How likely a contact is to answer, see domain.propensity."""
        return 0

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...]) -> None:
        """A call has led to a person who needs an agent, or has ended without; ``known``: of its contact."""

    def served(self, *, in_time: bool) -> None:
        """A person got an agent, or was abandoned."""

    def verdict(self, age_s: float, *, person: bool) -> None:
        """AMD took so long to say who has answered."""

    def talk_ended(self, age_s: float) -> None:
        """An agent was so long in a call."""

    def rest_ended(self, age_s: float) -> None:
        """An agent was free again so long after its talk."""


class Day:
    """``run`` once; what is public is what pacing may see. ``timed``: measure what decisions cost. ``watch``: called
    each simulated minute."""

    def __init__(
        self,
        world: World,
        pacing: Pacing,
        seed: int,
        *,
        timed: bool = False,
        watch: Callable[[Day], None] | None = None,
    ) -> None:
        self.world, self._pacing, self._draws = world, pacing, Draws(world, seed)
        self._watch = watch
        self.now = 0.0
        self.logged_in = world.agents
        self.dialing: dict[int, float] = {}  #: call → when it was placed
        self.analysed: dict[int, float] = {}  #: call → when it was answered
        self.waiting: dict[int, float] = {}  #: person → since when
        self.talking: dict[int, float] = {}  #: talk → since when the agent is reserved
        self.resting: dict[int, float] = {}
        self.steps: dict[int, int] = {}  #: call → how likely an answer is
        self._known: dict[int, tuple[str, ...]] = {}  # call → what is known of its contact
        self._line: list[Contact] = []  # who is next
        self.record = Record()
        self._decide = self._timed if timed else pacing.decide
        self._free_since = deque([0.0] * world.agents)
        self._started: deque[float] = deque()  # calls of the last second, if their number is limited
        self._closed = False  # nobody is called any more
        self._machines: set[int] = set()  # answered calls that AMD wrongly took for people
        self._leaving = 0
        self._next_id = 0
        self._events: list[tuple[float, int, Callable[[int, Any], None], int, Any]] = []
        self._order = 0

    @property
    def free(self) -> int:
        """Agents without a call."""
        return len(self._free_since)

    def traffic(self) -> Traffic:
        """What a dialer sees now."""
        return Traffic(
            free=self.free,
            waiting=len(self.waiting),
            dialing={"": self._ages(self.dialing)},
            steps=self._steps(),
            analysed_s=self._ages(self.analysed),
            talking_s=self._ages(self.talking),
            resting_s=self._ages(self.resting),
        )

    def _steps(self) -> dict[str, np.ndarray]:
        if self.world.score_noise is None:
            return {}
        return {"": np.fromiter((self.steps[call] for call in self.dialing), float, len(self.dialing))}

    def _ages(self, since: dict[int, float]) -> np.ndarray:
        return self.now - np.fromiter(since.values(), float, len(since))

    def run(self) -> Record:
        """From the first second to the last."""
        ends_s, events = self.world.ends_s, self._events
        self._at(0.0, self._tick)
        for at, change in self.world.shift:
            self._at(at, self._join if change > 0 else self._leave)
        while events[0][0] <= ends_s and not self._is_over:
            at, _, act, key, what = heapq.heappop(events)
            self._pass(at)
            act(key, what)
            if not self._closed:
                self._dial(self._decide(self))
        if not self._is_over:
            self._pass(ends_s)
        if not self._closed:
            self._close()
        self.record.ended_s = self.now
        return self.record

    def _at(self, at: float, act: Callable[[int, Any], None], key: int = 0, what: Any = None) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, act, key, what))

    def _pass(self, at: float) -> None:
        record, span = self.record, at - self.now
        if not self._closed:
            talking = len(self.talking)
            record.agents_s += span * self.logged_in
            record.talk_s += span * talking
            record.busy_s += span * (talking + len(self.resting))
        record.calls_s += span * len(self.dialing)
        self.now = at

    def _tick(self, key: int, what: Any) -> None:
        self._at(self.now + TICK_S, self._tick)
        if self._watch and self.now % WATCH_S == 0:
            self._watch(self)

    def _timed(self, day: Day) -> int:
        began = time.perf_counter()
        calls = self._pacing.decide(day)
        self.record.deciding_s += time.perf_counter() - began
        self.record.decisions += 1
        return calls

    # --- calls -------------------------------------------------------------------------------------------------------

    def _dial(self, calls: int) -> None:
        if calls <= 0:
            return
        record, now = self.record, self.now
        for _ in range(min(calls, self._room())):
            self._next_id += 1
            contact = self._next_contact()
            self._known[self._next_id], self.steps[self._next_id] = contact.known, self._pacing.steps(contact.known)
            fate = self._draws.fate(contact, now)
            self.dialing[self._next_id] = now
            self._at(now + fate.after_s, self._dialed, self._next_id, fate)
            record.dialed += 1
            if self.world.calls_per_second:
                self._started.append(now)
        record.most_calls = max(record.most_calls, len(self.dialing))
        if record.dialed == self.world.contacts:
            self._close()

    def _next_contact(self) -> Contact:
        while len(self._line) < self._pacing.window:
            self._line.append(self._draws.contact())
        return self._line.pop(self._pacing.choose(self, [contact.known for contact in self._line]))

    def _room(self) -> int:
        """How many calls the lines, the carrier and the list have room for."""
        world = self.world
        room = world.max_lines - len(self.dialing) - len(self.analysed) - len(self.talking) - len(self.waiting)
        if world.contacts is not None:
            room = min(room, world.contacts - self.record.dialed)
        if world.calls_per_second is not None:
            while self._started and self._started[0] <= self.now - 1:
                self._started.popleft()
            room = min(room, world.calls_per_second - len(self._started))
        return room

    def _close(self) -> None:
        """Nobody is called any more; what is under way goes on."""
        self._closed = True
        self.record.dialing_ended_s = self.now

    @property
    def _is_over(self) -> bool:
        return self._closed and not (self.dialing or self.analysed or self.waiting or self.talking)

    def _dialed(self, call: int, fate: Fate) -> None:
        age_s = self.now - self.dialing.pop(call)
        amd = self.world.amd
        if amd and fate.end is not End.NOBODY:
            self.analysed[call] = self.now
            self._at(self.now + amd.takes_s, self._judged, call, (fate, age_s))
            return
        self._call_ended(call, age_s, fate.end)
        if fate.end is End.PERSON:
            self._answered(call, machine=False)

    def _call_ended(self, call: int, age_s: float, end: End) -> None:
        del self.steps[call]
        self._pacing.call_ended(age_s, end, self._known.pop(call))

    def _judged(self, call: int, what: tuple[Fate, float]) -> None:
        fate, age_s = what
        took_s = self.now - self.analysed.pop(call)
        person = (fate.end is End.PERSON) != fate.misjudged
        self._call_ended(call, age_s, End.PERSON if person else End.MACHINE)
        self._pacing.verdict(took_s, person=person)
        if person:
            self._answered(call, machine=fate.end is End.MACHINE)
        elif fate.misjudged:
            self.record.false_machines += 1

    def _answered(self, call: int, *, machine: bool) -> None:
        self.waiting[call] = self.now
        if machine:
            self._machines.add(call)
        if self._free_since:
            self._connect(call)
        else:
            self._at(self.now + self._draws.patience_s(), self._gone, call)
        if not self._closed and self.record.answered + len(self.waiting) == self.world.answers:
            self._close()

    def _gone(self, call: int, what: Any) -> None:
        if self.waiting.pop(call, None) is not None:
            self.record.abandoned += 1
            self.record.lost.append(1)
            self._pacing.served(in_time=False)

    # --- agents ------------------------------------------------------------------------------------------------------

    def _connect(self, call: int) -> None:
        record = self.record
        record.waits_s.append(self.now - self.waiting.pop(call))
        record.connected += 1
        record.lost.append(0)
        self._pacing.served(in_time=True)
        idle_s = self.now - self._free_since.popleft()
        if not self._closed:
            record.idle_s.append(idle_s)
        talk_s, rest_s = self._draws.handle()
        if self.world.amd and call in self._machines:
            talk_s = self.world.amd.machine_s
        self._next_id += 1
        self.talking[self._next_id] = self.now
        self._at(self.now + self.world.handoff_s + talk_s, self._hung_up, self._next_id, rest_s)

    def _hung_up(self, talk: int, rest_s: float) -> None:
        self._pacing.talk_ended(self.now - self.talking.pop(talk))
        self.resting[talk] = self.now
        if rest_s:
            self._at(self.now + rest_s, self._rested, talk)
        else:
            self._rested(talk, None)

    def _rested(self, talk: int, what: Any) -> None:
        self._pacing.rest_ended(self.now - self.resting.pop(talk))
        if self._leaving:
            self._leaving -= 1
            self.logged_in -= 1
            return
        self._free_since.append(self.now)
        self._serve()

    def _serve(self) -> None:
        if self.waiting and self._free_since:
            self._connect(next(iter(self.waiting)))

    def _join(self, key: int, what: Any) -> None:
        self.logged_in += 1
        self._free_since.append(self.now)
        self._serve()

    def _leave(self, key: int, what: Any) -> None:
        """One who is free goes at once, one in a talk after the rest."""
        if self._free_since:
            self._free_since.popleft()
            self.logged_in -= 1
        else:
            self._leaving += 1
