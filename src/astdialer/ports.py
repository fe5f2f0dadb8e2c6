"""What the engine needs from outside, as Protocols. Adapters implement them; ``app.py`` wires them together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, overload

from astdialer.domain.agent import AgentProfile, QueueMember
from astdialer.domain.attempt import Attempt
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.cdr import Cdr
from astdialer.domain.contact import Contact, NewContact
from astdialer.domain.disposition import Disposition
from astdialer.domain.events import AttemptEvent
from astdialer.domain.route import Route
from astdialer.domain.selection import Judgement, NumberFacts
from astdialer.domain.settings import ContactStrategy, Settings
from astdialer.domain.trunk import Trunk


class Clock(Protocol):
    """Time. ``now`` is ms since 1970 UTC; ``sleep`` takes seconds."""

    def now(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...


# --- telephony -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Origination:
    """One call to place. ``variables`` become channel variables; values are data and are escaped by the adapter."""

    attempt_id: str
    server: str
    channel: str
    caller_id: str
    timeout_s: float
    account: str
    context: str
    variables: Mapping[str, str]
    exten: str = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChannel:
    """A channel that Asterisk has right now."""

    uniqueid: str
    linkedid: str
    channel: str
    is_up: bool
    is_ringing: bool


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Logged in; every event from here on will be seen. Those before may have been missed."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is gone; ``reason`` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A queue member as app_queue now has it."""

    member: QueueMember


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberGone:
    """A member left a queue."""

    server: str
    queue: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTalk:
    """A member began (``in_call``) or ended a talk of the queue, ours or anybody's."""

    server: str
    queue: str
    interface: str
    in_call: bool
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMissed:
    """A queue rang a member in vain."""

    server: str
    queue: str
    interface: str


TelephonyEvent = AttemptEvent | LinkUp | LinkDown | MemberSeen | MemberGone | MemberTalk | MemberMissed


class Telephony(Protocol):
    """One or more Asterisk servers. Everything has a timeout; nothing is sent again after a reconnect."""

    @property
    def servers(self) -> Sequence[str]: ...

    def is_up(self, server: str) -> bool:
        """Whether calls can be placed there now."""

    def why_down(self, server: str) -> str:
        """The last reason for the link being down, empty when it is up."""

    def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        """What happens on a server, in Asterisk's order, LinkUp and LinkDown among it."""

    async def originate(self, call: Origination) -> None:
        """Place a call. Returns when Asterisk has accepted it.

        Raises OriginateRefused (nothing was dialed) or LinkLost (unknown; recovery will tell).
        """

    async def hang_up(self, server: str, attempt_id: str) -> bool:
        """Hang the attempt's channel up; False if there is none. Raises Unavailable."""

    async def hang_up_phone(self, server: str, interface: str) -> int:
        """Hang up every channel of a telephone, whoever placed the call; how many. Raises Unavailable."""

    async def live_channels(self, server: str) -> Sequence[LiveChannel]:
        """CoreShowChannels. Raises Unavailable."""

    async def queue_members(self, server: str) -> Sequence[QueueMember]:
        """QueueStatus: every member of every queue. Raises Unavailable."""

    async def pause_member(self, server: str, interface: str, *, paused: bool, reason: str = "") -> None:
        """Pause or unpause an agent in all of its queues; one that is in none is no error. Raises Unavailable."""


# --- recordings ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An entry of the durable conversion queue."""

    attempt_id: str
    date: str  #: YYYYMMDD, the call's own date
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A finished MP3."""

    path: Path
    duration_s: float


class Recordings(Protocol):
    """Where recordings are, and how GSM becomes MP3."""

    def gsm_path(self, attempt_id: str, date: str) -> Path:
        """Where Asterisk is to write the recording; makes the date's folder."""

    async def convert(self, recording: Recording) -> Converted | None:
        """Convert one recording; None if nothing was recorded. Idempotent.

        Raises Unavailable when the file is not final yet or the converter fails: try again later.
        """


# --- store -----------------------------------------------------------------------------------------------------------


#: What becomes of a contact that came up, from the contact and what the store knows about its numbers (by E.164).
Judge = Callable[[Contact, Mapping[str, NumberFacts]], Judgement]


