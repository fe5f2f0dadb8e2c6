"""A private copy of Asterisk from the distribution's packages: no root, no chroot, no package scripts.

The machine's own package database is neither read for versions nor changed: apt works on an empty one in a
temporary directory, from the mirror that the machine's apt already uses.
"""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from astdialer.lab.binary import OLDEST, Asterisk, in_root, on_path
from astdialer.lab.errors import LabError
from astdialer.lab.places import default_cache

PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm")
DOWNLOAD_S = 900
ROOM_MB = 500  # while it is fetched: lists, packages and what was unpacked of them
_TOOLS = ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb")
_REMEDY = (
    f"Make a Debian or Ubuntu mirror reachable to apt, or install Asterisk {OLDEST} or newer (with the package "
    "manager, or built from source) and put it on PATH; then try again."
)
_ROOM = f"Make room for it ({ROOM_MB} MB), or name another directory of yours: export ASTDIALER_LAB_CACHE=DIR"
# What reaching the mirror may need; everything else of the machine's settings stays behind.
_CARRIED = re.compile(r'^Acquire::(https?|ftp|ForceIPv[46]|Retries|Check-Date|Proxy)[^ ]* "[^"]+";$', re.MULTILINE)
# A line of `apt-get update --print-uris`: site, suite, component.
_INDEX = re.compile(r"^'(\S+)/dists/(\S+)/([^/\s]+)/binary-[^/\s]+/Packages", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One index that the machine's apt knows."""

    site: str
    release: str
    component: str
    origin: str = ""  # empty while the machine has not fetched its lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What /etc/os-release says of the distribution."""

    name: str
    codename: str


def asterisk(say: Callable[[str], None], cache: Path | None = None) -> Asterisk:
    """The system's Asterisk, else the private copy, which is fetched when it is not there yet.

    Raises LabError with a remedy when neither can be had.
    """
    return on_path() or private_copy(cache or default_cache(), say)


def private_copy(cache: Path, say: Callable[[str], None]) -> Asterisk:
    """The Asterisk in `cache`. Only a complete copy ever has its name there."""
    root = cache / f"root-{platform.machine()}"
    try:
        if not root.is_dir():
            _require_tools()
            cache.mkdir(parents=True, exist_ok=True)
            with _locked(cache / "lock", say):
                if not root.is_dir():
                    _fetch(cache, root, say)
        return in_root(root)
    except OSError as error:
        raise LabError(f"an Asterisk cannot be kept in {cache}: {error}", remedy=_ROOM) from error


def _require_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise LabError(
            f"there is no asterisk on this machine, and none can be fetched without {', '.join(missing)}",
            remedy=_REMEDY,
        )


@contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One fetch at a time; the second one finds the first one's copy."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is fetching Asterisk; waiting for it …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, root: Path, say: Callable[[str], None]) -> None:
    for left in cache.glob("fetch-*"):
        shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(cache).free < ROOM_MB << 20:
        raise LabError(f"there is not enough room for an Asterisk in {cache}", remedy=_ROOM)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as name:
        work = Path(name)
        lines = source_lines(_targets(), _release(), system_has_asterisk=_system_has_asterisk())
        origin = lines[0].removeprefix("deb ").partition("] ")[2]
        say(f"Fetching a private Asterisk from {origin} (about 80 MB, kept in {cache}) …")
        apt = PrivateApt(work / "apt", lines)
        apt.run("update")
        apt.run("-y", "--download-only", "install", *PACKAGES)
        _unpack(apt.packages(), work / "root", say)
        (work / "root").rename(root)
    say(f"Asterisk {in_root(root).version} is ready.")


class PrivateApt:
    """An apt with its own lists, archives and an empty package database."""

    def __init__(self, directory: Path, lines: list[str]) -> None:
        self._directory = directory
        for part in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"):
            (directory / part).mkdir(parents=True)
        (directory / "status").touch()
        (directory / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in lines))
        (directory / "apt.conf").write_text(self._settings())

    def _settings(self) -> str:
        carried = _CARRIED.finditer(_output("apt-config", "dump", "Acquire"))
        own = {
            "Dir": f"{self._directory}/",
            "Dir::State::status": f"{self._directory}/status",
            "APT::Architecture": _output("dpkg", "--print-architecture").strip(),
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",  # a mirror out of reach is only a warning else
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        return "".join(f'{key} "{value}";\n' for key, value in own.items()) + "".join(
            f"{line[0]}\n" for line in carried
        )

    def run(self, *arguments: str) -> None:
        """Run apt-get, raising LabError with its last words."""
        # APT_CONFIG takes the place of /etc/apt: the machine's hooks and pins do not run on our packages.
        environment = {**os.environ, "APT_CONFIG": str(self._directory / "apt.conf"), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["apt-get", "-q", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DOWNLOAD_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"apt-get {arguments[0]}: {error}", remedy=_REMEDY) from error
        if done.returncode != 0:
            words = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("E:")]
            raise LabError("Asterisk cannot be fetched:\n  " + "\n  ".join(words[-6:]), remedy=_REMEDY)

    def packages(self) -> list[Path]:
        """The .deb files that were downloaded."""
        return sorted((self._directory / "var/cache/apt/archives").glob("*.deb"))


def _unpack(packages: list[Path], root: Path, say: Callable[[str], None]) -> None:
    say(f"Unpacking {len(packages)} packages …")
    root.mkdir(mode=0o755)
    for package in packages:
        done = subprocess.run(
            ["dpkg-deb", "-x", package, root], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise LabError(
                f"{package.name} cannot be unpacked: {done.stderr.strip()}",
                remedy=_ROOM,
            )
        package.unlink()
    _link_english(root / "usr/share/asterisk/sounds")
    in_root(root)


def _link_english(sounds: Path) -> None:
    """A package script, which does not run here, would have made `en` from the voice's directory."""
    voice = next(iter(sorted(sounds.glob("en_*"))), None)
    if voice is not None and not (sounds / "en").exists():
        (sounds / "en").symlink_to(voice.name)


def source_lines(targets: list[Target], release: Release, *, system_has_asterisk: bool) -> list[str]:
    """The private apt's sources.list: the machine's own suites if Asterisk is in them, else Debian's `sid`.

    Raises LabError when the machine has no distribution mirror.
    """
    first = _main_target(targets, release)
    if first is None:
        raise LabError("the machine's apt knows no distribution mirror to fetch Asterisk from", remedy=_REMEDY)
    if release.name != "ubuntu" and not system_has_asterisk:
        return [f"deb {_option('debian')}{first.site} sid main"]
    suites: dict[str, list[str]] = {}
    for target in targets:
        if target.site == first.site:
            suites.setdefault(target.release, []).append(target.component)
    return [
        f"deb {_option(release.name)}{first.site} {suite} {' '.join(dict.fromkeys(components))}"
        for suite, components in suites.items()
    ]


def _option(distribution: str) -> str:
    """`[signed-by=…] ` with the distribution's own keys, wherever they are."""
    keyring = Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")
    keys = str(keyring) if keyring.exists() else "/etc/apt/trusted.gpg"
    return f"[signed-by={keys}] "


def _main_target(targets: list[Target], release: Release) -> Target | None:
    """The index that names the distribution's mirror. Third parties call their suites `stable main` too."""
    names = (release.codename, "stable", "testing", "unstable", "sid")
    main = [t for t in targets if t.component == "main" and t.release in names]
    sites = {t.site for t in targets if t.release.endswith("-updates")}
    return max(main, key=lambda t: _likeness(t, release, updated=t.site in sites), default=None)


def _likeness(target: Target, release: Release, *, updated: bool) -> tuple[bool, bool, bool, bool]:
    """How much an index looks like the distribution's own, the surest sign first."""
    return (
        target.origin.lower() == release.name,
        updated,
        target.site.rstrip("/").endswith(f"/{release.name}"),
        target.release == release.codename,
    )


def _targets() -> list[Target]:
    layout = "$(CREATED_BY) $(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    rows = [row.split(maxsplit=4) for row in _output("apt-get", "indextargets", "--format", layout).splitlines()]
    found = [
        Target(site=row[1], release=row[2], component=row[3], origin="".join(row[4:]))
        for row in rows
        if len(row) >= 4 and row[0] == "Packages" and not row[1].startswith("cdrom:")
    ]
    return list(dict.fromkeys(found or targets_to_come(_output("apt-get", "update", "--print-uris"))))


def targets_to_come(uris: str) -> list[Target]:
    """What apt would fetch the lists of, where it has never fetched any: images of containers come so."""
    return [Target(site=site, release=suite, component=part) for site, suite, part in _INDEX.findall(uris)]


def _release() -> Release:
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    return Release(name=system.get("ID", ""), codename=system.get("VERSION_CODENAME", ""))


def _system_has_asterisk() -> bool:
    candidate = re.search(r"Candidate: (?:\d+:)?(\d+)", _output("apt-cache", "policy", "asterisk"))
    return candidate is not None and int(candidate[1]) >= OLDEST


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{command[0]}: {error}", remedy=_REMEDY) from error
    return done.stdout
