"""Rollback: the decision, reject, the undos in reverse order, and the order itself last."""

from dataclasses import replace

import pytest

from saga_operator.process.decide import Do, Undo, Wait, decide, must_be_recorded_before
from saga_operator.process.events import AlreadyConfirmed, NoUsableAnswer, OrderIDUsed, Undone
from saga_operator.process.order import DEFAULT_COMPENSATIONS, RetryPolicy
from saga_operator.process.saga import Phase, Saga
from saga_operator.process.step_record import StepState
from saga_operator.process.steps import BY_NAME, ORDER_SAGA, PIVOT
from tests.unit.process.builders import (
    BEFORE_PIVOT,
    CREATED,
    NOW,
    UP_TO_PIVOT,
    after,
    asked,
    before,
    closed,
    done,
    in_progress,
    lost,
    never_undone,
    new_saga,
    next_call,
    paused,
    refused,
    rolled_back,
    seen,
    tries,
    undone,
)

ALL_OF_IT = ["confirmation", "shipping", "payment", "inventory", "order", "finish Compensated"]
TOO_LATE = CREATED + 3600.0
LIMITS = DEFAULT_COMPENSATIONS
BACKWARD = ("shipping", "payment", "inventory")
TRIGGERS = {
    "cancel": (seen("Cancelled"), "Cancelled"),
    "deletion": (seen(deleting=True), "Deleted"),
    "deadline": (seen(at=TOO_LATE), "DeadlineExceeded"),
}


@pytest.mark.parametrize("step", UP_TO_PIVOT)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_everything_is_undone_whatever_is_recorded(step: str, trigger: str) -> None:
    event, reason = TRIGGERS[trigger]
    saga = after(before(step), event)
    assert saga.failure is not None
    assert saga.failure.reason == reason
    assert saga.phase is Phase.COMPENSATING
    end, calls = rolled_back(saga)
    assert calls == ALL_OF_IT
    assert end.phase is Phase.COMPENSATED


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_a_step_that_was_given_up_is_undone_too(step: str) -> None:
    saga = after(replace(before(step), order=new_saga(retry=tries(1)).order), lost(step))
    assert rolled_back(saga)[1] == ALL_OF_IT


@pytest.mark.parametrize("step", BEFORE_PIVOT[1:])
def test_only_a_refusal_for_business_is_left_out(step: str) -> None:
    end, calls = rolled_back(after(before(step), refused(step)))
    assert calls == [call for call in ALL_OF_IT if call != step]
    assert end[step].state is StepState.REFUSED


@pytest.mark.parametrize("step", BEFORE_PIVOT[1:])
def test_compensated_may_hide_an_effect_and_is_undone(step: str) -> None:
    assert rolled_back(after(before(step), refused(step, "Compensated")))[1] == ALL_OF_IT


def test_a_refused_order_is_closed_all_the_same() -> None:
    end, calls = rolled_back(after(new_saga(), refused("order", "Compensated")))
    assert calls == ALL_OF_IT
    end, calls = rolled_back(after(new_saga(), refused("order", "Blocked")))
    assert calls == ALL_OF_IT
    assert end["order"].state is StepState.REFUSED


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_nothing_rolls_back_a_confirmed_order(trigger: str) -> None:
    saga = after(new_saga(), *done(*UP_TO_PIVOT), TRIGGERS[trigger][0])
    assert saga.failure is None
    assert next_call(saga) == "do notification"


def test_the_first_decision_stays() -> None:
    saga = after(new_saga(), *done("order"), refused("inventory"), seen("Cancelled"), seen(deleting=True, at=TOO_LATE))
    assert saga.failure is not None
    assert saga.failure.reason == "OutOfStock"


def test_a_refusal_that_comes_late_does_not_change_the_decision() -> None:
    saga = after(new_saga(), *done("order"), seen("Cancelled"), refused("inventory"))
    assert saga.failure is not None
    assert saga.failure.reason == "Cancelled"


