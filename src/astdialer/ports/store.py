"""Where everything is kept, as one Protocol for each part of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from astdialer.domain.agent import AgentProfile
from astdialer.domain.attempt import Attempt
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import Contact, NewContact
from astdialer.domain.route import Route
from astdialer.domain.selection import Judgement, NumberFacts
from astdialer.domain.settings import Settings
from astdialer.domain.trunk import Trunk
from astdialer.ports.access import TokenStore
from astdialer.ports.callrecords import CallRecordStore
from astdialer.ports.calls import CallStore
from astdialer.ports.candidates import CandidateStore
from astdialer.ports.claims import Claim, Claimed, ClaimRequest, Closing
from astdialer.ports.facts import (
    BaseUpload,
    BlacklistEntry,
    CampaignCounts,
    CampaignEvent,
    Ending,
    Learned,
    Listed,
    NewTask,
    Offer,
    Order,
    TaskAdded,
)
from astdialer.ports.hooks import HookStore
from astdialer.ports.intake import IntakeStore
from astdialer.ports.members import MemberStore
from astdialer.ports.pages import PageStore
from astdialer.ports.recordings import Converted, Recording
from astdialer.ports.removal import RemovalStore
from astdialer.ports.requests import RequestStore


class CampaignStore(Protocol):
    """Campaigns and trunks."""

    async def campaigns(self) -> Sequence[Campaign]: ...
    async def campaign(self, name: str) -> Campaign:
        """Raises NotFound."""

    async def campaign_by_id(self, campaign_id: int) -> Campaign:
        """Raises NotFound."""

    async def create_campaign(
        self, name: str, settings: Settings, now: int, tenant: str = "", event: CampaignEvent | None = None
    ) -> Campaign:
        """Raises Conflict if the name is taken. ``event`` becomes known with it, here as below: both or none."""

    async def save_settings(self, campaign_id: int, settings: Settings, event: CampaignEvent | None = None) -> None: ...
    async def set_state(
        self,
        campaign_id: int,
        state: CampaignState,
        *,
        hang_up: bool = False,
        explanation: str = "",
        now: int,
        event: CampaignEvent | None = None,
    ) -> None: ...
    async def finish_campaign(self, campaign_id: int, event: CampaignEvent) -> bool:
        """Finish a running campaign in which every contact is done, for the event's detail; False if that is not so:
        somebody may have added one, or have moved it, at this very moment."""

    async def trunks(self) -> Sequence[Trunk]: ...
    async def save_trunk(self, trunk: Trunk) -> None: ...
    async def remove_trunk(self, name: str) -> None:
        """Raises NotFound, and Conflict while a campaign or a route names it."""

    async def routes(self) -> Sequence[Route]: ...
    async def save_route(self, route: Route) -> None: ...
    async def remove_route(self, name: str) -> None:
        """Raises NotFound, and Conflict while a campaign names it."""

    async def calendars(self) -> Sequence[WorkingCalendar]: ...
    async def add_calendar(self, calendar: WorkingCalendar) -> None:
        """Raises Conflict if the name is taken."""

    async def save_calendar(self, calendar: WorkingCalendar) -> None:
        """Make or replace."""

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

    async def zero_statistics(self, campaign_id: int, day: str, event: CampaignEvent | None = None) -> None:
        """Forget the campaign's totals (not its days, which the law asks for), and on which day that was done."""

    async def stats_day(self, campaign_id: int) -> str:
        """The local day on which the statistics were last zeroed by themselves, empty if never."""


