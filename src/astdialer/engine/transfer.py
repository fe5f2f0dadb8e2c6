"""Campaigns as TOML files: every setting with its meaning, the calendar, the routes, the pool of caller ids.

A file holds no secrets and no contacts, and names its trunks only: those belong to the machine. Reading one checks
everything before anything is written.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import tomlkit
from tomlkit.items import Table

from astdialer.domain import route as routing
from astdialer.domain.access import Forbidden
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.caller_id import check_pool_number, parse_caller_id
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import AstdialerError, Conflict, InvalidSetting, NotFound
from astdialer.domain.names import check_name, parse_names
from astdialer.domain.route import Destination, Route
from astdialer.domain.settings import Settings, setting_docs, settings_texts, text_of
from astdialer.domain.typification import outcomes_text, parse_outcomes
from astdialer.engine.campaigns import (
    NAMING,
    SOMEBODY,
    changes,
    entry,
    lacks,
    loaded,
    no_trunk,
    read_settings,
    save_settings,
    unknown_names,
)
from astdialer.engine.directory import Directory
from astdialer.ports import Clock, Store

FORMAT = 1
KEYS = ("format", "name", "trunks", "settings", "outcomes", "calendar", "routes", "caller_ids")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = ("starts_at", "ends_at")
_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")

HEAD = """\
A campaign of astdialer: astdialer campaign import FILE makes it (--replace changes one that is there).
What is commented out has its default. Trunks are only named: they have to be there. No contacts, no secrets."""


class BadCampaignFile(AstdialerError):
    """The campaign file can't be used. The message names file, line, key and what was expected."""

    code = "bad_campaign_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFile:
    """What a file says, checked as far as it can be without a store."""

    name: str
    settings: Settings
    calendar: WorkingCalendar | None = None
    routes: tuple[Route, ...] = ()
    caller_ids: tuple[str, ...] = ()  #: of the pool that the settings name
    trunks: tuple[str, ...] = ()

    @property
    def pool(self) -> str:
        """The pool of caller ids that the settings name."""
        return parse_caller_id("caller_id", self.settings.caller_id).pool


# --- writing ---------------------------------------------------------------------------------------------------------


async def export(store: Store, name: str, *, shared: bool = True) -> str:
    """The campaign's file; ``shared`` False: without routes and caller ids, which others use too. Raises NotFound."""
    campaign = await store.campaign(name)
    directory = await loaded(store)
    pool = parse_caller_id("caller_id", campaign.settings.caller_id).pool
    return dump(
        CampaignFile(
            name=name,
            settings=campaign.settings,
            calendar=directory.calendars.get(campaign.settings.calendar),
            routes=tuple(directory.routes_of(campaign)) if shared else (),
            caller_ids=tuple(directory.caller_id_pools.get(pool, ())) if shared else (),
            trunks=tuple(trunk.name for trunk in directory.trunks_of(campaign)),
        )
    )


def dump(file: CampaignFile) -> str:
    """The text that read() takes."""
    document = tomlkit.document()
    for line in HEAD.splitlines():
        document.add(tomlkit.comment(line))
    document.add("format", tomlkit.item(FORMAT))
    document.add("name", tomlkit.item(file.name))
    document.add("trunks", tomlkit.item(list(file.trunks)))
    if file.caller_ids:
        document.add("caller_ids", _lines(file.caller_ids))
    document.add("settings", _settings_table(file.settings))
    if file.settings.outcomes and _is_plain(file.settings.outcomes):
        document.add("outcomes", _outcome_tables(file.settings.outcomes))
    if file.calendar:
        document.add("calendar", _calendar_table(file.calendar))
    if file.routes:
        routes = tomlkit.aot()
        for route in file.routes:
            routes.append(_route_table(route))
        document.add("routes", routes)
    return tomlkit.dumps(document)


def _is_plain(outcomes: str) -> bool:
    """Whether tables say the same: a text that somebody spaced in a way of their own is kept as it is."""
    return outcomes_text(parse_outcomes(outcomes)) == outcomes


def _settings_table(settings: Settings) -> Table:
    table, texts = tomlkit.table(), settings_texts(settings)
    for key, (default, doc) in setting_docs().items():
        table.add(tomlkit.nl())
        table.add(tomlkit.comment(doc))
        if key == "outcomes" and texts[key] and _is_plain(texts[key]):
            table.add(tomlkit.comment("see the tables [[outcomes]]"))
        elif texts[key] == default:
            table.add(tomlkit.comment(f"{key} = {_plain(getattr(Settings(), key)).as_string()}"))
        else:
            table.add(key, _plain(getattr(settings, key)))
    return table


