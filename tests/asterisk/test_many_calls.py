"""Three hundred contacts of mixed behaviour, twenty calls a second, through the lab's SIP trunk."""

import random
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from dialing import (
    ANNOUNCEMENT,
    ENDS,
    Dialer,
    calls_at_carrier,
    consistent,
    dialer_on,
    log_size,
    number,
    wait_for,
)

from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(400)]

#: All but 9, which needs agents.
BEHAVIOURS = range(9)
NUMBERS = [number(b, n) for n in range(34) for b in BEHAVIOURS][:300]


def _broadcast(dialer: Dialer) -> None:
    dialer.trunk(cps=20, max_calls=250)
    shuffled = random.Random(7).sample(NUMBERS, len(NUMBERS))
    dialer.campaign("many", shuffled, mode="broadcast", sound=str(ANNOUNCEMENT), amd="true", max_calls="250")


def _check_once(dialer: Dialer, lab: Lab, since: int) -> None:
    """No lost and no doubled attempt, one CDR each; the carrier saw each number exactly as often as we say."""
    consistent(dialer)
    sent = Counter(row["number"] for row in dialer.attempts() if row["dialed_at"])
    assert set(sent.values()) == {1}
    assert len(dialer.attempts()) == len(NUMBERS)
    seen = calls_at_carrier(lab, since)
    assert not [n for n, times in seen.items() if times > 1]
    known = {row["number"] for row in dialer.attempts() if row["disposition"] not in ("unknown", "canceled", "failed")}
    assert known <= set(seen)


def test_three_hundred_contacts_end_as_their_numbers_demand(lab: Lab, tmp_path: Path) -> None:
    since = log_size(lab)
    with dialer_on(lab, tmp_path) as dialer:
        _broadcast(dialer)
        dialer.serve()
        dialer.run("campaign", "start", "many")
        dialer.wait_finished("many", 180)
        _check_once(dialer, lab, since)
        assert dialer.ends() == {n: ENDS[n.removeprefix("+447700900")[0]] for n in NUMBERS}
        starts = sorted(row["dialed_at"] for row in dialer.attempts())
        assert (len(starts) - 1) / (starts[-1] - starts[0]) * 1000 <= 20.5, "the trunk's calls per second"


def _has_attempts(dialer: Dialer, least: int) -> bool:
    return len(dialer.attempts()) >= least


def test_three_hundred_contacts_with_three_kills_on_the_way(lab: Lab, tmp_path: Path) -> None:
    since = log_size(lab)
    live_at_kill: set[str] = set()
    with dialer_on(lab, tmp_path) as dialer:
        _broadcast(dialer)
        dialer.serve()
        dialer.run("campaign", "start", "many")
        for least in (70, 140, 210):
            wait_for(partial(_has_attempts, dialer, least), "calls are placed", 60, dialer.tail)
            dialer.kill()
            live_at_kill |= {row["number"] for row in dialer.attempts() if row["state"] != "closed"}
            time.sleep(0.5)
            dialer.serve()
        dialer.wait_finished("many", 180)
        _check_once(dialer, lab, since)
        ends = dialer.ends()
        unknown = {n for n, end in ends.items() if end == "unknown"}
        assert unknown <= live_at_kill, "only what was under way when the engine died may be unknown"
        expected = {n: ENDS[n.removeprefix("+447700900")[0]] for n in NUMBERS if n not in unknown}
        assert {n: end for n, end in ends.items() if n not in unknown} == expected
