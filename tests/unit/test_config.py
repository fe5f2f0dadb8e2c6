"""Configuration: precedence, and errors that name file, key, value and what was expected."""

import dataclasses
import json
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer import config
from astdialer.config import Config, ConfigError, Secret, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "astdialer.toml"
    path.write_text("")
    return path


def read(file: Path, text: str, environ: dict[str, str] | None = None, flags: dict[str, Any] | None = None) -> Config:
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {}, flags)


def options() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    for section, kind in config.SECTIONS.items():
        for option in dataclasses.fields(kind):
            yield section, option


# --- where values come from ------------------------------------------------------------------------------------------


def test_an_empty_file_gives_the_defaults(file: Path) -> None:
    assert load(file, {}) == Config()


def test_each_source_goes_over_the_one_before(file: Path) -> None:
    more = file.parent / "conf.d"
    more.mkdir()
    (more / "20.toml").write_text("[ami]\nhost = 'c'\nport = 3\n[agi]\nport = 7")
    (more / "10.toml").write_text("[ami]\nhost = 'b'\nport = 2\nusername = 'b'")
    (more / "30.txt").write_text("no TOML")
    found = read(
        file,
        "[ami]\nhost = 'a'\nport = 1\nusername = 'a'\ntls = true",
        {"ASTDIALER_AMI_HOST": "d"},
        {"agi.port": 8},
    )
    assert (found.ami.host, found.ami.port, found.ami.username, found.ami.tls) == ("d", 3, "b", True)
    assert found.agi.port == 8


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    file.write_text("[ami]\nhost = 'a'")
    assert load(None, {"ASTDIALER_CONFIG": str(file)}).ami.host == "a"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("ASTDIALER_AMI_PORT", "5039", "ami.port", 5039),
        ("ASTDIALER_AMI_TLS", "YES", "ami.tls", True),
        ("ASTDIALER_AMI_WATCHDOG_S", "2.5", "ami.watchdog_s", 2.5),
        ("ASTDIALER_AGI_PEERS", "10.0.0.1, 10.1.0.0/16", "agi.peers", ("10.0.0.1", "10.1.0.0/16")),
        ("ASTDIALER_AMI_SECRET", "x=y z", "ami.secret", Secret("x=y z")),
        ("ASTDIALER_RECORDS_KEEP_GSM", "0", "records.keep_gsm", False),
    ],
)
def test_a_variable_is_read_as_its_keys_kind(file: Path, name: str, text: str, key: str, value: object) -> None:
    assert attrgetter(key)(load(file, {name: text})) == value


def test_variables_of_others_are_left_alone(file: Path) -> None:
    assert load(file, {"ASTDIALER_LAB_CACHE": "/x", "AMI_HOST": "y"}) == Config()


def test_further_servers_have_all_keys_of_the_first(file: Path) -> None:
    found = read(file, "[ami]\nhost = 'a'\n[ami.servers.two]\nhost = 'b'\nport = 5040")
    assert list(found.asterisks) == ["default", "two"]
    assert (found.asterisks["two"].host, found.asterisks["two"].port) == ("b", 5040)


@pytest.mark.parametrize(
    ("environ", "root", "folder"),
    [
        ({"STATE_DIRECTORY": "/s"}, True, "/s"),
        ({}, True, "/var/lib/astdialer"),
        ({"XDG_STATE_HOME": "/x"}, False, "/x/astdialer"),
        ({"HOME": "/home/ana"}, False, "/home/ana/.local/state/astdialer"),
    ],
)
def test_the_state_directory_is_systemds_the_systems_or_the_users(
    file: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], root: bool, folder: str
) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    found = load(file, {})
    assert found.store.path == Path(folder) / "astdialer.db"
    assert found.records.directory == f"{folder}/records"


def test_the_stores_path_is_absolute(file: Path) -> None:
    assert read(file, "[store]\nurl = 'sqlite:////srv/a.db'").store.path == Path("//srv/a.db")
    assert read(file, "[store]\nurl = 'sqlite:///srv/a.db'").store.path == Path("/srv/a.db")


def test_asterisk_reaches_the_scripts_where_they_listen_or_where_it_is_told(file: Path) -> None:
    assert Config().agi.address == "127.0.0.1:4573"
    assert read(file, "[agi]\npublic = 'dialer:1'").agi.address == "dialer:1"


