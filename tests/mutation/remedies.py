"""Each remedy against a hazard, what taking it out looks like, and the test that must notice.

The hazards are those of docs/failure-modes.md.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """`old` stands exactly once in `file`; with `new` in its place the remedy is gone, and `test` has to fail."""

    name: str
    hazard: int
    file: str
    old: str
    new: str
    test: str


OPERATOR = "operator/saga_operator"
RESERVATIONS = "services/inventory/tests/test_reservations.py"

REMEDIES = (
    Remedy(
        "a repeated call replays its stored answer",
        1,
        "common/transitions.py",
        'if operation is not None and operation.state == "answered":\n        return raised(',
        "if False and operation is not None:\n        return raised(",
        f"{RESERVATIONS}::test_a_reserve_sent_many_times_at_once_reserves_once",
    ),
    Remedy(
        "an undo leaves a tombstone, also when it found nothing",
        2,
        "common/transitions.py",
        "return answered(call, record.with_tombstone(), undone(",
        "return answered(call, record, undone(",
        f"{RESERVATIONS}::test_a_late_reserve_meets_the_tombstone",
    ),
    Remedy(
        "a late do meets the tombstone",
        3,
        "common/transitions.py",
        "if forward and record.tombstone:",
        "if False and forward and record.tombstone:",
        f"{RESERVATIONS}::test_a_reserve_that_was_released_doesnt_come_back",
    ),
    Remedy(
        "every write is conditional on the version it was decided on",
        3,
        "common/barrier.py",
        'where = {"_id": id, "barrier.version": document["barrier"]["version"]}',
        'where = {"_id": id}',
        "services/order/tests/test_steps.py::test_confirm_and_reject_at_once_have_one_winner",
    ),
    Remedy(
        "no answer is asked again, not taken for a no",
        4,
        f"{OPERATOR}/participants.py",
        'return self._unavailable(call, reasons.NO_ANSWER, f"no answer from {step.participant}: {what}")',
        'return Refused(step=step.name, started=call.started, at=self._now(), reason="Lost", message=what)',
        "tests/operator/test_answers.py::test_no_answer_is_asked_again_with_the_same_key",
    ),
    Remedy(
        "a rollback undoes every step, also those that nobody remembers",
        5,
        f"{OPERATOR}/saga.py",
        "return record.compensation.completion is not None or (step is not FIRST and refused_for_business(record))",
        "return record.compensation.completion is not None or record.attempts == 0 or refused_for_business(record)",
        "tests/operator/test_answers.py::test_a_refusal_rolls_back_through_the_door_and_in_reverse",
    ),
    Remedy(
        "nothing is undone before the door has answered",
        6,
        f"{OPERATOR}/decide.py",
        "if not saga.door_closed:\n        return _undo_first_due(saga, [PIVOT], now)",
        "if False and not saga.door_closed:\n        return _undo_first_due(saga, [PIVOT], now)",
        "tests/operator/test_answers.py::test_a_refusal_rolls_back_through_the_door_and_in_reverse",
    ),
    Remedy(
        "the decision to roll back is recorded before the first undo",
        7,
        f"{OPERATOR}/decide.py",
        "return isinstance(action, Undo) and recorded.failure is None",
        "return False",
        "tests/operator/test_hazards.py::test_nothing_is_undone_before_the_decision_is_recorded",
    ),
    Remedy(
        "a status write is conditional on the version it was decided on",
        7,
        f"{OPERATOR}/record.py",
        'body = {"metadata": {"resourceVersion": str(self.version)}, "status": patch}',
        'body = {"status": patch}',
        "tests/operator/test_hazards.py::test_a_stale_orchestrator_does_not_overwrite_a_decision",
    ),
    Remedy(
        "a participant refuses the epoch of a former holder of the Lease",
        7,
        "common/transitions.py",
        "if call.epoch is not None and call.epoch < record.epoch:",
        "if False and call.epoch is not None:",
        "services/order/tests/test_steps.py::test_an_older_epoch_is_stale_and_changes_nothing",
    ),
    Remedy(
        "events older than the last version of a finished saga are dropped",
        8,
        f"{OPERATOR}/engine.py",
        "if known is not None and version_of(resource) <= known.version:",
        "if False and known is not None:",
        "tests/operator/test_hazards.py::test_a_finished_saga_is_not_run_again_by_a_stale_event",
    ),
    Remedy(
        "a compensation has a budget, and then a person is told",
        9,
        f"{OPERATOR}/rollback.py",
        "COMPENSATION_ATTEMPTS: Final = 20",
        "COMPENSATION_ATTEMPTS: Final = 20_000",
        "tests/operator/test_wishes.py::test_a_stuck_refund_fails_the_saga_until_a_person_intervenes",
    ),
    Remedy(
        "our finalizer is there before the first effect",
        10,
        f"{OPERATOR}/run.py",
        "await record.ensure_finalizer()",
        "await asyncio.sleep(0)",
        "tests/operator/test_answers.py::test_a_resource_made_by_kubectl_gets_the_finalizer_before_the_first_effect",
    ),
    Remedy(
        "stock moves only if the numbers allow it",
        11,
        "services/inventory/products.py",
        '"available": {"$gte": -move.available},',
        "",
        "services/inventory/tests/test_products.py::test_the_database_itself_refuses_a_move_that_the_numbers_dont_allow",
    ),
    Remedy(
        "the sweep takes up what no event told of",
        12,
        f"{OPERATOR}/sweep.py",
        "await _live(engine)",
        "await asyncio.sleep(0)",
        "tests/operator/test_hazards.py::test_the_sweep_takes_up_a_saga_whose_event_was_lost",
    ),
    Remedy(
        "the sweep clears finalizers that a crash left behind",
        12,
        f"{OPERATOR}/sweep.py",
        'engine.finalizers.add(metadata["name"], metadata["uid"], urgent=urgent)',
        "pass",
        "tests/operator/test_hazards.py::test_the_sweep_clears_a_finalizer_that_a_crash_left_behind",
    ),
    Remedy(
        "a participant that is down costs its sagas no budget",
        0,
        f"{OPERATOR}/downstream.py",
        "SAGAS_TO_OPEN: Final = 5",
        "SAGAS_TO_OPEN: Final = 5_000",
        "tests/operator/test_downstream.py::test_an_outage_costs_no_budget_and_is_visible",
    ),
)
