"""A record of the file → a contact, with everything checked that can be checked without the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from astdialer.domain.contact import NewContact, NewNumber, NumberType
from astdialer.upload.errors import RowError
from astdialer.upload.formats import Layout, Row, read_row
from astdialer.upload.numbers import NumberReader
from astdialer.upload.read import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """Turns records into contacts. ``campaign``, unless empty, is taken in place of the row's own."""

    layout: Layout
    numbers: NumberReader
    campaigns: Collection[str]
    campaign: str = ""

    def read(self, record: Record) -> tuple[str, NewContact, list[RowError]]:
        """The campaign, the contact, and what is wrong with alternatives that were left out. Raises RowError."""
        if record.error:
            raise record.error
        row = read_row(record.fields, self.layout)
        campaign = self.campaign or self._known(row.campaign)
        numbers, warnings = self._numbers(row)
        contact = NewContact(
            numbers=numbers,
            params=row.params,
            priority=row.priority,
            agentphone=row.agentphone,
            line=record.line,
        )
        return campaign, contact, warnings

    def _known(self, campaign: str) -> str:
        if campaign in self.campaigns:
            return campaign
        known = ", ".join(sorted(self.campaigns)[:20]) or "none: make one with astdialer campaign create"
        raise RowError("campaign", f"no campaign {campaign[:64]!r}; there are: {known}")

    def _numbers(self, row: Row) -> tuple[tuple[NewNumber, ...], list[RowError]]:
        """The main number, then the good alternatives, each number once."""
        main = self.numbers.read(row.number, NumberType.PRIORITY)
        if not row.alternatives:
            return (main,), []
        found = {main.number: main}
        warnings = []
        for alternative in row.alternatives:
            try:
                number = self.numbers.read(alternative.text, alternative.type)
            except RowError as error:
                warnings.append(RowError("alternative", f"left out: {error}"))
            else:
                found.setdefault(number.number, number)
        return tuple(found.values()), warnings
