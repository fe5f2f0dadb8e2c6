"""A dialer's document as the settings of a campaign: every field of Webitel's that decides anything has its setting.

What the document names and is not there (its calendar, a trunk) is no error here: it keeps the campaign from starting.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astdialer.domain import params
from astdialer.domain.agent import AgentStrategy, parse_strategy
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import folded
from astdialer.domain.ranges import Range, ranges_text
from astdialer.domain.route import Route
from astdialer.domain.settings import ContactStrategy, Mode, NumberStrategy, parse_settings, text_of
from astdialer.domain.typification import Action, Outcome, outcomes_text, parse_outcomes
from astdialer.http.webitel3 import causes
from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.bodies import Table, scalar_text
from astdialer.http.webitel3.resources import Resources, resources

PREDICTIVE, PROGRESSIVE, VOICE = "Predictive Dialer", "Progressive Dialer", "Voice Broadcasting"
MODES = {PREDICTIVE: Mode.PREDICTIVE, PROGRESSIVE: Mode.AGENT_FIRST, VOICE: Mode.BROADCAST}
#: The document's own keys for what Webitel has no word for: the queue, and settings of ours by their names.
QUEUE, OURS = "queue", "astdialer"
#: What the campaign's channels know of its dialer: CONTACT_dlr_queue is its id, CONTACT_cc_queue its name.
DIALER_ID, DIALER_NAME = "dlr_queue", "cc_queue"
#: A number rings at least so long, whatever the document says: the law's, see the setting min_ring_s.
LEAST_RING_S = 15
#: The type of a number that has none. A type of the document that is called so is written in another way.
UNTYPED = "U"
MINUTES, WHOLE_DAY = 1440, "00:00-24:00"
_CODE = re.compile(r"(?!x-)[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What this installation has for a dialer."""

    dialer_id: str
    campaign: str  #: what its routes are named after
    calendar: str  #: the name of the calendar that the document means; see resolve in calendars.py
    queue: str = ""  #: for documents that name none
    trunk: str = ""  #: for documents without resources
    scenario_context: str = "astdialer-scenarios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A document in our words. ``unsaid``: what of its resources can't be used."""

    settings: Mapping[str, str]
    routes: tuple[Route, ...] = ()
    unsaid: tuple[str, ...] = ()


@dataclass(slots=True)
class _Settings:
    """Settings as they are found, each with the place in the document that it came from."""

    texts: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: Any, place: str) -> None:
        self.texts[key] = text_of(value)
        self.places[key] = place

    def check(self) -> None:
        """Raises Said for a value that the setting can't have."""
        for key, text in self.texts.items():
            try:
                parse_settings({key: text})
            except InvalidSetting as error:
                raise Said(400, f"{self.places[key]} = {text!r}: expected {error.expected}") from None


def translate(document: Mapping[str, Any], house: House) -> Translation:
    """Raises Said for what can't be said here, with its place."""
    root, found = Table(document), _Settings()
    routed = resources(root, house.campaign)
    mode = _mode(root)
    found.put("mode", mode, "type")
    found.put("priority", root.whole("priority", 0), "priority")
    found.put("calendar", house.calendar, "calendar")
    found.put("calling_hours", WHOLE_DAY, "calendar")  # a dialer has a calendar, which says all about hours
    found.put("auto_reset_stats", root.flag("autoResetStats", False), "autoResetStats")
    _leave_by(found, routed, house)
    _limits(found, root.table("parameters"), routed)
    _flags(found, root.table("parameters"))
    _amd(found, root.table("amd"), mode)
    _scenario(found, root, mode, house)
    _strategies(found, root)
    _agents(found, root, house)
    _communications(found, root)
    _causes(found, root)
    found.put("params", _variables(root, house), "variables")
    found.put("outcomes", _outcomes(root), "callResult")
    _own(found, root)
    found.check()
    return Translation(settings=found.texts, routes=routed.routes, unsaid=routed.unsaid)


def _mode(root: Table) -> Mode:
    kind = root.text("type")
    if kind not in MODES:
        raise root.bad("type", "one of " + ", ".join(MODES))
    return MODES[kind]


def _leave_by(found: _Settings, routed: Resources, house: House) -> None:
    found.put("routes", ",".join(route.name for route in routed.routes), "resources")
    found.put("trunk", "" if routed.routes else house.trunk, "resources")
    found.put("caller_id", routed.caller_id, routed.caller_id_at)


