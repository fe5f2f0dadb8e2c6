"""Numbers and contacts as they are sent to us: bodies, what can be wrong with them, and what becomes of them here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import Field

from astdialer.domain.calendar import zone_of
from astdialer.domain.contact import DEFAULT_PRIORITY, NewContact, NewNumber, NumberType
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import NAME
from astdialer.domain.params import check_params
from astdialer.engine.contacts import MAX_PRIORITY, TASKS, check_agent
from astdialer.http.services import Services
from astdialer.http.v1.common import Model

#: Text of one line.
LINE = r"^[^\x00-\x1f\x7f]*$"
Line = Annotated[str, Field(max_length=500, pattern=LINE)]
#: An instant: milliseconds since 1970 UTC, until the year 3000.
Instant = Annotated[int, Field(ge=0, lt=32_503_680_000_000, examples=[1_790_000_000_000])]
NumberText = Annotated[str, Field(min_length=1, max_length=60, pattern=LINE, examples=["+447700900123"])]
ContactPriority = Annotated[int, Field(ge=1, le=MAX_PRIORITY, description="Smaller is dialed first.")]
Value = str | int | float | bool
Params = Annotated[
    dict[str, Value],
    Field(max_length=60, description="Become channel variables.", examples=[{"name": "Ana", "account": 4711}]),
]

#: A field as errors call it, and what is wrong with it.
Mistake = tuple[str, str]
_LETTERS = frozenset(NumberType)
_BUCKET = "1 to 64 letters, digits or _ . @ + -"


class NumberBody(Model):
    """A telephone number."""

    number: NumberText = Field(description="As an upload takes it; without a country code it is the default country's.")
    type: str = Field(
        default="",
        max_length=32,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="P, M, W, H, U or a code of the campaign's setting ranges. P for the first, else U.",
    )
    priority: int = Field(default=0, ge=-999_999, le=999_999, description="Higher first.")
    description: Line = ""
    timezone: str = Field(
        default="", max_length=64, description="In place of the base's, or else of what its digits say."
    )


class ContactFields(Model):
    """A contact. It is called at its numbers in their order."""

    numbers: list[NumberBody] = Field(min_length=1, max_length=50, description="The first one is its main number.")
    params: Params = Field(default_factory=dict)
    priority: ContactPriority = DEFAULT_PRIORITY
    agentphone: str = Field(default="", max_length=80, description="The agent who alone may have the call.")
    bucket: str = Field(default="", max_length=64, description="The agents' bucket that alone may have the call.")
    not_before: Instant | None = None
    expires_at: Instant | None = Field(default=None, description="It is not dialed from then on.")
    reference: Annotated[str, Field(max_length=200, pattern=LINE)] = Field(
        default="", description="What you call it; once in a campaign.", examples=["crm-4711"]
    )
    any_hour: bool = Field(
        default=False, description="The call was promised for not_before, whatever the calling hours."
    )


def refusal(mistakes: Sequence[Mistake]) -> RequestValidationError:
    """A 422 that names each field."""
    return RequestValidationError([{"loc": (field,), "msg": text, "type": "value_error"} for field, text in mistakes])


@contextlib.contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Have InvalidSetting name the request's field in place of the use case's own word."""
    try:
        yield
    except InvalidSetting as error:
        if error.key not in names:
            raise
        raise InvalidSetting(names[error.key], error.value, error.expected) from None


def texts(params: Mapping[str, Value]) -> dict[str, str]:
    """Params as channel variables have them. Raises InvalidSetting."""
    found = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in params.items()}
    check_params(found, "params")
    return found


def base_name(name: str) -> str:
    """A base that contacts may be added to. Raises InvalidSetting."""
    if not NAME.fullmatch(name) or name == TASKS:
        raise InvalidSetting("base", name, f"1 to 64 letters, digits or _ . @ + -, and not {TASKS}: that is for tasks")
    return name


def plain_number(found: Services, text: str, field: str = "number") -> str:
    """A number of a query as the store has it: E.164. Raises RequestValidationError.

    In a query a + that was not escaped has become a space.
    """
    if text.startswith(" "):
        text = "+" + text.strip()
    return read_number(found, text, NumberType.UNKNOWN, field).number


def read_number(found: Services, text: str, kind: str, field: str) -> NewNumber:
    """A number as it was written. Raises RequestValidationError, which names the field."""
    try:
        return found.read_number(text, kind)
    except InvalidSetting as error:
        raise refusal([(field, str(error))]) from None


def new_number(found: Services, given: NumberBody, usual: NumberType, field: str) -> NewNumber:
    """A number on its way into the store. Raises RequestValidationError."""
    number = read_number(found, given.number, _type(given.type) or usual, f"{field}.number")
    if given.timezone:
        try:
            zone_of(given.timezone)
        except InvalidSetting as error:
            raise refusal([(f"{field}.timezone", str(error))]) from None
    if not given.timezone and not given.priority and not given.description:
        return number
    return NewNumber(
        number=number.number,
        as_uploaded=number.as_uploaded,
        type=number.type,
        priority=given.priority,
        description=given.description,
        zones=given.timezone or number.zones,
        own_zones=bool(given.timezone),
    )


def _type(text: str) -> str:
    return text.upper() if text.upper() in _LETTERS else text


def new_numbers(
    found: Services, given: Sequence[NumberBody], field: str = "numbers", first: NumberType = NumberType.PRIORITY
) -> tuple[NewNumber, ...]:
    """Each number once; ``first`` is the first one's usual type. Raises RequestValidationError, which names all that
    can't be dialed."""
    numbers: dict[str, NewNumber] = {}
    mistakes: list[Any] = []
    for at, one in enumerate(given):
        try:
            number = new_number(found, one, NumberType.UNKNOWN if at else first, f"{field}.{at}")
        except RequestValidationError as error:
            mistakes += error.errors()
        else:
            numbers.setdefault(number.number, number)
    if mistakes:
        raise RequestValidationError(mistakes)
    return tuple(numbers.values())


def new_contact(found: Services, given: ContactFields) -> NewContact:
    """The contact on its way into the store. Raises RequestValidationError and InvalidSetting."""
    numbers = new_numbers(found, given.numbers)
    check_agent(given.agentphone, "agentphone")
    if given.bucket and not NAME.fullmatch(given.bucket):
        raise InvalidSetting("bucket", given.bucket, _BUCKET)
    if given.any_hour and given.not_before is None:
        raise InvalidSetting("any_hour", given.any_hour, "a not_before that the call was promised for")
    if given.expires_at is not None and given.expires_at <= (given.not_before or 0):
        raise InvalidSetting("expires_at", given.expires_at, "an instant after not_before")
    return NewContact(
        numbers=numbers,
        params=texts(given.params),
        priority=given.priority,
        agentphone=given.agentphone,
        line=0,
        bucket=given.bucket,
        not_before=given.not_before,
        expires_at=given.expires_at,
        any_hour=given.any_hour,
        reference=given.reference,
    )


def mistakes_of(error: Exception) -> list[Mistake]:
    """What is wrong with one of many, from what was raised for it."""
    if isinstance(error, InvalidSetting):
        return [(error.key, str(error))]
    errors = error.errors() if hasattr(error, "errors") else []
    return [(".".join(map(str, each["loc"])), str(each["msg"])) for each in errors]
