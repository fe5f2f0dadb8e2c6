"""Errors that a user may see. The message is the user's text: where it is, what was expected, how to mend it."""


class AstdialerError(Exception):
    """Something went wrong in astdialer."""

    code = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class InvalidSetting(AstdialerError):
    """A setting has a value that it can't have."""

    code = "invalid_setting"

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key} = {value!r}: expected {expected}")
        self.key, self.value, self.expected = key, value, expected


class InvalidNumber(InvalidSetting):
    """A text is no telephone number that can be dialed; ``words`` say why."""

    code = "invalid_number"

    def __init__(self, text: str, words: str) -> None:
        AstdialerError.__init__(self, words)
        self.key, self.value, self.expected = "number", text, words


class UnknownName(InvalidSetting):
    """A setting names something that is not there."""

    code = "unknown_name"

    def __init__(self, key: str, what: str, name: str, remedy: str) -> None:
        AstdialerError.__init__(self, f"no {what} {name!r}: {remedy}")
        self.key, self.value, self.expected = key, name, remedy


class NotFound(AstdialerError):
    """There is no such thing."""

    code = "not_found"

    def __init__(self, what: str, name: object, remedy: str = "") -> None:
        super().__init__(f"no {what} {str(name)!r}" + (f": {remedy}" if remedy else ""))


class Conflict(AstdialerError):
    """That can't be done in the present state."""

    code = "conflict"


class Unavailable(AstdialerError):
    """Something that is needed does not answer: Asterisk, the store, or the engine."""

    code = "unavailable"


class NoAnswer(Unavailable):
    """What was asked for has been begun, and nobody has said what came of it: look before asking again."""

    code = "no_answer"


class OriginateRefused(AstdialerError):
    """Asterisk answered Originate with an error: nothing was dialed."""

    code = "originate_refused"


class LinkLost(Unavailable):
    """The AMI link broke before Asterisk answered: whether it did what was asked is not known."""

    code = "link_lost"
