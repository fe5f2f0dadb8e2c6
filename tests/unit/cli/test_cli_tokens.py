"""``astdialer token``."""

import json
from pathlib import Path

import pytest
from cli_hands import clock, done, failed, in_store, shown, told
from click.testing import CliRunner

from astdialer.cli.main import cli
from astdialer.domain.access import Access, Role, Unauthorized
from astdialer.engine import tokens
from astdialer.store import SqliteStore


def access(secret: str) -> Access:
    async def look(store: SqliteStore) -> Access:
        return await tokens.verify(store, clock, secret)

    return in_store(look)


def test_a_token_is_made_and_its_secret_shown_this_once(tmp_path: Path) -> None:
    result = done("token", "create", "crm", "--role", "integration", "--tenant", "acme")
    secret = result.stdout.strip()
    assert secret.startswith("astd_")
    assert "it is not shown again" in result.stderr
    assert secret not in result.stderr
    found = access(secret)
    assert (found.name, found.role, found.tenant) == ("crm", Role.INTEGRATION, "acme")
    assert secret not in done("token", "list").stdout + json.dumps(shown("token", "list"))
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_secret_is_alone_on_stdout_for_scripts() -> None:
    assert len(done("token", "create", "crm", "--role", "read-only").stdout.split()) == 1
    made = shown("token", "create", "other", "--role", "admin")
    assert access(made["secret"]).name == "other"
    assert (made["name"], made["role"], made["revoked_at"]) == ("other", "admin", None)


def test_tokens_are_listed_with_who_may_do_what() -> None:
    done("token", "create", "desk", "--role", "agent", "--agent", "1001")
    done("token", "create", "all", "--role", "admin", "--expires", "2999-01-01")
    first, second = shown("token", "list")
    assert (first["name"], first["role"], first["state"], first["expires"]) == (
        "all",
        "admin",
        "good",
        "2999-01-01 00:00:00",
    )
    assert (second["name"], second["agent"], second["expires"]) == ("desk", "1001", None)
    assert first["created_by"]
    table = done("token", "list").stdout
    assert "desk" in table
    assert "hash" not in table


def test_a_revoked_token_opens_nothing_and_says_so_in_the_list() -> None:
    secret = done("token", "create", "crm", "--role", "admin").stdout.strip()
    assert told("token", "revoke", "crm") == "crm opens nothing any more\n"
    with pytest.raises(Unauthorized):
        access(secret)
    assert [row["state"] for row in shown("token", "list")] == ["revoked"]
    assert "see astdialer token list" in failed("token", "revoke", "crm")
    done("token", "create", "crm", "--role", "admin")
    assert sorted(row["state"] for row in shown("token", "list")) == ["good", "revoked"]


def test_an_expired_token_says_so_in_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    done("token", "create", "crm", "--role", "admin", "--expires", "2999-01-01")
    monkeypatch.setattr("astdialer.cli.token.clock.now", lambda: 33_000_000_000_000, raising=False)
    assert [row["state"] for row in shown("token", "list")] == ["expired"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a b", "--role", "admin"), "name = 'a b'"),
        (("crm", "--role", "agent"), "agent = ''"),
        (("crm", "--role", "admin", "--agent", "1001"), "for the role agent alone"),
        (("crm", "--role", "admin", "--tenant", "a b"), "tenant = 'a b'"),
        (("crm", "--role", "admin", "--expires", "2001-01-01"), "expected a time to come"),
    ],
)
def test_a_token_that_cannot_be_is_a_sentence(words: tuple[str, ...], said: str) -> None:
    assert said in failed("token", "create", *words)
    assert shown("token", "list") == []


def test_what_is_missing_or_unknown_is_wrong_usage() -> None:
    for words in (("crm",), ("crm", "--role", "boss"), ("crm", "--role", "admin", "--expires", "soon")):
        failed("token", "create", *words, code=2)


def test_a_name_is_taken_once() -> None:
    done("token", "create", "crm", "--role", "admin")
    assert "astdialer token revoke crm" in failed("token", "create", "crm", "--role", "admin")


def test_a_token_in_webitels_shape_looks_like_theirs() -> None:
    secret = done("token", "create", "domain", "--role", "integration", "--tenant", "acme", "--jwt").stdout.strip()
    claims = tokens.claims(secret)
    assert claims is not None
    assert (claims["d"], claims["t"]) == ("acme", "domain")
    assert access(secret).tenant == "acme"


def test_the_help_names_every_role() -> None:
    text = CliRunner().invoke(cli, ["token", "create", "--help"]).stdout
    assert all(role.value in text for role in Role)
