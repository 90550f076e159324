"""A rollback whose reject finds the order confirmed resumes forward, and is never rolled back after that."""

from dataclasses import replace

import pytest

from saga_operator.process.events import AlreadyConfirmed
from saga_operator.process.saga import StepState
from tests.unit.process.builders import (
    NOW,
    STEPS,
    UP_TO_PIVOT,
    after,
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


def test_a_refusal_after_forward_recovery_is_asked_again_and_seen() -> None:
    saga = after(before("payment"), seen("Cancelled"), TURN, refused("payment", "CardDeclined"))
    assert saga.failure is None
    assert saga["payment"].reason == "ParticipantError"
    assert next_call(saga, NOW + 60) == "do payment"


def test_no_number_of_lost_answers_rolls_back_a_saga_that_resumed_forward() -> None:
    saga = after(replace(before("payment"), order=new_saga(retry=tries(1)).order), seen("Cancelled"), TURN)
    saga = after(saga, *[lost("payment")] * 5)
    assert saga.failure is None
    assert next_call(saga, NOW + 60) == "do payment"