def test_an_undo_that_found_nothing_shows_as_skipped() -> None:
    unanswered = after(before("shipping"), lost("shipping"), seen("Cancelled"), *undone("confirmation"))
    saga = after(unanswered, *undone("shipping", effect="none"), *undone("payment"))
    assert saga["shipping"].state is StepState.SKIPPED
    assert saga["payment"].state is StepState.COMPENSATED


@pytest.mark.parametrize("step", BACKWARD)
def test_nothing_to_undo_is_not_believed_of_a_step_that_has_succeeded(step: str) -> None:
    forgotten = undone(step, effect="none")
    saga = after(closed(), *forgotten)
    assert saga[step].compensation.completion is None
    assert saga[step].compensation.reason == "ParticipantError"
    assert "MarkCompensated" in saga[step].compensation.message
    stuck = after(closed(), *undone(*(other for other in BACKWARD if other != step)), *forgotten * LIMITS.attempts)
    assert stuck[step].state is StepState.COMPENSATION_FAILED
    assert stuck.phase is Phase.FAILED

    again = after(stuck, asked("RetryNow", step), *forgotten)
    assert again[step].compensation.completion is None, "not after a person has asked for it again, either"
    assert after(again, *undone(step))[step].state is StepState.COMPENSATED, "its service has found it again"
    end, calls = rolled_back(after(stuck, asked("MarkCompensated", step)))
    assert (calls, end.phase) == (["order", "finish Compensated"], Phase.COMPENSATED)


def test_an_order_that_its_service_has_forgotten_is_closed_all_the_same() -> None:
    saga = after(closed(), *undone(*BACKWARD), *undone("order", effect="none"))
    assert saga.phase is Phase.COMPENSATED, "its document says now that it is cancelled: nothing of it is left"


# the decision is recorded first


@pytest.mark.parametrize("step", ORDER_SAGA[:5], ids=lambda step: step.name)
def test_no_undo_before_the_decision_is_recorded(step: object) -> None:
    recorded = before("payment")
    decided = after(recorded, seen("Cancelled"))
    assert must_be_recorded_before(Undo(step), decided, recorded)
    assert not must_be_recorded_before(Undo(step), decided, decided)


def test_a_do_does_not_wait_for_records() -> None:
    assert not must_be_recorded_before(Do(BY_NAME["payment"]), before("payment"), new_saga())


def test_an_intervention_is_recorded_before_it_is_acted_upon() -> None:
    waiting = after(before("payment"), lost("payment"))
    asked_to = after(waiting, asked("RetryNow", "payment"))
    assert must_be_recorded_before(Do(BY_NAME["payment"]), asked_to, waiting)
    assert not must_be_recorded_before(Do(BY_NAME["payment"]), asked_to, asked_to)


# reject


def test_reject_is_retried_without_limit() -> None:
    saga = after(before("payment"), seen("Cancelled"))
    for attempt in range(LIMITS.attempts * 3):
        saga = after(saga, lost("confirmation", undo=True, at=NOW + attempt * LIMITS.seconds))
    assert next_call(saga, saga["confirmation"].retry_at) == "undo confirmation"
    assert saga.phase is Phase.COMPENSATING


def refused_for_good(step: str) -> NoUsableAnswer:
    return replace(lost(step, undo=True), reason="DocumentUnreadable", message="order o-1: mend it", refused=True)


def test_a_reject_that_is_refused_for_good_ends_in_front_of_a_person_and_nothing_is_undone_before_it() -> None:
    """The order's document is damaged: only a person can mend it, and no other saga suffers from it."""
    saga = after(before("payment"), seen("Cancelled"))
    for _ in range(LIMITS.attempts):
        assert saga.phase is Phase.COMPENSATING
        assert next_call(saga, saga["confirmation"].retry_at) == "undo confirmation"
        saga = after(saga, refused_for_good("confirmation"))
    assert saga.phase is Phase.FAILED
    assert decide(saga, NOW + 1e9) == Wait(None)
    saga = after(saga, asked("MarkCompensated", "confirmation", "by-hand"))
    assert saga.phase is Phase.FAILED, "nobody may decide in the order's place"
    saga = after(saga, asked("RetryNow", "confirmation"))
    assert next_call(saga, NOW) == "undo confirmation"
    assert after(saga, AlreadyConfirmed(step="confirmation", started=NOW, at=NOW)).phase is Phase.RUNNING
    assert after(saga, *undone("confirmation", "shipping", "payment", "inventory", "order")).phase is Phase.COMPENSATED


