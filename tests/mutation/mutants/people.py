"""What people may ask of a saga: pauses, interventions and deletions."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

PEOPLE = (
    Mutant(
        "an intervention is recorded before it is acted upon",
        7,
        f"{OPERATOR}/process/decide.py",
        "return isinstance(action, Do | Undo)\n",
        "return False\n",
        "tests/unit/process/test_saga_rollback.py::test_an_intervention_is_recorded_before_it_is_acted_upon",
    ),
    Mutant(
        "a rollback is not suspended",
        9,
        f"{OPERATOR}/process/evolve.py",
        "event.desired is Desired.SUSPENDED and saga.failure is None and not",
        "event.desired is Desired.SUSPENDED and not",
        "tests/unit/process/test_saga_user_requests.py::test_a_rollback_is_not_suspended",
    ),
    Mutant(
        "each intervention acts once",
        9,
        f"{OPERATOR}/process/interventions.py",
        "if request is None or (saga.intervention is not None and saga.intervention.id == request.id):",
        "if request is None:",
        "tests/unit/process/test_saga_user_requests.py::test_each_intervention_acts_once",
    ),
    Mutant(
        "the pivot and the order step are never marked by hand",
        9,
        f"{OPERATOR}/process/interventions.py",
        "if is_stuck(record) and BY_NAME[record.name] in BACKWARD:",
        "if is_stuck(record):",
        "tests/unit/process/test_saga_user_requests.py::test_the_pivot_and_the_order_step_are_never_marked_by_hand",
    ),
    Mutant(
        "only what is stuck can be marked by hand",
        9,
        f"{OPERATOR}/process/interventions.py",
        "if is_stuck(record) and BY_NAME[record.name] in BACKWARD:",
        "if BY_NAME[record.name] in BACKWARD:",
        "tests/unit/process/test_saga_user_requests.py::test_nothing_but_a_stuck_undo_can_be_marked_and_no_step_before_the_pivot_skipped",
    ),
    Mutant(
        "nothing is skipped before the pivot",
        9,
        f"{OPERATOR}/process/interventions.py",
        '"Skip" if saga.confirmed and',
        '"Skip" if',
        "tests/unit/process/test_saga_user_requests.py::test_skip_is_for_after_the_pivot",
    ),
    Mutant(
        "a deletion rolls back before it goes",
        10,
        f"{OPERATOR}/process/evolve.py",
        "if event.deleting:\n",
        "if False:\n",
        "tests/operator/requests/test_user_requests.py::test_a_deletion_at_any_step_compensates_before_it_goes",
    ),
    Mutant(
        "a deletion overrides a pause",
        10,
        f"{OPERATOR}/process/evolve.py",
        "saga.failure is None and not event.deleting\n",
        "saga.failure is None\n",
        "tests/unit/process/test_saga_user_requests.py::test_a_cancel_or_a_deletion_overrides_a_pause",
    ),
)
