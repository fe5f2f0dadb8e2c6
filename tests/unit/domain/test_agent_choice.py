"""Which free agent comes first, who an agent is, and how an agent misses a call."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.agent import (
    AgentRecord,
    AgentStrategy,
    Missed,
    extension_of,
    in_turn,
    is_agent,
    missed_by,
    parse_strategy,
)
from astdialer.domain.errors import InvalidSetting

S = AgentStrategy
NOW = 10_000_000


def never() -> float:
    raise AssertionError("only the random strategy is random")


@pytest.mark.parametrize("strategy", S)
@pytest.mark.parametrize("prefix", ["", "agent-"])
@pytest.mark.parametrize("dash", ["-", "_"])
def test_a_strategy_is_read_in_every_spelling(strategy: AgentStrategy, prefix: str, dash: str) -> None:
    text = (prefix + strategy.value).replace("-", dash)
    assert parse_strategy(text) is parse_strategy(f" {text.upper()} ") is strategy


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("agent-with-fewest-calls", S.FEWEST_CALLS),
        ("with_fewest_calls", S.FEWEST_CALLS),
        ("agent-with-least-talk-time", S.LEAST_TALK_TIME),
        ("with_least_talk_time", S.LEAST_TALK_TIME),
        ("longest_idle_agent", S.LONGEST_IDLE),
        ("longest-idle-agent", S.LONGEST_IDLE),
        ("with_least_utilization", S.LEAST_UTILIZATION),
        ("with_highest_waiting_time", S.HIGHEST_WAITING_TIME),
        ("top-down", S.TOP_DOWN),
        ("random", S.RANDOM),
    ],
)
def test_the_source_systems_spellings_are_known(text: str, strategy: AgentStrategy) -> None:
    assert parse_strategy(text) is strategy


@pytest.mark.parametrize("text", ["", "agent", "fewest-calls", "with fewest calls"])
def test_another_word_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"one of random, with-fewest-calls, .*top-down"):
        parse_strategy(text)


ANA = AgentRecord(
    interface="PJSIP/ana", calls=9, talk_s=100, idle_since=3_000_000, offered_at=5_000_000, here_since=1, position=0
)
BEA = AgentRecord(
    interface="PJSIP/bea", calls=5, talk_s=900, idle_since=1_000_000, offered_at=9_000_000, here_since=1, position=2
)
CLO = AgentRecord(
    interface="PJSIP/clo",
    calls=7,
    talk_s=300,
    idle_since=2_000_000,
    offered_at=1_000_000,
    here_since=9_600_000,
    position=1,
)


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (S.FEWEST_CALLS, [BEA, CLO, ANA]),
        (S.LEAST_TALK_TIME, [ANA, CLO, BEA]),
        (S.LONGEST_IDLE, [BEA, CLO, ANA]),
        (S.LEAST_UTILIZATION, [ANA, BEA, CLO]),  # 1 %, 9 %, 75 %
        (S.HIGHEST_WAITING_TIME, [CLO, ANA, BEA]),
        (S.TOP_DOWN, [ANA, CLO, BEA]),
    ],
)
def test_a_strategy_has_its_order(strategy: AgentStrategy, order: list[AgentRecord]) -> None:
    assert in_turn(strategy, [ANA, BEA, CLO], NOW, never) == order
    assert in_turn(strategy, [CLO, BEA, ANA], NOW, never) == order


def test_random_is_by_chance_alone() -> None:
    chances = iter([0.5, 0.9, 0.1])
    assert in_turn(S.RANDOM, [ANA, BEA, CLO], NOW, lambda: next(chances)) == [CLO, ANA, BEA]


@pytest.mark.parametrize("strategy", [s for s in S if s not in (S.RANDOM, S.TOP_DOWN)])
def test_among_equals_who_has_been_idle_longest_comes_first(strategy: AgentStrategy) -> None:
    late, early = AgentRecord(interface="a", idle_since=2), AgentRecord(interface="b", idle_since=1)
    assert in_turn(strategy, [late, early], NOW, never) == [early, late]


@pytest.mark.parametrize("strategy", [s for s in S if s is not S.RANDOM])
def test_among_agents_equal_in_everything_the_queues_order_decides(strategy: AgentStrategy) -> None:
    second, first = AgentRecord(interface="a", position=2), AgentRecord(interface="b", position=1)
    assert in_turn(strategy, [second, first], NOW, never) == [first, second]


def test_who_was_never_in_a_call_or_offered_one_comes_first() -> None:
    new = AgentRecord(interface="new", position=9)
    for strategy in (S.FEWEST_CALLS, S.LEAST_TALK_TIME, S.LONGEST_IDLE, S.LEAST_UTILIZATION, S.HIGHEST_WAITING_TIME):
        assert in_turn(strategy, [ANA, new], NOW, never)[0] is new


def test_utilization_is_talk_per_time_present() -> None:
    assert AgentRecord(interface="a", talk_s=30, here_since=NOW - 60_000).utilization(NOW) == 0.5
    assert AgentRecord(interface="a", talk_s=30, here_since=NOW).utilization(NOW) == 0
    assert AgentRecord(interface="a", talk_s=30).utilization(NOW) == 0


records = st.builds(
    AgentRecord,
    interface=st.text(max_size=3),
    calls=st.integers(0, 3),
    talk_s=st.integers(0, 3),
    idle_since=st.integers(0, 3),
    offered_at=st.integers(0, 3),
    here_since=st.integers(0, NOW),
    position=st.integers(0, 3),
)


@given(st.sampled_from(S), st.lists(records, max_size=6), st.integers())
def test_nobody_is_left_out(strategy: AgentStrategy, agents: list[AgentRecord], seed: int) -> None:
    turn = in_turn(strategy, agents, NOW, random.Random(seed).random)
    assert sorted(map(repr, turn)) == sorted(map(repr, agents))


@pytest.mark.parametrize(
    ("interface", "extension"),
    [
        ("PJSIP/1001", "1001"),
        ("SIP/1001", "1001"),
        ("Local/1001@from-queue/n", "1001"),
        ("Local/1001@from-queue", "1001"),
        ("PJSIP/1001/sip:1001@10.0.0.7", "1001"),
        ("Agent/1001", "1001"),
        ("1001", ""),
        ("", ""),
    ],
)
def test_an_interface_has_an_extension(interface: str, extension: str) -> None:
    assert extension_of(interface) == extension


@pytest.mark.parametrize(
    ("text", "interface", "name", "means"),
    [
        ("1001", "PJSIP/1001", "Ana", True),
        ("1001", "Local/1001@from-queue/n", "Ana", True),
        ("1001", "SIP/1001", "", True),
        ("SIP/1001", "SIP/1001", "", True),
        ("SIP/1001", "PJSIP/1001", "", False),
        ("Local/1001@from-queue/n", "Local/1001@from-queue/n", "Ana", True),
        ("Ana", "PJSIP/1001", "Ana", True),
        ("ana", "PJSIP/1001", "Ana", False),
        ("100", "PJSIP/1001", "Ana", False),
        ("1001", "1001", "", True),
        ("", "1001", "", False),
        ("", "PJSIP/1001", "", False),
    ],
)
def test_an_agent_is_known_by_extension_interface_or_name(text: str, interface: str, name: str, means: bool) -> None:
    assert is_agent(text, interface, name) is means


@pytest.mark.parametrize(
    ("cause", "sip_code", "missed"),
    [
        (17, 486, Missed.BUSY),
        (17, 0, Missed.BUSY),
        (0, 600, Missed.BUSY),
        (21, 486, Missed.BUSY),
        (21, 603, Missed.REJECTED),
        (21, 0, Missed.REJECTED),
        (0, 403, Missed.REJECTED),
        (0, 603, Missed.REJECTED),
        (19, 480, Missed.NO_ANSWER),
        (16, 487, Missed.NO_ANSWER),
        (20, 0, Missed.NO_ANSWER),
        (0, 0, Missed.NO_ANSWER),
    ],
)
def test_an_agents_leg_says_how_the_call_was_missed(cause: int, sip_code: int, missed: Missed) -> None:
    assert missed_by(cause, sip_code) is missed
