"""Filters, sorts, columns and pipelines, as MongoDB has them."""

from typing import Any

import pytest

from astdialer.http.webitel3.aggregate import pipeline
from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.bodies import parsed
from astdialer.http.webitel3.queries import Document, compiled, directions, in_order, projected

ANA: dict[str, Any] = {
    "_id": "1",
    "name": "Ana",
    "priority": 5,
    "done": True,
    "end": None,
    "tags": ["a", "b"],
    "numbers": [{"number": "111", "tries": 1}, {"number": "222", "tries": 4}],
    "variables": {"debt": 20, "language": "es"},
}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"name": "Ana"},
        {"_id": {"$oid": "1"}},
        {"priority": 5.0},
        {"done": True},
        {"end": None},
        {"gone": None},
        {"tags": "a"},
        {"tags": ["a", "b"]},
        {"numbers.number": "222"},
        {"numbers.1.number": "222"},
        {"variables.debt": 20},
        {"variables": {"debt": 20, "language": "es"}},
        {"priority": {"$gt": 4, "$lt": 6}},
        {"priority": {"$gte": 5, "$lte": 5}},
        {"name": {"$gt": "A", "$lt": "B"}},
        {"numbers.tries": {"$gt": 3}},
        {"name": {"$in": ["Eva", "Ana"]}},
        {"end": {"$in": [None]}},
        {"name": {"$nin": ["Eva"]}},
        {"name": {"$ne": "Eva"}},
        {"name": {"$eq": "Ana"}},
        {"gone": {"$exists": False}},
        {"end": {"$exists": True}},
        {"priority": {"$not": {"$gt": 5}}},
        {"numbers": {"$elemMatch": {"number": "222", "tries": {"$gt": 3}}}},
        {"$or": [{"name": "Eva"}, {"priority": 5}]},
        {"$and": [{"name": "Ana"}, {"priority": 5}]},
        {"$nor": [{"name": "Eva"}]},
    ],
)
def test_a_document_is_meant(query: dict[str, Any]) -> None:
    assert compiled(query)(ANA)


@pytest.mark.parametrize(
    "query",
    [
        {"name": "ana"},
        {"done": 1},
        {"priority": True},
        {"priority": "5"},
        {"name": None},
        {"tags": "c"},
        {"numbers.9.number": "222"},
        {"numbers.number": {"$gt": 5}},
        {"priority": {"$gt": 5}},
        {"priority": {"$gt": True}},
        {"name": {"$gt": 1}},
        {"end": {"$gt": 0}},
        {"tags": {"$ne": "a"}},
        {"tags": {"$nin": ["a"]}},
        {"gone": {"$exists": True}},
        {"numbers": {"$elemMatch": {"number": "111", "tries": {"$gt": 3}}}},
        {"tags": {"$elemMatch": {"x": 1}}},
        {"$or": [{"name": "Eva"}]},
        {"$nor": [{"name": "Ana"}]},
        {"name": "Ana", "priority": 6},
    ],
)
def test_another_is_not(query: dict[str, Any]) -> None:
    assert not compiled(query)(ANA)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([], "expected an object"),
        ({"$where": "1"}, r"\$where is not understood"),
        ({"a": {"$regex": "x"}}, r"\$regex is not understood"),
        ({"a": {"$in": 5}}, r"\$in takes a list"),
        ({"a": {"$not": 5}}, r"\$not is not understood"),
        ({"$or": {}}, r"\$or takes a list"),
        ({"$and": []}, r"\$and takes a list"),
        ({"$or": [5]}, "expected an object"),
        ({"a": {"$gt": 1, "b": 2}}, "b is not understood"),
        ({f"k{n}": 1 for n in range(201)}, "more than 200 conditions"),
        ({"a": {f"${'g' if n else 'l'}t": n for n in range(2)} | {"$size": 1}}, r"\$size is not understood"),
    ],
)
def test_what_is_not_understood_is_an_error(query: Any, words: str) -> None:
    with pytest.raises(Said, match=words):
        compiled(query)


def test_a_filter_is_not_too_deep() -> None:
    query: dict[str, Any] = {"a": 1}
    for _ in range(25):
        query = {"$and": [query]}
    with pytest.raises(Said, match="nested more than 20 deep"):
        compiled(query)


@pytest.mark.parametrize(
    "text", ["{", "NaN", '{"a": Infinity}', "[-1e999]", '"\\ud800"', "[" * 70 + "]" * 70, "[" * 9999, b"\xff"]
)
def test_json_that_cant_be_kept_is_refused(text: Any) -> None:
    with pytest.raises(Said, match="the body"):
        parsed(text, "the body")


