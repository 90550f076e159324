"""A namespace is deleted under live sagas: each ends and goes, so nothing of ours holds the namespace."""

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from saga_operator.lease_stand_in import MARK
from tests.operator.conftest import GROUP, PLURAL, VERSION, OperatorProcess, Operators, Sagas, wait_until
from tests.operator.requests.user_requests import (
    DO,
    PATIENCE,
    REJECT,
    assert_nothing_undone,
    assert_rejected_before_undone,
)
from tests.operator.scripted import ScriptedParticipants, refused

LEASE = "ordersaga-operator"


class Doomed:
    """A namespace of an installation, and what the namespace controller does to it when it is deleted."""

    def __init__(self, control_plane: Any, name: str) -> None:
        self.name, self._kubectl = name, control_plane.kubectl
        control_plane.administrator.install(name)
        self.sagas = Sagas(control_plane.kubeconfig, name)

    def delete(self) -> None:
        """Terminating: from here on nothing can be made in it."""
        self.sagas.core.delete_namespace(self.name)
        assert self.sagas.core.read_namespace(self.name).status.phase == "Terminating"
        with pytest.raises(ApiException, match="being terminated"):
            self.sagas.create("o-too-late-for-this-namespace")

    def empty(self) -> None:
        """As the controller does: everything is told to go, the Lease as well."""
        self._kubectl("-n", self.name, "delete", "lease", "--all")
        self.sagas.api.delete_collection_namespaced_custom_object(GROUP, VERSION, self.name, PLURAL)

    def finish(self) -> None:
        """What the controller does when nothing is left."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}, "spec": {"finalizers": []}}
        path = f"/api/v1/namespaces/{self.name}/finalize"
        self._kubectl("replace", "--raw", path, "-f", "-", input=json.dumps(body))
        gone = ("get", "namespace", self.name, "--ignore-not-found", "-o", "name")
        wait_until(lambda: not self._kubectl(*gone).stdout, "the namespace to go")


@pytest.fixture
def elsewhere(
    control_plane: Any, operators: Operators, request: pytest.FixtureRequest
) -> tuple[Doomed, OperatorProcess]:
    """An operator whose rights don't live in the namespace that it serves."""
    doomed = Doomed(control_plane, request.param)
    brief = {
        "ORDERSAGA_LEASE_DURATION": "2",
        "ORDERSAGA_LEASE_RENEW": "0.3",
        "ORDERSAGA_NAMESPACE_END_SECONDS": "9",
        # A refund is held here for as long as the machine takes; given up, it would hold its namespace.
        "ORDERSAGA_COMPENSATION_ATTEMPTS": "1000",
        "ORDERSAGA_COMPENSATION_SECONDS": "600",
    }
    return doomed, operators.start(kubeconfig=control_plane.kubeconfig, ORDERSAGA_NAMESPACE=doomed.name, **brief)


def at_every_step(doomed: Doomed, participants: ScriptedParticipants) -> dict[str, str]:
    """Sagas that wait, one at each step; and one that is being rolled back. Name → path of the call that is held."""
    held = {f"o-{doomed.name}-{step}": path for step, path in DO.items()}
    back = f"o-{doomed.name}-back"
    participants.say(back, DO["shipping"], refused("not_serviceable"))
    held[back] = "/api/payments/refund"
    for name, path in held.items():
        participants.say(name, path, always=refused("running", "wait"))
        doomed.sagas.create(name)
    for name, path in held.items():
        wait_until(lambda name=name, path=path: path in participants.paths(name), f"{name} at {path}", PATIENCE)  # type: ignore[misc]
    # What isn't recorded is unknown to the next operator, which then asks `reject`: these participants don't remember.
    confirmed = f"o-{doomed.name}-notification"
    wait_until(lambda: doomed.sagas.step(confirmed, "confirmation").get("state") == "Succeeded", "its record", PATIENCE)
    return held


def until_heard(doomed: Doomed) -> None:
    """The operator has recorded that it knows of every deletion: who is answered before that goes on with its order."""

    def unheard() -> list[str]:
        return [
            saga["metadata"]["name"]
            for saga in doomed.sagas.listed()["items"]
            if saga["status"]["observedGeneration"] != saga["metadata"]["generation"]
        ]

    wait_until(lambda: not unheard(), "the operator to have heard of every deletion", PATIENCE)


