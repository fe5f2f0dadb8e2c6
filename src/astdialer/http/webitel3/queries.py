"""Lists: limit, page, columns, sort, and filters as MongoDB has them, of which a safe part is understood.

Equality, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not, $elemMatch, $and, $or, $nor. Anything else is an
error that names it: a filter that is taken for a wider one would remove the wrong members.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.bodies import parsed

Document = Mapping[str, Any]
Test = Callable[[Document], bool]
#: Documents of a page unless asked otherwise, and at most.
USUAL, MOST = 40, 1000
#: Conditions of a filter, and how deep they may be.
MOST_CONDITIONS, DEEPEST = 200, 20
#: Fields of a sort: MongoDB's own limit.
MOST_SORTED = 32
_LARGEST_PAGE = 10**9


# --- filters ---------------------------------------------------------------------------------------------------------


def compiled(query: Any, what: str = "filter") -> Test:
    """Whether a document is meant. Raises Said for what is not understood."""
    return _Compiler(what).all_of(query, 0)


class _Compiler:
    def __init__(self, what: str) -> None:
        self._what, self._count = what, 0

    def _bad(self, words: str) -> Said:
        return Said(400, f"{self._what}: {words}")

    def all_of(self, query: Any, depth: int) -> Test:
        """An object: all of its conditions hold."""
        if not isinstance(query, dict):
            raise self._bad("expected an object")
        if depth > DEEPEST:
            raise self._bad(f"nested more than {DEEPEST} deep")
        tests = [self._one(str(key), value, depth) for key, value in query.items()]
        return lambda document: all(test(document) for test in tests)

    def _one(self, key: str, value: Any, depth: int) -> Test:
        self._count += 1
        if self._count > MOST_CONDITIONS:
            raise self._bad(f"more than {MOST_CONDITIONS} conditions")
        if key in ("$and", "$or", "$nor"):
            return self._several(key, value, depth)
        if key.startswith("$"):
            raise self._bad(f"{key} is not understood here")
        test = self._condition(value, depth)
        path = key.split(".")
        return lambda document: test(list(values_at(document, path)))

    def _several(self, key: str, value: Any, depth: int) -> Test:
        if not isinstance(value, list) or not value:
            raise self._bad(f"{key} takes a list of objects")
        tests = [self.all_of(each, depth + 1) for each in value]
        if key == "$and":
            return lambda document: all(test(document) for test in tests)
        if key == "$or":
            return lambda document: any(test(document) for test in tests)
        return lambda document: not any(test(document) for test in tests)

    def _condition(self, value: Any, depth: int) -> Callable[[Sequence[Any]], bool]:
        """Of what is found at a path: several values where a list is on the way."""
        if not _is_operators(value):
            wanted = _plain(value)
            return lambda found: _has(found, wanted)
        tests = [self._operator(name, argument, depth) for name, argument in value.items()]
        return lambda found: all(test(found) for test in tests)

    def _operator(self, name: str, argument: Any, depth: int) -> Callable[[Sequence[Any]], bool]:
        self._count += 1
        if name in _ORDERS:
            compare, limit = _ORDERS[name], _plain(argument)
            return lambda found: any(_is_alike(each, limit) and compare(each, limit) for each in found)
        if name in ("$in", "$nin"):
            if not isinstance(argument, list):
                raise self._bad(f"{name} takes a list")
            wanted = [_plain(each) for each in argument]
            is_in = name == "$in"
            return lambda found: any(_has(found, each) for each in wanted) is is_in
        if name in ("$eq", "$ne"):
            value, is_equal = _plain(argument), name == "$eq"
            return lambda found: _has(found, value) is is_equal
        if name == "$exists":
            return lambda found: bool(found) is bool(argument)
        if name == "$not" and _is_operators(argument):
            inner = self._condition(argument, depth + 1)
            return lambda found: not inner(found)
        if name == "$elemMatch":
            test = self.all_of(argument, depth + 1)
            return lambda found: any(isinstance(each, dict) and test(each) for item in found for each in _flat(item))
        raise self._bad(f"{name} is not understood here")


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def _is_operators(value: Any) -> bool:
    return isinstance(value, dict) and any(str(key).startswith("$") for key in value) and "$oid" not in value


def _plain(value: Any) -> Any:
    """An ObjectId as JSON has it is its text."""
    return value["$oid"] if isinstance(value, dict) and set(value) == {"$oid"} else value


def _flat(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _has(found: Sequence[Any], wanted: Any) -> bool:
    """Null is what is not there as well."""
    if wanted is None:
        return not found or any(each is None for each in found)
    return any(_is_same(each, wanted) for each in found)


def _is_same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _is_alike(one: Any, other: Any) -> bool:
    """Whether they have an order."""
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    both = (one, other)
    return all(isinstance(each, int | float) for each in both) or all(isinstance(each, str) for each in both)


def values_at(document: Any, path: Sequence[str]) -> Iterator[Any]:
    """What is at a path; of a list, each of its elements, and at its end the list itself."""
    if not path:
        yield document
        if isinstance(document, list):
            yield from document
    elif isinstance(document, dict):
        if path[0] in document:
            yield from values_at(document[path[0]], path[1:])
    elif isinstance(document, list):
        if path[0].isascii() and path[0].isdigit() and len(path[0]) < 6 and int(path[0]) < len(document):
            yield from values_at(document[int(path[0])], path[1:])
        for each in document:
            if isinstance(each, dict):
                yield from values_at(each, path)


# --- lists -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What of a list is wanted."""

    limit: int = USUAL
    skip: int = 0
    columns: Mapping[str, bool] = field(default_factory=dict)
    sort: Sequence[tuple[str, bool]] = ()  #: path, and whether it goes downwards
    test: Test | None = None

    def page(self, documents: Iterable[Document]) -> list[Document]:
        """The documents that are wanted, as they are wanted."""
        chosen = [each for each in documents if self.test is None or self.test(each)]
        ordered = in_order(chosen, self.sort)
        return [projected(each, self.columns) for each in ordered[self.skip : self.skip + self.limit]]


