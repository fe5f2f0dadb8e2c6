"""A task of Twin24 as a campaign's settings, and a candidate as a contact."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from astdialer.domain.calendar import hours_text, parse_hours, zone_of
from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.contact import DEFAULT_PRIORITY, INVALID, NewContact, NewNumber, NumberType
from astdialer.domain.errors import InvalidNumber, InvalidSetting
from astdialer.domain.hooks import FORM_KINDS, Form
from astdialer.domain.names import NAME
from astdialer.domain.params import check_params, params_text, parse_params, with_own
from astdialer.domain.settings import Settings, settings_texts
from astdialer.engine.webhooks import check_options, check_url
from astdialer.http.services import ReadNumber
from astdialer.http.twin24 import cps
from astdialer.http.twin24.models import AutoCall, Hook, Limit, Person, Redial, Rule

#: What tasks begin with unless [http] autocall_template says otherwise. As in Twin24 the pace is the limit, and hours
#: and caps are those that a task asks for: some call people with a code that they wait for, at whatever hour.
USUAL = {
    "mode": "broadcast",
    "max_calls": "10000",
    "calling_hours": "00:00-24:00",
    "attempts_per_day": "0",
    "attempts_per_week": "0",
}
#: Redial rules by what they are for. A call error is any of three dispositions, each with its own counter.
_RULES = {
    "busy": ("busy",),
    "noAnswer": ("no_answer",),
    "answerMash": ("machine",),
    "congestion": ("congestion", "failed", "unknown"),
    "answerNoList": ("short",),
}
#: Never made again by themselves.
_NEVER = ("rejected", "invalid_number", "abandoned")
#: Law 230-FZ: hours of the called person, calls a day and a week.
_FZ230 = {"calling_hours": "09:10-19:50", "attempts_per_day": "2", "attempts_per_week": "4"}
#: Events of a receiver that says nothing about them: those of the time when there were no others.
OLD_EVENTS = ("CALL_REDIRECTED", "CALL_ENDED", "CANDIDATE_CHANGED")

_SCENARIO = re.compile(r"[\w.+*#-]{1,79}", re.ASCII)
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?", re.ASCII)
_SEPARATORS = re.compile(r"[\s().\-/]+")
#: Longest callbackData of a candidate, as JSON.
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where tasks are made: what they take from the configuration."""

    now: int
    zone: str  #: the company's
    scenario_context: str
    trunk: str  #: of tasks that name none
    base: Settings | None = None  #: of the template


# --- tasks -----------------------------------------------------------------------------------------------------------


def settings_of(task: AutoCall, place: Place) -> dict[str, str]:
    """The campaign's settings, all that are not the usual ones. Raises InvalidSetting that names the task's field."""
    options = task.additionalOptions
    _required("additionalOptions.recTrimLeft", options.recTrimLeft, options.recordCall, "recordCall is true")
    _required("additionalOptions.detectRobotMode", options.detectRobotMode, options.detectRobot, "detectRobot is true")
    _required("secondExecData", task.secondExecData, task.secondExec == "ch", "secondExec is ch")
    texts = settings_texts(place.base) if place.base else dict(USUAL)
    texts["trunk"] = texts.get("trunk") or place.trunk
    if options.providerId:
        texts |= {"trunk": _provider(options.providerId), "routes": ""}
    return texts | {
        "mode": "broadcast",
        "goto": goto(task.defaultExecData, place.scenario_context),
        "caller_id": _caller_id(task),
        "calls_per_second": cps.setting_of(task.cps),
        # a call of no length counts nowhere: from 0 on is from the first second on
        "short_call_s": str(max(1, options.fullListTime)),
        "record": _text(options.recordCall),
        "record_trim_s": str(options.recTrimLeft or 0),
        "amd": _text(options.detectRobot),
        "params": _params(task, texts.get("params", "")),
        **_hours(task, texts),
        **_redials(task.redialStrategyOptions),
        **_times(task, place),
    }


