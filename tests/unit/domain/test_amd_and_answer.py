"""What AMD says, and what an answered call does next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.amd import Action, AmdParameters, Verdict, is_machine
from astdialer.domain.answer import action_for
from astdialer.domain.settings import Mode, NotSure, Settings

BROADCAST = Settings(mode=Mode.BROADCAST, sound="hello")


@pytest.mark.parametrize(
    ("settings", "verdict", "action"),
    [
        (Settings(), None, Action.QUEUE),
        (Settings(mode=Mode.POWER), Verdict.HUMAN, Action.QUEUE),
        (BROADCAST, Verdict.HUMAN, Action.PLAY),
        (Settings(goto="own,s,1"), None, Action.GOTO),
        (Settings(goto="own,s,1"), Verdict.MACHINE, Action.HANGUP),
        (Settings(), Verdict.MACHINE, Action.HANGUP),
        (Settings(message="beep"), Verdict.MACHINE, Action.MESSAGE),
        (Settings(), Verdict.NOTSURE, Action.QUEUE),
        (Settings(amd_not_sure=NotSure.MACHINE, message="beep"), Verdict.NOTSURE, Action.MESSAGE),
        (Settings(message="beep"), Verdict.HANGUP, Action.HANGUP),
    ],
)
def test_an_answered_call_goes_on(settings: Settings, verdict: Verdict | None, action: Action) -> None:
    assert action_for(settings, verdict) is action


@pytest.mark.parametrize(
    ("settings", "verdict", "action"),
    [
        (Settings(), None, Action.AGENT),
        (BROADCAST, Verdict.HUMAN, Action.AGENT),
        (Settings(goto="own,s,1"), Verdict.NOTSURE, Action.AGENT),
        (Settings(message="beep"), Verdict.MACHINE, Action.MESSAGE),
        (Settings(), Verdict.MACHINE, Action.HANGUP),
        (Settings(), Verdict.HANGUP, Action.HANGUP),
    ],
)
def test_a_person_goes_to_the_agent_who_was_called_first(
    settings: Settings, verdict: Verdict | None, action: Action
) -> None:
    assert action_for(settings, verdict, bound=True) is action


@given(st.text() | st.sampled_from(list(Verdict)))
def test_a_word_amd_does_not_have_is_not_sure(text: str) -> None:
    verdict = Verdict.parse(text)
    assert verdict == text if text in list(Verdict) else verdict is Verdict.NOTSURE


def test_no_detection_means_a_person() -> None:
    assert not is_machine(None, not_sure_is_machine=True)


def test_amd_gets_its_nine_arguments_in_its_order() -> None:
    assert AmdParameters().argument() == "2500,1500,800,5000,100,50,3,256,5000"
    assert Settings(amd_max_words=7).amd_parameters.argument().split(",")[6] == "7"
