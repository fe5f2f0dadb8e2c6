"""Recordings at uContact's addresses, and convert."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from http_hands import Hands, hands
from ucontact_hands import RESOURCES, claim, load, post, refused, result, talk

from astdialer.domain.access import Role
from astdialer.lab import sounds
from astdialer.records.duration import duration_s

GUID, FOLDER = "7e4e7db9-f080-494e-b04b-7c8e47711558", "20160118"
MP3 = b"ID3" + bytes(997)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo")
        yield opened


def _place(api: Hands, *parts: str, content: bytes = MP3) -> Path:
    path = Path(str(api.services.library.root)).joinpath(*parts)  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def get(api: Hands, path: str, *, role: Role = Role.INTEGRATION, tenant: str = "", **more: str) -> httpx.Response:
    headers = {"authorization": f"Basic {await api.token(role, tenant)}"} | more
    return await api.client.get(f"/records/{path}", headers=headers)


async def test_a_recording_is_at_its_place_and_at_no_other(api: Hands) -> None:
    _place(api, f"{GUID}.mp3")
    _place(api, FOLDER, "1497946560.123.gsm", content=b"g" * 33)
    answer = await get(api, f"{GUID}.mp3")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "audio/mpeg", MP3)
    gsm = await get(api, f"{FOLDER}/1497946560.123.gsm")
    assert (gsm.status_code, gsm.headers["content-type"], gsm.content) == (200, "audio/gsm", b"g" * 33)
    for other in (f"{FOLDER}/{GUID}.mp3", f"{GUID}.gsm", "1497946560.123.gsm", "20160119/1497946560.123.gsm"):
        assert (await get(api, other)).status_code == 404, other


async def test_a_call_of_ours_is_found_without_its_folder_too(api: Hands) -> None:
    guid = await talk(api, await api.store.campaign("demo"), 1)
    _place(api, "20251009", f"{guid}.mp3")
    for path in (f"{guid}.mp3", f"20251009/{guid}.mp3"):
        assert (await get(api, path)).content == MP3


async def test_a_range_of_it(api: Hands) -> None:
    _place(api, FOLDER, f"{GUID}.mp3")
    answer = await get(api, f"{FOLDER}/{GUID}.mp3", range="bytes=0-2")
    assert (answer.status_code, answer.content) == (206, b"ID3")
    assert answer.headers["content-range"] == "bytes 0-2/1000"


async def test_a_head(api: Hands) -> None:
    _place(api, f"{GUID}.mp3")
    headers = {"authorization": f"Basic {await api.token()}"}
    answer = await api.client.head(f"/records/{GUID}.mp3", headers=headers)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "1000", b"")


async def test_a_browser_is_asked_for_name_and_password_and_may_send_a_token_for_it(api: Hands) -> None:
    _place(api, f"{GUID}.mp3")
    answer = await api.client.get(f"/records/{GUID}.mp3")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="astdialer"')
    token = base64.b64encode(f"ana:{await api.token(Role.SUPERVISOR)}".encode()).decode()
    answer = await api.client.get(f"/records/{GUID}.mp3", headers={"authorization": f"Basic {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("..%2f..%2fetc%2fpasswd.mp3", 404),
        ("..%2fs.db", 404),
        (f"%2e%2e/{GUID}.mp3", 400),
        (f"20160199/{GUID}.mp3", 400),
        (f"x/{GUID}.mp3", 400),
        (f"{GUID}.wav", 404),
        (f"{GUID}", 404),
        (".mp3", 404),
        ("a..b.mp3", 400),
        ("a%00b.mp3", 400),
        ("x" * 65 + ".mp3", 400),
    ],
)
async def test_no_path_leads_out(api: Hands, path: str, status: int) -> None:
    _place(api, "..", "passwd.mp3")
    answer = await get(api, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_tenant_hears_its_own_calls_alone(api: Hands) -> None:
    theirs = await api.campaign("theirs", tenant="a")
    own, other = await talk(api, theirs, 1), await talk(api, await api.store.campaign("demo"), 2)
    for name in (own, other, GUID):
        _place(api, "20251009", f"{name}.mp3")
        _place(api, "20251009", f"{name}.gsm")
    heard = [
        (await get(api, f"20251009/{name}{suffix}", tenant="a")).status_code
        for name in (own, other, GUID)
        for suffix in (".mp3", ".gsm")
    ]
    assert heard == [200, 200, 404, 404, 404, 404]
    assert (await refused(api, "Supervisor/convert", {"guid": other, "folder": "20251009"}, tenant="a"))[0] == 404
    assert await result(api, "Supervisor/convert", {"guid": own, "folder": "20251009"}, tenant="a") == "1"


# --- convert ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ffmpeg() -> None:
    assert shutil.which("ffmpeg"), "the tests need ffmpeg"


@pytest.mark.parametrize("name", ["folder", "pasta"])
async def test_a_gsm_becomes_an_mp3(api: Hands, ffmpeg: None, name: str) -> None:
    sound = sounds() / "announcement.gsm"
    gsm = _place(api, FOLDER, f"{GUID}.gsm", content=sound.read_bytes())
    async with api.services.library.pool:  # type: ignore[attr-defined]
        assert await result(api, "Supervisor/convert", {"guid": GUID, name: FOLDER}) == "1"
    assert not gsm.exists()
    heard = await get(api, f"{FOLDER}/{GUID}.mp3")
    assert (heard.status_code, heard.headers["content-type"]) == (200, "audio/mpeg")
    assert await result(api, "Supervisor/convert", {"guid": GUID, name: FOLDER}) == "1", "it is there already"


async def test_what_the_campaign_trims_is_trimmed_here_too(api: Hands, ffmpeg: None) -> None:
    sound = (sounds() / "announcement.gsm").read_bytes()
    lengths = []
    for n, seconds in ((1, "0"), (2, "1"), (3, "600")):
        guid = await talk(api, await api.campaign(f"trims{n}", record_trim_s=seconds), n)
        gsm = _place(api, FOLDER, f"{guid}.gsm", content=sound)
        async with api.services.library.pool:  # type: ignore[attr-defined]
            answer = await post(api, "Supervisor/convert", {"guid": guid, "folder": FOLDER})
        assert not gsm.exists()
        lengths.append(duration_s(gsm.with_suffix(".mp3")) if answer.status_code == 200 else answer.status_code)
    whole, trimmed, nothing_left = lengths
    assert trimmed == pytest.approx(whole - 1, abs=0.1)
    assert nothing_left == 404


async def test_there_is_nothing_to_convert(api: Hands) -> None:
    assert (await refused(api, "Supervisor/convert", {"guid": GUID, "folder": FOLDER}))[0] == 404
    assert (await refused(api, "Supervisor/convert", {"guid": "", "folder": FOLDER}))[0] == 422
    assert (await refused(api, "Supervisor/convert", {"guid": "../x", "folder": FOLDER}))[0] == 400
    assert (await refused(api, "Supervisor/convert", {"guid": GUID, "folder": "../.."}))[0] == 400
    _place(api, f"{GUID}.gsm", content=b"")
    async with api.services.library.pool:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        status, text = await refused(api, "Supervisor/convert", {"guid": GUID, "folder": ""})
    assert status in (404, 503), text


async def test_a_call_that_goes_on_is_not_converted(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    await load(api, demo, 1)
    guid = (await claim(api, demo)).attempt.id
    gsm = _place(api, "20251009", f"{guid}.gsm", content=b"g" * 33)
    status, text = await refused(api, "Supervisor/convert", {"guid": guid, "folder": "20251009"})
    assert (status, "goes on" in text) == (409, True)
    assert gsm.exists()
    assert RESOURCES.startswith("/Integra")
