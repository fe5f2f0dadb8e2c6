"""What keeps a campaign from placing more calls."""

from __future__ import annotations

from enum import StrEnum


class Limit(StrEnum):
    """What keeps a campaign from placing more calls. The text is what ``campaign explain`` says."""

    NOT_RUNNING = "not running"
    ASTERISK_DOWN = "Asterisk is down"
    STORE_DOWN = "the store does not write"
    NO_TRUNK = "the trunk can't be used"
    REFUSED = "Asterisk refuses the calls"
    OUTSIDE_HOURS = "outside calling hours"
    LIST_EMPTY = "no contacts left"
    NOTHING_DUE = "nothing is due"
    LOOKING_ON = "many contacts that can't be called now are in front: looking further"
    OTHERS_CONTACTS = "what is due is for agents who are not free"
    NEEDS_AGENTS = "what is due is for certain agents, and a broadcast has none"
    NO_AGENTS = "no agent is logged in"
    NO_FREE_AGENT = "no free agent"
    AGENTS_COVERED = "all free agents are covered"
    RISK = "one call more would risk an answer that nobody is free for"
    LEARNING = "too little is known to predict: one call for each free agent"
    ABANDONMENT = "the abandonment limit is reached: one call for each free agent"
    GROWTH = "calls may not grow faster"
    CAMPAIGN_FULL = "the campaign's limit of calls"
    CAMPAIGN_RATE = "the campaign's calls per second"
    TRUNK_FULL = "the trunk's limit of calls"
    TRUNK_RATE = "the trunk's calls per second"
    ENGINE_FULL = "the engine's limit of calls"
    ENGINE_RATE = "the engine's calls per second"
    SHARED = "other campaigns' share of agents and trunks"
    LAST_CALLS = "waiting for the last calls to end"


#: What campaigns share: whoever waits for one of these keeps its turn, see sharing.share.
SHARED_LIMITS = frozenset(
    {
        Limit.NO_FREE_AGENT,
        Limit.AGENTS_COVERED,
        Limit.RISK,
        Limit.LEARNING,
        Limit.ABANDONMENT,
        Limit.GROWTH,
        Limit.TRUNK_FULL,
        Limit.TRUNK_RATE,
        Limit.ENGINE_FULL,
        Limit.ENGINE_RATE,
    }
)