def goto(scenario: str, context: str) -> str:
    """Where answered persons go: the scenario is an extension of the administrator's. Raises InvalidSetting."""
    if not _SCENARIO.fullmatch(scenario):
        raise InvalidSetting("defaultExecData", scenario[:80], "a scenario's id: letters, digits or _ . + * # -")
    return f"{context},{scenario},1"


def params_of(second_exec: str, data: str) -> dict[str, str]:
    """What a scenario is told besides the candidate's variables: CONTACT_SECOND_EXEC and CONTACT_SECOND_EXEC_DATA."""
    found = {"SECOND_EXEC": second_exec, "SECOND_EXEC_DATA": data}
    return {name: value for name, value in found.items() if value}


def _params(task: AutoCall, of_template: str) -> str:
    """params_of the task, and what the template has beside them."""
    own = params_of(task.secondExec, task.secondExecData or "")
    try:
        check_params(own)
    except InvalidSetting as error:
        raise InvalidSetting("secondExecData", (task.secondExecData or "")[:80], error.expected) from None
    return params_text(with_own(own, parse_params("params", of_template)))


def _text(flag: bool) -> str:
    return str(flag).lower()


def _required(field: str, value: object, needed: bool, why: str) -> None:
    if needed and value is None:
        raise InvalidSetting(field, value, f"a value, because {why}")


