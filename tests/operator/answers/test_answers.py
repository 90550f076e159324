"""What the operator makes of the answers of its participants, on a real API server."""

import time

import pytest
from kubernetes import client, watch

from saga_operator.process.steps import ORDER_SAGA
from tests.operator.conftest import GROUP, NAMESPACE, PLURAL, VERSION, OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")

FORWARD = [
    "/api/orders/create",
    "/api/inventory/reserve",
    "/api/payments/process",
    "/api/shipping/schedule",
    "/api/orders/confirm",
    "/api/notifications/send",
]


def test_every_step_is_called_once_and_in_order(sagas: Sagas, participants: ScriptedParticipants) -> None:
    sagas.create("o-happy")
    status = sagas.wait("o-happy", "Completed")["status"]
    assert participants.paths("o-happy") == FORWARD
    assert status["stepsSummary"] == "6/6"
    assert status["total"] == "25.00 EUR"
    assert sagas.step("o-happy", "payment")["externalID"] == "pay-o-happy"
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "Succeeded": "True",
    }


def test_the_finalizer_is_taken_off_a_finished_saga(sagas: Sagas) -> None:
    sagas.create("o-released")
    sagas.wait("o-released", "Completed")
    wait_until(lambda: not sagas.get("o-released")["metadata"].get("finalizers"), "no finalizer")


