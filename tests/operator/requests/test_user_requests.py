"""What people want of a saga, at any time: cancel, suspend, delete, a deadline, an intervention."""

import time

import pytest

from tests.operator.conftest import Sagas, wait_until
from tests.operator.requests.user_requests import AFTER_REJECT, DO
from tests.operator.scripted import Reply, ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")

UNDOABLE = [step for step in DO if step not in ("confirmation", "notification")]


def held_at(participants: ScriptedParticipants, sagas: Sagas, name: str, step: str) -> None:
    """A saga that waits at this step: the participant asks for patience."""
    participants.say(name, DO[step], always=refused("running", "wait"))
    sagas.create(name)
    wait_until(lambda: DO[step] in participants.paths(name), f"a call of {step}")


@pytest.mark.parametrize("step", UNDOABLE)
def test_a_cancel_at_any_step_undoes_everything(sagas: Sagas, participants: ScriptedParticipants, step: str) -> None:
    name = f"o-cancel-{step}"
    held_at(participants, sagas, name, step)
    sagas.patch(name, state="Cancelled")
    status = sagas.wait(name, "Compensated")["status"]
    assert status["failure"]["reason"] == "Cancelled"
    assert status["failure"]["step"] == step
    paths = participants.paths(name)
    assert [p for p in paths if p in AFTER_REJECT] == AFTER_REJECT
    assert paths.index("/api/orders/reject") < paths.index("/api/shipping/cancel")


@pytest.mark.parametrize("step", UNDOABLE)
def test_a_deletion_at_any_step_compensates_before_it_goes(
    sagas: Sagas, participants: ScriptedParticipants, step: str
) -> None:
    name = f"o-delete-{step}"
    held_at(participants, sagas, name, step)
    sagas.delete(name)
    wait_until(lambda: not sagas.exists(name), "the resource to go")
    assert [p for p in participants.paths(name) if p in AFTER_REJECT] == AFTER_REJECT


