"""``astdialer webhook``."""

import base64
import uuid
from typing import Any

import pytest
from cli_hands import clock, done, failed, in_store, shown, told

from astdialer.domain.hooks import Form, Webhook
from astdialer.ports import Delivery, Tried
from astdialer.store import SqliteStore

URL = "https://crm.example/hooks"


def made(*words: str) -> Any:
    return shown("webhook", "create", URL, *words)


def queue(webhook_id: str, *states: str) -> list[str]:
    """Messages to a webhook in these states; their ids."""

    async def put(store: SqliteStore) -> list[str]:
        now = clock.now()
        begun = await store.followed_to("webhooks")
        messages = [
            Delivery(
                id=str(uuid.uuid4()),
                webhook_id=webhook_id,
                event_id=begun + n,
                kind="attempt.closed",
                body="{}",
                created_at=now - 1000 + n,
                retry_at=now,
            )
            for n in range(1, len(states) + 1)
        ]
        await store.queue_deliveries("webhooks", begun + len(states), messages)
        tries = [
            Tried(id=m.id, created_at=m.created_at, state=state, status=500, error="down")
            for m, state in zip(messages, states, strict=True)
            if state != "pending"
        ]
        await store.note_tries(tries)
        return [message.id for message in messages]

    return in_store(put)


def test_a_webhook_is_made_and_its_secret_shown() -> None:
    result = done("webhook", "create", URL, "--event", "attempt.closed", "--event", "contact.*")
    secret = result.stdout.strip()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert "is told of attempt.closed, contact.*" in result.stderr
    (row,) = shown("webhook", "list")
    assert (row["url"], row["events"], row["form"], row["enabled"], row["campaign"]) == (
        URL,
        ["attempt.closed", "contact.*"],
        "native",
        True,
        None,
    )
    assert secret not in done("webhook", "list").stdout
    assert "secret" not in row


def test_a_webhook_may_be_of_one_campaign_in_other_words_and_with_a_secret_of_ones_own() -> None:
    done("campaign", "create", "demo")
    secret = "whsec_" + base64.b64encode(b"x" * 24).decode()
    found = made(
        "--campaign", "demo", "--form", "twin24", "--event", "CALL_ENDED", "--secret", secret, "--option", "a=b"
    )
    assert (found["secret"], found["form"], found["options"], found["events"]) == (
        secret,
        "twin24",
        {"a": "b"},
        ["CALL_ENDED"],
    )
    (row,) = shown("webhook", "list")
    assert row["campaign"] == "demo"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((URL, "--campaign", "nobody"), "no campaign 'nobody'"),
        ((URL, "--event", "attempt.closd"), "events = 'attempt.closd'"),
        ((URL, "--secret", "x"), "secret = '********'"),
        ((URL, "--option", "delay_s=soon"), "delay_s = 'soon'"),
        (("ftp://crm.example",), "url = 'ftp://crm.example'"),
        (("https://user:pass@crm.example",), "without name and password"),
    ],
)
def test_a_webhook_that_cannot_be_is_a_sentence(words: tuple[str, ...], said: str) -> None:
    assert said in failed("webhook", "create", *words)
    assert shown("webhook", "list") == []


def test_what_is_unknown_is_wrong_usage() -> None:
    failed("webhook", "create", URL, "--form", "morse", code=2)
    failed("webhook", "create", URL, "--option", "a", code=2)


def test_a_webhook_is_disabled_enabled_and_removed() -> None:
    webhook_id = made()["id"]
    assert told("webhook", "disable", webhook_id) == f"{webhook_id} is not sent to\n"
    assert [row["enabled"] for row in shown("webhook", "list")] == [False]
    assert told("webhook", "enable", webhook_id) == f"{webhook_id} is sent to\n"
    assert [row["enabled"] for row in shown("webhook", "list")] == [True]
    queue(webhook_id, "pending", "dead")
    assert told("webhook", "remove", webhook_id) == f"{webhook_id} is removed\n"
    assert shown("webhook", "list") == []
    assert shown("webhook", "deliveries") == []


@pytest.mark.parametrize("command", ["enable", "disable", "remove"])
def test_a_webhook_that_is_not_there_is_a_sentence(command: str) -> None:
    assert "see astdialer webhook list" in failed("webhook", command, "nobody")


def test_messages_are_listed_and_filtered() -> None:
    one, two = made()["id"], made()["id"]
    queue(one, "pending", "dead", "delivered")
    queue(two, "dead")
    rows = shown("webhook", "deliveries")
    assert [row["state"] for row in rows] == ["dead", "delivered", "dead", "pending"]
    assert (rows[0]["error"], rows[0]["status"], rows[0]["tries"], rows[0]["event"], rows[0]["next_try"]) == (
        "down",
        500,
        1,
        "attempt.closed",
        None,
    )
    assert rows[-1]["next_try"]
    assert len(shown("webhook", "deliveries", "--webhook", one)) == 3
    assert len(shown("webhook", "deliveries", "--state", "dead")) == 2
    assert len(shown("webhook", "deliveries", "--state", "dead", "--webhook", two)) == 1
    assert len(shown("webhook", "deliveries", "--limit", "2")) == 2
    assert "see astdialer webhook list" in failed("webhook", "deliveries", "--webhook", "nobody")
    failed("webhook", "deliveries", "--limit", "0", code=2)


def test_messages_are_sent_again_by_their_ids() -> None:
    ids = queue(made()["id"], "pending", "dead", "delivered")
    said = told("webhook", "resend", *ids, "nobody's")
    assert said == "2 sent again, 2 not: they wait to be sent, or are not there\n"
    assert [row["state"] for row in shown("webhook", "deliveries")] == ["pending"] * 3
    assert {row["id"] for row in shown("webhook", "deliveries")} == set(ids)


def test_all_dead_ones_are_sent_again() -> None:
    one, two = made()["id"], made()["id"]
    queue(one, "dead", "delivered", "dead")
    queue(two, "dead")
    assert told("webhook", "resend", "--dead", "--webhook", two) == "1 sent again\n"
    assert told("webhook", "resend", "--dead") == "2 sent again\n"
    assert told("webhook", "resend", "--dead") == "0 sent again\n"
    assert "see astdialer webhook list" in failed("webhook", "resend", "--dead", "--webhook", "nobody")


@pytest.mark.parametrize("words", [(), ("x", "--dead"), ("x", "--webhook", "y"), ("--webhook", "y")])
def test_it_is_said_which_to_send_again(words: tuple[str, ...]) -> None:
    assert "expected either DELIVERY ids or --dead" in failed("webhook", "resend", *words, code=2)


def test_a_webhook_keeps_its_form_in_the_store() -> None:
    made("--form", "webitel")

    async def read(store: SqliteStore) -> list[Webhook]:
        return list(await store.webhooks())

    (found,) = in_store(read)
    assert found.form is Form.WEBITEL
