"""Files of every kind that a base comes in."""

import contextlib
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.upload.errors import UploadError
from astdialer.upload.read import MAX_LINE, BaseFile, Record, detect_delimiter

_GOOD = "demo;07700900001;name=Ana"


def records(data: bytes | str, **options: str) -> list[Record]:
    raw = data.encode() if isinstance(data, str) else data
    return list(BaseFile(io.BytesIO(raw), **options))  # type: ignore[arg-type]


def fields(data: bytes | str, **options: str) -> list[list[str]]:
    return [list(record.fields) for record in records(data, **options)]


_RUSSIAN = "demo;07700900001;имя=Владимир Иванов:город=Санкт-Петербург\n" * 5
_SPANISH = "demo;07700900001;nombre=José Muñoz:ciudad=Córdoba:calle=Peñón\n" * 5


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (_RUSSIAN, "utf-8"),
        (_RUSSIAN, "utf-8-sig"),
        (_RUSSIAN, "utf-16"),
        (_RUSSIAN, "cp1251"),
        (_RUSSIAN, "koi8_r"),
        (_SPANISH, "utf-8"),
        (_SPANISH, "utf-16"),
        (_SPANISH, "utf-16-le"),
        (_SPANISH, "utf-16-be"),
        (_SPANISH, "latin-1"),
        (_SPANISH, "cp1252"),
    ],
)
def test_encodings_are_detected(text: str, encoding: str) -> None:
    assert fields(text.encode(encoding)) == [line.split(";") for line in text.splitlines()]


def test_utf8_beyond_any_sample_is_still_utf8() -> None:
    text = f"{_GOOD}\n" * 100_000 + "demo;07700900002;name=Peñón"
    assert fields(text)[-1] == ["demo", "07700900002", "name=Peñón"]


def test_a_broken_line_in_utf8_is_one_rows_fault() -> None:
    data = "demo;07700900001;name=Peñón\n".encode() * 9
    found = records(data + b"demo;1;name=Pe\xf1\xf3n\n" + data)
    bad = [record for record in found if record.error]
    assert [(record.line, record.error and record.error.reason) for record in bad] == [(10, "encoding")]
    assert bad[0].text.encode("utf-8", "surrogateescape") == b"demo;1;name=Pe\xf1\xf3n"
    assert len(found) == 19


def test_a_named_encoding_is_taken_and_an_unknown_one_refused() -> None:
    assert fields(b"demo;1234;name=\xe9", encoding="latin-1") == [["demo", "1234", "name=é"]]
    with pytest.raises(UploadError, match="expected a name such as utf-8"):
        records(b"demo;1234", encoding="klingon")
    assert records("demo;1234;name=é", encoding="ascii")[0].error is not None
    with pytest.raises(UploadError, match="line 1, the header: has bytes that are not ascii"):
        records("número;phone;x\n1234;2;3", encoding="ascii")


def test_a_first_line_that_can_not_be_read_is_a_reject() -> None:
    found = records(f'"demo;1;;\n{"x" * 70_000}\n{_GOOD}')
    assert [(record.line, bool(record.error)) for record in found] == [(1, True), (2, True), (3, False)]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_delimiters_are_detected(delimiter: str) -> None:
    text = "phone;name;city\n1234;Ana, Eva;Lima\n1235;Eva;Quito\n"
    lines = [line.replace(",", " ") for line in text.splitlines()]
    assert fields("\n".join(lines).replace(";", delimiter)) == [line.split(";") for line in lines[1:]]


def test_commas_in_values_do_not_make_a_comma_file() -> None:
    assert detect_delimiter(["demo;1234;a=x, y, z, w", "demo;1234;a=x, y, z, w"]) == ";"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(end: str) -> None:
    found = records(end.join([_GOOD, "", "  ", _GOOD, ""]))
    assert [record.line for record in found] == [1, 4]


def test_quoted_fields_over_lines_keep_their_line_number_and_text() -> None:
    text = 'phone,address\n1234,"Calle 1\nLima, ""Peru"""\n1235,Quito\n'
    found = records(text)
    assert [(record.line, record.fields) for record in found] == [
        (2, ["1234", 'Calle 1\nLima, "Peru"']),
        (4, ["1235", "Quito"]),
    ]
    assert found[0].text == '1234,"Calle 1\nLima, ""Peru"""'


def test_a_quote_that_never_closes_costs_one_row() -> None:
    lines = [f"demo;12345{n:03d};a={n}" for n in range(300)]
    lines[7] = 'demo;12345007;"a=7'
    found = records("\n".join(lines))
    assert [record.line for record in found if record.error] == [8]
    assert len(found) == 300


def test_a_long_line_costs_one_row() -> None:
    found = records(f"{_GOOD}\ndemo;2;{'x' * 1_000_000}\n{_GOOD}\n{'y' * MAX_LINE}x\n{_GOOD}")
    assert [(record.line, bool(record.error)) for record in found] == [
        (1, False),
        (2, True),
        (3, False),
        (4, True),
        (5, False),
    ]
    assert all(len(record.text) <= 200 for record in found)


def test_a_file_of_one_endless_line_takes_little_memory() -> None:
    data = io.BytesIO(f"{_GOOD}\n".encode() + b"x" * 50_000_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in BaseFile(data)) == 2
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(UploadError, match="no rows"):
        records(data)


def test_a_file_that_is_neither_format_is_explained() -> None:
    with pytest.raises(UploadError, match=r"line 1: neither a row .* Found: Name, City"):
        records("Name,City\nAna,Lima\n")


@given(st.binary(max_size=300))
def test_any_bytes_give_records_or_an_upload_error(data: bytes) -> None:
    with contextlib.suppress(UploadError):
        records(data)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters='\r\n"'), max_size=30), max_size=8))
def test_good_rows_around_any_line_are_kept(lines: list[str]) -> None:
    text = "\n".join([_GOOD, *(line for bad in lines for line in (bad, _GOOD))])
    found = records(text, encoding="utf-8", delimiter=";")
    assert sum(record.text == _GOOD and not record.error for record in found) >= len(lines) + 1


@given(st.integers(0, 60), st.text('ab";\n', max_size=30))
def test_good_rows_after_stray_quotes_are_kept(before: int, stray: str) -> None:
    """Quotes may take in rows up to the next quote, but nothing beyond it."""
    text = "\n".join([_GOOD] * (before + 1) + [stray] + [_GOOD] * 3 + [""])
    found = records(text, encoding="utf-8", delimiter=";")
    assert sum(record.text == _GOOD and not record.error for record in found) >= before + 1 + 3
