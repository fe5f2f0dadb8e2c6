"""The lab for tests that place calls: a private Asterisk and a carrier, in a temporary directory."""

from collections.abc import Iterator

import pytest
from labs import lab_in, wait_quiet

from astdialer import lab as laboratory
from astdialer.lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab that tests share; they leave it without channels."""
    with lab_in(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture
def quiet_lab(lab: Lab) -> Iterator[Lab]:
    """The shared lab, which must have no channel left when the test ends."""
    yield lab
    left = wait_quiet(lab)
    laboratory.rx(lab, "pbx", "channel request hangup all")
    assert left == [], "the test left channels behind"
