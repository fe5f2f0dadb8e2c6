"""What can go wrong with the lab."""

from astdialer.domain.errors import Unavailable


class LabError(Unavailable):
    """The lab cannot do what was asked; `remedy` says what its user can do about it."""

    code = "lab"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message}\n{remedy}" if remedy else message)
        self.remedy = remedy
