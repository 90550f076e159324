"""Cancel, suspend, delete and deadline at every step forward, while the operator runs and while it is down."""

import pytest

from tests.operator.conftest import Sagas, wait_until
from tests.operator.requests.user_requests import (
    DO,
    MODES,
    REJECT,
    Batch,
    Batches,
    Cell,
    assert_nothing_undone,
    assert_rejected_before_undone,
)
from tests.operator.scripted import Reply, ScriptedParticipants

USER_REQUESTS = ("cancel", "suspend", "delete", "deadline")
REASON = {"cancel": "Cancelled", "delete": "Deleted", "deadline": "DeadlineExceeded"}
BEFORE_THE_PIVOT = [step for step in DO if step != "notification"]
CONFIRMED = Reply(409, {"code": "already_confirmed", "detail": "confirmed", "status": 409, "title": "Refused"})


@pytest.fixture(scope="module")
def ended(batch: Batch) -> Batches:
    """In each mode, all sagas get their request at once."""

    def cells(mode: str) -> list[Cell]:
        at_steps = [
            Cell(f"o-{mode}-{user_request}-{step}", DO[step], user_request, step)
            for user_request in USER_REQUESTS
            for step in DO
        ]
        return at_steps + [
            Cell(
                f"o-{mode}-{user_request}-reject", DO["confirmation"], user_request, "confirmation", {REJECT: CONFIRMED}
            )
            for user_request in REASON
        ]

    return batch.in_each_mode(cells)


def assert_event(sagas: Sagas, name: str, type_: str, reason: str) -> None:
    """Events are written beside the saga: they may come a moment later."""
    wait_until(lambda: (type_, reason) in sagas.events(name), f"the Event {reason} of {name}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", BEFORE_THE_PIVOT)
@pytest.mark.parametrize("user_request", list(REASON))
def test_a_user_request_before_the_pivot_rolls_back_with_one_reason_everywhere(
    *, ended: Batches, sagas: Sagas, participants: ScriptedParticipants, user_request: str, step: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{user_request}-{step}"]
    assert cell.status["phase"] == "Compensated"
    assert cell.status["failure"]["reason"] == REASON[user_request]
    assert cell.status["failure"]["step"] == step
    assert cell.condition("Ready")["reason"] == REASON[user_request]
    assert (cell.condition("Stalled")["status"], cell.condition("Stalled")["reason"]) == ("True", REASON[user_request])
    assert (cell.condition("Succeeded")["status"], cell.condition("Reconciling")["status"]) == ("False", "False")
    assert_event(sagas, cell.name, "Warning", REASON[user_request])
    assert_event(sagas, cell.name, "Normal", "Compensated")
    assert_rejected_before_undone(participants.paths(cell.name))
    assert sagas.exists(cell.name) == (user_request != "delete")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user_request", list(REASON))
def test_a_user_request_while_the_confirmation_is_in_flight_is_decided_by_reject(
    ended: Batches, sagas: Sagas, participants: ScriptedParticipants, user_request: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{user_request}-reject"]
    assert cell.status["phase"] == "Completed"
    assert "failure" not in cell.status
    assert participants.paths(cell.name).count(REJECT) == 1
    assert_nothing_undone(participants.paths(cell.name))
    assert_event(sagas, cell.name, "Warning", REASON[user_request])
    assert_event(sagas, cell.name, "Normal", "AlreadyConfirmed")
    assert cell.condition("CancelRefused").get("reason") == ("AlreadyConfirmed" if user_request == "cancel" else None)
    assert sagas.exists(cell.name) == (user_request != "delete")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user_request", list(REASON))
def test_a_user_request_past_the_pivot_undoes_nothing(
    ended: Batches, sagas: Sagas, participants: ScriptedParticipants, user_request: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{user_request}-notification"]
    assert cell.seen["status"]["phase"] == "Running"  # noted, and still at it: also a deleted one isn't let go
    assert cell.status["phase"] == "Completed"
    assert "failure" not in cell.status
    assert REJECT not in participants.paths(cell.name)
    assert_nothing_undone(participants.paths(cell.name))
    assert sagas.exists(cell.name) == (user_request != "delete")
    if user_request == "cancel":
        assert cell.condition("CancelRefused")["status"] == "True"
        assert cell.condition("CancelRefused")["reason"] == "AlreadyConfirmed"
        assert_event(sagas, cell.name, "Warning", "AlreadyConfirmed")
    else:
        assert cell.condition("CancelRefused") == {}
        assert REASON[user_request] not in {reason for _, reason in sagas.events(cell.name)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", list(DO))
def test_a_suspended_saga_rests_at_its_step_and_goes_on_when_resumed(
    ended: Batches, sagas: Sagas, participants: ScriptedParticipants, step: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-suspend-{step}"]
    rest = cell.seen["status"]
    assert (rest["phase"], rest["currentStep"]) == ("Suspended", step)
    assert rest["suspendedAt"]
    ready = next(c for c in rest["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "Suspended")
    assert cell.calls_at_rest[0] == cell.calls_at_rest[1]
    assert cell.status["phase"] == "Completed"
    assert "suspendedAt" not in cell.status
    assert REJECT not in participants.paths(cell.name)
    assert_event(sagas, cell.name, "Normal", "Suspended")
    assert_event(sagas, cell.name, "Normal", "Resumed")
