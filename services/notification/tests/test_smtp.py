"""Messages over SMTP, to a real mail server on real sockets: what goes, what goes once, what waits, what is refused."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from common.settings import ServiceSettings
from services.notification.main import build
from services.notification.settings import NotificationSettings
from services.notification.tests.client import NotificationClient
from services.notification.tests.mailserver import HOST, PASSWORD, USER, MailServer, mail_server, pem_of
from tests.support.service_client import replicas_of

Served = Callable[..., AbstractAsyncContextManager[NotificationClient]]
NOBODYS = "very.shy@example.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[MailServer]:
    """It wants STARTTLS and a password."""
    with mail_server(authority.issue_cert(HOST), passwords={PASSWORD}) as served:
        yield served


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> dict[str, Any]:
    """The settings that name files."""
    (tmp_path / "user").write_text(f"{USER}\n")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return {
        "notification_ca_file": pem_of(authority, tmp_path),
        "smtp_user_file": tmp_path / "user",
        "smtp_password_file": tmp_path / "password",
    }


@pytest.fixture
def served(settings: ServiceSettings, server: MailServer, files: dict[str, Any]) -> Served:
    """The service, with this server and what a test changes."""

    @asynccontextmanager
    async def serve(**more: Any) -> AsyncIterator[NotificationClient]:
        given = {
            "notification_provider": "smtp",
            "mail_from": "orders@shop.example",
            "mail_from_name": "Müller & Söhne, Versand",
            "smtp_host": HOST,
            "smtp_port": server.port,
            "smtp_timeout_seconds": 2.0,
            **files,
            **more,
        }
        async with replicas_of(build, NotificationSettings(**settings.model_dump() | given)) as (clients, app):
            client = NotificationClient(clients, app.database)
            await client.put_contact("c-shy", NOBODYS)
            yield client

    return serve


async def metric(client: NotificationClient, outcome: str) -> float:
    text = (await client.page("/metrics")).text
    name = f'ordersaga_messages_total{{outcome="{outcome}",provider="smtp",service="notification"}} '
    return next(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


async def test_a_message_arrives_once_however_often_it_is_asked_for(
    served: Served, server: MailServer, order_id: str
) -> None:
    async with served() as notifications:
        assert (await notifications.ready()).status_code == 200
        answers = [await notifications.send(order_id, "c-shy") for _ in range(3)]
        assert {(each.status_code, each.json()["status"]) for each in answers} == {(200, "sent")}
        assert await metric(notifications, "sent") == 1
    (mail,) = server.mails
    assert server.envelopes == [("orders@shop.example", [NOBODYS])]
    assert server.encrypted == [True]
    assert mail["From"] == '"Müller & Söhne, Versand" <orders@shop.example>'
    assert mail["To"] == NOBODYS
    assert mail["Subject"] == f"Your order {order_id} is confirmed"
    assert mail["Message-ID"] == f"<ntf-{order_id}-order_confirmed.shop@shop.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == (
        f"Thank you for your order {order_id}. It is confirmed, and we are preparing it.\n\n"
        "  2 x p-mug\n\nTotal: €25.00\n"
    )
    assert server.raw[0].isascii(), "no server has to know more than SMTP of 1982"


async def test_a_cancellation_in_the_contacts_language_says_why_and_what_became_of_the_money(
    served: Served, server: MailServer, order_id: str
) -> None:
    async with served() as notifications:
        await notifications.call("PUT", "/contacts/c-de", json={"email": NOBODYS, "locale": "de-AT"})
        more = {"reason": "card_declined", "payment": "not_charged"}
        items = [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 61_728}]
        sent = await notifications.send(
            order_id, "c-de", notification_type="order_cancelled", total_minor=123_456, items=items, **more
        )
        assert sent.status_code == 200
        other = {"reason": "order_already_cancelled", "payment": "not_charged"}
        again = await notifications.send(
            order_id, "c-de", notification_type="order_cancelled", total_minor=123_456, items=items, **other
        )
        assert again.json() == sent.json(), "the first reason stays"
    (mail,) = server.mails
    assert (mail["Subject"], mail["Content-Language"]) == (f"Ihre Bestellung {order_id} ist storniert", "de")
    assert mail.get_content().replace("\r\n", "\n") == (
        f"Ihre Bestellung {order_id} ist storniert. Ihre Karte wurde abgelehnt. Bestellen Sie gern noch einmal mit "
        "einem anderen Zahlungsmittel.\n\nIhnen wurde nichts berechnet.\n\nDas hatten Sie bestellt:\n\n"
        "  2 x p-mug zu je 617,28\u00a0€: 1.234,56\u00a0€\n\nSumme: 1.234,56\u00a0€\n"
    )


@pytest.mark.parametrize("data", ["drop", "hang"])
async def test_a_server_that_delivers_and_is_too_slow_to_say_so_gives_nobody_the_same_mail_all_day(
    served: Served, server: MailServer, order_id: str, data: str
) -> None:
    server.data = data
    async with served(smtp_timeout_seconds=0.5) as notifications:
        for _ in range(6):
            assert (await notifications.send(order_id, "c-shy")).status_code == 503
        assert server.sent(order_id) == 2
        server.data = "take"
        assert (await notifications.send(f"{order_id}-2", "c-shy")).status_code == 200, "of this message alone"


@pytest.mark.parametrize("data", ["drop", "hang"])
async def test_after_a_lost_answer_it_goes_again_under_the_same_message_id(
    served: Served, server: MailServer, order_id: str, data: str
) -> None:
    server.data = data
    async with served(smtp_timeout_seconds=0.5) as notifications:
        lost = await notifications.send(order_id, "c-shy")
        assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
        assert await metric(notifications, "unknown") == 1
        cancelled = await notifications.cancel(order_id)
        assert (cancelled.status_code, cancelled.json()["code"]) == (409, "already_sent"), "it may have gone"
    server.data = "take"
    async with served() as notifications:
        again = f"{order_id}-2"
        server.data = data
        async with served(smtp_timeout_seconds=0.5) as impatient:
            assert (await impatient.send(again, "c-shy")).status_code == 503
        server.data = "take"
        assert (await notifications.send(again, "c-shy")).status_code == 200
        assert (await notifications.send(again, "c-shy")).status_code == 200
    first, *others = (mail["Message-ID"] for mail in server.mails if again in mail["Message-ID"])
    assert others == [first], "at least once, and honestly so"


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("RCPT", "550 5.1.1 <%>: Recipient address rejected: User unknown"),
        ("RCPT", "550 no such user here"),
        ("RCPT", "553 sorry, no mailbox here by that name (#5.1.1)"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("DATA", "550 5.1.1 no such user"),
    ],
)
async def test_a_recipient_that_doesnt_exist_is_refused_for_good(
    served: Served, server: MailServer, order_id: str, hook: str, answer: str
) -> None:
    server.answers[hook] = answer
    async with served() as notifications:
        refused = await notifications.send(order_id, "c-shy")
        assert (refused.status_code, refused.json()["code"]) == (409, "bounced")
        assert NOBODYS not in refused.text
        shown = (await notifications.notification(order_id)).json()
        assert (shown["status"], shown["reason"]) == ("failed", "bounced")
        server.answers.clear()
        assert (await notifications.send(order_id, "c-shy")).json() == refused.json()
    assert server.mails == []


@pytest.mark.parametrize(
    ("hook", "answer", "outcome"),
    [
        ("MAIL", "421 4.3.2 closing for now", "unavailable"),
        ("RCPT", "450 4.2.0 <%>: Recipient address rejected: Greylisted", "unavailable"),
        ("DATA", "451 4.3.0 queue full", "unavailable"),
        ("MAIL", "550 5.7.1 orders@shop.example may not send here", "misconfigured"),
        ("RCPT", "550 relay not permitted", "misconfigured"),
        ("RCPT", "554 5.7.1 <%>: Relay access denied", "misconfigured"),
        ("DATA", "554 5.7.1 this looks like spam to <very.shy@example.com>", "misconfigured"),
        ("DATA", "550 blocked by policy", "misconfigured"),
        ("RCPT", "554 5.7.1 the mailbox very.shy takes no such mail", "misconfigured"),
    ],
)
async def test_a_no_that_isnt_the_recipients_loses_no_message(  # noqa: PLR0917
    served: Served,
    server: MailServer,
    order_id: str,
    caplog: pytest.LogCaptureFixture,
    hook: str,
    answer: str,
    outcome: str,
) -> None:
    server.answers[hook] = answer
    async with served() as notifications:
        with caplog.at_level(logging.DEBUG):
            later = await notifications.send(order_id, "c-shy")
        assert (later.status_code, later.json()["code"]) == (503, "unavailable")
        assert int(later.headers["Retry-After"]) >= 5
        assert await metric(notifications, outcome) == 1
        assert ("messages wait for a person" in caplog.text) is (outcome == "misconfigured")
        assert "very.shy" not in caplog.text + later.text + str([vars(each) for each in caplog.records])
        server.answers.clear()
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
    assert len(server.mails) == 1


async def test_a_message_that_waits_can_be_given_up_by_a_person(
    served: Served, server: MailServer, order_id: str
) -> None:
    server.answers["RCPT"] = "550 5.7.1 your network is blocked"
    async with served() as notifications:
        assert (await notifications.send(order_id, "c-shy")).status_code == 503
        cancelled = await notifications.cancel(order_id)
        assert (cancelled.status_code, cancelled.json()["effect"]) == (200, "none")
        refused = await notifications.send(order_id, "c-shy")
        assert (refused.status_code, refused.json()["code"]) == (409, "compensated"), "the saga is completed"
    assert server.mails == []


async def test_a_wrong_password_holds_the_message_until_the_file_has_the_right_one(
    served: Served,
    server: MailServer,
    order_id: str,
    files: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    files["smtp_password_file"].write_text("wrong horse")
    async with served() as notifications:
        with caplog.at_level(logging.DEBUG):
            held = await notifications.send(order_id, "c-shy")
        assert (held.status_code, held.headers["Retry-After"]) == (503, "10")
        assert "535 5.7.8" in held.json()["detail"]
        assert await metric(notifications, "misconfigured") == 1
        files["smtp_password_file"].write_text(PASSWORD)
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
        server.passwords = {"staple"}
        files["smtp_password_file"].write_text("staple")
        assert (await notifications.send(f"{order_id}-2", "c-shy")).status_code == 200, "rotated on both sides"
    assert len(server.mails) == 2
    assert "horse" not in caplog.text + held.text
    assert "messages wait for a person" in caplog.text


async def test_a_server_of_another_authority_gets_nothing_until_its_authority_is_trusted(
    served: Served, server: MailServer, order_id: str, files: dict[str, Any], authority: trustme.CA
) -> None:
    trustme.CA().cert_pem.write_to_path(str(files["notification_ca_file"]))
    async with served() as notifications:
        held = await notifications.send(order_id, "c-shy")
        assert held.status_code == 503
        assert "ORDERSAGA_NOTIFICATION_CA_FILE" in held.json()["detail"]
        assert "MAIL" not in server.said
        authority.cert_pem.write_to_path(str(files["notification_ca_file"]))
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
    assert len(server.mails) == 1


async def test_a_server_without_starttls_gets_neither_password_nor_message(
    served: Served, server: MailServer, order_id: str
) -> None:
    with mail_server(tls="none", passwords={PASSWORD}) as plain:
        async with served(smtp_port=plain.port) as notifications:
            held = await notifications.send(order_id, "c-shy")
            assert held.status_code == 503
            assert "doesn't offer STARTTLS" in held.json()["detail"]
            assert await metric(notifications, "misconfigured") == 1
    assert not {"AUTH", "MAIL"} & set(plain.said)


async def test_without_tls_a_message_goes_only_where_that_was_said(
    served: Served, order_id: str, files: dict[str, Any]
) -> None:
    with mail_server(tls="none") as plain:
        async with served(smtp_port=plain.port, smtp_tls="none", smtp_user_file=None, smtp_password_file=None) as told:
            assert (await told.send(order_id, "c-shy")).status_code == 200
    assert plain.encrypted == [False]


async def test_a_server_that_nobody_signs_in_to_gets_no_message_with_a_user(
    served: Served, order_id: str, authority: trustme.CA
) -> None:
    with mail_server(authority.issue_cert(HOST)) as open_to_all:
        async with served(smtp_port=open_to_all.port) as notifications:
            held = await notifications.send(order_id, "c-shy")
            assert held.status_code == 503
            assert "sign in" in held.json()["detail"]
    assert open_to_all.mails == []


async def test_tls_from_the_start(served: Served, order_id: str, authority: trustme.CA) -> None:
    with mail_server(authority.issue_cert(HOST), tls="tls", passwords={PASSWORD}) as encrypted:
        async with served(smtp_port=encrypted.port, smtp_tls="tls") as notifications:
            sent = await notifications.send(order_id, "c-shy")
            assert sent.status_code == 200, sent.text
    assert len(encrypted.mails) == 1


async def test_nobody_else_waits_for_a_server_that_greets_late(
    served: Served, server: MailServer, order_id: str
) -> None:
    server.greeting_after = 30
    async with served(smtp_timeout_seconds=0.6, smtp_connections=2) as notifications:
        waiting = [asyncio.create_task(notifications.send(f"{order_id}-{n}", "c-shy")) for n in range(6)]
        await asyncio.sleep(0.1)
        started = asyncio.get_running_loop().time()
        assert (await notifications.contact("c-shy")).status_code == 200
        assert asyncio.get_running_loop().time() - started < 0.4
        assert {each.status_code for each in await asyncio.gather(*waiting)} == {503}
        assert await metric(notifications, "unavailable") == 6


async def test_connections_are_bounded_and_used_again(served: Served, server: MailServer, order_id: str) -> None:
    server.seconds = 0.02
    async with served(smtp_connections=3) as notifications:
        sent = await asyncio.gather(*(notifications.send(f"{order_id}-{n}", "c-shy") for n in range(12)))
        assert {each.status_code for each in sent} == {200}
    assert len({mail["Message-ID"] for mail in server.mails}) == len(server.mails) == 12
    assert server.most == server.connections == 3


async def test_a_connection_that_the_server_has_closed_costs_no_message(
    served: Served, server: MailServer, order_id: str, authority: trustme.CA
) -> None:
    async with served() as notifications:
        assert (await notifications.send(order_id, "c-shy")).status_code == 200
        server.hang_up()
        assert (await notifications.send(f"{order_id}-2", "c-shy")).status_code == 200
    assert len(server.mails) == 2
    assert server.connections == 2


@pytest.mark.parametrize("email", ["jörg@example.com", "o'brien+x@example.com"])
async def test_addresses_are_written_as_they_are(served: Served, server: MailServer, order_id: str, email: str) -> None:
    async with served() as notifications:
        await notifications.put_contact("c-odd", email)
        assert (await notifications.send(order_id, "c-odd")).status_code == 200
    assert server.envelopes == [("orders@shop.example", [email])]
    assert server.mails[0]["To"] == email


@pytest.mark.parametrize("email", ["a>,<b@example.com", '"a"@example.com', "a\x00b@example.com", "a\x7f@example.com"])
async def test_what_only_looks_like_an_address_reaches_no_server(
    served: Served, server: MailServer, order_id: str, email: str
) -> None:
    async with served() as notifications:
        if (await notifications.put_contact("c-odd", email)).status_code == 422:
            return
        refused = await notifications.send(order_id, "c-odd")
        assert (refused.status_code, refused.json()["code"]) == (409, "bounced")
    assert server.said == []
