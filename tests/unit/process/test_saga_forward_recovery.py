"""A rollback whose reject finds the order confirmed resumes forward, and is never rolled back after that."""

from dataclasses import replace

import pytest

from saga_operator.process.events import AlreadyConfirmed
from saga_operator.process.saga import Phase
from saga_operator.process.step_record import StepState
from saga_operator.resource.conditions import conditions_of
from tests.unit.process.builders import (
    NOW,
    STEPS,
    UP_TO_PIVOT,
    after,
    asked,
    before,
    closed,
    done,
    lost,
    new_saga,
    next_call,
    refused,
    seen,
    tries,
    undone,
)

TURN = AlreadyConfirmed(step="confirmation", started=NOW, at=NOW)


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_a_confirmed_order_makes_the_saga_resume_forward(step: str) -> None:
    saga = after(before(step), seen("Cancelled"), TURN)
    assert saga.failure is None
    assert saga.confirmed
    assert saga["confirmation"].reason == "AlreadyConfirmed"
    for name in STEPS[STEPS.index(step) :]:
        if name != "confirmation":
            assert saga[name].state is StepState.PENDING
            assert next_call(saga) == f"do {name}"
            saga = after(saga, *done(name))
    assert next_call(saga) == "finish Completed"


def test_a_step_that_was_refused_is_called_again_when_the_order_is_confirmed() -> None:
    saga = after(before("shipping"), refused("shipping", "Compensated"), TURN)
    assert next_call(saga) == "do shipping"


def test_reject_finds_a_confirmation_whose_answer_was_lost() -> None:
    saga = after(replace(before("confirmation"), order=new_saga(retry=tries(1)).order), lost("confirmation"))
    assert saga["confirmation"].state is StepState.UNKNOWN
    assert next_call(saga) == "undo confirmation"
    assert next_call(after(saga, TURN)) == "do notification"
    assert next_call(after(saga, *undone("confirmation"))) == "undo shipping"


def test_a_late_cancel_after_forward_recovery_changes_nothing() -> None:
    saga = after(before("payment"), seen("Cancelled"), TURN, seen("Cancelled"))
    assert saga.failure is None
    assert next_call(saga) == "do payment"


def test_a_rejected_order_stays_rejected() -> None:
    assert after(closed(), TURN) == closed()


@pytest.mark.parametrize("reason", ["CardDeclined", "Compensated"])
@pytest.mark.parametrize("step", ["order", "inventory", "payment", "shipping"])
def test_a_refusal_after_the_confirmation_waits_for_a_person(step: str, reason: str) -> None:
    saga = after(before(step), seen("Cancelled"), TURN, refused(step, reason))
    assert saga.failure is None
    assert saga.phase is Phase.FAILED
    assert next_call(saga, NOW + 9_999) == "wait"
    assert {c.type: c.reason for c in conditions_of(saga) if c.status == "True"} == {
        "Stalled": "RefusedAfterConfirmation",
        "CancelRefused": "AlreadyConfirmed",
    }
    for later in (seen("Cancelled", at=NOW + 99_999), seen(deleting=True), seen("Suspended")):
        assert after(saga, later).failure is None


@pytest.mark.parametrize("action", ["RetryNow", "Skip"])
def test_a_person_ends_a_saga_that_was_refused_after_the_confirmation(action: str) -> None:
    saga = after(before("payment"), seen("Cancelled"), TURN, refused("payment", "CardDeclined"))
    saga = after(saga, asked(action, "payment"))
    if action == "RetryNow":
        assert next_call(saga) == "do payment"
        saga = after(saga, *done("payment"))
    assert next_call(saga) == "do shipping"
    saga = after(saga, *done("shipping", "notification"))
    assert next_call(saga) == "finish Completed"
    warnings = [c.message for c in conditions_of(saga) if c.type == "CompletedWithWarning"]
    assert [warning.split(":")[0] for warning in warnings] == (["payment"] if action == "Skip" else [])


def test_no_number_of_lost_answers_rolls_back_a_saga_that_resumed_forward() -> None:
    saga = after(replace(before("payment"), order=new_saga(retry=tries(1)).order), seen("Cancelled"), TURN)
    saga = after(saga, *[lost("payment")] * 5)
    assert saga.failure is None
    assert next_call(saga, NOW + 60) == "do payment"
