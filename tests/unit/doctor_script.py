"""An AMI link with scripted answers, for the tests of doctor's checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Fields = Mapping[str, str | Sequence[str]]


class Script:
    """An AMI link that answers as told: action → what it gives for the action's fields."""

    def __init__(self, **answers: Callable[[Fields], object]) -> None:
        self._answers = answers
        self.sent: list[Fields] = []

    async def action(self, action: Fields) -> Mapping[str, str]:
        self.sent.append(action)
        found = self._answers[str(action["Action"])](action)
        assert isinstance(found, Mapping)
        return found

    async def action_list(self, action: Fields) -> Sequence[Mapping[str, str]]:
        found = self._answers[str(action["Action"])](action)
        assert isinstance(found, list)
        return found


def getvar(**values: str) -> Callable[[Fields], object]:
    return lambda action: {"Response": "Success", "Value": values.get(str(action["Variable"]).partition("(")[0], "")}
