"""Names, and what other systems make of them."""

import pytest

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import base_of, check_name, spellings


def test_another_systems_name_is_looked_for_as_it_is_in_ascii_and_without_its_direction() -> None:
    assert spellings("nombreCampaña<-") == ("nombreCampana<-", "nombreCampana")
    assert spellings("sales->") == ("sales->", "sales")
    assert spellings("sales") == ("sales",)
    assert spellings("Кампания->") == spellings("") == spellings("a b;c") == ()


@pytest.mark.parametrize(
    ("file_name", "base"),
    [
        ("automationPD.csv", "automationPD"),
        ("/srv/in/My leads (May).tar.gz", "My_leads_May_.tar"),
        (r"C:\bases\enero.txt", "enero"),
        ("../../etc/passwd", "passwd"),
        (".csv", "csv"),
        ("ñandú", "and_"),
        ("___", "base"),
        ("", "base"),
        ("a" * 80 + ".csv", "a" * 64),
        ("x->.csv", "x-_"),
    ],
)
def test_a_base_is_called_as_its_file(file_name: str, base: str) -> None:
    assert base_of(file_name) == check_name(base) == base


def test_what_is_no_name() -> None:
    with pytest.raises(InvalidSetting):
        check_name("a/b")
