"""uContact's tokens: logging in, every way of sending one, logging out; and who may do what."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_hands import Hands, hands
from ucontact_hands import FORM, RESOURCES, post, result

from astdialer.domain.access import PERMISSIONS, Permission, Role

LOGIN, LOGOUT = f"{RESOURCES}/auth/getUserToken", f"{RESOURCES}/auth/EndSession"
ASKED = f"{RESOURCES}/Cdr/getrecords"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def _logged_in(api: Hands) -> str:
    secret = await api.token(Role.SUPERVISOR)
    answer = await api.client.post(LOGIN, data={"user": "supervisor", "password": secret})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    return answer.text


def _basic(name: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


async def test_a_login_gives_a_sessions_token_which_opens_everything(api: Hands) -> None:
    token = await _logged_in(api)
    assert token != await api.token(Role.SUPERVISOR)
    for header in (f"Basic {token}", f"basic  {token}", f"Bearer {token}", _basic("ana", token), _basic("", token)):
        answer = await api.client.post(ASKED, headers={"authorization": header})
        assert (answer.status_code, answer.text) == (200, "[]"), header
    lasting = await api.token(Role.SUPERVISOR)
    assert (await api.client.post(ASKED, headers={"authorization": _basic("me", lasting)})).status_code == 200


async def test_user_login_gives_the_token_as_the_third_of_an_array(api: Hands) -> None:
    secret = await api.token(Role.SUPERVISOR)
    answer = await api.client.post(f"{RESOURCES}/auth/UserLogin", data={"user": "supervisor", "password": secret})
    user, _, token = answer.json()
    assert user == "supervisor"
    assert (await api.client.post(ASKED, headers={"authorization": f"Basic {token}"})).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic ", "Basic wrong", "Digest x", _basic("supervisor", "wrong"), "Basic " + "Og==" * 9],
)
async def test_without_a_good_token_the_answer_is_401_in_text(api: Hands, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    for path in (ASKED, f"{RESOURCES}/Agents/AgentCall", f"{RESOURCES}/Dialers/DialerTask"):
        answer = await api.client.post(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "text/plain; charset=utf-8")
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    ("user", "password"), [("supervisor", "wrong"), ("other", None), ("", ""), ("supervisor\r\nX: y", None)]
)
async def test_a_bad_login(api: Hands, user: str, password: str | None) -> None:
    secret = await api.token(Role.SUPERVISOR) if password is None else password
    answer = await api.client.post(LOGIN, data={"user": user, "password": secret})
    assert answer.status_code in (401, 422)
    assert "astd_" not in answer.text


async def test_who_tries_too_often_has_to_wait(api: Hands) -> None:
    statuses = [(await api.client.post(LOGIN, data={"user": "x", "password": str(n)})).status_code for n in range(30)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_session_ends_at_once(api: Hands) -> None:
    token = await _logged_in(api)
    header = {"authorization": f"Basic {token}"}
    assert (await api.client.post(ASKED, headers=header)).status_code == 200
    answer = await api.client.post(LOGOUT, data={"user": "supervisor", "token": token})
    assert answer.text == "1"
    assert (await api.client.post(ASKED, headers=header)).status_code == 401
    assert (await api.client.post(LOGOUT, data={"token": token})).text == "0"
    assert (await api.client.post(LOGOUT)).text == "0"
    lasting = await api.token(Role.SUPERVISOR)
    assert (await api.client.post(LOGOUT, data={"token": lasting})).text == "0", "a token that is no session stays"
    assert await result(api, "Dialers/RemoveContact", role=Role.SUPERVISOR) == "1"


async def test_a_session_may_be_named_by_its_header(api: Hands) -> None:
    header = {"authorization": f"Basic {await _logged_in(api)}"}
    assert (await api.client.post(LOGOUT, headers=header)).text == "1"


async def test_without_tokens_everybody_is_let_in(tmp_path: Path) -> None:
    async with hands(tmp_path, tokens=False) as api:
        answer = await api.client.post(LOGIN, data={"user": "x", "password": "y"}, headers={"content-type": FORM})
        assert (answer.status_code, answer.text) == (200, "loopback")
        assert (await api.client.post(ASKED, headers={"host": "localhost:8480"})).status_code == 200


# --- who may do what -------------------------------------------------------------------------------------------------


_P = Permission
#: Every endpoint that asks for a token, and what for.
NEEDS = {
    "Agents/AgentCall": _P.OWN_CALLS,
    "Agents/AgentCallwithData": _P.OWN_CALLS,
    "Agents/HangupPhone": _P.OWN_CALLS,
    "Agents/TagRecord": _P.OWN_CALLS,
    "Agents/CTI": _P.OWN_CALLS,
    "api/DispositionCall": _P.OWN_CALLS,
    "Dialers/Respool": _P.OWN_CALLS,
    "Dialers/ScheduleDialerCall": _P.OWN_CALLS,
    "Dialers/DialerTask": _P.CONTACTS,
    "Dialers/RemoveContact": _P.CONTACTS,
    "Dialers/RemoveScheduleDialerCall": _P.CONTACTS,
    "Dialers/uploadbase": _P.CONTACTS,
    "Dialers/uploadbasewithtimezone": _P.CONTACTS,
    "admin/addblack": _P.CONTACTS,
    "admin/addblackbulk": _P.CONTACTS,
    "admin/deleteblack": _P.CONTACTS,
    "admin/deleteblackbulk": _P.CONTACTS,
    "Cdr/getrecords": _P.READ,
    "Supervisor/queuesummary": _P.READ,
    "Supervisor/campaignstatus": _P.READ,
    "Supervisor/convert": _P.LISTEN,
}
FILES = ("/records/a.mp3", "/records/20260101/a.gsm")


@pytest.mark.parametrize("role", list(Role))
async def test_every_endpoint_and_every_role(api: Hands, role: Role) -> None:
    headers = {"authorization": f"Basic {await api.token(role)}"}
    asked = [("POST", f"{RESOURCES}/{path}", needed) for path, needed in NEEDS.items()]
    asked += [(method, path, _P.LISTEN) for path in FILES for method in ("GET", "HEAD")]
    for method, path, needed in asked:
        answer = await api.client.request(method, path, headers=headers)
        assert (answer.status_code == 403) == (needed not in PERMISSIONS[role]), path
        assert answer.status_code not in (401, 405, 500), path
        assert (await api.client.request(method, path)).status_code in (401, 429), path


async def test_what_is_not_there_is_told_in_text(api: Hands) -> None:
    for method, path, status in (
        ("POST", "/Integra/resources/Agents/Nothing", 404),
        ("GET", "/Integra/resources/Agents/AgentCall", 405),
        ("GET", "/Integra", 404),
    ):
        answer = await api.client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")


async def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    async with hands(tmp_path, max_body_kb=1) as api:
        answer = await post(api, "admin/addblack", {"black": "x" * 2000})
        assert (answer.status_code, "1024" in answer.text) == (413, True)
