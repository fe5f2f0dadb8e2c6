"""What an administrator says about agents: the use cases of CLI and HTTP. The engine follows within a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from astdialer.domain.agent import AgentProfile
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.names import AGENT, check_name
from astdialer.ports import Store

#: An agent's own numbers, the least and the largest each; None is as the campaign says.
LIMITS: Mapping[str, tuple[int, int]] = {
    "call_timeout_s": (1, 600),
    "wrap_up_s": (0, 3600),
    "max_no_answer": (0, 100),
    "busy_delay_s": (0, 3600),
    "reject_delay_s": (0, 3600),
    "no_answer_delay_s": (0, 3600),
}
LONGEST_NAME = 100


async def find(store: Store, agent: str) -> AgentProfile:
    """What is said about an agent. Raises NotFound."""
    for profile in await store.agents():
        if profile.agent == agent:
            return profile
    raise NotFound("agent profile", agent, "see astdialer agent profiles")


async def change(store: Store, agent: str, changes: Mapping[str, Any]) -> AgentProfile:
    """Say something more, or something else, about an agent. Raises InvalidSetting."""
    known = next((one for one in await store.agents() if one.agent == agent), AgentProfile(agent=agent))
    return await put(store, dataclasses.replace(known, **changes))


async def put(store: Store, profile: AgentProfile) -> AgentProfile:
    """This, and nothing else, is said about the agent. Raises InvalidSetting."""
    await store.save_agent(check(profile))
    return profile


def check(profile: AgentProfile) -> AgentProfile:
    """The profile, if all of it can be. Raises InvalidSetting."""
    if not AGENT.fullmatch(profile.agent):
        raise InvalidSetting("agent", profile.agent, "an extension such as 1001, or an interface such as PJSIP/1001")
    if len(profile.name) > LONGEST_NAME or not profile.name.isprintable():
        raise InvalidSetting("name", profile.name[:LONGEST_NAME], f"{LONGEST_NAME} printable characters at most")
    for name in (*profile.skills, *profile.buckets):
        check_name(name)
    for key, (low, high) in LIMITS.items():
        value = getattr(profile, key)
        if value is not None and not low <= value <= high:
            raise InvalidSetting(key, value, f"a whole number from {low} to {high}")
    return profile
