"""Cancel, suspend, delete and deadline at every step forward, while the operator runs and while it is down."""

import pytest

from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants
from tests.operator.wishes import (
    DO,
    DOOR,
    MODES,
    Batch,
    Cell,
    assert_nothing_undone,
    assert_undone_through_the_door,
)

WISHES = ("cancel", "suspend", "delete", "deadline")
REASON = {"cancel": "Cancelled", "delete": "Deleted", "deadline": "DeadlineExceeded"}
BEFORE_THE_PIVOT = [step for step in DO if step != "notification"]
CONFIRMED = Reply(409, {"code": "already_confirmed", "detail": "confirmed", "status": 409, "title": "Refused"})

Batches = dict[str, dict[str, Cell]]


@pytest.fixture(scope="module")
def ended(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Batches:
    """By mode and name; every saga of a mode is wished at once."""
    batch = Batch(operator, sagas, participants)
    batches = {}
    for mode in MODES:
        cells = [Cell(f"o-{mode}-{wish}-{step}", DO[step], wish, step) for wish in WISHES for step in DO]
        cells += [
            Cell(f"o-{mode}-{wish}-door", DO["confirmation"], wish, "confirmation", {DOOR: CONFIRMED})
            for wish in REASON
        ]
        batches[mode] = batch.run(cells, mode)
    return batches


def assert_event(sagas: Sagas, name: str, type_: str, reason: str) -> None:
    """Events are written beside the saga: they may come a moment later."""
    wait_until(lambda: (type_, reason) in sagas.events(name), f"the Event {reason} of {name}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", BEFORE_THE_PIVOT)
@pytest.mark.parametrize("wish", list(REASON))
def test_a_wish_before_the_pivot_rolls_back_with_one_reason_everywhere(
    *, ended: Batches, sagas: Sagas, participants: ScriptedParticipants, wish: str, step: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{wish}-{step}"]
    assert cell.status["phase"] == "Compensated"
    assert cell.status["failure"]["reason"] == REASON[wish]
    assert cell.status["failure"]["step"] == step
    assert cell.condition("Ready")["reason"] == REASON[wish]
    assert (cell.condition("Stalled")["status"], cell.condition("Stalled")["reason"]) == ("True", REASON[wish])
    assert (cell.condition("Succeeded")["status"], cell.condition("Reconciling")["status"]) == ("False", "False")
    assert_event(sagas, cell.name, "Warning", REASON[wish])
    assert_event(sagas, cell.name, "Normal", "Compensated")
    assert_undone_through_the_door(participants.paths(cell.name))
    assert sagas.exists(cell.name) == (wish != "delete")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wish", list(REASON))
def test_a_wish_while_the_confirmation_is_in_flight_is_decided_by_the_door(
    ended: Batches, sagas: Sagas, participants: ScriptedParticipants, wish: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{wish}-door"]
    assert cell.status["phase"] == "Completed"
    assert "failure" not in cell.status
    assert participants.paths(cell.name).count(DOOR) == 1
    assert_nothing_undone(participants.paths(cell.name))
    assert_event(sagas, cell.name, "Warning", REASON[wish])
    assert_event(sagas, cell.name, "Normal", "AlreadyConfirmed")
    assert cell.condition("CancelRefused").get("reason") == ("AlreadyConfirmed" if wish == "cancel" else None)
    assert sagas.exists(cell.name) == (wish != "delete")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wish", list(REASON))
def test_a_wish_past_the_pivot_undoes_nothing(
    ended: Batches, sagas: Sagas, participants: ScriptedParticipants, wish: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{wish}-notification"]
    assert cell.seen["status"]["phase"] == "Running"  # noted, and still at it: also a deleted one isn't let go
    assert cell.status["phase"] == "Completed"
    assert "failure" not in cell.status
    assert DOOR not in participants.paths(cell.name)
    assert_nothing_undone(participants.paths(cell.name))
    assert sagas.exists(cell.name) == (wish != "delete")
    if wish == "cancel":
        assert cell.condition("CancelRefused")["status"] == "True"
        assert cell.condition("CancelRefused")["reason"] == "AlreadyConfirmed"
        assert_event(sagas, cell.name, "Warning", "AlreadyConfirmed")
    else:
        assert cell.condition("CancelRefused") == {}
        assert REASON[wish] not in {reason for _, reason in sagas.events(cell.name)}


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
    assert DOOR not in participants.paths(cell.name)
    assert_event(sagas, cell.name, "Normal", "Suspended")
    assert_event(sagas, cell.name, "Normal", "Resumed")
