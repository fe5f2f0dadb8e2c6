"""Every setting of a campaign, declared once with its meaning and its limits.

A setting's text form is what the CLI takes, the store keeps and docs/reference/campaign-settings.md lists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from astdialer.domain import setting_forms as form
from astdialer.domain.abandonment import USUAL_RISK, Profile
from astdialer.domain.agent import parse_strategy
from astdialer.domain.amd import AmdParameters
from astdialer.domain.calendar import CallingWindow, parse_hours, parse_weekdays
from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.cause import CauseRules, check_causes, parse_causes
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import parse_names
from astdialer.domain.outcome import OutcomeRules
from astdialer.domain.pace import Pace
from astdialer.domain.params import parse_params
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.retry import DEFAULTS, Retry
from astdialer.domain.typification import parse_outcomes


class Mode(StrEnum):
    """How a campaign decides how many calls to place, and who is rung first."""

    BROADCAST = "broadcast"  #: no agents: the person hears a sound file
    PREDICTIVE = "predictive"  #: as many as the abandonment limit allows: calls for agents who are about to be free
    POWER = "power"  #: a fixed number of lines for each free agent
    PROGRESSIVE = "progressive"  #: one line for each free agent; the called person is rung first
    AGENT_FIRST = "agent-first"  #: one line for each free agent, who is reserved and rung first
    PREVIEW = "preview"  #: as agent-first, and the agent decides whether the contact is called

    @property
    def needs_agents(self) -> bool:
        """Whether calls go to a queue's agents."""
        return self is not Mode.BROADCAST

    @property
    def rings_agent_first(self) -> bool:
        """Whether every call has its agent before anybody is dialed."""
        return self in (Mode.AGENT_FIRST, Mode.PREVIEW)


class NotSure(StrEnum):
    """What AMD's NOTSURE counts as."""

    PERSON = "person"
    MACHINE = "machine"


class NumberStrategy(StrEnum):
    """Which of a contact's numbers comes next."""

    BY_PRIORITY = "by-priority"  #: the best range and priority first
    TOP_DOWN = "top-down"  #: each number once before any number twice


class ContactStrategy(StrEnum):
    """Which of the contacts that may be called comes next."""

    PRIORITY = "priority"  #: by priority alone, smaller first
    NEXT_TRIES_CIRCUIT = "next-tries-circuit"  #: whose next try is due goes before the untouched
    STRICT_CIRCUIT = "strict-circuit"  #: everybody once before anybody twice


def _setting(default: Any, parse: Callable[[str, str], Any], doc: str) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc})


def _amd(argument: str, doc: str) -> Any:
    default = AmdParameters.__dataclass_fields__[argument].default
    return _setting(default, form.whole(0, 32767), doc)


def _try(disposition: Disposition) -> Any:
    return _setting(
        DEFAULTS[disposition], form.retry, f"Attempts that may end {disposition.value}, and seconds between them."
    )


def _names(doc: str) -> Any:
    return _setting("", form.canonical(parse_names), doc)


def _causes(doc: str) -> Any:
    return _setting("", form.canonical(parse_causes), doc)