class UploadStore(Protocol):
    """Bases on their way in."""

    async def open_upload(
        self, campaign_id: int, base: str, *, file_name: str, timezone: str, now: int, job: str = ""
    ) -> BaseUpload:
        """Begin an upload, of a job or of nobody's; makes the base if the campaign has none of this name."""

    async def known_numbers(self, upload: BaseUpload, numbers: Sequence[str]) -> set[str]:
        """Which of these main numbers the base, this upload included, already has."""

    async def add_contacts(self, upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> Sequence[NewContact]:
        """Add those whose main number the base, this upload included, does not have yet, and return them. No two of
        them have the same. Raises Conflict when the upload was discarded meanwhile."""

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

    async def change_contacts(
        self, contact_ids: Sequence[int], change: Callable[[Contact], Contact], now: int
    ) -> Sequence[int]:
        """Apply a pure change to several, in one transaction; the ids of those that were changed. Who is not there, or
        is in a call, or for whom ``change`` raises Conflict, stays as it is. Raises whatever else ``change`` raises,
        and then nobody is changed."""

    async def contacts_with(self, number: str, campaign_id: int | None, *, open_only: bool = True) -> Sequence[Contact]:
        """Contacts of published bases that have this number, by id."""

    async def load_contact(self, contact_id: int) -> Contact:
        """Raises NotFound."""

    async def contact_of_attempt(self, attempt_id: str) -> int:
        """The id of the contact that an attempt was for. Raises NotFound."""

    async def end_after_call(self, contact_id: int, reason: str) -> bool:
        """End the contact when its open attempt is closed; False if none is open."""

    async def add_task(
        self, task: NewTask, now: int, again: Callable[[Contact, bool], Contact | None] | None = None
    ) -> TaskAdded:
        """A new contact in the campaign's base ``tasks``, or else the first one there is that ``again`` changes, in one
        transaction: of two who ask for the same call at once, the second one finds the first one's.

        ``again`` is given the campaign's contacts with the main number, open ones unless the task is for a list, and
        whether they are in that base; None: it is another call. Raises Conflict while an attempt of the contact is
        open, and what ``again`` raises; then nothing is changed.
        """

    async def claim_task(self, task: NewTask, request: ClaimRequest, reason: str) -> Claim | Judgement:
        """Add a contact for one call and take it, or say why it can't be called, in one transaction.

        The contact is never called again: it is done at once if it can't be called, or else, for the ``reason``, when
        its call is over. The attempt is marked ``manual``.
        """

    async def scheduled(
        self,
        campaign_id: int,
        *,
        number: str | None,
        from_at: int | None,
        to_at: int | None,
        limit: int,
        after: tuple[int, int] | None = None,
    ) -> Sequence[Contact]:
        """Dated tasks that are still to be called, by their time and id; ``after``: those behind such a pair."""

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

    async def last_call_at(self, campaign: Campaign) -> int | None:
        """When the last of the campaign's calls began that have ended."""

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

    async def contacts(self, filters: Mapping[str, Any], limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """By campaign and id. ``filters``: campaign, tenant, base, rank, state, end_reason, number, reference, tag, and
        ``after``, a contact's campaign_id and id: those behind it."""

    async def contact(self, contact_id: int) -> Mapping[str, Any]:
        """The contact, its numbers and its attempts; raises NotFound."""

    def cdrs(self, filters: Mapping[str, Any], limit: int | None) -> AsyncIterator[Mapping[str, Any]]:
        """CDRs, the newest first, by campaign, number, disposition, agent, base, guid, from_at, to_at, min_talk_s,
        tenant, and those behind the place ``before`` (calldate, guid)."""

    async def recordings(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Recordings by date (YYYYMMDD), campaign, guid, tenant, before, likewise."""

    async def pending_recordings(self) -> int:
        """How many wait to be converted."""

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

    async def endings(
        self, after: int, campaign_id: int | None, limit: int, tenant: str | None = None
    ) -> Sequence[Ending]:
        """Ends of contacts with an id above ``after``, in order; of a campaign, or else of a tenant's, or of all."""

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

    async def blacklist(
        self, campaign: str | None, limit: int, *, tenant: str | None = None, after: tuple[str, str] = ("", "")
    ) -> Sequence[BlacklistEntry]:
        """By number and campaign: of one campaign, of all (``*``), or every entry; with a ``tenant`` those that bind
        its campaigns. ``after``: those behind such a pair."""

    async def barring(self, number: str, campaign: str | None, now: int) -> Sequence[BlacklistEntry]:
        """The entries that bar a number now; of one campaign and of all, or, without one, of any."""

    async def add_to_blacklist(self, entries: Sequence[BlacklistEntry]) -> Listed:
        """Never shortens: of an entry that is there already the later end counts, and the reason that came with it."""


class Store(
    CampaignStore,
    UploadStore,
    ContactStore,
    AttemptStore,
    OrderStore,
    ReportStore,
    TokenStore,
    HookStore,
    RequestStore,
    CallStore,
    IntakeStore,
    CallRecordStore,
    RemovalStore,
    PageStore,
    MemberStore,
    CandidateStore,
    Protocol,
):
    """The whole store."""
