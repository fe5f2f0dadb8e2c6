"""docs/reference/source-systems.md: every row of the source systems' checklist, with tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from astdialer.domain.campaign import CampaignState
from astdialer.domain.limit import Limit
from astdialer.domain.pacing import Snapshot, decide
from astdialer.domain.settings import Mode, Settings, parse_settings
from astdialer.engine.rulebook import redial_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/source-systems.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", PAGE)))
#: Of the checklist: what dialing by the rules of the source systems is about.
ROW_NUMBERS = [*range(1, 16), *range(17, 22), *range(23, 35)]


def section(number: int) -> str:
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


@cache
def functions(path: str) -> frozenset[str]:
    """Of a test file; none if there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module(body=[], type_ignores=[])
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("number", ROW_NUMBERS)
def test_a_row_has_its_tests(number: int) -> None:
    assert re.search(r"tests/[\w/]+\.py::test_\w+", section(number)), f"row {number}"


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda text: text.rpartition("/")[2])
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in functions(path)


def test_whatever_is_said_to_be_built_names_a_test() -> None:
    executed = section(14).partition("\n\n| what")[0]
    lines = [line for line in PAGE.replace(executed, "").splitlines() if line.startswith("| ")]
    told = [line for line in lines if "::test_" not in line and not line.endswith("| shown by |")]
    assert [line for line in told if not line.endswith("| issue 4 |")] == []


def test_every_executed_outcome_has_its_row() -> None:
    """Of the table in section 14, the second column."""
    table = section(14).partition("|---|---|\n")[2].partition("\n\n")[0]
    named = [line.strip("| ").split(" | ")[1] for line in table.splitlines()]
    assert len(named) == 12
    executed = (ROOT / "tests/unit/domain/test_redial_rules.py").read_text(encoding="utf-8")
    assert set(named) <= set(re.findall(r'\bRow\(\s*"([^"]+)"', executed))


# --- decisions that no other test is about ---------------------------------------------------------------------------


def test_the_law_is_the_default() -> None:
    """Hours, safe harbour, ring time, rest after an abandoned call, caps: for whoever sets nothing."""
    settings = Settings()
    assert settings.calling_hours == "08:00-21:00"
    assert (settings.agent_wait_s, settings.min_ring_s, settings.abandoned_rest_h) == (2, 15, 72)
    assert (settings.attempts_per_day, settings.attempts_per_week) == (3, 7)
    assert settings.retry_abandoned.tries == 1


def test_a_broadcast_awaits_no_result() -> None:
    """Nobody is there who could give one: Webitel forces waitingForResultStatus off."""
    waits = {"wait_for_result": "yes", "result_timeout_s": "60"}
    assert redial_rules(parse_settings(waits), None, "UTC").hold_s == 60
    assert redial_rules(parse_settings(waits | {"mode": "broadcast"}), None, "UTC").hold_s == 0


def test_a_trunk_of_no_channels_is_blocked() -> None:
    snapshot = Snapshot(
        state=CampaignState.RUNNING,
        mode=Mode.BROADCAST,
        lines_per_agent=1,
        max_calls=9,
        calls=0,
        waiting_calls=0,
        logged_in_agents=0,
        free_agents=0,
        trunk_usable=True,
        trunk_max_calls=0,
        trunk_calls=0,
        trunk_rate_room=9,
        engine_room=9,
        server_up=True,
        store_writes=True,
        refused=False,
        open_zones=1,
    )
    assert (decide(snapshot, 0.0).calls, decide(snapshot, 0.0).limit) == (0, Limit.TRUNK_FULL)
