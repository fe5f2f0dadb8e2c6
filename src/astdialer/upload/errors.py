"""What can be wrong with a base: with one row of it, or with the whole file."""

from __future__ import annotations

from astdialer.domain.errors import AstdialerError


class UploadError(AstdialerError):
    """The base can't be loaded; nothing of it was kept."""

    code = "upload_failed"


class RowError(Exception):
    """One row, or one number of it, can't be used.

    ``reason`` is a fixed word that reports count by; the message says what was found and what was expected.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
