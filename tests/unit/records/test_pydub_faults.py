"""The faults of pydub 0.25.1 that still reproduce, each with the guard that keeps it away from the engine.

When one of the first assertions of a test fails, pydub was mended: its guard may go.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sounds import MakeGsm, listen

from astdialer.config import Records
from astdialer.ports import Recording
from astdialer.records.files import RecordingFiles
from astdialer.records.pool import ConversionFailed

pytest_plugins = ("sound_fixtures",)

CALL = Recording(attempt_id="call", date="20170620")
PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def python(code: str, *flags: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", code]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


def test_import_needs_audioop() -> None:
    """Python 3.13 has no audioop, and pydub's fallback pyaudioop exists nowhere: audioop-lts is required there."""
    done = python("import sys; sys.modules['audioop'] = None; import pydub")
    assert "No module named 'pyaudioop'" in done.stderr
    requirements = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    assert any(line.startswith("audioop-lts") and "python_version >= '3.13'" in line for line in requirements)


def test_failed_import_is_an_error_with_a_remedy() -> None:
    done = python(
        "import sys; sys.modules['audioop'] = None\n"
        "from astdialer.records.transcode import _pydub, TranscodeFailed\n"
        "try: _pydub()\n"
        "except TranscodeFailed as error: print(error)"
    )
    assert "audioop-lts" in done.stdout


def test_import_warns(tmp_path: Path) -> None:
    """Invalid escapes: DeprecationWarning up to 3.11, SyntaxWarning from 3.12; a user is to see neither."""
    assert "Warning" in python("import pydub", "-B", "-W", "always", env={"PYTHONPYCACHEPREFIX": str(tmp_path)}).stderr
    guarded = python("from astdialer.records.transcode import _pydub; _pydub()", "-W", "default")
    assert guarded.stderr == ""


def test_adapter_does_not_load_pydub_into_the_engine() -> None:
    done = python("import sys, astdialer.records.files; print('pydub' in sys.modules)")
    assert done.stdout.strip() == "False"


def test_export_leaves_temporary_files(tmp_path: Path) -> None:
    """A failing encoder leaves two; the adapter never calls export."""
    code = (
        "from pydub import AudioSegment\n"
        "AudioSegment.converter = '/bin/false'\n"
        "AudioSegment.silent(100).export('/dev/null', format='mp3')"
    )
    done = python(code, "-W", "ignore", env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert "CouldntEncodeError" in done.stderr
    assert len(list(tmp_path.iterdir())) == 2


async def test_adapter_leaves_no_temporary_files(
    settings: Records, make_gsm: MakeGsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gsm()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    async with RecordingFiles(replace(settings, ffmpeg="/bin/false")) as files:
        with pytest.raises(ConversionFailed):
            await files.convert(CALL)
    async with RecordingFiles(settings) as files:
        assert await files.convert(CALL)
    assert list(temporary.iterdir()) == []


def test_no_timeout(make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]) -> None:
    """from_file waits as long as ffmpeg does; the guard is test_pool's hang test."""
    code = (
        "import sys; from pydub import AudioSegment\n"
        "AudioSegment.converter = sys.argv[1]\n"
        "AudioSegment.from_file(sys.argv[2], format='gsm', codec='gsm')"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, fake_ffmpeg("exec sleep 3"), str(make_gsm())]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=2)


def test_ffmpeg_reads_our_stdin(make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]) -> None:
    """What stands in our stdin is eaten by the program that pydub starts."""
    code = (
        "import os, sys; from pydub import AudioSegment\n"
        "AudioSegment.converter = sys.argv[1]\n"
        "try: AudioSegment.from_file(sys.argv[2], format='gsm', codec='gsm')\n"
        "except Exception: print('rest', os.read(0, 100))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, fake_ffmpeg("cat > /dev/null; exit 1"), str(make_gsm())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input="the next job\n", timeout=30)
    assert "rest b''" in done.stdout


async def test_jobs_are_not_eaten(settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str]) -> None:
    """With an ffmpeg that empties its stdin first, several jobs in a row get through one worker."""
    greedy = fake_ffmpeg('cat > /dev/null; exec /usr/bin/env ffmpeg "$@"')
    async with RecordingFiles(replace(settings, ffmpeg=greedy, workers=1, timeout_s=20)) as files:
        for guid in ("a", "b", "c"):
            make_gsm(guid, 1)
            assert await files.convert(Recording(attempt_id=guid, date="20170620"))


@pytest.mark.parametrize("codec", [None, "gsm"])
def test_ffprobe_is_run_unless_the_codec_is_named(make_gsm: MakeGsm, tmp_path: Path, codec: str | None) -> None:
    (tmp_path / "ffprobe").write_text(f'#!/bin/sh\ntouch {tmp_path}/probed\nexec /usr/bin/ffprobe "$@"\n')
    (tmp_path / "ffprobe").chmod(0o755)
    code = (
        "import sys; from pydub import AudioSegment\n"
        f"AudioSegment.from_file(sys.argv[1], format='gsm', codec={codec!r})"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(make_gsm())]
    subprocess.run(command, check=False, timeout=30, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True)
    assert (tmp_path / "probed").exists() is (codec is None)


async def test_converter_runs_ffmpeg_once_and_no_ffprobe(
    settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str], tmp_path: Path
) -> None:
    make_gsm()
    once = fake_ffmpeg(f'echo run >> {tmp_path}/runs; exec /usr/bin/env ffmpeg "$@"')
    async with RecordingFiles(replace(settings, ffmpeg=once)) as files:
        assert await files.convert(CALL)
    assert (tmp_path / "runs").read_text() == "run\n"


def test_all_that_is_decoded_is_held_in_memory(make_gsm: MakeGsm) -> None:
    code = (
        "import sys; from pydub import AudioSegment\n"
        "for length in (None, 1):\n"
        "    sound = AudioSegment.from_file(sys.argv[1], format='gsm', codec='gsm', duration=length)\n"
        "    print(len(sound.raw_data))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(make_gsm(seconds=120))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == [str(120 * 16000), "16000"]


async def test_converter_lets_pydub_decode_one_second(
    settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str], tmp_path: Path
) -> None:
    """However long the file: that second is what goes through pydub, and the whole file goes straight to disk."""
    make_gsm(seconds=120)
    counting = fake_ffmpeg(f'/usr/bin/env ffmpeg "$@" | tee >(wc -c > {tmp_path}/piped)')
    async with RecordingFiles(replace(settings, ffmpeg=counting)) as files:
        result = await files.convert(CALL)
    assert result
    assert listen(result.path).seconds == pytest.approx(120, rel=0.02)
    assert 16_000 <= int((tmp_path / "piped").read_text()) < 17_000
