"""Campaigns: their states and every setting, each declared once with its meaning and its limits.

A setting's text form is what the CLI takes, the store keeps and docs/reference/campaign-settings.md lists.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from astdialer.domain import calendar
from astdialer.domain.amd import AmdParameters
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.outcome import OutcomeRules
from astdialer.domain.retry import DEFAULTS, Retry

#: Sent to the dialplan in an AMI header: no control characters, no separators.
_PLAIN = re.compile(r"[^\x00-\x1f\x7f,;|\"'\\$`{}]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?")
_GOTO = re.compile(r"[\w.-]{1,79},[\w.+*#-]{1,79},(\d{1,4}|[A-Za-z]\w{0,78})")


class CampaignState(StrEnum):
    """What a campaign is doing."""

    IDLE = "idle"  #: made, never started
    RUNNING = "running"  #: dials whenever its rules allow
    PAUSED = "paused"  #: places no new call; live ones run on
    STOPPING = "stopping"  #: as paused, and becomes stopped when the last live call has ended
    STOPPED = "stopped"  #: ended by the administrator
    FINISHED = "finished"  #: every contact is done


#: States in which a campaign may have live calls.
ACTIVE = frozenset({CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPING})


class Mode(StrEnum):
    """How a campaign decides how many calls to place."""

    BROADCAST = "broadcast"  #: no agents: the person hears a sound file
    POWER = "power"  #: a fixed number of lines for each free agent
    PROGRESSIVE = "progressive"  #: one line for each free agent

    @property
    def needs_agents(self) -> bool:
        """Whether calls go to a queue."""
        return self is not Mode.BROADCAST


class NotSure(StrEnum):
    """What AMD's NOTSURE counts as."""

    PERSON = "person"
    MACHINE = "machine"


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def parse(key: str, text: str) -> int:
        if re.fullmatch(r"-?\d{1,9}", text) and low <= int(text) <= high:
            return int(text)
        raise InvalidSetting(key, text, f"a whole number from {low} to {high}")

    return parse


def _number(low: float, high: float) -> Callable[[str, str], float]:
    def parse(key: str, text: str) -> float:
        if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) and low <= float(text) <= high:
            return float(text)
        raise InvalidSetting(key, text, f"a number from {low:g} to {high:g}")

    return parse


def _flag(key: str, text: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if text.lower() not in words:
        raise InvalidSetting(key, text, "true or false")
    return words[text.lower()]


def _choice(kind: type[StrEnum]) -> Callable[[str, str], Any]:
    def parse(key: str, text: str) -> Any:
        if text not in list(kind):
            raise InvalidSetting(key, text, "one of " + ", ".join(kind))
        return kind(text)

    return parse


def _matching(pattern: re.Pattern[str], expected: str, longest: int = 255) -> Callable[[str, str], str]:
    def parse(key: str, text: str) -> str:
        if text and (len(text) > longest or not pattern.fullmatch(text)):
            raise InvalidSetting(key, text, expected)
        return text

    return parse


def _plain(what: str) -> Callable[[str, str], str]:
    return _matching(_PLAIN, f"{what} without commas, quotes, braces or control characters, 255 characters at most")


def _hours(key: str, text: str) -> str:
    calendar.parse_hours(text)
    return text


def _weekdays(key: str, text: str) -> str:
    if not calendar.parse_weekdays(text):
        raise InvalidSetting(key, text, "at least one day, such as mon-fri")
    return text


def _zone(key: str, text: str) -> str:
    if text:
        calendar.zone_of(text)
    return text


def _retry(key: str, text: str) -> Retry:
    match = re.fullmatch(r"(\d{1,3})/(\d{1,8})", text)
    if not match or int(match[1]) < 1:
        raise InvalidSetting(key, text, "TRIES/DELAY, attempts (1 or more) and seconds between them, such as 3/600")
    return Retry(tries=int(match[1]), delay_s=int(match[2]))


def _setting(default: Any, parse: Callable[[str, str], Any], doc: str) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc})


