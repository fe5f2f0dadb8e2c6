"""Answering-machine detection: its parameters, its verdict, and what the campaign does about it."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """AMDSTATUS of Asterisk's AMD()."""

    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    NOTSURE = "NOTSURE"
    HANGUP = "HANGUP"  #: hung up during the analysis

    @classmethod
    def parse(cls, text: str) -> Verdict:
        """AMDSTATUS as Asterisk set it; empty (AMD could not listen) and unknown words are NOTSURE."""
        return cls(text) if text in cls.__members__ else cls.NOTSURE


class Action(StrEnum):
    """What an answered call does next; each has a context ``astdialer-<action>`` in the dialplan."""

    QUEUE = "queue"
    AGENT = "agent"  #: to the one who was reserved and called first
    PLAY = "play"
    GOTO = "goto"
    MESSAGE = "message"
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmdParameters:
    """The nine arguments of AMD(), in its order; milliseconds but for the word count and the threshold (0..32767)."""

    initial_silence_ms: int = 2500
    greeting_ms: int = 1500
    after_greeting_silence_ms: int = 800
    total_analysis_ms: int = 5000
    min_word_ms: int = 100
    between_words_ms: int = 50
    max_words: int = 3
    silence_threshold: int = 256
    max_word_ms: int = 5000

    def argument(self) -> str:
        """The one data argument of ``EXEC AMD``."""
        return ",".join(str(value) for value in astuple(self))


def is_machine(verdict: Verdict | None, *, not_sure_is_machine: bool) -> bool:
    """Whether the answering side counts as a machine. No verdict (no AMD) is a person."""
    return verdict is Verdict.MACHINE or (verdict is Verdict.NOTSURE and not_sure_is_machine)
