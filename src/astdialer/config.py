"""Configuration: TOML files, conf.d, ``ASTDIALER_*`` variables and flags, in rising precedence, into frozen settings.

An unknown key or a bad value is a ConfigError that names file, key, value and what was expected.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_FILE = Path("/etc/astdialer/astdialer.toml")
PREFIX = "ASTDIALER_"


class ConfigError(Exception):
    """The configuration can't be used. The message names file, key, value and what was expected."""


class Secret(str):
    """Text that does not show itself in output or logs; ``reveal`` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("********", spec)

    def reveal(self) -> str:
        """The text itself, for the wire."""
        return str.__str__(self)


def _default_state_directory() -> Path:
    if os.environ.get("STATE_DIRECTORY"):  # systemd's StateDirectory=
        return Path(os.environ["STATE_DIRECTORY"])
    if os.geteuid() == 0:
        return Path("/var/lib/astdialer")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "astdialer"


def _option(default: Any, doc: str, expected: str = "", **bounds: float) -> Any:
    metadata = {"doc": doc, "expected": expected, **bounds}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ami:
    """One Asterisk's manager interface: ``[ami]``, and ``[ami.servers.NAME]`` for further ones."""

    host: str = _option("127.0.0.1", "Host of the manager interface.")
    port: int = _option(5038, "Its port; 5039 is usual with TLS.", low=1, high=65535)
    username: str = _option("astdialer", "Manager user, as in manager_astdialer.conf.")
    secret: Secret = _option(Secret(""), "Its secret. Better: secret_file.")
    secret_file: str = _option("", "File that holds nothing but the secret.")
    tls: bool = _option(False, "Speak TLS to Asterisk; its certificate is verified.")
    tls_ca: str = _option("", "CA file for a private certificate.")
    action_timeout_s: float = _option(10.0, "Longest wait for the answer to an action.", low=1, high=300)
    watchdog_s: float = _option(
        10.0, "Silence after which a ping is sent; twice as much ends the link.", low=1, high=300
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agi:
    """The FastAGI server: ``[agi]``."""

    host: str = _option("127.0.0.1", "Address to listen on.")
    port: int = _option(4573, "Port to listen on.", low=1, high=65535)
    public: str = _option("", "host:port at which Asterisk reaches it; empty: host and port.")
    peers: tuple[str, ...] = _option(("127.0.0.1", "::1"), "Addresses or networks that may connect.")
    scripts: str = _option("", "Folder of your own AGI scripts: NAME.py answers agi://…/NAME.")
    max_connections: int = _option(2000, "Connections at a time; further ones are closed.", low=1, high=100000)

    @property
    def address(self) -> str:
        """What the dialplan connects to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public or f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """``[store]``."""

    url: str = _option("", "sqlite:///absolute/path; empty: astdialer.db in the state directory.", "sqlite:///PATH")

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite://")) if self.url else _default_state_directory() / "astdialer.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Recordings: ``[records]``."""

    directory: str = _option(
        lambda: str(_default_state_directory() / "records"), "Root of the date-named folders; Asterisk writes there."
    )
    backup_directory: str = _option("", "Second root that is searched for old recordings.")
    keep_gsm: bool = _option(False, "Keep the GSM file beside the MP3.")
    bitrate: str = _option("16k", "MP3 bit rate.", "a number of kbit/s with k, such as 16k")
    workers: int = _option(2, "Conversions at a time.", low=1, high=64)
    timeout_s: float = _option(300.0, "Longest conversion of one file.", low=1, high=7200)
    ffmpeg: str = _option("ffmpeg", "The ffmpeg program.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """``[engine]``."""

    default_country: str = _option("", "Country (ISO 3166, such as ES) of numbers without a country code.")
    number_check: str = _option(
        "valid", "How strictly uploaded numbers are checked: valid, possible or none.", "valid, possible or none"
    )
    timezone: str = _option("", "IANA zone of campaigns that name none, and of dates; empty: this machine's own.")
    max_calls: int = _option(500, "Calls at a time over all campaigns.", low=1, high=100000)
    calls_per_second: float = _option(
        200.0, "Calls that may start each second over all campaigns.", low=0.01, high=10000
    )
    sound_directory: str = _option(
        "", "Folder of sound files that campaigns name by a relative path; empty: Asterisk's."
    )

    @property
    def zone(self) -> str:
        """The zone of campaigns that name none."""
        return self.timezone or system_zone()


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The HTTP API: ``[http]``."""

    enabled: bool = _option(True, "Serve the HTTP API.")
    host: str = _option("127.0.0.1", "Address to listen on; another than loopback needs a token to exist.")
    port: int = _option(8480, "Port to listen on.", low=1, high=65535)
    tls_cert: str = _option("", "PEM file with the certificate and its chain; speaks HTTPS with tls_key.")
    tls_key: str = _option("", "PEM file with the certificate's key.")
    tokens: bool = _option(
        True, "Ask every request for a token; false makes everybody who reaches the port an admin: loopback only."
    )
    rate_per_second: float = _option(200.0, "Requests a second of one token, on average.", low=0.1, high=100000)
    burst: int = _option(400, "Requests of one token that may come at once.", low=1, high=100000)
    max_body_kb: int = _option(10240, "Largest body of a request, KiB, but for uploads.", low=1, high=1048576)
    max_upload_mb: int = _option(2048, "Largest base that may be uploaded, MiB.", low=1, high=1048576)
    timeout_s: float = _option(30.0, "Longest time for a request, but for uploads and streams.", low=1, high=600)
    max_connections: int = _option(1000, "Connections at a time; further requests are answered 503.", low=1, high=65535)
    browser_origins: tuple[str, ...] = _option(
        (),
        "Origins of web pages that may use the API, such as https://crm.example.com.",
        "origins: http or https, a host, perhaps a port, and nothing behind it",
    )
    tenant_queues: tuple[str, ...] = _option(
        (),
        "Asterisk queues that a tenant's tokens may give its campaigns, such as acme:sales; beside default_queue and "
        "those that its campaigns have.",
        "a tenant and a queue with a colon between them",
    )
    default_trunk: str = _option(
        "", "Trunk of campaigns that come from another system's words for it; empty: the only one there is."
    )
    default_queue: str = _option("", "Their Asterisk queue, likewise.")
    scenario_context: str = _option(
        "astdialer-scenarios", "Dialplan context whose extensions are the scenarios (uuid) of Twin24's autoCall."
    )
    autocall_template: str = _option(
        "", "Campaign whose settings Twin24's tasks begin with, and that its single calls copy; empty: the usual ones."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """What is sent to other people's servers: ``[webhooks]``."""

    allow_private: bool = _option(False, "Send to private, loopback and link-local addresses too.")
    timeout_s: float = _option(10.0, "Longest wait for a receiver's answer.", low=0.1, high=120)
    ca_file: str = _option("", "CA file for receivers with a private certificate.")
    lookup_url: str = _option(
        "",
        "Asked with ?cid=NUMBER by the AGI script lookup for an inbound call; its JSON becomes channel variables.",
        "an address that begins with http:// or https://",
    )
    lookup_timeout_s: float = _option(2.0, "Longest wait for that answer: the caller hears ringing.", low=0.1, high=30)


def system_zone(etc: Path = Path("/etc")) -> str:
    """The IANA name of this machine's zone, by /etc/localtime or /etc/timezone; UTC where neither tells."""
    target = str((etc / "localtime").resolve())
    if "/zoneinfo/" in target:
        return target.rpartition("/zoneinfo/")[2]
    try:
        return (etc / "timezone").read_text(encoding="ascii").strip() or "UTC"
    except (OSError, UnicodeDecodeError):
        return "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one astdialer."""

    ami: Ami = field(default_factory=Ami)
    servers: Mapping[str, Ami] = field(default_factory=dict)  #: [ami.servers.NAME]
    agi: Agi = field(default_factory=Agi)
    store: Store = field(default_factory=Store)
    records: Records = field(default_factory=Records)
    engine: Engine = field(default_factory=Engine)
    http: Http = field(default_factory=Http)
    webhooks: Webhooks = field(default_factory=Webhooks)

    @property
    def asterisks(self) -> dict[str, Ami]:
        """Every Asterisk server by name; [ami] is ``default``."""
        return {"default": self.ami, **self.servers}


SECTIONS: dict[str, type[Any]] = {
    "ami": Ami,
    "agi": Agi,
    "store": Store,
    "records": Records,
    "engine": Engine,
    "http": Http,
    "webhooks": Webhooks,
}

_Origins = dict[str, dict[str, tuple[Any, str]]]  # section → key → (value, where it stands)


def load(
    file: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Config:
    """Read the configuration.

    ``file`` (or ASTDIALER_CONFIG) must exist when named; /etc/astdialer/astdialer.toml need not. ``flags`` are
    ``section.key`` → value. Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    named = file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    values: _Origins = {}
    for path in _files(named):
        _merge(values, _read(path), str(path))
    for name, text in environ.items():
        if name.startswith(PREFIX) and name != PREFIX + "CONFIG":
            _merge_variable(values, name, text)
    for dotted, value in (flags or {}).items():
        section, _, key = dotted.rpartition(".")
        _put(values, section, key, value, f"--set {dotted}")
    return _build(values)


def _files(named: Path | None) -> list[Path]:
    main = named or DEFAULT_FILE
    if named and not named.is_file():
        raise ConfigError(f"{named}: no such file (named by --config or ASTDIALER_CONFIG)")
    return [path for path in (main, *sorted((main.parent / "conf.d").glob("*.toml"))) if path.is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error


def _merge(values: _Origins, document: Mapping[str, Any], origin: str) -> None:
    for section, table in document.items():
        if section not in SECTIONS:
            raise ConfigError(f"{origin}: [{section}]: no such section; expected one of {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{origin}: {section} = {table!r}: expected a section [{section}]")
        servers = table.pop("servers", {}) if section == "ami" else {}
        for key, value in table.items():
            _put(values, section, key, value, origin)
        if not isinstance(servers, dict) or not all(isinstance(server, dict) for server in servers.values()):
            raise ConfigError(f"{origin}: [ami] servers = {servers!r}: expected sections [ami.servers.NAME]")
        for name, server in servers.items():
            for key, value in server.items():
                _put(values, f"ami.servers.{name}", key, value, origin)


def _merge_variable(values: _Origins, name: str, text: str) -> None:
    section, _, key = name.removeprefix(PREFIX).lower().partition("_")
    if section not in SECTIONS:
        return  # other programs' variables may share the prefix (ASTDIALER_LAB_CACHE)
    _put(values, section, key, text, f"environment {name}")


def _put(values: _Origins, section: str, key: str, value: Any, origin: str) -> None:
    kind = SECTIONS.get(section.split(".", maxsplit=1)[0])
    known = [f.name for f in dataclasses.fields(kind)] if kind else []
    if key not in known:
        raise ConfigError(f"{origin}: [{section}] {key}: no such key; expected one of {', '.join(known)}")
    values.setdefault(section, {})[key] = (value, origin)


def _build(values: _Origins) -> Config:
    built = {section: _section(section, kind, values.get(section, {})) for section, kind in SECTIONS.items()}
    servers = {
        section.removeprefix("ami.servers."): _section(section, Ami, entries)
        for section, entries in values.items()
        if section.startswith("ami.servers.")
    }
    return Config(servers=servers, **built)


def _section(section: str, kind: type[Any], entries: Mapping[str, tuple[Any, str]]) -> Any:
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    arguments = {
        key: _value(f"[{section}] {key}", hints[key], fields[key].metadata, value, origin)
        for key, (value, origin) in entries.items()
    }
    made = kind(**arguments)
    return _with_secret(made, section) if kind is Ami else _checked(made, entries)


def _with_secret(ami: Ami, section: str) -> Ami:
    if not ami.secret_file:
        return ami
    try:
        return dataclasses.replace(ami, secret=Secret(Path(ami.secret_file).read_text(encoding="utf-8").strip()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"[{section}] secret_file = {ami.secret_file!r}: can't be read: {error}") from error


def _value(name: str, kind: Any, metadata: Mapping[str, Any], value: Any, origin: str) -> Any:
    try:
        converted = _convert(kind, value)
    except (TypeError, ValueError):
        raise _bad(name, kind, metadata, value, origin) from None
    low, high = metadata.get("low"), metadata.get("high")
    if low is not None and high is not None and not low <= converted <= high:
        raise _bad(name, kind, metadata, value, origin)
    return converted


def _bad(name: str, kind: Any, metadata: Mapping[str, Any], value: Any, origin: str) -> ConfigError:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Secret: "text"}
    expected = metadata.get("expected") or words.get(kind, "a list of texts")
    if "low" in metadata:
        expected += f" from {metadata['low']:g} to {metadata['high']:g}"
    shown = "********" if kind is Secret else repr(value)
    return ConfigError(f"{origin}: {name} = {shown}: expected {expected}")


_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _convert(kind: Any, value: Any) -> Any:
    if isinstance(kind, types.GenericAlias):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise TypeError
        return tuple(item.strip() for item in items)
    if kind is bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _BOOLS:
            return _BOOLS[value.lower()]
        raise ValueError
    if isinstance(value, bool) or (kind in (str, Secret) and not isinstance(value, str)):
        raise TypeError
    if kind is int and isinstance(value, float):
        raise TypeError
    return kind(value)


def _checked(made: Any, entries: Mapping[str, tuple[Any, str]]) -> Any:
    checks: Mapping[str, Callable[[Any], bool]] = {
        "url": lambda text: not text or text.startswith("sqlite:///"),
        "bitrate": lambda text: text.endswith("k") and text[:-1].isdecimal() and 8 <= int(text[:-1]) <= 320,
        "number_check": lambda text: text in ("valid", "possible", "none"),
        "browser_origins": lambda texts: all(re.fullmatch(r"https?://[^/\s]+", text) for text in texts if text),
        "tenant_queues": lambda texts: all(re.fullmatch(r"[^:]+:[^:]+", text) for text in texts if text),
        "lookup_url": lambda text: not text or text.startswith(("http://", "https://")),
    }
    for f in dataclasses.fields(made):
        check, value = checks.get(f.name), getattr(made, f.name)
        if check and not check(value):
            origin = entries[f.name][1]
            raise ConfigError(f"{origin}: {f.name} = {value!r}: expected {f.metadata['expected']}")
    return made
