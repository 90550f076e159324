"""Cancel, suspend, delete and deadline at every undo of a rollback: none of them cuts or changes it."""

import pytest

from tests.operator.conftest import OperatorProcess, Sagas
from tests.operator.scripted import ScriptedParticipants, refused
from tests.operator.wishes import DO, MODES, UNDO, Batch, Cell, assert_undone_through_the_door

WISHES = ("cancel", "suspend", "delete", "deadline")

Batches = dict[str, dict[str, Cell]]


@pytest.fixture(scope="module")
def ended(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Batches:
    """By mode and name; each rollback began with a refused confirmation, so that every undo is called."""
    batch = Batch(operator, sagas, participants)
    no = {DO["confirmation"]: refused("customer_blocked")}
    return {
        mode: batch.run(
            [Cell(f"o-{mode}-{wish}-undo-{undo}", UNDO[undo], wish, script=no) for wish in WISHES for undo in UNDO],
            mode,
        )
        for mode in MODES
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("undo", list(UNDO))
@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_during_a_rollback_neither_cuts_nor_changes_it(
    *, ended: Batches, sagas: Sagas, participants: ScriptedParticipants, wish: str, undo: str, mode: str
) -> None:
    cell = ended[mode][f"o-{mode}-{wish}-undo-{undo}"]
    meanwhile = cell.seen["status"]  # noted, and the undo still held: also a deleted one isn't let go
    assert meanwhile["phase"] == "Compensating"
    assert "suspendedAt" not in meanwhile
    for status in (meanwhile, cell.status):
        assert status["failure"]["reason"] == "CustomerBlocked"
        assert {c["reason"] for c in status["conditions"]} == {"CustomerBlocked"}
    assert cell.status["phase"] == "Compensated"
    assert_undone_through_the_door(participants.paths(cell.name))
    said = {reason for _, reason in sagas.events(cell.name)}
    assert said <= {"CustomerBlocked", "Compensated"}
    assert sagas.exists(cell.name) == (wish != "delete")
