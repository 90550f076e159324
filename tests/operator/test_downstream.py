"""A participant that is down: its sagas wait without burning their budgets, and it is not flattened when it returns."""

import pytest

from tests.operator.conftest import Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

pytestmark = pytest.mark.usefixtures("operator")


def test_an_outage_costs_no_budget_and_is_visible(sagas: Sagas, participants: ScriptedParticipants) -> None:
    names = [f"o-outage-{number}" for number in range(12)]
    for name in names:
        participants.say(name, "/api/shipping/schedule", always=Reply(503))
        sagas.create(name, retry={"maxAttempts": 3, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
    for name in names:
        wait_until(lambda n=name: sagas.condition(n, "WaitingForDownstream").get("status") == "True", f"{name} to wait")
    assert sum(path == "/api/shipping/schedule" for name in names for path in participants.paths(name)) < 40
    assert all(sagas.step(name, "shipping").get("attempts", 0) < 3 for name in names)
    for name in names:
        participants.say(name, "/api/shipping/schedule")
    for name in names:
        sagas.wait(name, "Completed", seconds=30)
        assert not sagas.condition(name, "WaitingForDownstream")


def test_a_saga_that_waits_for_a_participant_can_be_cancelled(sagas: Sagas, participants: ScriptedParticipants) -> None:
    names = [f"o-outage-cancel-{number}" for number in range(6)]
    for name in names:
        participants.say(name, "/api/inventory/reserve", always=Reply(0))
        sagas.create(name)
    last = names[-1]
    wait_until(lambda: sagas.condition(last, "WaitingForDownstream").get("status") == "True", "the last one to wait")
    sagas.patch(last, state="Cancelled")
    sagas.wait(last, "Compensated", seconds=30)
    for name in names[:-1]:
        participants.say(name, "/api/inventory/reserve")
    for name in names[:-1]:
        sagas.wait(name, "Completed", seconds=40)
