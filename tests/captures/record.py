"""Record what a real Asterisk writes to a manager connection, case by case: see README.md."""

from __future__ import annotations

import asyncio
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from astdialer import lab
from astdialer.lab import Lab

QUIET_S = 4.0
LONGEST_S = 45.0


@dataclass(frozen=True, slots=True)
class Case:
    """One call: what to dial, for how long to let it ring, and after how many seconds we hang up (0: never)."""

    name: str
    channel: str
    timeout_s: int = 10
    fallback: str = "hangup"
    hang_up_after_s: float = 0


CASES = (
    Case("answered_then_hung_up_by_us", "PJSIP/447700900001@carrier"),
    Case("answered_then_hung_up_by_contact", "PJSIP/447700900801@carrier", fallback="goto"),
    Case("busy", "PJSIP/447700900201@carrier"),
    Case("timeout_ringing", "PJSIP/447700900301@carrier", timeout_s=3),
    Case("dead_number", "PJSIP/447700900401@carrier"),
    Case("rejected", "PJSIP/447700900501@carrier"),
    Case("congestion", "PJSIP/447700900601@carrier"),
    Case("no_such_endpoint", "PJSIP/447700900001@nowhere"),
    Case("hang_up_while_ringing", "PJSIP/447700900301@carrier", hang_up_after_s=1.5),
    Case("queue", "PJSIP/447700900001@carrier", fallback="queue", hang_up_after_s=3.5),
    Case("queue_agent_hangs_up", "PJSIP/447700900001@carrier", fallback="queue"),
    Case("queue_nobody_takes", "PJSIP/447700900901@carrier", fallback="queue", hang_up_after_s=6),
    Case("local_answered", "Local/447700900001@from-internal/n", fallback="goto", hang_up_after_s=4),
    Case("local_busy", "Local/447700900201@from-internal/n"),
    Case("local_dead_number", "Local/447700900401@from-internal/n"),
    Case("local_timeout_ringing", "Local/447700900301@from-internal/n", timeout_s=3),
    Case("local_hung_up_by_contact", "Local/447700900801@from-internal/n", fallback="goto"),
    Case("local_queue", "Local/447700900001@from-internal/n", fallback="queue"),
)


class Recorder:
    """A manager connection that keeps every byte it reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, *lines: str) -> None:
        """Write one action."""
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def until_quiet(self, quiet_s: float, longest_s: float) -> bytes:
        """What is read until nothing has come for `quiet_s`, at most for `longest_s`."""
        kept = b""
        end = asyncio.get_running_loop().time() + longest_s
        while asyncio.get_running_loop().time() < end:
            try:
                kept += await asyncio.wait_for(self._reader.read(65536), quiet_s)
            except TimeoutError:
                break
        return kept


def originate(case: Case, attempt_id: str) -> list[str]:
    """The Originate as the adapter sends it, written a second time on purpose."""
    variables = {
        "ASTDIALER_ID": attempt_id,
        "ASTDIALER_AGI": "127.0.0.1:1",
        "ASTDIALER_FALLBACK": case.fallback,
        "ASTDIALER_QUEUE": "astdialer",
        "ASTDIALER_LIMIT": "20",
        "ASTDIALER_NUMBER": case.channel.split("/")[1].split("@")[0],
        "ASTDIALER_GOTO": r"astdialer-message\,s\,1",
    }
    return [
        "Action: Originate",
        f"ActionID: originate-{attempt_id}",
        f"Channel: {case.channel}",
        "Context: astdialer-answered",
        "Exten: s",
        "Priority: 1",
        f"Timeout: {case.timeout_s * 1000}",
        "Async: true",
        f"ChannelId: {attempt_id}",
        *([f"OtherChannelId: local-{attempt_id}"] if case.channel.startswith("Local/") else []),
        *(f"Variable: {name}={value}" for name, value in variables.items()),
    ]


async def record(recorder: Recorder, case: Case) -> bytes:
    """Place the call and keep what Asterisk says of it."""
    attempt_id = str(uuid.uuid4())
    recorder.send(*originate(case, attempt_id))
    kept = b""
    if case.hang_up_after_s:
        kept += await recorder.until_quiet(case.hang_up_after_s, case.hang_up_after_s)
        recorder.send("Action: Hangup", "ActionID: hangup", f"Channel: {attempt_id}", "Cause: 16")
    kept += await recorder.until_quiet(8.0 if "queue" in case.name else QUIET_S, LONGEST_S)
    return kept.replace(attempt_id.encode(), b"11111111-1111-4111-8111-111111111111")


async def main(which: Lab, folder: Path, names: list[str]) -> None:
    """Record the named cases, or all, into `folder`."""
    recorder = Recorder(*await asyncio.open_connection(which.host, which.ami_port))
    recorder.send(
        "Action: Login", f"Username: {which.ami_username}", f"Secret: {which.ami_secret}", "Events: call,agent"
    )
    await recorder.until_quiet(1, 5)
    for case in CASES:
        if not names or case.name in names:
            (folder / f"{case.name}.ami").write_bytes(await record(recorder, case))
    for name, action in (("core_show_channels", "CoreShowChannels"), ("queue_status", "QueueStatus")):
        if not names or name in names:
            recorder.send(f"Action: {action}", "ActionID: list")
            (folder / f"{name}.ami").write_bytes(await recorder.until_quiet(1, 5))


if __name__ == "__main__":
    asyncio.run(main(lab.load(Path(sys.argv[1])), Path(__file__).parent, sys.argv[2:]))
