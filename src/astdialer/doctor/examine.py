"""The order of the checks, and a limit for each part, so that no fault hides another and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astdialer import app
from astdialer import config as configuration
from astdialer.ami.connection import Connection
from astdialer.doctor import calls, machine, queues, server, trunks
from astdialer.doctor.findings import Finding, fault, ok, warning
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import AstdialerError, Unavailable
from astdialer.domain.trunk import Trunk
from astdialer.engine.campaigns import lacks, loaded
from astdialer.engine.directory import Directory
from astdialer.engine.origination import DialplanPlaces
from astdialer.ports import Clock

PART_S = 40.0  #: longest for one Asterisk, or for this machine
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_OVER = (CampaignState.STOPPED, CampaignState.FINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is examined. ``campaign`` empty: all that are not over; ``etc`` None: the folder that Asterisk names."""

    config: configuration.Config
    file: Path
    clock: Clock
    campaign: str = ""
    etc: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store knows of."""

    campaigns: Sequence[Campaign] = ()
    trunks: Sequence[Trunk] = ()
    view: Mapping[str, Any] | None = None
    directory: Directory | None = None  #: None: the store can't be read
    findings: Sequence[Finding] = field(default=())

    def server_of(self, campaign: Campaign) -> str:
        """The Asterisk that the campaign's calls leave by."""
        return (self.directory and self.directory.server_of(campaign)) or "default"

    def of_server(self, name: str) -> Sequence[Campaign]:
        """The campaigns whose calls leave by it."""
        return [campaign for campaign in self.campaigns if self.server_of(campaign) == name]


async def examine(subject: Subject) -> Sequence[Finding]:
    """Everything, in the order of the report. Raises NotFound for a campaign that is not there."""
    config, clock = subject.config, subject.clock
    findings = [*machine.settings(config, subject.file), *machine.secrets(config, subject.file)]
    stored = await _stored(subject)
    engine = machine.engine_has(config.store.path)
    findings += [*stored.findings, *await asyncio.to_thread(machine.records, Path(config.records.directory))]
    findings += [
        await machine.ffmpeg(config.records.ffmpeg),
        machine.engine(stored.view, clock.now(), has_store=engine),
    ]
    findings += _campaigns(stored, config)
    async with calls.listening(config.agi, engine_runs=engine) as trouble:
        findings += [each for each in (calls.address(config.agi), trouble) if each]
        parts = await asyncio.gather(*(_limited(name, subject, stored) for name in config.asterisks))
    return [*findings, *(finding for part in parts for finding in part)]


async def examine_campaign(subject: Subject) -> Sequence[Finding]:
    """What the subject's campaign needs of its Asterisk, and whether the engine runs. Raises NotFound."""
    config = subject.config
    stored = await _stored(subject)
    runs = machine.engine_has(config.store.path)
    findings = [machine.engine(stored.view, subject.clock.now(), has_store=runs), *_trunks(stored, config)]
    servers = sorted({stored.server_of(campaign) for campaign in stored.campaigns} & set(config.asterisks))
    async with calls.listening(config.agi, engine_runs=runs) as trouble:
        findings += [each for each in (calls.address(config.agi), trouble) if each]
        parts = await asyncio.gather(*(_limited(name, subject, stored) for name in servers))
    return [*findings, *(finding for part in parts for finding in part)]


async def _stored(subject: Subject) -> Stored:
    path = subject.config.store.path
    troubles = await asyncio.to_thread(machine.store_folder, path)
    if not path.exists():
        return Stored(findings=[*troubles, ok("store", f"no {path} yet: the first command that needs it makes it")])
    writes = await asyncio.to_thread(machine.store_writes, path)
    try:
        async with asyncio.timeout(PART_S), app.open_store(subject.config, subject.clock) as store:
            everything = await store.campaigns()
            chosen = [await store.campaign(subject.campaign)] if subject.campaign else everything
            wanted = [one for one in chosen if subject.campaign or one.state not in _OVER]
            directory = await loaded(store)
            own = [trunk for one in wanted for trunk in directory.trunks_of(one)]
            return Stored(
                campaigns=wanted,
                trunks=list(dict.fromkeys(own)) if subject.campaign else list(directory.trunks.values()),
                view=await store.live_view(),
                directory=directory,
                findings=[*troubles, writes],
            )
    except (Unavailable, TimeoutError) as error:
        return Stored(findings=[*troubles, writes, fault("store", f"can't be read: {error}", f"ls -l {path.parent}")])


def _campaigns(stored: Stored, config: configuration.Config) -> Sequence[Finding]:
    findings = []
    for one in stored.campaigns:
        for problem in lacks(stored.directory, one) if stored.directory else ():
            what, _, remedy = problem.partition(": ")
            setting = remedy.startswith("set ")
            findings.append(fault(f"campaign {one.name}", what, f"astdialer campaign {remedy}" if setting else remedy))
    return [*findings, *_trunks(stored, config)]


def _trunks(stored: Stored, config: configuration.Config) -> Sequence[Finding]:
    return [found for trunk in stored.trunks if (found := trunks.settings(trunk, config.asterisks))]


