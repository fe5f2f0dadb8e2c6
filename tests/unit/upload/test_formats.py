"""Rows and headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.base_fields import Alternative
from astdialer.domain.contact import DEFAULT_PRIORITY, NumberType
from astdialer.upload import formats
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.formats import NATIVE_LAYOUT, Row, layout_of, read_row

_NAMES = st.from_regex(r"[A-Za-z0-9_]{1,64}", fullmatch=True)
_VALUES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters=':="'), max_size=40
)  # nothing that stripping or splitting changes


def native(line: str) -> Row:
    return read_row(line.split(";"), NATIVE_LAYOUT)


def test_the_example_of_the_source_document() -> None:
    row = native("prueba1;098344484;var1=val1:var2=val2;099124484:099111111;9999;1001")
    assert row == Row(
        campaign="prueba1",
        number="098344484",
        params={"var1": "val1", "var2": "val2"},
        alternatives=[
            Alternative(NumberType.UNKNOWN, "099124484"),
            Alternative(NumberType.UNKNOWN, "099111111"),
        ],
        priority=9999,
        agentphone="1001",
    )


def test_priority_and_agentphone_may_be_left_out() -> None:
    row = native("demo;098344484;;")
    assert (row.params, row.alternatives, row.priority, row.agentphone) == ({}, [], DEFAULT_PRIORITY, "")


def test_typed_alternatives_are_ordered_with_p_first_and_u_last() -> None:
    row = native("demo;1;;U=0=11:H=0=999555555:W=0=999666666:P=0=22")
    assert [(one.type, one.text) for one in row.alternatives] == [
        ("P", "22"),
        ("H", "999555555"),
        ("W", "999666666"),
        ("U", "11"),
    ]


def test_a_higher_priority_of_an_alternative_goes_first_whatever_its_type() -> None:
    row = native("demo;1;;P=0=22:H=5=33:U=9=44:W=-1=55:77")
    assert [one.text for one in row.alternatives] == ["44", "33", "22", "77", "55"]


@pytest.mark.parametrize(
    ("piece", "alternative"),
    [
        ("99", Alternative("U", "99")),
        ("h=0=99", Alternative("H", "99")),
        ("H==99", Alternative("H", "99")),
        ("H=99", Alternative("H", "99")),
        (" M = 3 = +34 99 ", Alternative("M", "+34 99", 3)),
        ("7=-2=99", Alternative("7", "99", -2)),
        ("whatsapp=0=99=his own", Alternative("whatsapp", "99", 0, "his own")),
    ],
)
def test_an_alternative_is_a_number_or_type_priority_number_and_description(
    piece: str, alternative: Alternative
) -> None:
    assert formats.parse_alternative(piece) == alternative


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        ("demo", "fields", "1 fields, expected 6"),
        ("demo;1;;;;;7", "fields", "7 fields, expected 6: campaign;number;params"),
        ("demo;1;url=http://x", "params", "a value with a colon needs CSV"),
        ("demo;1;first name=Bob", "params", "'first name': expected 1 to 64 letters"),
        ("demo;1;a=1:A=2", "params", "given twice"),
        ("demo;1;a=\x01", "params", "control character"),
        ("demo;1;a=" + "x" * 901, "params", "longer than 900 bytes"),
        ("demo;1;a=" + "ñ" * 451, "params", "longer than 900 bytes"),
        ("demo;1;" + ":".join(f"a{n}=1" for n in range(61)), "params", "at most 60"),
        ("demo;1;;;0", "priority", "from 1 to 999999"),
        ("demo;1;;;-1", "priority", "from 1 to 999999"),
        ("demo;1;;;1.5", "priority", "from 1 to 999999"),
        ("demo;1;;;1000000", "priority", "from 1 to 999999"),
        ("demo;1;;;1;SIP/1001\r\nx", "agentphone", "expected letters, digits"),
        ("demo;1;;;1;" + "1" * 81, "agentphone", "80 at most"),
    ],
)
def test_a_bad_field_is_named(line: str, reason: str, says: str) -> None:
    with pytest.raises(RowError, match=says) as caught:
        native(line)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "header",
    [
        "Campaign;Phone;Priority;Agent Phone;Alt;City",
        "campaña;Teléfono;prioridad;teléfono agente;alternativo;City",
        "Campanha;Número;Prioridade;telefone agente;alternativas;City",
        "Кампания;Номер телефона;Приоритет;Телефон агента;Дополнительный телефон;City",
    ],
)
def test_usual_header_words_are_known(header: str) -> None:
    layout = layout_of(header.split(";"))
    assert (layout.campaign, layout.number, layout.priority, layout.agentphone) == (0, 1, 2, 3)
    assert (layout.alternatives, layout.columns) == ((4,), {5: "City"})


@pytest.mark.parametrize(
    "header",
    [
        "Phone;Time zone;Bucket;Not before;Expires",
        "Teléfono;Zona horaria;bucket;No antes de;No después de",
        "Telefone;Fuso horário;bucket;Não antes de;Não depois de",
        "Телефон;Часовой пояс;bucket;Не раньше;Не позже",
    ],
)
def test_words_for_zone_bucket_and_times_are_known(header: str) -> None:
    columns = header.split(";")
    layout = layout_of(columns)
    assert (layout.timezone, layout.bucket, layout.not_before, layout.expires) == (1, 2, 3, 4)
    assert list(layout.meanings(columns).values()) == ["number", "timezone", "bucket", "not_before", "expires"]


def test_zone_bucket_and_times_can_be_mapped_and_their_words_be_params() -> None:
    header = ["Phone", "Region", "Team", "From", "Until", "Expires"]
    names = ("timezone", "bucket", "not_before", "expires", "card")
    layout = layout_of(header, list(zip(names, header[1:], strict=True)))
    assert (layout.timezone, layout.bucket, layout.not_before, layout.expires) == (1, 2, 3, 4)
    assert layout.columns == {5: "card"}


def test_the_native_header_line_is_a_header() -> None:
    fields = formats.NATIVE.split(";")
    assert formats.is_header(fields)
    row = read_row(["demo", "1", "a=b", "2:M=0=3", "", ""], layout_of(fields))
    assert (row.params, [one.text for one in row.alternatives]) == ({"a": "b"}, ["3", "2"])


def test_map_wins_over_words_and_names_params() -> None:
    header = ["Phone", "WhatsApp", "Casa", "Имя", "Número de cuenta"]
    pairs = [("number", "whatsapp"), ("alt", "PHONE"), ("ALT", "casa"), ("client", "имя")]
    layout = layout_of(header, pairs)
    assert (layout.number, layout.alternatives) == (1, (0, 2))
    assert layout.columns == {3: "client", 4: "Numero_de_cuenta"}
    assert layout.meanings(header)["Имя"] == "param client"


def test_columns_without_a_latin_letter_and_repeated_ones_get_distinct_names() -> None:
    layout = layout_of(["number", "Имя", "city", "City", ""])
    assert layout.columns == {1: "column_2", 2: "city", 3: "City_4", 4: "column_5"}


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("number", "Fax")], "--map number=Fax: no such column; the file has Phone, City"),
        ([("number", "City"), ("number", "Phone")], "mapped already"),
        ([("number", "City"), ("alt", "City")], "mapped already"),
        ([("a-b", "City")], "expected one of campaign, number"),
    ],
)
def test_a_wrong_map_is_explained(pairs: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(UploadError, match=says):
        layout_of(["Phone", "City"], pairs)


def test_a_header_without_a_number_is_explained() -> None:
    with pytest.raises(UploadError, match=r"--map number=COLUMN\. Columns: Name, City"):
        layout_of(["Name", "City"])


def test_a_row_as_wide_as_its_header_or_with_empty_spares_is_good() -> None:
    layout = layout_of(["number", "city"])
    assert read_row(["1", "Lima", "", " "], layout).params == {"city": "Lima"}
    for fields in (["1"], ["1", "Lima", "x"]):
        with pytest.raises(RowError, match="expected 2: number, city"):
            read_row(fields, layout)


def test_lines_of_a_cell_become_one() -> None:
    layout = layout_of(["number", "address"])
    assert read_row(["1", "Calle 1\r\n\tLima"], layout).params == {"address": "Calle 1 Lima"}


@given(st.dictionaries(_NAMES.map(str.lower), _VALUES, max_size=10), st.integers(1, 999999))
def test_what_is_written_in_the_semicolon_format_is_read(params: dict[str, str], priority: int) -> None:
    text = ":".join(f"{name}={value}" for name, value in params.items())
    row = read_row(["demo", "1", text, "", str(priority), ""], NATIVE_LAYOUT)
    assert (row.params, row.priority) == (params, priority)


@given(st.lists(st.text(max_size=60), max_size=9))
def test_any_fields_give_a_row_or_a_row_error(fields: list[str]) -> None:
    for layout in (NATIVE_LAYOUT, layout_of(["number", "tz", "alt", "priority", "expires"])):
        try:
            row = read_row(fields, layout)
        except RowError:
            continue
        assert not any(character < " " for value in row.params.values() for character in value)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=70))
def test_any_header_gives_a_layout_or_an_upload_error(header: list[str]) -> None:
    try:
        layout = layout_of(header, [("number", header[0])])
    except UploadError:
        return
    names = [name.lower() for name in layout.columns.values()]
    assert len(set(names)) == len(names)
