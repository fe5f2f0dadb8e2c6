"""Bases in base64: on disk and in the queue when 1 is answered, loaded after that."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_hands import Hands, hands
from ucontact_hands import FORM, RESOURCES, e164, phone, refused, result

from astdialer import config
from astdialer.domain.campaign import Campaign
from astdialer.engine.uploads import UploadRunner
from astdialer.ports import UploadJob
from astdialer.upload.spool import spool_loader

PATH, ZONED = "Dialers/uploadbase", "Dialers/uploadbasewithtimezone"
ROW = f"prueba1;{phone(1)};var1=val1:var2=val2;{phone(2)}:{phone(3)};9999;1001"
ENGINE = config.Engine(default_country="GB", number_check="possible", timezone="UTC")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("prueba1")
        yield opened


def base(text: str | bytes = ROW, **fields: Any) -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    known = {"filename": "base.csv", "campaign": "prueba1", "cant": "1", "username": "u"}
    return {"filename": "", **known, "fileb64": base64.b64encode(raw).decode(), **fields}


async def loaded(api: Hands) -> UploadJob:
    """The one job, once it is done."""
    (job,) = await api.store.jobs(None, 9)
    runner = UploadRunner(api.store, api.clock, spool_loader(api.store, api.clock, ENGINE))
    await runner._one(job)
    return await api.store.job(job.id)


def left(api: Hands) -> list[Path]:
    return list(api.services.spool.iterdir()) if api.services.spool.exists() else []


async def numbers(api: Hands, campaign: str = "prueba1") -> list[str]:
    return [row["number"] for row in await api.store.contacts({"campaign": campaign}, 100)]


async def test_a_base_is_durable_when_1_is_answered_and_loaded_after_that(api: Hands) -> None:
    assert await result(api, PATH, base()) == "1"
    (job,) = await api.store.jobs(None, 9)
    assert (job.base, job.file_name, job.bytes, job.created_by) == ("base", "base.csv", len(ROW), "u (integration)")
    assert Path(job.path).read_text() == ROW
    assert (Path(job.path).stat().st_mode & 0o077, job.state) == (0, "waiting")
    assert await numbers(api) == []

    ended = await loaded(api)
    assert (ended.state, ended.report["added"], ended.report["file"]) == ("done", 1, "base.csv")
    assert left(api) == []
    (row,) = await api.store.contacts({}, 9)
    contact = await api.store.contact(row["id"])
    assert [n["number"] for n in contact["numbers"]] == [e164(1), e164(2), e164(3)]
    assert (row["base"], row["priority"], row["agentphone"], row["params"]) == (
        "base",
        9999,
        "1001",
        {"var1": "val1", "var2": "val2"},
    )


async def test_rows_name_their_campaigns_as_ucontact_does_and_the_parameter_is_for_those_that_name_none(
    api: Hands,
) -> None:
    await api.campaign("otra")
    rows = f"prueba1<-;{phone(1)};;\notra->;{phone(2)};;\n;{phone(3)};;\ngone;{phone(4)};;\n"
    assert await result(api, PATH, base(rows, campaign="prueba1->", filename="C:\\x\\otra lista.txt")) == "1"
    ended = await loaded(api)
    assert (ended.base, ended.report["added"], ended.report["rejects"]) == ("otra_lista", 3, {"campaign": 1})
    assert (await numbers(api), await numbers(api, "otra")) == ([e164(1), e164(3)], [e164(2)])


async def test_a_list_may_be_in_a_zone_of_its_own(api: Hands) -> None:
    assert await result(api, ZONED, base(timezone="America/Montevideo")) == "1"
    await loaded(api)
    (row,) = await api.store.bases(None)
    assert row["timezone"] == "America/Montevideo"


@pytest.mark.parametrize("zone", ["", "<IANA zone>", "GMT-3 Montevideo", "../../etc/passwd"])
async def test_a_zone_that_is_none_is_refused(api: Hands, zone: str) -> None:
    status, text = await refused(api, ZONED, base(timezone=zone))
    assert (status, "an IANA name" in text) == (422, True)
    assert (left(api), await api.store.jobs(None, 9)) == ([], [])


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"campaign": "gone"}, 404, "no campaign 'gone'"),
        ({"fileb64": ""}, 422, "fileb64 = ''"),
        ({"fileb64": "not base64!"}, 400, "fileb64 is not base64"),
        ({"cant": "many"}, 422, "cant = 'many'"),
        ({"cant": "-1"}, 422, "cant = '-1'"),
        ({"filename": "a\r\nb"}, 422, "filename = "),
        ({"username": "x" * 501}, 422, "username = "),
    ],
)
async def test_what_is_wrong_leaves_nothing_behind(api: Hands, fields: dict[str, str], status: int, says: str) -> None:
    answered, text = await refused(api, PATH, base(**fields))
    assert (answered, says in text) == (status, True), text
    assert (left(api), await api.store.jobs(None, 9)) == ([], [])


async def test_a_tenants_base_goes_to_its_campaigns_alone(api: Hands) -> None:
    await api.campaign("theirs", tenant="a")
    rows = f"theirs;{phone(1)};;\nprueba1;{phone(2)};;\n"
    assert await result(api, PATH, base(rows, campaign=""), tenant="a") == "1"
    assert (await loaded(api)).report["rejects"] == {"campaign": 1}
    assert (await numbers(api), await numbers(api, "theirs")) == ([], [e164(1)])
    assert (await refused(api, PATH, base(), tenant="a"))[0] == 404


async def _sent(api: Hands, content: Any, content_type: str) -> httpx.Response:
    headers = {"authorization": f"Basic {await api.token()}", "content-type": content_type}
    return await api.client.post(f"{RESOURCES}/{PATH}", content=content, headers=headers)


async def test_a_large_base_comes_in_pieces_past_the_limit_of_other_bodies(tmp_path: Path) -> None:
    async with hands(tmp_path, max_body_kb=1) as api:
        await api.campaign("prueba1")
        rows = "".join(f"prueba1;07700900{n:03};name=N{n};\n" for n in range(200))
        encoded = base64.b64encode(rows.encode())

        async def body() -> AsyncIterator[bytes]:
            yield b"filename=big.csv&campaign=prueba1&fileb64="
            for at in range(0, len(encoded), 701):
                yield encoded[at : at + 701].replace(b"+", b"%2B").replace(b"=", b"%3D")
                await asyncio.sleep(0)

        assert (await _sent(api, body(), FORM)).text == "1"
        assert (await loaded(api)).report["added"] == 200
        text = json.dumps(base(rows))
        assert (await _sent(api, text.encode(), "application/json")).status_code == 413


async def test_who_falls_silent_is_given_up(tmp_path: Path) -> None:
    async with hands(tmp_path, timeout_s=0.05) as api:
        await api.campaign("prueba1")

        async def body() -> AsyncIterator[bytes]:
            yield b"filename=big.csv&campaign=prueba1&fileb64=QUJD"
            await asyncio.sleep(30)

        answer = await _sent(api, body(), FORM)
        assert answer.status_code in (408, 503), "by us, or by the guard of all requests"
        assert (left(api), await api.store.jobs(None, 9)) == ([], [])


async def test_a_connection_that_is_cut_leaves_nothing_behind(api: Hands) -> None:
    secret = await api.token()

    async def receive() -> dict[str, object]:
        messages.append({"type": "http.disconnect"})
        return messages.pop(0)

    messages: list[dict[str, object]] = [{"type": "http.request", "body": b"fileb64=QUJD", "more_body": True}]
    sent: list[dict[str, object]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Basic {secret}".encode()), (b"content-type", FORM.encode())]
    path = f"{RESOURCES}/{PATH}"
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "scheme": "http"}
    app: Any = api.client._transport.app  # type: ignore[attr-defined]
    await app(scope | {"raw_path": path.encode(), "client": ("127.0.0.1", 1), "server": ("x", 1)}, receive, send)
    assert (sent[0]["status"], left(api), await api.store.jobs(None, 9)) == (400, [], [])


async def test_json_will_do_for_small_ones(api: Hands) -> None:
    assert (await _sent(api, json.dumps(base()).encode(), "application/json")).text == "1"
    assert (await loaded(api)).report["added"] == 1
    for body, status in ((json.dumps({"fileb64": 7}), 400), ("{", 400), ("[]", 422)):
        assert (await _sent(api, body.encode(), "application/json")).status_code == status
    assert (await _sent(api, b"x", "multipart/form-data")).status_code == 415
    assert left(api) == []


async def test_a_full_disk_is_told(api: Hands) -> None:
    api.services.spool.parent.joinpath("spool").write_text("a file in its place")
    status, text = await refused(api, PATH, base())
    assert (status, "spool" in text) == (503, True)


async def test_the_same_name_again_is_the_same_base(api: Hands) -> None:
    demo: Campaign = await api.store.campaign("prueba1")
    await api.store.add_to_base(demo.id, "base", [], api.clock.now())
    assert await result(api, PATH, base(f"prueba1;{phone(1)};;\nprueba1;{phone(1)};;\n")) == "1"
    ended = await loaded(api)
    assert (ended.report["added"], ended.report["duplicates"]) == (1, 1)