# --- one Asterisk ----------------------------------------------------------------------------------------------------


async def _limited(name: str, subject: Subject, stored: Stored) -> Sequence[Finding]:
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(PART_S):
            await _server(name, subject, stored, findings)
    except TimeoutError:
        findings.append(fault(name, f"the checks did not end within {PART_S:g} s", "Is Asterisk overloaded?"))
    return findings


async def _server(name: str, subject: Subject, stored: Stored, findings: list[Finding]) -> None:
    ami = subject.config.asterisks[name]
    if closed := await server.knock(name, ami):
        findings.append(closed)
        return
    placed = calls.CheckCalls(subject.config.agi.address)
    async with _link(ami, subject.clock, placed) as connection:
        try:
            await server.log_in(connection, min(ami.action_timeout_s, 10.0))
        except Unavailable as error:
            findings.append(server.login_refused(name, ami, str(error)))
            return
        findings.append(ok(f"{name}: login", f"as {ami.username} at {ami.host}:{ami.port}"))
        for check in _checks(name, subject, stored, connection, placed):
            await _one(name, check, findings)


Check = Callable[[], Awaitable[Sequence[Finding]]]


async def _one(name: str, check: Check, findings: list[Finding]) -> None:
    """A check that breaks is a finding, too, and the next one is made all the same."""
    try:
        findings += await check()
    except AstdialerError as error:
        findings.append(warning(name, f"a check could not be made: {error}", "asterisk -rvvv may say why."))


def _checks(
    name: str, subject: Subject, stored: Stored, link: server.Asker, placed: calls.CheckCalls
) -> Sequence[Check]:
    campaigns = stored.of_server(name)

    async def basics() -> Sequence[Finding]:
        rights = server.rights(name, await link.action({"Action": "ListCommands"}))
        about = server.version(name, await link.action({"Action": "CoreSettings"}))
        return [about, *rights, await server.clocks(name, link), await server.dialplan(name, link)]

    async def queue_checks() -> Sequence[Finding]:
        wanted = sorted({one.settings.queue for one in campaigns if one.settings.queue})
        return [finding for queue in wanted for finding in await queues.queue(queue, link)]

    async def files() -> Sequence[Finding]:
        etc = await _etc(subject, name, link)
        return await asyncio.to_thread(_files, campaigns, etc)

    async def trunk_checks() -> Sequence[Finding]:
        return [await trunks.where_to(trunk, link) for trunk in stored.trunks if trunk.server == name]

    async def call_checks() -> Sequence[Finding]:
        return await _calls(name, subject, campaigns, link, placed)

    return (basics, queue_checks, files, trunk_checks, call_checks)


def _files(campaigns: Sequence[Campaign], etc: Path | None) -> Sequence[Finding]:
    """What Asterisk's own configuration files say; ``etc`` None: they are on another machine."""
    conf = queues.read(etc) if etc else "Asterisk is on another machine"
    found: list[Finding] = []
    for one in campaigns:
        if one.settings.queue:
            found += queues.settings(one, conf)
        if etc and (amd := queues.amd_conf(one, etc)):
            found.append(amd)
    return list(dict.fromkeys(found))


async def _etc(subject: Subject, name: str, link: server.Asker) -> Path | None:
    if subject.etc:
        return subject.etc
    if subject.config.asterisks[name].host not in LOOPBACK:
        return None
    return Path(await server.value(link, "ASTETCDIR") or "/etc/asterisk")


async def _calls(
    name: str, subject: Subject, campaigns: Sequence[Campaign], link: server.Asker, placed: calls.CheckCalls
) -> Sequence[Finding]:
    """Check calls; without the first one's answer the others would only repeat its fault."""
    if await server.has_context(link, "astdialer-check") is False:
        return [warning(f"{name}: AGI", "not tried: there is no context astdialer-check", "First mend the dialplan.")]
    reached = await calls.reach(name, placed, link, subject.config.agi)
    if reached.remedy:
        return [reached]
    root = Path(subject.config.records.directory)
    work = [calls.sound(name, placed, link, path) for path in _sounds(subject.config, campaigns)]
    if root.is_dir():
        work.append(calls.recording(name, placed, link, root))
    return [reached, *await asyncio.gather(*work)]


def _sounds(config: configuration.Config, campaigns: Sequence[Campaign]) -> Sequence[str]:
    """The sound files that these campaigns play, as the engine sends them."""
    places = DialplanPlaces(agi_address=config.agi.address, sound_directory=config.engine.sound_directory)
    names = set()
    for one in campaigns:
        settings = one.settings
        names |= {settings.sound, settings.message, settings.safe_harbour if settings.mode.needs_agents else ""}
    return [places.sound(name) for name in sorted(names - {""})]


@contextlib.asynccontextmanager
async def _link(ami: configuration.Ami, clock: Clock, placed: calls.CheckCalls) -> AsyncIterator[Connection]:
    connection = Connection(ami, clock, random.random, wanted=calls.EVENTS, on_event=placed.hear)
    task = asyncio.create_task(connection.run(), name="doctor's AMI link")
    try:
        yield connection
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
