"""What a service does beside its requests, and for those who don't read its answers."""

from tests.mutation.mutants.mutant import Mutant

OUTGOING = "tests/unit/common/test_outgoing.py"
ERRANDS = "tests/unit/common/test_errands.py"
BESIDE = "tests/unit/common/test_background.py"
PORT = "tests/contract/routes/test_public_port.py"

BACKGROUND = (
    Mutant(
        "a service's work beside the requests is begun again after an error",
        14,
        "common/background.py",
        "pause = min(2 * pause, LONGEST_SECONDS)",
        "return",
        f"{BESIDE}::test_work_that_fails_is_begun_again_and_the_log_says_why",
    ),
    Mutant(
        "a cancellation that nobody asked for ends no work beside the requests",
        14,
        "common/background.py",
        "return asyncio.CancelledError() if task.cancelled() else task.exception()",
        "return None if task.cancelled() else task.exception()",
        f"{BESIDE}::test_work_that_fails_is_begun_again_and_the_log_says_why",
    ),
    Mutant(
        "work beside the requests that hangs is begun again",
        14,
        "common/background.py",
        "if (seconds := rounds.until_hanging) <= 0:",
        "if (seconds := 1.0) <= 0:",
        f"{BESIDE}::test_work_that_hangs_is_begun_again_and_counts_as_failing_until_then",
    ),
    Mutant(
        "work beside the requests that fails is seen until a round ends well",
        14,
        "common/background.py",
        "self._failing_since = self._heard_at if self._failing_since is None else self._failing_since",
        "pass",
        f"{BESIDE}::test_work_that_fails_again_and_again_is_seen_until_a_round_ends_well",
    ),
    Mutant(
        "/health says what fails beside the requests",
        14,
        "common/web/app.py",
        '"status": "ok" if app.background.is_well else "degraded"',
        '"status": "ok"',
        "services/order/tests/test_lost.py"
        "::test_a_search_that_fails_is_seen_by_whoever_looks_and_takes_nobody_their_answers",
    ),
    Mutant(
        "expired personal data of which nothing can be learnt is seen",
        14,
        "common/shop/references.py",
        "elif decided or rounds.since_failure > TELLS_FOR:",
        "elif True:",
        "services/shipping/tests/test_addresses.py"
        "::test_entries_of_which_nothing_can_be_learnt_are_seen_until_some_are_decided",
    ),
    Mutant(
        "work that has nothing to do does not hang",
        14,
        "common/shop/references.py",
        "            rounds.going_on()\n        return undecided",
        "            pass\n        return undecided",
        "services/shipping/tests/test_addresses.py"
        "::test_the_work_is_well_again_with_the_database_and_does_not_hang_while_there_is_nothing_to_do",
    ),
    Mutant(
        "settlements of which none can be looked up are seen",
        14,
        "common/barrier/claims.py",
        "if looks and len(told) == looks:",
        "if False:",
        "services/payment/tests/test_many_settlements.py"
        "::test_a_provider_that_tells_nothing_of_any_payment_is_seen_until_it_tells_of_one",
    ),
    Mutant(
        "a public port that dies ends the process",
        14,
        "common/web/public.py",
        "            signal.raise_signal(signal.SIGTERM)",
        "            pass",
        f"{PORT}::test_a_public_port_that_dies_ends_the_process_which_says_why",
    ),
    Mutant(
        "a service whose public port isn't served isn't ready",
        14,
        "common/web/public.py",
        "if server.started and not serving.done() and all(listener.is_serving() for listener in server.servers):",
        "if True:",
        f"{PORT}::test_a_public_port_that_dies_ends_the_process_which_says_why",
    ),
    Mutant(
        "an answer that nobody reads is given up",
        15,
        "common/web/outgoing.py",
        "        self._transport.abort()",
        "        pass",
        "tests/contract/routes/test_slow_readers.py::test_an_answer_that_nobody_reads_is_given_up",
    ),
    Mutant(
        "an answer that is read a few bytes at a time is given up",
        15,
        "common/web/outgoing.py",
        "if taken - self._taken >= SLOWEST * self._seconds or",
        "if taken > self._taken or",
        f"{OUTGOING}::test_a_client_has_to_take_so_many_bytes_a_second",
    ),
    Mutant(
        "answers that nobody takes fill no memory",
        15,
        "common/web/outgoing.py",
        "if total <= MOST_UNSENT:",
        "if True:",
        f"{OUTGOING}::test_many_who_do_not_read_fill_no_memory_and_cost_nobody_who_does",
    ),
    Mutant(
        "who reads an answer has the whole time for it, however late it comes on its connection",
        15,
        "common/web/outgoing.py",
        "if (left := self._since + self._seconds - now) > 0:",
        "if (left := 0.0) > 0:",
        f"{OUTGOING}::test_its_time_begins_with_what_is_not_sent_yet_not_with_an_answer_before",
    ),
    Mutant(
        "a service that stood still gives up nobody for it",
        15,
        "common/web/outgoing.py",
        " or now > due + LATE_SECONDS:",
        ":",
        f"{OUTGOING}::test_a_process_that_stood_still_gives_up_nobody_for_it",
    ),
    Mutant(
        "the calls to a provider that go on behind their callers are bounded",
        15,
        "common/errands.py",
        "if len(self._tasks) >= self._most:",
        "if False:",
        f"{ERRANDS}::test_there_are_so_many_at_a_time_and_the_log_says_once_why_there_are_no_more",
    ),
    Mutant(
        "what there was no room for can be begun at once when there is",
        15,
        "common/barrier/claims.py",
        "            await holder.release()  # the provider wasn't asked",
        "            pass",
        f"{ERRANDS}::test_a_charge_for_which_there_is_no_room_was_never_begun",
    ),
    Mutant(
        "a cancel that the API server refuses keeps no other from being told",
        14,
        "services/order/lost.py",
        "                    self._cancels.setdefault(order_id, client)\n                    rounds",
        "                    self._cancels = {order_id: client, **self._cancels}\n                    rounds",
        "services/order/tests/test_lost.py::test_a_cancel_that_the_api_server_refuses_keeps_no_other_from_being_told",
    ),
)
