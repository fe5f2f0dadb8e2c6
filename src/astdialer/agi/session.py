"""One call's FastAGI session, as scripts see it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from panoramisk.fast_agi import Request
from panoramisk.utils import parse_agi_result

from astdialer.agi.errors import AgiError, AgiHangup, AgiTimeout, AgiViolation, InvalidCommand
from astdialer.agi.protocol import Closed, Environment, HungUp, Parser, Reply, command_line

COMMAND_S = 5.0  #: longest wait for the answer to a command that only asks or sets
EXECUTE_S = 60.0  #: the same for an application, unless the script says otherwise
READ_SIZE = 65_536

_APPLICATION = re.compile(r"[A-Za-z0-9_]+")


class AgiSession(Request):  # type: ignore[misc]  # panoramisk has no types
    """A call that runs a script. Scripts written for panoramisk's Request run on it unchanged.

    Every command has a timeout in seconds. All of them raise AgiHangup when the call is over, AgiError when Asterisk
    refuses the command, AgiTimeout when it does not answer, and InvalidCommand for what can't be sent.
    """

    def __init__(
        self, environment: Environment, parser: Parser, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(app=None, headers=environment.values, reader=reader, writer=writer)
        self._environment = environment
        self._parser = parser
        self._turn = asyncio.Lock()
        self._in_step = True
        self._hung_up = False

    @property
    def environment(self) -> Mapping[str, str]:
        """agi_channel, agi_uniqueid and so on."""
        return self._environment.values

    @property
    def script(self) -> str:
        """The route that was asked for."""
        return self._environment.script

    @property
    def query(self) -> Mapping[str, str]:
        """What stood after ``?`` in the address."""
        return self._environment.query

    @property
    def arguments(self) -> tuple[str, ...]:
        """What stood after the address in AGI()."""
        return self._environment.arguments

    @property
    def uniqueid(self) -> str:
        """The channel's Uniqueid: the attempt, on a channel that astdialer originated."""
        return self.environment.get("agi_uniqueid", "")

    @property
    def hung_up(self) -> bool:
        """Whether the channel was gone at the last command."""
        return self._hung_up

    async def get_variable(self, name: str) -> str | None:
        """A channel variable or function; None if it is not set."""
        return (await self.command("GET VARIABLE", name)).value

    async def get_full_variable(self, expression: str) -> str | None:
        """An expression with ``${…}`` in it, worked out by Asterisk; None if nothing comes out."""
        return (await self.command("GET FULL VARIABLE", expression)).value

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or function."""
        await self.command("SET VARIABLE", name, value)

    async def execute(self, application: str, data: str = "", *, timeout_s: float = EXECUTE_S) -> str:
        """Run a dialplan application and return its result. AgiError when Asterisk does not have it.

        Commas in ``data`` separate the application's arguments: check what comes from outside.
        """
        if not _APPLICATION.fullmatch(application):
            raise InvalidCommand(f"not an application: {application[:80]!r}")
        reply = await self.command(f"EXEC {application}", data, timeout_s=timeout_s)
        if reply.result == "-2":
            raise AgiError(reply.code, f"no application {application}: is its module loaded?")
        if reply.result == "-1":
            self._hung_up = True
            raise AgiHangup
        return reply.result

    async def command(self, command: str, *arguments: str, timeout_s: float = COMMAND_S) -> Reply:
        """Send any AGI command, its arguments quoted, and return the reply."""
        reply = await self._converse(command_line(command, *arguments), timeout_s)
        if reply.code == 511:
            self._hung_up = True
            raise AgiHangup(f"{command}: the channel is gone")
        if reply.code != 200:
            raise AgiError(reply.code, reply.text)
        return reply

    async def send_command(self, command: str, *, timeout_s: float = EXECUTE_S) -> dict[str, Any]:
        """panoramisk's own: a command line as it is; the reply in panoramisk's shape, errors in it and not raised."""
        reply = await self._converse(command_line(command), timeout_s)
        parsed: dict[str, Any] = parse_agi_result(f"{reply.code} {reply.text}")
        return parsed

    async def _converse(self, line: bytes, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                return await self._exchange(line)
        except TimeoutError:
            raise AgiTimeout(f"no answer within {timeout_s:g} s to {line[:80]!r}") from None
        except OSError as error:
            self._hung_up = True
            raise AgiHangup(f"the connection broke: {error}") from error

    async def _exchange(self, line: bytes) -> Reply:
        if not self._in_step:
            raise AgiHangup("the session ended with an earlier command")
        self._refuse_unasked()
        # Whatever ends this early, a timeout or a cancellation too, leaves a reply on its way that nobody may take
        # for the next command's.
        self._in_step = False
        self.writer.write(line)
        await self.writer.drain()
        reply = await self._reply()
        self._in_step = True
        return reply

    def _refuse_unasked(self) -> None:
        """A value with line breaks can look like a reply of its own."""
        while (event := self._parser.next_event()) not in (None, Closed()):
            if not isinstance(event, HungUp):
                self._in_step = False
                raise AgiViolation(f"a reply to no command: {event}")
            self._hung_up = True

    async def _reply(self) -> Reply:
        while True:
            match self._parser.next_event():
                case Reply() as reply:
                    return reply
                case HungUp():
                    self._hung_up = True
                case Closed():
                    self._hung_up = True
                    raise AgiHangup
                case _:
                    self._parser.feed(await self.reader.read(READ_SIZE))


Script = Callable[[AgiSession], Awaitable[None]]
