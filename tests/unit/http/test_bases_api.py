"""Bases over the native API, and the files that fill them."""

import asyncio
import contextlib
import csv
import resource
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from contact_hands import added, fields, refused
from http_hands import Hands, hands

from astdialer import config
from astdialer.domain.access import Role
from astdialer.domain.errors import Unavailable
from astdialer.engine.uploads import REJECTS, UploadRunner
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.upload.spool import spool_loader

CSV = b"number,name\n07700900001,Ana\n07700900002,Ben\n"
ENGINE = config.Engine(default_country="GB", number_check="possible")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path, max_upload_mb=1) as opened:
        await opened.campaign("demo")
        yield opened


def spooled(api: Hands) -> list[Path]:
    spool = api.services.spool
    return sorted(spool.iterdir()) if spool.exists() else []


async def loaded(api: Hands) -> None:
    """Load whatever waits."""
    runner = UploadRunner(api.store, api.clock, spool_loader(api.store, api.clock, ENGINE), api.services.spool)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(30):
        while await api.store.open_jobs() or any(path.suffix != ".csv" for path in spooled(api)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def sent(
    api: Hands, path: str = "/v1/campaigns/demo/uploads?base=march", content: bytes = CSV, **more: Any
) -> Any:
    answer = await api.ask("POST", path, content=content, **more)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def shown(api: Hands, job: Any) -> Any:
    return (await api.ask("GET", f"/v1/uploads/{job['id']}")).json()


async def numbers(api: Hands, query: str = "") -> list[str]:
    return [row["number"] for row in (await api.ask("GET", f"/v1/contacts{query}")).json()["items"]]


# --- a file's way ----------------------------------------------------------------------------------------------------


async def test_a_file_is_taken_loaded_and_reported(api: Hands) -> None:
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=march&file_name=März.csv", content=CSV)
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/uploads/{job['id']}")
    known = {key: job[key] for key in ("campaign", "base", "file_name", "state", "bytes", "progress", "created_by")}
    assert known == {
        "campaign": "demo",
        "base": "march",
        "file_name": "März.csv",
        "state": "waiting",
        "bytes": len(CSV),
        "progress": 0.0,
        "created_by": "admin",
    }
    assert await shown(api, job) == job

    await loaded(api)
    done = await shown(api, job)
    assert (done["state"], done["progress"], done["rejects"], done["error"]) == ("done", 1.0, None, "")
    assert (done["report"]["added"], done["report"]["file"]) == (2, "März.csv")
    assert await numbers(api, "?base=march") == ["+447700900001", "+447700900002"]
    assert spooled(api) == []
    assert str(api.services.spool) not in str(done)


async def test_the_file_waits_where_nobody_else_may_read_it(api: Hands) -> None:
    await sent(api)
    (file,) = spooled(api)
    assert file.read_bytes() == CSV
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_rows_may_name_their_campaigns(api: Hands) -> None:
    await api.campaign("care")
    job = await sent(api, "/v1/uploads?base=march", b"demo;07700900001\ncare;07700900002\nnone;07700900003\n")
    assert job["campaign"] is None
    await loaded(api)
    report = (await shown(api, job))["report"]
    assert [(base["campaign"], base["added"]) for base in report["bases"]] == [("care", 1), ("demo", 1)]
    assert (report["rejected"], await numbers(api, "?campaign=care")) == (1, ["+447700900002"])


async def test_how_a_file_is_to_be_read_is_said_in_the_query(api: Hands) -> None:
    query = "base=march&map=number=Phone&map=kind=Art&timezone=America/Lima&country=ES&encoding=cp1252&delimiter=tab"
    content = "Phone\tArt\n612345678\tGröße\n".encode("cp1252")
    job = await sent(api, f"/v1/campaigns/demo/uploads?{query}", content)
    await loaded(api)
    done = await shown(api, job)
    assert (done["state"], done["report"]["added"]) == ("done", 1), done
    (row,) = (await api.ask("GET", "/v1/contacts")).json()["items"]
    assert (row["number"], row["params"]) == ("+34612345678", {"kind": "Größe"})
    (base,) = (await api.ask("GET", "/v1/campaigns/demo/bases")).json()["items"]
    assert base["timezone"] == "America/Lima"


async def test_a_dry_run_adds_nobody(api: Hands) -> None:
    job = await sent(api, "/v1/campaigns/demo/uploads?base=march&dry_run=true")
    assert job["dry_run"] is True
    await loaded(api)
    assert ((await shown(api, job))["report"]["added"], await numbers(api)) == (2, [])


async def test_rejected_rows_are_read_as_csv(api: Hands) -> None:
    job = await sent(api, content=CSV + b"12,Bad\n")
    assert (await api.ask("GET", f"/v1/uploads/{job['id']}/rejects")).status_code == 404
    await loaded(api)
    done = await shown(api, job)
    assert (done["report"]["added"], done["report"]["rejected"]) == (2, 1)
    answer = await api.ask("GET", done["rejects"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="march.rejects.csv"'
    rows = list(csv.reader(answer.text.splitlines()))
    assert [(row[0], row[1], row[3]) for row in rows] == [("line", "reason", "original"), ("4", "number", "12,Bad")]
    (file,) = spooled(api)
    assert file.name.endswith(REJECTS)
    file.unlink()
    assert (await api.ask("GET", done["rejects"])).status_code == 404


async def test_a_file_that_cannot_be_loaded_says_why(api: Hands) -> None:
    job = await sent(api, content=b"a,b\n1,2\n")
    await loaded(api)
    done = await shown(api, job)
    assert (done["state"], "neither a row" in done["error"]) == ("failed", True)
    assert spooled(api) == []


# --- multipart -------------------------------------------------------------------------------------------------------


async def test_a_form_with_one_file_is_taken(api: Hands) -> None:
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads", files={"file": ("C:\\x\\April list.csv", CSV)})
    job = answer.json()
    assert (answer.status_code, job["base"], job["file_name"], job["bytes"]) == (
        202,
        "April_list",
        "April list.csv",
        len(CSV),
    )
    (file,) = spooled(api)
    assert file.read_bytes() == CSV


async def test_a_form_that_comes_byte_by_byte_is_the_same(api: Hands) -> None:
    tricky = CSV + b"\r\n--boundar\r\n\r\n--\r\nboundary--"
    whole = (
        b'--boundary\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + tricky + b"\r\n--boundary--\r\n"
    )

    async def bytewise() -> AsyncIterator[bytes]:
        for at in range(len(whole)):
            yield whole[at : at + 1]

    headers = {"content-type": "multipart/form-data; boundary=boundary"}
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads", content=bytewise(), headers=headers)
    assert (answer.status_code, answer.json()["base"]) == (202, "a"), answer.text
    (file,) = spooled(api)
    assert file.read_bytes() == tricky


FORM = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nnumber\n1\r\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "without its end"),
        (FORM, "without its end"),
        (b"--x--\r\n", "without"),
        (FORM + FORM + b"--x--\r\n", "several files"),
        (b'--x\r\nContent-Disposition: form-data; name="base"\r\n\r\nb\r\n--x--\r\n', "'base' is no file"),
        (b"--x\r\n\r\nb\r\n--x--\r\n", "is no file"),
        (b"number\n1\n", "can't be read"),
        (b"--x\r\n" + b"A" * 10_000, "can't be read"),
    ],
)
async def test_a_form_that_is_none_is_refused_and_nothing_is_left(api: Hands, content: bytes, says: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=content, headers=headers)
    assert (answer.status_code, says in answer.json()["detail"]) == (400, True), answer.text
    assert spooled(api) == []
    assert await api.store.open_jobs() == []


