"""What waiting costs: no write, and no attempt where the participant says when to ask again."""

from itertools import count, pairwise
from typing import Any

import pytest

from saga_operator.engine.calls.verdict import SAGAS_TO_OPEN
from tests.operator.conftest import OperatorProcess, Operators, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")

CLOCKS = 0.05
"""Seconds by which the two processes' clocks may move against each other while the operator makes its own more precise.
"""
POLLS = 6
"""More than enough to see a write for each of them."""
NUMBERS = count()


@pytest.fixture
def sagas(control_plane: Any) -> Sagas:
    """In a namespace of one test's own: an answer to any other saga shows that a participant is there."""
    namespace = f"budgets-{next(NUMBERS)}"
    control_plane.administrator.install(namespace)
    return Sagas(control_plane.kubeconfig, namespace)


@pytest.fixture
def operator(operators: Operators, control_plane: Any, sagas: Sagas) -> OperatorProcess:
    return operators.start(kubeconfig=control_plane.kubeconfig, ORDERSAGA_NAMESPACE=sagas.namespace)


@pytest.mark.parametrize("kind", ["accepted", "running"])
def test_waiting_for_an_operation_writes_nothing(sagas: Sagas, participants: ScriptedParticipants, kind: str) -> None:
    name, process = f"o-poll-{kind}", "/api/payments/process"
    place = f"/api/payments/operations/{name}/do" if kind == "accepted" else process
    accepted = Reply(202, headers={"Location": place, "Retry-After": "0.1"})
    answer = accepted if kind == "accepted" else refused("running", "wait")
    answer.headers["Retry-After"] = "0.1"
    for path in (process, place):
        participants.say(name, path, always=answer)
    sagas.create(name)
    wait_until(lambda: sagas.step(name, "payment").get("reason") == "InProgress", "the record of it")
    version, polls = sagas.get(name)["metadata"]["resourceVersion"], participants.paths(name).count(place)
    wait_until(lambda: participants.paths(name).count(place) >= polls + POLLS, f"{POLLS} more polls", seconds=60)
    assert sagas.get(name)["metadata"]["resourceVersion"] == version
    assert sagas.step(name, "payment").get("attempts", 0) == 0, "it counts once, when it has ended"
    for path in (process, place):
        participants.say(name, path)
    participants.say(name, place, Reply(200, {"order_id": name, "payment_id": "pay-1"}))
    sagas.wait(name, "Completed", seconds=60)
    assert sagas.step(name, "payment")["attempts"] == 1


def test_a_pause_that_is_asked_for_is_kept_in_full_and_costs_no_attempt(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    later = Reply(503, headers={"Retry-After": "2"})
    participants.say("o-patient", "/api/inventory/reserve", later, later, later)
    sagas.create("o-patient", retry={"maxAttempts": 2, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
    sagas.wait("o-patient", "Completed", seconds=60)
    times = [call.at for call in participants.of("o-patient") if call.path == "/api/inventory/reserve"]
    pauses = [after - before for before, after in pairwise(times)]
    assert min(pauses) > 2.0 - CLOCKS, pauses
    assert sagas.step("o-patient", "inventory")["attempts"] == 1


def test_the_circuit_breaker_probes_nobody_before_the_pause_that_was_asked_for(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    names, path = [f"o-patient-{number}" for number in range(SAGAS_TO_OPEN + 1)], "/api/inventory/reserve"
    for name in names:
        participants.say(name, path, always=Reply(503, headers={"Retry-After": "3"}))
        sagas.create(name)
    calls = len(names) + 2
    wait_until(lambda: sum(participants.paths(name).count(path) for name in names) >= calls, "probes", seconds=60)
    for name in names:
        participants.say(name, path)
    for name in names:
        times = [call.at for call in participants.of(name) if call.path == path]
        assert all(after - before > 3.0 - CLOCKS for before, after in pairwise(times)), times
        sagas.wait(name, "Completed", seconds=60)


def test_a_person_need_not_wait_for_an_hour_that_a_participant_asked_for(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    names, path = [f"o-hour-{number}" for number in range(SAGAS_TO_OPEN)], "/api/inventory/reserve"
    for name in names:
        participants.say(name, path, Reply(503, headers={"Retry-After": "3600"}))
        sagas.create(name)
    for name in names:
        wait_until(lambda n=name: sagas.step(n, "inventory").get("message"), f"the call of {name}")
    sagas.create("o-behind-them")
    waits = lambda: sagas.condition("o-behind-them", "WaitingForDownstream").get("status") == "True"  # noqa: E731
    wait_until(waits, "the last to wait")
    for name in ("o-behind-them", *names):
        sagas.patch(name, intervention={"id": "1", "action": "RetryNow", "step": "inventory", "reason": "it is back"})
        sagas.wait(name, "Completed", seconds=30)
