"""More live sagas than the operator works on at once (`ORDERSAGA_MAX_SAGAS`): the oldest first, and it says so."""

import time

from tests.operator.conftest import Operators, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

BOUND = 5
RESERVE = "/api/inventory/reserve"
LATER = Reply(409, {"code": "running", "detail": "Ask again.", "retryable": True}, {"Retry-After": "3"})


def test_above_its_bound_the_oldest_are_worked_on_and_the_others_follow(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    old = [f"o-bound-a{number}" for number in range(BOUND)]
    young = [f"o-bound-z{number}" for number in range(3)]
    for names in (old, young):
        for name in names:
            participants.say(name, RESERVE, always=LATER)
            sagas.create(name)
        time.sleep(1.1)  # a creationTimestamp has whole seconds
    operator = operators.start(ORDERSAGA_MAX_SAGAS=str(BOUND))
    wait_until(lambda: all(RESERVE in participants.paths(name) for name in old) or None, "the oldest to be called")
    wait_until(lambda: f"{BOUND} live sagas are worked on" in operator.log.read_text() or None, "it to say so")
    time.sleep(5.0)  # two resyncs
    assert not any(participants.of(name) for name in young)
    for name in (*old, *young):
        participants.say(name, RESERVE)
    for name in (*old, *young):
        sagas.wait(name, "Completed", seconds=60)
    assert "all live sagas are worked on again" in operator.log.read_text()
