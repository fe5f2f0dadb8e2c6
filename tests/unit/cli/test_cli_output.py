"""How commands speak: tables for people, JSON and CSV for machines."""

import csv
import io
import json
from typing import Any

import pytest

from astdialer.cli.output import emit_record, emit_rows, say
from astdialer.engine.csv_rows import csv_text

ROWS: list[dict[str, Any]] = [
    {"name": "Ñandú", "n": 1, "note": None},
    {"name": 'a,b;\n"c"', "n": 2.25, "note": "[red]x[/red]", "more": 7},
]
Captured = pytest.CaptureFixture[str]


def test_json_is_one_array_of_whole_rows(capsys: Captured) -> None:
    emit_rows(ROWS, ("name",), as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == ROWS
    assert "Ñandú" in out
    assert err == ""


def test_no_rows_are_still_a_document(capsys: Captured) -> None:
    emit_rows([], ("name",), as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_csv_has_the_columns_and_reads_back(capsys: Captured) -> None:
    emit_rows(ROWS, ("n", "name", "missing"), as_csv=True)
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert found == [
        {"n": "1", "name": "Ñandú", "missing": ""},
        {"n": "2.25", "name": 'a,b;\n"c"', "missing": ""},
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("+34600000001", "+34600000001"),
        ("-5", "-5"),
        (-5, "-5"),
        ("x=1", "x=1"),
    ],
)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(value: object, cell: str) -> None:
    text = csv_text([{"x": value}], ("x",), header=False)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[cell]]


def test_a_table_is_as_wide_as_its_data_when_it_goes_to_a_file(capsys: Captured) -> None:
    emit_rows([{"a_b": "x" * 500, "n": 2.25, "none": None, "list": [1]}], ("a_b", "n", "none", "list"))
    head, row, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["a", "b", "n", "none", "list"]
    assert row.split() == ["x" * 500, "2.2", "-", "[1]"]
    assert rest == []


def test_a_table_has_every_row(capsys: Captured) -> None:
    emit_rows([{"n": n} for n in range(3)], ("n",))
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["n", "0", "1", "2"]


def test_data_is_no_markup(capsys: Captured) -> None:
    emit_rows([{"a": "[red]x[/red] [/] [link=file:///etc]y"}], ("a",))
    assert "[red]x[/red] [/] [link=file:///etc]y" in capsys.readouterr().out


def test_data_steers_no_terminal(capsys: Captured) -> None:
    emit_rows([{"a": "x\x1b[31mred\x07 \\[bold]y"}], ("a",))
    emit_record({"b": "x\x1b]0;title\x07"})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\\[bold]y" in out


def test_a_record_is_lines_of_key_and_value(capsys: Captured) -> None:
    emit_record({"name": "demo", "max_calls": 3})
    assert capsys.readouterr().out == "name       demo\nmax_calls  3\n"
    emit_record({})
    assert capsys.readouterr().out == ""


def test_a_record_as_json_is_one_object(capsys: Captured) -> None:
    emit_record({"name": "ñ", "n": 3}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"name": "ñ", "n": 3}


def test_words_to_people_go_to_stderr(capsys: Captured) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