def _plain(value: Any) -> Any:
    """A setting's value as TOML has it: numbers and flags as such, all else as the text that ``campaign set`` takes."""
    return tomlkit.item(value) if type(value) in (bool, int, float) else _text(text_of(value))


def _text(text: str) -> Any:
    """Patterns and rewrites are readable without doubled backslashes."""
    literal = "\\" in text and "'" not in text and text.isprintable()
    return tomlkit.string(text, literal=True) if literal else tomlkit.item(text)


def _lines(texts: Sequence[str]) -> Any:
    array = tomlkit.array().multiline(True)
    array.extend([_text(text) for text in texts])
    return array


def _outcome_tables(text: str) -> Any:
    tables = tomlkit.aot()
    for outcome in parse_outcomes(text):
        table = tomlkit.table()
        table.add("levels", tomlkit.item(list(outcome.levels)))
        table.add("action", tomlkit.item(outcome.action.value))
        if outcome.argument:
            table.add("argument", tomlkit.item(outcome.argument))
        tables.append(table)
    return tables


def _calendar_table(calendar: WorkingCalendar) -> Table:
    table = tomlkit.table()
    for key, value in calendar.to_dict().items():
        if key in _INSTANTS:
            table.add(key, tomlkit.item(_EPOCH + timedelta(milliseconds=value)))
        else:
            table.add(key, _lines(value) if isinstance(value, list) and value else tomlkit.item(value))
    return table


def _route_table(route: Route) -> Table:
    table = tomlkit.table()
    table.add("name", tomlkit.item(route.name))
    table.add("pattern", _text(route.pattern))
    if not route.enabled:
        table.add("enabled", tomlkit.item(False))
    destinations = tomlkit.array().multiline(True)
    for destination in route.destinations:
        inline = tomlkit.inline_table()
        for key, value in dataclasses.asdict(destination).items():
            if key == "trunk" or value != Destination.__dataclass_fields__[key].default:
                inline.append(key, _text(value) if isinstance(value, str) else value)
        destinations.append(inline)
    table.add("destinations", destinations)
    return table


# --- reading ---------------------------------------------------------------------------------------------------------


