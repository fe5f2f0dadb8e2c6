"""A record of the file → a contact, with everything checked that can be checked without the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from astdialer.domain.base_fields import Alternative
from astdialer.domain.contact import NewContact, NewNumber, NumberType
from astdialer.domain.names import spellings
from astdialer.upload.errors import RowError
from astdialer.upload.formats import Layout, Row, read_row
from astdialer.upload.instants import instant
from astdialer.upload.numbers import NumberReader
from astdialer.upload.read import Record
from astdialer.upload.zones import zones_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """Turns records into contacts."""

    layout: Layout
    numbers: NumberReader
    campaigns: Mapping[str, str]  #: by name, each with its base's zone, empty if that has none
    campaign: str = ""  #: unless empty, taken in place of the row's own
    fallback: str = ""  #: taken where the row has none
    spellings: bool = False  #: whether the row's own may be spelled in other ways
    local_zone: str  #: of times, where neither the contact nor its base has a zone
    now: int

    def read(self, record: Record) -> tuple[str, NewContact, list[RowError]]:
        """The campaign, the contact, and what its administrator ought to know of it. Raises RowError."""
        if record.error:
            raise record.error
        row = read_row(record.fields, self.layout)
        campaign = self.campaign or self._known(row.campaign)
        zone = row.timezone or self.campaigns[campaign]
        numbers, warnings = self._numbers(row, zone)
        not_before, expires_at = self._times(row, zone or self.local_zone, warnings)
        contact = NewContact(
            numbers=numbers,
            params=row.params,
            priority=row.priority,
            agentphone=row.agentphone,
            line=record.line,
            bucket=row.bucket,
            not_before=not_before,
            expires_at=expires_at,
        )
        return campaign, contact, warnings

    def _known(self, campaign: str) -> str:
        campaign = campaign or self.fallback
        if campaign in self.campaigns:
            return campaign
        for name in spellings(campaign) if self.spellings else ():
            if name in self.campaigns:
                return name
        known = ", ".join(sorted(self.campaigns)[:20]) or "none: make one with astdialer campaign create"
        raise RowError("campaign", f"no campaign {campaign[:64]!r}; there are: {known}")

    def _numbers(self, row: Row, zone: str) -> tuple[tuple[NewNumber, ...], list[RowError]]:
        """The main number, then the good alternatives, each number once."""
        main = self._number(Alternative(NumberType.PRIORITY, row.number), zone)
        if not row.alternatives and not row.mistakes:
            return (main,), []
        found, mistakes = {main.number: main}, list(row.mistakes)
        for alternative in row.alternatives:
            try:
                number = self._number(alternative, zone)
            except RowError as error:
                mistakes.append(error)
            else:
                found.setdefault(number.number, number)
        return tuple(found.values()), [RowError("alternative", f"left out: {mistake}") for mistake in mistakes]

    def _number(self, uploaded: Alternative, zone: str) -> NewNumber:
        """``zone`` is the contact's or the base's; without it the number's own digits have to tell where it is."""
        number, digits = self.numbers.parse(uploaded.text)
        return NewNumber(
            number=number,
            as_uploaded=digits,
            type=uploaded.type,
            priority=uploaded.priority,
            description=uploaded.description,
            zones=zone or zones_of(number),
        )

    def _times(self, row: Row, zone: str, warnings: list[RowError]) -> tuple[int | None, int | None]:
        not_before = instant("not_before", row.not_before, zone) if row.not_before else None
        if not row.expires:
            return not_before, None
        expires_at = instant("expires", row.expires, zone, day_ends=True)
        if expires_at <= max(self.now, not_before or 0):
            past = "is over" if expires_at <= self.now else f"comes before not_before {row.not_before}"
            warnings.append(RowError("expired", f"expires {row.expires} {past}: the contact will never be dialed"))
        return not_before, expires_at
