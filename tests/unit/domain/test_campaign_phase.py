"""What a campaign is doing in the source systems' words, and what it lacks before it can start."""

import pytest

from astdialer.domain.campaign import ACTIVE, Campaign, CampaignState, Phase, phase_of, problems
from astdialer.domain.settings import Mode, Settings

S = CampaignState


@pytest.mark.parametrize(
    ("state", "open_now", "phase"),
    [
        (S.IDLE, True, Phase.IDLE),
        (S.RUNNING, True, Phase.WORK),
        (S.RUNNING, False, Phase.SLEEP),
        (S.PAUSED, True, Phase.STOPPING),
        (S.STOPPING, True, Phase.STOPPING),
        (S.STOPPED, True, Phase.STOPPING),
        (S.FINISHED, True, Phase.END),
        (S.ERROR, True, Phase.ERROR),
    ],
)
def test_every_state_has_its_phase(state: CampaignState, open_now: bool, phase: Phase) -> None:
    assert phase_of(state, open_now=open_now) is phase


@pytest.mark.parametrize("state", [state for state in S if state is not S.RUNNING])
def test_only_a_running_campaign_sleeps(state: CampaignState) -> None:
    assert phase_of(state, open_now=False) is phase_of(state, open_now=True)


def test_only_what_was_started_and_has_not_ended_may_have_live_calls() -> None:
    assert set(ACTIVE) == {S.RUNNING, S.PAUSED, S.STOPPING}


@pytest.mark.parametrize("state", S)
def test_only_what_was_never_started_starts_by_itself(state: CampaignState) -> None:
    dated = Campaign(id=1, name="a", state=state, settings=Settings(start_at="2026-12-01T10:00Z"))
    assert dated.starts_by_itself == (1_796_119_200_000 if state is S.IDLE else None)
    assert Campaign(id=1, name="a", state=state, settings=Settings()).starts_by_itself is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), ["trunk=NAME", "queue=NAME"]),
        (Settings(trunk="t"), ["a progressive campaign needs agents"]),
        (Settings(trunk="t", queue="q"), []),
        (Settings(routes="r", queue="q"), []),
        (Settings(routes="r", mode=Mode.PREVIEW), ["a preview campaign needs agents"]),
        (Settings(trunk="t", mode=Mode.BROADCAST), ["sound=FILE"]),
        (Settings(trunk="t", mode=Mode.BROADCAST, goto="own,s,1"), []),
        (Settings(trunk="t", mode=Mode.BROADCAST, sound="x"), []),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(settings: Settings, words: list[str]) -> None:
    found = problems(settings)
    assert len(found) == len(words)
    assert all(word in problem for word, problem in zip(words, found, strict=True))
