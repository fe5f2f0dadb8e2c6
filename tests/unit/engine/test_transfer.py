"""Campaign files: what is written reads back as it was, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from use_case_hands import NOON, Clock

from astdialer.domain.calendar import DAYS, WorkingCalendar
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.domain.route import Destination, Route, check_route
from astdialer.domain.settings import Mode, Settings, parse_settings, setting_docs, settings_texts, text_of
from astdialer.domain.trunk import Trunk
from astdialer.engine import campaigns, transfer
from astdialer.engine.transfer import BadCampaignFile, CampaignFile
from astdialer.ports import Store
from astdialer.store import open_store

OFFICE = WorkingCalendar.from_dict(
    {
        "name": "office",
        "timezone": "Europe/Madrid",
        "hours": "mon-fri 09:00-18:00, sat 10:00-14:00",
        "exceptions": ["2026-12-25 yearly Christmas", "2026-12-28 Bridge"],
        "starts_at": NOON + 1,
    }
)
ROUTE = check_route(Route("my", r"^\+?60(\d{8,11})$", (Destination("carrier", "0$1", 2), Destination("carrier"))))
FULL = {
    "queue": "q",
    "routes": "my",
    "calendar": "office",
    "caller_id": "pool:numbers",
    "max_calls": "7",
    "amd": "true",
    "lines_per_agent": "1.25",
    "retry_busy": "4/60,300",
    "outcomes": "Sale=success;No|Too expensive=close;Later=reschedule:other;Angry=blacklist:*",
}
SMALL = 'format = 1\nname = "sales"\n'


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        await opened.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c"))
        yield opened


async def furnish(store: Store) -> None:
    await store.save_calendar(OFFICE)
    await store.save_route(ROUTE)
    await store.save_caller_id_pool("numbers", ["100", "Ana <200>"])


async def everything(store: Store) -> Any:
    """Whatever an import may change."""
    made = [(one.name, one.state, settings_texts(one.settings)) for one in await store.campaigns()]
    events = [await store.history(one.id, 100) for one in await store.campaigns()]
    return made, events, await store.calendars(), await store.routes(), await store.caller_id_pools()


def read(text: str) -> CampaignFile:
    return transfer.read(text, "sales.toml")


def refused(text: str) -> str:
    with pytest.raises(BadCampaignFile) as caught:
        read(text)
    return str(caught.value)


# --- there and back --------------------------------------------------------------------------------------------------


async def test_a_campaign_comes_back_with_all_that_it_names(store: Store, clock: Clock, tmp_path: Path) -> None:
    await furnish(store)
    before = await campaigns.create(store, clock, "sales", FULL)
    text = await transfer.export(store, "sales")
    async with open_store(tmp_path / "other.db", clock) as other:
        await other.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@elsewhere"))
        found = await transfer.import_campaign(other, clock, read(text))
        assert found.created
        assert found.campaign.settings == before.settings
        assert (await other.calendars(), await other.routes()) == ([OFFICE], [ROUTE])
        assert await other.caller_id_pools() == {"numbers": ["100", "Ana <200>"]}
        assert await transfer.export(other, "sales") == text


_MINUTES = st.integers(0, 24 * 60 - 1)
_WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=",;|\"'\\$`{}=<>"), max_size=20
)


def _hours() -> st.SearchStrategy[str]:
    pairs = st.tuples(_MINUTES, _MINUTES).filter(lambda pair: pair[0] < pair[1])
    return pairs.map(lambda p: f"{p[0] // 60:02}:{p[0] % 60:02}-{p[1] // 60:02}:{p[1] % 60:02}")


def _outcomes() -> st.SearchStrategy[str]:
    actions = st.sampled_from(["success", "close", "retry", "reschedule", "blacklist:*", "tag:x = y", "tag"])
    entry = st.tuples(st.sampled_from(["No|A", "Yes", 'Say "no"', "Ñ|é|\\", "a'b"]), actions)
    return st.lists(entry, unique_by=lambda e: e[0], max_size=4).flatmap(
        lambda entries: st.sampled_from([";", " ; "]).map(lambda mark: mark.join(f"{n}={a}" for n, a in entries))
    )


#: Texts for settings of every form; the rest keep their defaults.
TEXTS: dict[str, st.SearchStrategy[str]] = {
    "mode": st.sampled_from([mode.value for mode in Mode]),
    "priority": st.integers(-1000, 1000).map(str),
    "trunk": st.sampled_from(["", "carrier"]),
    "queue": st.sampled_from(["", "q", "sales->"]),
    "caller_id": st.sampled_from(["", "100", "Ana <200> | 1234567-89", "Ñandú #1 <+34100>"]),
    "lines_per_agent": st.integers(1_000_000, 10_000_000).map(lambda n: f"{n / 1e6:.6f}"),
    "max_calls": st.integers(1, 10_000).map(str),
    "safe_harbour": _WORDS,
    "goto": st.sampled_from(["", "ctx,s,1"]),
    "record": st.booleans().map(lambda flag: str(flag).lower()),
    "calling_hours": _hours(),
    "weekdays": st.sampled_from([*DAYS, "mon-fri", "sat,sun"]),
    "timezone": st.sampled_from(["", "UTC", "UTC+05:30", "America/Lima"]),
    "ranges": st.sampled_from(["", "M=09:00-12:00/2@5;W=08:00-20:00/1"]),
    "causes_ok": st.sampled_from(["", "USER_BUSY, 16"]),
    "outcomes": _outcomes(),
    "retry_busy": st.sampled_from(["1/0", "*/60", "4/60,300,3600"]),
}


@given(st.fixed_dictionaries({}, optional=TEXTS))
def test_any_settings_read_back_as_they_were_written(texts: dict[str, str]) -> None:
    file = CampaignFile(name="sales", settings=parse_settings(texts))
    assert settings_texts(read(transfer.dump(file)).settings) == settings_texts(file.settings)


@settings(max_examples=25)  # each has a store of its own
@given(st.fixed_dictionaries({}, optional=TEXTS))
def test_an_imported_campaign_has_the_exported_ones_settings(texts: dict[str, str]) -> None:
    async def there_and_back(folder: Path) -> None:
        async with open_store(folder / "store.db", Clock()) as store:
            await store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c"))
            made = await campaigns.create(store, Clock(), "one", texts)
            file = read(await transfer.export(store, "one"))
            found = await transfer.import_campaign(store, Clock(), file, name="two")
            assert found.campaign.settings == made.settings

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder)))


def test_every_setting_is_in_the_file_with_its_meaning() -> None:
    text = transfer.dump(CampaignFile(name="sales", settings=parse_settings({"max_calls": "7"})))
    for key, (default, doc) in setting_docs().items():
        assert f"# {doc}\n" in text, key
        if key != "max_calls":
            line = text.partition(f"\n# {key} = ")[2].splitlines()[0]
            assert text_of(tomllib.loads(f"value = {line}")["value"]) == default, key
    assert "\nmax_calls = 7\n" in text


def test_a_file_without_comments_is_the_defaults() -> None:
    assert read(SMALL) == CampaignFile(name="sales", settings=Settings())


def test_outcomes_are_tables_that_people_can_read() -> None:
    text = transfer.dump(CampaignFile(name="sales", settings=parse_settings({"outcomes": FULL["outcomes"]})))
    assert tomllib.loads(text)["outcomes"][1] == {"levels": ["No", "Too expensive"], "action": "close"}
    assert tomllib.loads(text)["outcomes"][3] == {"levels": ["Angry"], "action": "blacklist", "argument": "*"}


def test_outcomes_may_be_one_line_too() -> None:
    line = 'outcomes = "Sale = success; No=close"'
    assert read(f"{SMALL}[settings]\n{line}\n").settings.outcomes == "Sale = success; No=close"


def test_numbers_and_flags_may_be_texts_too() -> None:
    found = read(f'{SMALL}[settings]\nmax_calls = "7"\namd = "yes"\nlines_per_agent = 2\n').settings
    assert (found.max_calls, found.amd, found.lines_per_agent) == (7, True, 2.0)


def test_instants_may_be_milliseconds_too() -> None:
    text = '[settings]\ncalendar = "o"\n[calendar]\nname = "o"\nhours = "mon 09:00-10:00"\nstarts_at = '
    for written in ("1798761600000", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00"):
        calendar = read(SMALL + text + written).calendar
        assert calendar is not None
        assert calendar.starts_at == 1_798_761_600_000


# --- bad files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 1\nname =\n", "sales.toml: no TOML: Invalid value (at line 2"),
        ('name = "x"\n', "sales.toml: format = None: expected 1"),
        ('format = 2\nname = "x"\n', "line 1: format = 2: expected 1"),
        ('format = 1\nname = "../x"\n', "line 2: name = '../x': expected 1 to 64 letters"),
        ("format = 1\nname = 5\n", "line 2: name = 5: expected text"),
        (SMALL + "secret = 1\n", "line 3: secret = 1: expected one of the keys"),
        (SMALL + "settings = 1\n", "line 3: settings = 1: expected a table: [settings]"),
        (SMALL + "[settings]\nmax_cals = 1\n", "line 4: settings.max_cals = '1': expected a known setting"),
        (SMALL + "[settings]\n# max_calls = 3\nmax_calls = 0\n", "line 5: settings.max_calls = '0': expected a whole"),
        (SMALL + "[settings]\nmax_calls = [1]\n", "line 4: settings.max_calls = [1]: expected text, a number"),
        (SMALL + "[settings]\namd = 3\n", "line 4: settings.amd = '3': expected true or false"),
        (
            SMALL + "[settings]\noriginate_timeout_s = 5\n",
            "line 4: settings.originate_timeout_s = 5: expected at least",
        ),
        (SMALL + '[settings]\ncalling_hours = "9"\n', "line 4: settings.calling_hours = '9'"),
        (
            SMALL + '[[outcomes]]\nlevels = ["a"]\naction = "x"\n',
            "line 4: outcomes.levels = ['a']: expected one of the",
        ),
        (
            SMALL + '[[outcomes]]\nlevels = ["a"]\naction = "tag"\n[[outcomes]]\nlevels = "b"\naction = "tag"\n',
            "line 7: outcomes.levels = 'b': expected one to three texts",
        ),
        (SMALL + '[[outcomes]]\nlevels = ["a"]\n', "line 3: outcomes.action = None: expected text"),
        (
            SMALL + '[[outcomes]]\nlevels = ["a"]\naction = "tag"\n[[outcomes]]\nlevels = ["b"]\n',
            "line 6: outcomes.action = None: expected text",
        ),
        (SMALL + '[[outcomes]]\nlevels = [" a"]\naction = "tag"\n', "expected levels without ; | = and spaces"),
        (SMALL + "routes = [1]\n", "line 3: routes = [1]: expected tables: [[routes]]"),
        (SMALL + '[[outcomes]]\nlevels = ["a=b"]\naction = "tag"\n', "line 4: outcomes.levels = ['a=b']"),
        (
            SMALL + '[[outcomes]]\nlevels = ["a"]\nacton = "x"\n',
            "line 5: outcomes.acton = 'x': expected one of the keys",
        ),
        (
            SMALL + '[settings]\noutcomes = "a=tag"\n[[outcomes]]\nlevels = ["a"]\naction = "tag"\n',
            "line 4: settings.outcomes = 'a=tag': expected either",
        ),
        (
            SMALL + '[settings]\ncalendar = "o"\n[calendar]\nname = "o"\nhours = "never"\n',
            "line 7: calendar.hours = 'never': expected days and hours",
        ),
        (
            SMALL + '[settings]\ncalendar = "p"\n[calendar]\nname = "o"\nhours = "mon 09:00-10:00"\n',
            "line 6: calendar.name = 'o': expected the one that settings.calendar names",
        ),
        (
            SMALL + '[settings]\ncalendar = "o"\n[calendar]\nname = "o"\nhours = "mon 09:00-10:00"\n'
            "ends_at = 2026-01-01T00:00:00\n",
            "line 8: calendar.ends_at",
        ),
        (
            SMALL + '[settings]\nroutes = "r"\n[[routes]]\nname = "r"\npattern = "("\ndestinations = []\n',
            "line 7: routes.pattern = '(': expected a JavaScript regular expression",
        ),
        (
            SMALL + '[settings]\nroutes = "r"\n[[routes]]\nname = "r"\npattern = "^1"\n'
            'destinations = [\n  {trunk = "t", order = "x"},\n]\n',
            "line 9: routes.order = 'x': expected a value of type int",
        ),
        (
            SMALL + '[settings]\nroutes = "r"\n[[routes]]\nname = "s"\npattern = "^1"\n',
            "line 6: routes.name = 's': expected one that settings.routes names",
        ),
        (SMALL + 'caller_ids = ["100"]\n', "line 3: caller_ids = ['100']: expected settings.caller_id = "),
        (SMALL + "trunks = [1]\n", "line 3: trunks = [1]: expected a list of texts"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_key(text: str, words: str) -> None:
    assert words in refused(text)


def verdict(text: str) -> str:
    """What is wrong with the file, in words; empty if nothing is."""
    try:
        read(text)
    except BadCampaignFile as error:
        return str(error)
    return ""


@given(st.text(max_size=200))
def test_no_text_is_worse_than_refused(text: str) -> None:
    for whole in (text, SMALL + text, SMALL + "[settings]\n" + text):
        said = verdict(whole)
        assert not said or said.startswith("sales.toml")


_TREES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "trunk", "levels", "hours", "max_calls"]), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from(transfer.KEYS), _TREES)
def test_no_value_is_worse_than_refused(key: str, value: Any) -> None:
    said = verdict(tomlkit.dumps({"format": 1, "name": "sales"} | {key: value}))
    assert not said or said.startswith("sales.toml")


# --- into the store --------------------------------------------------------------------------------------------------


async def test_a_campaign_that_is_there_is_not_changed_unasked(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", {"max_calls": "7"})
    before = await everything(store)
    with pytest.raises(Conflict, match="there is a campaign 'sales' already"):
        await transfer.import_campaign(store, clock, read(SMALL))
    assert await everything(store) == before


async def test_replace_takes_every_setting_and_keeps_the_state(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", {"trunk": "carrier", "queue": "q", "max_calls": "7"})
    await campaigns.start(store, clock, "sales")
    text = SMALL + '[settings]\ntrunk = "carrier"\nqueue = "other"\n'
    found = await transfer.import_campaign(store, clock, read(text), replace=True, done_by="ana")
    assert not found.created
    assert found.campaign.state is CampaignState.RUNNING
    assert settings_texts(found.campaign.settings) == settings_texts(
        parse_settings({"trunk": "carrier", "queue": "other"})
    )
    event = (await store.history(found.campaign.id, 1))[0]
    assert (event.event, event.done_by, event.detail) == ("changed", "ana", "queue q → other, max_calls 7 → 30")


async def test_a_running_campaign_is_not_replaced_by_what_can_not_run(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", {"trunk": "carrier", "queue": "q"})
    await campaigns.start(store, clock, "sales")
    before = await everything(store)
    with pytest.raises(Conflict, match="set queue=NAME"):
        await transfer.import_campaign(store, clock, read(SMALL + '[settings]\ntrunk = "carrier"\n'), replace=True)
    assert await everything(store) == before


async def test_another_name_makes_another_campaign(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", {"max_calls": "7"})
    found = await transfer.import_campaign(store, clock, read(SMALL), name="two", done_by="ana")
    assert (found.campaign.name, found.created) == ("two", True)
    event = (await store.history(found.campaign.id, 1))[0]
    assert (event.event, event.done_by, event.detail) == ("created", "ana", "from a campaign file: defaults")
    with pytest.raises(InvalidSetting, match="name"):
        await transfer.import_campaign(store, clock, read(SMALL), name="../two")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('trunks = ["gone"]\n', "there is no trunk 'gone'"),
        ('[settings]\ntrunk = "gone"\n', "there is no trunk 'gone'"),
        ('[settings]\nroutes = "gone"\n', "there is no route 'gone'"),
        ('[settings]\ncalendar = "gone"\n', "there is no calendar 'gone'"),
        ('[settings]\ncaller_id = "pool:gone"\n', "there are no numbers for caller_id=pool:gone"),
        (
            '[settings]\nroutes = "r"\n[[routes]]\nname = "r"\npattern = "^1"\ndestinations = [{trunk = "gone"}]\n',
            "route r leads to trunk 'gone'",
        ),
    ],
)
async def test_an_import_that_lacks_something_changes_nothing(
    store: Store, clock: Clock, text: str, words: str
) -> None:
    before = await everything(store)
    with pytest.raises(Conflict, match=words):
        await transfer.import_campaign(store, clock, read(SMALL + text))
    assert await everything(store) == before


async def test_what_is_missing_is_said_once(store: Store, clock: Clock) -> None:
    text = SMALL + 'trunks = ["gone"]\n[settings]\ntrunk = "gone"\n'
    with pytest.raises(Conflict) as caught:
        await transfer.import_campaign(store, clock, read(text))
    assert str(caught.value).count("no trunk 'gone'") == 1


@pytest.mark.parametrize("thing", ["calendar", "route", "callerid"])
async def test_what_others_may_use_is_not_changed_unasked(store: Store, clock: Clock, thing: str) -> None:
    await furnish(store)
    await campaigns.create(store, clock, "sales", FULL)
    file = read(await transfer.export(store, "sales"))
    assert (await transfer.import_campaign(store, clock, file, name="same")).saved == []
    if thing == "calendar":
        await store.save_calendar(dataclasses.replace(OFFICE, timezone="UTC"))
    elif thing == "route":
        await store.save_route(dataclasses.replace(ROUTE, pattern="^1"))
    else:
        await store.save_caller_id_pool("numbers", ["300"])
    before = await everything(store)
    with pytest.raises(Conflict, match=f"there is a {thing} .* already, and it is not the file's"):
        await transfer.import_campaign(store, clock, file, name="new")
    assert await everything(store) == before
    found = await transfer.import_campaign(store, clock, file, name="new", replace=True)
    assert [words.split()[0] for words in found.saved] == [thing]
    assert (await store.calendars(), await store.routes()) == ([OFFICE], [ROUTE])
    assert await store.caller_id_pools() == {"numbers": ["100", "Ana <200>"]}
