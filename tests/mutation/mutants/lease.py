"""Which of several operators works, by the Lease or what stands in its place."""

from tests.mutation.mutants.mutant import OPERATOR, OUTAGE, Mutant

LEASE = "tests/unit/engine/test_lease.py"
STAND_IN = "tests/unit/engine/test_lease_stand_in.py"

LEASE_MUTANTS = (
    Mutant(
        "an annotation that is no epoch counts as none",
        7,
        f"{OPERATOR}/lease_record.py",
        "if not isinstance(text, str) or not _NUMBER.fullmatch(text):",
        "if text is None:",
        f"{LEASE}::test_whatever_a_lease_is_annotated_with_the_next_epoch_is_one_that_participants_take",
    ),
    Mutant(
        "an epoch far in the future counts as none",
        7,
        f"{OPERATOR}/lease_record.py",
        "return 0 <= epoch <= _milliseconds(now) + BELIEVED_AHEAD",
        "return True",
        f"{LEASE}::test_whatever_a_lease_is_annotated_with_the_next_epoch_is_one_that_participants_take",
    ),
    Mutant(
        "the leader stops calling before a follower may lead",
        7,
        f"{OPERATOR}/lease.py",
        "SURE: Final = 0.8",
        "SURE: Final = 1.2",
        f"{LEASE}::test_the_leader_is_sure_for_less_time_than_a_follower_waits_and_the_metric_says_so",
    ),
    Mutant(
        "after no answer the Lease is renewed over a new connection",
        OUTAGE,
        f"{OPERATOR}/lease.py",
        "if error.status == 0 and self._reconnect is not None:",
        "if False:",
        f"{LEASE}::test_after_no_answer_the_next_renewal_goes_over_a_new_connection",
    ),
    Mutant(
        "after no answer to a renewal the watch goes on over a new connection",
        OUTAGE,
        f"{OPERATOR}/__main__.py",
        "watched.resume()",
        "pass",
        "tests/operator/apiserver/test_api_weather.py"
        "::test_when_a_renewal_of_the_lease_gets_no_answer_the_watch_takes_a_new_connection_as_well",
    ),
    Mutant(
        "a renewal that was on its way when the operator stopped is found and taken back",
        OUTAGE,
        f"{OPERATOR}/lease.py",
        "lease = await self._read_again()",
        "return",
        f"{LEASE}::test_a_renewal_in_flight_does_not_keep_the_lease_from_being_released",
    ),
    Mutant(
        "without a Lease nobody leads beside an operator that works",
        7,
        f"{OPERATOR}/lease.py",
        "if shown != seen:",
        "if False:",
        f"{STAND_IN}::test_nobody_begins_while_another_works_though_the_sagas_stand_still",
    ),
    Mutant(
        "an operator that works without a Lease shows it",
        7,
        f"{OPERATOR}/lease.py",
        "await self._stand_in.mark(saga, epoch, self._identity, now)",
        "pass",
        f"{STAND_IN}::test_nobody_begins_while_another_works_though_the_sagas_stand_still",
    ),
    Mutant(
        "an operator that has begun without a Lease goes on without it",
        10,
        f"{OPERATOR}/lease.py",
        "except (Conflict, ObjectNotFound, Terminating):",
        "except (Conflict, ObjectNotFound):",
        f"{STAND_IN}::test_nobody_begins_while_another_works_though_the_sagas_stand_still",
    ),
    Mutant(
        "of two operators that work without a Lease one ends",
        7,
        f"{OPERATOR}/lease.py",
        "elif mark.epoch > self._epoch:",
        "elif False:",
        f"{STAND_IN}::test_of_two_that_work_the_one_with_the_lower_epoch_ends",
    ),
    Mutant(
        "an operator that can't show that it works without a Lease calls nobody",
        7,
        f"{OPERATOR}/lease.py",
        "            return False\n        self._note_renewal(began, epoch)",
        "            epoch = self._epoch\n        self._note_renewal(began, epoch)",
        f"{STAND_IN}::test_who_can_not_show_that_it_works_is_sure_of_nothing",
    ),
    Mutant(
        "a follower looks often enough for a hand-over within two seconds",
        OUTAGE,
        f"{OPERATOR}/lease.py",
        "FOLLOW: Final = 0.5",
        "FOLLOW: Final = 2.0",
        "tests/unit/engine/test_hand_over.py"
        "::test_a_clean_hand_over_takes_less_than_two_seconds_though_every_write_takes_a_third_of_one",
    ),
)
