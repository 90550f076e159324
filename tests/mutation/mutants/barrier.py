"""The barrier: replays, tombstones, epochs, and documents that are damaged."""

from tests.mutation.mutants.mutant import Mutant

RESERVATIONS = "services/inventory/tests/test_reservations.py"

BARRIER = (
    Mutant(
        "a repeated call replays its stored answer",
        1,
        "common/barrier/rules.py",
        'if operation is not None and operation.state == "answered":\n        return with_epoch(',
        "if False and operation is not None:\n        return with_epoch(",
        f"{RESERVATIONS}::test_a_reserve_sent_many_times_at_once_reserves_once",
    ),
    Mutant(
        "a resource that is applied again meets the answers of the first",
        1,
        "common/barrier/rules.py",
        'if operation is not None and operation.state == "answered":\n        return with_epoch(',
        "if False and operation is not None:\n        return with_epoch(",
        "tests/e2e/test_orders_in_git.py::test_a_completed_order_that_is_applied_again_is_completed_again_and_charged_once",
    ),
    Mutant(
        "an undo leaves a tombstone, also when it found nothing",
        2,
        "common/barrier/rules.py",
        "return answered(call, state.with_tombstone(), undone(",
        "return answered(call, state, undone(",
        f"{RESERVATIONS}::test_a_late_reserve_meets_the_tombstone",
    ),
    Mutant(
        "a late do meets the tombstone",
        3,
        "common/barrier/rules.py",
        "if forward and state.tombstone:",
        "if False and forward and state.tombstone:",
        f"{RESERVATIONS}::test_a_reserve_that_was_released_doesnt_come_back",
    ),
    Mutant(
        "every write is conditional on the version it was decided on",
        3,
        "common/barrier/barrier.py",
        'where = {"_id": document_id, "barrier.version": document["barrier"]["version"]}',
        'where = {"_id": document_id}',
        "services/order/tests/test_steps.py::test_confirm_and_reject_at_once_have_one_winner",
    ),
    Mutant(
        "a participant refuses the epoch of a former holder of the Lease",
        7,
        "common/barrier/rules.py",
        "if call.epoch is not None and call.epoch < seen:",
        "if False and call.epoch is not None:",
        "services/order/tests/test_steps.py::test_an_older_epoch_is_stale_and_changes_nothing",
    ),
    Mutant(
        "a higher epoch is kept with whatever is answered",
        7,
        "common/barrier/rules.py",
        "return change(call, state, answer) if (call.epoch or 0) > _seen(call, state) else answer",
        "return answer",
        "tests/unit/common/test_barrier_rules.py::test_a_higher_epoch_is_raised_with_whatever_is_answered",
    ),
    Mutant(
        "a key with another body is refused",
        1,
        "common/barrier/rules.py",
        "operation.fingerprint != call.fingerprint:",
        "False:",
        "services/inventory/tests/test_reservations.py::test_the_same_key_with_another_body_is_refused",
    ),
    Mutant(
        "an effect belongs to one namespace's order",
        1,
        "common/barrier/rules.py",
        "if state.namespace and state.namespace != call.namespace:",
        "if False:",
        "services/order/tests/test_steps.py::test_another_namespace_cannot_use_the_order",
    ),
    Mutant(
        "a fingerprint leaves out what has its default",
        1,
        "common/web/idempotency.py",
        "exclude_defaults=True",
        "exclude_defaults=False",
        "tests/unit/common/test_idempotency.py::test_a_release_that_adds_an_optional_field_changes_no_fingerprint",
    ),
    Mutant(
        "a damaged barrier is never taken for an empty one",
        1,
        "common/barrier/state.py",
        'raise Unreadable(document, f"barrier: {type(error).__name__} {error}") from error',
        "return cls()",
        "tests/unit/common/test_unreadable.py::test_a_damaged_barrier_is_never_taken_for_an_empty_one",
    ),
    Mutant(
        "a damaged order document is the trouble of its own order",
        9,
        "common/barrier/barrier.py",
        'raise Unreadable(document, f"{type(error).__name__} {error}") from error',
        "raise",
        "services/order/tests/test_unreadable.py::test_so_does_a_call_that_finds_another_field_damaged",
    ),
)
