"""What a lab is, and what is told about a running one."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from astdialer.lab.binary import Asterisk
from astdialer.lab.errors import LabError

Which = Literal["pbx", "carrier"]
BOTH: tuple[Which, Which] = ("pbx", "carrier")
QUEUE = "astdialer"
USERNAME = "astdialer"
HOST = "127.0.0.1"
MOST_AGENTS = 50
_HTTP_PORT = 8480


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """How to reach the lab's PBX; everything of it is below `directory`."""

    directory: Path
    host: str
    ami_port: int
    ami_username: str
    ami_secret: str
    agi_port: int
    http_port: int
    agents: int
    queue: str
    config_file: Path
    records: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """One of the two Asterisks; `channels` is None when it does not answer."""

    which: Which
    alive: bool
    pid: int | None
    version: str
    channels: int | None
    memory_mb: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """Both Asterisks of the lab in `directory`."""

    directory: Path
    up: bool
    instances: tuple[InstanceStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the lab's files are made from; kept in lab.json."""

    directory: Path
    run: Path
    secret: str
    agents: int
    ami_port: int
    agi_port: int
    http_port: int
    pbx_port: int
    carrier_port: int
    asterisk: Asterisk

    @property
    def lab(self) -> Lab:
        """The part of the plan that users of the lab need."""
        return Lab(
            directory=self.directory,
            host=HOST,
            ami_port=self.ami_port,
            ami_username=USERNAME,
            ami_secret=self.secret,
            agi_port=self.agi_port,
            http_port=self.http_port,
            agents=self.agents,
            queue=QUEUE,
            config_file=self.directory / "astdialer.toml",
            records=self.directory / "records",
        )

    def to_json(self) -> str:
        """The text of lab.json."""
        return json.dumps(asdict(self), default=str, indent=2) + "\n"

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The plan of the lab in `directory`; LabError when there is none or it cannot be read."""
        try:
            kept = json.loads((directory / "lab.json").read_text())
            binary = kept.pop("asterisk")
            kept.setdefault("http_port", _HTTP_PORT)  # a lab of an older version
            asterisk = Asterisk(
                command=tuple(binary["command"]),
                modules=Path(binary["modules"]),
                data=Path(binary["data"]),
                version=binary["version"],
            )
            kept |= {name: Path(kept[name]) for name in ("directory", "run")}
            return cls(**kept, asterisk=asterisk)
        except FileNotFoundError as error:
            raise LabError(f"there is no lab in {directory}", remedy="Start one: astdialer lab up") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LabError(
                f"{directory}/lab.json cannot be read: {error}",
                remedy=f"Remove {directory} and start again: astdialer lab up",
            ) from error
