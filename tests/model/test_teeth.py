"""The exploration sees it at once when a rule is left out: of the decisions, or of what the participants promise.

Each case takes one rule out of otherwise real parts and expects to be told.
"""

from dataclasses import replace

import pytest

from saga_operator.process import evolve as real
from saga_operator.process.decide import Action, Finish, Undo, Wait, decide, must_be_recorded_before
from saga_operator.process.events import AlreadyConfirmed, DoRefused, Event, NoUsableAnswer, OrderIDUsed, Undone
from saga_operator.process.rollback import nothing_left
from saga_operator.process.saga import Phase, Saga, settled_backward
from saga_operator.process.step_record import StepState, is_stuck
from saga_operator.process.steps import BACKWARD, FIRST, PIVOT
from tests.model.exploring import Explored, explore
from tests.model.moves import Budget
from tests.model.participants import CANCEL, CONFIRM, PAYMENT, REJECT, SHIPPING, Participants
from tests.model.sagas import Core
from tests.model.world import Bounds, World

ONE_LATE_CALL = Bounds(budget=Budget(late=1, refusals=1), lag=2)
A_LATE_CALL_AND_A_DEADLINE = Bounds(budget=Budget(late=1, requests=1), lag=1, requests=frozenset({"deadline"}))
ONE_LOST_ANSWER = Bounds(budget=Budget(faults=1, refusals=1), lag=2)
A_CANCEL = Bounds(budget=Budget(requests=1, crashes=1), lag=2)
TWO_OPERATORS = Bounds(budget=Budget(faults=1, refusals=1), operators=2, lag=1)


def found_without(bounds: Bounds, *, core: Core | None = None, participants: Participants | None = None) -> Explored:
    found = explore(World(bounds, core=core, participants=participants), limit=300_000)
    print(f"\n    {found}")
    return found


# what participants promise


def test_an_undo_that_leaves_no_tombstone() -> None:
    found = found_without(ONE_LATE_CALL, participants=Participants(tombstones=False))
    assert "before everything else was undone" in found.broken  # the late do, behind its undo
    assert "arrives late" in found.trace[-1]


def test_a_do_that_is_done_again_after_its_undo() -> None:
    found = found_without(
        ONE_LATE_CALL, core=Core(max_attempts=2), participants=Participants(undone_stays_undone=False)
    )
    assert "happened twice" in found.broken


def test_a_do_that_is_not_replayed() -> None:
    found = found_without(ONE_LOST_ANSWER, core=Core(max_attempts=2), participants=Participants(replays=False))
    assert "happened twice" in found.broken


def test_a_confirm_that_ignores_a_reject() -> None:
    found = found_without(A_LATE_CALL_AND_A_DEADLINE, participants=Participants(reject_bars_confirm=False))
    assert found.broken


def test_a_reject_of_a_confirmed_order() -> None:
    found = found_without(ONE_LOST_ANSWER, participants=Participants(reject_spares_confirmed=False))
    assert found.broken


def test_a_reject_that_leaves_nothing_where_no_order_is_yet() -> None:
    found = found_without(ONE_LATE_CALL, participants=Participants(reject_creates=False))
    assert found.broken


# decide


def without_reject(saga: Saga, now: float) -> Action:
    if saga.failure is None or saga.rejected:
        return decide(saga, now)
    for step in (*BACKWARD, FIRST):
        if not settled_backward(saga, step) and not is_stuck(saga[step.name]):
            return Undo(step)
    return Finish(Phase.COMPENSATED)


def only_what_is_recorded(saga: Saga, now: float) -> Action:
    """Undo only the steps that are known to have happened, as a saga in the textbooks does."""
    action = decide(saga, now)
    while isinstance(action, Undo) and action.step in BACKWARD and saga[action.step.name].state is StepState.PENDING:
        record = saga[action.step.name]
        saga = saga.put(replace(record, compensation=replace(record.compensation, completion=now)))
        action = decide(saga, now)
    return action


def in_the_order_of_doing(saga: Saga, now: float) -> Action:
    action = decide(saga, now)
    if isinstance(action, Undo) and action.step in BACKWARD:
        return Undo(next(step for step in reversed(BACKWARD) if not settled_backward(saga, step)))
    return action


def order_closed_first(saga: Saga, now: float) -> Action:
    action = decide(saga, now)
    closable = saga.rejected and not settled_backward(saga, FIRST) and not is_stuck(saga[FIRST.name])
    return Undo(FIRST) if isinstance(action, Undo) and closable else action


def stuck_ones_are_left(saga: Saga, now: float) -> Action:
    action = decide(saga, now)
    if isinstance(action, Wait) and saga.phase is Phase.FAILED and not settled_backward(saga, FIRST):
        return Undo(FIRST)
    return action


def waits_for_ever(saga: Saga, now: float) -> Action:
    """Takes an Unknown confirmation for the end."""
    return Wait(None) if saga[PIVOT.name].state is StepState.UNKNOWN else decide(saga, now)


