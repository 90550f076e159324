"""Messages to a webhook, a real server on real sockets: signed, repeatable, and judged by their answers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from common.settings import ServiceSettings
from services.notification.delivery.webhook import signature
from services.notification.main import build
from services.notification.settings import NotificationSettings
from services.notification.tests.client import NotificationClient
from services.notification.tests.receiver import KEY, PATH, Receiver, receiving, secret_of
from tests.support.service_client import replicas_of

Served = Callable[..., AbstractAsyncContextManager[NotificationClient]]
NOBODYS = "very.shy@example.com"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(secret_of(KEY))
    return file


@pytest.fixture
def served(settings: ServiceSettings, receiver: Receiver, secret: Path) -> Served:
    @asynccontextmanager
    async def serve(**more: Any) -> AsyncIterator[NotificationClient]:
        given = {
            "notification_provider": "webhook",
            "webhook_url": f"http://127.0.0.1:{receiver.port}{PATH}",
            "webhook_secret_file": secret,
            **more,
        }
        async with replicas_of(build, NotificationSettings(**settings.model_dump() | given)) as (clients, app):
            client = NotificationClient(clients, app.database)
            await client.put_contact("c-shy", NOBODYS)
            yield client

    return serve


def test_a_signature_is_the_one_that_their_own_library_makes() -> None:
    made_by_standardwebhooks = "v1,Hr9fMb/sX3bEMrIvPdnhs0YIQq1M5CDMvOehS+JivKk="
    found = signature(KEY, "shop:ntf-o-1001-order_confirmed", "1767225600", b'{"test":1}')
    assert found == made_by_standardwebhooks


async def test_a_message_is_posted_once_and_its_signature_holds_for_the_bytes_that_came(
    served: Served, receiver: Receiver, order_id: str
) -> None:
    async with served() as notifications:
        assert (await notifications.ready()).status_code == 200
        for _ in range(3):
            assert (await notifications.send(order_id, "c-shy")).status_code == 200
    ((headers, body),) = receiver.got
    assert headers["webhook-id"] == f"shop:ntf-{order_id}-order_confirmed"
    signed = signature(KEY, headers["webhook-id"], headers["webhook-timestamp"], body)
    assert headers["webhook-signature"] == signed
    assert headers["content-type"] == "application/json"
    posted = json.loads(body)
    assert posted.pop("text").startswith(f"Thank you for your order {order_id}.")
    assert posted == {
        "message_id": f"ntf-{order_id}-order_confirmed",
        "type": "order_confirmed",
        "order_id": order_id,
        "to": NOBODYS,
        "subject": f"Your order {order_id} is confirmed",
        "locale": "en",
    }


@pytest.mark.parametrize("status", [404, 410, 422])
async def test_a_recipient_that_doesnt_exist_is_refused_for_good(
    served: Served, receiver: Receiver, order_id: str, status: int
) -> None:
    receiver.answer = lambda: web.json_response({"code": "bounced"}, status=status)
    async with served() as notifications:
        refused = await notifications.send(order_id, "c-shy")
        assert (refused.status_code, refused.json()["code"]) == (409, "bounced")
        assert (await notifications.notification(order_id)).json()["reason"] == "bounced"


ANSWERS: list[tuple[Callable[[], web.Response], str, bool]] = [
    (lambda: web.Response(status=404, text="no such page"), "404", True),
    (lambda: web.json_response({"code": "invalid"}, status=422), "422", True),
    (lambda: web.Response(status=401), "401", True),
    (lambda: web.Response(status=307, headers={"Location": "/elsewhere"}), "redirects aren't followed", True),
    (lambda: web.Response(status=429, headers={"Retry-After": "9"}), "429", False),
    (lambda: web.Response(status=502), "no answer", False),
    (lambda: web.Response(status=410, text="[" * 100_000), "no answer", False),
]


@pytest.mark.parametrize(("answer", "said", "is_ours"), ANSWERS, ids=[each[1] for each in ANSWERS])
async def test_any_other_no_loses_no_message(  # noqa: PLR0917
    served: Served,
    receiver: Receiver,
    order_id: str,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[], web.Response],
    said: str,
    is_ours: bool,
) -> None:
    receiver.answer = answer
    async with served() as notifications:
        with caplog.at_level(logging.DEBUG):
            later = await notifications.send(order_id, "c-shy")
        assert later.status_code == 503
        assert said in later.json()["detail"]
        assert ("messages wait for a person" in caplog.text) is is_ours
        assert later.headers["Retry-After"] == ("10" if is_ours else "9" if said == "429" else "1")
        for secret in ("very.shy", PATH):
            assert secret not in caplog.text + later.text
        receiver.answer = lambda: web.Response(status=200)
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


async def test_after_a_lost_answer_it_is_posted_again_under_the_same_id(
    served: Served, receiver: Receiver, order_id: str
) -> None:
    receiver.seconds = 5
    async with served(webhook_timeout_seconds=0.3) as notifications:
        assert (await notifications.send(order_id, "c-shy")).status_code == 503
        receiver.seconds = 0
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
    first, second = (headers["webhook-id"] for headers, _ in receiver.got)
    assert first == second


async def test_a_post_that_is_under_way_when_the_process_ends_is_answered_first(
    served: Served, receiver: Receiver, order_id: str
) -> None:
    receiver.seconds = 0.4
    async with served() as notifications:
        caller = asyncio.create_task(notifications.send(order_id, "c-shy"))
        await receiver.reached.wait()
        caller.cancel()  # it has hung up, and what it asked for goes on
    async with served() as notifications:
        assert (await notifications.notification(order_id)).json()["status"] == "sent"
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
    assert len(receiver.got) == 1


async def test_a_secret_that_is_rotated_counts_from_the_next_message_on(
    served: Served, receiver: Receiver, order_id: str, secret: Path
) -> None:
    new = b"76543210fedcba9876543210"
    async with served() as notifications:
        await asyncio.to_thread(secret.write_text, "whsec_short")
        held = await notifications.send(order_id, "c-shy")
        assert held.status_code == 503
        assert "whsec_short" not in held.text
        ready = await notifications.ready()
        assert ready.status_code == 503
        assert "ORDERSAGA_WEBHOOK_SECRET_FILE" in ready.json()["detail"]
        await asyncio.to_thread(secret.write_text, secret_of(new))
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
        assert (await notifications.ready()).status_code == 200
    ((headers, body),) = receiver.got
    signed = signature(new, headers["webhook-id"], headers["webhook-timestamp"], body)
    assert headers["webhook-signature"] == signed