def test_a_resource_made_by_kubectl_gets_the_finalizer_before_the_first_effect(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-kubectl", "/api/orders/create", Reply(200, {"order_id": "o-kubectl"}, delay=0.5))
    sagas.create("o-kubectl", finalizer=False)
    wait_until(lambda: participants.paths("o-kubectl"), "the first call")
    assert sagas.get("o-kubectl")["metadata"]["finalizers"] == ["ordersaga.io/compensation"]
    sagas.wait("o-kubectl", "Completed")


def test_a_refusal_rejects_the_order_and_undoes_in_reverse(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-declined", "/api/payments/process", refused("card_declined", "the bank said no"))
    sagas.create("o-declined")
    status = sagas.wait("o-declined", "Compensated")["status"]
    assert participants.paths("o-declined") == [
        *FORWARD[:3],
        "/api/orders/reject",
        "/api/shipping/cancel",
        "/api/inventory/release",
        "/api/orders/cancel",
    ]
    assert participants.of("o-declined")[-1].body == {"order_id": "o-declined", "reason": "card_declined"}
    assert status["failure"] == {"step": "payment", "reason": "CardDeclined", "message": "the bank said no"}
    states = {step["name"]: step["state"] for step in status["steps"]}
    assert states == {
        "order": "Compensated",
        "inventory": "Compensated",
        "payment": "Refused",
        "shipping": "Skipped",
        "confirmation": "Skipped",
        "notification": "Skipped",
    }
    assert ("Warning", "CardDeclined") in sagas.events("o-declined")


def test_no_answer_is_asked_again_with_the_same_key(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-silent", "/api/payments/process", Reply(0), Reply(200, raw="not json"), Reply(503))
    sagas.create("o-silent", retry={"maxAttempts": 8, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
    sagas.wait("o-silent", "Completed")
    calls = [call for call in participants.of("o-silent") if call.path == "/api/payments/process"]
    assert len(calls) == 4
    assert {call.key for call in calls} == {"sagas-of-operator-tests/o-silent/payment/do"}
    assert sagas.step("o-silent", "payment")["attempts"] == 4


def test_a_spent_budget_is_unknown_and_undone(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-unknown", "/api/shipping/schedule", always=Reply(503))
    sagas.create("o-unknown")
    sagas.wait("o-unknown", "Compensated")
    assert "/api/shipping/cancel" in participants.paths("o-unknown")
    assert participants.paths("o-unknown").count("/api/shipping/schedule") == 3


def test_retry_after_is_honoured(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-later", "/api/inventory/reserve", Reply(429, headers={"Retry-After": "1"}))
    sagas.create("o-later")
    sagas.wait("o-later", "Completed")
    first, second = (c.at for c in participants.of("o-later") if c.path == "/api/inventory/reserve")
    assert second - first >= 1.0


def test_an_operation_in_progress_is_followed_at_its_location(sagas: Sagas, participants: ScriptedParticipants) -> None:
    place = "/api/payments/operations/o-slow/do"
    accepted = Reply(202, headers={"Location": place, "Retry-After": "0.1"})
    participants.say("o-slow", "/api/payments/process", accepted)
    participants.say("o-slow", place, accepted, accepted, Reply(200, {"order_id": "o-slow", "payment_id": "pay-slow"}))
    sagas.create("o-slow")
    sagas.wait("o-slow", "Completed")
    paths = participants.paths("o-slow")
    assert paths.count("/api/payments/process") == 1
    assert paths.count(place) == 3
    assert sagas.step("o-slow", "payment")["externalID"] == "pay-slow"
    assert sagas.step("o-slow", "payment")["attempts"] == 1


def test_a_participants_mistake_is_visible_and_retried(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-mistake", "/api/inventory/reserve", Reply(404, {"code": "not_found", "detail": "no route"}))
    participants.say("o-mistake", "/api/inventory/reserve", Reply(503, headers={"Retry-After": "1"}))
    sagas.create("o-mistake")
    sagas.wait("o-mistake", "Completed")
    wait_until(lambda: ("Warning", "ParticipantError") in sagas.events("o-mistake"), "an Event")


def test_the_saga_resumes_forward_when_reject_finds_the_order_confirmed(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-round", "/api/orders/confirm", always=Reply(503))
    participants.say("o-round", "/api/orders/reject", refused("already_confirmed"))
    sagas.create("o-round")
    status = sagas.wait("o-round", "Completed")["status"]
    assert "failure" not in status
    paths = participants.paths("o-round")
    assert "/api/payments/refund" not in paths
    assert paths[-1] == "/api/notifications/send"


def test_another_orders_id_ends_without_any_undo(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-used", "/api/orders/create", refused("order_id_used"))
    sagas.create("o-used")
    status = sagas.wait("o-used", "Compensated")["status"]
    assert participants.paths("o-used") == ["/api/orders/create"]
    assert status["failure"]["reason"] == "OrderIDUsed"


def test_a_bounced_message_finishes_with_a_warning(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-bounce", "/api/notifications/send", refused("bounced", "no such mailbox"))
    sagas.create("o-bounce")
    sagas.wait("o-bounce", "Completed")
    assert sagas.condition("o-bounce", "CompletedWithWarning")["reason"] == "Bounced"
    assert sagas.condition("o-bounce", "Ready")["status"] == "True"


def test_a_stale_epoch_is_raised_while_the_lease_is_ours(
    sagas: Sagas, participants: ScriptedParticipants, operator: OperatorProcess
) -> None:
    participants.say("o-epoch", "/api/inventory/reserve", Reply(412, {"code": "stale_epoch", "detail": "seen 9"}))
    sagas.create("o-epoch")
    sagas.wait("o-epoch", "Completed")
    first, second = (c.epoch for c in participants.of("o-epoch") if c.path == "/api/inventory/reserve")
    assert second > first > 0


def test_a_lease_that_was_deleted_does_not_lower_the_epoch(
    sagas: Sagas, participants: ScriptedParticipants, operator: OperatorProcess
) -> None:
    """Epochs are the time, or a little later if a participant has seen a later one."""
    sagas.create("o-lease-1")
    sagas.wait("o-lease-1", "Completed")
    operator.stop()
    before = int(time.time() * 1000) - 2000  # an answer's Date has no fractions, so nor has the API server's time
    leases = client.CoordinationV1Api(sagas.api.api_client)
    leases.delete_namespaced_lease("ordersaga-operator", NAMESPACE)
    operator.start()
    sagas.create("o-lease-2")
    sagas.wait("o-lease-2", "Completed")
    assert participants.of("o-lease-2")[0].epoch > before


def test_every_step_is_seen_soon_while_there_is_little_to_do(sagas: Sagas, participants: ScriptedParticipants) -> None:
    """From a participant's answer until a watch shows that the saga has come to the next step."""
    names = [f"o-watched-{number}" for number in range(3)]
    steps = [step.name for step in ORDER_SAGA]
    for name in names:
        for path in FORWARD:
            participants.say(name, path, Reply(200, {"order_id": name}, delay=0.8))
    version = sagas.listed()["metadata"]["resourceVersion"]
    for name in names:
        sagas.create(name)
    seen: dict[tuple[str, int], float] = {}
    stream = watch.Watch().stream(
        sagas.api.list_namespaced_custom_object,
        GROUP,
        VERSION,
        NAMESPACE,
        PLURAL,
        resource_version=version,
        timeout_seconds=40,
    )
    open_ = set(names)
    for event in stream:
        now, name, status = time.monotonic(), event["object"]["metadata"]["name"], event["object"]["status"]
        if name not in names or "stepsSummary" not in status:
            continue
        done = int(status["stepsSummary"].split("/")[0])
        assert status.get("currentStep") == (steps[done] if done < len(steps) else None)
        for number in range(1, done + 1):
            seen.setdefault((name, number), now)
        if status["phase"] == "Completed":
            open_.discard(name)
            if not open_:
                break
    answered = {(name, number): call.answered for name in names for number, call in enumerate(participants.of(name), 1)}
    late = sorted(seen[step] - at for step, at in answered.items())
    print("seconds from the answer to the watch:", ", ".join(f"{seconds:.3f}" for seconds in late))
    assert len(late) == len(names) * len(steps)
    assert late[len(late) // 2] < 0.25, "half of the steps at least, however busy the machine of this test is"
    assert late[-1] < 0.8, "each is seen before the next has happened"
