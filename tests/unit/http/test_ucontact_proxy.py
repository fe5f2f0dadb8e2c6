"""The browser's page: what it may do, and that each of uContact's messages leads to what it asks for.

Its script is only an interpreter of ACTIONS; here the same table is carried out, message by message.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from http_hands import Hands, hands
from ucontact_hands import ANA, agent_row, claim, close, contact_of, e164, load, phone, post

from astdialer.domain.access import Role
from astdialer.domain.contact import ContactState
from astdialer.http.ucontact.proxy import ACTIONS

CRM = "https://crm.example.com"
PAGE, SCRIPT = "/Integra/proxy.html", "/Integra/proxy.js"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path, browser_origins=(CRM,)) as opened:
        await opened.campaign("Sale->")
        await opened.view(agents=[agent_row()])
        yield opened


def form_of(message: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The endpoint and the form that the script sends for a message."""
    action = ACTIONS[message["action"]]
    form = {field: str(message.get(key) or "") for field, key in action.get("fields", {}).items()}
    for field, made in action.get("objects", {}).items():
        more = {name: message[key] for name, key in made["with"].items()}
        form[field] = json.dumps(message[made["from"]] | more)
    return action["path"], form


async def asked(api: Hands, message: Mapping[str, Any], answer: Mapping[str, Any] | None = None) -> Any:
    """What the page is told, as the agent 1001; and the order that the engine got."""
    path, form = form_of(message)

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0.001)

    orders = []
    with patch.object(api.clock, "sleep", sleep):
        asking = asyncio.create_task(post(api, path, form, role=Role.AGENT))
        while not asking.done():
            for order in await api.orders():
                orders.append(order)
                await api.store.order_done(order.id, result=json.dumps(dict(answer or {})))
            await asyncio.sleep(0.001)
    told = await asking
    assert told.status_code == 200, told.text
    return told, orders


# --- messages of the source document ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"action": "call", "campaign": "Sale->", "callerid": "442079460000", "destination": phone(1)},
        {"action": "callWithPhone", "destination": phone(1), "campaign": "Sale->"},
    ],
)
async def test_call(api: Hands, message: dict[str, str]) -> None:
    told, (order,) = await asked(api, message, {"guid": "g-1"})
    assert (told.text, ACTIONS[message["action"]]["answer"]) == ("g-1", "guid")
    assert (order.kind, order.body["agent"], order.body["number"]) == ("agent_call", ANA, e164(1))


async def test_hangup(api: Hands) -> None:
    told, (order,) = await asked(api, {"action": "hangup"}, {"hung_up": 1})
    assert (told.text, order.kind, order.body) == ("1", "agent_hangup", {"agent": ANA})


async def test_cti_respool_schedule_and_tag(api: Hands) -> None:
    campaign = await api.store.campaign("Sale->")
    await load(api, campaign, 1)
    taken = await claim(api, campaign)
    guid = await close(api, campaign, taken)

    told, _ = await asked(api, {"action": "CTI"})
    cti = told.json()
    assert (cti["guid"], ACTIONS["CTI"]["answer"]) == (guid, "CTI")

    told, _ = await asked(api, {"action": "tag", "guid": guid, "message": "Sale"})
    assert (told.text, (await contact_of(api, 1)).tag) == ("", "Sale")

    again = cti["Dialer"] | {"retries": 0, "priority": 7, "alternatives": phone(2)}
    told, _ = await asked(api, {"action": "respool", "objetoRespool": again})
    contact = await contact_of(api, 1)
    assert (told.text, contact.state, contact.priority) == ("1", ContactState.WAITING, 7)

    told, _ = await asked(api, {"action": "schedule", "callDate": "2025-10-10 15:00:00", "objectDialer": cti["Dialer"]})
    assert told.text == "1"
    assert len(await api.store.scheduled(campaign.id, number=e164(1), from_at=None, to_at=None, limit=9)) == 1


def test_every_action_of_the_source_document_is_there() -> None:
    assert set(ACTIONS) == {"call", "callWithPhone", "hangup", "tag", "CTI", "respool", "schedule"}


# --- the page --------------------------------------------------------------------------------------------------------


async def test_the_page_may_be_held_by_known_origins_alone(api: Hands) -> None:
    answer = await api.client.get(PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == policy["frame-src"] == f"'self' {CRM}"
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    settings = re.search(r'<script id="settings" type="application/json">(.*)</script>', answer.text)
    assert settings is not None
    assert json.loads(settings[1]) == {"origins": [CRM], "actions": {key: dict(of) for key, of in ACTIONS.items()}}
    assert answer.text.count("<script") == 2


async def test_without_origins_nobody_else_is_listened_to(tmp_path: Path) -> None:
    async with hands(tmp_path) as api:
        answer = await api.client.get(PAGE)
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert '{"origins": [],' in answer.text


async def test_what_stands_in_the_configuration_is_no_html(tmp_path: Path) -> None:
    async with hands(tmp_path, browser_origins=("https://x</script><script>alert(1)",)) as api:
        assert "</script><script>alert" not in (await api.client.get(PAGE)).text


async def test_the_script_checks_who_speaks_before_all_else(api: Hands) -> None:
    answer = await api.client.get(SCRIPT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    listening = answer.text.partition('window.addEventListener("message"')[2]
    first = listening.partition("{")[2].strip().splitlines()[0]
    assert first == "if (!settings.origins.includes(event.origin) || !event.source) return;"
    assert (
        "postMessage(packed(answer, found.envelope, window.location.origin, event.origin), event.origin)" in listening
    )
    for never in ("innerHTML", "eval(", '"*"', "document.write", "localStorage"):
        assert never not in answer.text
