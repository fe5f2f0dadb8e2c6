"""Figures over members: a safe part of MongoDB's pipelines.

$match, $unwind, $group with $sum, $avg, $min, $max, $first, $last; $count, $sort, $skip, $limit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.queries import Document, compiled, directions, in_order, values_at

MOST_STAGES = 20
#: Rows that $unwind may make.
MOST_ROWS = 50_000
Stage = Callable[[list[Document]], list[Document]]


def pipeline(stages: Any) -> Stage:
    """All stages after each other. Raises Said for what is not understood."""
    if not isinstance(stages, list):
        raise Said(400, "Bad request: data is required.")
    if len(stages) > MOST_STAGES:
        raise Said(400, f"aggregate: more than {MOST_STAGES} stages")
    steps = [_stage(at, stage) for at, stage in enumerate(stages)]

    def run(rows: list[Document]) -> list[Document]:
        for step in steps:
            rows = step(rows)
        return rows

    return run


def _stage(at: int, stage: Any) -> Stage:
    where = f"aggregate[{at}]"
    if not isinstance(stage, dict) or len(stage) != 1:
        raise Said(400, f"{where}: expected an object with one stage, such as $match")
    ((name, argument),) = stage.items()
    if name not in _STAGES:
        raise Said(400, f"{where}: {str(name)[:40]} is not understood here; expected one of {', '.join(_STAGES)}")
    return _STAGES[name](f"{where}.{name}", argument)


def _match(where: str, argument: Any) -> Stage:
    test = compiled(argument, where)
    return lambda rows: [row for row in rows if test(row)]


def _unwind(where: str, argument: Any) -> Stage:
    path = argument.get("path") if isinstance(argument, dict) else argument
    if not isinstance(path, str) or not path.startswith("$") or "." in path:
        raise Said(400, f"{where}: expected a field such as $communications")
    name = path[1:]

    def unwind(rows: list[Document]) -> list[Document]:
        found: list[Document] = []
        for row in rows:
            values = row.get(name)
            found += [{**row, name: each} for each in (values if isinstance(values, list) else [values])]
            if len(found) > MOST_ROWS:
                raise Said(400, f"{where}: more than {MOST_ROWS} rows")
        return [row for row in found if row[name] is not None]

    return unwind


def _count(where: str, argument: Any) -> Stage:
    if not isinstance(argument, str) or not argument or argument.startswith("$"):
        raise Said(400, f"{where}: expected a name for the count")
    return lambda rows: [{argument: len(rows)}] if rows else []


def _sort(where: str, argument: Any) -> Stage:
    wanted = directions(argument, where)
    return lambda rows: in_order(rows, wanted)


def _skip(where: str, argument: Any) -> Stage:
    count = _whole(where, argument)
    return lambda rows: rows[count:]


def _limit(where: str, argument: Any) -> Stage:
    count = _whole(where, argument)
    return lambda rows: rows[:count]


def _whole(where: str, argument: Any) -> int:
    if type(argument) is not int or not 0 <= argument <= 10**9:
        raise Said(400, f"{where}: expected a whole number")
    return argument


# --- groups ----------------------------------------------------------------------------------------------------------


def _group(where: str, argument: Any) -> Stage:
    if not isinstance(argument, dict) or "_id" not in argument:
        raise Said(400, f"{where}: expected an object with _id")
    key = _expression(f"{where}._id", argument["_id"])
    figures = {str(name): _figure(f"{where}.{name}", each) for name, each in argument.items() if name != "_id"}

    def group(rows: list[Document]) -> list[Document]:
        groups: dict[str, tuple[Any, list[Document]]] = {}
        for row in rows:
            value = key(row)
            groups.setdefault(json.dumps(value, sort_keys=True), (value, []))[1].append(row)
        return [
            {"_id": value, **{name: figure(members) for name, figure in figures.items()}}
            for value, members in groups.values()
        ]

    return group


def _figure(where: str, argument: Any) -> Callable[[Sequence[Document]], Any]:
    if not isinstance(argument, dict) or len(argument) != 1 or next(iter(argument)) not in _FIGURES:
        raise Said(400, f"{where}: expected one of {', '.join(_FIGURES)}")
    ((name, expression),) = argument.items()
    value, figure = _expression(where, expression), _FIGURES[name]

    def of(rows: Sequence[Document]) -> Any:
        try:
            found = figure([value(row) for row in rows])
        except OverflowError:  # a whole number that is too large for a float
            return None
        return None if isinstance(found, float) and not math.isfinite(found) else found  # JSON has no infinity

    return of


def _expression(where: str, expression: Any) -> Callable[[Document], Any]:
    """A constant, ``$field``, or an object of these."""
    if isinstance(expression, dict):
        if any(str(key).startswith("$") for key in expression):
            raise Said(400, f"{where}: expressions are not understood here, only $fields")
        parts = {str(key): _expression(f"{where}.{key}", each) for key, each in expression.items()}
        return lambda row: {key: part(row) for key, part in parts.items()}
    if isinstance(expression, str) and expression.startswith("$"):
        path = expression[1:].split(".")
        return lambda row: next(values_at(row, path), None)
    return lambda _row: expression


def _numbers(values: Sequence[Any]) -> list[float]:
    return [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]


def _average(values: Sequence[Any]) -> float | None:
    found = _numbers(values)
    return sum(found) / len(found) if found else None


_FIGURES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "$sum": lambda values: sum(_numbers(values)),
    "$avg": _average,
    "$min": lambda values: min(_numbers(values), default=None),
    "$max": lambda values: max(_numbers(values), default=None),
    "$first": lambda values: values[0],
    "$last": lambda values: values[-1],
}

_STAGES: Mapping[str, Callable[[str, Any], Stage]] = {
    "$match": _match,
    "$unwind": _unwind,
    "$group": _group,
    "$count": _count,
    "$sort": _sort,
    "$skip": _skip,
    "$limit": _limit,
}
