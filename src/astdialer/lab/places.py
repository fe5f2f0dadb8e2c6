"""Where the lab keeps things, and where its own files are."""

import os
from pathlib import Path

from astdialer.lab.errors import LabError

_HERE = Path(__file__).resolve().parent


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("/tmp") / f"astdialer-{os.getuid()}"


def default_directory() -> Path:
    """The lab's directory when the user names none."""
    state = os.environ.get("XDG_STATE_HOME") or _home() / ".local" / "state"
    return Path(state) / "astdialer" / "lab"


def default_cache() -> Path:
    """Where a private Asterisk is unpacked; shared by all labs of this user."""
    if named := os.environ.get("ASTDIALER_LAB_CACHE"):
        return Path(named).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or _home() / ".cache"
    return Path(cache) / "astdialer" / "asterisk"


def templates() -> Path:
    """The lab's configuration templates."""
    return _HERE / "templates"


def sounds() -> Path:
    """What the lab's people, voicemails and announcements say."""
    return _HERE / "sounds"


def asterisk_conf() -> Path:
    """What an administrator adds to /etc/asterisk: in the source tree, or inside the installed package."""
    for found in (_HERE.parents[2] / "asterisk_conf", _HERE.parent / "asterisk_conf"):
        if (found / "extensions_astdialer.conf").is_file():
            return found
    raise LabError(
        "asterisk_conf is not beside the sources nor in the installed package",
        remedy="Install astdialer again: pip install --force-reinstall astdialer",
    )
