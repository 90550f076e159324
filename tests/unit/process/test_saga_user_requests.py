"""What people want of a saga: pausing, cancelling in time or too late, and helping it along."""

import pytest

from saga_operator.process.saga import Phase
from saga_operator.process.step_record import StepState
from saga_operator.resource.conditions import conditions_of
from tests.unit.process.builders import (
    CREATED,
    NOW,
    STEPS,
    UP_TO_PIVOT,
    after,
    asked,
    done,
    lost,
    never_undone,
    new_saga,
    next_call,
    refused,
    seen,
    undone,
)

# pausing


def test_a_suspended_saga_makes_no_step() -> None:
    saga = after(new_saga(), *done("order"), seen("Suspended"))
    assert saga.phase is Phase.SUSPENDED
    assert next_call(saga) == "wait"
    assert next_call(after(saga, seen())) == "do inventory"


def test_a_call_in_flight_is_recorded_while_suspended() -> None:
    saga = after(new_saga(), *done("order"), seen("Suspended"), *done("inventory"))
    assert saga["inventory"].state is StepState.SUCCEEDED
    assert next_call(saga) == "wait"


def test_the_deadlines_clock_stands_still() -> None:
    saga = after(new_saga(deadline_seconds=100.0), seen("Suspended", at=CREATED + 90))
    saga = after(saga, seen("Suspended", at=CREATED + 5_000), seen(at=CREATED + 9_090))
    assert saga.suspended_seconds == 9_000
    assert saga.deadline == CREATED + 9_100
    assert saga.failure is None
    assert after(saga, seen(at=CREATED + 9_099)).failure is None
    assert after(saga, seen(at=CREATED + 9_100)).failure is not None


def test_pauses_add_up() -> None:
    saga = new_saga()
    for start in (100.0, 500.0):
        saga = after(saga, seen("Suspended", at=CREATED + start), seen(at=CREATED + start + 50))
    assert saga.suspended_seconds == 100


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    saga = after(new_saga(), seen("Suspended", at=NOW), seen(at=NOW - 60))
    assert saga.suspended_seconds == 0


def test_a_deadline_that_was_over_before_the_pause_still_holds_after_it() -> None:
    saga = after(new_saga(deadline_seconds=5.0), seen("Suspended", at=NOW), seen(at=NOW + 60))
    assert saga.failure is not None
    assert saga.failure.reason == "DeadlineExceeded"


def test_a_rollback_is_not_suspended() -> None:
    saga = after(new_saga(), *done("order"), refused("inventory"), seen("Suspended"))
    assert saga.phase is Phase.COMPENSATING
    assert saga.suspended_at is None
    assert next_call(saga) == "undo confirmation"


@pytest.mark.parametrize("user_request", [seen("Cancelled"), seen("Suspended", deleting=True)])
def test_a_cancel_or_a_deletion_overrides_a_pause(user_request: object) -> None:
    saga = after(new_saga(), *done("order"), seen("Suspended"), user_request)
    assert saga.suspended_at is None
    assert saga.failure is not None
    assert next_call(saga) == "undo confirmation"


def test_steps_after_the_pivot_are_suspended_too() -> None:
    saga = after(new_saga(), *done(*UP_TO_PIVOT), seen("Suspended"))
    assert next_call(saga) == "wait"
    assert next_call(after(saga, seen("Suspended", deleting=True))) == "do notification"


# too late


@pytest.mark.parametrize("steps", [UP_TO_PIVOT, STEPS])
def test_a_cancel_that_comes_too_late_is_refused_and_said(steps: tuple[str, ...]) -> None:
    saga = after(new_saga(), *done(*steps[:5]), seen("Cancelled"), *done(*steps[5:]))
    refusal = next(condition for condition in conditions_of(saga) if condition.type == "CancelRefused")
    assert (refusal.status, refusal.reason) == ("True", "AlreadyConfirmed")
    assert saga.failure is None


# helping it along


