"""The lab: a private, real Asterisk PBX and a carrier that answers its calls, for the demo and the tests."""

from astdialer.lab.control import down, kill_pbx, load, restart_pbx, rx, start_pbx, status, up
from astdialer.lab.errors import LabError
from astdialer.lab.fetch import asterisk as fetch_asterisk
from astdialer.lab.model import InstanceStatus, Lab, LabStatus
from astdialer.lab.places import default_directory, sounds

__all__ = [
    "InstanceStatus",
    "Lab",
    "LabError",
    "LabStatus",
    "default_directory",
    "down",
    "fetch_asterisk",
    "kill_pbx",
    "load",
    "restart_pbx",
    "rx",
    "sounds",
    "start_pbx",
    "status",
    "up",
]