@pytest.mark.parametrize("boundary", ["", "; boundary=" + "x" * 300])
async def test_a_form_needs_a_boundary(api: Hands, boundary: str) -> None:
    headers = {"content-type": f"multipart/form-data{boundary}"}
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=CSV, headers=headers)
    assert (answer.status_code, "multipart/form-data" in answer.json()["detail"]) == (400, True)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "base"),
        ("base=a/b", "base"),
        ("base=tasks", "base"),
        ("file_name=tasks.csv", "base"),
        ("base=b&timezone=Mars", "timezone"),
        ("base=b&country=E1", "country"),
        ("base=b&country=ESP", "query.country"),
        ("base=b&map=number", "map"),
        ("base=b&encoding=none", "encoding"),
        ("base=b&delimiter=%3A%3A", "delimiter"),
        ("base=b&dry_run=maybe", "query.dry_run"),
        ("base=b&file_name=a%0Ab", "query.file_name"),
    ],
)
async def test_what_a_file_cannot_be_read_by_is_refused_and_nothing_is_left(api: Hands, query: str, field: str) -> None:
    assert fields(await api.ask("POST", f"/v1/campaigns/demo/uploads?{query}", content=CSV)) == [field]
    assert spooled(api) == []
    assert await api.store.open_jobs() == []


