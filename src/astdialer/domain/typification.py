"""Outcomes: what agents or outside systems make of a talk, in up to three levels, and what each does to the contact.

A campaign's outcomes are one line of text: ``Sale=success;No|Too expensive=close;Later=reschedule``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.names import NAME

MOST_LEVELS = 3
LONGEST_NEXT_S = 366 * 86_400

#: What a store, a header or a line of text can't carry: control characters and lone surrogates.
_BAD = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029"
_LEVEL = re.compile(rf"[^{_BAD};|=]{{1,64}}")
_TAG = re.compile(rf"[^{_BAD};]{{1,200}}")


class Action(StrEnum):
    """What an outcome does."""

    SUCCESS = "success"  #: the contact is done, successfully
    CLOSE = "close"  #: the contact is done, without success
    RETRY = "retry"  #: tried again by the campaign's rules
    RESCHEDULE = "reschedule"  #: called at a time that comes with it; argument: another campaign to do so
    BLACKLIST = "blacklist"  #: never called again by this campaign; argument ``*``: by none
    TAG = "tag"  #: only marks the call and its recording; dialing goes on as the call's own result says


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome of a campaign: one to three levels, what it does, and with what argument (empty: none)."""

    levels: tuple[str, ...]
    action: Action
    argument: str = ""

    @property
    def tag(self) -> str:
        """What marks the call: its own text, or the levels joined by ``|``."""
        return self.argument if self.action is Action.TAG and self.argument else "|".join(self.levels)


def parse_outcomes(text: str, key: str = "outcomes") -> tuple[Outcome, ...]:
    """``LEVEL1|LEVEL2|LEVEL3=ACTION`` or ``…=ACTION:ARGUMENT``, joined by ``;``. Spaces around the parts do not count.

    Raises InvalidSetting with the entry and the character at which it begins, for duplicates as well.
    """
    found: dict[tuple[str, ...], Outcome] = {}
    for position, entry in _entries(text):
        try:
            outcome = _outcome(entry)
            if _key(outcome.levels) in found:
                raise ValueError("each outcome once")
        except ValueError as error:
            raise InvalidSetting(key, entry, f"{error}, in the entry at character {position}") from None
        found[_key(outcome.levels)] = outcome
    return tuple(found.values())


def outcomes_text(outcomes: Iterable[Outcome]) -> str:
    """The text that parse_outcomes reads."""
    return ";".join(
        "|".join(o.levels) + f"={o.action.value}" + (f":{o.argument}" if o.argument else "") for o in outcomes
    )


def find(outcomes: Iterable[Outcome], l1: str, l2: str = "", l3: str = "") -> Outcome:
    """The outcome of exactly these levels; an empty one is the same as none, case and spaces around do not count.

    Raises NotFound naming the levels and the outcomes there are.
    """
    by_levels = {_key(outcome.levels): outcome for outcome in outcomes}
    found = by_levels.get(_key((l1, l2, l3)))
    if not found:
        known = "; ".join("|".join(outcome.levels) for outcome in by_levels.values())
        remedy = f"the campaign has {known}" if known else "the campaign has none: set outcomes=…"
        raise NotFound("outcome", f"level 1: {l1}, level 2: {l2}, level 3: {l3}", remedy)
    return found


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Each entry that is not blank, and its first character's place, from 1."""
    for match in re.finditer(r"[^;]+", text):
        entry = match[0].strip()
        if entry:
            yield match.start() + match[0].index(entry) + 1, entry


def _outcome(entry: str) -> Outcome:
    """Raises ValueError with what was expected."""
    names, equals, rest = entry.partition("=")
    if not equals:
        raise ValueError("LEVEL1|LEVEL2|LEVEL3=ACTION")
    word, colon, argument = rest.partition(":")
    action = _action(word.strip().lower())
    return Outcome(_levels(names), action, _argument(action, colon, argument.strip()))


def _levels(text: str) -> tuple[str, ...]:
    levels = tuple(level.strip() for level in text.split("|"))
    if len(levels) > MOST_LEVELS or not all(map(_LEVEL.fullmatch, levels)):
        raise ValueError("one to three levels joined by |, each 1 to 64 characters without ; | = or control characters")
    return levels


def _action(word: str) -> Action:
    if word not in list(Action):
        raise ValueError("one of the actions " + ", ".join(Action))
    return Action(word)


_ARGUMENTS = {
    Action.RESCHEDULE: (NAME, "reschedule, or reschedule:CAMPAIGN"),
    Action.BLACKLIST: (re.compile(r"\*"), "blacklist, or blacklist:* for all campaigns"),
    Action.TAG: (_TAG, "tag, or tag:TEXT of at most 200 characters without ; or control characters"),
}


def _argument(action: Action, colon: str, text: str) -> str:
    """The argument as it may be; none at all is always right, an empty one after a colon never is."""
    if not colon:
        return ""
    pattern, expected = _ARGUMENTS.get(action, (None, f"{action.value} without an argument"))
    if not pattern or not pattern.fullmatch(text):
        raise ValueError(expected)
    return text


def _key(levels: Iterable[str]) -> tuple[str, ...]:
    """Levels as they are compared: the same letters are the same however they are composed."""
    plain = [unicodedata.normalize("NFC", unicodedata.normalize("NFC", level.strip()).casefold()) for level in levels]
    return (*plain, *[""] * (MOST_LEVELS - len(plain)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an outside system says of a talk (source-systems.md 1.8). How it is applied: the contact's rules."""

    success: bool  #: the contact is done; else dialing goes on, within the tries that are left
    reset_retries: bool = False  #: every count of the contact begins anew
    next_after_s: int | None = None  #: seconds to the next try, 0 at once; None: as the campaign says
    next_number: str = ""  #: E.164: where the next try goes; a new one is added
    next_number_as_given: str = ""
    next_number_zones: str = ""  #: its zones, as Number.zones has them
    next_number_own_zones: bool = False  #: they were named for the contact: no base's zone takes their place
    stop_numbers: tuple[str, ...] = ()  #: E.164: closed for good
    stop_all: bool = False  #: every number but next_number is closed for good
    description: str = ""
    attempt_id: str = ""  #: the attempt that it is about; empty: the last one

    def validate(self) -> Result:
        """The result itself; raises InvalidSetting if the next try is more than 366 days away, or in the past."""
        if self.next_after_s is not None and not 0 <= self.next_after_s <= LONGEST_NEXT_S:
            expected = f"0 (at once) to {LONGEST_NEXT_S} seconds (366 days)"
            raise InvalidSetting("next_after_s", self.next_after_s, expected)
        return self
