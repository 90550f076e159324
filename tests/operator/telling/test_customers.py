"""The customers of undone orders are told by the notification service, through the gates of any other call to it."""

import time

from common.wire import Json
from tests.operator.conftest import Sagas, wait_until
from tests.operator.requests.user_requests import DO, PATIENCE
from tests.operator.scripted import Call, Reply, ScriptedParticipants, refused
from tests.operator.telling.conftest import Start

SEND = "/api/notifications/send"
BARE = {"ORDERSAGA_EVENTS_SINK": "", "ORDERSAGA_TELL_CUSTOMERS": "true"}


def messages(participants: ScriptedParticipants, name: str) -> list[Call]:
    return [call for call in participants.of(name) if call.path == SEND]


def told(participants: ScriptedParticipants, name: str, number: int = 1) -> list[Call]:
    return wait_until(
        lambda: found if len(found := messages(participants, name)) >= number else None, f"{name} to be told", PATIENCE
    )


def undone(participants: ScriptedParticipants, sagas: Sagas, name: str, **spec: Json) -> None:
    """After it was paid for."""
    participants.say(name, DO["shipping"], refused("not_serviceable"))
    sagas.create(name, **spec)
    sagas.wait(name, "Compensated", seconds=PATIENCE)


def until_off(sagas: Sagas, name: str) -> None:
    wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers") or None, f"the finalizer of {name} to go")


def test_the_customer_of_an_undone_order_is_told_why_and_what_became_of_the_money(
    start: Start, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    start(**BARE)
    undone(participants, sagas, "o-tell-refunded")
    (call,) = told(participants, "o-tell-refunded")
    assert call.key == f"{sagas.namespace}/o-tell-refunded/notification/do"
    assert (call.body["notification_type"], call.body["reason"]) == ("order_cancelled", "not_serviceable")
    assert call.body["payment"] == "refunded"
    assert call.epoch > 0, "as with any call"
    assert call.correlation_id == sagas.get("o-tell-refunded")["metadata"]["uid"]
    participants.say("o-tell-declined", DO["payment"], refused("card_declined"))
    participants.say("o-tell-taken", DO["order"], refused("order_id_used"))
    participants.say("o-tell-blocked", DO["order"], refused("customer_blocked"))
    for name in ("o-tell-declined", "o-tell-taken", "o-tell-blocked", "o-tell-well"):
        sagas.create(name)
    (call,) = told(participants, "o-tell-declined")
    assert (call.body["reason"], call.body["payment"]) == ("card_declined", "not_charged")
    for name in ("o-tell-refunded", "o-tell-taken", "o-tell-blocked", "o-tell-well"):
        until_off(sagas, name)
    assert not messages(participants, "o-tell-taken"), "that order is somebody else's"
    assert not messages(participants, "o-tell-blocked"), "there never was such an order"
    assert [call.body["notification_type"] for call in messages(participants, "o-tell-well")] == ["order_confirmed"]
    assert len(messages(participants, "o-tell-refunded")) == 1, "not once more when its finalizer goes"
    assert sagas.step("o-tell-refunded", "notification")["state"] == "Skipped", "it is no step"


def test_a_message_is_repeated_until_it_is_answered_also_by_a_successor(
    start: Start, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-tell-again", SEND, always=Reply(503))
    participants.say("o-tell-bounced", SEND, refused("bounced"))
    operator = start(faulty="brief", **BARE)
    undone(participants, sagas, "o-tell-again")
    undone(participants, sagas, "o-tell-bounced")
    told(participants, "o-tell-again", 3)
    status = sagas.status("o-tell-again")
    until_off(sagas, "o-tell-bounced")
    assert len(messages(participants, "o-tell-bounced")) == 1, "a refusal ends it"
    operator.kill()
    before = len(messages(participants, "o-tell-again"))
    operator = start(faulty="brief", **BARE)
    told(participants, "o-tell-again", before + 2)
    assert sagas.get("o-tell-again")["metadata"]["finalizers"]
    participants.say("o-tell-again", SEND)
    until_off(sagas, "o-tell-again")
    calls = messages(participants, "o-tell-again")
    assert len({call.key for call in calls}) == 1
    assert all(call.body == calls[0].body for call in calls)
    assert sagas.status("o-tell-again") == status, "it changes nothing of the saga"
    assert 'ordersaga_customer_messages_waiting{type="order_cancelled"} 0.0' in operator.metrics()


def test_a_notification_service_that_is_away_holds_up_no_order_and_a_deletion_only_so_long(
    start: Start, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    names = [f"o-tell-away-{n}" for n in range(2)]
    for name in names:
        participants.say(name, SEND, always=Reply(0))
    operator = start(faulty="brief", **BARE)
    for name in names:
        undone(participants, sagas, name)
    began = time.monotonic()
    sagas.delete(names[0])
    wait_until(lambda: not sagas.exists(names[0]) or None, "the deletion", seconds=15)
    assert 3.0 < time.monotonic() - began < 15.0
    wait_until(lambda: ("Warning", "CustomerNotTold") in sagas.events(names[0]) or None, "the Event")
    assert 'ordersaga_customer_messages_missed_total{type="order_cancelled"} 1.0' in operator.metrics()
    for name in names:
        participants.say(name, SEND)
    for name in names[1:]:
        until_off(sagas, name)