def test_each_intervention_acts_once() -> None:
    saga = after(new_saga(), *done("order"), lost("inventory", jitter=1.0), asked("RetryNow", "inventory"))
    assert saga["inventory"].attempts == 0
    assert next_call(saga) == "do inventory"
    again = after(saga, lost("inventory", jitter=1.0), asked("RetryNow", "inventory"))
    assert again["inventory"].attempts == 1
    assert again.intervention == saga.intervention
    assert next_call(again) == "wait"
    assert next_call(after(again, asked("RetryNow", "inventory", "two"))) == "do inventory"


def test_an_id_that_acted_before_another_one_does_not_act_again() -> None:
    saga = after(new_saga(), *done("order"), asked("RetryNow", "inventory"), asked("RetryNow", "inventory", "two"))
    again = after(saga, lost("inventory", jitter=1.0), asked("RetryNow", "inventory"))
    assert again["inventory"].attempts == 1
    assert again.intervention is not None
    assert (again.intervention.outcome, again.intervention.earlier) == ("InterventionRefused", ("one", "two"))
    last = after(again, asked("RetryNow", "inventory", "two"), asked("RetryNow", "inventory", "three"))
    assert last["inventory"].attempts == 0
    assert last.intervention is not None
    assert last.intervention.earlier == ("one", "two")


def test_an_intervention_is_recorded_with_who_and_when() -> None:
    saga = after(new_saga(), *done("order"), asked("RetryNow", "inventory"))
    assert saga.intervention is not None
    assert (saga.intervention.id, saga.intervention.by, saga.intervention.time) == ("one", "mira", NOW)


@pytest.mark.parametrize("steps", range(6))
def test_skip_is_for_after_the_pivot(steps: int) -> None:
    saga = after(new_saga(), *done(*STEPS[:steps]), asked("Skip", "notification"))
    skipped = saga["notification"].state is StepState.SKIPPED
    assert skipped == (steps == 5)
    assert saga.intervention is not None
    assert saga.intervention.outcome == ("Intervened" if skipped else "InterventionRefused")


def test_a_skipped_notification_completes_the_saga_with_a_warning() -> None:
    saga = after(new_saga(), *done(*UP_TO_PIVOT), lost("notification"), asked("Skip", "notification"))
    assert next_call(saga) == "finish Completed"
    assert "CompletedWithWarning" in {condition.type for condition in conditions_of(saga)}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("action", ["Skip", "MarkCompensated"])
def test_nothing_but_a_stuck_undo_can_be_marked_and_no_step_before_the_pivot_skipped(step: str, action: str) -> None:
    for saga in (new_saga(), after(new_saga(), *done(*STEPS[:4])), after(new_saga(), seen("Cancelled"))):
        assert after(saga, asked(action, step)).steps == saga.steps


@pytest.mark.parametrize("step", ["order", "confirmation"])
def test_the_pivot_and_the_order_step_are_never_marked_by_hand(step: str) -> None:
    saga = after(new_saga(), *done(*STEPS[:4]), seen("Cancelled"))
    if step == "order":
        saga = after(saga, *undone("confirmation", "shipping", "payment", "inventory"))
    saga = after(saga, *never_undone(step))
    assert after(saga, asked("MarkCompensated", step)).steps == saga.steps


def test_retry_now_opens_a_stuck_order_step() -> None:
    saga = after(new_saga(), seen("Cancelled"), *undone("confirmation", "shipping", "payment", "inventory"))
    saga = after(saga, *never_undone("order"))
    assert saga.phase is Phase.FAILED
    assert next_call(after(saga, asked("RetryNow", "order"))) == "undo order"


def test_retry_now_does_not_redo_what_has_answered() -> None:
    saga = after(new_saga(), *done("order"), asked("RetryNow", "order"))
    assert saga["order"].state is StepState.SUCCEEDED
    back = after(new_saga(), seen("Cancelled"), *undone("confirmation", "shipping"), asked("RetryNow", "shipping"))
    assert next_call(back) == "undo payment"


def test_an_intervention_for_a_step_that_does_not_exist_is_refused_not_fatal() -> None:
    saga = after(new_saga(), asked("RetryNow", "gift-wrapping"))
    assert saga.intervention is not None
    assert saga.intervention.outcome == "InterventionRefused"
