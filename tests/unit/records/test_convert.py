"""GSM→MP3 through the worker pool, with real sound."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sounds import MakeGsm, listen, make_old

from astdialer.config import Records
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.ports import Converted, Recording, Recordings
from astdialer.records.convert import NotFinal
from astdialer.records.files import RecordingFiles
from astdialer.records.layout import InvalidName, OutsideRoot, part_of
from astdialer.records.pool import ConversionFailed

pytest_plugins = ("sound_fixtures",)

CALL = Recording(attempt_id="call", date="20170620")


async def convert_call(settings: Records) -> Converted | None:
    async with RecordingFiles(settings) as files:
        return await files.convert(CALL)


async def test_fits_the_port(settings: Records) -> None:
    recordings: Recordings = RecordingFiles(settings)
    assert recordings.gsm_path("call", "20170620") == Path(settings.directory) / "20170620/call.gsm"
    assert (Path(settings.directory) / "20170620").is_dir()


@pytest.mark.parametrize(("sound", "low", "high"), [("sine 440", 0.2, 0.5), ("silence", 0.0, 0.001)])
async def test_sound_survives(settings: Records, make_gsm: MakeGsm, sound: str, low: float, high: float) -> None:
    gsm = make_gsm(seconds=5, sound=sound)
    result = await convert_call(settings)
    assert result
    assert result.path == gsm.with_suffix(".mp3")
    heard = listen(result.path)
    assert heard.seconds == pytest.approx(5, rel=0.02)
    assert result.duration_s == pytest.approx(5, rel=0.02)
    assert low <= heard.loudness <= high


async def test_the_beginning_is_cut_off(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm(seconds=5)
    async with RecordingFiles(settings) as files:
        result = await files.convert(replace(CALL, trim_s=2))
        assert result
        assert result.duration_s == pytest.approx(3, abs=0.2)
        assert listen(result.path).seconds == pytest.approx(3, abs=0.2)
        assert not gsm.exists()
        make_gsm(seconds=5)  # left by a crash between the two
        assert await files.convert(replace(CALL, trim_s=2)) == result
    assert not gsm.exists()


@pytest.mark.parametrize("keep", [True, False])
async def test_of_a_recording_that_is_all_beginning_nothing_is_left(
    settings: Records, make_gsm: MakeGsm, keep: bool
) -> None:
    gsm = make_gsm(seconds=2)
    async with RecordingFiles(replace(settings, keep_gsm=keep)) as files:
        assert await files.convert(replace(CALL, trim_s=2)) is None
    assert (gsm.exists(), gsm.with_suffix(".mp3").exists()) == (keep, False)


async def test_gsm_goes_and_its_time_and_mode_stay(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm()
    gsm.chmod(0o640)
    before = gsm.stat()
    result = await convert_call(settings)
    assert result
    after = result.path.stat()
    assert (after.st_mtime_ns, stat.S_IMODE(after.st_mode)) == (before.st_mtime_ns, 0o640)
    assert sorted(path.name for path in gsm.parent.iterdir()) == ["call.mp3"]


async def test_keep_gsm(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm()
    assert await convert_call(replace(settings, keep_gsm=True))
    assert gsm.exists()


async def test_second_time_is_done_at_once(settings: Records, make_gsm: MakeGsm) -> None:
    make_gsm()
    first = await convert_call(settings)
    assert first == await convert_call(replace(settings, ffmpeg="/bin/false"))


async def test_gsm_left_beside_a_whole_mp3_goes(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm()
    await convert_call(replace(settings, keep_gsm=True))
    result = await convert_call(replace(settings, ffmpeg="/bin/false"))
    assert result
    assert not gsm.exists()


async def test_gsm_beside_a_shorter_mp3_stays(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm(seconds=3)
    await convert_call(replace(settings, keep_gsm=True))
    make_gsm(seconds=30)
    result = await convert_call(settings)
    assert result
    assert result.duration_s == pytest.approx(3, rel=0.02)
    assert gsm.exists()


async def test_nothing_recorded(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm()
    for size in (32, 0):
        os.truncate(gsm, size)
        make_old(gsm)
        assert await convert_call(settings) is None
    gsm.unlink()
    assert await convert_call(settings) is None
    gsm.parent.rmdir()
    assert await convert_call(settings) is None


async def test_broken_mp3(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm()
    gsm.with_suffix(".mp3").write_bytes(b"half")
    result = await convert_call(settings)
    assert result
    assert listen(result.path).seconds == pytest.approx(3, rel=0.02)
    result.path.write_bytes(b"half")
    with pytest.raises(ConversionFailed, match="GSM file is gone"):
        await convert_call(settings)


async def test_missing_disk_is_not_nothing_recorded(settings: Records) -> None:
    with pytest.raises(Unavailable, match="mounted"):
        await convert_call(settings)


async def test_growing_file_is_not_final(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm(old=False)
    async with RecordingFiles(settings) as files:
        conversion = asyncio.create_task(files.convert(CALL))
        await asyncio.sleep(0.2)
        with gsm.open("ab") as file:
            file.write(bytes(33))
        with pytest.raises(NotFinal):
            await conversion
    assert gsm.exists()


async def test_young_file_that_rests_is_final(settings: Records, make_gsm: MakeGsm) -> None:
    make_gsm(old=False)
    assert await convert_call(settings)


async def test_torn_last_frame(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm(seconds=3)
    os.truncate(gsm, 33 * 100 + 7)
    make_old(gsm, 30)
    with pytest.raises(NotFinal, match="33"):
        await convert_call(settings)
    make_old(gsm, 3600)  # what a crash of Asterisk leaves
    result = await convert_call(settings)
    assert result
    assert listen(result.path).seconds == pytest.approx(2, rel=0.02)


async def test_time_from_the_future_is_final_when_it_rests(settings: Records, make_gsm: MakeGsm) -> None:
    make_old(make_gsm(), -3600)
    assert await convert_call(settings)


@pytest.mark.parametrize("bitrate", ["8k", "16k", "32k", "128k"])
async def test_bit_rates(settings: Records, make_gsm: MakeGsm, bitrate: str) -> None:
    make_gsm(seconds=4)
    result = await convert_call(replace(settings, bitrate=bitrate))
    assert result
    assert listen(result.path).seconds == pytest.approx(4, rel=0.02)
    most = min(64, int(bitrate[:-1])) * 1000 / 8 * 4  # 64 is the most there is at 8 kHz
    assert result.path.stat().st_size == pytest.approx(most, rel=0.2)


async def test_names_from_outside(settings: Records, make_gsm: MakeGsm, tmp_path: Path) -> None:
    gsm = make_gsm()
    async with RecordingFiles(settings) as files:
        with pytest.raises(InvalidName):
            await files.convert(Recording(attempt_id="../20170620/call", date="20170620"))
        with pytest.raises(InvalidName):
            files.gsm_path("call", "../..")
        with pytest.raises(OutsideRoot):
            await files.convert_path(tmp_path / "elsewhere.gsm")
    assert gsm.exists()


@pytest.mark.parametrize(("name", "why"), [("missing", "No such file"), ("directory", "Permission denied")])
async def test_no_ffmpeg(settings: Records, make_gsm: MakeGsm, tmp_path: Path, name: str, why: str) -> None:
    gsm = make_gsm()
    (tmp_path / "directory").mkdir()
    with pytest.raises(ConversionFailed, match=rf"can't be run \({why}.*\[records\] ffmpeg"):
        await convert_call(replace(settings, ffmpeg=str(tmp_path / name)))
    assert [path.name for path in gsm.parent.iterdir()] == ["call.gsm"]


async def test_ffmpeg_fails(settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]) -> None:
    gsm = make_gsm()
    broken = fake_ffmpeg("echo 'No space left on device' >&2; exit 1")
    with pytest.raises(ConversionFailed, match="No space left"):
        await convert_call(replace(settings, ffmpeg=broken))
    assert [path.name for path in gsm.parent.iterdir()] == ["call.gsm"]
    assert await convert_call(settings)


async def test_half_a_file_is_not_believed(
    settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]
) -> None:
    """ffmpeg says that all is well, yet the MP3 holds half of it."""
    gsm = make_gsm(seconds=6)
    half = fake_ffmpeg('exec /usr/bin/env -u X ffmpeg "${@:1:$#-1}" -t 3 "${!#}"')
    with pytest.raises(ConversionFailed, match="came out of"):
        await convert_call(replace(settings, ffmpeg=half))
    assert [path.name for path in gsm.parent.iterdir()] == ["call.gsm"]


async def test_full_disk(settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]) -> None:
    """A file size limit stands for the disk. ffmpeg 5.1 ends with 0 then, and the tag holds the whole duration."""
    gsm = make_gsm(seconds=60)
    limited = fake_ffmpeg('trap "" XFSZ; ulimit -f 32; exec /usr/bin/env ffmpeg "$@"')
    with pytest.raises(ConversionFailed, match=r"breaks off|too large|Conversion failed"):
        await convert_call(replace(settings, ffmpeg=limited))
    assert [path.name for path in gsm.parent.iterdir()] == ["call.gsm"]


async def test_source_that_grows_meanwhile_stays(
    settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]
) -> None:
    gsm = make_gsm()
    growing = fake_ffmpeg(f'head -c 33 /dev/zero >> {gsm}; exec /usr/bin/env ffmpeg "$@"')
    with pytest.raises(ConversionFailed, match="written to meanwhile"):
        await convert_call(replace(settings, ffmpeg=growing))
    assert gsm.exists()


async def test_two_at_the_same_recording(settings: Records, make_gsm: MakeGsm) -> None:
    """The command and the engine, or two engines: one makes it, the other makes no harm."""
    make_gsm(seconds=30)
    async with RecordingFiles(settings) as one, RecordingFiles(settings) as other:
        results = await asyncio.gather(
            *(files.convert(CALL) for files in (one, other, one, other)), return_exceptions=True
        )
        assert any(isinstance(result, Converted) for result in results)
        assert all(isinstance(result, Converted | Unavailable) for result in results)
        last = await other.convert(CALL)
    assert last
    assert listen(last.path).seconds == pytest.approx(30, rel=0.02)


# --- trim ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gsm", ".mp3"])
@pytest.mark.parametrize(("left", "length", "expected"), [(2, None, 4), (0, 1.5, 1.5), (1, 2, 2), (4, 9, 2)])
async def test_trim(  # noqa: PLR0917
    settings: Records, make_gsm: MakeGsm, suffix: str, left: float, length: float | None, expected: float
) -> None:
    gsm = make_gsm(seconds=6)
    before = gsm.stat().st_mtime_ns
    async with RecordingFiles(settings) as files:
        if suffix == ".mp3":
            await files.convert(CALL)
        result = await files.trim("call", "20170620", left_s=left, length_s=length)
    assert result.path.suffix == suffix
    assert listen(result.path).seconds == pytest.approx(expected, rel=0.02)
    assert result.duration_s == pytest.approx(expected, rel=0.02)
    assert result.path.stat().st_mtime_ns == before
    assert not part_of(result.path).exists()


async def test_trim_cuts_the_beginning(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm("quiet", 3, "silence")
    gsm.with_name("call.gsm").write_bytes(gsm.read_bytes() + make_gsm("loud", 3).read_bytes())
    make_old(gsm.with_name("call.gsm"))
    async with RecordingFiles(settings) as files:
        result = await files.trim("call", left_s=3.1)
    assert listen(result.path).loudness > 0.3


async def test_trim_everything_or_nothing(settings: Records, make_gsm: MakeGsm) -> None:
    gsm = make_gsm(seconds=3)
    async with RecordingFiles(settings) as files:
        with pytest.raises(ConversionFailed, match=r"no sound from 3\.5 s"):
            await files.trim("call", left_s=3.5)
        with pytest.raises(NotFound):
            await files.trim("other", left_s=1)
    assert listen(gsm).seconds == pytest.approx(3, rel=0.02)