def test_rows_are_sorted_by_one_path_after_the_other() -> None:
    rows: list[dict[str, Any]] = [
        {"n": 2, "t": "b"},
        {"n": 2, "t": "a"},
        {"t": "z"},
        {"n": True},
        {"n": "x"},
        {"n": 1.5},
        {"n": [0]},
    ]
    ordered = in_order(rows, directions({"n": 1, "t": 1}, "sort"))
    assert [row.get("n") for row in ordered] == [[0], None, 1.5, 2, 2, "x", True]
    assert [row["t"] for row in in_order(rows[:2], directions({"t": "desc"}, "sort"))] == ["b", "a"]


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({}, set(ANA)),
        ({"name": True}, {"_id", "name"}),
        ({"name": True, "_id": False}, {"name"}),
        ({"numbers": False, "tags": False}, set(ANA) - {"numbers", "tags"}),
        ({"variables.debt": True}, {"_id", "variables"}),
    ],
)
def test_columns_are_chosen_or_left_out(columns: dict[str, bool], keys: set[str]) -> None:
    assert set(projected(ANA, columns)) == keys


# --- pipelines -------------------------------------------------------------------------------------------------------

EVA = {"_id": "2", "name": "Eva", "priority": 7, "numbers": [{"number": "333", "tries": 0}], "end": "ABANDONED"}
BOB = {"_id": "3", "name": "Bob", "priority": "high", "numbers": None, "end": "ABANDONED"}


@pytest.mark.parametrize(
    ("stages", "rows"),
    [
        ([], [ANA, EVA, BOB]),
        ([{"$match": {"end": "ABANDONED"}}, {"$count": "n"}], [{"n": 2}]),
        ([{"$match": {"end": "x"}}, {"$count": "n"}], []),
        (
            [{"$group": {"_id": "$end", "n": {"$sum": 1}, "sum": {"$sum": "$priority"}, "all": {"$first": "$name"}}}],
            [
                {"_id": None, "n": 1, "sum": 5, "all": "Ana"},
                {"_id": "ABANDONED", "n": 2, "sum": 7, "all": "Eva"},
            ],
        ),
        (
            [{"$group": {"_id": None, "avg": {"$avg": "$priority"}, "low": {"$min": "$priority"},
                         "top": {"$max": "$priority"}, "last": {"$last": "$name"}, "no": {"$avg": "$name"}}}],
            [{"_id": None, "avg": 6, "low": 5, "top": 7, "last": "Bob", "no": None}],
        ),
        ([{"$group": {"_id": {"end": "$end"}}}, {"$limit": 1}], [{"_id": {"end": None}}]),
        ([{"$unwind": "$numbers"}, {"$count": "n"}], [{"n": 3}]),
        ([{"$unwind": {"path": "$numbers"}}, {"$group": {"_id": None, "t": {"$sum": "$numbers.tries"}}}],
         [{"_id": None, "t": 5}]),
        ([{"$sort": {"name": -1}}, {"$skip": 1}, {"$limit": 1}], [BOB]),
        ([{"$group": {"_id": None, "big": {"$sum": 1e308}}}], [{"_id": None, "big": None}]),
    ],
)  # fmt: skip
def test_a_pipeline(stages: list[Any], rows: list[Any]) -> None:
    assert pipeline(stages)([ANA, EVA, BOB]) == rows


@pytest.mark.parametrize("figure", ["$sum", "$avg"])
def test_whole_numbers_that_are_too_large_for_a_figure(figure: str) -> None:
    rows: list[Document] = [{"n": 10**400}, {"n": 0.5}]
    assert pipeline([{"$group": {"_id": None, "big": {figure: "$n"}}}])(rows) == [{"_id": None, "big": None}]


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (None, "data is required"),
        ([{"$match": {}}] * 21, "more than 20 stages"),
        (["x"], r"aggregate\[0\]: expected an object with one stage"),
        ([{"$match": {}, "$limit": 1}], "one stage"),
        ([{}, {}], "one stage"),
        ([{"$out": "x"}], r"aggregate\[0\]: \$out is not understood here; expected one of \$match"),
        ([{"$match": {"$where": 1}}], r"aggregate\[0\]\.\$match: \$where"),
        ([{"$unwind": "numbers"}], "expected a field"),
        ([{"$unwind": "$a.b"}], "expected a field"),
        ([{"$unwind": {}}], "expected a field"),
        ([{"$count": "$n"}], "expected a name"),
        ([{"$count": 5}], "expected a name"),
        ([{"$sort": {"a": 2}}], "expected an object such as"),
        ([{"$sort": {f"k{n}": 1 for n in range(33)}}], "more than 32 fields"),
        ([{"$limit": -1}], "expected a whole number"),
        ([{"$skip": True}], "expected a whole number"),
        ([{"$group": {"n": {"$sum": 1}}}], "expected an object with _id"),
        ([{"$group": 5}], "expected an object with _id"),
        ([{"$group": {"_id": None, "n": 5}}], r"\$group\.n: expected one of"),
        ([{"$group": {"_id": None, "n": {"$push": "$a"}}}], "expected one of"),
        ([{"$group": {"_id": {"$add": [1]}}}], "only \\$fields"),
    ],
)
def test_a_pipeline_that_is_not_understood(stages: Any, words: str) -> None:
    with pytest.raises(Said, match=words):
        pipeline(stages)


def test_unwinding_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astdialer.http.webitel3.aggregate.MOST_ROWS", 2)
    with pytest.raises(Said, match="more than 2 rows"):
        pipeline([{"$unwind": "$numbers"}])([ANA, ANA])