def test_an_order_service_that_takes_our_own_order_for_anothers_is_asked_only_so_often() -> None:
    saga = after(before("payment"), seen("Cancelled"))
    for _ in range(LIMITS.attempts):
        saga = after(saga, OrderIDUsed(step="confirmation", started=NOW, at=NOW, message="other content"))
    assert saga.phase is Phase.FAILED


def test_a_reject_that_fails_for_hours_is_no_hot_loop() -> None:
    saga = after(before("payment"), seen("Cancelled"), *[lost("confirmation", undo=True)] * LIMITS.attempts)
    saga = after(saga, lost("confirmation", undo=True, at=NOW + 9_999, jitter=0.5))
    assert saga["confirmation"].retry_at == NOW + 9_999 + 15


def test_a_reject_in_progress_for_hours_is_called_again() -> None:
    saga = after(before("payment"), seen("Cancelled"), in_progress("confirmation", undo=True, started=NOW))
    saga = after(saga, in_progress("confirmation", undo=True, started=NOW, at=NOW + 9_999))
    assert saga["confirmation"].state is StepState.PENDING
    assert next_call(saga, NOW + 20_000) == "undo confirmation"


@pytest.mark.parametrize("reason", ["Compensated", "CardDeclined"])
def test_an_order_that_somebody_cancelled_before_is_undone_all_the_same(reason: str) -> None:
    saga = after(before("payment"), refused("payment", reason))
    saga = after(saga, Undone(step="confirmation", started=NOW, at=NOW, closed=True))
    saga, undos = rolled_back(saga)
    charged = ["payment"] if reason == "Compensated" else []  # `compensated` may hide a charge
    assert undos == ["shipping", *charged, "inventory", "order", "finish Compensated"]
    assert saga.failure is not None
    assert saga.failure.reason == ("OrderAlreadyCancelled" if reason == "Compensated" else reason)


# another order under this id

USED = OrderIDUsed(step="order", started=NOW, at=NOW, message="key_reused: another order")


def test_an_id_that_is_taken_ends_the_saga_without_an_undo() -> None:
    saga = after(new_saga(), USED)
    assert next_call(saga) == "finish Compensated"
    assert saga.failure is not None
    assert saga.failure.reason == "OrderIDUsed"
    assert saga["order"].state is StepState.REFUSED


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_reject_too_finds_that_an_id_is_taken(trigger: str) -> None:
    saga = after(new_saga(), TRIGGERS[trigger][0], OrderIDUsed(step="confirmation", started=NOW, at=NOW))
    assert next_call(saga) == "finish Compensated"
    assert saga.failure is not None
    assert saga.failure.reason == "OrderIDUsed"


@pytest.mark.parametrize("step", ["order", "confirmation"])
def test_an_id_cannot_be_anothers_once_our_order_stands(step: str) -> None:
    saga = after(before("confirmation"), OrderIDUsed(step=step, started=NOW, at=NOW, message="odd"))
    assert saga.phase is not Phase.COMPENSATED
    if step == "confirmation":
        assert saga["confirmation"].reason == "ParticipantError"
        saga = after(before("confirmation"), seen("Cancelled"), OrderIDUsed(step=step, started=NOW, at=NOW))
        assert saga["confirmation"].compensation.reason == "ParticipantError"
        assert next_call(saga, NOW + 60) == "undo confirmation"


# what is stuck


def stuck(saga: Saga, step: str) -> Saga:
    return after(saga, *never_undone(step))


def test_an_undo_is_given_up_once_its_attempts_and_its_time_are_spent() -> None:
    in_time = NOW + LIMITS.seconds - 1
    quick = after(closed(), *[lost("shipping", undo=True, at=in_time)] * (LIMITS.attempts * 2))
    assert quick["shipping"].state is StepState.SUCCEEDED, "the attempts alone"
    slow = after(closed(), lost("shipping", undo=True), *[lost("shipping", undo=True, at=NOW + 9_999)] * 18)
    assert slow["shipping"].state is StepState.SUCCEEDED, "the time alone"
    assert slow["shipping"].compensation.attempts == LIMITS.attempts - 1
    assert after(slow, lost("shipping", undo=True, at=NOW + 9_999))["shipping"].state is StepState.COMPENSATION_FAILED