def read(text: str, source: str) -> CampaignFile:
    """A campaign file's content; ``source`` is its name. Raises BadCampaignFile."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers of thousands of digits
        raise BadCampaignFile(f"{source}: no TOML: {error}") from None
    return _Reader(text, source, tables).read()


class _Reader:
    """Reads the tables of one file, and knows in which line a key is."""

    def __init__(self, text: str, source: str, tables: Mapping[str, Any]) -> None:
        self._lines, self._source, self._tables = text.splitlines(), source, tables

    def read(self) -> CampaignFile:
        """Raises BadCampaignFile."""
        unknown = [key for key in self._tables if key not in KEYS]
        if unknown:
            raise self._bad("", unknown[0], self._tables[unknown[0]], "one of the keys " + ", ".join(KEYS))
        if self._tables.get("format") != FORMAT:
            raise self._bad("", "format", self._tables.get("format"), f"{FORMAT}, the form that this astdialer reads")
        settings = self._settings()
        return CampaignFile(
            name=self._name(),
            settings=settings,
            calendar=self._calendar(settings),
            routes=tuple(self._routes(settings)),
            caller_ids=self._caller_ids(settings),
            trunks=self._texts("", "trunks"),
        )

    def _name(self) -> str:
        try:
            return check_name(self._texts("", "name", single=True)[0])
        except InvalidSetting as error:
            raise self._bad("", "name", error.value, error.expected) from None

    def _settings(self) -> Settings:
        table = self._table("settings")
        texts = {key: self._setting_text(key, value) for key, value in table.items()}
        if "outcomes" in self._tables:
            if "outcomes" in texts:
                raise self._bad("settings", "outcomes", texts["outcomes"], "either this or the tables [[outcomes]]")
            texts["outcomes"] = self._outcomes()
        try:
            return read_settings(texts)
        except InvalidSetting as error:
            raise self._bad("settings", error.key, error.value, error.expected) from None

    def _setting_text(self, key: str, value: Any) -> str:
        if type(value) not in (str, bool, int, float):
            raise self._bad("settings", key, value, "text, a number, or true or false")
        return text_of(value)

    def _outcomes(self) -> str:
        return ";".join(self._outcome(at, table) for at, table in enumerate(self._array("outcomes")))

    def _outcome(self, at: int, table: Mapping[str, Any]) -> str:
        self._check_keys("outcomes", at, table, ("levels", "action", "argument"))
        levels, action = table.get("levels"), table.get("action")
        argument = table.get("argument", "")
        if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
            raise self._bad("outcomes", "levels", levels, 'one to three texts, such as ["No", "Too expensive"]', at)
        if not isinstance(action, str) or not isinstance(argument, str):
            key = "argument" if isinstance(action, str) else "action"
            raise self._bad("outcomes", key, table.get(key), "text", at)
        text = "|".join(levels) + f"={action}" + (f":{argument}" if argument else "")
        try:
            if len(parse_outcomes(text)) != 1 or parse_outcomes(text)[0].levels != tuple(levels):
                raise self._bad("outcomes", "levels", levels, "levels without ; | = and spaces around them", at)
        except InvalidSetting as error:
            raise self._bad("outcomes", "levels", levels, error.expected, at) from None
        return text

    def _calendar(self, settings: Settings) -> WorkingCalendar | None:
        if "calendar" not in self._tables:
            return None
        table = {key: self._instant(key, value) for key, value in self._table("calendar").items()}
        try:
            calendar = WorkingCalendar.from_dict(table)
        except InvalidSetting as error:
            raise self._bad("calendar", error.key, error.value, error.expected) from None
        if calendar.name != settings.calendar:
            raise self._bad(
                "calendar", "name", calendar.name, f"the one that settings.calendar names: {settings.calendar!r}"
            )
        return calendar

    def _instant(self, key: str, value: Any) -> Any:
        if key in _INSTANTS and isinstance(value, datetime):
            if value.tzinfo is None:
                raise self._bad("calendar", key, value, "a time with its zone, such as 2026-12-31T23:00:00Z")
            return (value - _EPOCH) // timedelta(milliseconds=1)
        return value

    def _routes(self, settings: Settings) -> Iterator[Route]:
        wanted = parse_names("routes", settings.routes)
        for at, table in enumerate(self._array("routes")):
            try:
                route = routing.from_dict(table)
            except InvalidSetting as error:
                key = error.key.rpartition(".")[2]
                raise self._bad("routes", key, error.value, error.expected, at) from None
            if route.name not in wanted:
                raise self._bad(
                    "routes", "name", route.name, f"one that settings.routes names: {settings.routes!r}", at
                )
            yield route

    def _caller_ids(self, settings: Settings) -> tuple[str, ...]:
        numbers = self._texts("", "caller_ids")
        if numbers and not parse_caller_id("caller_id", settings.caller_id).pool:
            raise self._bad("", "caller_ids", list(numbers), 'settings.caller_id = "pool:NAME" with them')
        try:
            return tuple(check_pool_number("caller_ids", number) for number in numbers)
        except InvalidSetting as error:
            raise self._bad("", "caller_ids", error.value, error.expected) from None

    def _table(self, key: str) -> Mapping[str, Any]:
        table = self._tables.get(key, {})
        if not isinstance(table, dict):
            raise self._bad("", key, table, f"a table: [{key}]")
        return table

    def _array(self, key: str) -> Sequence[Mapping[str, Any]]:
        array = self._tables.get(key, [])
        if not isinstance(array, list) or not all(isinstance(table, dict) for table in array):
            raise self._bad("", key, array, f"tables: [[{key}]]")
        return array

    def _texts(self, table: str, key: str, *, single: bool = False) -> tuple[str, ...]:
        value = self._tables.get(key, [])
        texts = [value] if single else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self._bad(table, key, value, "text" if single else "a list of texts")
        return tuple(texts)

    def _check_keys(self, table: str, at: int, values: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in values:
            if key not in known:
                raise self._bad(table, key, values[key], "one of the keys " + ", ".join(known), at)

    def _bad(self, table: str, key: str, value: Any, expected: str, at: int = 0) -> BadCampaignFile:
        line = self._line(table, key, at)
        where = f"{self._source}, line {line}" if line else self._source
        name = f"{table}.{key}" if table else key
        return BadCampaignFile(f"{where}: {name} = {value!r}: expected {expected}")

    def _line(self, table: str, key: str, at: int) -> int:
        """The line of the key, else that of its table; 0 if neither is found: a file may be written in many ways."""
        current, seen, begins = "", -1, 0
        assigned = re.compile(rf"[^#]*?(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*=")
        for number, line in enumerate(self._lines, 1):
            header = _HEADER.fullmatch(line)
            if header:
                current = header[1]
                seen += current == table
                begins = number if current == table and seen == at else begins
            elif current == table and (not table or seen == at) and assigned.match(line):
                return number
        return begins


# --- into the store --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    campaign: Campaign
    created: bool
    saved: Sequence[str]  #: what else was made or replaced, such as ``route uk``


async def import_campaign(
    store: Store,
    clock: Clock,
    file: CampaignFile,
    *,
    name: str = "",
    replace: bool = False,
    done_by: str = SOMEBODY,
    tenant: str = "",
    may_save: Collection[str] = ("calendar", "route", "callerid"),
) -> Imported:
    """Make the file's campaign, under another ``name`` if one is given, or ``replace`` what is there.

    ``tenant``: who does it, and whose a new campaign is; another's is not replaced. ``may_save``: what else of the file
    may be made or replaced. Raises InvalidSetting, Conflict and Forbidden, and then has changed nothing. The campaign
    is written last: what it needs is there before it.
    """
    file = dataclasses.replace(file, name=check_name(name or file.name))
    known = await _known(store, file.name)
    if known and tenant not in ("", known.tenant):
        raise Conflict(f"the name {file.name!r} is taken")
    if known and not replace:
        raise Conflict(f"there is a campaign {file.name!r} already: --replace changes it, --name NEW makes another")
    directory = await loaded(store)
    news = list(_news(directory, file, replace=replace))
    _check_may(news, may_save)
    _check_import(directory, file, known)
    saved = [await _save(store, thing, file) for thing in news]
    campaign = await _save_campaign(store, clock, file, known, done_by=done_by, tenant=tenant)
    return Imported(campaign=campaign, created=known is None, saved=saved)


async def _known(store: Store, name: str) -> Campaign | None:
    try:
        return await store.campaign(name)
    except NotFound:
        return None


Thing = WorkingCalendar | Route | str


def _news(directory: Directory, file: CampaignFile, *, replace: bool) -> Iterator[Thing]:
    """What of the file is not in the store as it is, a pool by its name. Others may use it: it is not changed
    unasked."""
    there: list[tuple[str, str, Thing, Any, Any]] = [
        ("route", route.name, route, directory.routes.get(route.name), route) for route in file.routes
    ]
    if file.calendar:
        calendar = file.calendar
        there.append(("calendar", calendar.name, calendar, directory.calendars.get(calendar.name), calendar))
    if file.caller_ids:
        there.append(("callerid", file.pool, file.pool, directory.caller_id_pools.get(file.pool), file.caller_ids))
    for noun, name, thing, known, wanted in there:
        if known is not None and known != wanted and not replace:
            remedy = f"--replace takes the file's for every campaign that uses it (astdialer {noun} list)"
            raise Conflict(f"there is a {noun} {name!r} already, and it is not the file's: {remedy}")
        if known != wanted:
            yield thing


def _check_may(news: Sequence[Thing], may_save: Collection[str]) -> None:
    """Raises Forbidden."""
    for thing in news:
        noun = "calendar" if isinstance(thing, WorkingCalendar) else "route" if isinstance(thing, Route) else "callerid"
        if noun not in may_save:
            name = thing if isinstance(thing, str) else thing.name
            raise Forbidden(f"the file's {noun} {name!r} is not there as it is: your token may not make or change it")


def _check_import(directory: Directory, file: CampaignFile, known: Campaign | None) -> None:
    """Whether everything that the campaign names will be there. Raises Conflict."""
    directory.routes = {**directory.routes, **{route.name: route for route in file.routes}}
    if file.calendar:
        directory.calendars = {**directory.calendars, file.calendar.name: file.calendar}
    if file.caller_ids:
        directory.caller_id_pools = {**directory.caller_id_pools, file.pool: file.caller_ids}
    state = known.state if known else CampaignState.IDLE
    campaign = Campaign(id=0, name=file.name, state=state, settings=file.settings)
    missing = [no_trunk(trunk) for trunk in file.trunks if trunk not in directory.trunks]
    missing += unknown_names(directory, campaign, NAMING)
    if state is CampaignState.RUNNING:
        missing += lacks(directory, campaign)
    if missing:
        raise Conflict(f"{file.name} can't be imported: " + "; ".join(dict.fromkeys(missing)))


async def _save(store: Store, thing: Thing, file: CampaignFile) -> str:
    if isinstance(thing, WorkingCalendar):
        await store.save_calendar(thing)
        return f"calendar {thing.name}"
    if isinstance(thing, Route):
        await store.save_route(thing)
        return f"route {thing.name}"
    await store.save_caller_id_pool(thing, file.caller_ids)
    return f"callerid {thing}"


async def _save_campaign(
    store: Store, clock: Clock, file: CampaignFile, known: Campaign | None, *, done_by: str, tenant: str
) -> Campaign:
    if known:
        await save_settings(store, clock, known, file.settings, done_by)
        return await store.campaign(file.name)
    detail = "from a campaign file: " + (changes(Settings(), file.settings) or "defaults")
    event = entry(clock, "created", detail, done_by=done_by)
    return await store.create_campaign(file.name, file.settings, clock.now(), tenant, event)
