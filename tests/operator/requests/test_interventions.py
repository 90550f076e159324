"""`spec.intervention`: each id acts once, who asked is recorded, one that doesn't apply changes nothing."""

import json
import time
from typing import Any

import pytest

from common.wire import Json
from saga_operator.resource.times import from_wire
from tests.operator.conftest import NAMESPACE, OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import DO, PATIENCE, UNDO
from tests.operator.scripted import ScriptedParticipants, refused

STUCK = ("o-down-retry", "o-down-mark", "o-once")


def intervention(id_: str, action: str, step: str) -> Json:
    return {"id": id_, "action": action, "step": step, "reason": f"because of {id_}"}


def held(participants: ScriptedParticipants, sagas: Sagas, name: str, step: str) -> None:
    """A saga that waits at this step, on its way forward, and is seen to: a person intervenes in what is shown."""
    participants.say(name, DO[step], always=refused("running", "wait"))
    sagas.create(name)
    shows = lambda: sagas.status(name).get("currentStep") == step and DO[step] in participants.paths(name)  # noqa: E731
    wait_until(lambda: shows() or None, f"a call of {step}", PATIENCE)


def stuck(participants: ScriptedParticipants, sagas: Sagas, *names: str) -> None:
    """Sagas whose refund has failed too often, all at once."""
    for name in names:
        participants.say(name, UNDO["payment"], always=refused("bank_closed", "the bank is closed"))
        participants.say(name, DO["shipping"], refused("not_serviceable"))
        sagas.create(name)
    for name in names:
        sagas.wait(name, "Failed", seconds=PATIENCE)


def messages(sagas: Sagas, name: str, reason: str) -> list[str]:
    listed = sagas.core.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={name}")
    return [event.message for event in listed.items if event.reason == reason]


def noted(sagas: Sagas, name: str, id_: str) -> Json:
    """The record of this intervention, as soon as there is one."""
    look = lambda: sagas.status(name).get("intervention", {}).get("id") == id_  # noqa: E731
    wait_until(look, f"intervention {id_} of {name} to be recorded", PATIENCE)
    found: Json = sagas.status(name)["intervention"]
    return found


