"""Free ports on loopback."""

import random
import socket

from astdialer.lab.errors import LabError

# Above the RTP ranges and below the ports the kernel gives to outgoing connections.
_FIRST, _LAST = 30000, 32767
RTP = {"pbx": (10000, 19999), "carrier": (20000, 29999)}


def free(kind: socket.SocketKind, *, taken: tuple[int, ...] = ()) -> int:
    """A port nobody listens on, outside `taken`; LabError when there is none."""
    ports = [port for port in range(_FIRST, _LAST + 1) if port not in taken]
    random.shuffle(ports)
    for port in ports:
        if is_free(kind, port):
            return port
    raise LabError(f"no port between {_FIRST} and {_LAST} is free", remedy="Stop labs that are not used any more.")


def is_free(kind: socket.SocketKind, port: int) -> bool:
    """Whether the port can be had now."""
    with socket.socket(socket.AF_INET, kind) as attempt:
        if kind == socket.SOCK_STREAM:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