def _amd(argument: str, doc: str) -> Any:
    default = AmdParameters.__dataclass_fields__[argument].default
    return _setting(default, _whole(0, 32767), doc)


def _try(disposition: Disposition) -> Any:
    return _setting(
        DEFAULTS[disposition], _retry, f"Attempts that may end {disposition.value}, and seconds between them."
    )


D = Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an administrator may set. Names ending in _s are seconds, in _ms milliseconds."""

    mode: Mode = _setting(Mode.PROGRESSIVE, _choice(Mode), "How many calls to place: progressive, power or broadcast.")
    priority: int = _setting(0, _whole(-1000, 1000), "Campaigns with a higher one get shared trunks and agents first.")
    trunk: str = _setting("", _matching(_NAME, "a trunk's name"), "The trunk that the calls leave by.")
    queue: str = _setting("", _matching(_NAME, "a queue's name"), "The Asterisk queue whose agents take the calls.")
    caller_id: str = _setting("", _plain("a caller id"), "Number, or Name <number>, that the called person sees.")
    lines_per_agent: float = _setting(2.0, _number(1, 10), "Power: calls placed for each free agent.")
    max_calls: int = _setting(30, _whole(1, 10000), "Calls of this campaign at a time, talks included.")
    originate_timeout_s: int = _setting(30, _whole(5, 600), "How long a number may ring.")
    agent_wait_s: int = _setting(2, _whole(1, 600), "How long an answered person may wait for a free agent.")
    wrap_up_s: int = _setting(10, _whole(0, 3600), "Rest of an agent after a talk. Give the queue the same wrapuptime.")
    short_call_s: int = _setting(0, _whole(0, 600), "A talk, or a broadcast, that ends sooner is short, not answered.")
    safe_harbour: str = _setting(
        "astdialer-safe-harbour",
        _plain("a sound file"),
        "Sound for a person who meets no free agent in time.",
    )
    sound: str = _setting("", _plain("a sound file"), "Broadcast: what the answered person hears.")
    key_wait_s: int = _setting(
        0, _whole(0, 60), "Broadcast: seconds to wait for a key press after it; 0 asks for none."
    )
    message: str = _setting("", _plain("a sound file"), "What a machine hears after its greeting; empty: hang up.")
    goto: str = _setting(
        "",
        _matching(_GOTO, "context,extension,priority"),
        "Own dialplan for answered persons, in place of queue or sound.",
    )
    record: bool = _setting(True, _flag, "Record talks.")
    amd: bool = _setting(False, _flag, "Run answering-machine detection on answered calls.")
    amd_not_sure: NotSure = _setting(NotSure.PERSON, _choice(NotSure), "What AMD's NOTSURE counts as.")
    amd_initial_silence_ms: int = _amd("initial_silence_ms", "Silence before the greeting that makes a machine.")
    amd_greeting_ms: int = _amd("greeting_ms", "A greeting longer than this makes a machine.")
    amd_after_greeting_silence_ms: int = _amd(
        "after_greeting_silence_ms", "Silence after the greeting that makes a person."
    )
    amd_total_analysis_ms: int = _amd("total_analysis_ms", "Longest analysis.")
    amd_min_word_ms: int = _amd("min_word_ms", "Shorter sounds are no words.")
    amd_between_words_ms: int = _amd("between_words_ms", "Silence that separates words.")
    amd_max_words: int = _amd("max_words", "A greeting with more words makes a machine.")
    amd_silence_threshold: int = _amd("silence_threshold", "Level under which audio is silence, 0 to 32767.")
    amd_max_word_ms: int = _amd("max_word_ms", "A single longer word makes a machine.")
    calling_hours: str = _setting("08:00-21:00", _hours, "Local hours of the called number, from-to.")
    weekdays: str = _setting("mon-sun", _weekdays, "Days on which to call.")
    timezone: str = _setting("", _zone, "Zone of numbers whose base has none; empty: [engine] timezone.")
    retry_machine: Retry = _try(D.MACHINE)
    retry_busy: Retry = _try(D.BUSY)
    retry_no_answer: Retry = _try(D.NO_ANSWER)
    retry_rejected: Retry = _try(D.REJECTED)
    retry_invalid_number: Retry = _try(D.INVALID_NUMBER)
    retry_congestion: Retry = _try(D.CONGESTION)
    retry_failed: Retry = _try(D.FAILED)
    retry_abandoned: Retry = _try(D.ABANDONED)
    retry_short: Retry = _try(D.SHORT)
    retry_unknown: Retry = _try(D.UNKNOWN)

    @property
    def amd_parameters(self) -> AmdParameters:
        """The nine arguments of AMD()."""
        names = (f.name for f in dataclasses.fields(AmdParameters))
        return AmdParameters(**{name: getattr(self, f"amd_{name}") for name in names})

    @property
    def window(self) -> calendar.CallingWindow:
        """When numbers may be dialed."""
        start, end = calendar.parse_hours(self.calling_hours)
        return calendar.CallingWindow(
            start_minute=start, end_minute=end, weekdays=calendar.parse_weekdays(self.weekdays)
        )

    @property
    def retries(self) -> Mapping[Disposition, Retry]:
        """The retry rule of every disposition."""
        return {d: getattr(self, f"retry_{d.value}", DEFAULTS[d]) for d in Disposition}

    @property
    def outcome_rules(self) -> OutcomeRules:
        """What decides between dispositions."""
        return OutcomeRules(
            not_sure_is_machine=self.amd_not_sure is NotSure.MACHINE,
            agent_wait_s=self.agent_wait_s,
            short_call_s=self.short_call_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Rules, bases and a state under one name."""

    id: int
    name: str
    state: CampaignState
    settings: Settings
    hang_up: bool = False  #: stopping: hang live calls up instead of letting them end
    explanation: str = ""  #: why the engine put it into this state


