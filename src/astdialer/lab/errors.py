"""What can go wrong with the lab."""


class LabError(Exception):
    """The lab cannot do what was asked; `remedy` says what its user can do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
