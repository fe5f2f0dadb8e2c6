"""What can go wrong in a FastAGI session, split by who is to blame."""

from __future__ import annotations

from astdialer.domain.errors import AstdialerError


class AgiFault(AstdialerError):
    """A FastAGI session failed."""

    code = "agi"


class AgiHangup(AgiFault):
    """The call is over: the channel hung up or Asterisk closed the connection."""

    code = "agi_hangup"


class AgiError(AgiFault):
    """Asterisk refused a command: 510 unknown, 511 not on a dead channel, 520 wrong usage."""

    code = "agi_error"

    def __init__(self, reply: int, text: str) -> None:
        super().__init__(f"{reply} {text}")
        self.reply, self.text = reply, text


class AgiTimeout(AgiFault):
    """Asterisk did not answer a command in time. The session can't be used any more."""

    code = "agi_timeout"


class AgiViolation(AgiFault):
    """The peer sent what is not FastAGI. The session can't be used any more."""

    code = "agi_violation"


class InvalidCommand(AgiFault, ValueError):
    """A script asked for a command that can't be sent in one line."""

    code = "agi_invalid_command"
