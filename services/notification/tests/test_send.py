"""Sending: once for each order and type; what can't be sent is a business no, never a reason to roll back.

What the test provider promises, a mail server and a webhook promise too: each claim is tried with all three.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from common.settings import ServiceSettings
from services.notification.main import build
from services.notification.settings import NotificationSettings
from services.notification.tests.client import NotificationClient
from services.notification.tests.mailserver import HOST, mail_server
from services.notification.tests.receiver import KEY, PATH, receiving, secret_of
from tests.support.service_client import replicas_of


@pytest.fixture(scope="module", params=["test", "smtp", "webhook"])
async def notifications(
    request: pytest.FixtureRequest, settings: ServiceSettings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[NotificationClient]:
    """The service with this provider. At bounce.example nobody exists, wherever one asks."""
    given: dict[str, Any] = {"notification_provider": request.param}
    sent: Callable[[str], int] | None = None
    async with AsyncExitStack() as stack:
        if request.param == "smtp":
            server = stack.enter_context(mail_server(tls="none"))
            server.gone = "@bounce.example"
            sent = server.sent
            given |= {"smtp_host": HOST, "smtp_port": server.port, "smtp_tls": "none", "mail_from": "a@shop.example"}
        if request.param == "webhook":
            receiver = await stack.enter_async_context(receiving())
            receiver.gone = "@bounce.example"
            sent = receiver.sent
            secret = tmp_path_factory.mktemp("hook") / "secret"
            secret.write_text(secret_of(KEY))
            given |= {"webhook_url": f"http://127.0.0.1:{receiver.port}{PATH}", "webhook_secret_file": secret}
        apps = replicas_of(build, NotificationSettings(**settings.model_dump() | given))
        clients, app = await stack.enter_async_context(apps)
        client = NotificationClient(clients, app.database, sent=sent)
        await client.put_contact("c-17", "c17@example.com")
        yield client


async def test_a_notification_has_the_shape_of_the_design(notifications: NotificationClient, order_id: str) -> None:
    answer = await notifications.send(order_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "notification_id": f"ntf-{order_id}-order_confirmed",
        "order_id": order_id,
        "customer_id": "c-17",
        "notification_type": "order_confirmed",
        "channel": "email",
        "status": "sent",
        "reason": None,
    }
    assert (await notifications.notification(order_id)).json() == answer.json()
    assert (await notifications.send(order_id)).json() == answer.json()
    assert await notifications.messages(order_id) == 1


async def test_the_record_says_which_provider_sent_it(
    notifications: NotificationClient, order_id: str, request: pytest.FixtureRequest
) -> None:
    await notifications.send(order_id)
    provider = request.node.callspec.params["notifications"]
    assert await notifications.database["notifications"].count({"order_id": order_id, "delivered_by": provider}) == 1


async def test_a_contact_that_bounces_is_refused_for_good(notifications: NotificationClient, order_id: str) -> None:
    await notifications.put_contact("c-gone", "gone@bounce.example")
    answer = await notifications.send(order_id, "c-gone")
    assert (answer.status_code, answer.json()["code"]) == (409, "bounced")
    shown = (await notifications.notification(order_id)).json()
    assert (shown["status"], shown["reason"]) == ("failed", "bounced")
    await notifications.put_contact("c-gone", "here@example.com")
    assert (await notifications.send(order_id, "c-gone")).json() == answer.json()
    assert await notifications.messages(order_id) == 0


async def test_an_unknown_contact_is_a_refusal_and_not_a_404(notifications: NotificationClient, order_id: str) -> None:
    answer = await notifications.send(order_id, "c-unknown")
    assert (answer.status_code, answer.json()["code"]) == (409, "contact_unknown")
    assert (await notifications.notification(order_id)).json()["reason"] == "contact_unknown"
    assert await notifications.messages(order_id) == 0


async def test_each_type_is_a_message_of_its_own(notifications: NotificationClient, order_id: str) -> None:
    await notifications.send(order_id)
    assert (await notifications.send(order_id, notification_type="order_cancelled")).status_code == 200
    assert await notifications.messages(order_id) == 2


async def test_nothing_personal_is_logged(
    notifications: NotificationClient, order_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    await notifications.put_contact("c-shy", "very.shy@example.com")
    with caplog.at_level(logging.DEBUG):
        await notifications.send(order_id, "c-shy")
    assert order_id in caplog.text
    assert "very.shy" not in caplog.text + "".join(str(vars(record)) for record in caplog.records)


async def test_a_message_that_was_sent_cannot_be_cancelled(notifications: NotificationClient, order_id: str) -> None:
    sent = await notifications.send(order_id)
    answer = await notifications.cancel(order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_sent")
    assert (await notifications.send(order_id)).json() == sent.json(), "the attempt left nothing behind"


async def test_a_message_cancelled_in_time_is_never_sent(notifications: NotificationClient, order_id: str) -> None:
    answer = await notifications.cancel(order_id)
    assert (answer.status_code, answer.json()) == (200, {"order_id": order_id, "effect": "none"})
    assert (await notifications.send(order_id)).json()["code"] == "compensated"
    assert (await notifications.notification(order_id)).status_code == 404
    assert await notifications.messages(order_id) == 0


async def test_a_failed_message_can_be_cancelled(notifications: NotificationClient, order_id: str) -> None:
    await notifications.send(order_id, "c-unknown")
    answer = await notifications.cancel(order_id)
    assert (answer.status_code, answer.json()["effect"], answer.json()["status"]) == (200, "none", "failed")


@pytest.mark.parametrize(
    "change",
    [
        {"notification_type": "gossip"},
        {"items": []},
        {"items": [{"product_id": "p-mug", "quantity": 0}]},
        {"items": [{"product_id": "p-mug", "quantity": 1, "colour": "red"}]},
        {"total_minor": "2500"},
        {"contact_ref": "c17@example.com"},
    ],
    ids=str,
)
async def test_what_cannot_be_right_is_invalid(
    notifications: NotificationClient, order_id: str, change: dict[str, object]
) -> None:
    answer = await notifications.send(order_id, **change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text


async def test_a_list_is_filtered_and_sorted(notifications: NotificationClient, order_id: str) -> None:
    for n in range(3):
        await notifications.send(f"{order_id}-{n}", "c-17" if n else "c-unknown", customer_id=order_id)
    await notifications.cancel(f"{order_id}-3")  # a tombstone

    async def listed(**query: object) -> list[str]:
        page = (await notifications.call("GET", "", params={"customer_id": order_id, **query})).json()
        assert page["total"] == len(page["items"])
        return [item["order_id"] for item in page["items"]]

    assert await listed() == [f"{order_id}-{n}" for n in range(3)]
    assert await listed(status="failed") == [f"{order_id}-0"]
    assert await listed(order_id=f"{order_id}-2") == [f"{order_id}-2"]
    assert await listed(notification_type="order_cancelled") == []
