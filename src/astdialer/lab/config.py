"""The lab's configuration files, from the templates."""

import os
import resource
from pathlib import Path
from string import Template

from astdialer.lab import ports
from astdialer.lab.model import BOTH, HOST, QUEUE, USERNAME, Plan, Which
from astdialer.lab.places import asterisk_conf, sounds, templates

_COMMON = ("asterisk", "logger", "modules", "rtp", "amd", "cdr", "musiconhold", "indications")
_OWN = ("manager", "queues", "pjsip", "extensions")
# Asterisk asks for these and is content with nothing in them; without the file it logs an error.
_EMPTY = ("acl", "ccss", "cel", "features", "http", "pjproject", "queuerules", "sorcery", "stasis", "udptl")
_MOST_FILES = 65536


class _Template(Template):
    """`@@{name}`: dialplan is full of `$` and single `@`."""

    delimiter = "@@"


def write(plan: Plan) -> None:
    """Write every file of both instances and the engine's own settings, readable by their owner only."""
    for which in BOTH:
        _write_instance(plan, which)
    secret = plan.directory / "ami.secret"
    private(secret, plan.secret + "\n")
    private(plan.lab.config_file, _engine_settings(plan, secret))
    plan.lab.records.mkdir(mode=0o700, exist_ok=True)


def etc(plan: Plan, which: Which) -> Path:
    """The configuration directory of one instance."""
    return plan.directory / which / "etc"


def log(plan: Plan, which: Which) -> Path:
    """The log file of one instance."""
    return plan.directory / which / "log" / "full.log"


def run(plan: Plan, which: Which) -> Path:
    """The directory of one instance's socket and pid file."""
    return plan.run / which


def private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, in one step."""
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    half.rename(path)


def manager_user(secret: str) -> str:
    """asterisk_conf/manager_astdialer.conf as an administrator installs it: with a secret, else unchanged."""
    published = (asterisk_conf() / "manager_astdialer.conf").read_text()
    return published.replace("secret = CHANGE_ME", f"secret = {secret}")


def _write_instance(plan: Plan, which: Which) -> None:
    base = plan.directory / which
    for directory in (etc(plan, which), base / "var", base / "var/spool", base / "log", run(plan, which)):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = _values(plan, which)
    for name in _COMMON:
        private(etc(plan, which) / f"{name}.conf", _render(f"{name}.conf", values))
    for name in _OWN:
        private(etc(plan, which) / f"{name}.conf", _render(f"{name}-{which}.conf", values))
    for name in _EMPTY:
        private(etc(plan, which) / f"{name}.conf", "; Nothing here.\n")
    if which == "pbx":
        private(etc(plan, which) / "manager_astdialer.conf", manager_user(plan.secret))


def _render(name: str, values: dict[str, object]) -> str:
    return _Template((templates() / name).read_text()).substitute(values)


def _values(plan: Plan, which: Which) -> dict[str, object]:
    rtp_start, rtp_end = ports.RTP[which]
    return {
        "name": which,
        "entity": "01" if which == "pbx" else "02",
        "etc": etc(plan, which),
        "var": plan.directory / which / "var",
        "log": log(plan, which).parent,
        "run": run(plan, which),
        "modules": plan.asterisk.modules,
        "data": plan.asterisk.data,
        "max_files": _max_files(),
        "asterisk_conf": asterisk_conf(),
        "sounds": sounds(),
        "rtp_start": rtp_start,
        "rtp_end": rtp_end,
        "ami_port": plan.ami_port,
        "pbx_port": plan.pbx_port,
        "carrier_port": plan.carrier_port,
        "members": "\n".join(f"member => PJSIP/agent{n},0,Lab Agent {n}" for n in _agents(plan)),
        "agents": "\n".join(_agent_phone(n, plan.carrier_port) for n in _agents(plan)),
    }


def _agents(plan: Plan) -> range:
    return range(1, plan.agents + 1)


def _agent_phone(number: int, carrier_port: int) -> str:
    name = f"agent{number}"
    contact = f"contact = sip:{name}@{HOST}:{carrier_port}"
    return f"[{name}](lab)\naors = {name}\n\n[{name}]\ntype = aor\n{contact}\n"


def _max_files() -> int:
    """A call takes four files; never more than this user may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)


def _engine_settings(plan: Plan, secret: Path) -> str:
    return f"""# astdialer for the lab in {plan.directory} (queue {QUEUE}). Written by `astdialer lab up`.
[ami]
host = "{HOST}"
port = {plan.ami_port}
username = "{USERNAME}"
secret_file = "{secret}"

[agi]
host = "{HOST}"
port = {plan.agi_port}

[http]
port = {plan.http_port}

[store]
url = "sqlite://{plan.directory}/astdialer.db"

[records]
directory = "{plan.lab.records}"

[engine]
default_country = "GB"
number_check = "possible"
sound_directory = "{asterisk_conf() / "sounds"}"
"""