def let_go(doomed: Doomed, participants: ScriptedParticipants, held: dict[str, str]) -> None:
    for name, path in held.items():
        participants.say(name, path)
    wait_until(lambda: not doomed.sagas.listed()["items"], "every saga to go", PATIENCE)
    for name in held:
        paths = participants.paths(name)
        if name.endswith("-notification"):
            assert REJECT not in paths  # finished first
            assert_nothing_undone(paths)
        elif name.endswith("-back"):
            assert paths[-1] == "/api/orders/cancel"
        else:
            assert_rejected_before_undone(paths)


@pytest.mark.parametrize("elsewhere", ["doomed-live"], indirect=True)
def test_a_namespace_deleted_under_live_sagas_is_emptied_by_a_running_operator(
    elsewhere: tuple[Doomed, OperatorProcess], participants: ScriptedParticipants
) -> None:
    doomed, operator = elsewhere
    held = at_every_step(doomed, participants)
    doomed.delete()
    doomed.empty()
    # for longer than the Lease lasts: it can't be renewed any more, nor made
    wait_until(lambda: operator.log.read_text().count("going on without lease") > 8, "renewals in vain", PATIENCE)
    marked = [saga["metadata"].get("annotations", {}).get(MARK) for saga in doomed.sagas.listed()["items"]]
    assert any(text and text.endswith(" tests") for text in marked), "others see that somebody works"
    let_go(doomed, participants, held)
    assert operator.runs
    doomed.finish()


@pytest.mark.parametrize("elsewhere", ["doomed-down"], indirect=True)
def test_a_namespace_deleted_while_the_operator_is_down_is_emptied_when_it_is_back(
    elsewhere: tuple[Doomed, OperatorProcess], participants: ScriptedParticipants
) -> None:
    doomed, operator = elsewhere
    held = at_every_step(doomed, participants)
    operator.kill()
    doomed.delete()
    doomed.empty()
    operator.start()
    wait_until(lambda: "working without lease" in operator.log.read_text(), "the operator to lead", PATIENCE)
    # it goes on for longer than it would be sure of a Lease that it can't renew
    wait_until(lambda: operator.log.read_text().count("going on without lease") > 8, "renewals in vain", PATIENCE)
    let_go(doomed, participants, held)
    doomed.finish()


def test_an_operator_whose_rights_are_in_the_namespace_empties_it_while_it_has_them(
    control_plane: Any, participants: ScriptedParticipants, operators: Operators, tmp_path: Path
) -> None:
    doomed = Doomed(control_plane, "doomed-own")
    kubeconfig = control_plane.administrator.identity("ordersaga-operator", doomed.name, tmp_path)
    operators.start(kubeconfig=kubeconfig, ORDERSAGA_NAMESPACE=doomed.name)
    held = at_every_step(doomed, participants)
    doomed.delete()
    doomed.empty()
    until_heard(doomed)
    let_go(doomed, participants, held)
    operators.end()
    doomed.finish()


@pytest.mark.parametrize("elsewhere", ["doomed-pods-first"], indirect=True)
def test_an_operator_that_is_told_to_stop_in_a_doomed_namespace_ends_its_sagas_first(
    elsewhere: tuple[Doomed, OperatorProcess], participants: ScriptedParticipants
) -> None:
    """As since Kubernetes 1.33: the pods go first, and the resources when no operator is left."""
    doomed, operator = elsewhere
    held = at_every_step(doomed, participants)
    suspended = f"o-{doomed.name}-suspended"
    doomed.sagas.create(suspended, state="Suspended")
    doomed.sagas.wait(suspended, "Suspended", seconds=PATIENCE)
    stuck, notified = f"o-{doomed.name}-back", f"o-{doomed.name}-notification"
    doomed.delete()
    assert operator.stop() == 0
    log = operator.log.read_text()
    for resource in doomed.sagas.listed()["items"]:
        name, metadata, phase = resource["metadata"]["name"], resource["metadata"], resource["status"]["phase"]
        assert not metadata.get("finalizers"), name
        assert phase == {stuck: "Compensating", notified: "Running"}.get(name, "Compensated"), name
        assert (f"order {name} can't end" in log) == (name in (stuck, notified))
    for name in set(held) - {stuck, notified}:
        assert participants.paths(name)[-1] == "/api/orders/cancel"
    doomed.empty()
    doomed.finish()
