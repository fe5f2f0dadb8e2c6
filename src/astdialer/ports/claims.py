"""Taking contacts to call, and closing attempts: what goes between engine and store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from astdialer.domain.attempt import Attempt
from astdialer.domain.cdr import Cdr
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.selection import Judgement, NumberFacts
from astdialer.domain.settings import ContactStrategy
from astdialer.ports.recordings import Recording

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
