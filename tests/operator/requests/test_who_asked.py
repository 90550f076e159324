"""Who asked for something, and why, stands where people look for it: in the conditions, Events and the archive."""

import pytest

from tests.operator.conftest import NAMESPACE, Sagas, wait_until
from tests.operator.requests.user_requests import DO
from tests.operator.scripted import ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")


def held(participants: ScriptedParticipants, sagas: Sagas, name: str) -> None:
    """A saga that waits at payment."""
    participants.say(name, DO["payment"], always=refused("running", "wait"))
    sagas.create(name)
    wait_until(lambda: DO["payment"] in participants.paths(name), "a call of payment")


def told(sagas: Sagas, name: str, reason: str) -> str:
    """The message of the Event with this reason."""

    def look() -> str:
        events = sagas.core.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={name}").items
        return next((event.message for event in events if event.reason == reason), "")

    return wait_until(look, f"the Event {reason} of {name}")


def test_who_suspended_resumed_and_cancelled_is_told(sagas: Sagas, participants: ScriptedParticipants) -> None:
    name = "o-who"
    held(participants, sagas, name)
    sagas.patch(name, state="Suspended", requestedBy="alice")
    assert "suspended by alice at step payment" in told(sagas, name, "Suspended")
    assert "suspended by alice" in sagas.condition(name, "Ready")["message"]
    sagas.patch(name, state="Active", requestedBy="bob")
    assert told(sagas, name, "Resumed") == "the saga continues, resumed by bob"
    sagas.patch(name, state="Cancelled", requestedBy="client:web")
    status = sagas.wait(name, "Compensated")["status"]
    assert status["failure"]["message"] == "client:web cancelled the order"
    assert "client:web cancelled the order" in sagas.condition(name, "Ready")["message"]
    assert told(sagas, name, "Cancelled").endswith("client:web cancelled the order")


def test_who_intervened_is_told(sagas: Sagas, participants: ScriptedParticipants) -> None:
    name = "o-who-repaired"
    held(participants, sagas, name)
    request = {"id": "r-1", "action": "RetryNow", "step": "payment", "reason": "it is back", "by": "alice"}
    sagas.patch(name, intervention=request)
    assert told(sagas, name, "Intervened") == "RetryNow payment (id r-1) by alice: it is back"
    wait_until(lambda: sagas.status(name).get("intervention", {}).get("by") == "alice", "the record to say so")


def test_why_an_order_was_deleted_is_told(sagas: Sagas, participants: ScriptedParticipants) -> None:
    name = "o-why"
    held(participants, sagas, name)
    sagas.patch_metadata(name, annotations={"ordersaga.io/confirm-deletion": "a test order"})
    sagas.delete(name)
    assert told(sagas, name, "Deleted").endswith("the resource was deleted: a test order")
    wait_until(lambda: not sagas.exists(name), "the resource to go")


def test_why_an_order_was_given_up_is_told(sagas: Sagas, participants: ScriptedParticipants) -> None:
    name = "o-given-up"
    participants.say(name, "/api/orders/reject", always=refused("running", "wait"))
    held(participants, sagas, name)
    sagas.delete(name)
    wait_until(lambda: "/api/orders/reject" in participants.paths(name), "the rollback")
    sagas.patch_metadata(name, annotations={"ordersaga.io/abandon": "the shop is closed"})
    sagas.patch_metadata(name, finalizers=None)
    assert told(sagas, name, "Abandoned").endswith("before the order had ended: the shop is closed")
