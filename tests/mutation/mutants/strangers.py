"""Remedies against calls of strangers, and against clocks that are wrong."""

from typing import Final

from tests.mutation.mutants.mutant import OPERATOR, Mutant

STRANGER: Final = 13

STRANGERS: Final = (
    Mutant(
        "an epoch far ahead of a service's clock is refused",
        STRANGER,
        "common/web/idempotency.py",
        "if saga_epoch is not None and saga_epoch > (clock := _now()) + EPOCH_AHEAD:",
        "if saga_epoch is not None and saga_epoch > (clock := _now()) + 2**63:",
        "tests/unit/common/test_idempotency.py::test_an_epoch_far_ahead_of_the_clock_is_refused_with_the_clock",
    ),
    Mutant(
        "a stored epoch that no operator can have yet is not believed",
        STRANGER,
        "common/barrier/rules.py",
        "return state.epoch if state.epoch <= call.newest_epoch else 0",
        "return state.epoch",
        "tests/unit/common/test_barrier_rules.py::test_a_stored_epoch_that_no_operator_can_have_yet_is_not_believed",
    ),
    Mutant(
        "the epoch rises above the one that was seen in one jump",
        STRANGER,
        f"{OPERATOR}/lease.py",
        "record.next_epoch(max(last, above), now)",
        "record.next_epoch(last, now)",
        "tests/operator/answers/test_strangers.py::test_an_epoch_that_a_participant_has_seen_is_passed_in_one_jump_and_people_are_told",
    ),
    Mutant(
        "an epoch that no clock can have made is not followed",
        STRANGER,
        f"{OPERATOR}/lease.py",
        "above=above if record.is_plausible(above, self._now()) else None",
        "above=above",
        "tests/operator/answers/test_strangers.py::test_an_epoch_that_nobody_can_pass_neither_loops_nor_stays_unseen_and_the_saga_ends_with_it",
    ),
    Mutant(
        "a participant whose clock is behind gets an epoch that it takes",
        STRANGER,
        f"{OPERATOR}/engine/calls/call_gate.py",
        "self._limits[participant] = _Limit(refused.clock, self._monotonic())",
        "pass",
        "tests/unit/engine/test_call_gate.py::test_no_epoch_and_no_clock_keeps_a_call_from_being_looked_at",
    ),
    Mutant(
        "a call whose epoch was refused is made again after a pause",
        STRANGER,
        f"{OPERATOR}/process/forward.py",
        "record.due(event.at + event.pause), reason=reasons.PARTICIPANT_ERROR",
        "record.due(event.at), reason=reasons.PARTICIPANT_ERROR",
        "tests/unit/process/test_saga_forward.py::test_an_epoch_that_is_refused_costs_no_attempt_and_waits",
    ),
    Mutant(
        "no saga calls without a pause, whatever it is answered",
        STRANGER,
        f"{OPERATOR}/engine/worker.py",
        "if (pause := self.pace.pause()) > 0:",
        "if (pause := self.pace.pause()) > 1e9:",
        "tests/operator/answers/test_strangers.py::test_no_answer_makes_a_saga_call_without_a_pause_even_if_its_back_off_fails",
    ),
    Mutant(
        "a step that is refused after the confirmation waits for a person",
        STRANGER,
        f"{OPERATOR}/process/decide.py",
        "step is None or saga.suspended_at is not None or saga.refused_forward is not None:",
        "step is None or saga.suspended_at is not None:",
        "tests/unit/process/test_saga_forward_recovery.py::test_a_refusal_after_the_confirmation_waits_for_a_person",
    ),
    Mutant(
        "a person may leave out a step of a confirmed order that is refused",
        STRANGER,
        f"{OPERATOR}/process/interventions.py",
        'case "Skip" if saga.confirmed and not settled_forward(record):',
        'case "Skip" if saga.confirmed and record.name == "notification" and not settled_forward(record):',
        "tests/unit/process/test_saga_forward_recovery.py::test_a_person_ends_a_saga_that_was_refused_after_the_confirmation",
    ),
    Mutant(
        "nobody freezes a saga as finished whose steps say otherwise",
        STRANGER,
        "crds/ordersaga.yaml",
        "self.?phase.orValue('') != 'Completed' || oldSelf",
        "true || oldSelf",
        "tests/crd/test_refused_changes.py::test_a_status_is_refused",
    ),
    Mutant(
        "a document of another namespace holds nothing that has to be undone",
        STRANGER,
        f"{OPERATOR}/engine/calls/answers.py",
        'if undo and code == "order_id_used":',
        "if False:",
        "tests/unit/engine/test_answers.py::test_a_409_with_a_code_is_a_decision",
    ),
)
