"""Cancel, suspend, delete and deadline at every undo of a rollback: none of them cuts or changes it."""

import pytest

from tests.operator.conftest import Sagas
from tests.operator.requests.user_requests import DO, MODES, UNDO, Batch, Batches, Cell, assert_rejected_before_undone
from tests.operator.scripted import ScriptedParticipants, refused

USER_REQUESTS = ("cancel", "suspend", "delete", "deadline")


@pytest.fixture(scope="module")
def ended(batch: Batch) -> Batches:
    """Each rollback began with a refused confirmation, so that every undo is called."""
    no = {DO["confirmation"]: refused("customer_blocked")}
    return batch.in_each_mode(
        lambda mode: [
            Cell(f"o-{mode}-{user_request}-undo-{undo}", UNDO[undo], user_request, script=no)
            for user_request in USER_REQUESTS
            for undo in UNDO
        ]
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("undo", list(UNDO))
@pytest.mark.parametrize("user_request", USER_REQUESTS)
def test_a_user_request_during_a_rollback_neither_cuts_nor_changes_it(
    *, ended: Batches, sagas: Sagas, participants: ScriptedParticipants, user_request: str, undo: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{user_request}-undo-{undo}"]
    meanwhile = cell.seen["status"]  # noted, and the undo still held: also a deleted one isn't let go
    assert meanwhile["phase"] == "Compensating"
    assert "suspendedAt" not in meanwhile
    for status in (meanwhile, cell.status):
        assert status["failure"]["reason"] == "CustomerBlocked"
        assert {c["reason"] for c in status["conditions"]} == {"CustomerBlocked"}
    assert cell.status["phase"] == "Compensated"
    assert_rejected_before_undone(participants.paths(cell.name))
    said = {reason for _, reason in sagas.events(cell.name)}
    assert said <= {"CustomerBlocked", "Compensated"}
    assert sagas.exists(cell.name) == (user_request != "delete")
