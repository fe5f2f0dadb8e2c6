"""Log lines: an event name and its ids, on one line."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from astdialer import logs
from astdialer.logs import JsonFormatter, PlainFormatter


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root, quiet = logging.getLogger(), logging.getLogger("panoramisk")
    before = root.handlers[:], root.level, quiet.level
    yield
    root.handlers[:], root.level, quiet.level = before


def record(level: int = logging.INFO, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    made = logging.LogRecord("astdialer.x", level, "x.py", 1, "attempt.closed", None, info)
    vars(made).update(extra)
    return made


def test_a_plain_line_has_the_event_and_its_ids() -> None:
    line = PlainFormatter(journal=False).format(record(attempt="a1", disposition="busy"))
    assert line.endswith("INFO    attempt.closed attempt=a1 disposition=busy")


@pytest.mark.parametrize(
    ("value", "text"),
    [("two words", '"two words"'), ("", '""'), ("a\r\nERROR b", '"a  ERROR b"'), (5, "5"), ("ñ", "ñ")],
)
def test_a_value_stays_on_its_line(value: object, text: str) -> None:
    assert PlainFormatter(journal=True).format(record(why=value)) == f"<6>attempt.closed why={text}"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2), (5, 6)],
)
def test_the_journal_gets_its_priority(level: int, priority: int) -> None:
    assert PlainFormatter(journal=True).format(record(level)) == f"<{priority}>attempt.closed"


def test_ids_stand_before_the_traceback() -> None:
    lines = PlainFormatter(journal=True).format(record(error=ValueError("x"), attempt="a1")).splitlines()
    assert lines[0] == "<6>attempt.closed attempt=a1"
    assert lines[-1] == "ValueError: x"


def test_json_is_one_object_a_line_with_the_same_facts() -> None:
    line = JsonFormatter().format(record(logging.ERROR, ValueError("x"), attempt="a1", why="a\nb", path=logs))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["event"], found["level"], found["attempt"], found["why"]) == ("attempt.closed", "error", "a1", "a\nb")
    assert found["exception"] == "ValueError: x"
    assert found["time"]


@pytest.mark.parametrize("as_json", [True, False])
def test_logging_goes_to_stderr_and_takes_the_place_of_what_was_set(
    monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    logs.set_up(level="warning")
    logs.set_up(level="debug", as_json=as_json)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    assert isinstance(handler.formatter, JsonFormatter if as_json else PlainFormatter)
    assert logging.getLogger().level == logging.DEBUG
    assert not logging.getLogger("panoramisk").isEnabledFor(logging.ERROR)


def test_under_systemd_lines_have_priorities(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    logs.set_up()
    logging.getLogger("astdialer").warning("store.slow", extra={"seconds": 3})
    assert capsys.readouterr().err == "<4>store.slow seconds=3\n"
