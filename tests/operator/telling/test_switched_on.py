"""Orders that had ended before telling was switched on, whose finalizer is still on: they are no news to anybody."""

import time

from saga_operator.resource.times import from_wire
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import DO, PATIENCE
from tests.operator.scripted import ScriptedParticipants, refused
from tests.operator.telling.conftest import Start
from tests.operator.telling.test_customers import messages
from tests.support.event_sink import ScriptedSink

ON = {"ORDERSAGA_TELL_CUSTOMERS": "true"}
OFF = {"ORDERSAGA_EVENTS_SINK": "", "ORDERSAGA_TELL_CUSTOMERS": "false"}


def ended_before_it_is_switched_on(operator: OperatorProcess, sagas: Sagas, name: str) -> None:
    """In a second before: an end is recorded in whole ones, and one of the same second is told."""
    ended = sagas.wait(name, "Compensated", seconds=PATIENCE)["status"]["completionTime"]
    operator.kill()
    wait_until(lambda: time.time() > from_wire(ended) + 1.0 or None, "the next second")


def test_what_had_ended_before_it_was_switched_on_is_told_to_nobody_and_what_ends_later_is(
    start: Start, sagas: Sagas, participants: ScriptedParticipants, sink: ScriptedSink
) -> None:
    """Thousands of customers would hear of orders of last week, after an upgrade that has nothing to do with them."""
    names = ("o-old", "o-new", "o-off-again", "o-newest")
    for name in names:
        participants.say(name, DO["shipping"], refused("not_serviceable"))
    participants.archive_answers = 503  # one of the reasons why a finalizer stays; a busy shop is another

    operator = start(**OFF)
    sagas.create("o-old")
    ended_before_it_is_switched_on(operator, sagas, "o-old")

    operator = start(**ON)
    sagas.create("o-new")
    sagas.wait("o-new", "Compensated", seconds=PATIENCE)
    wait_until(lambda: messages(participants, "o-new") or None, "o-new to be told", PATIENCE)
    wait_until(lambda: "compensated" in sink.taken("o-new") or None, "the sink to be told", PATIENCE)
    operator.kill()

    operator = start(**OFF)
    sagas.create("o-off-again")
    ended_before_it_is_switched_on(operator, sagas, "o-off-again")

    participants.archive_answers = 200
    start(**ON)
    sagas.create("o-newest")
    wait_until(lambda: messages(participants, "o-newest") or None, "o-newest to be told", PATIENCE)
    for name in names:
        wait_until(lambda name=name: not sagas.get(name)["metadata"].get("finalizers") or None, f"{name} to go")  # type: ignore[misc]
    for name in ("o-old", "o-off-again"):
        assert messages(participants, name) == []
        assert sink.taken(name) == []
    assert messages(participants, "o-new")
