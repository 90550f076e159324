"""What is told of orders doesn't arrive, and a real Prometheus says so until it does."""

import json
from pathlib import Path

import pytest
import trustme

from dev.stack.waiting import wait_until
from services.notification.tests.mailserver import HOST, PASSWORD, USER, mail_server, pem_of
from tests.e2e.alerts.people import changed, saga
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import Stack
from tests.e2e.test_told import messages
from tests.support.event_sink import SECRET, ScriptedSink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_sink_of_events_that_is_away(seen: Prometheus, stack: Stack, tmp_path: Path) -> None:
    sink, secret, order_id = ScriptedSink(), tmp_path / "secret", stack.new_id("untold")
    secret.write_text(SECRET)
    try:
        with changed(stack, stack.operator, ORDERSAGA_EVENTS_SINK=sink.url, ORDERSAGA_EVENTS_SECRET=str(secret)):
            sink.status = 503
            stack.shop.place(order_id)
            fired = seen.until_fires("EventsNotTaken", severity="warning")
            assert "no event is lost" in fired["annotations"]["description"]
            assert "it answered 503" in stack.operator.log.read_text()
            assert stack.until_finished(order_id) == {order_id: "Completed"}, "orders go on"
            sink.status = 202
            seen.until_ends("EventsNotTaken")
            wait_until("both to be told", lambda: sink.taken(order_id) == ["started", "completed"], 60)
    finally:
        sink.stop()


def test_customers_of_undone_orders_while_the_notification_service_is_paused(seen: Prometheus, stack: Stack) -> None:
    def participant(state: str) -> None:
        patch = json.dumps({"spec": {"state": state}})
        stack.kubectl("patch", "participant", "notification", "--type=merge", "-p", patch)

    order_id = stack.new_id("not-told")
    with changed(stack, stack.operator, ORDERSAGA_TELL_CUSTOMERS="true"):
        participant("Paused")
        try:
            stack.shop.place(order_id, payment={"method_ref": "test-declined"})
            assert stack.until_finished(order_id) == {order_id: "Compensated"}, "it doesn't wait for a message"
            fired = seen.until_fires("CustomersNotTold", severity="warning")
            assert "Their money is where it belongs" in fired["annotations"]["description"]
            assert messages(stack, order_id) == {}
        finally:
            participant("Active")
        seen.until_ends("CustomersNotTold")
        assert messages(stack, order_id) == {"order_cancelled": "sent"}


def test_a_mail_server_that_has_got_another_password(seen: Prometheus, stack: Stack, tmp_path: Path) -> None:
    authority = trustme.CA()
    (tmp_path / "user").write_text(USER)
    (tmp_path / "password").write_text("the one of last month")
    mailed = [stack.new_id("mailed") for _ in range(3)]
    with mail_server(authority.issue_cert(HOST), passwords={PASSWORD}) as server:
        smtp = {
            "ORDERSAGA_NOTIFICATION_PROVIDER": "smtp",
            "ORDERSAGA_NOTIFICATION_CA_FILE": str(pem_of(authority, tmp_path)),
            "ORDERSAGA_MAIL_FROM": "orders@shop.example",
            "ORDERSAGA_SMTP_HOST": HOST,
            "ORDERSAGA_SMTP_PORT": str(server.port),
            "ORDERSAGA_SMTP_USER_FILE": str(tmp_path / "user"),
            "ORDERSAGA_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
        }
        with changed(stack, stack.services["notification"], **smtp):
            for order_id in mailed:
                stack.shop.place(order_id)
            seen.until_fires("MessagesNotDelivered", provider="smtp", severity="warning")
            assert "messages wait for a person" in stack.services["notification"].log.read_text()
            assert "535" in saga(stack, "why", mailed[0])
            assert server.mails == []
            (tmp_path / "password").write_text(PASSWORD)
            assert set(stack.until_finished(*mailed, seconds=90).values()) == {"Completed"}
            seen.until_ends("MessagesNotDelivered")
        assert [server.sent(order_id) for order_id in mailed] == [1, 1, 1]