async def test_an_empty_file_is_refused(api: Hands) -> None:
    assert fields(await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=b"")) == ["body"]
    assert spooled(api) == []


async def test_a_file_that_is_too_large_leaves_nothing(api: Hands) -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    for content in (large(), b"x" * 1_100_000):
        answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=content)
        assert answer.status_code == 413
        assert spooled(api) == []


async def test_a_full_disk_is_said_and_leaves_nothing(api: Hands) -> None:
    """The first half of the file still finds room."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, kept[1]))
    try:
        answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert (answer.status_code, "File too large" in answer.json()["detail"]) == (503, True)
    assert spooled(api) == []


async def test_a_store_that_cannot_take_the_job_leaves_no_file(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_job: Any) -> None:
        raise Unavailable("the store can't write: database or disk is full")

    monkeypatch.setattr(api.store, "add_job", full)
    answer = await api.ask("POST", "/v1/campaigns/demo/uploads?base=b", content=CSV)
    assert (answer.status_code, spooled(api)) == (503, [])


# --- connections that end ---------------------------------------------------------------------------------------------


Message = dict[str, Any]


async def asked(api: Hands, receive: Callable[[], Awaitable[Message]]) -> list[Message]:
    """What the application answers to a request whose body comes as ``receive`` says."""
    token = (await api.bearer())["authorization"].encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/campaigns/demo/uploads",
        "raw_path": b"/v1/campaigns/demo/uploads",
        "query_string": b"base=b",
        "headers": [(b"authorization", token), (b"content-type", b"text/csv")],
        "client": ("127.0.0.1", 1),
        "server": ("x", 80),
        "scheme": "http",
        "root_path": "",
        "state": {},
    }
    answers: list[Message] = []

    async def send(message: Any) -> None:
        answers.append(message)

    await make(api.services, dialects())(scope, receive, send)
    return answers


async def test_of_a_request_that_breaks_off_nothing_is_left(api: Hands) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": CSV, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        if len(messages) == 1:
            assert len(spooled(api)) == 1
        return messages.pop(0)

    answers = await asked(api, receive)
    assert answers[0]["status"] == 400
    assert spooled(api) == []
    assert await api.store.open_jobs() == []


async def test_a_sender_who_falls_silent_is_given_up(tmp_path: Path) -> None:
    begun = False

    async def receive() -> Message:
        nonlocal begun
        if begun:
            await asyncio.sleep(3600)
        begun = True
        return {"type": "http.request", "body": CSV, "more_body": True}

    async with hands(tmp_path, timeout_s=2.0) as api:
        await api.campaign("demo")
        answers = await asked(api, receive)
        assert answers[0]["status"] in (408, 503)  # the body's own limit, or that of requests
        assert spooled(api) == []


async def test_of_a_request_that_is_canceled_nothing_is_left(api: Hands) -> None:
    waits = asyncio.Event()

    async def receive() -> Message:
        if spooled(api) and waits.is_set():
            await asyncio.sleep(3600)
        waits.set()
        return {"type": "http.request", "body": CSV, "more_body": True}

    task = asyncio.create_task(asked(api, receive))
    await waits.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert spooled(api) == []


async def test_the_same_file_with_the_same_key_is_taken_once(api: Hands) -> None:
    key = {"idempotency-key": "k"}
    jobs = [await sent(api, headers=key) for _ in range(2)]
    assert jobs[0]["id"] == jobs[1]["id"]
    form = await api.ask("POST", "/v1/campaigns/demo/uploads?base=march", files={"f": ("a.csv", CSV)}, headers=key)
    assert form.json()["id"] == jobs[0]["id"], "the same file, wrapped otherwise"
    other = await api.ask(
        "POST", "/v1/campaigns/demo/uploads?base=march", content=CSV.replace(b"Ana", b"Eva"), headers=key
    )
    assert fields(other) == ["Idempotency-Key"]
    assert "digest" not in form.headers
    assert len(spooled(api)) == 1


# --- looking ----------------------------------------------------------------------------------------------------------


async def test_bases_are_shown_with_the_files_that_filled_them(api: Hands) -> None:
    await sent(api)
    await loaded(api)
    await added(api, "+447700900009", base="march", expires_at=1)
    await added(api, "+447700900009", base="other")
    bases = (await api.ask("GET", "/v1/campaigns/demo/bases")).json()["items"]
    assert [(base["base"], base["contacts"], base["done"]) for base in bases] == [("march", 3, 1), ("other", 1, 0)]
    assert [(one["file_name"], one["state"], one["contacts"]) for one in bases[0]["uploads"]] == [
        ("march", "published", 2),
        ("", "published", 1),
    ]
    assert (await api.ask("GET", "/v1/campaigns/x/bases")).status_code == 404


async def test_uploads_are_listed_the_newest_first_page_by_page(api: Hands) -> None:
    ids = []
    for n in range(5):
        api.clock.at += n % 2
        ids.append((await sent(api, f"/v1/campaigns/demo/uploads?base=b{n}"))["id"])
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = (await api.ask("GET", f"/v1/uploads?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [row["base"] for row in page["items"]]
        cursor = page["next"]
    assert sorted(seen[:2]) == ["b3", "b4"]
    assert sorted(seen[2:4]) == ["b1", "b2"]
    assert seen[4] == "b0"


async def test_another_tenants_bases_and_uploads_are_not_there(api: Hands) -> None:
    await api.campaign("theirs", tenant="b")
    job = await sent(api, "/v1/campaigns/theirs/uploads?base=march")
    await refused(api, "GET", "/v1/campaigns/theirs/bases", 404)
    await refused(api, "POST", "/v1/campaigns/theirs/uploads?base=b", 404, content=CSV)
    await refused(api, "GET", f"/v1/uploads/{job['id']}", 404)
    await refused(api, "GET", f"/v1/uploads/{job['id']}/rejects", 404)
    assert len(spooled(api)) == 1
    for tenant, count in (("a", 0), ("b", 1)):
        page: httpx.Response = await api.ask("GET", "/v1/uploads", tenant=tenant)
        assert len(page.json()["items"]) == count


async def test_a_tenants_file_reaches_its_own_campaigns_only(api: Hands) -> None:
    await api.campaign("ours", tenant="a")
    content = b"demo;07700900001\nours;07700900002\n"
    job = await sent(api, "/v1/uploads?base=march", content, role=Role.INTEGRATION, tenant="a")
    await loaded(api)
    report = (await shown(api, job))["report"]
    assert (report["added"], report["rejects"]) == (1, {"campaign": 1})
    assert await numbers(api) == ["+447700900002"]
    assert report["reject_examples"][0]["message"] == "no campaign 'demo'; there are: ours"


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_add_contacts_sends_no_file(api: Hands, role: Role) -> None:
    for path in ("/v1/campaigns/demo/uploads?base=b", "/v1/uploads?base=b"):
        assert (await api.ask("POST", path, content=CSV, role=role)).status_code == 403
    assert spooled(api) == []
