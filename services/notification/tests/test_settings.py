"""Settings that no message can be delivered with: a sentence says so at the start and in /ready, and what to do."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.settings import ServiceSettings
from services.notification.delivery.choice import why_not
from services.notification.main import build
from services.notification.settings import NotificationSettings
from services.notification.tests.client import NotificationClient
from tests.support.service_client import replicas_of

SMTP = {"notification_provider": "smtp", "smtp_host": "mx.example", "mail_from": "orders@shop.example"}
HOOK = {
    "notification_provider": "webhook",
    "webhook_url": "https://hooks.example/x",
    "webhook_secret_file": Path("/secret"),
}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({**SMTP, "smtp_host": ""}, "ORDERSAGA_SMTP_HOST"),
        ({**SMTP, "mail_from": ""}, "ORDERSAGA_MAIL_FROM"),
        ({**SMTP, "mail_from": "orders"}, "ORDERSAGA_MAIL_FROM"),
        ({**SMTP, "mail_from": "Shop <orders@shop.example>"}, "ORDERSAGA_MAIL_FROM"),
        ({**SMTP, "mail_from_name": "Shop\r\nBcc: a@b.example"}, "ORDERSAGA_MAIL_FROM_NAME"),
        ({**SMTP, "smtp_user_file": Path("/user")}, "ORDERSAGA_SMTP_PASSWORD_FILE"),
        (
            {**SMTP, "smtp_tls": "none", "smtp_user_file": Path("/user"), "smtp_password_file": Path("/password")},
            "ORDERSAGA_SMTP_TLS",
        ),
        ({**HOOK, "webhook_url": ""}, "ORDERSAGA_WEBHOOK_URL"),
        ({**HOOK, "webhook_url": "http://hooks.example/x"}, "https"),
        ({**HOOK, "webhook_url": "https://[broken"}, "ORDERSAGA_WEBHOOK_URL"),
        ({**HOOK, "webhook_secret_file": None}, "ORDERSAGA_WEBHOOK_SECRET_FILE"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_a_sentence_names_the_setting_and_what_to_do(given: dict[str, Any], names: str) -> None:
    why = why_not(NotificationSettings(**given))
    assert why is not None
    assert why.startswith(f"ORDERSAGA_NOTIFICATION_PROVIDER is {given['notification_provider']}: ")
    assert names in why


@pytest.mark.parametrize("given", [{}, SMTP, HOOK, {**HOOK, "webhook_url": "http://127.0.0.1:1/x"}], ids=str)
def test_these_will_do(given: dict[str, Any]) -> None:
    assert why_not(NotificationSettings(**given)) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**SMTP, "smtp_host": ""}, "set ORDERSAGA_SMTP_HOST to the mail server"),
        (
            {**SMTP, "smtp_user_file": Path("/nowhere/user"), "smtp_password_file": Path("/nowhere/password")},
            "/nowhere/user can't be read",
        ),
        ({"messages": Path("/nowhere")}, "the messages to customers can't be used: /nowhere has no en.toml"),
    ],
    ids=["setting", "file", "messages"],
)
async def test_it_is_told_at_the_start_and_by_ready_and_messages_wait(
    settings: ServiceSettings, order_id: str, caplog: pytest.LogCaptureFixture, given: dict[str, Any], said: str
) -> None:
    more = {**settings.model_dump(), **given}
    async with replicas_of(build, NotificationSettings(**more)) as (clients, app):
        notifications = NotificationClient(clients, app.database)
        assert said in next(each.getMessage() for each in caplog.records if each.levelno == logging.ERROR)
        ready = await notifications.ready()
        assert (ready.status_code, said in ready.json()["detail"]) == (503, True)
        await notifications.put_contact("c-17", "c17@example.com")
        held = await notifications.send(order_id)
        assert (held.status_code, held.json()["code"]) == (503, "unavailable")


def test_what_isnt_chosen_isnt_imported() -> None:
    look = "import sys, services.notification.main; print('aiosmtplib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
