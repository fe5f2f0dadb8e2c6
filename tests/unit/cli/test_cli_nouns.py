"""The nouns: what a command writes is what the next one shows."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from astdialer.cli.main import cli

DIAL = ("--dial", "PJSIP/{number}@c")


def done(*words: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(cli, words, input=text)
    assert result.exit_code == 0, result.output
    return result


def shown(*words: str) -> Any:
    return json.loads(done(*words, "--json").stdout)


def failed(*words: str) -> str:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1, result.output
    return result.stderr


def test_a_campaign_is_made_changed_and_steered() -> None:
    done("trunk", "create", "carrier", *DIAL)
    done("campaign", "create", "demo", "trunk=carrier", "queue=sales")
    assert "there is a campaign 'demo' already" in failed("campaign", "create", "demo")
    done("campaign", "set", "demo", "max_calls=7")
    found = shown("campaign", "show", "demo")
    assert (found["state"], found["settings"]["max_calls"], found["settings"]["queue"]) == ("idle", "7", "sales")
    for command, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopping")):
        assert done("campaign", command, "demo").stderr.endswith(f"demo is {state}\n")
    assert "stopping" in failed("campaign", "pause", "demo")
    assert [row["state"] for row in shown("campaign", "list")] == ["stopping"]


def test_a_campaign_that_lacks_something_says_what_at_its_start() -> None:
    done("campaign", "create", "demo")
    assert "trunk=NAME" in failed("campaign", "start", "demo")
    assert "there is no trunk 'carrier'" in failed("campaign", "set", "demo", "trunk=carrier", "queue=q")
    done("trunk", "create", "carrier", *DIAL)
    done("campaign", "set", "demo", "trunk=carrier", "queue=q")
    assert "the setting trunk of demo (astdialer campaign set)" in failed("trunk", "remove", "carrier")
    done("campaign", "set", "demo", "trunk=")
    done("trunk", "remove", "carrier")
    assert "trunk=NAME" in failed("campaign", "start", "demo")


def test_a_campaign_is_removed_when_it_is_not_active_and_somebody_has_said_yes() -> None:
    done("trunk", "create", "carrier", *DIAL)
    done("campaign", "create", "demo", "trunk=carrier", "queue=sales")
    done("campaign", "start", "demo")
    assert "demo is running: stop it first" in failed("campaign", "remove", "demo", "--yes")
    done("campaign", "create", "old")
    assert CliRunner().invoke(cli, ["campaign", "remove", "old"], input="n\n").exit_code == 1
    assert [row["campaign"] for row in shown("campaign", "list")] == ["demo", "old"]
    done("campaign", "remove", "old", text="y\n")
    assert [row["campaign"] for row in shown("campaign", "list")] == ["demo"]
    assert "no campaign 'old'" in failed("campaign", "remove", "old", "--yes")
    assert "'old'" in failed("campaign", "create", "old"), "its CDRs go by that name"


def test_a_bad_change_changes_nothing() -> None:
    done("campaign", "create", "demo", "max_calls=7")
    assert "max_calls = 'x'" in failed("campaign", "set", "demo", "queue=new", "max_calls=x")
    assert shown("campaign", "show", "demo")["settings"]["queue"] == ""


def test_a_campaign_without_an_engine_is_explained() -> None:
    done("trunk", "create", "carrier", *DIAL)
    done("campaign", "create", "demo", "trunk=carrier", "queue=sales")
    assert shown("campaign", "explain", "demo")["limit"] == "not running"
    done("campaign", "start", "demo")
    assert "the engine is not running" in done("campaign", "explain", "demo").stdout


def test_a_trunk_is_made_changed_and_removed() -> None:
    done("trunk", "create", "t", *DIAL, "--max-calls", "3", "--cps", "0.5")
    assert "already" in failed("trunk", "create", "t", *DIAL)
    done("trunk", "set", "t", "--disabled")
    (found,) = shown("trunk", "list")
    assert (found["max_calls"], found["calls_per_second"], found["enabled"]) == (3, 0.5, False)
    done("trunk", "remove", "t")
    assert shown("trunk", "list") == []
    assert "no trunk 't'" in failed("trunk", "set", "t", "--enabled")


def test_an_uploaded_contact_is_found_with_its_history(tmp_path: Path) -> None:
    base = tmp_path / "spring.csv"
    base.write_text("demo;612345678;name=Ana\n", encoding="utf-8")
    done("campaign", "create", "demo")
    done("upload", str(base))
    (row,) = shown("contact", "list", "--campaign", "demo")
    assert (row["number"], row["base"], row["state"]) == ("+34612345678", "spring", "ready")
    found = shown("contact", "show", str(row["id"]))
    assert [n["number"] for n in found["numbers"]] == ["+34612345678"]
    assert "Ana" in done("contact", "show", str(row["id"])).stdout
    assert shown("contact", "list", "--state", "done") == []


def test_numbers_are_forbidden_and_allowed_again() -> None:
    said = done("blacklist", "add", "612345678", "+34612345678", "--reason", "asked").stderr
    assert said == "1 added, 1 there already and kept as they were, 2 given\n"
    (row,) = shown("blacklist", "list")
    assert (row["number"], row["campaign"], row["reason"]) == ("+34612345678", "*", "asked")
    assert "no campaign 'x'" in failed("blacklist", "add", "612345678", "--campaign", "x")
    assert done("blacklist", "remove", "612345678").stderr == "1 removed, 1 given\n"
    assert shown("blacklist", "list") == []


def test_a_list_of_forbidden_numbers_is_read_and_bad_lines_are_named() -> None:
    result = done("blacklist", "import", "-", text="612345678;moved\n\nx\n612345679,\n")
    assert "line 3" in result.stderr
    assert result.stderr.endswith("2 added, 1 lines could not be read\n")
    assert {row["number"]: row["reason"] for row in shown("blacklist", "list")} == {
        "+34612345678": "moved",
        "+34612345679": "",
    }


def test_call_records_have_a_head_even_when_there_are_none() -> None:
    assert shown("cdr", "list") == []
    assert done("cdr", "export").stdout.startswith("guid,calldate,")