# --- what can be wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[nonsense]\nx = 1", ["[nonsense]", "no such section", "ami, agi"]),
        ("[ami]\nhots = 'x'", ["[ami] hots", "no such key", "host, port"]),
        ("[ami.servers.two]\nhots = 'x'", ["[ami.servers.two] hots", "no such key"]),
        ("ami = 5", ["ami = 5", "section [ami]"]),
        ("[ami]\nport = 0", ["[ami] port = 0", "a whole number from 1 to 65535"]),
        ("[ami]\nport = 5038.5", ["[ami] port = 5038.5", "a whole number"]),
        ("[ami]\nport = 'x'", ["[ami] port = 'x'", "a whole number"]),
        ("[ami]\nport = true", ["[ami] port = True", "a whole number"]),
        ("[ami]\ntls = 'maybe'", ["[ami] tls = 'maybe'", "true or false"]),
        ("[ami]\ntls = 3", ["[ami] tls = 3", "true or false"]),
        ("[ami]\nhost = 5", ["[ami] host = 5", "text"]),
        ("[ami]\nwatchdog_s = nan", ["watchdog_s = nan", "a number from 1 to 300"]),
        ("[ami]\nwatchdog_s = inf", ["watchdog_s = inf", "a number from 1 to 300"]),
        ("[agi]\npeers = 5", ["[agi] peers = 5", "a list of texts"]),
        ("[agi]\npeers = ['a', 5]", ["[agi] peers", "a list of texts"]),
        ("[store]\nurl = 'mysql://x'", ["url = 'mysql://x'", "sqlite:///PATH"]),
        ("[records]\nbitrate = '16'", ["bitrate = '16'", "such as 16k"]),
        ("[records]\nbitrate = '999k'", ["bitrate = '999k'", "such as 16k"]),
        ("[engine]\nnumber_check = 'strict'", ["number_check = 'strict'", "valid, possible or none"]),
        ("[ami]\nservers = 5", ["servers = 5", "[ami.servers.NAME]"]),
        ("[ami.servers]\nx = 3", ["servers = {'x': 3}", "[ami.servers.NAME]"]),
        ("[records]\nbitrate = '²k'", ["bitrate = '²k'", "such as 16k"]),
        ('[ami]\nsecret_file = "\\u0000"', ["secret_file", "can't be read"]),
        ("[ami\nhost", ["not TOML"]),
        ("[ami]\nsecret_file = '/nowhere/secret'", ["[ami] secret_file = '/nowhere/secret'", "can't be read"]),
    ],
)
def test_an_error_names_the_key_the_value_and_what_was_expected(file: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("text", ["[ami]\nport = 0", "[ami]\nx = 0", "[x]", "[ami", "[store]\nurl = 'x'"])
def test_an_error_names_its_file(file: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"astdialer\.toml: "):
        read(file, text)


def test_an_error_names_its_variable_or_flag(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"environment ASTDIALER_AMI_PORT: \[ami\] port = 'x'"):
        load(file, {"ASTDIALER_AMI_PORT": "x"})
    with pytest.raises(ConfigError, match=r"environment ASTDIALER_AMI_HOTS: \[ami\] hots"):
        load(file, {"ASTDIALER_AMI_HOTS": "x"})
    with pytest.raises(ConfigError, match=r"ami\.port: \[ami\] port"):
        load(file, {}, {"ami.port": 0})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load(tmp_path / "none.toml", {})


def test_a_file_that_is_no_text_is_an_error(file: Path) -> None:
    file.write_bytes(b"[ami]\nhost = '\xff\xfe'")
    with pytest.raises(ConfigError, match="can't be read"):
        load(file, {})


scalars = st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.integers(), max_size=3)


@given(st.sampled_from([o for o in options() if o[1].name not in ("bitrate", "secret_file")]), scalars)
def test_any_value_is_taken_or_refused_by_name(option: tuple[str, dataclasses.Field[Any]], value: object) -> None:
    section, field = option
    refused = ""
    try:
        load(None, {}, {f"{section}.{field.name}": value})
    except ConfigError as error:
        refused = str(error)
    assert not refused or field.name in refused


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_shows_itself_nowhere(file: Path) -> None:
    found = read(file, "[ami]\nsecret = 'hunter2'")
    texts = (f"{found}", repr(found.ami), str(found.ami.secret), "%s" % found.ami.secret, f"{found.ami.secret:>20}")  # noqa: UP031
    assert all("hunter2" not in text for text in texts)
    assert found.ami.secret.reveal() == "hunter2"


def test_a_bad_secret_is_not_quoted(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"\*{8}") as caught:
        read(file, "[ami]\nsecret = 12345")
    assert "12345" not in str(caught.value)


def test_a_secret_file_holds_the_secret_of_its_server(file: Path) -> None:
    (file.parent / "one").write_text("first\n")
    (file.parent / "two").write_text("  second  \n")
    found = read(file, f"[ami]\nsecret_file = '{file.parent}/one'\n[ami.servers.b]\nsecret_file = '{file.parent}/two'")
    assert [ami.secret.reveal() for ami in found.asterisks.values()] == ["first", "second"]


# --- every option ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "option"), list(options()), ids=lambda value: getattr(value, "name", value))
def test_every_option_has_a_sentence_and_a_default_that_it_would_take(
    file: Path, section: str, option: dataclasses.Field[Any]
) -> None:
    assert option.metadata["doc"].endswith((".", "writes there."))
    default = getattr(getattr(Config(), section), option.name)
    value = list(default) if isinstance(default, tuple) else default
    text = str.__str__(value) if isinstance(value, str) else value
    found = read(file, f"[{section}]\n{option.name} = {json.dumps(text)}")
    assert getattr(getattr(found, section), option.name) == default


# --- HTTP ------------------------------------------------------------------------------------------------------------


def test_origins_of_pages_are_taken_as_browsers_send_them(file: Path) -> None:
    made = read(file, '[http]\nbrowser_origins = ["https://crm.example.com", "http://localhost:5173"]')
    assert made.http.browser_origins == ("https://crm.example.com", "http://localhost:5173")
    assert read(file, "", {"ASTDIALER_HTTP_BROWSER_ORIGINS": ""}).http.browser_origins == ("",)


@pytest.mark.parametrize(
    "origin", ["*", "crm.example.com", "https://crm.example.com/", "https://", "ftp://a", "https://a b"]
)
def test_what_no_browser_would_send_is_refused(file: Path, origin: str) -> None:
    with pytest.raises(ConfigError, match=r"browser_origins = .*: expected origins: http or https, a host"):
        read(file, f'[http]\nbrowser_origins = ["https://good.example", "{origin}"]')


def test_a_look_up_goes_to_an_http_server(file: Path) -> None:
    assert read(file, '[webhooks]\nlookup_url = "https://crm/x?a=1"').webhooks.lookup_url == "https://crm/x?a=1"
    with pytest.raises(ConfigError, match="lookup_url = 'ftp://crm': expected an address that begins with"):
        read(file, '[webhooks]\nlookup_url = "ftp://crm"')
