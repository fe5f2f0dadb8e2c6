"""What the engine needs from outside, as Protocols. Adapters implement them; ``app.py`` wires them together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from astdialer.domain.agent import QueueMember
from astdialer.domain.attempt import Attempt
from astdialer.domain.campaign import Campaign, CampaignState, Settings
from astdialer.domain.cdr import Cdr
from astdialer.domain.contact import Contact, NewContact
from astdialer.domain.disposition import Disposition
from astdialer.domain.events import AttemptEvent
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


TelephonyEvent = AttemptEvent | LinkUp | LinkDown | MemberSeen | MemberGone | MemberTalk


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

    async def live_channels(self, server: str) -> Sequence[LiveChannel]:
        """CoreShowChannels. Raises Unavailable."""

    async def queue_members(self, server: str) -> Sequence[QueueMember]:
        """QueueStatus: every member of every queue. Raises Unavailable."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A wish for due contacts of one campaign, for calls through one trunk."""

    campaign_id: int
    campaign: str
    trunk: str
    server: str
    limit: int
    zones: Sequence[str]  #: zones of bases within calling hours now; "" is the campaign's own
    attempt_ids: Sequence[str]  #: fresh ids, at least ``limit`` of them
    reason: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claimed contact, its new attempt, and the base it came from."""

    attempt: Attempt
    contact: Contact
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Everything that closing an attempt writes, in one transaction."""

    attempt: Attempt
    disposition: Disposition
    contact: Contact  #: as the retry rule leaves it
    cdr: Cdr
    recording: Recording | None
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """How a campaign's contacts stand."""

    ready: int
    waiting: int
    in_call: int
    done: int
    next_due_at: int | None  #: earliest waiting contact
    dispositions: Mapping[str, int] = field(default_factory=dict)  #: attempts by disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUpload:
    """One upload into one campaign's base, invisible to dialing until published."""

    id: int
    campaign_id: int
    campaign: str
    base_id: int
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlacklistEntry:
    """A number that is not to be dialed; campaign ``*`` is all of them."""

    number: str
    campaign: str
    reason: str
    added_by: str
    added_at: int


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
        """Raises NotFound."""


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


class AttemptStore(Protocol):
    """The engine's own part: claim, follow, close."""

    async def zones(self, campaign_id: int) -> Sequence[str]:
        """The zones of the campaign's published bases; "" where a base has none."""

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        """Take due contacts and write an attempt ``created`` for each, in one transaction.

        Skips blacklisted numbers (and closes them) and numbers that have a live call in any campaign.
        """

    async def save_attempts(self, attempts: Sequence[Attempt]) -> None:
        """What became known about open attempts."""

    async def close(self, closings: Sequence[Closing]) -> None:
        """Close attempts; one that is closed already is left as it is."""

    async def open_attempts(self, server: str | None = None) -> Sequence[Claim]:
        """Attempts that are not closed, with their contacts."""

    async def is_blacklisted(self, number: str, campaign: str) -> bool: ...
    async def counts(self, campaign_id: int) -> CampaignCounts: ...

    async def due_recordings(self, now: int, limit: int) -> Sequence[Recording]: ...
    async def recording_done(self, attempt_id: str, converted: Converted | None, now: int) -> None: ...
    async def recording_failed(self, attempt_id: str, error: str, retry_at: int | None) -> None:
        """``retry_at`` None: given up."""

    async def publish_live_view(self, engine: str, view: Mapping[str, Any], now: int) -> None:
        """What the engine sees right now, for the CLI and others to read."""

    async def withdraw_live_view(self, engine: str) -> None:
        """The engine ends; nobody is to take its last view for the present."""

    def writes(self) -> bool:
        """Whether the last write went through (a full disk stops dialing)."""

    async def changed_elsewhere(self) -> bool:
        """Whether another process has changed anything since the last call."""


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

    async def blacklist(self, campaign: str | None, limit: int) -> Sequence[BlacklistEntry]: ...
    async def add_to_blacklist(self, entries: Sequence[BlacklistEntry]) -> int: ...
    async def remove_from_blacklist(self, number: str, campaign: str) -> bool: ...


class Store(CampaignStore, UploadStore, AttemptStore, ReportStore, Protocol):
    """The whole store."""