#: The contacts in the order in which they are to be called.
Arrange = Callable[[Sequence[Contact]], Sequence[Contact]]


#: A contact's place in a campaign's order; what it is made of is the store's.
Place = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A wish for contacts of one campaign that may be called now."""

    campaign_id: int
    campaign: str
    server: str
    limit: int
    is_open: Callable[[str], bool]  #: whether anybody in a pool's zones may be dialed now
    judge: Judge
    attempt_ids: Sequence[str]  #: fresh ids, at least ``limit`` of them
    reason: str
    now: int
    strategy: ContactStrategy = ContactStrategy.PRIORITY
    after: Place | None = None  #: look only at those behind this place, see Claimed
    buckets: Sequence[str] = ("",)  #: whose contacts: "" nobody's in particular, @1001 an agent's, else a bucket's name
    reserved_agent: str = ""  #: the agent's interface, if one has been reserved for the call
    leg_id: str = ""  #: and the id that its leg will have
    window: int = 1  #: of so many contacts with the same rank and priority, `arrange` says who comes first
    arrange: Arrange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claimed contact, its new attempt, and the base it came from."""

    attempt: Attempt
    contact: Contact
    base: str


@dataclass(frozen=True, slots=True)
class Claimed(Sequence[Claim]):
    """What one claim took, and how far it came.

    ``stopped_at``: so many could not be called that it gave up there; the next one may go on behind. None: it has all
    that was wanted, or there is nobody left to look at.
    """

    claims: Sequence[Claim]
    stopped_at: Place | None = None

    @overload
    def __getitem__(self, index: int) -> Claim: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Claim]: ...
    def __getitem__(self, index: int | slice) -> Claim | Sequence[Claim]:
        return self.claims[index]

    def __len__(self) -> int:
        return len(self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Everything that closing an attempt writes, in one transaction."""

    attempt: Attempt
    disposition: Disposition
    contact: Contact  #: as the retry rule leaves it
    cdr: Cdr
    recording: Recording | None
    now: int
    day: str = ""  #: YYYY-MM-DD, the campaign's local day, for the statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """How a campaign's contacts stand."""

    ready: int
    waiting: int
    in_call: int
    done: int
    next_due_at: int | None  #: earliest waiting contact
    held: int = 0  #: contacts whose result is awaited
    dispositions: Mapping[str, int] = field(default_factory=dict)  #: attempts by disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUpload:
    """One upload into one campaign's base, invisible to dialing until published."""

    id: int
    campaign_id: int
    campaign: str
    base_id: int
    base: str
    timezone: str = ""  #: the base's own: it takes the place of zones that were derived from a number's digits


@dataclass(frozen=True, slots=True, kw_only=True)
class BlacklistEntry:
    """A number that is not to be dialed, or every number that begins so (``+4477*``); campaign ``*`` is all of them."""

    number: str
    campaign: str
    reason: str
    added_by: str
    added_at: int
    expires_at: int | None = None  #: an instant; None: for ever


class Listed(NamedTuple):
    """What came of entries for the blacklist; the others are there already, and end later now."""

    added: int  #: they are new
    kept: int  #: they are there already, and end no sooner: they are as they were


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A call that somebody asks for, outside of any list."""

    campaign_id: int
    contact: NewContact  #: rank DATED or TASK; its ``not_before`` is the date
    zone: str  #: of the campaign, for numbers whose own is not known; "" leaves it to the campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks the running engine to do at once."""

    id: str
    kind: str
    body: Mapping[str, Any]
    created_at: int
    expires_at: int  #: nobody carries it out after that
    state: str = "new"  #: new, taken, done or failed
    result: str = ""  #: done: JSON; failed: the error's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A call that an agent is asked about before anybody is dialed."""

    attempt_id: str
    agent: str  #: interface
    campaign_id: int
    contact_id: int
    number: str
    made_at: int
    expires_at: int
    answer: str = ""  #: accept, skip, or none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A contact's end, in the order in which they happened."""

    id: int
    at: int
    campaign_id: int
    contact_id: int
    number: str
    tries: int
    successful: bool
    end_reason: str
    end_cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What predictive dialing knows of a campaign, as text, and when that was written down."""

    body: str
    saved_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEvent:
    """Something that was done to a campaign."""

    at: int
    event: str  #: created, started, paused, resumed, sleeps, wakes, stopping, stopped, finished, error, changed, zeroed
    detail: str = ""
    done_by: str = "engine"


class CampaignStore(Protocol):
    """Campaigns and trunks."""

    async def campaigns(self) -> Sequence[Campaign]: ...
    async def campaign(self, name: str) -> Campaign:
        """Raises NotFound."""

    async def create_campaign(self, name: str, settings: Settings, now: int) -> Campaign:
        """Raises Conflict if the name is taken."""

    async def save_settings(self, campaign_id: int, settings: Settings) -> None: ...
    async def set_state(
        self, campaign_id: int, state: CampaignState, *, hang_up: bool = False, explanation: str = "", now: int
    ) -> None: ...
    async def trunks(self) -> Sequence[Trunk]: ...
    async def save_trunk(self, trunk: Trunk) -> None: ...
    async def remove_trunk(self, name: str) -> None:
        """Raises NotFound, and Conflict while a campaign or a route names it."""

    async def routes(self) -> Sequence[Route]: ...
    async def save_route(self, route: Route) -> None: ...
    async def remove_route(self, name: str) -> None:
        """Raises NotFound, and Conflict while a campaign names it."""

    async def calendars(self) -> Sequence[WorkingCalendar]: ...
    async def save_calendar(self, calendar: WorkingCalendar) -> None: ...
    async def remove_calendar(self, name: str) -> None:
        """Raises NotFound, and Conflict while a campaign names it."""

    async def caller_id_pools(self) -> Mapping[str, Sequence[str]]: ...
    async def save_caller_id_pool(self, name: str, numbers: Sequence[str]) -> None: ...
    async def remove_caller_id_pool(self, name: str) -> None:
        """Raises NotFound."""

    async def agents(self) -> Sequence[AgentProfile]: ...
    async def save_agent(self, profile: AgentProfile) -> None: ...
    async def remove_agent(self, agent: str) -> None:
        """Raises NotFound."""

    async def add_event(self, campaign_id: int, event: CampaignEvent) -> None: ...
    async def history(self, campaign_id: int, limit: int) -> Sequence[CampaignEvent]:
        """What was done to the campaign, the newest first."""

    async def zero_statistics(self, campaign_id: int, day: str) -> None:
        """Forget the campaign's totals (not its days, which the law asks for), and on which day that was done."""

    async def stats_day(self, campaign_id: int) -> str:
        """The local day on which the statistics were last zeroed by themselves, empty if never."""


class UploadStore(Protocol):
    """Bases on their way in."""

    async def open_upload(self, campaign_id: int, base: str, *, file_name: str, timezone: str, now: int) -> BaseUpload:
        """Begin an upload; makes the base if the campaign has none of this name."""

    async def known_numbers(self, upload: BaseUpload, numbers: Sequence[str]) -> set[str]:
        """Which of these main numbers the base, this upload included, already has."""

    async def add_contacts(self, upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> None: ...
    async def publish_uploads(self, uploads: Sequence[BaseUpload], now: int) -> None:
        """All of them become dialable, in one transaction."""

    async def discard_uploads(self, uploads: Sequence[BaseUpload]) -> None:
        """Remove whatever they brought, in small transactions."""

    async def interrupted_uploads(self, now: int, quiet_s: float) -> Sequence[BaseUpload]:
        """Uploads that were neither published nor discarded and have been quiet for ``quiet_s`` seconds."""


class ContactStore(Protocol):
    """Contacts that somebody has a word to say about."""

    async def change_contact(self, contact_id: int, change: Callable[[Contact], Contact], now: int) -> Contact:
        """Apply a pure change in one transaction, and return the contact as it is now.

        Raises NotFound, Conflict while an attempt of it is open, and what ``change`` raises; then nothing is changed.
        """

    async def contacts_with(self, number: str, campaign_id: int | None, *, open_only: bool = True) -> Sequence[Contact]:
        """Contacts of published bases that have this number, by id."""

    async def load_contact(self, contact_id: int) -> Contact:
        """Raises NotFound."""

    async def contact_of_attempt(self, attempt_id: str) -> int:
        """The id of the contact that an attempt was for. Raises NotFound."""

    async def end_after_call(self, contact_id: int, reason: str) -> bool:
        """End the contact when its open attempt is closed; False if none is open."""

    async def add_task(self, task: NewTask, now: int) -> int:
        """The new contact's id, in the campaign's base ``tasks``."""

    async def claim_task(self, task: NewTask, request: ClaimRequest, reason: str) -> Claim | Judgement:
        """Add a contact for one call and take it, or say why it can't be called, in one transaction.

        The contact is never called again: it is done at once if it can't be called, or else, for the ``reason``, when
        its call is over. The attempt is marked ``manual``.
        """

    async def scheduled(
        self, campaign_id: int, *, number: str | None, from_at: int | None, to_at: int | None, limit: int
    ) -> Sequence[Contact]:
        """Dated tasks that are still to be called, by their time."""

    async def withdraw(self, entries: Sequence[BlacklistEntry], now: int) -> int:
        """Close waiting and scheduled calls to these numbers; or put off, until the entry ends, contacts that have no
        other number. How many contacts are changed."""

    async def remove_from_blacklist(self, number: str, campaign: str) -> bool:
        """Whether it was there. Who waits for its end comes up again, to be judged by all other rules."""

    async def expire(self, now: int, limit: int) -> int:
        """End contacts whose time is over; how many."""

    async def due_results(self, now: int, limit: int) -> Sequence[Contact]:
        """Contacts whose awaited result did not come in time."""

    async def rewake(self, campaign_id: int, limit: int) -> int:
        """Let contacts that wait for a rule of their campaign come up again: the rule was changed. How many."""


class AttemptStore(Protocol):
    """The engine's own part: claim, follow, close."""

    async def zones(self, campaign_id: int) -> Sequence[str]:
        """The zones of the campaign's pools, see selection.DialingRules.is_open."""

    async def bound_buckets(self, campaign_id: int) -> Sequence[str]:
        """Buckets and agents (@1001) that alone may have some of the campaign's contacts, and that have any to call."""

    async def claim(self, request: ClaimRequest) -> Claimed:
        """Take contacts that may be called and write an attempt ``created`` for each, in one transaction.

        Each that comes up is judged by the request; what must wait, or is barred or done, is written as judged.
        """

    async def facts(self, numbers: Sequence[str], campaign: str, now: int) -> Mapping[str, NumberFacts]:
        """What is known about numbers beyond their contacts."""

    async def next_due(self, campaign_id: int) -> int | None:
        """When the earliest waiting contact is due."""

    async def save_attempts(self, attempts: Sequence[Attempt]) -> None:
        """What became known about open attempts."""

    async def close(self, closings: Sequence[Closing]) -> None:
        """Close attempts; one that is closed already is left as it is."""

    async def open_attempts(self, server: str | None = None) -> Sequence[Claim]:
        """Attempts that are not closed, with their contacts."""

    async def is_blacklisted(self, number: str, campaign: str, now: int) -> bool: ...
    async def counts(self, campaign_id: int) -> CampaignCounts: ...

    async def due_recordings(self, now: int, limit: int) -> Sequence[Recording]: ...
    async def recording_done(self, attempt_id: str, converted: Converted | None, now: int) -> None: ...
    async def recording_failed(self, attempt_id: str, error: str, retry_at: int | None) -> None:
        """``retry_at`` None: given up."""

    async def publish_live_view(self, engine: str, view: Mapping[str, Any], now: int) -> None:
        """What the engine sees right now, for the CLI and others to read."""

    async def withdraw_live_view(self, engine: str) -> None:
        """The engine ends; nobody is to take its last view for the present."""

    async def learned(self, campaign_id: int) -> Learned | None:
        """What predictive dialing knew of a campaign when it was last written down; None: nothing."""

    async def save_learned(self, campaign_id: int, body: str, now: int) -> None:
        """Keep what predictive dialing knows of a campaign."""

    async def first_call_at(self, campaign: str, from_at: int) -> int | None:
        """When the first of the campaign's calls began that have ended, from an instant on."""

    def writes(self) -> bool:
        """Whether the last write went through (a full disk stops dialing)."""

    async def changed_elsewhere(self) -> bool:
        """Whether another process has changed anything since the last call."""


class OrderStore(Protocol):
    """What others ask of the running engine and its agents."""

    async def give_order(self, order: Order) -> None: ...
    async def order(self, order_id: str) -> Order:
        """Raises NotFound."""

    async def take_orders(self, now: int) -> Sequence[Order]:
        """New orders that have not expired, taken; the expired ones fail."""

    async def order_done(self, order_id: str, *, result: str, failed: bool = False) -> None: ...

    async def make_offer(self, offer: Offer) -> None: ...
    async def limit_offer(self, attempt_id: str, expires_at: int) -> None:
        """Until when the agent may answer, now that it is known."""

    async def offers(self) -> Sequence[Offer]: ...
    async def answer_offer(self, attempt_id: str, answer: str) -> bool:
        """False if there is no such offer, or it has an answer."""

    async def withdraw_offer(self, attempt_id: str) -> None: ...


class ReportStore(Protocol):
    """Reading for people."""

    async def contacts(
        self, filters: Mapping[str, Any], limit: int, offset: int = 0
    ) -> Sequence[Mapping[str, Any]]: ...
    async def contact(self, contact_id: int) -> Mapping[str, Any]:
        """The contact, its numbers and its attempts; raises NotFound."""

    def cdrs(self, filters: Mapping[str, Any], limit: int | None) -> AsyncIterator[Mapping[str, Any]]: ...
    async def recordings(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]: ...
    async def bases(self, campaign_id: int | None) -> Sequence[Mapping[str, Any]]: ...
    async def live_view(self) -> Mapping[str, Any] | None:
        """The newest live view, with ``written_at``; None if no engine ever ran."""

    async def abandonment(self, campaign_id: int, from_day: str) -> Sequence[Mapping[str, Any]]:
        """Of each day from ``from_day`` (YYYY-MM-DD) on: ``day``, ``people`` who answered, ``abandoned`` of them."""

    async def days(self, campaign_id: int, from_day: str) -> Sequence[Mapping[str, Any]]:
        """``day``, ``disposition``, ``n``."""

    async def trunk_days(self, from_day: str) -> Sequence[Mapping[str, Any]]:
        """``trunk``, ``day``, ``disposition``, ``n``."""

    async def agent_days(self, from_day: str) -> Sequence[Mapping[str, Any]]:
        """``agent``, ``campaign``, ``day``, ``offered``, ``answered``, ``talk_s``."""

    async def endings(self, after: int, campaign_id: int | None, limit: int) -> Sequence[Ending]:
        """Ends of contacts with an id above ``after``, in order."""

    async def survey(self, campaign_id: int) -> Sequence[Mapping[str, Any]]:
        """Of each pool: ``zones``, ``bucket``, ``ready``, ``waiting``, ``in_call``, ``held``, ``done``."""

    async def put_off(self, campaign_id: int) -> Sequence[Mapping[str, Any]]:
        """Waiting contacts by rule: ``why``, ``n``, ``first_at``, ``last_at``."""

    async def coming_up(self, campaign_id: int, now: int) -> Sequence[Mapping[str, Any]]:
        """Waiting contacts: ``zones``, ``bucket``, ``at``, ``n``. ``at`` is 0 if they are due, else when, to some
        minutes; all that are due later than a day's end are counted together."""

    async def barred_contacts(self, campaign_id: int, now: int) -> Sequence[Mapping[str, Any]]:
        """Ready (``at`` is 0) and waiting contacts of which every open number is blacklisted, likewise."""

    async def count_duplicates(self, campaign_id: int) -> int:
        """Open contacts whose main number is an earlier open contact's as well."""

    def open_numbers(self, campaign_id: int) -> AsyncIterator[Mapping[str, Any]]:
        """``contact_id``, ``number``, ``zones`` of every open number."""

    async def blacklist(self, campaign: str | None, limit: int) -> Sequence[BlacklistEntry]: ...
    async def barring(self, number: str, campaign: str | None, now: int) -> Sequence[BlacklistEntry]:
        """The entries that bar a number now; of one campaign and of all, or, without one, of any."""

    async def add_to_blacklist(self, entries: Sequence[BlacklistEntry]) -> Listed:
        """Never shortens: of an entry that is there already the later end counts, and the reason that came with it."""


class Store(CampaignStore, UploadStore, ContactStore, AttemptStore, OrderStore, ReportStore, Protocol):
    """The whole store."""