def setting_docs() -> dict[str, tuple[str, str]]:
    """Every setting's default, as text, and what it means."""
    return {f.name: (text_of(f.default), f.metadata["doc"]) for f in dataclasses.fields(Settings)}


def parse_settings(texts: Mapping[str, str], base: Settings | None = None) -> Settings:
    """``base`` with the given settings, from their text forms; raises InvalidSetting naming key, value, expected."""
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in texts.items():
        if key not in fields:
            raise InvalidSetting(key, text, "a known setting: " + ", ".join(fields))
        values[key] = fields[key].metadata["parse"](key, text)
    return dataclasses.replace(base or Settings(), **values)


def settings_texts(settings: Settings) -> dict[str, str]:
    """The text form of every setting."""
    return {f.name: text_of(getattr(settings, f.name)) for f in dataclasses.fields(settings)}


def text_of(value: Any) -> str:
    """A setting's value in the form that parse_settings takes."""
    if isinstance(value, Retry):
        return f"{value.tries}/{value.delay_s}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def problems(settings: Settings) -> list[str]:
    """What is missing before a campaign can be started, each with its remedy."""
    found = []
    if not settings.trunk:
        found.append("no trunk: set trunk=NAME (astdialer trunk list)")
    if settings.mode.needs_agents and not settings.queue:
        found.append(f"a {settings.mode.value} campaign needs agents: set queue=NAME")
    if settings.mode is Mode.BROADCAST and not (settings.sound or settings.goto):
        found.append("a broadcast has nothing to play: set sound=FILE or goto=context,extension,priority")
    return found


def check_name(name: str) -> str:
    """The name of a campaign, trunk or base if it can be one; raises InvalidSetting."""
    if not _NAME.fullmatch(name):
        raise InvalidSetting("name", name, "1 to 64 letters, digits or _ . @ + -, optionally ending in <- or ->")
    return name
