"""What every test stands on: no configuration from outside, and hypothesis without a stop-watch."""

import os

import pytest
from hypothesis import settings

settings.register_profile("astdialer", deadline=None)  # a machine under load is no fault
settings.load_profile("astdialer")


@pytest.fixture(autouse=True)
def no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ASTDIALER_") and name != "ASTDIALER_LAB_CACHE":  # where the lab's Asterisk is, no setting
            monkeypatch.delenv(name)
