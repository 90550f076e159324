"""What keeps the calls to a participant fair: a breaker that no single saga can hold, and turns that nobody wastes."""

from tests.mutation.mutants.mutant import OPERATOR, OUTAGE, Mutant

BREAKER = "tests/unit/engine/test_breaker.py"
PLACES = "tests/unit/engine/test_places.py"

CALLS = (
    Mutant(
        "sagas that were not tried don't wait for the probes of those that were",
        OUTAGE,
        f"{OPERATOR}/engine/calls/turns.py",
        "line = self._tried[min(failures, MOST) - 1] if failures else untried",
        "line = untried",
        f"{BREAKER}::test_hopeless_undos_do_not_keep_healthy_orders_waiting",
    ),
    Mutant(
        "failures of a saga that is hopeless by itself say nothing about its participant",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "own = trouble.strikes >= self._hopeless and not self._probing",
        "own = False",
        f"{BREAKER}::test_hopeless_undos_do_not_keep_healthy_orders_waiting",
    ),
    Mutant(
        "a call that could not be made says nothing about its participant",
        OUTAGE,
        f"{OPERATOR}/engine/calls/breaker.py",
        "if isinstance(outcome, NoUsableAnswer) and outcome.reason == reasons.NOT_SENT:\n            return outcome",
        "if isinstance(outcome, NoUsableAnswer) and outcome.reason == reasons.NOT_SENT:\n"
        "            self._verdict.failed(saga, started=self._time(), now=self._time())\n            return outcome",
        f"{BREAKER}::test_a_call_that_could_not_be_made_says_nothing_of_the_participant",
    ),
    Mutant(
        "whoever was taken for hopeless and is answered clears all the others",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "self._hopeless *= 2\n            for other in self._trouble.values():\n                other.strikes = 0",
        "pass",
        f"{BREAKER}::test_a_participant_that_answers_one_call_in_ten_stays_closed_off",
    ),
    Mutant(
        "a call that began before the last answer doesn't show that its participant is down",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "if own or (started < self._last_answer and not self.is_down):",
        "if own:",
        f"{BREAKER}::test_a_provider_that_takes_longer_than_the_time_out_does_not_make_it_oscillate",
    ),
    Mutant(
        "tried sagas and the others take turns",
        OUTAGE,
        f"{OPERATOR}/engine/calls/turns.py",
        "self._tried_is_next = not kind",
        "self._tried_is_next = False",
        f"{BREAKER}::test_a_tried_saga_is_not_starved_by_those_that_were_not_tried",
    ),
    Mutant(
        "the calls to a participant that is back double",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "self._limit, self._round, self._failed_kinds = 2 * self._limit, [], set()",
        "self._limit, self._round, self._failed_kinds = 32 * self._limit, [], set()",
        f"{BREAKER}::test_a_participant_that_is_back_is_not_overrun",
    ),
    Mutant(
        "a turn that isn't used goes to the next one",
        OUTAGE,
        f"{OPERATOR}/engine/calls/breaker.py",
        "self._granted.pop(saga, None)\n        self._settle()",
        "pass",
        f"{PLACES}::test_a_turn_that_is_not_used_goes_to_the_next_one",
    ),
    Mutant(
        "a saga that has nothing to call gives its turn away",
        OUTAGE,
        f"{OPERATOR}/engine/calls/places.py",
        "self._breakers[participant].leave(self._saga)",
        "pass",
        f"{PLACES}::test_a_saga_that_has_nothing_to_call_any_more_gives_its_turn_away_at_once",
    ),
    Mutant(
        "a rollback that waits at one participant calls the others meanwhile",
        OUTAGE,
        f"{OPERATOR}/engine/calls/places.py",
        "saga = saga.put(replace(record, retry_at=max(record.retry_at, place.until)))",
        "pass",
        f"{PLACES}::test_a_rollback_that_waits_at_one_participant_calls_the_others_meanwhile",
    ),
    Mutant(
        "whoever got no answer isn't called again at once while its participant comes back",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "return max(min(backoff, LAST_PROBE[True]), min(retry_after or 0.0, LONGEST_RETRY_AFTER))",
        "return max(0.001 * backoff, min(retry_after or 0.0, LONGEST_RETRY_AFTER))",
        f"{BREAKER}::test_whoever_got_no_answer_is_not_called_again_at_once_whatever_becomes_of_its_participant",
    ),
    Mutant(
        "no probe comes before the time that the participant asked for",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "if self._probing and len(self._asked) > 1:",
        "if False:",
        f"{BREAKER}::test_a_participant_that_says_when_it_is_back_is_not_probed_before",
    ),
    Mutant(
        "what one order alone is told to wait for holds up no other",
        OUTAGE,
        f"{OPERATOR}/engine/calls/verdict.py",
        "asked = now + min(self._asked.values())",
        "asked = now + max(self._asked.values())",
        f"{BREAKER}::test_what_one_order_alone_is_told_holds_up_no_other",
    ),
    Mutant(
        "a person who retries has the participant probed, whatever it asked for",
        OUTAGE,
        f"{OPERATOR}/engine/worker.py",
        "self._shared.breakers[BY_NAME[done.step].participant].probe_now()",
        "pass",
        "tests/operator/answers/test_budgets.py::test_a_person_need_not_wait_for_an_hour_that_a_participant_asked_for",
    ),
)
