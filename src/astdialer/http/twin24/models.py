"""What Twin24's clients send. Booleans and numbers come as texts too, and whole numbers as booleans; what is not known
here is kept and given back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_PHONES, MOST_CANDIDATES = 20, 10_000
LONGEST_NAME = 255
_DAY_S = 86_400


def _nothing(value: Any) -> Any:
    """PHP's empty array, and an empty text, where nothing is said."""
    return None if value in ("", []) else value


def _flag(value: Any) -> Any:
    return False if value in (None, "") else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else _nothing(value)


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str | None, BeforeValidator(_nothing)]
Seconds = Annotated[Annotated[int, Field(ge=0, le=99_999_999)] | None, BeforeValidator(_whole)]
SecondOfDay = Annotated[Annotated[int, Field(ge=0, le=_DAY_S)] | None, BeforeValidator(_whole)]


class Loose(BaseModel):
    """A body; numbers may stand where texts are meant."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class Rule(Loose):
    """When a call that ended so is made again: ``count`` times, ``time`` seconds apart."""

    redial: Flag = False
    time: Seconds = None
    count: Annotated[Annotated[int, Field(ge=0, le=998)] | None, BeforeValidator(_whole)] = None


class Limit(Loose):
    """``count`` calls at most."""

    redial: Flag = False
    count: Annotated[Annotated[int, Field(ge=0, le=999)] | None, BeforeValidator(_whole)] = None


class Redial(Loose):
    """``redialStrategyOptions``."""

    redialStrategyEn: Flag
    busy: Rule | None = None
    noAnswer: Rule | None = None
    answerMash: Rule | None = None
    congestion: Rule | None = None
    answerNoList: Rule | None = None
    candidateLimit: Limit | None = None
    numberLimit: Limit | None = None


class Additional(Loose):
    """``additionalOptions``."""

    fullListMethod: Literal["reject"]
    fullListTime: Annotated[int, Field(ge=0, le=600), BeforeValidator(_whole)]
    useTr: Flag = False
    allowCallTimeFrom: SecondOfDay = None
    allowCallTimeTo: SecondOfDay = None
    recordCall: Flag
    recTrimLeft: Annotated[Annotated[int, Field(ge=0, le=600)] | None, BeforeValidator(_whole)] = None
    detectRobot: Flag = False
    detectRobotMode: Annotated[Literal["back", "block"] | None, BeforeValidator(_nothing)] = None
    providerId: Text = None
    fz230: Flag = False


class Switch(Loose):
    """Whether an event is told."""

    value: Flag = False


class Hook(Loose):
    """A receiver of events."""

    url: str
    partialResults: Flag = False
    delay: Seconds = None
    events: Annotated[dict[str, Switch | Flag] | None, BeforeValidator(_nothing)] = None


class AutoCall(Loose):
    """A task to make."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    defaultExec: Literal["robot"]
    defaultExecData: str
    secondExec: Literal["end", "ignore", "ch"]
    secondExecData: Text = None
    cidType: Literal["default", "gornum", "pool"]
    cidData: Text = None
    startType: Literal["manual", "time"]
    startMoment: Text = None
    cps: Any
    taskComment: Annotated[str | None, Field(max_length=10_000)] = None
    webhookUrls: list[str | Hook] | None = None
    additionalOptions: Additional
    redialStrategyOptions: Redial
    callStrategy: Annotated[Literal["STEP_2_STEP"] | None, BeforeValidator(_nothing)] = None
    lifetime: Seconds = None
    checkPhone: Flag = False
    phoneNormalization: Annotated[Literal["RU"] | None, BeforeValidator(_nothing)] = None


class Person(Loose):
    """Whom to call, on one or several numbers."""

    phone: Annotated[
        list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=MOST_PHONES), BeforeValidator(_list)
    ]
    variables: Annotated[dict[str, str | int | float | bool | None] | None, BeforeValidator(_nothing)] = None
    callbackData: Any = None
    clientExternalId: Annotated[Annotated[str, Field(max_length=255)] | None, BeforeValidator(_nothing)] = None
    timezone: Annotated[int | None, BeforeValidator(_nothing)] = None
    checkPhone: Annotated[bool | None, BeforeValidator(_nothing)] = None


class Candidate(Person):
    """A person for a task."""

    autoCallId: Annotated[str, Field(max_length=64)]
    forceStart: Flag = False


class Batch(Loose):
    """Persons for tasks."""

    batch: Annotated[list[Candidate], Field(min_length=1, max_length=MOST_CANDIDATES)]
    forceStart: Flag = False


class SingleCall(Person):
    """A person for the day's task of a template and a scenario, which is made if it is not there yet."""

    botSettingsId: Text = None
    autoCallTemplateId: Text = None


class SingleCalls(Loose):
    """Several of them."""

    batch: Annotated[list[SingleCall], Field(min_length=1, max_length=MOST_CANDIDATES)]


class Login(Loose):
    """A token's name and its secret."""

    email: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=4000)]
    ttl: Seconds = None


class Refresh(Loose):
    """What came with an earlier session."""

    refreshToken: Annotated[str, Field(max_length=200)]
    ttl: Seconds = None
