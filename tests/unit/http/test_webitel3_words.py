"""What webhooks of the form webitel say: source-systems.md 1.7b, events."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, hands
from webitel3_hands import Webitel

from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import Disposition
from astdialer.domain.hooks import FORM_KINDS, Event, Form, Webhook
from astdialer.engine import campaigns
from astdialer.engine.removal import remove_contacts
from astdialer.engine.webhooks import Happening
from astdialer.http.dialects import WORDS
from astdialer.http.webitel3.words import CHANGE_STATE, MEMBER_END
from astdialer.ports import CampaignEvent

HOOK = Webhook(id="h", url="http://x", secret="s", form=Form.WEBITEL)


@pytest.fixture
async def webitel(tmp_path: Path) -> AsyncIterator[Webitel]:
    async with hands(tmp_path, tenant_queues=("site:sales",)) as opened:
        yield Webitel(opened, tenant="site")


async def told(webitel: Webitel) -> list[tuple[str, dict[str, Any]]]:
    """Everything that would be sent."""
    known = {one.id: one for one in await webitel.store.campaigns()}
    found: list[tuple[str, dict[str, Any]]] = []
    for event in await webitel.store.events(0, 1000):
        contact = None
        if event.contact_id is not None:
            contact = await webitel.store.contact(event.contact_id)
        happening = Happening(event=event, campaign=known.get(event.campaign_id or 0), contact=contact, cdr=None)
        found += [(kind, dict(body)) for kind, body in WORDS[Form.WEBITEL](HOOK, happening)]
    return found


def test_both_kinds_are_the_forms() -> None:
    assert set(FORM_KINDS[Form.WEBITEL]) == {MEMBER_END, CHANGE_STATE}


async def test_the_end_of_a_member(webitel: Webitel) -> None:
    path = await webitel.dialer(name="Весна", parameters={"maxTryCount": 1})
    numbers = [{"number": "380911234567", "description": "mobile"}]
    one = (
        f"{path}/members/"
        + (
            await webitel.data(
                "POST",
                f"{path}/members",
                {"name": "Ivan", "communications": numbers, "variables": {"debt": 5}, "expire": NOW * 2},
            )
        )["insertedIds"][0]
    )
    claim = await webitel.call(one, Disposition.BUSY, reserved_agent="PJSIP/100")
    assert await told(webitel) == [
        (
            MEMBER_END,
            {
                "Event-Name": "CUSTOM",
                "Event-Subclass": "engine::dialer_member_end",
                "variable_domain_name": "site",
                "dialerId": path[-24:],
                "dialerName": "Весна",
                "id": one[-24:],
                "name": "Ivan",
                "currentNumber": "380911234567",
                "dlr_member_number_description": "mobile",
                "currentProbe": 1,
                "session": claim.attempt.id,
                "endCause": "MAX_TRY_COUNT",
                "agentId": "PJSIP/100",
                "expire": NOW * 2,
                "variable_debt": "5",
            },
        )
    ]


async def test_why_it_has_ended_if_it_was_not_by_its_call(webitel: Webitel) -> None:
    path = await webitel.dialer()
    terminated = await webitel.member(path, "+447700900001")
    await webitel.ask("PUT", f"{terminated}/terminate")
    await webitel.member(path, "+447700900002", expire=1)
    good = await webitel.member(path, "+447700900003")
    await webitel.talk(good)
    await webitel.ask("PUT", f"{good}/status", {"success": True})
    ends = [(body["reason"], body["endCause"]) for _, body in await told(webitel)]
    assert ends == [
        ("terminate", "MANAGER_REQUEST"),
        ("expire", "MEMBER_EXPIRED"),
        ("callback", "NORMAL_CLEARING"),
    ]


async def test_a_member_that_was_removed_is_not_told(webitel: Webitel) -> None:
    path = await webitel.dialer()
    one = await webitel.member(path, "+447700900001")
    await webitel.member(path, "+447700900002")
    (campaign,) = await webitel.store.campaigns()
    contact = await webitel.contact(one)
    await remove_contacts(webitel.store, webitel.clock, campaign, [contact.id])
    event = Event(id=1, at=NOW, kind="contact.ended", campaign_id=1, contact_id=contact.id, attempt_id="", body={})
    happening = Happening(event=event, campaign=campaign, contact=None, cdr=None)
    assert list(WORDS[Form.WEBITEL](HOOK, happening)) == []


async def test_the_states_of_a_dialer(webitel: Webitel) -> None:
    path = await webitel.dialer(type="Progressive Dialer")
    await webitel.member(path, "+447700900001")
    done = await webitel.member(path, "+447700900002")
    await webitel.ask("PUT", f"{done}/terminate")
    await webitel.ask("PUT", f"{path}/state/1")
    (campaign,) = await webitel.store.campaigns()
    for name, detail in (
        ("sleeps", ""),
        ("wakes", ""),
        ("stopping", ""),
        ("stopped", ""),
        ("finished", "every contact is done"),
        ("finished", "its calendar has ended"),
        ("error", "its calendar is gone"),
        ("zeroed", ""),
    ):
        await webitel.store.add_event(campaign.id, CampaignEvent(at=NOW, event=name, detail=detail))
    said = [body for kind, body in await told(webitel) if kind == CHANGE_STATE]
    assert said[0] == {
        "Event-Name": "DC::CHANGE_STATE",
        "Event-Domain": "site",
        "Event-Calling-Function": "ready",
        "Dialer-Id": path[-24:],
        "Dialer-Name": "myPredictiveDialer",
        "Type": "Progressive Dialer",
        "State": 1,
        "Active": True,
        "Cause": "QUEUE_HUNTING",
        "Members-Count": 1,
    }
    assert [(body["State"], body["Active"], body["Cause"]) for body in said] == [
        (1, True, "QUEUE_HUNTING"),
        (2, True, "QUEUE_SLEEP"),
        (1, True, "QUEUE_HUNTING"),
        (3, False, "QUEUE_STOP"),
        (4, False, "QUEUE_COMPLETE"),
        (4, False, "QUEUE_EXPIRE"),
        (5, False, "QUEUE_ERROR"),
    ]


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("predictive", "Predictive Dialer"), ("power", "Predictive Dialer"), ("preview", "Progressive Dialer"),
     ("broadcast", "Voice Broadcasting")],
)  # fmt: skip
async def test_a_campaign_of_the_command_has_a_type_as_well(webitel: Webitel, mode: str, kind: str) -> None:
    made = await webitel.hands.campaign("spring", tenant="site", mode=mode, sound="hello")
    await campaigns.start(webitel.store, webitel.clock, "spring")
    ((_, body),) = await told(webitel)
    assert (body["Dialer-Name"], body["Type"], body["Dialer-Id"]) == ("spring", kind, f"61737464{made.id:016x}")
    assert (await webitel.store.campaign("spring")).state is CampaignState.RUNNING


async def test_nothing_is_told_of_a_campaign_that_is_gone() -> None:
    event = Event(id=1, at=NOW, kind="campaign.started", campaign_id=9, contact_id=None, attempt_id="", body={})
    happening = Happening(event=event, campaign=None, contact=None, cdr=None)
    assert list(WORDS[Form.WEBITEL](HOOK, happening)) == []
