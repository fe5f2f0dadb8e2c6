"""schemathesis asks every operation of the OpenAPI document, with data that fits and data that does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, http="rate_per_second = 100000\nburst = 100000")
    made.run("trunk", "create", "carrier", "--dial", "PJSIP/{number}@carrier")
    made.run("campaign", "create", "demo", "trunk=carrier", "mode=broadcast", "sound=hello")
    made.start()
    yield made
    made.stop()


@pytest.mark.timeout(600)
def test_no_operation_has_a_fault(served: Served) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{served.url}/v1/openapi.json",
        "--header",
        f"Authorization: Bearer {served.token()}",
        "--checks",
        "not_a_server_error",
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "5",
        "--seed",
        "7",
        "--exclude-path-regex",
        "^/(readyz|v1/events)$",  # one is 503 without an Asterisk, and the other never ends
        "--request-timeout",
        "30",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False, cwd=served.folder)
    assert done.returncode == 0, done.stdout[-8000:] + served.log.read_text()[-4000:]
    assert "http.fault" not in served.log.read_text()
