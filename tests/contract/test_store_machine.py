"""Store contract: whatever is done to a store in whatever order, its invariants hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stores import (
    FACTORIES,
    HOUR,
    NOW,
    begin,
    cdrs,
    check_counts,
    closing,
    forbid,
    new_number,
    person,
    phone,
    request,
)

from astdialer.domain.attempt import State
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, NewContact, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.result import ResultRules, result_timed_out
from astdialer.domain.retry import RedialRules, succeeded
from astdialer.domain.settings import ContactStrategy, Settings
from astdialer.ports import BaseUpload, Claim, NewTask, Store

T = TypeVar("T")
FAST = "/dev/shm" if os.path.isdir("/dev/shm") else None

D = Disposition
ZONES = ("", "UTC", "Europe/Madrid")

phones = st.integers(1, 12)
rows = st.lists(st.lists(phones, min_size=1, max_size=3, unique=True), max_size=6, unique_by=lambda row: row[0])


class StoreLife(RuleBasedStateMachine):
    """Uploads, tasks, claims, closings, results, blacklisting, expiry and restarts of one store with two campaigns."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=FAST)
        self.runner = asyncio.Runner()
        self.database = FACTORIES["sqlite"](Path(self.folder.name))
        self.stack = contextlib.AsyncExitStack()
        self.store: Store = self.run(self.stack.enter_async_context(self.database.open()))
        self.now = NOW
        self.live: dict[str, Claim] = {}
        self.closed: dict[str, str] = {}
        self.loading: list[BaseUpload] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    @initialize()
    def make_campaigns(self) -> None:
        self.campaigns: list[Campaign] = [
            self.run(self.store.create_campaign(name, Settings(), NOW)) for name in ("one", "two")
        ]

    @rule(which=st.integers(0, 1), base=st.sampled_from("ab"), rows=rows)
    def upload(self, which: int, base: str, rows: list[list[int]]) -> None:
        upload = self.run(begin(self.store, self.campaigns[which], base, now=self.now))
        known = self.run(self.store.known_numbers(upload, [phone(row[0]) for row in rows]))
        new = [self.somebody(row) for row in rows if phone(row[0]) not in known]
        self.run(self.store.add_contacts(upload, new, self.now))
        self.loading.append(upload)

    def somebody(self, row: list[int]) -> NewContact:
        """Of one kind or another: numbers in different zones, an agent's, a bucket's, later, not for long."""
        first = row[0]
        numbers = tuple(new_number(n, ZONES[n % 3]) for n in row)
        return person(
            *row,
            numbers=numbers,
            priority=first % 3,
            agentphone="1001" if first == 5 else "",
            bucket="vip" if first == 6 else "",
            not_before=self.now + HOUR if first % 4 == 0 else None,
            expires_at=self.now + 2 * HOUR if first % 5 == 0 else None,
        )

    @rule(which=st.integers(0, 1), row=rows.filter(bool), dated=st.booleans())
    def ask_for_a_call(self, which: int, row: list[list[int]], dated: bool) -> None:
        new = replace(self.somebody(row[0]), rank=Rank.DATED if dated else Rank.TASK)
        wish = NewTask(campaign_id=self.campaigns[which].id, contact=new, zone="UTC")
        contact = self.run(self.store.load_contact(self.run(self.store.add_task(wish, self.now)).contact_id))
        assert contact.rank is new.rank
        assert all(n.zones for n in contact.numbers)

    @precondition(lambda self: self.loading)
    @rule(publish=st.booleans())
    def end_upload(self, publish: bool) -> None:
        upload = self.loading.pop()
        if publish:
            self.run(self.store.publish_uploads([upload], self.now))
        else:
            self.run(self.store.discard_uploads([upload]))

    @rule(
        which=st.integers(0, 1),
        limit=st.integers(1, 6),
        strategy=st.sampled_from(ContactStrategy),
        buckets=st.sampled_from([[""], ["", "@1001"], ["vip", ""]]),
        opened=st.sampled_from([None, ["UTC"], [""]]),
        full=st.booleans(),
    )
    def claim(self, which: int, limit: int, full: bool, **values: Any) -> None:
        zones = values.pop("opened")
        wish = request(self.campaigns[which], limit, self.now, zones, full=full, **values)
        claims = self.run(self.store.claim(wish))
        assert not (claims and full)
        assert len(claims) <= limit
        for claim in claims:
            number = next(n for n in claim.contact.numbers if n.id == claim.attempt.number_id)
            assert number.next_at is not None
            assert number.next_at <= self.now
            assert not self.run(self.store.is_blacklisted(number.number, self.campaigns[which].name, self.now))
            assert claim.attempt.contact_id not in {c.attempt.contact_id for c in self.live.values()}
            self.live[claim.attempt.id] = claim

    @precondition(lambda self: self.live)
    @rule(data=st.data(), state=st.sampled_from([s for s in State if s is not State.CLOSED]))
    def save(self, data: st.DataObject, state: State) -> None:
        attempt_id = data.draw(st.sampled_from(sorted(self.live)))
        claim = self.live[attempt_id]
        self.live[attempt_id] = replace(claim, attempt=replace(claim.attempt, state=state, channel="x"))
        self.run(self.store.save_attempts([self.live[attempt_id].attempt]))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), disposition=st.sampled_from(Disposition), again=st.booleans())
    def close(self, data: st.DataObject, disposition: Disposition, again: bool) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.live)), min_size=1, max_size=3, unique=True))
        names = {campaign.id: campaign.name for campaign in self.campaigns}
        ends = [
            closing(claim, disposition, now=self.now, campaign=names[claim.attempt.campaign_id])
            for claim in map(self.live.pop, ids)
        ]
        self.run(self.store.close(ends))
        if again:
            self.run(self.store.close(ends))
        self.closed |= dict.fromkeys(ids, disposition.value)

    @rule(
        number=phones,
        campaign=st.sampled_from(["*", "one"]),
        hours=st.sampled_from([None, 3]),
        prefix=st.booleans(),
        withdraw=st.booleans(),
    )
    def forbid(self, number: int, campaign: str, hours: int | None, prefix: bool, withdraw: bool) -> None:
        until = hours and self.now + hours * HOUR
        entry = forbid(number, campaign, expires_at=until, number=phone(number) + "*" * prefix)
        self.run(self.store.add_to_blacklist([entry]))
        if withdraw:
            self.run(self.store.withdraw([entry], self.now))
            assert self.run(self.store.withdraw([entry], self.now)) == 0

    @rule(number=phones, campaign=st.sampled_from(["*", "one"]))
    def allow(self, number: int, campaign: str) -> None:
        self.run(self.store.remove_from_blacklist(phone(number), campaign))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def close_and_await_a_result(self, data: st.DataObject) -> None:
        claim = self.live.pop(data.draw(st.sampled_from(sorted(self.live))))
        campaign = next(c.name for c in self.campaigns if c.id == claim.attempt.campaign_id)
        talked = replace(claim, attempt=replace(claim.attempt, connected_at=self.now))
        end = closing(talked, D.ANSWERED, now=self.now, campaign=campaign, rules=RedialRules(hold_s=60))
        self.run(self.store.close([end]))
        self.closed[claim.attempt.id] = "answered"

    @rule(success=st.booleans())
    def results_come_late(self, success: bool) -> None:
        rules = ResultRules(redial=RedialRules(), retry_s=600)
        for held in self.run(self.store.due_results(self.now, 3)):

            def change(contact: Contact) -> Contact:
                return succeeded(contact, "success") if success else result_timed_out(contact, rules, self.now)

            changed = self.run(self.store.change_contact(held.id, change, self.now))
            assert changed.state in (ContactState.DONE, ContactState.WAITING)

    @rule(limit=st.integers(1, 5))
    def waits_end(self, limit: int) -> None:
        assert self.run(self.store.expire(self.now, limit)) <= limit
        for campaign in self.campaigns:
            assert self.run(self.store.rewake(campaign.id, limit)) <= limit

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def call_off(self, data: st.DataObject) -> None:
        claim = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        assert self.run(self.store.end_after_call(claim.contact.id, "called off"))

    @rule(seconds=st.sampled_from([1, 60, 3600, 86400]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    @rule()
    def reopen(self) -> None:
        self.run(self.stack.aclose())
        self.stack = contextlib.AsyncExitStack()
        self.store = self.run(self.stack.enter_async_context(self.database.open()))

    @invariant()
    def counts_are_what_counting_gives(self) -> None:
        for campaign in self.campaigns:
            self.run(check_counts(self.store, campaign))

    @invariant()
    def every_closed_attempt_has_one_cdr(self) -> None:
        rows = self.run(cdrs(self.store))
        assert {row["guid"]: row["disposition"] for row in rows} == self.closed
        assert len(rows) == len(self.closed)

    @invariant()
    def what_is_open_is_what_was_claimed(self) -> None:
        found = {claim.attempt.id: claim.attempt for claim in self.run(self.store.open_attempts())}
        assert found == {attempt_id: claim.attempt for attempt_id, claim in self.live.items()}
        numbers = Counter(attempt.number for attempt in found.values())
        assert all(count == 1 for count in numbers.values())

    @invariant()
    def every_contact_stands_where_its_attempts_say(self) -> None:
        in_call = {claim.attempt.contact_id for claim in self.live.values()}
        ended = [ending.contact_id for ending in self.run(self.store.endings(0, None, 10_000))]
        done = set()
        for row in self.run(self.store.contacts({}, 10_000)):
            assert (row["state"] == "in_call") == (row["id"] in in_call)
            assert (row["state"] in ("waiting", "held")) == (row["next_at"] is not None)
            assert (row["state"] == "held") == (row["held_until"] is not None)
            assert (row["state"] == "done") == bool(row["end_reason"]) == bool(row["end_cause"])
            done |= {row["id"]} if row["state"] == "done" else set()
        assert Counter(ended) == Counter(done), "every end is told once"

    @invariant()
    def whoever_may_be_called_lies_where_the_claim_looks(self) -> None:
        for row in self.run(self.store.contacts({}, 10_000)):
            if row["state"] in ("ready", "waiting"):
                contact = self.run(self.store.contact(row["id"]))
                open_zones = {n["zones"] for n in contact["numbers"] if n["next_at"] is not None}
                assert open_zones
                assert open_zones <= set(contact["zones"].split(";"))


StoreLife.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStoreLife = StoreLife.TestCase