def test_an_undo_that_is_refused_for_good_is_given_up_after_its_attempts() -> None:
    refusal = replace(lost("shipping", undo=True), reason="HandedOver", refused=True)
    saga = after(closed(), *[refusal] * (LIMITS.attempts - 1))
    assert saga["shipping"].state is StepState.SUCCEEDED
    assert after(saga, refusal)["shipping"].state is StepState.COMPENSATION_FAILED


@pytest.mark.parametrize("step", ["confirmation", "shipping", "payment", "inventory", "order"])
@pytest.mark.parametrize("seconds", [1, 3600])
def test_the_orders_own_retry_is_not_for_compensations(step: str, seconds: int) -> None:
    hasty = new_saga(retry=RetryPolicy(1, initial_backoff=seconds, max_backoff=seconds)).order
    saga = replace(before("confirmation") if step == "confirmation" else closed(), order=hasty)
    saga = after(saga, seen("Cancelled"))
    pauses = []
    for _ in range(8):
        saga = after(saga, lost(step, undo=True, jitter=1.0))
        pauses.append(saga[step].retry_at - NOW)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_the_last_attempt_of_an_undo_comes_when_its_time_is_up() -> None:
    saga = after(closed(), *[lost("payment", undo=True)] * LIMITS.attempts)
    nearly = NOW + LIMITS.seconds - 5
    saga = after(saga, lost("payment", undo=True, at=nearly, jitter=0.99))
    assert saga["payment"].retry_at == NOW + LIMITS.seconds
    asked_to = after(saga, lost("payment", undo=True, at=nearly, jitter=0.99, wait=20.0))
    assert asked_to["payment"].retry_at == nearly + 20.0


def test_an_undo_waits_as_long_as_it_is_asked_to() -> None:
    saga = after(closed(), lost("payment", undo=True, wait=240.0))
    assert saga["payment"].retry_at == NOW + 240.0
    assert after(closed(), lost("payment", undo=True, wait=1e9))["payment"].retry_at == NOW + 3600.0


def test_one_that_is_stuck_does_not_hold_up_the_others() -> None:
    saga = stuck(closed(), "shipping")
    end, calls = rolled_back(saga)
    assert calls == ["payment", "inventory", "wait"]  # and the order stays open
    assert end.phase is Phase.FAILED
    assert end.current_step == "shipping"


def test_one_that_waits_does_not_hold_up_the_others() -> None:
    saga = after(closed(), lost("shipping", undo=True, jitter=1.0))
    assert next_call(saga) == "undo payment"
    assert next_call(saga, NOW + 30) == "undo shipping"


def test_the_phase_is_failed_only_when_nothing_else_is_left_to_do() -> None:
    assert stuck(closed(), "shipping").phase is Phase.COMPENSATING
    assert stuck(after(closed(), *undone("shipping", "payment", "inventory")), "order").phase is Phase.FAILED


@pytest.mark.parametrize("way_out", ["RetryNow", "MarkCompensated"])
@pytest.mark.parametrize("step", ["shipping", "payment", "inventory"])
def test_failed_can_be_left(step: str, way_out: str) -> None:
    others = [name for name in ("shipping", "payment", "inventory") if name != step]
    failed = stuck(after(closed(), *undone(*others)), step)
    assert failed.phase is Phase.FAILED
    saga = after(failed, asked(way_out, step))
    assert saga.intervention is not None
    assert next_call(saga) == (f"undo {step}" if way_out == "RetryNow" else "undo order")
    assert rolled_back(saga)[0].phase is Phase.COMPENSATED


