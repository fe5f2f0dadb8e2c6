"""Bodies of requests: forms, some of whose fields hold JSON as text. A body that is JSON itself is taken as well."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from astdialer.domain.errors import AstdialerError, InvalidSetting
from astdialer.http.problems import TooLarge

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MOST_FIELDS, LONGEST_LINE = 100, 500
#: Bytes of a body that is read at once: calls are being placed by the same thread.
LARGEST = 128 * 1024
CUT = "the connection ended before the body did"
#: By which a form may be encoded.
_CHARSETS = {"utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "latin1"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAKS = re.compile(r"\s+")


class Unreadable(AstdialerError):
    """The body can't be read."""

    code = "unreadable"


class Fields:
    """What a request says: by name from a form, or a JSON object. ``whole``: what else the body is, as JSON."""

    def __init__(self, values: Mapping[str, Any], whole: Any = None) -> None:
        self._values, self._whole = values, whole

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self, *names: str) -> Any:
        """The first of these fields that there is, as it came; an empty text if there is none."""
        return next((self._values[name] for name in names if self._values.get(name) is not None), "")

    def line(self, *names: str) -> str:
        """The first of these fields, as one line. Raises InvalidSetting, which names it."""
        return line_of(names[0], self.raw(*names))

    def text(self, *names: str, longest: int = LONGEST_LINE) -> str:
        """Likewise, where people write several lines: they become one."""
        value = self.raw(*names)
        return line_of(names[0], _BREAKS.sub(" ", value) if isinstance(value, str) else value, longest)

    def argument(self, *names: str) -> Any:
        """The object, or array, that the request is about: of the first of these fields, or of the only field that
        holds one, or the body itself. An empty object if there is none. Raises InvalidSetting."""
        for name in names:
            if self._values.get(name) not in (None, ""):
                return _parsed(name, self._values[name])
        if self._whole is not None:
            return self._whole
        found = [value for value in map(_maybe, self._values.values()) if value is not None]
        return found[0] if len(found) == 1 else dict(self._values)

    def object(self, *names: str) -> Fields:
        """The object that the request is about. Raises InvalidSetting."""
        return fields_in(names[0], self.argument(*names))

    def objects(self, *names: str) -> Iterator[Fields]:
        """Each object of the array that the request is about, or the only one. Raises InvalidSetting."""
        found = self.argument(*names)
        for at, each in enumerate(found if isinstance(found, list) else [found]):
            yield fields_in(f"{names[0]}[{at}]" if isinstance(found, list) else names[0], each)


def fields_in(name: str, value: Any) -> Fields:
    """A JSON object's. Raises InvalidSetting for anything else."""
    if not isinstance(value, dict):
        raise InvalidSetting(name, str(value)[:80], "a JSON object")
    return Fields(value)


def line_of(name: str, value: Any, longest: int = LONGEST_LINE) -> str:
    """A value as one line of text, without spaces around it. Raises InvalidSetting."""
    if isinstance(value, bool | dict | list):
        raise InvalidSetting(name, str(value)[:80], "text")
    text = str(value).strip()
    if _CONTROL.search(text) or len(text) > longest:
        raise InvalidSetting(name, text[:80], f"one line of at most {longest} characters, without control characters")
    return text


async def fields_of(request: Request) -> Fields:
    """The fields of a request about one thing. Raises Unreadable, TooLarge, and HTTPException for a body that is
    neither a form nor JSON."""
    body = await _body(request)
    if len(body) > LARGEST:
        raise TooLarge(f"the body has more than {LARGEST} bytes")
    return _read(body, *content_type(request))


async def many_fields_of(request: Request) -> Fields:
    """Those of a request that may be as large as any. Raises as fields_of."""
    body = await _body(request)
    return await asyncio.to_thread(_read, body, *content_type(request))


async def objects_of(request: Request, *names: str) -> list[Fields]:
    """Fields.objects of a request that may be as large as any. Raises as fields_of, and InvalidSetting."""
    fields = await many_fields_of(request)
    return await asyncio.to_thread(lambda: list(fields.objects(*names)))


def _read(body: bytes, kind: str, charset: str) -> Fields:
    text = _decoded(body, charset)
    if kind not in (FORM, JSON, ""):
        raise HTTPException(415, f"Content-Type {kind[:80]}: expected {FORM}")
    if kind == JSON or text.lstrip()[:1] in ("{", "["):
        whole = _json(text)
        return Fields(whole if isinstance(whole, dict) else {}, whole)
    return Fields(_form(text, charset))


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise Unreadable(CUT) from None


def content_type(request: Request) -> tuple[str, str]:
    """The kind of body, and its character set. Raises Unreadable."""
    kind, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    pairs = dict(part.partition("=")[::2] for part in parameters)
    charset = pairs.get("charset", "").strip(" \"'") or "utf-8"
    if charset not in _CHARSETS:
        raise Unreadable(f"charset {charset[:40]!r}: expected UTF-8")
    return kind, charset


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not {charset}: byte {error.start + 1} can't be one") from None


def _form(text: str, charset: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise Unreadable(f"a field of the form is not {charset}") from None
    except ValueError:
        raise Unreadable(f"the form has more than {MOST_FIELDS} fields") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _parsed(name: str, value: Any) -> Any:
    """What a field holds: JSON as text, or already read."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidSetting(name, value[:80], "a JSON object as text") from None


def _maybe(value: Any) -> Any:
    """The object or array that a field holds, None if it holds neither."""
    try:
        found = _parsed("", value)
    except InvalidSetting:
        return None
    return found if isinstance(found, dict | list) else None
