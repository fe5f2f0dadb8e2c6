"""Whole uploads into the SQLite store."""

import asyncio
import contextlib
import csv
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from astdialer.clock import SystemClock
from astdialer.domain.contact import NewContact
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.domain.settings import Settings
from astdialer.ports import BaseUpload
from astdialer.store import SqliteStore, open_store
from astdialer.upload.errors import UploadError
from astdialer.upload.load import Options, load
from astdialer.upload.report import UploadReport

CLOCK = SystemClock()
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "store.db", CLOCK) as opened:
        for name in ("demo", "other"):
            await opened.create_campaign(name, Settings(), CLOCK.now())
        yield opened


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "base.csv"


async def run(source: Path, store: SqliteStore, **options: Any) -> UploadReport:
    chosen = {"base": "b", "country": "ES", "rejects": source.with_suffix(".rejects"), "batch": 3, **options}
    campaigns = {campaign.name: campaign for campaign in await store.campaigns()}
    return await load(str(source), store, campaigns, Options(**chosen), CLOCK)


async def numbers_of(store: SqliteStore, campaign: str = "demo") -> list[str]:
    return [row["number"] for row in await store.contacts({"campaign": campaign}, 10_000)]


async def test_the_demo_base_loads_whole(store: SqliteStore) -> None:
    report = await run(EXAMPLES / "demo.csv", store, country="GB", number_check="possible", rejects=None)
    assert (report.rows, report.added, report.rejected, report.warnings) == (40, 40, 0, 0)
    assert len(set(await numbers_of(store))) == 40


async def test_rows_go_to_their_campaigns_with_everything_they_say(store: SqliteStore, base: Path) -> None:
    base.write_text(
        "demo;612345678;name=Ana:due=12;H=0=912345678:P=0=712345678:M=0=612345678;5;1001\nother;612345678;;\n"
    )
    report = await run(base, store)
    assert [(one.campaign, one.base, one.added) for one in report.bases] == [("demo", "b", 1), ("other", "b", 1)]
    row = (await store.contacts({"campaign": "demo"}, 1))[0]
    contact = await store.contact(row["id"])
    assert [(n["number"], n["type"]) for n in contact["numbers"]] == [
        ("+34612345678", "P"),
        ("+34712345678", "P"),
        ("+34912345678", "H"),
    ]
    assert (contact["priority"], contact["agentphone"], contact["line"]) == (5, "1001", 1)
    assert "Ana" in str(contact["params"])


async def test_rows_may_spell_their_campaign_as_another_system_does(store: SqliteStore, base: Path) -> None:
    base.write_text("demo<-;612345678;;\nother;612345679;;\n;612345670;;\nnobody;612345671;;\n")
    report = await run(base, store, fallback="other", spellings=True)
    assert [(one.campaign, one.added) for one in report.bases] == [("demo", 1), ("other", 2)]
    assert report.rejects == {"campaign": 1}
    strict = await run(base, store, base="c")
    assert ([one.campaign for one in strict.bases], strict.rejects) == (["other"], {"campaign": 3})
    with pytest.raises(UploadError, match="no campaign 'gone'"):
        await run(base, store, fallback="gone")


async def test_a_file_without_campaigns_goes_to_the_one_that_is_said(store: SqliteStore, base: Path) -> None:
    base.write_text("number;name\n612345678;Ana\n")
    assert (await run(base, store, fallback="other")).added == 1
    assert await numbers_of(store, "other") == ["+34612345678"]


async def test_bad_rows_go_to_the_rejects_and_good_ones_are_kept(store: SqliteStore, base: Path) -> None:
    base.write_text('demo;612345678\nnone;612345679\ndemo;12\ndemo;"612345670\ndemo;612345671;;;x\n\ndemo;612345672\n')
    report = await run(base, store)
    assert (report.rows, report.added, report.rejected) == (6, 2, 4)
    assert report.rejects == {"campaign": 1, "number": 1, "quotes": 1, "priority": 1}
    assert report.rejects_file == str(base.with_suffix(".rejects"))
    rows = list(csv.reader(Path(report.rejects_file).read_text().splitlines()))
    assert [(row[0], row[1], row[3]) for row in rows[1:]] == [
        ("2", "campaign", "none;612345679"),
        ("3", "number", "demo;12"),
        ("4", "quotes", 'demo;"612345670'),
        ("5", "priority", "demo;612345671;;;x"),
    ]
    assert "there are: demo, other" in rows[1][2]