def test_retry_now_gives_a_new_budget() -> None:
    saga = after(stuck(closed(), "shipping"), asked("RetryNow", "shipping"))
    again = NOW + 9_999
    saga = after(saga, *[lost("shipping", undo=True, at=again)] * (LIMITS.attempts * 2))
    assert saga["shipping"].state is StepState.UNKNOWN
    saga = after(saga, lost("shipping", undo=True, at=again + LIMITS.seconds))
    assert saga["shipping"].state is StepState.COMPENSATION_FAILED


def test_an_undo_in_progress_costs_no_budget_but_has_a_limit() -> None:
    saga = closed()
    for _ in range(LIMITS.attempts * 2):
        saga = after(saga, in_progress("payment", undo=True))
    at_limit = NOW + LIMITS.in_progress_seconds
    saga = after(saga, in_progress("payment", undo=True, at=at_limit))
    assert saga["payment"].state is StepState.SUCCEEDED
    assert saga["payment"].compensation.attempts == 0
    saga = after(saga, in_progress("payment", undo=True, at=at_limit + 1))
    assert saga["payment"].state is StepState.COMPENSATION_FAILED
    assert saga["payment"].compensation.reason == "CompensationTimedOut"


INTERRUPTIONS = {
    "no answer": lost("payment", undo=True, at=NOW + 800),
    "the participant is down": replace(paused("payment", undo=True), at=NOW + 800),
    "a person asks for it": replace(asked("RetryNow", "payment"), at=NOW + 800),
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_what_was_before_an_interruption_was_no_progress(interruption: str) -> None:
    """An outage of a quarter of an hour is no sign that a refund doesn't end."""
    saga = after(closed(), in_progress("payment", undo=True), INTERRUPTIONS[interruption])
    saga = after(saga, in_progress("payment", undo=True, at=NOW + 1_000))
    assert saga["payment"].state is StepState.SUCCEEDED
    saga = after(saga, in_progress("payment", undo=True, at=NOW + 1_900))
    assert saga["payment"].state is StepState.SUCCEEDED
    saga = after(saga, in_progress("payment", undo=True, at=NOW + 1_901))
    assert saga["payment"].compensation.reason == "CompensationTimedOut"


def test_a_time_without_an_operator_is_no_progress_and_no_attempt() -> None:
    away = replace(seen("Cancelled", at=NOW + 5_000), absences=((NOW + 10, NOW + 4_990),))
    waiting = after(
        closed(), in_progress("payment", undo=True), away, in_progress("payment", undo=True, at=NOW + 5_001)
    )
    assert waiting["payment"].state is StepState.SUCCEEDED
    trying = after(closed(), *[lost("payment", undo=True)] * LIMITS.attempts, away)
    assert after(trying, lost("payment", undo=True, at=NOW + 5_001))["payment"].state is StepState.SUCCEEDED


def test_the_first_call_of_an_undo_is_not_the_first_progress() -> None:
    saga = after(closed(), lost("payment", undo=True), in_progress("payment", undo=True, at=NOW + 5_000))
    assert saga["payment"].state is StepState.SUCCEEDED


def test_a_step_that_was_in_progress_says_so_no_longer_once_it_is_undone() -> None:
    waiting = after(before("payment"), in_progress("payment"), seen("Cancelled"), *undone("confirmation"))
    assert waiting["payment"].reason == "InProgress"
    assert after(waiting, *undone("payment"))["payment"].reason == ""


def test_an_undo_that_answers_after_all_is_taken() -> None:
    saga = after(stuck(closed(), "payment"), *undone("payment"))
    assert saga["payment"].state is StepState.COMPENSATED


@pytest.mark.parametrize(
    "event", [undone("shipping")[0], lost("shipping", undo=True), in_progress("shipping", undo=True)]
)
def test_an_undo_answer_without_a_rollback_changes_nothing(event: object) -> None:
    saga = before("confirmation")
    assert after(saga, event) == saga


def test_no_deadline_or_cancel_cuts_a_rollback() -> None:
    saga = after(closed(), seen("Cancelled", at=TOO_LATE + 9_999))
    assert next_call(saga, TOO_LATE + 9_999) == "undo shipping"


def test_the_pivots_undo_is_reject() -> None:
    assert PIVOT.undo is not None
    assert PIVOT.undo.endswith("/reject")
