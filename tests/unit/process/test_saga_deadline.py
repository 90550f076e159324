"""The deadline: its clock stands still while nothing could be done."""

from dataclasses import replace

import pytest

from saga_operator.process.decide import Wait, decide
from saga_operator.process.saga import Saga
from tests.unit.process.builders import (
    CREATED,
    UP_TO_PIVOT,
    after,
    before,
    done,
    in_progress,
    lost,
    new_saga,
    next_call,
    paused,
    refused,
    seen,
)

DEADLINE = CREATED + 3600.0
DOWN = replace(paused("payment"), started=CREATED + 100.0, at=CREATED + 105.0, until=CREATED + 705.0)
LONG_AFTER = CREATED + 50_000.0


def waiting() -> Saga:
    """Its payment service is down since its hundredth second."""
    return after(before("payment"), DOWN)


def rolls_back(saga: Saga, at: float) -> bool:
    return after(saga, replace(seen(at=at), absences=saga.absences)).failure is not None


def test_it_stands_still_while_the_next_step_waits_for_its_participant() -> None:
    assert not rolls_back(waiting(), LONG_AFTER)
    assert decide(waiting(), CREATED + 200.0) == Wait(DOWN.until), "it isn't woken for a deadline that doesn't count"


ANSWERS = {
    "an answer that isn't one": lost("payment", at=LONG_AFTER),
    "in progress": in_progress("payment", at=LONG_AFTER),
    "a success": done("payment", at=LONG_AFTER)[0],
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_goes_on_when_the_participant_answers(answer: str) -> None:
    saga = after(waiting(), replace(DOWN, at=CREATED + 700.0, started=CREATED + 700.0), ANSWERS[answer])
    assert saga.waited_seconds == LONG_AFTER - DOWN.started
    moved = DEADLINE + saga.waited_seconds
    assert not rolls_back(saga, moved - 0.1)
    assert rolls_back(saga, moved)


@pytest.mark.parametrize("wish", [seen("Cancelled", at=LONG_AFTER), seen(deleting=True, at=LONG_AFTER)])
def test_a_cancel_and_a_deletion_work_while_it_stands_still(wish: object) -> None:
    assert next_call(after(waiting(), wish), LONG_AFTER) == "undo confirmation"


def test_a_suspension_while_it_waits_counts_once() -> None:
    suspended = after(waiting(), seen("Suspended", at=CREATED + 1_100.0))
    assert (suspended.waited_seconds, suspended.waiting_since) == (1_000.0, None)
    resumed = after(suspended, seen(at=CREATED + 3_100.0))
    assert (resumed.suspended_seconds, resumed.waited_seconds) == (2_000.0, 1_000.0)
    assert resumed.waiting_since == CREATED + 3_100.0, "the participant is still down"
    assert not rolls_back(resumed, LONG_AFTER)


def test_a_saga_that_was_suspended_while_it_waited_calls_at_once_when_it_goes_on() -> None:
    """It gave its place away, so nobody wakes it when the participant is back."""
    resumed = after(waiting(), seen("Suspended", at=CREATED + 200.0), seen(at=CREATED + 210.0))
    assert next_call(resumed, CREATED + 210.0) == "do payment"


AWAY = (CREATED + 1_000.0, CREATED + 1_500.0)
CASES = {
    "before it was created": ((CREATED - 900.0, CREATED - 100.0), 0.0),
    "from before its creation on": ((CREATED - 900.0, CREATED + 50.0), 50.0),
    "in the middle": (AWAY, 500.0),
    "from the beginning of all time": ((0.0, CREATED + 60.0), 60.0),
}


@pytest.mark.parametrize("case", CASES)
def test_it_stands_still_while_there_is_no_operator(case: str) -> None:
    absence, seconds = CASES[case]
    saga = after(new_saga(), replace(seen(at=CREATED + 1_600.0), absences=(absence,)))
    assert not rolls_back(saga, DEADLINE + seconds - 0.1)
    assert rolls_back(saga, DEADLINE + seconds)


@pytest.mark.parametrize("state", ["suspended", "waiting"])
def test_an_absence_in_a_time_that_does_not_count_counts_once(state: str) -> None:
    begun = after(before("payment"), seen("Suspended", at=CREATED + 100.0)) if state == "suspended" else waiting()
    back = CREATED + 2_100.0
    saga = after(begun, replace(seen(at=back), absences=(AWAY,)))
    saga = saga if state == "suspended" else after(saga, lost("payment", at=back))
    assert saga.deadline == DEADLINE + 2_000.0


@pytest.mark.parametrize("step", UP_TO_PIVOT)
def test_every_step_before_the_confirmation_may_wait(step: str) -> None:
    saga = after(before(step), replace(DOWN, step=step))
    assert not rolls_back(saga, LONG_AFTER)
    confirmed = after(new_saga(), *done(*UP_TO_PIVOT), replace(DOWN, step="notification"))
    assert confirmed.waiting_since is None


def test_a_rollback_waits_for_nothing() -> None:
    assert after(waiting(), refused("payment")).waiting_since is None