@pytest.mark.parametrize(
    ("rule", "bounds", "told"),
    [
        (without_reject, ONE_LOST_ANSWER, "while the order is"),
        (only_what_is_recorded, A_CANCEL, "before everything else was undone"),
        (in_the_order_of_doing, ONE_LOST_ANSWER, "is undone while"),
        (order_closed_first, ONE_LOST_ANSWER, "before everything else was undone"),
        (stuck_ones_are_left, Bounds(budget=Budget(refusals=1, stuck=1)), "before everything else was undone"),
        (waits_for_ever, ONE_LOST_ANSWER, "can't end"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_decision_without(rule: object, bounds: Bounds, told: str) -> None:
    found = found_without(bounds, core=Core(decide=rule))
    assert told in str(found)


# must_be_recorded_before


def test_an_undo_before_the_decision_is_recorded() -> None:
    core = Core(must_be_recorded_before=lambda action, saga, recorded: False)
    assert "before the decision" in found_without(ONE_LOST_ANSWER, core=core).broken


def test_waiting_for_every_record_is_safe_too_only_slow() -> None:
    core = Core(must_be_recorded_before=lambda action, saga, recorded: (
        must_be_recorded_before(action, saga, recorded) or saga.failure != recorded.failure
    ))  # fmt: skip
    found = found_without(ONE_LOST_ANSWER, core=core)
    assert not found.broken
    assert not found.endless


# evolve


def answers_overwrite(saga: Saga, event: Event) -> Saga:
    """The answer to a call changes what another process has recorded as finished."""
    if saga.phase is Phase.COMPENSATED and isinstance(event, Undone):
        record = saga[event.step]
        return saga.put(replace(record, compensation=replace(record.compensation, completion=None)))
    return real.evolve(saga, event)


def never_resumes_forward(saga: Saga, event: Event) -> Saga:
    return saga if isinstance(event, AlreadyConfirmed) else real.evolve(saga, event)


def rolls_back_a_confirmed_order(saga: Saga, event: Event) -> Saga:
    """Takes "already confirmed" for an answer that the order is rejected."""
    if isinstance(event, AlreadyConfirmed):
        return real.evolve(saga, Undone(step=event.step, started=event.started, at=event.at))
    return real.evolve(saga, event)


def trusts_compensated(saga: Saga, event: Event) -> Saga:
    """Takes `compensated` for a refusal that holds nothing: but it may hide an effect that is not undone yet."""
    if isinstance(event, DoRefused):
        event = replace(event, reason="OutOfStock")
    return real.evolve(saga, event)


def test_a_tombstone_taken_for_a_refusal_that_holds_nothing() -> None:
    core, slow = (
        Core(evolve=trusts_compensated),
        Participants(slow=frozenset({PAYMENT}), may_refuse=frozenset({SHIPPING})),
    )
    assert "before everything else was undone" in found_without(TWO_OPERATORS, core=core, participants=slow).broken


def undoes_for_another_order(saga: Saga, event: Event) -> Saga:
    """Rolls back although the id is another order's."""
    if isinstance(event, OrderIDUsed):
        event = DoRefused(step=event.step, started=event.started, at=event.at, reason="OrderIDUsed")
    return real.evolve(saga, event)


def trusts_closed(saga: Saga, event: Event) -> Saga:
    """Takes a cancelled order for one whose other steps were undone."""
    after = real.evolve(saga, event)
    return nothing_left(after, event.at) if isinstance(event, Undone) and event.closed else after


def asks_for_ever(saga: Saga, event: Event) -> Saga:
    """Asks again and again for what is refused after a stranger's confirmation."""
    if isinstance(event, DoRefused) and saga.confirmed:
        event = NoUsableAnswer.participant_error(event, undo=False, message="")
    return real.evolve(saga, event)


@pytest.mark.parametrize(
    ("rule", "strangers", "told"),
    [
        (trusts_closed, {REJECT, CANCEL}, "something is left"),
        (asks_for_ever, {CONFIRM}, "can't end"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_change_that_a_stranger_can_use(rule: object, strangers: set[int], told: str) -> None:
    calls = frozenset((call, False) for call in strangers)
    bounds = Bounds(budget=Budget(strangers=2, refusals=1), lag=1, strangers=calls)
    assert told in str(found_without(bounds, core=Core(evolve=rule)))


@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        (answers_overwrite, TWO_OPERATORS),
        (never_resumes_forward, ONE_LOST_ANSWER),
        (rolls_back_a_confirmed_order, ONE_LOST_ANSWER),
        (undoes_for_another_order, Bounds(budget=Budget(rebirths=1), other_content=True)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_change_that(rule: object, bounds: Bounds) -> None:
    found = found_without(bounds, core=Core(evolve=rule))
    assert found.broken or found.endless