def _limits(found: _Settings, given: Table, routed: Resources) -> None:
    limit = given.whole("limit", 999)
    found.put("max_calls", min(limit, routed.room) if routed.room else limit, given.at("limit"))
    interval = max(1, given.whole("intervalTryCount", 5))  # 0 would be: as the rules retry_* say
    for key in ("retry_interval_s", "result_retry_s"):
        found.put(key, interval, given.at("intervalTryCount"))
    again = f"*/{interval}" if given.flag("retryAbandoned", False) else "1/0"
    found.put("retry_abandoned", again, given.at("retryAbandoned"))
    for key, default, setting, least in _WHOLE:
        found.put(setting, max(least, given.whole(key, default)), given.at(key))
    if given.has("maxLocateAgentSec"):  # else ours, which is the law's
        found.put("agent_wait_s", given.whole("maxLocateAgentSec", 10), given.at("maxLocateAgentSec"))
    most = max(0.1, given.number("maxPredictiveSilentCalls", 3))
    target = max(0.1, given.number("targetPredictiveSilentCalls", 2.5))
    found.put("abandonment_limit", most, given.at("maxPredictiveSilentCalls"))
    found.put("abandonment_target", min(target, most), given.at("targetPredictiveSilentCalls"))


#: Webitel's name, its engine's default, our setting, and the least that it can be.
_WHOLE = (
    ("minBillSec", 0, "short_call_s", 0),
    ("originateTimeout", 60, "originate_timeout_s", LEAST_RING_S),
    ("maxTryCount", 5, "max_tries", 0),
    ("wrapUpTime", 60, "result_timeout_s", 1),
    ("predictAdjust", 150, "predict_adjust", 0),
    ("predictStartBridgedCount", 10, "predict_after_answers", 1),
)


def _flags(found: _Settings, given: Table) -> None:
    for key, default, setting in (
        ("waitingForResultStatus", False, "wait_for_result"),
        ("recordSession", True, "record"),
        ("eternalQueue", False, "eternal_queue"),
        ("retriesByNumber", False, "retries_by_number"),
        ("oneDayTask", False, "one_day_task"),
    ):
        found.put(setting, given.flag(key, default), given.at(key))


def _amd(found: _Settings, given: Table, mode: Mode) -> None:
    """A call that rings its agent first has nobody to spare for a machine: Webitel runs no AMD then."""
    found.put("amd", given.flag("enabled", False) and not mode.rings_agent_first, given.at("enabled"))
    not_sure = "person" if given.flag("allowNotSure", False) else "machine"
    found.put("amd_not_sure", not_sure, given.at("allowNotSure"))
    for key, default, setting in AMD:
        found.put(f"amd_{setting}", given.whole(key, default), given.at(key))


#: Webitel's name, its engine's default, and ours without amd_.
AMD = (
    ("initialSilence", 2500, "initial_silence_ms"),
    ("greeting", 1500, "greeting_ms"),
    ("afterGreetingSilence", 800, "after_greeting_silence_ms"),
    ("totalAnalysisTime", 5000, "total_analysis_ms"),
    ("minWordLength", 100, "min_word_ms"),
    ("betweenWordsSilence", 50, "between_words_ms"),
    ("maximumNumberOfWords", 3, "max_words"),
    ("silenceThreshold", 256, "silence_threshold"),
    ("maximumWordLength", 5000, "max_word_ms"),
)


def _scenario(found: _Settings, root: Table, mode: Mode, house: House) -> None:
    """What a person hears who answers a broadcast: a file, or the dialplan's extension that has the dialer's id."""
    sound = root.table("playbackFile").text("uri") or _played(root.items("_cf"))
    is_usable = mode is Mode.BROADCAST and bool(sound) and _can_be("sound", sound)
    found.put("sound", sound if is_usable else "", root.at("playbackFile"))
    scenario = f"{house.scenario_context},{house.dialer_id},1"
    found.put("goto", scenario if mode is Mode.BROADCAST and not is_usable else "", root.at("_cf"))


def _played(callflow: Sequence[Any]) -> str:
    """The file of a callflow that does nothing but answer, play it and hang up."""
    steps = [step for step in callflow if isinstance(step, dict)]
    words = {word for step in steps for word in step}
    if not words or not words <= {"answer", "playback", "hangup"}:
        return ""
    files = [step["playback"] for step in steps if "playback" in step]
    names = [each.get("name") if isinstance(each, dict) else each for each in files]
    return names[0] if len(names) == 1 and isinstance(names[0], str) else ""


def _can_be(setting: str, text: str) -> bool:
    try:
        parse_settings({setting: text})
    except InvalidSetting:
        return False
    return True


def _strategies(found: _Settings, root: Table) -> None:
    number = root.text("numberStrategy") or NumberStrategy.BY_PRIORITY
    found.put("number_strategy", number, "numberStrategy")
    members = root.text("membersStrategy") or ContactStrategy.NEXT_TRIES_CIRCUIT
    found.put("contact_strategy", members, "membersStrategy")
    try:
        agent = parse_strategy(root.text("agentStrategy"))
    except InvalidSetting:  # as Webitel takes whatever it does not know
        agent = AgentStrategy.FEWEST_CALLS
    found.put("agent_strategy", agent, "agentStrategy")


