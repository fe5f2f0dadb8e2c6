"""What predictive dialing reckons with: learned from every fact, of each campaign, and kept over restarts.

Every campaign with agents learns, whatever its mode: one that becomes predictive knows its numbers and its agents.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astdialer.domain.abandonment import Window
from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.calendar import local_day, split_zones
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, Number
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Unavailable
from astdialer.domain.laws import Array
from astdialer.domain.pacer import Pacer
from astdialer.domain.pacing import Forecast
from astdialer.domain.prediction import Part, Traffic
from astdialer.domain.propensity import features
from astdialer.domain.settings import Mode, Settings
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.floor import Floor, Stage
from astdialer.engine.legalcount import LegalCount
from astdialer.ports import Arrange, Closing

logger = logging.getLogger(__name__)

#: What was learned is written down so often.
SAVE_S = 10.0
#: A machine is told something, or hung up; with anything else it is a person who is served.
_FOR_MACHINES = (Action.MESSAGE, Action.HANGUP)


@dataclass(slots=True)
class _UnderWay:
    """A campaign's calls that have no agent."""

    dialing: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  #: since when, by trunk
    steps: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  #: of an answer, see propensity
    analysed: list[int] = field(default_factory=list)
    talks: int = 0


class Forecaster:
    """``look`` once a turn, before any campaign is asked about."""

    def __init__(self, context: Context, desk: Desk) -> None:
        self._context, self._desk = context, desk
        self._store, self._clock, self._directory = context.store, context.clock, context.directory
        self._floor = Floor(context, desk, self)
        self._pacers: dict[int, Pacer] = {}
        self._counts: dict[int, LegalCount] = {}
        self._news: set[int] = set()  #: campaigns that have learned since it was written down
        self._under_way: Mapping[int, _UnderWay] = {}
        self._in_queue: Counter[tuple[str, str]] = Counter()  #: people without an agent, by server and queue
        self._parts: dict[int, Part] = {}  #: of campaigns, to others for the same agents, since the last look
        self._in_list: dict[int, int] = {}  #: contacts that are left, by campaign
        self._is_blind = True

    # --- of each campaign, over restarts -----------------------------------------------------------------------------

    async def take_up(self, campaign: Campaign) -> None:
        """Read what was learned and counted of a campaign, if it is new here. Raises Unavailable."""
        if campaign.id in self._counts or not campaign.settings.mode.needs_agents:
            return
        kept = await self._store.learned(campaign.id)
        now = self._clock.now()
        today, minute = local_day(self._directory.zone_of(campaign), now)
        first_call_at = await self._store.first_call_at(campaign.name, now - minute * 60_000)
        first_call = (today, first_call_at) if first_call_at is not None else None
        # Last, and nothing waits after it: a call that is closed meanwhile is either in it or told of.
        self._counts[campaign.id] = LegalCount(await self._store.days(campaign.id, ""), first_call)
        if kept:
            self._restore(campaign, kept.body, (now - kept.saved_at) / 1000)

    def _restore(self, campaign: Campaign, body: str, age_s: float) -> None:
        """What can't be read is learned anew: another version wrote it, or somebody's hand."""
        pacer = Pacer(campaign.settings.pace)
        try:
            pacer.restore(json.loads(body), age_s=age_s)
        except ValueError as error:
            logger.warning("forecast.not_restored", extra={"campaign": campaign.name, "error": repr(error)})
            return
        if before := self._pacers.get(campaign.id):  # a surprise may have come first
            pacer.blind_until_s = before.blind_until_s
        self._pacers[campaign.id] = pacer

    async def run(self) -> None:
        """Write down what is learned, until canceled."""
        while True:
            await self._clock.sleep(SAVE_S)
            try:
                await self.save()
            except Unavailable as error:
                logger.error("forecast.not_saved", extra={"error": str(error)})

    async def save(self) -> None:
        """Write down what is new. Raises Unavailable."""
        for campaign_id in list(self._news):
            self._news.discard(campaign_id)
            if campaign_id not in self._pacers:
                continue
            body = json.dumps(self._pacers[campaign_id].kept(), separators=(",", ":"))
            await self._store.save_learned(campaign_id, body, self._clock.now())

    def _pacer(self, campaign: Campaign) -> Pacer:
        """The campaign's, with the settings that it has now."""
        pace, known = campaign.settings.pace, self._pacers.get(campaign.id)
        if known is None or known.pace != pace:
            known = self._pacers[campaign.id] = known.paced(pace) if known else Pacer(pace)
        return known

    def _learner(self, campaign_id: int) -> Pacer | None:
        """Who is told a fact; nobody before what was kept has been read, for it would be written over."""
        if campaign_id not in self._counts:
            return None
        self._news.add(campaign_id)
        return self._pacer(self._directory.campaigns[campaign_id])

    # --- facts -------------------------------------------------------------------------------------------------------

    def call_changed(self, call: Call, before: Attempt) -> None:
        """A fact about a call has come in. A fault in here must not keep the fact from anybody else."""
        try:
            self._learn(call, before)
        except Exception:
            logger.exception("forecast.failed", extra={"attempt": call.attempt.id})

    def _learn(self, call: Call, before: Attempt) -> None:
        attempt, settings = call.attempt, self._context.campaign_of(call).settings
        says_nothing = attempt.manual or attempt.canceled or attempt.refusal or attempt.vanished
        if says_nothing or not attempt.dialed_at or not settings.mode.needs_agents:
            return
        pacer = self._learner(attempt.campaign_id)
        if pacer is None:
            return
        if not _has_ended(before, amd=settings.amd) and _has_ended(attempt, amd=settings.amd):
            self._call_ended(pacer, call, attempt.dialed_at)
        is_news = before.connected_at is None and attempt.connected_at is not None
        if is_news and _is_steered(attempt, settings):
            pacer.served(in_time=True)

    def _call_ended(self, pacer: Pacer, call: Call, dialed_at: int) -> None:
        """It led to a person who needs an agent, or it did not."""
        attempt = call.attempt
        ended_at = attempt.answered_at or attempt.gone_at or self._clock.now()
        decided_at = attempt.action_at or attempt.gone_at or ended_at
        by_person = attempt.was_answered and attempt.action not in _FOR_MACHINES
        person = by_person and (attempt.action is not None or attempt.state < State.GONE)
        age_s = max(0, ended_at - dialed_at) / 1000
        pacer.call_ended(age_s, reached=person, trunk=attempt.trunk, features=self._features(call))
        if attempt.was_answered and (attempt.amd_verdict or not person):
            pacer.verdict(max(0, decided_at - ended_at) / 1000, person=person)

    def closed(self, closing: Closing) -> None:
        """A call was closed: it counts, for the law as well."""
        attempt = closing.attempt
        pacer = self._learner(attempt.campaign_id)
        if pacer is None:
            return
        self._counts[attempt.campaign_id].add(closing.day, closing.disposition, dialed_at=attempt.dialed_at)
        settings = self._directory.campaigns[attempt.campaign_id].settings
        if closing.disposition is Disposition.ABANDONED and _is_steered(attempt, settings):
            pacer.served(in_time=False)

    def _features(self, call: Call) -> tuple[str, ...]:
        """What was known of the number when it was claimed."""
        number = next((n for n in call.contact.numbers if n.id == call.attempt.number_id), None)
        if number is None:
            return ()
        zone = self._directory.zone_of(self._context.campaign_of(call))
        return features(number, base=call.base, hour=local_hour(number, zone, call.attempt.created_at))

    def _steps(self, call: Call) -> int:
        """How likely the call is to be answered, as reckoned when it was first seen."""
        if call.steps is None:
            pacer = self._pacers.get(call.attempt.campaign_id)
            call.steps = pacer.propensities.steps(self._features(call)) if pacer else 0
        return call.steps

    def talk_ended(self, campaign_id: int, lasted_s: float) -> None:
        """See floor.Listener."""
        if pacer := self._learner(campaign_id):
            pacer.talk_ended(lasted_s)

    def rest_ended(self, campaign_id: int, lasted_s: float) -> None:
        """See floor.Listener."""
        if pacer := self._learner(campaign_id):
            pacer.rest_ended(lasted_s)

    def surprised(self, server: str, queue: str) -> None:
        """See floor.Listener: how long the talks of the queue have lasted is not known."""
        for campaign in self._calling_for(server, queue):
            self._pacer(campaign).went_blind(self._clock.now() / 1000)

    # --- what pacing asks --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See where agents and calls are. After a fault in here nothing is forecast until the next look."""
        self._is_blind = True
        try:
            self._look()
        except Exception:
            logger.exception("forecast.failed")
        else:
            self._is_blind = False

    def _look(self) -> None:
        self._floor.look()
        self._in_queue.clear()
        self._parts.clear()
        under_way: dict[int, _UnderWay] = defaultdict(_UnderWay)
        for call in self._context.calls:
            self._place(call, under_way[call.attempt.campaign_id])
        self._under_way = under_way

    def _place(self, call: Call, under_way: _UnderWay) -> None:
        """What the call is to the agents: somebody answered, and not analysed, needs one wherever it is led first."""
        attempt = call.attempt
        if not call.may_need_agent:
            under_way.talks += call.has_agent and not call.is_gone
        elif attempt.answered_at is None:
            under_way.dialing[attempt.trunk].append(attempt.dialed_at or self._clock.now())
            under_way.steps[attempt.trunk].append(self._steps(call))
        elif attempt.action is None and self._context.campaign_of(call).settings.amd:
            under_way.analysed.append(attempt.answered_at)
        else:
            self._in_queue[attempt.server, self._context.campaign_of(call).settings.queue] += 1

    def forecast(self, campaign: Campaign) -> Forecast | None:
        """What is known now; None: nothing, because of a fault."""
        if self._is_blind:
            return None
        now_s, server = self._clock.now() / 1000, self._directory.server_of(campaign)
        pacer = self._pacer(campaign)
        traffic = self._traffic(campaign, server, (campaign.id, None), tuple(self._others(campaign, server)))
        pacer.look(traffic, now_s)
        return Forecast(pacer, traffic, self.windows(campaign))

    def windows(self, campaign: Campaign) -> Sequence[Window]:
        """Those of the law that now is in, the longest first; none before the campaign was taken up."""
        counts, under_way = self._counts.get(campaign.id), self._under_way.get(campaign.id)
        if counts is None:
            return ()
        zone, talks = self._directory.zone_of(campaign), under_way.talks if under_way else 0
        found = counts.windows(campaign.settings, zone, self._clock.now(), talks)
        if campaign.id not in self._in_list or campaign.settings.eternal_queue:
            return found
        trunks = self._directory.trunks_of(campaign)
        answers = self._in_list[campaign.id] * self.share(campaign, trunks[0].name if trunks else "")
        return [replace(window, in_list=answers) for window in found]

    def contacts_left(self, campaign: Campaign, count: int) -> None:
        """So many contacts of the campaign are still to be called: near the end of its list there is little left to
        make up for what was too much."""
        self._in_list[campaign.id] = count

    def arranger(self, campaign: Campaign, calls: int) -> Arrange | None:
        """Which of the next contacts fit best, for so many calls; None: they are called in order."""
        if campaign.settings.mode is not Mode.PREDICTIVE or campaign.settings.choose_among == 1:
            return None
        now, zone, server = self._clock.now(), self._directory.zone_of(campaign), self._directory.server_of(campaign)
        pacer, traffic = self._pacer(campaign), self._traffic(campaign, server, (campaign.id, None))

        def arrange(contacts: Sequence[Contact]) -> Sequence[Contact]:
            line = [_of_contact(contact, zone, now) for contact in contacts]
            return [contacts[n] for n in pacer.order(line, calls, traffic, now / 1000)]

        return arrange

    def share(self, campaign: Campaign, trunk: str) -> float:
        """Of the campaign's calls by a trunk that lead to a person, as believed."""
        return self._pacer(campaign).beliefs.of(trunk).share

    def answers(self, campaign: Campaign) -> int:
        """How many answers it has learned from."""
        return self._pacer(campaign).answers

    def _others(self, campaign: Campaign, server: str) -> Iterable[Part]:
        """Campaigns whose calls are for the same agents."""
        for other in self._calling_for(server, campaign.settings.queue):
            if other.id != campaign.id:
                if other.id not in self._parts:
                    traffic = self._traffic(other, server, (other.id,))
                    self._parts[other.id] = self._pacer(other).part(traffic, self._clock.now() / 1000)
                yield self._parts[other.id]

    def _calling_for(self, server: str, queue: str) -> Iterator[Campaign]:
        """Campaigns whose calls are for the agents of the queue."""
        return (campaign for campaign in self._directory.of_queue(server, queue) if campaign.settings.mode.needs_agents)

    def _traffic(
        self, campaign: Campaign, server: str, owners: Collection[int | None], others: tuple[Part, ...] = ()
    ) -> Traffic:
        """The campaign's calls, and the agents who talk for one of the ``owners``; None: for nobody that is known."""
        now, queue = self._clock.now(), campaign.settings.queue
        under_way = self._under_way.get(campaign.id) or _UnderWay()
        everybody = self._floor.posts(server, queue)
        posts, trunks = [post for post in everybody if post.campaign_id in owners], self._directory.trunks_of(campaign)
        return Traffic(
            free=sum(post.stage is Stage.FREE for post in everybody),
            waiting=self._waiting(server, queue),
            dialing={trunk: _ages_s(since, now) for trunk, since in under_way.dialing.items()},
            steps={trunk: np.array(steps, np.float64) for trunk, steps in under_way.steps.items()},
            analysed_s=_ages_s(under_way.analysed, now),
            talking_s=_ages_s([post.since for post in posts if post.stage is Stage.TALKING], now),
            resting_s=_ages_s([post.since for post in posts if post.stage is Stage.RESTING], now),
            others=others,
            trunk=trunks[0].name if trunks else "",
        )

    def _waiting(self, server: str, queue: str) -> int:
        """People in the queue for whom not even a telephone rings."""
        in_queue = self._in_queue[server, queue]
        reserved = self._context.calls.reserved_agents(server)
        return max(0, in_queue - self._context.agents.ringing(server, queue, reserved))


def _is_steered(attempt: Attempt, settings: Settings) -> bool:
    """Whether predictive dialing has placed the call: what becomes of it tells whether it risked too much."""
    return settings.mode is Mode.PREDICTIVE and not attempt.reserved_agent and not attempt.manual


def _has_ended(attempt: Attempt, *, amd: bool) -> bool:
    """Whether it is known if the call leads to a person: with AMD not before that has judged."""
    if attempt.state >= State.GONE or attempt.originate_success is False:
        return True
    return attempt.was_answered and (not amd or attempt.action is not None)


def _of_contact(contact: Contact, zone: str, now: int) -> tuple[str, ...]:
    """What is known of the number that would be called; which one that is, is settled only when it is claimed."""
    number = next((n for n in contact.numbers if n.next_at is not None and n.next_at <= now), None)
    return features(number, base="", hour=local_hour(number, zone, now))[:-1] if number else ()


def local_hour(number: Number, zone: str, at: int) -> int:
    """The hour where the number is, as far as that is known."""
    return local_day((split_zones(number.zones) or (zone,))[0], at)[1] // 60


def _ages_s(since: list[int], now: int) -> Array:
    return np.maximum(now - np.array(since, np.float64), 0.0) / 1000