def _provider(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InvalidSetting("additionalOptions.providerId", name[:80], "a trunk's name")
    return name


def _caller_id(task: AutoCall) -> str:
    """A telephone number is shown as it is; anything else is the name of a pool of numbers (astdialer callerid)."""
    if task.cidType == "default":
        return ""
    data = task.cidData or ""
    if task.cidType == "gornum" and _NUMBER.fullmatch(data):
        return parse_caller_id("cidData", data).text
    if not NAME.fullmatch(data):
        raise InvalidSetting("cidData", data[:80], f"an id, because cidType is {task.cidType}")
    return f"pool:{data}"


def _hours(task: AutoCall, texts: Mapping[str, str]) -> dict[str, str]:
    """With useTr the recipient's hours: never where it is not known which they are."""
    options, found = task.additionalOptions, dict[str, str]()
    if options.useTr:
        for name in ("allowCallTimeFrom", "allowCallTimeTo"):
            _required(f"additionalOptions.{name}", getattr(options, name), True, "useTr is true")
        start, end = -(-(options.allowCallTimeFrom or 0) // 60), min(1440, ((options.allowCallTimeTo or 0) + 1) // 60)
        if start >= end:
            given = f"{options.allowCallTimeFrom}-{options.allowCallTimeTo}"
            raise InvalidSetting(
                "additionalOptions.allowCallTimeTo", given, "seconds of the same day, later than allowCallTimeFrom"
            )
        found = {"calling_hours": hours_text(start, end), "require_zone": "true"}
    hours = found.get("calling_hours", texts["calling_hours"])
    return found | _by_law(hours) if options.fz230 else found


def _by_law(hours: str) -> dict[str, str]:
    """230-FZ within the hours that the task allows. Raises InvalidSetting when none are left."""
    start, end = parse_hours(_FZ230["calling_hours"])
    own_start, own_end = parse_hours(hours)
    start, end = max(start, own_start), min(end, own_end)
    if start >= end:
        raise InvalidSetting("additionalOptions.fz230", hours, f"hours within {_FZ230['calling_hours']}")
    return _FZ230 | {"calling_hours": hours_text(start, end)}


def _redials(redial: Redial) -> dict[str, str]:
    """``count`` calls more make so many tries and one."""
    found = {f"retry_{disposition}": "1/0" for disposition in _NEVER}
    for name, dispositions in _RULES.items():
        rule: Rule | None = getattr(redial, name)
        if redial.redialStrategyEn:
            _required(f"redialStrategyOptions.{name}", rule, True, "redialStrategyEn is true")
        text = _retry(f"redialStrategyOptions.{name}", rule) if rule and redial.redialStrategyEn else "1/0"
        found |= {f"retry_{disposition}": text for disposition in dispositions}
    limits = {"max_tries": "candidateLimit", "max_tries_per_number": "numberLimit"}
    for key, name in limits.items():
        limit: Limit | None = getattr(redial, name)
        found[key] = _most(f"redialStrategyOptions.{name}", limit) if redial.redialStrategyEn else "0"
    return found


def _retry(field: str, rule: Rule) -> str:
    if not rule.redial:
        return "1/0"
    for name in ("time", "count"):
        _required(f"{field}.{name}", getattr(rule, name), True, "redial is true")
    return f"{(rule.count or 0) + 1}/{rule.time}"


def _most(field: str, limit: Limit | None) -> str:
    if limit is None or not limit.redial:
        return "0"
    if not limit.count:
        raise InvalidSetting(f"{field}.count", limit.count, "1 or more, because redial is true")
    return str(limit.count)


def _times(task: AutoCall, place: Place) -> dict[str, str]:
    """It starts at its moment, and lives from then on, or from now if that is later."""
    starts = _moment(task, place.zone) if task.startType == "time" else None
    found = {"start_at": _instant(starts) if starts is not None else "", "stop_at": ""}
    if task.lifetime:
        found["stop_at"] = _instant(max(place.now, starts or 0) + task.lifetime * 1000)
    return found


def _moment(task: AutoCall, zone: str) -> int:
    text, expected = task.startMoment or "", "YYYY-MM-DD HH:MM in the company's zone, because startType is time"
    try:
        local = datetime.fromisoformat(text) if _LOCAL.fullmatch(text) else None
    except ValueError:
        local = None
    if local is None or not 1970 < local.year < 3000:
        raise InvalidSetting("startMoment", text[:40], expected)
    return int(local.replace(tzinfo=zone_of(zone)).timestamp() * 1000)


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- receivers of events ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told what of a task."""

    url: str
    events: tuple[str, ...]
    options: Mapping[str, Any]


def receivers(hooks: Sequence[str | Hook] | None) -> list[Receiver]:
    """Those who want to be told anything. Raises InvalidSetting."""
    found = []
    for at, hook in enumerate(hooks or ()):
        field = f"webhookUrls.{at}"
        url = hook if isinstance(hook, str) else hook.url
        try:
            check_url(url)
        except InvalidSetting as error:
            raise InvalidSetting(field, url[:200], error.expected) from None
        events, delay = (OLD_EVENTS, 0) if isinstance(hook, str) else (_events(hook), hook.delay or 0)
        try:
            options = check_options({"delay_s": delay})
        except InvalidSetting as error:
            raise InvalidSetting(f"{field}.delay", delay, error.expected) from None
        if events:
            found.append(Receiver(url, events, options))
    return found


def _events(hook: Hook) -> tuple[str, ...]:
    """Whatever is switched on; all, where nothing is said. Names that nobody knows here are of events that never
    come."""
    if hook.events is None:
        return ("*",)
    on = {name for name, switch in hook.events.items() if (switch if isinstance(switch, bool) else switch.value)}
    return tuple(kind for kind in FORM_KINDS[Form.TWIN24] if kind in on)


# --- candidates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a task's candidates are read."""

    read_number: ReadNumber
    russian: bool  #: phoneNormalization
    strict: bool  #: checkPhone of the task
    reserved: Collection[str]  #: names of params_of the task: no variable takes their place


def contact_of(person: Person, field: str, reading: Reading) -> NewContact:
    """A contact to add. Raises InvalidSetting that names the field, which begins with ``field``."""
    zone = _zone(person.timezone, f"{field}timezone")
    strict = reading.strict if person.checkPhone is None else person.checkPhone
    numbers: dict[str, NewNumber] = {}
    for at, text in enumerate(person.phone):
        number = _number(text, f"{field}phone.{at}", zone, strict, reading)
        numbers.setdefault(number.number, number)
    variables = {name: _value(value) for name, value in (person.variables or {}).items()}
    params = {name: value for name, value in variables.items() if name.upper() not in reading.reserved}
    try:
        check_params(params)
    except InvalidSetting as error:
        raise InvalidSetting(f"{field}variables", error.value, error.expected) from None
    return NewContact(
        # what can be dialed goes first: it is what the contact is known by
        numbers=tuple(sorted(numbers.values(), key=lambda number: bool(number.end_reason))),
        params=params,
        priority=DEFAULT_PRIORITY,
        agentphone="",
        line=0,
        reference=_reference(person, f"{field}clientExternalId"),
        attachment=_attachment(person, variables, field),
    )


def _value(value: str | int | float | bool | None) -> str:
    return "" if value is None else _text(value) if isinstance(value, bool) else str(value)


def _reference(person: Person, field: str) -> str:
    reference = person.clientExternalId or ""
    if not reference.isprintable():
        raise InvalidSetting(field, reference, "text without control characters")
    return reference


def _attachment(person: Person, variables: Mapping[str, str], field: str) -> str:
    kept = {"variables": variables, "timezone": person.timezone, "callbackData": person.callbackData}
    try:
        text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise InvalidSetting(f"{field}callbackData", "NaN", "JSON") from None
    if len(text.encode()) > MOST_BYTES:
        raise InvalidSetting(f"{field}callbackData", f"{len(text)} characters", f"at most {MOST_BYTES} bytes of JSON")
    return text


def _number(text: str, field: str, zone: str, strict: bool, reading: Reading) -> NewNumber:
    """The number, or, unless checkPhone forbids it, one that is kept and never dialed."""
    problem = InvalidNumber("", "")
    for spelling in spellings(text, russian=reading.russian):
        try:
            number = reading.read_number(spelling, NumberType.MOBILE)
        except InvalidNumber as error:
            problem = error
        else:
            zones = zone or number.zones
            return NewNumber(number=number.number, as_uploaded=number.as_uploaded, type=number.type, zones=zones)
    if strict:
        raise InvalidSetting(field, text, problem.expected)
    plain = "".join(each for each in text if each.isprintable()).strip()[:40] or "?"
    return NewNumber(number=plain, as_uploaded=plain, type=NumberType.UNKNOWN, zones=zone, end_reason=INVALID)


def spellings(text: str, *, russian: bool) -> Iterable[str]:
    """How a number is read, the likelier first: with its country code and without a plus, as Twin24 has it, or as
    people of our own country write it."""
    plain = _SEPARATORS.sub("", text.strip())
    if not re.fullmatch(r"[0-9]{3,15}", plain):
        return (text,)
    if russian and len(plain) == 11 and plain[0] in "78":
        return ("+7" + plain[1:],)
    if russian and len(plain) == 10:
        return ("+7" + plain,)
    is_national = len(plain) < 11 or plain[0] == "0" or (len(plain) == 11 and plain[0] == "8")
    return (plain, "+" + plain) if is_national else ("+" + plain, plain)


#: Offsets from UTC are multiples of it, seconds; and so far at most.
_QUARTER_S, _FARTHEST_S = 900, 14 * 3600


def _zone(offset: int | None, field: str) -> str:
    """A zone of an offset from UTC in seconds; what can't be seconds, as one client has it, is minutes."""
    if offset is None:
        return ""
    minutes, odd = divmod(abs(offset), 60)
    if abs(offset) % _QUARTER_S and abs(offset) <= _FARTHEST_S // 60:
        minutes, odd = abs(offset), 0
    if odd or minutes % 15 or minutes * 60 > _FARTHEST_S:
        raise InvalidSetting(field, offset, "seconds from UTC, a multiple of 900, such as 25200")
    return f"UTC{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}" if offset else "UTC"
