"""What an answered call does next."""

from __future__ import annotations

from astdialer.domain.amd import Action, Verdict, is_machine
from astdialer.domain.settings import NotSure, Settings


def action_for(settings: Settings, verdict: Verdict | None, *, bound: bool = False) -> Action:
    """A machine hears the message or is hung up; a person goes to the agents, the sound, or the own dialplan.

    ``bound``: an agent was called first, and waits on the line.
    """
    if verdict is Verdict.HANGUP:
        return Action.HANGUP
    if is_machine(verdict, not_sure_is_machine=settings.amd_not_sure is NotSure.MACHINE):
        return machine_action(settings)
    return person_action(settings, bound=bound)


def machine_action(settings: Settings) -> Action:
    """A machine hears the campaign's message if it has one."""
    return Action.MESSAGE if settings.message else Action.HANGUP


def person_action(settings: Settings, *, bound: bool = False) -> Action:
    """Where a person goes, and where the dialplan sends a call when the engine does not answer."""
    if bound:
        return Action.AGENT
    if settings.goto:
        return Action.GOTO
    return Action.QUEUE if settings.mode.needs_agents else Action.PLAY