def test_interventions_made_while_the_operator_is_down_act_when_it_is_back(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    stuck(participants, sagas, "o-down-retry", "o-down-mark")
    held(participants, sagas, "o-down-skip", "notification")
    sagas.create("o-down-ttl")
    sagas.wait("o-down-ttl", "Completed", seconds=PATIENCE)
    operator.kill()
    participants.say("o-down-retry", UNDO["payment"])
    refunds = participants.paths("o-down-mark").count(UNDO["payment"])
    sagas.patch("o-down-retry", intervention=intervention("down-1", "RetryNow", "payment"))
    sagas.patch("o-down-mark", intervention=intervention("down-2", "MarkCompensated", "payment"))
    sagas.patch("o-down-skip", intervention=intervention("down-3", "Skip", "notification"))
    operator.start()
    sagas.wait("o-down-retry", "Compensated", seconds=PATIENCE)
    sagas.wait("o-down-mark", "Compensated", seconds=PATIENCE)
    sagas.wait("o-down-skip", "Completed", seconds=PATIENCE)
    for name, id_ in (("o-down-retry", "down-1"), ("o-down-mark", "down-2"), ("o-down-skip", "down-3")):
        assert sagas.status(name)["intervention"]["id"] == id_
        wait_until(lambda name=name: messages(sagas, name, "Intervened"), f"the Event Intervened of {name}")  # type: ignore[misc]
    assert participants.paths("o-down-mark").count(UNDO["payment"]) == refunds
    assert sagas.step("o-down-mark", "payment")["compensation"]["reason"] == "MarkedCompensated"
    assert sagas.step("o-down-retry", "payment")["state"] == "Compensated"
    assert sagas.step("o-down-skip", "notification")["reason"] == "SkippedByHand"
    assert sagas.condition("o-down-skip", "CompletedWithWarning")["reason"] == "SkippedByHand"


def test_time_to_live_that_runs_out_while_the_operator_is_down_is_applied_when_it_is_back(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    sagas.create("o-down-expired", ttlSecondsAfterFinished=2)
    sagas.create("o-down-unlimited")
    ended = from_wire(sagas.wait("o-down-expired", "Completed", seconds=PATIENCE)["status"]["completionTime"])
    sagas.wait("o-down-unlimited", "Completed", "Running", "Pending", seconds=PATIENCE)
    operator.kill()
    wait_until(lambda: operator_clock() > ended + 2, "the time to live to run out")
    assert sagas.exists("o-down-expired")
    operator.start()
    wait_until(lambda: not sagas.exists("o-down-expired"), "the resource to go", PATIENCE)
    assert "o-down-expired" in participants.archived
    sagas.wait("o-down-unlimited", "Completed", seconds=PATIENCE)


def operator_clock() -> float:
    return time.time()


def test_who_asked_is_recorded_for_a_patch_and_for_a_server_side_apply(
    operator: OperatorProcess, control_plane: Any, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name = "o-asked"
    held(participants, sagas, name, "payment")

    def patch(manager: str, spec: Json) -> None:
        text = json.dumps({"spec": spec})
        control_plane.kubectl(
            "-n", NAMESPACE, "patch", "ordersaga", name, "--type=merge", f"--field-manager={manager}", "-p", text
        )

    patch("anna", {"intervention": intervention("asked-1", "RetryNow", "payment")})
    first = noted(sagas, name, "asked-1")
    assert (first["by"], first["action"], first["step"]) == ("anna", "RetryNow", "payment")
    assert from_wire(first["time"]) >= from_wire(sagas.get(name)["metadata"]["creationTimestamp"])

    applied = {
        "apiVersion": "ordersaga.io/v1alpha1",
        "kind": "OrderSaga",
        "metadata": {"name": name},
        "spec": {"intervention": intervention("asked-2", "RetryNow", "payment")},
    }
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=ben", "--validate=false", "-f", "-")
    control_plane.kubectl("-n", NAMESPACE, *apply, input=json.dumps(applied))
    assert noted(sagas, name, "asked-2")["by"] == "ben"

    # the last user who changed the saga need not be the one who asked, even if that user asked before
    operator.kill()
    patch("carla", {"intervention": intervention("asked-3", "RetryNow", "payment")})
    patch("anna", {"activeDeadlineSeconds": 3000})
    operator.start()
    assert noted(sagas, name, "asked-3")["by"] == "carla"
    wait_until(lambda: len(messages(sagas, name, "Intervened")) == 3, "three Events Intervened")
    assert {text.split(" by ")[1].split(":")[0] for text in messages(sagas, name, "Intervened")} == {
        "anna",
        "ben",
        "carla",
    }
    participants.say(name, DO["payment"])
    sagas.wait(name, "Completed", seconds=PATIENCE)


def test_each_id_acts_once_also_across_a_restart(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name = "o-once"
    stuck(participants, sagas, name)
    sagas.patch(name, intervention=intervention("once-1", "RetryNow", "payment"))
    noted(sagas, name, "once-1")
    sagas.wait(name, "Failed", seconds=PATIENCE)  # tried again with a new budget, in vain
    before = sagas.status(name)["intervention"]
    refunds = participants.paths(name).count(UNDO["payment"])
    operator.kill()
    operator.start()
    sagas.patch(name, activeDeadlineSeconds=3000)  # something to take note of: then it has been looked at
    wait_until(
        lambda: sagas.status(name)["observedGeneration"] == sagas.get(name)["metadata"]["generation"],
        "the operator to look at it again",
        PATIENCE,
    )
    assert sagas.status(name)["phase"] == "Failed"
    assert sagas.status(name)["intervention"] == before
    assert participants.paths(name).count(UNDO["payment"]) == refunds
    assert len(messages(sagas, name, "Intervened")) == 1
    sagas.patch(name, intervention=intervention("once-2", "MarkCompensated", "payment"))
    sagas.wait(name, "Compensated", seconds=PATIENCE)


def test_an_id_that_acted_before_another_one_is_refused_visibly(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name = "o-twice"
    held(participants, sagas, name, "payment")
    for id_ in ("twice-1", "twice-2"):
        sagas.patch(name, intervention=intervention(id_, "RetryNow", "payment"))
        assert noted(sagas, name, id_)["reason"] == "Intervened"
    operator.kill()
    sagas.patch(name, intervention=intervention("twice-1", "RetryNow", "payment"))
    operator.start()
    again = noted(sagas, name, "twice-1")
    assert (again["reason"], again["earlier"]) == ("InterventionRefused", ["twice-1", "twice-2"])
    wait_until(lambda: messages(sagas, name, "InterventionRefused"), "the Event InterventionRefused")
    participants.say(name, DO["payment"])
    sagas.wait(name, "Completed", seconds=PATIENCE)


@pytest.mark.parametrize("mode", ["running", "down"])
@pytest.mark.parametrize(
    ("waits_at", "action", "step"),
    [
        ("payment", "MarkCompensated", "payment"),  # nothing is stuck
        ("payment", "Skip", "notification"),  # not confirmed
        ("payment", "RetryNow", "order"),  # done
        ("notification", "MarkCompensated", "payment"),  # confirmed: nothing is undone any more
    ],
)
def test_an_intervention_that_does_not_apply_is_refused_visibly_and_changes_nothing(
    *,
    operator: OperatorProcess,
    sagas: Sagas,
    participants: ScriptedParticipants,
    waits_at: str,
    action: str,
    step: str,
    mode: str,
) -> None:
    name = f"o-{mode}-{action.lower()}-{waits_at}-{step}"
    held(participants, sagas, name, waits_at)
    wait_until(lambda: sagas.status(name).get("currentStep") == waits_at, "its record", PATIENCE)
    before = {record["name"]: record["state"] for record in sagas.status(name)["steps"]}
    if mode == "down":
        operator.kill()
    sagas.patch(name, intervention=intervention("no-1", action, step))
    if mode == "down":
        operator.start()
    record = noted(sagas, name, "no-1")
    assert record["reason"] == "InterventionRefused"
    wait_until(lambda: messages(sagas, name, "InterventionRefused"), "the Event InterventionRefused")
    assert messages(sagas, name, "Intervened") == []
    assert {entry["name"]: entry["state"] for entry in sagas.status(name)["steps"]} == before
    participants.say(name, DO[waits_at])
    sagas.wait(name, "Completed", seconds=PATIENCE)
    assert not set(participants.paths(name)) & set(UNDO.values())
