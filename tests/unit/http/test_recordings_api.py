"""/v1/recordings."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from call_hands import DATE, called, claimed
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.ports import Converted

MP3, GSM = b"ID3" + bytes(500), bytes(330)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


def kept(api: Hands, guid: str, suffix: str = ".mp3", folder: str = DATE, content: bytes = MP3) -> Path:
    """A file of the records directory."""
    path: Path = api.services.library.root / folder / (guid + suffix)  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def recorded(api: Hands, n: int = 1, *, tenant: str = "", name: str = "demo") -> str:
    known = [one for one in await api.store.campaigns() if one.name == name]
    campaign = known[0] if known else await api.campaign(name, tenant=tenant)
    guid = await called(api, campaign, n, record=True, talk_s=3)
    await api.clock.sleep(1)
    return guid


async def test_recordings_are_listed_the_newest_first(api: Hands) -> None:
    first, second = await recorded(api, 1), await recorded(api, 2, name="other")
    await api.store.recording_done(first, Converted(path=Path("/r/x.mp3"), duration_s=3.2), NOW)

    async def listed(query: str = "") -> list[str]:
        return [row["guid"] for row in (await api.ask("GET", f"/v1/recordings{query}")).json()["items"]]

    assert await listed() == [second, first]
    assert await listed("?campaign=demo") == [first]
    assert await listed(f"?date={DATE}") == [second, first]
    assert await listed("?date=20251008") == []
    page = (await api.ask("GET", "/v1/recordings?limit=1")).json()
    assert await listed(f"?limit=1&cursor={page['next']}") == [first]
    row = (await api.ask("GET", "/v1/recordings?campaign=demo")).json()["items"][0]
    assert (row["state"], row["duration_s"], row["date"], row["talk_s"]) == ("done", 3.2, DATE, 3.0)
    assert "path" not in row


@pytest.mark.parametrize(
    ("query", "field"), [("date=2025", "query.date"), ("date=20251399", "query.date"), ("limit=x", "query.limit")]
)
async def test_a_bad_filter_is_named(api: Hands, query: str, field: str) -> None:
    answer = await api.ask("GET", f"/v1/recordings?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_recording_is_shown_and_heard(api: Hands) -> None:
    guid = await recorded(api)
    assert (await api.ask("GET", f"/v1/recordings/{guid}")).status_code == 404
    kept(api, guid)
    kept(api, guid, ".gsm", content=GSM)
    shown = (await api.ask("GET", f"/v1/recordings/{guid}")).json()
    assert (shown["format"], shown["bytes"], shown["date"], shown["campaign"], shown["state"]) == (
        "mp3",
        len(MP3),
        DATE,
        "demo",
        "pending",
    )

    path = f"/v1/recordings/{guid}/audio"
    heard = await api.ask("GET", path)
    assert (heard.content, heard.headers["content-type"]) == (MP3, "audio/mpeg")
    assert heard.headers["content-disposition"] == f'inline; filename="{guid}.mp3"'
    part = await api.ask("GET", path, headers={"range": "bytes=0-2"})
    assert (part.status_code, part.content) == (206, b"ID3")
    assert (await api.ask("GET", path, headers={"range": "bytes=9999-"})).status_code == 416
    head = await api.ask("HEAD", path)
    assert (head.content, head.headers["etag"]) == (b"", heard.headers["etag"])
    assert (await api.ask("GET", path, headers={"if-none-match": heard.headers["etag"]})).status_code == 304
    raw = await api.ask("GET", f"{path}?format=gsm")
    assert (raw.content, raw.headers["content-type"]) == (GSM, "audio/gsm")
    assert (await api.ask("GET", f"{path}?format=wav")).status_code == 422


async def test_what_is_not_converted_yet_is_gsm(api: Hands) -> None:
    guid = await recorded(api)
    kept(api, guid, ".gsm", content=GSM)
    assert (await api.ask("GET", f"/v1/recordings/{guid}/audio")).content == GSM
    answer = await api.ask("GET", f"/v1/recordings/{guid}/audio?format=mp3")
    assert (answer.status_code, answer.json()["detail"]) == (404, f"no recording '{guid}': there is no .mp3 of it")


async def test_a_call_that_is_live_may_be_listened_to(api: Hands) -> None:
    (claim,) = await claimed(api, await api.campaign(), 1)
    kept(api, claim.attempt.id, ".gsm", content=GSM)
    assert (await api.ask("GET", f"/v1/recordings/{claim.attempt.id}/audio")).content == GSM


async def test_files_of_other_dialers_are_there_for_tokens_without_a_tenant(api: Hands) -> None:
    kept(api, "1497946560.123", folder="20170620")
    kept(api, "flat", folder="")
    for guid, date in (("1497946560.123", "20170620"), ("flat", None)):
        shown = (await api.ask("GET", f"/v1/recordings/{guid}")).json()
        assert (shown["campaign"], shown["date"], shown["state"]) == (None, date, None)
        assert (await api.ask("GET", f"/v1/recordings/{guid}/audio")).content == MP3
        for path in (f"/v1/recordings/{guid}", f"/v1/recordings/{guid}/audio"):
            assert (await api.ask("GET", path, tenant="a")).status_code == 404


async def test_another_tenants_recording_is_not_there(api: Hands) -> None:
    own, other = await recorded(api, 1, tenant="a", name="mine"), await recorded(api, 2, tenant="b", name="theirs")
    kept(api, own)
    kept(api, other)
    listed = (await api.ask("GET", "/v1/recordings", tenant="a")).json()["items"]
    assert [row["guid"] for row in listed] == [own]
    assert (await api.ask("GET", f"/v1/recordings/{own}/audio", tenant="a")).content == MP3
    for method, path in (
        ("GET", f"/v1/recordings/{other}"),
        ("GET", f"/v1/recordings/{other}/audio"),
        ("HEAD", f"/v1/recordings/{other}/audio"),
        ("GET", "/v1/recordings?campaign=theirs"),
    ):
        assert (await api.ask(method, path, tenant="a")).status_code == 404, path
    told = [(await api.ask("GET", f"/v1/recordings/{guid}", tenant="a")).json() for guid in (other, "unknown")]
    assert told[0]["detail"].replace(other, "unknown") == told[1]["detail"]


@pytest.mark.parametrize(
    "guid", ["..%2F..%2Fs.db", "%2Fetc%2Fpasswd", "a%2Fb", "..", ".hidden", "a%00b", "a%0d%0ab", "é", "a" * 65]
)
async def test_a_guid_leads_nowhere_else(api: Hands, guid: str) -> None:
    kept(api, "secret", folder="..")
    for path in (f"/v1/recordings/{guid}", f"/v1/recordings/{guid}/audio", f"/v1/recordings/{guid}/audio?format=mp3"):
        assert (await api.ask("GET", path)).status_code in (404, 422), path


async def test_a_link_out_of_the_directory_is_not_followed(api: Hands, tmp_path: Path) -> None:
    (tmp_path / "outside.mp3").write_bytes(b"secret")
    (kept(api, "other").parent / "link.mp3").symlink_to(tmp_path / "outside.mp3")
    answer = await api.ask("GET", "/v1/recordings/link/audio")
    assert (answer.status_code, b"secret" in answer.content) == (400, False)


# --- what only an administrator does ---------------------------------------------------------------------------------


def spoken(api: Hands, guid: str, seconds: float = 3.0) -> Path:
    if not (shutil.which("sox") and shutil.which("ffmpeg")):
        pytest.skip("needs sox and ffmpeg")
    path = kept(api, guid, ".gsm")
    words = ["sox", "-D", "-n", "-r", "8000", "-c", "1", str(path), "synth", str(seconds), "sine", "440"]
    subprocess.run(words, check=True, timeout=60)
    return path


async def test_a_recording_is_converted_and_cut(api: Hands) -> None:
    guid = await recorded(api)
    spoken(api, guid)
    done = (await api.ask("POST", f"/v1/recordings/{guid}/convert")).json()
    assert (done["result"], done["duration_s"]) == ("converted", pytest.approx(3, abs=0.2))
    shown = (await api.ask("GET", f"/v1/recordings/{guid}")).json()
    assert (shown["format"], shown["state"], shown["duration_s"]) == ("mp3", "done", pytest.approx(3, abs=0.2))

    cut = (await api.ask("POST", f"/v1/recordings/{guid}/trim", json={"left_s": 1, "length_s": 1})).json()
    assert cut["duration_s"] == pytest.approx(1, abs=0.2)
    smaller = (await api.ask("GET", f"/v1/recordings/{guid}")).json()["bytes"]
    assert smaller < shown["bytes"]


async def test_what_can_not_be_cut_or_converted(api: Hands) -> None:
    guid = await recorded(api)
    kept(api, guid)
    for body, field in (({}, "left_s"), ({"left_s": -1}, "left_s"), ({"length_s": 0}, "length_s"), ({"x": 1}, "x")):
        answer = await api.ask("POST", f"/v1/recordings/{guid}/trim", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert (await api.ask("POST", "/v1/recordings/none/trim", json={"left_s": 1})).status_code == 404
    assert (await api.ask("POST", "/v1/recordings/none/convert")).status_code == 404


async def test_old_recordings_are_removed(api: Hands) -> None:
    old, new = kept(api, "a", folder="20250101"), kept(api, "b", folder="20251008")
    rules = {"days": 30, "dry_run": True}
    would = (await api.ask("POST", "/v1/recordings/prune", json=rules)).json()
    assert (would, old.exists()) == ({"removed": 1, "dry_run": True, "files": ["20250101/a.mp3"]}, True)
    done = (await api.ask("POST", "/v1/recordings/prune", json={"days": 30})).json()
    assert (done["removed"], old.exists(), new.exists()) == (1, False, True)
    assert (await api.ask("POST", "/v1/recordings/prune", json={})).json()["errors"][0]["field"] == "days"


async def test_who_may_not(api: Hands) -> None:
    guid = await recorded(api)
    kept(api, guid)
    assert (await api.ask("GET", f"/v1/recordings/{guid}", role=Role.READ_ONLY)).status_code == 200
    assert (await api.ask("GET", f"/v1/recordings/{guid}/audio", role=Role.READ_ONLY)).status_code == 403
    assert (await api.ask("GET", f"/v1/recordings/{guid}/audio", role=Role.SUPERVISOR)).status_code == 200
    assert (await api.client.get(f"/v1/recordings/{guid}/audio")).status_code == 401
    for path in (f"/v1/recordings/{guid}/convert", f"/v1/recordings/{guid}/trim", "/v1/recordings/prune"):
        assert (await api.ask("POST", path, role=Role.INTEGRATION, json={})).status_code == 403
        assert (await api.ask("POST", path, role=Role.ADMIN, tenant="a", json={})).status_code == 403