async def test_no_rejects_no_file(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;612345678\n")
    report = await run(base, store)
    assert report.rejects_file is None
    assert [path.name for path in base.parent.glob("base*")] == ["base.csv"]


async def test_a_bad_alternative_is_left_out_and_told(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;612345678;;12:912345678\n")
    report = await run(base, store, warnings=base.with_suffix(".warnings"))
    assert (report.added, report.warnings) == (1, 1)
    assert report.warning_examples[0].line == 1
    assert "'12'" in base.with_suffix(".warnings").read_text()


async def test_duplicates_in_file_and_base_are_added_once(store: SqliteStore, base: Path) -> None:
    base.write_text("".join(f"demo;{number}\n" for number in (612345678, 612345679, "+34 612345678", 612345670) * 3))
    report = await run(base, store)
    assert (report.added, report.duplicates) == (3, 9)
    again = await run(base, store)
    assert (again.added, again.duplicates, again.is_failure) == (0, 12, False)
    elsewhere = await run(base, store, base="c")
    assert elsewhere.added == 3
    assert len(await store.bases(None)) == 2  # the upload that brought nothing left nothing


async def test_a_dry_run_counts_alike_and_writes_nothing(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;612345678\ndemo;612345679\n")
    await run(base, store)
    base.write_text("demo;612345678\ndemo;612345670\ndemo;612345671\nother;612345671\ndemo;612345670\ndemo;1\n")
    dry = await run(base, store, dry_run=True)
    assert len(await numbers_of(store)) == 2
    wet = await run(base, store)
    assert (dry.added, dry.duplicates, dry.rejected) == (wet.added, wet.duplicates, wet.rejected) == (3, 2, 1)
    assert dry.bases == wet.bases


async def zones_of_base(store: SqliteStore, name: str = "b") -> list[str]:
    contacts = [await store.contact(row["id"]) for row in await store.contacts({"base": name}, 100)]
    return [number["zones"] for contact in contacts for number in contact["numbers"]]


async def test_numbers_of_a_base_without_a_zone_are_where_their_digits_say(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;912345678;;+442079460958\n")
    await run(base, store)
    assert await zones_of_base(store) == ["Europe/Madrid", "Europe/London"]


async def test_a_base_keeps_its_zone_in_later_uploads(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;912345678\n")
    await run(base, store, timezone="America/Lima")
    base.write_text("number;not_before\n912345679;2090-01-01 12:00\n")
    await run(base, store, campaign="demo", local_zone="Asia/Tokyo")
    assert await zones_of_base(store) == ["America/Lima"] * 2
    contacts = [await store.contact(row["id"]) for row in await store.contacts({"state": "waiting"}, 100)]
    assert [contact["next_at"] for contact in contacts] == [3_786_973_200_000]  # noon in Lima


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("has", "says"), [("America/Lima", "in zone 'America/Lima', not in"), ("", "without a zone of its own")]
)
async def test_another_zone_for_a_base_is_refused_in_a_dry_run_too(
    store: SqliteStore, base: Path, *, dry_run: bool, has: str, says: str
) -> None:
    base.write_text("demo;912345678\n")
    await run(base, store, timezone=has)
    with pytest.raises(UploadError, match=says):
        await run(base, store, timezone="Europe/Madrid", dry_run=dry_run)


async def test_a_base_that_gets_its_zone_meanwhile_keeps_nothing_of_the_upload(
    store: SqliteStore, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.write_text("demo;912345678\n")
    opening = store.open_upload

    async def too_late(campaign_id: int, name: str, *, file_name: str, timezone: str, now: int, job: str) -> BaseUpload:
        await opening(campaign_id, name, file_name="of somebody else", timezone="America/Lima", now=now)
        return await opening(campaign_id, name, file_name=file_name, timezone=timezone, now=now)

    monkeypatch.setattr(store, "open_upload", too_late)
    with pytest.raises(UploadError, match="has just got the zone 'America/Lima': upload the file again\nNothing of"):
        await run(base, store)
    assert [row["file_name"] for row in await store.bases(None)] == ["of somebody else"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_the_report_counts_added_contacts_by_zone(store: SqliteStore, base: Path, *, dry_run: bool) -> None:
    base.write_text(
        "demo;912345678;;+442079460958\ndemo;912345679\ndemo;912345679\ndemo;612345678\ndemo;912345677;;123456\n"
    )
    report = await run(base, store, number_check="none", dry_run=dry_run)
    assert (report.zones, report.without_zone) == ({}, 4)
    base.write_text(base.read_text().replace(";123456", ";12"))
    report = await run(base, store, base="c", dry_run=dry_run)
    assert report.zones == {"Europe/Madrid": 3, "Atlantic/Canary|Europe/Madrid": 1}
    assert (report.without_zone, report.added) == (0, 4)


async def test_a_contact_with_one_number_of_no_known_zone_is_told_of(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;+34912345678;;123456\ndemo;+34912345679\n")
    report = await run(base, store, number_check="none")
    assert (report.zones, report.without_zone) == ({"Europe/Madrid": 1}, 1)


async def test_a_contact_that_has_expired_is_added_and_told_of(store: SqliteStore, base: Path) -> None:
    base.write_text("number;expires;alt\n912345678;2020-01-01;12\n")
    report = await run(base, store, campaign="demo", warnings=base.with_suffix(".warnings"))
    assert (report.added, report.warnings) == (1, 2)
    assert report.warning_reasons == {"alternative": 1, "expired": 1}
    assert "expires 2020-01-01 is over" in base.with_suffix(".warnings").read_text()
    await store.expire(CLOCK.now(), 10)
    contact = await store.contact((await store.contacts({"campaign": "demo"}, 1))[0]["id"])
    assert (contact["state"], contact["end_cause"]) == ("done", "MEMBER_EXPIRED")


async def test_csv_with_a_header_and_one_campaign(store: SqliteStore, base: Path) -> None:
    base.write_text("Teléfono,Nombre,Casa\n612345678,José,912345678\n", encoding="cp1252")
    report = await run(base, store, campaign="other", mapping=(("alt", "casa"),))
    assert report.columns == {"Teléfono": "number", "Nombre": "param Nombre", "Casa": "alt"}
    assert await numbers_of(store, "other") == ["+34612345678"]


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("phone\n612345678\n", {}, "give --campaign NAME or --map campaign=COLUMN. Campaigns: demo, other"),
        ("demo;612345678\n", {"campaign": "none"}, "no campaign 'none'; there are: demo, other"),
        ("demo;612345678\n", {"timezone": "Mars"}, "IANA name"),
        ("demo;612345678\n", {"base": "a/b"}, "letters, digits"),
        ("demo;612345678\n", {"country": "Spain"}, "two letters"),
        ("", {}, "no rows"),
    ],
)
async def test_what_can_not_be_loaded_is_explained(
    store: SqliteStore, base: Path, text: str, options: dict[str, str], says: str
) -> None:
    base.write_text(text)
    with pytest.raises((UploadError, InvalidSetting)) as caught:
        await run(base, store, **options)
    assert says in str(caught.value)
    assert await store.bases(None) == []


async def test_rejects_never_overwrite_the_base(store: SqliteStore, base: Path) -> None:
    base.write_text("demo;1\n")
    with pytest.raises(UploadError, match="over the base itself"):
        await run(base, store, rejects=base)
    with pytest.raises(UploadError, match=r"can't be written[^\n]*\nNothing of the file was kept") as caught:
        await run(base, store, rejects=base.parent / "missing" / "x")
    assert "--rejects PATH" in str(caught.value)


async def test_a_failure_keeps_nothing(store: SqliteStore, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base.write_text("x\n" + "".join(f"demo;6123456{n:02d}\n" for n in range(20)))
    adding = store.add_contacts

    async def fail(upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> Sequence[NewContact]:
        if contacts[0].line > 8:
            raise Conflict("the disk is full")
        return await adding(upload, contacts, now)

    monkeypatch.setattr(store, "add_contacts", fail)
    with pytest.raises(UploadError, match="the disk is full\nNothing of the file was kept"):
        await run(base, store)
    assert await store.bases(None) == []
    assert [path.name for path in base.parent.glob("base*")] == ["base.csv"]


async def test_a_contact_that_comes_in_over_http_meanwhile_is_a_duplicate(
    store: SqliteStore, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.write_text("".join(f"demo;6123456{n:02d}\n" for n in range(3)))
    demo, adding = await store.campaign("demo"), store.add_contacts

    async def add(upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> Sequence[NewContact]:
        await store.add_to_base(demo.id, upload.base, contacts[1:2], now)
        return await adding(upload, contacts, now)

    monkeypatch.setattr(store, "add_contacts", add)
    report = await run(base, store)
    assert (report.added, report.duplicates) == (2, 1)
    assert sum(row["contacts"] for row in await store.bases(demo.id)) == 3


async def test_a_cancellation_keeps_nothing(store: SqliteStore, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base.write_text("".join(f"demo;6123456{n:02d}\n" for n in range(20)))
    adding = store.add_contacts

    async def cancel(upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> Sequence[NewContact]:
        added = await adding(upload, contacts, now)
        if contacts[0].line > 8:
            upload_task.cancel()
        return added

    monkeypatch.setattr(store, "add_contacts", cancel)
    upload_task = asyncio.create_task(run(base, store))
    with pytest.raises(asyncio.CancelledError):
        await upload_task
    assert await store.bases(None) == []


async def test_a_cancellation_while_publishing_comes_too_late(
    store: SqliteStore, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.write_text("demo;612345678\n")
    publishing = store.publish_uploads

    async def cancel(uploads: Sequence[BaseUpload], now: int) -> None:
        upload_task.cancel()
        await asyncio.sleep(0)
        await publishing(uploads, now)

    monkeypatch.setattr(store, "publish_uploads", cancel)
    upload_task = asyncio.create_task(run(base, store))
    assert (await upload_task).added == 1
    assert await numbers_of(store) == ["+34612345678"]


async def test_interrupted_earlier_uploads_are_removed(store: SqliteStore, base: Path) -> None:
    campaign = await store.campaign("demo")
    await store.open_upload(campaign.id, "dead", file_name="x", timezone="", now=CLOCK.now() - 301_000)
    await store.open_upload(campaign.id, "alive", file_name="x", timezone="", now=CLOCK.now() - 200_000)
    base.write_text("demo;612345678\n")
    assert (await run(base, store)).removed == ("demo/dead",)
    assert {row["base"] for row in await store.bases(None)} == {"alive", "b"}


_PEAK = """
import asyncio, resource, sys
from pathlib import Path
from astdialer.clock import SystemClock
from astdialer.domain.settings import Settings
from astdialer.store import open_store
from astdialer.upload.load import Options, load

async def main(base):
    async with open_store(base.with_suffix(".db"), SystemClock()) as store:
        campaign = await store.create_campaign("demo", Settings(), 0)
        options = Options(base="b", country="ES", rejects=base.with_suffix(".rejects"), dry_run=True)
        report = await load(str(base), store, {"demo": campaign}, options, SystemClock())
        assert report.added and report.rejected, report
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

asyncio.run(main(Path(sys.argv[1])))
"""


def _peak_mb(path: Path, rows: int) -> int:
    with path.open("w") as file:
        file.writelines(f"demo;{'6' if n % 10 else '1'}{n:08d};name=Person {n}\n" for n in range(rows))
    done = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = (_peak_mb(tmp_path / f"{rows}.csv", rows) for rows in (20_000, 200_000))
    assert large < small + 15


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the command with a configuration and a campaign of its own."""
    config = tmp_path / "astdialer.toml"
    config.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/store.db"\n[engine]\ndefault_country = "ES"\ntimezone = "Asia/Tokyo"\n'
    )

    def start(*arguments: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "astdialer", "--config", str(config), *arguments]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    made = start("campaign", "create", "demo")
    out, err = made.communicate()
    assert made.returncode == 0, out + err
    return start


def test_the_command_tells_how_it_went(tmp_path: Path, command: Callable[..., subprocess.Popen[str]]) -> None:
    base = tmp_path / "my base.csv"
    base.write_text("demo;612345678\ndemo;1\n")
    loaded = command("upload", str(base), "--json")
    out, err = loaded.communicate()
    assert loaded.returncode == 0, err
    assert '"base": "my_base"' in out
    assert (tmp_path / "my base.csv.rejects.csv").exists()

    base.write_text("number;not_before\n912345678;2090-01-01 12:00\n")
    command("upload", str(base), "--campaign", "demo").communicate()
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store:
        dates = [row[0] for row in store.execute("SELECT next_at FROM contacts WHERE next_at IS NOT NULL")]
    assert dates == [3_786_922_800_000]  # noon in the engine's zone

    base.write_text("nobody;612345678\n")
    refused = command("upload", str(base))
    assert "1 rows REJECTED (1 campaign)" in refused.communicate()[1]
    assert refused.returncode == 1


def test_the_command_keeps_nothing_when_terminated(
    tmp_path: Path, command: Callable[..., subprocess.Popen[str]]
) -> None:
    base = tmp_path / "base.csv"
    with base.open("w") as file:
        file.writelines(f"demo;6{n:08d};name=Person {n}\n" for n in range(200_000))
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store:
        uploading = command("upload", str(base))
        while not store.execute("SELECT EXISTS (SELECT 1 FROM contacts)").fetchone()[0]:
            time.sleep(0.05)
        uploading.send_signal(signal.SIGTERM)
        said = uploading.communicate()
        assert (uploading.returncode, "Nothing of the file was kept" in said[1]) == (130, True), said
        assert not store.execute("SELECT EXISTS (SELECT 1 FROM contacts)").fetchone()[0]
