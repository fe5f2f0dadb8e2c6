"""Routes, caller ids, awaited results, tasks and changed rules, as the carrier sees them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dialing import ANNOUNCEMENT, consistent, log_size, number, wait_for
from floor import AGENT_FIRST, STAYS, Floor, floor_on, since

from astdialer import lab as laboratory
from astdialer.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(200)]

SOUND = {"mode": "broadcast", "sound": str(ANNOUNCEMENT)}
CARRIER = "PJSIP/{number}@carrier"
NATIONAL = r"^44(\d+)$"


@pytest.fixture
def floor(lab: Lab, tmp_path: Path) -> Iterator[Floor]:
    with floor_on(lab, tmp_path, STAYS) as found:
        yield found


# --- routes and trunks -----------------------------------------------------------------------------------------------


def test_calls_leave_by_the_first_trunk_that_has_room_and_is_well(floor: Floor) -> None:
    for name, more in (("narrow", "1"), ("off", "9"), ("sick", "9")):
        floor.run("trunk", "create", name, "--dial", CARRIER, "--cps", "20", "--max-calls", more)
    floor.run("trunk", "set", "off", "--disabled")
    floor.run("route", "create", "full", "--pattern", NATIONAL, "--to", "narrow@1", "--to", "carrier=0$1@2")
    floor.run("route", "create", "shut", "--pattern", NATIONAL, "--to", "off@1", "--to", "carrier=0$1@2")
    floor.run(
        "route", "create", "ill", "--pattern", r"^447700900\d(\d\d)$", "--to", "sick=4477009006$1", "--to", "carrier"
    )
    floor.campaign("full", [number(8, n) for n in range(4)], **SOUND, routes="full", trunk="")
    floor.campaign("shut", [number(8, 5), "+12125550100"], **SOUND, routes="shut", trunk="")
    floor.campaign("ill", [number(8, n) for n in range(10, 28)], **SOUND, routes="ill", trunk="", max_calls="1")
    at = log_size(floor.lab)
    floor.serve()
    floor.start("full", "shut", "ill")
    wait_for(lambda: _trunk(floor, "sick")["rests_until"], "the trunk rests", 20, floor.tail)
    assert "answers with congestion" in _trunk(floor, "sick")["why_rests"]
    floor.run("route", "set", "ill", "--to", "sick", "--to", "carrier")  # well again
    for name in ("full", "shut", "ill"):
        wait_for(lambda name=name: floor.state(name) == "finished", f"{name} finishes", 60, floor.tail)  # type: ignore[misc]
    consistent(floor)
    _the_second_trunk_takes_what_the_first_can_not(floor, since(floor.lab, at))
    _a_trunk_rests_and_comes_back(floor.of("ill"))


def _trunk(floor: Floor, name: str) -> dict[str, Any]:
    rows = (floor.view() or {"trunks": []})["trunks"]
    return next((row for row in rows if row["trunk"] == name), {"rests_until": None})


def _the_second_trunk_takes_what_the_first_can_not(floor: Floor, log: str) -> None:
    rows = floor.of("full")
    assert Counter(row["trunk"] for row in rows).keys() == {"narrow", "carrier"}
    narrow = sorted((row["created_at"], row["gone_at"]) for row in rows if row["trunk"] == "narrow")
    assert all(ended <= began for (_, ended), (began, _) in pairwise(narrow)), "one call at a time"
    [shut] = floor.of("shut")
    assert (shut["trunk"], shut["dialed_as"], shut["disposition"]) == ("carrier", "07700900805", "short")
    wanted = [row["dialed_as"] for row in (*rows, shut)]
    assert all(f"[{digits}@from-pbx:1]" in log for digits in wanted), "the carrier was given what the routes made"
    assert {digits[:2] for digits in wanted} == {"44", "07"}
    stranger = floor.contacts("shut")[1]
    assert (stranger["end_reason"], stranger["end_cause"]) == ("no route", "NO_ROUTE")


def _a_trunk_rests_and_comes_back(rows: list[dict[str, Any]]) -> None:
    trunks = [row["trunk"] for row in rows]
    rests = trunks.index("carrier")
    assert rests >= 3
    late = rows[2]["gone_at"] + 5000  # by then the third is closed, and nobody is claimed for the trunk any more
    assert all(row["created_at"] < late for row in rows[3:rests])
    assert {row["disposition"] for row in rows[:rests]} == {"congestion"}
    back = trunks.index("sick", rests)
    assert set(trunks[rests:back]) == {"carrier"}, "the second carries on meanwhile"
    assert 9_500 < rows[back]["created_at"] - rows[2]["gone_at"] < 40_000, "it comes back by itself"
    assert {row["disposition"] for row in rows[rests:]} == {"short"}
    assert set(trunks[back:]) == {"sick"}


def test_what_the_carrier_is_shown(floor: Floor) -> None:
    floor.run("callerid", "create", "team", "442079460021", "442079460022")
    rings = SOUND | {"originate_timeout_s": "5"}
    floor.campaign("list", [number(3, n) for n in range(3)], **rings | {"caller_id": "442079460001 | 442079460002"})
    floor.campaign("range", [number(3, n) for n in range(10, 13)], **rings | {"caller_id": "442079460011-19"})
    own = f"{number(3, 24)};outbound_caller_id_number=442079460031:outbound_caller_id_name=Ann;"
    floor.campaign("pool", [*(number(3, n) for n in range(20, 24)), own], **rings | {"caller_id": "pool:team"})
    floor.run("trunk", "create", "own", "--dial", CARRIER, "--caller-id", "442079460041", "--max-calls", "1")
    floor.campaign("trunk", [number(3, 30)], **rings | {"trunk": "own"})
    floor.run("route", "create", "mine", "--pattern", "^44", "--to", "own")
    floor.run("route", "create", "others", "--pattern", "^1", "--to", "carrier")
    floor.campaign("waits", [number(8, 31)], **SOUND, routes="mine,others", trunk="")
    floor.serve()
    names = ("list", "range", "pool", "trunk")
    floor.start(*names)
    seen: dict[str, str] = {}

    def all_seen() -> bool:
        seen.update(_at_carrier(floor.lab))
        is_written = all(row["caller_id"] for name in names for row in floor.of(name))
        return len(seen) == 12 and is_written

    wait_for(all_seen, "all ring", 20, lambda: f"{seen}")
    sent = {name: Counter(row["caller_id"] for row in floor.of(name)) for name in names}
    assert set(sent["list"]) <= {"442079460001", "442079460002"}
    assert all(442079460011 <= int(each) <= 442079460019 for each in sent["range"])
    assert sent["pool"] == {"442079460021": 2, "442079460022": 2, "Ann <442079460031>": 1}, "they take turns"
    assert sent["trunk"] == {"442079460041": 1}
    plain = Counter(re.sub(r".*<(\d+)>", r"\1", shown) for each in sent.values() for shown in each.elements())
    assert Counter(seen.values()) == plain
    floor.start("waits")
    wait_for(lambda: _limit(floor, "waits") == "the trunk's limit of calls", "it waits for its trunk", 4, floor.tail)
    for name in names:
        wait_for(lambda name=name: floor.state(name) == "finished", f"{name} finishes", 60, floor.tail)  # type: ignore[misc]
        assert Counter(row["src"] for row in floor.of(name)) == Counter(
            re.sub(r".*<(\d+)>", r"\1", shown) for shown in sent[name].elements()
        )

    [freed], [waited] = floor.of("trunk"), floor.wait_closed("waits", 1)
    assert 0 <= waited["created_at"] - freed["gone_at"] < 2000, "it takes the trunk when another campaign leaves it"


def _at_carrier(lab: Lab) -> dict[str, str]:
    """The caller id that each channel of the carrier shows."""
    rows = [row.split("!") for row in laboratory.rx(lab, "carrier", "core show channels concise").splitlines()]
    return {row[0]: row[7] for row in rows if len(row) > 7 and row[7]}


# --- results, tasks, rules -------------------------------------------------------------------------------------------


def test_awaited_results_tasks_and_changed_rules(floor: Floor) -> None:
    """Five campaigns at once, each about one of them."""
    waits = {"wait_for_result": "true", "result_timeout_s": "4", "wrap_up_s": "0"}
    floor.campaign("held", [number(8, 1), number(8, 2)], **AGENT_FIRST, agents=STAYS, **waits)
    later = _hour(2)
    floor.campaign("hours", [number(2, n) for n in range(3)], **SOUND, calling_hours=later, eternal_queue="true")
    floor.campaign("range", [number(2, 10)], **SOUND, ranges=f"P={later}/5@1")
    floor.run("calendar", "create", "week", "--hours", f"mon-sun {later}")
    floor.campaign("calendar", [number(2, 20)], **SOUND, calendar="week")
    floor.campaign("tasks", [number(8, n) for n in range(30, 38)], **SOUND, max_calls="1")
    floor.serve()
    floor.start("held", "hours", "range", "calendar", "tasks")
    at = int(time.time()) + 4
    _add_task(floor, number(8, 50), "--at", _words(at))
    _add_task(floor, number(8, 51), "--at", _words(at + 3600))
    floor.wait_closed("tasks", 1)
    added_at = time.time() * 1000
    _add_task(floor, number(8, 52))
    _rules_change(floor)
    _results(floor)
    wait_for(lambda: len(floor.closed("tasks")) == 10, "all but the one in an hour are dialed", 40, floor.tail)
    _the_order_of_tasks(floor, at * 1000, added_at)
    _a_scheduled_call_is_withdrawn(floor)
    wait_for(lambda: floor.state("tasks") == "finished", "nothing is left", 10, floor.tail)
    consistent(floor)


def _hour(ahead: int) -> str:
    """An hour of the day that is not now, here or in Britain."""
    return time.strftime("%H:00-%H:59", time.gmtime(time.time() + ahead * 3600))


def _words(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _add_task(floor: Floor, called: str, *words: str) -> None:
    floor.run("task", "add", "tasks", called, *words)


def _limit(floor: Floor, name: str) -> str:
    return str(floor.ask("campaign", "explain", name)["limit"])


def _rules_change(floor: Floor) -> None:
    """Within two seconds, both ways; who was put off by the rule comes up at once."""
    wait_for(lambda: floor.contacts("range")[0]["state"] == "waiting", "a range puts it off", 10, floor.tail)
    for name in ("hours", "calendar"):
        wait_for(lambda name=name: _limit(floor, name) == "outside calling hours", "hours bind", 10)  # type: ignore[misc]
    assert [floor.of(name) for name in ("hours", "range", "calendar")] == [[], [], []]
    floor.run("campaign", "set", "hours", "calling_hours=00:00-24:00", "max_calls=1")
    floor.run("campaign", "set", "range", "ranges=")
    floor.run("calendar", "set", "week", "--hours", "mon-sun 00:00-24:00")
    changed_at = time.time() * 1000
    for name in ("hours", "range", "calendar"):
        first = floor.wait_closed(name, 1)[0]
        assert first["created_at"] - changed_at < 2000, name
    floor.run("campaign", "set", "hours", "calling_hours=" + _hour(3))
    floor.run("upload", str(_more(floor)), "--campaign", "hours")
    wait_for(lambda: _limit(floor, "hours") == "outside calling hours", "hours bind again", 3, floor.tail)
    assert [row for row in floor.of("hours") if row["number"] == number(2, 29)] == []


def _more(floor: Floor) -> Path:
    base = floor.directory / "more.csv"
    base.write_text(f"number\n{number(2, 29)}\n")
    return base


def _results(floor: Floor) -> None:
    first, second = floor.contacts("held")
    wait_for(lambda: floor.contacts("held")[0]["state"] == "held", "a result is awaited", 20, floor.tail)
    [talk] = floor.closed("held")[:1]
    assert talk["disposition"] == "answered"
    said = floor.run("contact", "result", str(first["id"]), "--success", "--call", talk["id"]).stderr
    assert f"contact {first['id']} is done" in said
    again = floor.run("contact", "result", str(first["id"]), "--success", check=False)
    assert "no result is awaited" in again.stderr
    wait_for(lambda: floor.contacts("held")[1]["state"] == "held", "the second one's is awaited", 20, floor.tail)
    wait_for(lambda: floor.contacts("held")[1]["state"] == "waiting", "it is not awaited for ever", 8, floor.tail)
    freed = next(row for row in floor.contacts("held") if row["id"] == second["id"])
    assert (freed["end_reason"], freed["tries"]) == ("", 0), "without a result it was no try"


def _the_order_of_tasks(floor: Floor, at: int, added_at: float) -> None:
    rows = floor.closed("tasks")
    order = [row["number"] for row in rows]
    dated, added = order.index(number(8, 50)), order.index(number(8, 52))
    assert 0 <= rows[dated]["created_at"] - at < 2500, "at its time, when the line is free"
    assert 0 <= rows[added]["created_at"] - added_at < 3500, "as soon as the line is free"
    assert max(dated, added) < 9, "and before what is left of the list"


def _a_scheduled_call_is_withdrawn(floor: Floor) -> None:
    assert [row["number"] for row in floor.ask("task", "list", "tasks")] == [number(8, 51)]
    floor.run("blacklist", "add", number(8, 51))
    assert floor.ask("task", "list", "tasks") == []
    [found] = floor.ask("contact", "list", "--number", number(8, 51))
    assert (found["state"], found["end_reason"]) == ("done", "blacklisted")
