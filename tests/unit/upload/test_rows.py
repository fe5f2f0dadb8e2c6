"""Rows → contacts: which zone counts, which times, which alternatives."""

import pytest

from astdialer.domain.contact import NewContact
from astdialer.upload.errors import RowError
from astdialer.upload.formats import layout_of
from astdialer.upload.numbers import NumberReader
from astdialer.upload.read import Record
from astdialer.upload.rows import RowReader

NOW = 1_782_864_000_000  # 2026-07-01 00:00 UTC
HOUR = 3_600_000


def read(
    *, base_zone: str = "", local_zone: str = "UTC", check: str = "valid", **cells: str
) -> tuple[NewContact, list[RowError]]:
    """The contact of a row with these cells; its base is in ``base_zone``."""
    cells = {"number": "+34912345678", **cells}
    reader = RowReader(
        layout=layout_of(list(cells)),
        numbers=NumberReader("", check),
        campaigns={"demo": base_zone},
        campaign="demo",
        local_zone=local_zone,
        now=NOW,
    )
    _, contact, warnings = reader.read(Record(1, "", list(cells.values())))
    return contact, warnings


def zones(**cells: str) -> list[str]:
    contact, _ = read(**cells)
    return [number.zones for number in contact.numbers]


def test_the_contacts_zone_counts_before_the_bases() -> None:
    assert zones(base_zone="America/Lima", timezone="25200") == ["UTC+07:00"]


def test_the_bases_zone_counts_before_the_numbers() -> None:
    assert zones(base_zone="America/Lima", timezone="", alt="+442079460958") == ["America/Lima"] * 2


def test_without_either_each_number_is_where_its_digits_say() -> None:
    assert zones(alt="+442079460958:+34612345678") == [
        "Europe/Madrid",
        "Europe/London",
        "Atlantic/Canary|Europe/Madrid",
    ]


def test_a_number_that_tells_nothing_has_no_zone() -> None:
    assert zones(number="100", check="none") == [""]


def test_times_are_in_the_contacts_zone_else_the_bases_else_the_engines() -> None:
    def not_before(**cells: str) -> int:
        at = read(not_before="2026-07-02 12:00", **cells)[0].not_before
        assert at is not None
        return (at - NOW) // HOUR - 36

    assert not_before(timezone="UTC+07:00", base_zone="UTC+03:00", local_zone="UTC+01:00") == -7
    assert not_before(base_zone="UTC+03:00", local_zone="UTC+01:00") == -3
    assert not_before(local_zone="UTC+01:00") == -1


def test_a_contact_expires_at_the_end_of_a_date_and_may_be_called_from_its_beginning() -> None:
    contact, warnings = read(not_before="2026-07-02", expires="2026-07-02")
    assert (contact.not_before, contact.expires_at) == (NOW + 24 * HOUR, NOW + 48 * HOUR)
    assert warnings == []


def test_no_times_are_no_bounds() -> None:
    contact, _ = read(not_before="", expires=" ")
    assert (contact.not_before, contact.expires_at) == (None, None)


@pytest.mark.parametrize(
    ("not_before", "expires", "says"),
    [
        ("", "1497992400000", "expires 1497992400000 is over: the contact will never be dialed"),
        ("", "2026-07-01 00:00", "is over"),
        ("2026-07-03", "2026-07-02", "expires 2026-07-02 comes before not_before 2026-07-03"),
    ],
)
def test_a_contact_that_will_never_be_dialed_is_kept_and_told_of(not_before: str, expires: str, says: str) -> None:
    contact, warnings = read(not_before=not_before, expires=expires)
    assert contact.expires_at is not None
    assert [warning.reason for warning in warnings] == ["expired"]
    assert says in str(warnings[0])


@pytest.mark.parametrize(
    ("column", "value"),
    [("timezone", "Mars"), ("bucket", "two words"), ("bucket", "@1001"), ("not_before", "soon"), ("expires", "12/27")],
)
def test_a_bad_value_rejects_the_row_and_names_column_value_and_what_was_expected(column: str, value: str) -> None:
    with pytest.raises(RowError, match=f"^{column} '{value}'.*: expected ") as caught:
        read(**{column: value})
    assert caught.value.reason == column


def test_a_bucket_is_kept() -> None:
    assert read(bucket=" vip ")[0].bucket == "vip"


def test_priority_description_and_type_of_a_number_are_kept() -> None:
    contact, warnings = read(alt="office-2=7=+442079460958=Ana's desk, ask for = her")
    number = contact.numbers[1]
    assert (number.type, number.priority, number.description) == ("office-2", 7, "Ana's desk, ask for = her")
    assert warnings == []


def test_an_alternative_that_can_not_be_read_is_left_out_and_told_of() -> None:
    contact, warnings = read(
        alt="a b=0=+442079460958:H=+442079460958=x:W=1=+442079460959:M=0=12:H=0=+442079460957=\x01"
    )
    assert [number.number for number in contact.numbers] == ["+34912345678", "+442079460959"]
    assert {warning.reason for warning in warnings} == {"alternative"}
    for expected, warning in zip(
        ("type 'a b': expected", "priority '+442079460958': expected", "description has a control", "number '12'"),
        warnings,
        strict=True,
    ):
        assert str(warning).startswith(f"left out: {expected}")
