"""What is written of a saga: when, on which version, and what an answer that is lost means."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

RECORDS = (
    Mutant(
        "who applied a saga stays its owner when its finalizer comes off",
        0,
        f"{OPERATOR}/resource/body.py",
        'applied = any(entry.get("operation") != "Update" for entry in self.managed_fields)',
        "applied = False",
        "tests/operator/resources/test_finished.py::test_who_applied_it_stays_its_owner",
    ),
    Mutant(
        "an attempt counts once, also if the answer to its record is lost",
        0,
        f"{OPERATOR}/engine/records/record.py",
        "ours = self._unanswered.take(resource.status)",
        "ours = None",
        "tests/unit/engine/test_recorder.py::test_an_attempt_counts_once_when_the_answer_to_its_record_is_lost",
    ),
    Mutant(
        "progress gives way to what others write",
        0,
        f"{OPERATOR}/engine/records/write_room.py",
        "if now < asked + LATEST and not self.is_open:",
        "if False:",
        "tests/unit/engine/test_write_room.py::test_it_gives_way_while_writes_take_longer_than_they_could",
    ),
    Mutant(
        "progress is recorded within seconds, whatever the load",
        0,
        f"{OPERATOR}/engine/records/write_room.py",
        "LATEST: Final = 10.0",
        "LATEST: Final = 1e6",
        "tests/unit/engine/test_write_room.py::test_it_is_written_after_some_seconds_whatever_the_load",
    ),
    Mutant(
        "what people wait for doesn't wait for room",
        9,
        f"{OPERATOR}/engine/records/recorder.py",
        "        if self._can_wait():\n            self._wait_for_room()\n        else:",
        "        if True:\n            self._wait_for_room()\n        else:",
        "tests/unit/engine/test_recorder.py::test_what_people_wait_for_is_written_at_once",
    ),
    Mutant(
        "a change of the spec is recorded as seen at once",
        0,
        f"{OPERATOR}/engine/records/record.py",
        'seen = resource.status.get("observedGeneration") == resource.generation or not resource.phase',
        "seen = True",
        "tests/unit/engine/test_recorder.py::test_that_a_change_of_the_spec_was_seen_is_written_at_once",
    ),
    Mutant(
        "a status write is conditional on the version it was decided on",
        7,
        f"{OPERATOR}/engine/records/api_writer.py",
        "version = resource.resource_version",
        "version = (await self.read(resource.name)).resource_version",
        "tests/operator/resources/test_hazards.py::test_a_stale_orchestrator_does_not_overwrite_a_decision",
    ),
    Mutant(
        "an API server that is overloaded says how long to wait",
        0,
        f"{OPERATOR}/engine/records/api_writer.py",
        "await asyncio.sleep(max(seconds, min(error.retry_after or 0.05, ASKED_MAX)))",
        "await asyncio.sleep(seconds)",
        "tests/operator/apiserver/test_api_weather.py::test_a_status_write_that_is_refused_waits_as_long_as_it_is_told",
    ),
    Mutant(
        "who loses the race for a record goes on from the winner's",
        7,
        f"{OPERATOR}/engine/records/record.py",
        "if not same_status:",
        "if False:",
        "tests/operator/resources/test_hazards.py::test_a_decision_of_another_orchestrator_is_adopted",
    ),
)
