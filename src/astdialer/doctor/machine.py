"""This machine: configuration and secrets, the store, the records folder, ffmpeg, and whether the engine runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from astdialer import config as configuration
from astdialer.doctor.findings import Finding, fault, ok, or_ok, warning
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import InvalidSetting
from astdialer.engine.explain import is_stale

ENOUGH_BYTES = 1_000_000_000
FFMPEG_S = 15.0
STORE_S = 5.0  #: longest wait for another writer

#: A second of silence: 50 frames of GSM 06.10.
_SILENCE = bytes.fromhex("d820a2e15a50004924924924500049249249245000492492492450004924924924") * 50


def settings(config: configuration.Config, file: Path) -> Sequence[Finding]:
    """The configuration, beyond what reading it checks."""
    return or_ok("configuration", str(file), _setting_troubles(config, file))


def _setting_troubles(config: configuration.Config, file: Path) -> Iterator[Finding]:
    check = "configuration"
    if not file.is_file():
        yield warning(check, f"no {file}: defaults, and what the environment says", f"Write {file}: see the tutorial.")
    try:
        zone_of(config.engine.zone)
    except InvalidSetting as error:
        yield fault(check, f"[engine] {error}", 'timezone = "Europe/Madrid", or any other IANA zone')
    if not config.store.url:
        remedy = 'Name it, so that the service and every user\'s command share it: [store] url = "sqlite:///var/lib/…"'
        yield warning(check, f"the store's place depends on who runs astdialer; now {config.store.path}", remedy)


def secrets(config: configuration.Config, file: Path) -> Sequence[Finding]:
    """Whether there is a secret for every server, and nobody else can read it."""
    return or_ok("secrets", "only we can read them", _secret_troubles(config, file))


def _secret_troubles(config: configuration.Config, file: Path) -> Iterator[Finding]:
    for name, ami in config.asterisks.items():
        place = Path(ami.secret_file) if ami.secret_file else file
        if not ami.secret.reveal():
            remedy = "Name a file that holds it: secret_file in [ami], with what manager_astdialer.conf has."
            yield fault("secrets", f"no secret for server {name}", remedy)
        elif _others_may_read(place):
            remedy = f"chown astdialer {place}; chmod 600 {place}"
            yield warning("secrets", f"{place}: every user of this machine can read it", remedy)


def _others_may_read(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(path.stat().st_mode & stat.S_IROTH)
    return False


# --- disks -----------------------------------------------------------------------------------------------------------


def records(root: Path) -> Sequence[Finding]:
    """Whether recordings can be kept: the folder, our right to write, and space."""
    if not root.is_dir():
        remedy = f"install -d -o astdialer -g asterisk -m 2770 {root}"
        return [fault("records folder", f"no {root}", f"{remedy} (Asterisk writes there, too)")]
    if trouble := _unwritable(root):
        return [fault("records folder", trouble, f"chown astdialer:asterisk {root}; chmod 2770 {root}")]
    return or_ok("records folder", f"{root}, {_free(root)} free", _space("records folder", root))


def store_folder(path: Path) -> Sequence[Finding]:
    """Whether the store's folder is ours to write, with space."""
    folder = next(place for place in path.parents if place.exists())
    if trouble := _unwritable(folder):
        remedy = f"Run astdialer as the user that serves (sudo -u astdialer astdialer …), or: chown astdialer {folder}"
        return [fault("store", trouble, remedy)]
    if os.geteuid() == 0 and (path if path.exists() else folder).stat().st_uid != 0:
        remedy = "sudo -u astdialer astdialer …: files that root makes here would lock the engine out."
        return [warning("store", f"we are root, but {folder} belongs to another user", remedy)]
    return list(_space("store", folder))


def _unwritable(folder: Path) -> str:
    """Why no file can be written there; empty if one was."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"\0" * 65536)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder}: we can't write there: {error.strerror}"
    return ""


def _space(check: str, folder: Path) -> Iterator[Finding]:
    if shutil.disk_usage(folder).free < ENOUGH_BYTES:
        remedy = "Free some, or move it: an hour of talk takes 6 MB as GSM and 7 MB as MP3. A full disk stops dialing."
        yield warning(check, f"only {_free(folder)} free in {folder}", remedy)


def _free(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB"


def store_writes(path: Path) -> Finding:
    """Whether the store takes a write; nothing is changed."""
    remedy = f"Is another program in the middle of a write? Are {path} and its folder ours? ls -l {path.parent}"
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=STORE_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return fault("store", f"{path}: {error}", remedy)
    return ok("store", f"{path}, {_free(path.parent)} free")


# --- programs --------------------------------------------------------------------------------------------------------


async def ffmpeg(program: str) -> Finding:
    """Whether ffmpeg makes MP3 of GSM, by letting it."""
    found = shutil.which(program)
    if found is None:
        return fault("ffmpeg", f"no program {program}", "apt install ffmpeg, or name it: [records] ffmpeg")
    words = ("-nostdin", "-v", "error", "-f", "gsm", "-i", "pipe:0", "-c:a", "libmp3lame", "-f", "mp3", "pipe:1")
    code, out, err = await _run([found, *words], _SILENCE)
    if code == 0 and len(out) > 100:
        return ok("ffmpeg", f"{found} makes MP3 of GSM")
    remedy = "Take a build with GSM and libmp3lame: the distribution's has both (ffmpeg -codecs | grep -e gsm -e mp3)."
    return fault("ffmpeg", f"{found} does not make MP3 of GSM: {err.decode(errors='replace').strip()[-200:]}", remedy)


async def _run(words: Sequence[str], given: bytes) -> tuple[int, bytes, bytes]:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        return 1, b"", str(error).encode()
    try:
        async with asyncio.timeout(FFMPEG_S):
            out, err = await process.communicate(given)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, b"", f"did not end within {FFMPEG_S:g} s".encode()
    return process.returncode or 0, out, err


def engine_has(store: Path) -> bool:
    """Whether an engine works on this store, be it only starting: it keeps a lock beside the file."""
    try:
        with store.with_name(store.name + ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def engine(view: Mapping[str, Any] | None, now: int, *, has_store: bool) -> Finding:
    """Whether the engine runs, from what it last published."""
    if has_store and is_stale(view, now):
        return warning("engine", "has the store, but does not say how it stands", "Is it starting? Else restart it.")
    if view is None or is_stale(view, now):
        remedy = "systemctl start astdialer, or by hand: astdialer serve"
        return warning("engine", "is not running: nothing is dialed", remedy)
    return ok("engine", f"runs, {view['calls']} calls now")