def test_a_deletion_after_the_pivot_finishes_the_saga_first(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-late-delete", "/api/notifications/send", Reply(503, headers={"Retry-After": "1"}))
    sagas.create("o-late-delete")
    wait_until(lambda: "/api/notifications/send" in participants.paths("o-late-delete"), "the notification")
    sagas.delete("o-late-delete")
    wait_until(lambda: not sagas.exists("o-late-delete"), "the resource to go")
    assert participants.paths("o-late-delete").count("/api/notifications/send") == 2
    assert "/api/orders/reject" not in participants.paths("o-late-delete")


def test_a_cancel_that_comes_too_late_is_refused_visibly(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-too-late", "/api/notifications/send", always=Reply(503))
    sagas.create("o-too-late")
    wait_until(lambda: "/api/notifications/send" in participants.paths("o-too-late"), "the notification")
    sagas.patch("o-too-late", state="Cancelled")
    wait_until(lambda: sagas.condition("o-too-late", "CancelRefused").get("status") == "True", "CancelRefused")
    participants.say("o-too-late", "/api/notifications/send")
    sagas.wait("o-too-late", "Completed")


def test_a_deadline_starts_a_rollback(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-deadline", DO["payment"], always=refused("running", "wait"))
    sagas.create("o-deadline", activeDeadlineSeconds=2)
    assert sagas.wait("o-deadline", "Compensated")["status"]["failure"]["reason"] == "DeadlineExceeded"


def test_a_suspended_saga_stands_still_and_so_does_its_deadline(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    sagas.create("o-pause", state="Suspended", activeDeadlineSeconds=3)
    sagas.wait("o-pause", "Suspended")
    time.sleep(4)
    assert participants.of("o-pause") == []
    sagas.patch("o-pause", state="Active")
    status = sagas.wait("o-pause", "Completed")["status"]
    assert status["suspendedSeconds"] >= 3
    assert "suspendedAt" not in status


def test_a_suspended_saga_can_be_deleted(sagas: Sagas, participants: ScriptedParticipants) -> None:
    sagas.create("o-pause-delete", state="Suspended")
    sagas.wait("o-pause-delete", "Suspended")
    sagas.delete("o-pause-delete")
    wait_until(lambda: not sagas.exists("o-pause-delete"), "the resource to go")


def test_a_stuck_refund_fails_the_saga_until_a_person_intervenes(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name = "o-stuck"
    participants.say(name, "/api/payments/refund", always=refused("bank_closed", "the bank is closed"))
    participants.say(name, "/api/shipping/schedule", refused("not_serviceable"))
    sagas.create(name)
    status = sagas.wait(name, "Failed", seconds=60)["status"]
    assert "completionTime" not in status
    assert "/api/inventory/release" in participants.paths(name)  # one that is stuck doesn't hold up the others
    assert "/api/orders/cancel" not in participants.paths(name)  # the order stays open until all are done
    assert sagas.condition(name, "Stalled")["reason"] == "CompensationFailed"
    assert sagas.condition(name, "Reconciling")["status"] == "False"
    assert ("Warning", "CompensationFailed") in sagas.events(name)
    assert sagas.get(name)["metadata"]["finalizers"] == ["ordersaga.io/compensation"]

    participants.say(name, "/api/payments/refund")
    user_request = {"id": "r-1", "action": "RetryNow", "step": "payment", "reason": "the bank is open again"}
    sagas.patch(name, intervention=user_request)
    status = sagas.wait(name, "Compensated")["status"]
    assert status["intervention"]["id"] == "r-1"
    assert status["intervention"]["by"]
    assert sagas.step(name, "payment")["compensation"]["completionTime"]


def test_a_refund_made_by_hand_is_marked(sagas: Sagas, participants: ScriptedParticipants) -> None:
    name = "o-by-hand"
    participants.say(name, "/api/payments/refund", always=refused("bank_closed"))
    participants.say(name, "/api/shipping/schedule", refused("not_serviceable"))
    sagas.create(name)
    sagas.wait(name, "Failed", seconds=60)
    user_request = {
        "id": "m-1",
        "action": "MarkCompensated",
        "step": "payment",
        "reason": "refunded in the bank's console",
    }
    sagas.patch(name, intervention=user_request)
    status = sagas.wait(name, "Compensated")["status"]
    assert sagas.step(name, "payment")["state"] == "Compensated"
    assert sagas.step(name, "payment")["compensation"]["reason"] == "MarkedCompensated"
    assert status["phase"] == "Compensated"


def test_a_notification_can_be_skipped_by_a_person(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-skip", "/api/notifications/send", always=Reply(503))
    sagas.create("o-skip")
    wait_until(lambda: "/api/notifications/send" in participants.paths("o-skip"), "the notification")
    user_request = {"id": "s-1", "action": "Skip", "step": "notification", "reason": "called the customer"}
    sagas.patch("o-skip", intervention=user_request)
    sagas.wait("o-skip", "Completed")
    assert sagas.step("o-skip", "notification")["state"] == "Skipped"


def test_time_to_live_removes_finished_sagas_only(sagas: Sagas, participants: ScriptedParticipants) -> None:
    sagas.create("o-ttl", ttlSecondsAfterFinished=1)
    sagas.create("o-kept")
    wait_until(lambda: not sagas.exists("o-ttl"), "the resource to go", seconds=30)
    assert sagas.exists("o-kept")
    assert participants.archived.count("o-ttl") == 1
    assert "/api/orders/reject" not in participants.paths("o-ttl")


@pytest.mark.parametrize("when", ["on its way", "when it has ended"])
def test_the_story_of_a_deleted_saga_is_kept_before_it_goes(
    sagas: Sagas, participants: ScriptedParticipants, when: str
) -> None:
    name = f"o-told-{when.split(maxsplit=1)[0]}"
    if when == "on its way":
        participants.say(name, "/api/shipping/schedule", always=refused("running", "wait"))
        sagas.create(name)
        wait_until(lambda: "/api/shipping/schedule" in participants.paths(name), "shipping to be called")
    else:
        sagas.create(name)
        wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers"), "the finalizer to be taken off", 70)
    sagas.delete(name)
    wait_until(lambda: not sagas.exists(name), "the resource to go", seconds=30)
    assert name in participants.archived
