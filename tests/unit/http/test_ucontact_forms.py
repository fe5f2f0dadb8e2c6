"""How uContact's requests are read: forms, JSON in them or in their place, character sets; and what can't be read."""

import base64
import io
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, hands
from hypothesis import given
from hypothesis import strategies as st
from ucontact_hands import FORM, RESOURCES, e164, refused, result

from astdialer.domain.errors import InvalidSetting
from astdialer.http.ucontact import forms
from astdialer.http.ucontact.forms import Fields, Unreadable
from astdialer.http.ucontact.streaming import FormReader


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("Campaign")
        yield opened


ENTRY = {"phone": "07700900001", "campaign": "Campaign", "username": "u", "name": "Ñandú"}


async def _black(api: Hands, body: str | bytes, content_type: str = FORM) -> tuple[int, str]:
    headers = {"authorization": f"Basic {await api.token()}", "content-type": content_type}
    answer = await api.client.post(f"{RESOURCES}/admin/addblack", content=body, headers=headers)
    return answer.status_code, answer.text


async def _listed(api: Hands) -> list[tuple[str, str]]:
    return [(entry.number, entry.reason) for entry in await api.store.blacklist(None, 10)]


def _padded(fields: dict[str, str]) -> dict[str, str]:
    return fields | {"random": "x" * forms.LARGEST}


async def test_a_large_body_about_one_thing_is_not_read(api: Hands) -> None:
    status, text = await refused(api, "Dialers/DialerTask", _padded({"call": "{}"}))
    assert (status, str(forms.LARGEST) in text) == (413, True), text


async def test_large_bodies_are_read_beside_the_loop(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, parsed = [], forms._parsed

    def noted(name: str, value: Any) -> Any:
        threads.append(threading.current_thread())
        return parsed(name, value)

    monkeypatch.setattr(forms, "_parsed", noted)
    for path in ("admin/addblack", "admin/deleteblackbulk"):
        assert await result(api, path, _padded({"black": json.dumps([ENTRY])})) == "1"
    assert len(threads) == 2
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("name", ["black", "blacklist", "blackObject", "whatever"])
async def test_the_object_may_be_in_a_field_of_any_name(api: Hands, name: str) -> None:
    assert await result(api, "admin/addblack", {name: ENTRY, "random": "1"}) == "1"
    assert await _listed(api) == [(e164(1), "Ñandú")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(ENTRY), FORM),
        (json.dumps([ENTRY]), FORM),
        (json.dumps(ENTRY), "application/json"),
        (json.dumps({"black": ENTRY}), "application/json; charset=utf-8"),
        (json.dumps({"black": json.dumps(ENTRY)}), "application/json"),
        ("phone=07700900001&campaign=Campaign&name=%C3%91and%C3%BA", FORM.replace(";", " ;")),
        ("phone=07700900001&campaign=Campaign&name=%D1and%FA", "application/x-www-form-urlencoded;charset=ISO-8859-1"),
        ("phone=07700900001&campaign=Campaign&name=Ñandú", FORM),
        ("phone=+447700900001&campaign=Campaign&name=Ñandú", FORM),
        ("phone= 07700900001&campaign=Campaign&name=Ñandú&phone=1", FORM),
    ],
)
async def test_or_the_body_itself_or_its_fields(api: Hands, body: str, content_type: str) -> None:
    assert await _black(api, body.encode(), content_type) == (200, "1")
    assert await _listed(api) == [(e164(1), "Ñandú")]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"name=\xff", FORM, 400, "the body is not utf-8: byte 6"),
        (b"name=%FF", FORM, 400, "a field of the form is not utf-8"),
        (b"a=1", "application/x-www-form-urlencoded; charset=zlib", 400, "charset 'zlib': expected UTF-8"),
        (b"a=1", "multipart/form-data; boundary=x", 415, "expected application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(102)), FORM, 400, "more than 100 fields"),
        (b'{"black": ', FORM, 400, "the body is not JSON"),
        (b"[" * 100_000, "application/json", 400, "the body is not JSON"),
        (b'{"phone": NaN}', "application/json", 400, "the body is not JSON"),
        (b"black=%7Bphone", FORM, 422, "black = '{phone'"),
        (b"black=7", FORM, 422, "black = '7': expected a JSON object"),
        (b'black=["x"]', FORM, 422, "black[0] = 'x': expected a JSON object"),
        (b"phone=07700900001&campaign=Campaign&name=a%0D%0Ab", FORM, 422, "name = 'a\\r\\nb': expected one line"),
        (b'black={"phone":"07700900001","campaign":"Campaign","name":["a"]}', FORM, 422, "expected text"),
        (b'black={"phone":"07700900001","campaign":"Campaign","name":"\\ud800"}', FORM, 422, "expected one line"),
        (b"phone=07700900001&campaign=Campaign&name=" + b"x" * 501, FORM, 422, "at most 500 characters"),
    ],
)
async def test_what_can_not_be_read_changes_nothing(
    api: Hands, body: bytes, content_type: str, status: int, says: str
) -> None:
    answered, text = await _black(api, body, content_type)
    assert (answered, says in text) == (status, True), text
    assert await _listed(api) == []