def _agents(found: _Settings, root: Table, house: House) -> None:
    found.put(QUEUE, root.text(QUEUE) or house.queue, QUEUE)
    found.put("agents", ",".join(each.partition("@")[0] for each in root.texts("agents")), "agents")
    found.put("skills", ",".join(folded(each, "skill") for each in root.texts("skills")), "skills")
    given = root.table("agentParams")
    for key, setting in AGENT_PARAMS:
        if given.has(key):
            found.put(setting, given.whole(key, 0), given.at(key))


AGENT_PARAMS = (
    ("callTimeout", "agent_call_timeout_s"),
    ("wrapUpTime", "wrap_up_s"),
    ("maxNoAnswer", "max_no_answer"),
    ("busyDelayTime", "busy_delay_s"),
    ("rejectDelayTime", "reject_delay_s"),
    ("noAnswerDelayTime", "no_answer_delay_s"),
)


# --- types of numbers ------------------------------------------------------------------------------------------------


def type_code(code: str) -> str:
    """A type's code as a number's type here: itself if it can be, else what always stands for it."""
    if _CODE.fullmatch(code) and code != UNTYPED:
        return code
    return f"x-{hashlib.sha256(code.encode()).hexdigest()[:30]}"


def _communications(found: _Settings, root: Table) -> None:
    ranges: dict[str, list[Range]] = {}
    for kind in root.table("communications").tables("types"):
        code = type_code(kind.text("code"))
        own = [_range(code, each) for each in kind.tables("ranges")]
        # A type without ranges is never dialed in Webitel.
        ranges.setdefault(code, []).extend(own or [Range(code, 0, MINUTES, 0)])
    found.put("ranges", ranges_text(ranges), "communications.types")


def _range(code: str, given: Table) -> Range:
    start = given.whole("startTime", 0, 0, MINUTES)
    end = given.whole("endTime", MINUTES, 0, MINUTES)
    if start >= end:
        raise given.bad("endTime", f"minutes of the day after startTime, {start}")
    attempts = given.whole("attempts", 0, 0, 999_999)
    return Range(code, start, end, attempts, given.whole("priority", 0, -999_999, 999_999))


# --- what else -------------------------------------------------------------------------------------------------------


def _causes(found: _Settings, root: Table) -> None:
    for key, setting in (
        ("causesOK", "causes_ok"),
        ("causesRetry", "causes_retry"),
        ("causesError", "causes_error"),
        ("causesMinus", "causes_minus"),
    ):
        found.put(setting, ",".join(causes.ours(root.texts(key))), key)


def _variables(root: Table, house: House) -> str:
    own = {DIALER_ID: house.dialer_id, DIALER_NAME: root.text("name")}
    return params.params_text(channel_params(params.with_own(channel_params(root.table("variables").values), own)))


def channel_params(variables: Mapping[str, Any]) -> dict[str, str]:
    """Variables as channels can have them; what they can't have is left out, and is in the document all the same.

    Left out are names with other characters than A-Z, 0-9 and _, all names beyond 60, and one that differs from an
    earlier one by case alone. Of values, control characters are left out, and what goes beyond 900 bytes.
    """
    found: dict[str, str] = {}
    for name, value in variables.items():
        is_new = name.lower() not in {known.lower() for known in found}
        if params.NAME.fullmatch(name) and is_new and len(found) < params.MOST:
            found[name] = _in_bytes(params.CONTROL.sub("", scalar_text(value)))
    return found


def _in_bytes(text: str) -> str:
    return text.encode()[: params.LONGEST_VALUE_BYTES].decode(errors="ignore")


def _outcomes(root: Table) -> str:
    """The dispositions that agents choose from, as far as they can be said."""
    return outcomes_text(_readable(_results(root.items("callResult"), ())))


def _results(items: Any, above: tuple[str, ...]) -> Iterator[Outcome]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            levels = (*above, item["name"].strip())
            if item.get("items"):
                yield from _results(item["items"], levels)
            elif item.get("type") in _RESULTS:
                yield Outcome(levels, _RESULTS[item["type"]])


_RESULTS = {"t": Action.SUCCESS, "f": Action.RETRY, "n": Action.RESCHEDULE}


def _readable(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Those that are read back as they are; each once."""
    seen: list[Outcome] = []
    for outcome in outcomes:
        try:
            known = parse_outcomes(outcomes_text([*seen, outcome]))
        except InvalidSetting:
            continue
        if known == (*seen, outcome):
            seen.append(outcome)
            yield outcome


def _own(found: _Settings, root: Table) -> None:
    """Settings in our own words, which go before what was made of Webitel's."""
    given = root.table(OURS)
    for key, value in given.values.items():
        if isinstance(value, dict | list) or value is None:
            raise given.bad(key, "text, a number, or true or false")
        found.put(key, scalar_text(value), given.at(key))


def placeholder(calendar_id: str) -> str:
    """The name of a calendar that is not there, so that nothing is dialed without it."""
    return f"unknown-{folded(calendar_id, 'calendar')}"