def listing(request: Request) -> Listing:
    """From a request's query. Raises Said."""
    query = request.query_params
    limit = min(_count(query.get("limit"), "limit") or USUAL, MOST)
    page = _count(query.get("page"), "page")
    asked = parsed(query.get("filter", ""), "filter")
    return Listing(
        limit=limit,
        skip=max(0, page - 1) * limit,
        columns=_columns(query.get("columns", "")),
        sort=directions(parsed(query.get("sort", ""), "sort"), "sort"),
        test=None if asked is None or asked == {} else compiled(asked),
    )


def _count(text: str | None, what: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > _LARGEST_PAGE:
        raise Said(400, f"{what} = {text[:40]!r}: expected a whole number")
    return int(text)


def _columns(text: str) -> dict[str, bool]:
    """``name,state`` or ``{"name": 1}``; 0 leaves one out."""
    if not text.lstrip().startswith("{"):
        return {name.strip(): True for name in text.split(",") if name.strip()}
    found = parsed(text, "columns")
    if any(not isinstance(value, bool | int | float) for value in found.values()):
        raise Said(400, 'columns: expected an object such as {"name": 1}')
    return {str(name): bool(value) for name, value in found.items()}


def directions(found: Any, what: str) -> list[tuple[str, bool]]:
    """``{"priority": -1}`` as paths, and whether each goes downwards. Raises Said."""
    if found is None:
        return []
    if not isinstance(found, dict) or any(value not in (1, -1, "asc", "desc", "1", "-1") for value in found.values()):
        raise Said(400, f'{what}: expected an object such as {{"priority": -1}}')
    if len(found) > MOST_SORTED:
        raise Said(400, f"{what}: more than {MOST_SORTED} fields")
    return [(str(path), value in (-1, "desc", "-1")) for path, value in found.items()]


def in_order(documents: Sequence[Document], sort: Sequence[tuple[str, bool]]) -> list[Document]:
    """By the first path, then by the next; nothing comes before numbers, and they before texts."""
    ordered = list(documents)
    for path, downwards in reversed(sort):
        ordered.sort(key=lambda document: _key(document, path.split(".")), reverse=downwards)
    return ordered


def _key(document: Document, path: Sequence[str]) -> tuple[int, Any]:
    value = next(values_at(document, path), None)
    if isinstance(value, bool):
        return 3, value
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (0, 0)


def projected(document: Document, columns: Mapping[str, bool]) -> Document:
    """With these fields, or without those; ``_id`` is always there unless it is left out."""
    if not columns:
        return document
    chosen = {name.partition(".")[0] for name, wanted in columns.items() if wanted}
    if not chosen - {"_id"} and not all(columns.values()):
        return {key: value for key, value in document.items() if columns.get(key, True)}
    if columns.get("_id", True):
        chosen.add("_id")
    return {key: value for key, value in document.items() if key in chosen}
