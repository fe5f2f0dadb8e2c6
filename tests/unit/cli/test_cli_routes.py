"""Routes by command: made, changed, and asked where a number would go."""

import json
from typing import Any

import pytest
from cli_hands import in_store
from click.testing import CliRunner, Result

from astdialer.cli.main import cli
from astdialer.domain.route import Destination, Route

DIAL = ("--dial", "PJSIP/{number}@c")


@pytest.fixture(autouse=True)
def trunks(own_store_and_logging: None) -> None:
    for name in ("carrier", "spare"):
        done("trunk", "create", name, "--dial", f"PJSIP/{{number}}@{name}")


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def done(*words: str) -> Result:
    result = ask(*words)
    assert result.exit_code == 0, result.output
    return result


def shown(*words: str) -> Any:
    return json.loads(done(*words, "--json").stdout)


def failed(*words: str, code: int = 1) -> str:
    result = ask(*words)
    assert result.exit_code == code, result.output
    return result.stderr


def test_a_route_is_made_changed_and_removed() -> None:
    done("route", "create", "es", "--pattern", r"^34(\d+)$", "--to", "carrier=0$1@2", "--to", "spare")
    assert "already" in failed("route", "create", "es", "--pattern", "^34", "--to", "carrier")
    found = shown("route", "show", "es")
    assert [(to["trunk"], to["rewrite"], to["order"]) for to in found["destinations"]] == [
        ("carrier", "0$1", 2),
        ("spare", "$&", 0),
    ]
    done("route", "set", "es", "--disabled")
    done("route", "set", "es", "--to", "spare")
    (row,) = shown("route", "list")
    assert (row["pattern"], row["to"], row["enabled"]) == (r"^34(\d+)$", "spare", False)
    done("route", "remove", "es")
    assert shown("route", "list") == []
    assert "no route 'es': see astdialer route list" in failed("route", "set", "es", "--enabled")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--to", "carrier"), 2, "--pattern"),
        (("--pattern", "^34"), 2, "--to"),
        (("--pattern", "(", "--to", "carrier"), 1, "pattern = '('"),
        (("--pattern", r"(?:\d{100}){100}0", "--to", "carrier"), 1, "takes too long"),
        (("--pattern", "^34", "--to", "gone"), 1, "no trunk 'gone'"),
        (("--pattern", "^34", "--to", "carrier=$1"), 1, "no group beyond the 0"),
        (("--pattern", "^34", "--to", "=1"), 1, "TRUNK[=REWRITE][@ORDER]"),
    ],
)
def test_what_can_not_be_a_route_is_refused(words: tuple[str, ...], code: int, sentence: str) -> None:
    assert sentence in failed("route", "create", "es", *words, code=code)
    assert shown("route", "list") == []


def test_a_change_that_breaks_a_rewrite_is_refused() -> None:
    done("route", "create", "es", "--pattern", r"^34(\d+)$", "--to", "carrier=$1")
    assert "no group beyond the 0" in failed("route", "set", "es", "--pattern", "^34")
    assert shown("route", "show", "es")["pattern"] == r"^34(\d+)$"


def test_a_route_in_use_says_by_whom_and_stays() -> None:
    done("route", "create", "es", "--pattern", "^34", "--to", "carrier")
    done("campaign", "create", "sales", "routes=es")
    assert shown("route", "show", "es")["campaigns"] == ["sales"]
    assert "sales" in done("route", "show", "es").stdout
    assert "sales" in failed("route", "remove", "es")


# --- where a number would go -----------------------------------------------------------------------------------------


def test_a_number_is_shown_with_every_way_in_the_order_of_trying() -> None:
    done("route", "create", "es", "--pattern", r"^34(\d+)$", "--to", "carrier=0$1@2", "--to", "spare@1")
    done("route", "create", "uk", "--pattern", "^44", "--to", "carrier")
    rows = shown("route", "test", "612345678")
    assert [(row["turn"], row["route"], row["trunk"], row["dials"]) for row in rows] == [
        (1, "es", "spare", "PJSIP/34612345678@spare"),
        (2, "es", "carrier", "PJSIP/0612345678@carrier"),
        (None, "uk", "", ""),
    ]
    assert rows[2]["note"] == "^44 does not match"


def test_a_campaigns_routes_are_asked_in_its_own_order() -> None:
    done("route", "create", "a", "--pattern", "^34", "--to", "carrier")
    done("route", "create", "b", "--pattern", "^346", "--to", "spare")
    done("campaign", "create", "sales", "routes=b,a")
    assert [row["route"] for row in shown("route", "test", "612345678", "--campaign", "sales")] == ["b", "a"]


def test_a_campaign_without_routes_leaves_by_its_trunk() -> None:
    done("campaign", "create", "sales", "trunk=carrier")
    (row,) = shown("route", "test", "612345678", "--campaign", "sales")
    assert (row["turn"], row["dials"]) == (1, "PJSIP/34612345678@carrier")
    done("campaign", "create", "none")
    result = ask("route", "test", "612345678", "--campaign", "none")
    assert (result.exit_code, "neither trunk nor routes" in result.stdout) == (1, True)


def test_no_way_is_exit_code_one() -> None:
    done("route", "create", "uk", "--pattern", "^44", "--to", "carrier")
    assert "no way for +34612345678" in failed("route", "test", "612345678")
    assert "no campaign 'x'" in failed("route", "test", "612345678", "--campaign", "x")
    assert "number '12'" in failed("route", "test", "12", code=2)


def test_a_trunk_or_route_that_is_switched_off_has_no_turn() -> None:
    done("route", "create", "es", "--pattern", "^34", "--to", "carrier", "--to", "spare")
    done("trunk", "set", "carrier", "--disabled")
    first, second = shown("route", "test", "612345678")
    assert (first["turn"], first["note"], second["turn"]) == (None, "the trunk is disabled", 1)
    in_store(lambda store: store.save_route(Route("es", "^34", (Destination("gone"), Destination("spare")))))
    assert shown("route", "test", "612345678")[0]["note"] == "there is no trunk 'gone'"
    done("route", "set", "es", "--to", "spare", "--disabled")
    assert "is disabled" in ask("route", "test", "612345678").stdout


def test_a_rewrite_that_makes_nothing_is_told() -> None:
    done("route", "create", "all", "--pattern", ".*", "--to", "carrier=")
    result = ask("route", "test", "612345678", "--json")
    assert "expected 1 to 64 digits" in json.loads(result.stdout)[0]["note"]
