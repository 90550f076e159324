"""Forward: one step after the other, tried again while the budget lasts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.process.decide import Wait, decide
from saga_operator.process.events import AlreadyConfirmed, EpochRefused
from saga_operator.process.order import LONGEST_RETRY_AFTER, RetryPolicy
from saga_operator.process.saga import Phase
from saga_operator.process.step_record import LONGEST_POLL, StepState
from tests.unit.process.builders import (
    BEFORE_PIVOT,
    CREATED,
    NOW,
    STEPS,
    UP_TO_PIVOT,
    after,
    asked,
    before,
    closed,
    done,
    in_progress,
    lost,
    new_saga,
    next_call,
    paused,
    refused,
    seen,
    tries,
    undone,
)


def test_the_steps_are_done_one_after_the_other() -> None:
    saga = new_saga()
    assert saga.phase is Phase.PENDING
    for step in STEPS:
        assert next_call(saga) == f"do {step}"
        saga = after(saga, *done(step))
    assert next_call(saga) == "finish Completed"
    assert saga.phase is Phase.COMPLETED
    assert saga.succeeded_steps == len(STEPS)
    assert saga["payment"].external_id == "payment-1"


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_a_refusal_starts_a_rollback_at_once(step: str) -> None:
    before = STEPS[: STEPS.index(step)]
    saga = after(new_saga(), *done(*before), refused(step))
    assert saga[step].state is StepState.REFUSED
    assert saga.failure is not None
    assert (saga.failure.step, saga.failure.reason) == (step, "OutOfStock")
    assert next_call(saga) == "undo confirmation"


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_a_step_without_an_answer_is_tried_again_and_then_given_up(step: str) -> None:
    saga = after(new_saga(retry=tries(3)), *done(*STEPS[: STEPS.index(step)]))
    for attempt in (1, 2):
        saga = after(saga, lost(step))
        assert (saga[step].attempts, saga[step].state, saga.failure) == (attempt, StepState.PENDING, None)
        assert next_call(saga) == f"do {step}"
    saga = after(saga, lost(step))
    assert saga[step].state is StepState.UNKNOWN  # it may have happened
    assert saga.failure is not None
    assert saga.failure.message.startswith("gave up after 3 attempts")
    assert next_call(saga) == "undo confirmation"


def test_a_refused_notification_completes_the_saga() -> None:
    saga = after(new_saga(), *done(*UP_TO_PIVOT), refused("notification", "ContactUnknown"))
    assert saga.failure is None
    assert next_call(saga) == "finish Completed"


def test_after_the_pivot_a_step_is_tried_without_limit() -> None:
    saga = after(new_saga(retry=tries(2)), *done(*UP_TO_PIVOT))
    for _ in range(50):
        saga = after(saga, lost("notification"))
    assert saga.failure is None
    assert saga["notification"].attempts == 50
    assert next_call(saga) == "do notification"


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_in_progress_costs_no_budget(step: str) -> None:
    saga = after(new_saga(retry=tries(1)), *done(*STEPS[: STEPS.index(step)]))
    for _ in range(20):
        saga = after(saga, in_progress(step, wait=5.0))
    assert saga.failure is None
    assert saga[step].attempts == 0
    assert saga[step].location
    assert next_call(saga) == "wait"
    assert next_call(saga, NOW + 5.0) == f"do {step}"


def test_a_lost_answer_forgets_where_to_ask() -> None:
    saga = after(new_saga(), in_progress("order"), lost("order"))
    assert saga["order"].location == ""


def test_a_result_counts_once() -> None:
    once = after(new_saga(), *done("order"))
    assert after(once, *done("order", at=NOW + 9)) == once


@pytest.mark.parametrize("step", BEFORE_PIVOT)
@pytest.mark.parametrize("late", ["succeeded", "refused", "lost", "in progress"])
def test_a_do_result_never_overwrites_an_undo_result(step: str, late: str) -> None:
    saga = after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation", step))
    assert saga[step].state is StepState.COMPENSATED
    event = {
        "succeeded": done(step)[0],
        "refused": refused(step),
        "lost": lost(step),
        "in progress": in_progress(step),
    }[late]
    assert after(saga, event)[step] == saga[step]


def test_what_was_in_flight_when_the_rollback_began_is_recorded_and_undone() -> None:
    saga = after(new_saga(), *done("order"), seen("Cancelled"), *done("inventory"))
    assert saga["inventory"].state is StepState.SUCCEEDED
    assert next_call(saga) == "undo confirmation"


@pytest.mark.parametrize("late", [lost, in_progress, paused, refused])
@pytest.mark.parametrize("reason", ["Compensated", "OutOfStock"])
def test_a_refusal_keeps_its_reason_since_it_says_whether_something_may_be_left(reason: str, late: object) -> None:
    saga = after(new_saga(retry=tries(1)), *done("order"), refused("inventory", reason))
    assert after(saga, late("inventory")) == saga


FINISHED_ORDERS = {
    "Completed": [*done(*STEPS)],
    "Compensated": [*done("order"), refused("inventory"), *undone("confirmation", "shipping", "payment", "order")],
}


@pytest.mark.parametrize("end", FINISHED_ORDERS)
@pytest.mark.parametrize("step", STEPS)
def test_no_answer_changes_a_finished_saga(end: str, step: str) -> None:
    saga = after(new_saga(), *FINISHED_ORDERS[end])
    assert saga.phase == end
    late = [
        *done(step),
        refused(step, "Compensated"),
        lost(step),
        lost(step, undo=True),
        in_progress(step),
        in_progress(step, undo=True),
        *undone(step),
        AlreadyConfirmed(step="confirmation", started=NOW, at=NOW),
    ]
    for event in late:
        assert after(saga, event) == saga


@pytest.mark.parametrize("end", FINISHED_ORDERS)
def test_no_user_request_changes_what_a_finished_saga_records(end: str) -> None:
    saga = after(new_saga(), *FINISHED_ORDERS[end])
    for user_request in (seen("Cancelled"), seen("Suspended"), seen(deleting=True), asked("RetryNow", "payment")):
        changed = after(saga, user_request)
        assert (changed.steps, changed.failure, changed.phase) == (saga.steps, saga.failure, saga.phase)
        assert (changed.suspended_at, changed.intervention) == (None, None)


@given(
    initial=st.integers(1, 3600),
    longer=st.integers(0, 3600),
    attempts=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
    wait=st.none() | st.floats(0, 1e6),
)
def test_backoff_stays_within_its_bounds(
    initial: int, longer: int, attempts: int, jitter: float, wait: float | None
) -> None:
    policy = RetryPolicy(initial_backoff=initial, max_backoff=initial + longer)
    seconds = policy.delay(attempts, jitter=jitter, retry_after=wait)
    assert min(wait or 0, LONGEST_RETRY_AFTER) <= seconds  # never sooner than the participant asked
    assert seconds <= max(policy.max_backoff, min(wait or 0, LONGEST_RETRY_AFTER))
    if wait is None:
        assert seconds <= initial * 2 ** (attempts - 1)


def test_backoff_doubles_up_to_its_limit() -> None:
    policy = RetryPolicy(initial_backoff=1, max_backoff=30)
    delays = [policy.delay(attempts, jitter=1.0, retry_after=None) for attempts in range(1, 8)]
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_waiting_ends_with_the_deadline_at_the_latest() -> None:
    saga = after(new_saga(deadline_seconds=20.0), in_progress("order", wait=60.0))
    assert decide(saga, NOW) == Wait(CREATED + 20.0)


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_a_pause_that_a_participant_asks_for_costs_no_attempt(step: str) -> None:
    patience = RetryPolicy(2, initial_backoff=1, max_backoff=1)
    saga = after(new_saga(retry=patience), *done(*STEPS[: STEPS.index(step)]))
    for _ in range(20):
        saga = after(saga, lost(step, wait=60.0))
    assert (saga.failure, saga[step].attempts) == (None, 0)
    assert next_call(saga, NOW + 59.9) == "wait"
    assert next_call(saga, NOW + 60.0) == f"do {step}"
    assert after(saga, *[lost(step, wait=1.0)] * 2).failure is not None, "a pause as long as the order's own costs one"


@pytest.mark.parametrize("wish", [seen("Cancelled"), seen(deleting=True), seen(at=CREATED + 3600.0)])
def test_no_pause_holds_up_a_cancel_a_deletion_or_the_deadline(wish: object) -> None:
    saga = after(before("payment"), lost("payment", wait=1e9))
    assert decide(saga, NOW) == Wait(saga.deadline)
    assert next_call(after(saga, wish)) == "undo confirmation"


@given(st.lists(st.floats(0.01, 120.0), min_size=1, max_size=60))
def test_polls_come_ever_more_seldom_and_never_sooner_than_asked(waits: list[float]) -> None:
    saga, at = new_saga(), NOW
    for wait in waits:
        saga = after(saga, in_progress("order", at=at, wait=wait))
        pause = saga["order"].retry_at - at
        assert pause >= wait - 1e-3
        assert pause == pytest.approx(max(wait, min((at - NOW) / 2, LONGEST_POLL)), abs=1e-3)
        at = saga["order"].retry_at


def test_an_operation_of_an_hour_is_not_asked_for_each_second() -> None:
    saga, at, polls = new_saga(deadline_seconds=1e6), NOW, 0
    while at < NOW + 3600.0:
        saga, polls = after(saga, in_progress("order", at=at, wait=1.0)), polls + 1
        at = saga["order"].retry_at
    assert polls < 140


@pytest.mark.parametrize("undo", [False, True])
def test_an_epoch_that_is_refused_costs_no_attempt_and_waits(undo: bool) -> None:
    saga = closed() if undo else before("payment")
    step = "shipping" if undo else "payment"
    for _ in range(100):
        saga = after(saga, EpochRefused(step=step, started=NOW, at=NOW, undo=undo, message="seen 9", pause=7.0))
    record = saga[step]
    assert (record.compensation.attempts if undo else record.attempts) == 0
    assert (record.compensation.reason if undo else record.reason) == "ParticipantError"
    assert record.retry_at == NOW + 7.0
    assert record.state is not StepState.COMPENSATION_FAILED
