"""Logging set-up: journald priorities under systemd, plain lines otherwise, JSON on request.

Every message has a fixed event name and ids: ``logger.info("attempt.closed", extra={"attempt": id})``.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class PlainFormatter(logging.Formatter):
    """``time level event key=value``; with a journald priority in place of time and level under systemd."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)-7s %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line, without line breaks from data."""
        extras = "".join(f" {key}={_one_line(value)}" for key, value in _extras(record).items())
        text = super().format(record)
        head, newline, rest = text.partition("\n")
        line = head + extras + newline + rest
        return f"<{_PRIORITY.get(record.levelno, 6)}>{line}" if self._journal else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its extras."""
        body = {"time": self.formatTime(record), "level": record.levelname.lower(), "event": record.getMessage()}
        body |= _extras(record)
        if record.exc_info:
            body["exception"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False, default=str)


def _one_line(value: Any) -> str:
    text = str(value).replace("\r", " ").replace("\n", " ")
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def set_up(*, level: str = "info", as_json: bool = False) -> None:
    """Log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    journal = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter(journal=journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


@contextmanager
def silenced() -> Iterator[None]:
    """Nothing up to errors is logged inside: for commands that say the same in a report, with a remedy."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