def test_text_of_several_lines_becomes_one() -> None:
    fields = Fields({"comment": " first\r\n\tsecond ", "empty": None})
    assert fields.text("comment") == "first second"
    assert (fields.line("empty"), fields.line("gone", "empty")) == ("", "")
    with pytest.raises(InvalidSetting, match=r"^comment = "):
        fields.line("comment")


# --- forms that are read as they come --------------------------------------------------------------------------------


async def _streamed(body: bytes, sizes: list[int], charset: str = "utf-8") -> tuple[dict[str, str], bytes]:
    """The fields, and the file, of a body that comes in pieces of these sizes, again and again."""

    async def chunks() -> AsyncIterator[bytes]:
        at, turn = 0, 0
        while at < len(body):
            size = sizes[turn % len(sizes)]
            yield body[at : at + size]
            at, turn = at + size, turn + 1

    file = io.BytesIO()
    reader = FormReader("fileb64", file, charset)
    fields = await reader.read(chunks())
    assert reader.size == len(file.getvalue())
    return fields, file.getvalue()


def _encoded(raw: bytes, style: str) -> bytes:
    plain = base64.b64encode(raw)
    escaped = plain.replace(b"+", b"%2B").replace(b"/", b"%2f").replace(b"=", b"%3D")
    wrapped = b"%0D%0A".join(escaped[at : at + 79] for at in range(0, len(escaped), 79))
    bare = plain.rstrip(b"=")
    return {"plain": plain, "escaped": escaped, "wrapped": wrapped, "bare": bare, "url": bare.translate(_URL)}[style]


_URL = bytes.maketrans(b"+/", b"-_")


@given(
    raw=st.binary(max_size=300),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    style=st.sampled_from(["plain", "escaped", "wrapped", "bare", "url"]),
)
async def test_a_file_comes_whole_in_whatever_pieces(raw: bytes, sizes: list[int], style: str) -> None:
    body = b"filename=a%20b.csv&fileb64=" + _encoded(raw, style) + b"&campaign=Venta+%C3%B1&cant="
    fields, file = await _streamed(body, sizes)
    assert file == raw
    assert fields == {"filename": "a b.csv", "campaign": "Venta ñ", "cant": ""}


async def test_a_large_file_takes_no_more_memory_than_a_piece() -> None:
    raw = bytes(range(256)) * 4000
    fields, file = await _streamed(b"fileb64=" + base64.b64encode(raw) + b"&campaign=x", [65_536])
    assert (fields, file) == ({"campaign": "x"}, raw)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"fileb64=abc!", "fileb64 is not base64"),
        (b"fileb64=abcde", "fileb64 is not base64"),
        (b"fileb64=YQ&fileb64=YQ", "fileb64 is given twice"),
        (b"x=" + b"y" * 70_000, "longer than 65536 bytes"),
        (b"&".join(b"a%d=1" % n for n in range(102)), "more than 100 fields"),
        (b"campaign=%FF", "a field of the form is not utf-8"),
    ],
)
async def test_what_is_no_form_or_no_file(body: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        await _streamed(body, [1000])


def test_an_argument_is_empty_where_there_is_none() -> None:
    found: Any = Fields({"black": "", "x": "1"}).argument("black")
    assert found == {"black": "", "x": "1"}
    assert list(Fields({}, []).objects("black")) == []
