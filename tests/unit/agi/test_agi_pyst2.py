"""pyst2 0.5.1: the faults that keep it out of the engine's path, and its reading of replies beside ours."""

from __future__ import annotations

import importlib
import io
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from astdialer.agi.protocol import Environment, Parser, Reply, quote

ENVIRONMENT = "agi_network_script: a\n\n"


@pytest.fixture
def hangup_signal() -> Iterator[None]:
    """pyst2 takes SIGHUP over for the whole process."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def pyst2(replies: str) -> Any:
    agi = importlib.import_module("asterisk.agi")
    return agi.AGI(stdin=io.StringIO(ENVIRONMENT + replies), stdout=io.StringIO(), stderr=io.StringIO())


def test_its_fastagi_can_not_be_imported_on_python_3() -> None:
    with pytest.raises(ModuleNotFoundError, match="SocketServer"):
        importlib.import_module("asterisk.fastagi")


@pytest.mark.usefixtures("hangup_signal")
def test_its_quoting_lets_a_value_add_arguments_of_its_own() -> None:
    value = 'x" "y'
    assert pyst2("")._quote(value) == '"x" "y"'
    assert quote(value) == '"x\\" \\"y"'


@pytest.mark.usefixtures("hangup_signal")
def test_it_takes_a_hangup_line_for_a_reply() -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        pyst2("HANGUP\n200 result=1\n").execute("NOOP")


@pytest.mark.usefixtures("hangup_signal")
@pytest.mark.parametrize(
    "line", ["200 result=1", "200 result=1 (value)", "200 result=1 (two words)", "200 result=0", "200 result=57"]
)
def test_both_read_the_usual_replies_alike(line: str) -> None:
    result, value = pyst2(line + "\n").execute("NOOP")["result"]
    parser = Parser()
    parser.feed(f"{ENVIRONMENT}{line}\n".encode())
    assert isinstance(parser.next_event(), Environment)
    ours = parser.next_event()
    assert isinstance(ours, Reply)
    assert (ours.result, ours.value or "") == (result, value)