D = Disposition
DAY_S = 86400
#: A campaign's own pace: one call in so many seconds at least, so many in a second at most.
SLOWEST_S, FASTEST = 100, 10_000
#: Webitel's start value of predictAdjust: it stands for the usual risk.
USUAL_ADJUST = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an administrator may set. Names ending in _s are seconds, in _ms milliseconds."""

    mode: Mode = _setting(
        Mode.PROGRESSIVE,
        form.choice(Mode),
        "How many calls, and who is rung first: progressive, predictive, power, broadcast, agent-first or preview.",
    )
    priority: int = _setting(
        0, form.whole(-1000, 1000), "Share of shared trunks and agents: a higher one gets more, the lowest some."
    )
    trunk: str = _setting("", form.name("a trunk's"), "The trunk that the calls leave by, unless routes says more.")
    routes: str = _names("Routes (astdialer route) in the order of asking, joined by commas; in place of trunk.")
    queue: str = _setting("", form.name("a queue's"), "The Asterisk queue whose agents take the calls.")
    caller_id: str = _setting(
        "",
        form.canonical(parse_caller_id),
        "What the called person sees: NUMBER or Name <NUMBER>, several joined by |, a range 1234567-89, or pool:NAME.",
    )
    lines_per_agent: float = _setting(2.0, form.number(1, 10), "Power: calls placed for each free agent.")
    abandonment_target: float = _setting(
        2.75, form.number(0.1, 100), "Predictive: percent of the people who answer that may be abandoned, to aim at."
    )
    abandonment_limit: float = _setting(
        3.0,
        form.number(0.1, 100),
        "Predictive: at so many percent, but for what chance makes, one call for each free agent.",
    )
    abandonment_profile: Profile = _setting(
        Profile.US,
        form.choice(Profile),
        "Predictive: whose formula and windows count: us, uk, it, ca (docs/explanation/predictive-dialing.md).",
    )
    predict_adjust: int = _setting(
        150,
        form.whole(0, 1000),
        "Predictive: how boldly it begins, 150 is usual; 0: one call for each free agent.",
    )
    predict_after_answers: int = _setting(
        10, form.whole(1, 10000), "Predictive: before so many answers, one call for each free agent."
    )
    predict_memory: int = _setting(
        1000, form.whole(50, 100_000), "Predictive: calls after which a call counts a third for the share of answers."
    )
    choose_among: int = _setting(
        20,
        form.whole(1, 200),
        "Predictive: the contact whose chance of an answer fits best, of so many alike that are next; 1: in order.",
    )
    max_calls: int = _setting(30, form.whole(1, 10000), "Calls of this campaign at a time, talks included.")
    calls_per_second: float = _setting(
        0.0,
        form.rate(SLOWEST_S, FASTEST),
        "Calls of this campaign that may start each second, evenly spaced, or 1/SECONDS; 0: no pace of its own.",
    )
    originate_timeout_s: int = _setting(30, form.whole(1, 600), "How long a number may ring.")
    min_ring_s: int = _setting(15, form.whole(0, 120), "A number rings at least so long before the call is given up.")
    agent_wait_s: int = _setting(2, form.whole(1, 600), "How long an answered person may wait for a free agent.")
    wrap_up_s: int = _setting(
        10, form.whole(0, 3600), "Rest of an agent after a talk. Give the queue the same wrapuptime."
    )
    short_call_s: int = _setting(
        0, form.whole(0, 600), "A talk, or a broadcast, that ends sooner is short, not answered (minBillSec)."
    )
    safe_harbour: str = _setting(
        "astdialer-safe-harbour", form.plain("a sound file"), "Sound for a person who meets no free agent in time."
    )
    sound: str = _setting("", form.plain("a sound file"), "Broadcast: what the answered person hears.")
    key_wait_s: int = _setting(
        0, form.whole(0, 60), "Broadcast: seconds to wait for a key press after it; 0 asks for none."
    )
    message: str = _setting("", form.plain("a sound file"), "What a machine hears after its greeting; empty: hang up.")
    goto: str = _setting("", form.goto, "Own dialplan for answered persons, in place of queue or sound.")
    record: bool = _setting(True, form.flag, "Record talks.")
    record_trim_s: int = _setting(0, form.whole(0, 600), "Seconds cut off the beginning of recordings.")
    amd: bool = _setting(False, form.flag, "Run answering-machine detection on answered calls.")
    amd_false_machines: float = _setting(
        0.0,
        form.number(0, 100),
        "Percent of AMD's machines that are people, by your own test; for the uk profile.",
    )
    amd_not_sure: NotSure = _setting(NotSure.PERSON, form.choice(NotSure), "What AMD's NOTSURE counts as.")
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
    start_at: str = _setting(
        "", form.instant, "When it starts by itself, if it was never started: YYYY-MM-DDTHH:MM with Z or an offset."
    )
    stop_at: str = _setting("", form.instant, "When it is stopped, likewise; from then on it can't be started.")
    calling_hours: str = _setting("08:00-21:00", form.hours, "Local hours of the called number, from-to.")
    weekdays: str = _setting("mon-sun", form.weekdays, "Days on which to call.")
    calendar: str = _setting(
        "", form.name("a calendar's"), "Working calendar (astdialer calendar) that must be open as well."
    )
    timezone: str = _setting(
        "", form.zone, "Zone of numbers that have none of their own; empty: the calendar's, else [engine] timezone."
    )
    require_zone: bool = _setting(False, form.flag, "Dial only numbers whose own zone is known.")
    number_strategy: NumberStrategy = _setting(
        NumberStrategy.BY_PRIORITY,
        form.choice(NumberStrategy),
        "Which of a contact's numbers: by-priority or top-down.",
    )
    contact_strategy: ContactStrategy = _setting(
        ContactStrategy.PRIORITY,
        form.choice(ContactStrategy),
        "Which contact: priority, next-tries-circuit (due retries first) or strict-circuit (all once, then all again).",
    )
    ranges: str = _setting(
        "",
        form.canonical(lambda _key, text: parse_ranges(text)),
        "When numbers of a type are tried: TYPE=HH:MM-HH:MM/ATTEMPTS_A_DAY@PRIORITY, joined by semicolons.",
    )
    retries_by_number: bool = _setting(
        False, form.flag, "Each number has its ranges' attempts for itself, not all of its type together."
    )
    max_tries: int = _setting(0, form.whole(0, 999), "Attempts of a contact over all numbers; 0: no such limit.")
    max_tries_per_number: int = _setting(
        0, form.whole(0, 999), "Attempts of each number, whatever came of them; 0: no such limit."
    )
    retry_interval_s: int = _setting(
        0,
        form.whole(0, 99_999_999),
        "Seconds between any two attempts of a contact, as often as max_tries allows; 0: the rules retry_* say it.",
    )
    one_day_task: bool = _setting(
        False, form.flag, "Who has no attempt of the day's ranges left is not carried over to the next day."
    )
    eternal_queue: bool = _setting(False, form.flag, "Go on when every contact is done, and wait for more.")
    causes_ok: str = _causes("Causes that make a success, in place of the usual list (docs/reference/causes.md).")
    causes_retry: str = _causes("Causes after which a number is tried again, in place of the usual list.")
    causes_error: str = _causes("Causes that close a number, in place of the usual list.")
    causes_minus: str = _causes("Causes that cost no try, in place of the usual list.")
    attempts_per_day: int = _setting(
        3, form.whole(0, 999), "Attempts to a number on its local day, all campaigns together; 0: no such limit."
    )
    attempts_per_week: int = _setting(
        7, form.whole(0, 999), "Attempts to a number within seven days, all campaigns together; 0: no such limit."
    )
    abandoned_rest_h: int = _setting(
        72, form.whole(0, 8784), "Hours in which a number that was abandoned is not redialed by itself."
    )
    wait_for_result: bool = _setting(
        False, form.flag, "Hold a contact after a talk until its result comes from outside (astdialer contact result)."
    )
    result_timeout_s: int = _setting(60, form.whole(1, 7 * DAY_S), "How long such a result is waited for.")
    result_timeout_counts: bool = _setting(False, form.flag, "Whether an attempt without a result counts as a try.")
    result_retry_s: int = _setting(
        3600, form.whole(0, 99_999_999), "Seconds to the next try after a result that is no success and names no time."
    )
    outcomes: str = _setting(
        "",
        form.canonical(lambda _key, text: parse_outcomes(text)),
        "What agents may choose after a talk: LEVEL1|LEVEL2|LEVEL3=ACTION, joined by ; (docs/reference/outcomes.md).",
    )
    agent_strategy: str = _setting(
        "longest-idle-agent",
        form.canonical(lambda _key, text: parse_strategy(text)),
        "Which free agent an agent-first call reserves (docs/reference/agents.md).",
    )
    agents: str = _names("Only these agents of the queue, by extension or interface, joined by commas; empty: all.")
    skills: str = _names("Agents who have any of these skills take part as well; joined by commas.")
    agent_call_timeout_s: int = _setting(20, form.whole(1, 600), "Agent-first: how long an agent's telephone rings.")
    max_no_answer: int = _setting(
        0, form.whole(0, 100), "An agent who lets so many calls in a row ring is paused; 0: never."
    )
    busy_delay_s: int = _setting(0, form.whole(0, 3600), "Rest of an agent whose telephone was busy.")
    reject_delay_s: int = _setting(0, form.whole(0, 3600), "Rest of an agent who declined a call.")
    no_answer_delay_s: int = _setting(0, form.whole(0, 3600), "Rest of an agent who did not answer.")
    preview_s: int = _setting(60, form.whole(5, 3600), "Preview: how long the agent may think, from answering on.")
    preview_skip_delay_s: int = _setting(
        3600, form.whole(0, 99_999_999), "Preview: seconds until a skipped contact comes up again."
    )
    params: str = _setting(
        "",
        form.canonical(parse_params),
        r"Params of every contact that has none of that name of its own: NAME=VALUE;…, a ; in a value written \;.",
    )
    auto_reset_stats: bool = _setting(False, form.flag, "Zero the campaign's statistics at its local midnight.")
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
    def ring_s(self) -> int:
        """How long a number rings at most."""
        return max(self.originate_timeout_s, self.min_ring_s)

    @property
    def pace(self) -> Pace:
        """How predictive dialing is to go."""
        return Pace(
            ring_s=self.ring_s,
            patience_s=self.agent_wait_s,
            wrap_up_s=self.wrap_up_s,
            aim=self.abandonment_target / 100,
            limit=self.abandonment_limit / 100,
            usual_risk=USUAL_RISK * self.predict_adjust / USUAL_ADJUST,
            least_answers=self.predict_after_answers,
            memory=self.predict_memory,
        )

    @property
    def starts(self) -> int | None:
        """When it starts by itself, ms since 1970 UTC."""
        return form.instant_ms("start_at", self.start_at) if self.start_at else None

    @property
    def stops(self) -> int | None:
        """When it is stopped."""
        return form.instant_ms("stop_at", self.stop_at) if self.stop_at else None

    @property
    def window(self) -> CallingWindow:
        """When numbers may be dialed."""
        start, end = parse_hours(self.calling_hours)
        return CallingWindow(start_minute=start, end_minute=end, weekdays=parse_weekdays(self.weekdays))

    @property
    def retries(self) -> Mapping[Disposition, Retry]:
        """The retry rule of every disposition."""
        return {d: getattr(self, f"retry_{d.value}", DEFAULTS[d]) for d in Disposition}

    @property
    def cause_rules(self) -> CauseRules:
        """What a cause does to the number and the contact."""
        lists = ("ok", "retry", "error", "minus")
        return CauseRules(**{name: parse_causes(f"causes_{name}", getattr(self, f"causes_{name}")) for name in lists})

    @property
    def outcome_rules(self) -> OutcomeRules:
        """What decides between dispositions."""
        return OutcomeRules(
            not_sure_is_machine=self.amd_not_sure is NotSure.MACHINE,
            agent_wait_s=self.agent_wait_s,
            short_call_s=self.short_call_s,
        )


def check_together(settings: Settings) -> Settings:
    """The settings; raises InvalidSetting where two of them contradict each other.

    For commands that change settings: what is stored is read without, so that a stricter rule locks nobody out.
    """
    if settings.originate_timeout_s < settings.min_ring_s:
        expected = f"at least min_ring_s, {settings.min_ring_s}: raise it, or lower min_ring_s"
        raise InvalidSetting("originate_timeout_s", settings.originate_timeout_s, expected)
    if settings.abandonment_target > settings.abandonment_limit:
        expected = f"at most abandonment_limit, {settings.abandonment_limit:g}: lower it, or raise abandonment_limit"
        raise InvalidSetting("abandonment_target", settings.abandonment_target, expected)
    if settings.starts and settings.stops and settings.stops <= settings.starts:
        raise InvalidSetting("stop_at", settings.stop_at, f"later than start_at, {settings.start_at}")
    check_causes(settings.cause_rules)
    return settings


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
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
