"""The workers of sagas: who has room, who rests, and what wakes them."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

WORKERS = (
    Mutant(
        "the end of a resource takes no place in the line from the next one of its name",
        12,
        f"{OPERATOR}/engine/worker.py",
        "self._places = Places(resource.uid, shared.breakers, self.woken)",
        "self._places = Places(resource.name, shared.breakers, self.woken)",
        "tests/unit/engine/test_same_name.py::test_the_end_of_the_old_one_does_not_take_the_place_of_the_new_one",
    ),
    Mutant(
        "no more sagas are worked on than fit into memory",
        15,
        f"{OPERATOR}/engine/admission.py",
        "if self._has_room or self._make_room(place):",
        "if True:",
        "tests/unit/engine/test_waiting_room.py::test_the_oldest_are_worked_on_in_whatever_order_they_come",
    ),
    Mutant(
        "a saga that had no room is taken in when another has ended",
        12,
        f"{OPERATOR}/engine/engine.py",
        "            self._worker_ended(worker, task)\n            self._admission.call_in()",
        "            self._worker_ended(worker, task)",
        "tests/unit/engine/test_waiting_room.py"
        "::test_when_one_ends_the_oldest_that_waits_is_taken_in_until_all_have_ended",
    ),
    Mutant(
        "those that wait for a person keep no other saga out",
        9,
        f"{OPERATOR}/engine/admission.py",
        "        if self._for_people:\n",
        "        if False:\n",
        "tests/unit/engine/test_waiting_room.py::test_those_that_wait_for_a_person_make_room",
    ),
    Mutant(
        "a saga that comes to wait for a person makes room for those that wait for room",
        12,
        f"{OPERATOR}/engine/admission.py",
        "place = LAST if worker.waits_for_a_person else worker.place",
        "place = worker.place",
        "tests/unit/engine/test_waiting_room.py"
        "::test_those_that_come_to_wait_for_a_person_make_room_for_those_that_wait_already",
    ),
    Mutant(
        "an older saga takes the place of a younger one at work as soon as that rests",
        12,
        f"{OPERATOR}/engine/admission.py",
        "if self._waiting.next_place < place:",
        "if worker.waits_for_a_person and self._waiting.next_place < place:",
        "tests/unit/engine/test_waiting_room.py"
        "::test_an_older_one_takes_the_place_of_one_at_work_as_soon_as_that_rests",
    ),
    Mutant(
        "a saga that a person has changed keeps its place before older ones until that is done",
        12,
        f"{OPERATOR}/engine/admission.py",
        "self._take_in(resource, FIRST if place == FIRST else None)",
        "self._take_in(resource, None)",
        "tests/unit/engine/test_waiting_room.py"
        "::test_one_that_a_person_has_changed_keeps_its_place_before_older_ones_until_that_is_done",
    ),
    Mutant(
        "a saga that rests keeps nothing of the event that it began with",
        15,
        f"{OPERATOR}/engine/tasks.py",
        "asyncio.create_task(work, name=name, context=Context())",
        "asyncio.create_task(work, name=name)",
        "tests/unit/engine/test_resting.py::test_a_saga_that_waits_keeps_nothing_of_the_event_that_it_began_with",
    ),
    Mutant(
        "what the watch leaves behind is collected while sagas are taken up",
        15,
        f"{OPERATOR}/engine/engine.py",
        "            gc.collect()",
        "            pass",
        "tests/unit/engine/test_resting.py::test_what_the_watch_leaves_behind_is_collected_while_sagas_are_taken_up",
    ),
    Mutant(
        "while its record is on its way, no saga looks again and again",
        12,
        f"{OPERATOR}/engine/worker.py",
        "        if not self._is_recorded:  # the end of that is a change\n",
        "        if False:\n",
        "tests/unit/engine/test_resting.py"
        "::test_while_its_record_is_on_its_way_nobody_looks_again_and_again_however_many_there_are",
    ),
    Mutant(
        "a saga that can't be woken begins anew",
        12,
        f"{OPERATOR}/engine/supervised.py",
        "            except Exception as error:  # of memory, say: it begins anew, as after any unexpected error",
        "            except ZeroDivisionError as error:",
        "tests/unit/engine/test_resting.py::test_one_that_cant_be_woken_begins_anew",
    ),
    Mutant(
        "a saga that rests is told when it is its turn",
        12,
        f"{OPERATOR}/engine/supervised.py",
        "rest.places.on_turn = self._turn_came",
        "pass",
        "tests/unit/engine/test_resting.py::test_its_turn_at_a_participant_wakes_it",
    ),
    Mutant(
        "a change of its resource wakes a saga that rests",
        12,
        f"{OPERATOR}/engine/supervised.py",
        "if self._rest is not None and resource.version <= self._rest.version:",
        "if self._rest is not None:",
        "tests/unit/engine/test_resting.py::test_a_change_of_its_resource_wakes_it_and_what_it_knows_already_does_not",
    ),
    Mutant(
        "a saga that rests goes on when its time comes",
        12,
        f"{OPERATOR}/engine/supervised.py",
        "if rest.until is not None:",
        "if False:",
        "tests/unit/engine/test_resting.py"
        "::test_a_saga_that_waits_leaves_no_task_and_little_memory_and_goes_on_when_its_time_comes",
    ),
    Mutant(
        "when thousands of sagas come in at once, those that wait leave no task behind",
        15,
        f"{OPERATOR}/engine/resting.py",
        "return PATIENCE if self.count < CROWD else 0.0",
        "return PATIENCE",
        "tests/unit/engine/test_resting.py::test_when_all_come_in_at_once_nobody_waits_awake",
    ),
    Mutant(
        "a stale epoch is raised while the Lease is ours",
        7,
        f"{OPERATOR}/engine/worker.py",
        "await shared.gate.epoch_was_refused(action.step.participant, epoch, outcome)",
        "await asyncio.sleep(0.1)",
        "tests/operator/answers/test_answers.py::test_a_stale_epoch_is_raised_while_the_lease_is_ours",
    ),
)
