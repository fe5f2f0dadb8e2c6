"""Which Asterisk the lab runs: the system's own, or a private copy."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from astdialer.lab.errors import LabError

OLDEST = 18
NEEDED = ("chan_pjsip.so", "app_queue.so", "app_amd.so", "app_mixmonitor.so", "res_agi.so", "format_gsm.so")
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_KNOWN_MODULES = (
    "/usr/lib/*-linux-*/asterisk/modules",
    "/usr/lib64/asterisk/modules",
    "/usr/lib/asterisk/modules",
    "/usr/local/lib*/asterisk/modules",
)
_KNOWN_DATA = ("/usr/share/asterisk", "/var/lib/asterisk", "/usr/local/share/asterisk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asterisk:
    """An Asterisk that can be run: the command before its options, and its own read-only files."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    version: str


def on_path() -> Asterisk | None:
    """The system's Asterisk, if there is one that is new enough and complete enough; it is only ever read."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    program = shutil.which("asterisk", path=path)
    if program is None:
        return None
    config = _directories(Path("/etc/asterisk/asterisk.conf"))
    modules = _first((Path(d) for d in [config.get("astmoddir", ""), *_expand(_KNOWN_MODULES)] if d), NEEDED)
    data = _first((Path(d) for d in [config.get("astdatadir", ""), *_KNOWN_DATA] if d), ("documentation",))
    return usable((program,), modules, data)


def in_root(root: Path) -> Asterisk:
    """The Asterisk unpacked under `root`, run by the loader and libraries that were unpacked with it."""
    loader = _one(root, "usr/lib/*/ld-linux-*.so.*", "lib/*/ld-linux-*.so.*", "usr/lib*/ld-linux-*.so.*")
    modules = _one(root, "usr/lib/*/asterisk/modules")
    triplet = modules.parent.parent.name
    libraries = f"{root}/usr/lib/{triplet}:{root}/lib/{triplet}"
    command = (str(loader), "--library-path", libraries, str(root / "usr/sbin/asterisk"))
    found = usable(command, modules, root / "usr/share/asterisk")
    if found is None:
        raise LabError(f"the private Asterisk in {root} does not run", remedy=f"Remove it and try again: rm -r {root}")
    return found


def usable(command: tuple[str, ...], modules: Path | None, data: Path | None) -> Asterisk | None:
    """The Asterisk behind these, or None when it does not run, is too old or lacks something."""
    version = _version(command)
    major = re.search(r"\d+", version)
    if modules is None or data is None or major is None or int(major[0]) < OLDEST:
        return None
    if not all((modules / name).exists() for name in NEEDED):
        return None
    return Asterisk(command=command, modules=modules, data=data, version=version)


def _version(command: tuple[str, ...]) -> str:
    """`22.10.1`, or nothing when the program does not run."""
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("Asterisk ") if done.returncode == 0 else ""


def _directories(config: Path) -> dict[str, str]:
    """The ast*dir settings of an asterisk.conf; empty when it cannot be read."""
    try:
        text = config.read_text(errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r"^\s*(ast\w+dir)\s*=>?\s*([^;\s]+)", text, re.MULTILINE))


def _expand(patterns: Iterable[str]) -> list[str]:
    return [str(found) for pattern in patterns for found in sorted(Path("/").glob(pattern.lstrip("/")))]


def _first(candidates: Iterable[Path], needed: tuple[str, ...]) -> Path | None:
    return next((d for d in candidates if all((d / name).exists() for name in needed)), None)


def _one(root: Path, *patterns: str) -> Path:
    for pattern in patterns:
        if found := sorted(root.glob(pattern)):
            return found[0]
    raise LabError(
        f"{root} has no {patterns[0]}: the private Asterisk is not complete",
        remedy=f"Remove it and try again: rm -r {root}",
    )
