"""Certificates that openssl makes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(*words: str) -> None:
    """Run it; without it the test is left out."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subprocess.run([program, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def certificate_of_localhost(folder: Path) -> tuple[Path, Path]:
    """Signed by itself; and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)),
    )
    return cert, key
