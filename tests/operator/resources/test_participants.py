"""Participants as resources: made from the settings, followed as people change them, and told of when they are down."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from common.services import SERVICES
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import GROUP, VERSION, OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

NUMBERS = count()
RESERVE = "/api/inventory/reserve"


class Participants:
    """The Participants of one namespace, as an administrator sees them."""

    def __init__(self, sagas: Sagas) -> None:
        self.api, self._where = sagas.api, (GROUP, VERSION, sagas.namespace, "participants")

    def all(self) -> dict[str, Json]:
        items = self.api.list_namespaced_custom_object(*self._where)["items"]
        return {item["metadata"]["name"]: item for item in items}

    def patch(self, name: str, **spec: Any) -> Json:
        body = {"spec": spec}
        return self.api.patch_namespaced_custom_object(*self._where, name, body)  # type: ignore[no-any-return]

    def apply(self, name: str, **spec: Any) -> None:
        """As a GitOps tool does."""
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Participant", "metadata": {"name": name}, "spec": spec}
        self.api.patch_namespaced_custom_object(
            *(*self._where, name, body),
            field_manager="kustomize-controller",
            force=True,
            _content_type="application/apply-patch+yaml",
        )

    def delete(self, name: str) -> None:
        self.api.delete_namespaced_custom_object(*self._where, name)

    def available(self, name: str) -> tuple[str, str]:
        """Status and reason of the condition; empty before there is one."""
        conditions = self.all().get(name, {}).get("status", {}).get("conditions", [])
        return next(((each["status"], each["reason"]) for each in conditions), ("", ""))

    def follows(self, name: str) -> bool:
        """Whether the operator has taken note of the spec as it is."""
        found = self.all()[name]
        generation: int = found["metadata"]["generation"]
        return bool(found["status"]["observedGeneration"] == generation)


class Shop:
    """A namespace of these tests' own, with an operator that has the rights that we ship."""

    def __init__(self, control_plane: TestControlPlane, participants: ScriptedParticipants, folder: Path) -> None:
        namespace = f"participants-{next(NUMBERS)}"
        control_plane.administrator.install(namespace)
        self.sagas = Sagas(control_plane.kubeconfig, namespace)
        self.resources = Participants(self.sagas)
        self._kubeconfig = control_plane.identity("ordersaga-operator", namespace)
        self._participants, self._folder = participants, folder
        self.operator = self.operator_with()
        self.operator.start()
        wait_until(self._are_made, "the participants to be made", 60)

    def _are_made(self) -> bool:
        return all(self.resources.available(name)[0] == "Unknown" for name in SERVICES)

    def operator_with(self, **settings: str) -> OperatorProcess:
        """Another one, not started."""
        env = {"ORDERSAGA_NAMESPACE": self.sagas.namespace, **settings}
        return OperatorProcess(self._kubeconfig, self._participants.url, self._folder / "log", "participants", **env)


@pytest.fixture(scope="module")
def shop(
    control_plane: TestControlPlane, participants: ScriptedParticipants, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    shop = Shop(control_plane, participants, tmp_path_factory.mktemp("participants"))
    yield shop
    shop.operator.kill()


@pytest.fixture(scope="module")
def sagas(shop: Shop) -> Sagas:
    return shop.sagas


@pytest.fixture(scope="module")
def resources(shop: Shop) -> Participants:
    return shop.resources


def calls_of(participants: ScriptedParticipants, name: str, path: str = RESERVE) -> int:
    return participants.paths(name).count(path)


def test_there_is_one_for_each_service_as_the_settings_say(
    sagas: Sagas, resources: Participants, participants: ScriptedParticipants, control_plane: TestControlPlane
) -> None:
    found = resources.all()
    assert sorted(found) == sorted(SERVICES)
    assert found["shipping"]["spec"] == {
        "url": participants.url,
        "audience": "shipping.ordersaga.io",
        "callTimeoutSeconds": 4,
        "maxConcurrentCalls": 32,
        "state": "Active",
    }
    sagas.create("o-first")
    sagas.wait("o-first", "Completed", seconds=60)
    for name in SERVICES:
        wait_until(lambda n=name: resources.available(n) == ("True", "Answering"), f"{name} to be seen answering")
    table = control_plane.kubectl("get", "participants", "--namespace", sagas.namespace).stdout.splitlines()
    assert table[0].split() == ["NAME", "AVAILABLE", "SINCE", "IN", "FLIGHT", "WAITING", "REASON"]


def test_an_outage_is_told_in_two_writes(
    sagas: Sagas, resources: Participants, participants: ScriptedParticipants
) -> None:
    names = [f"o-down-{number}" for number in range(8)]
    for name in names:
        participants.say(name, RESERVE, always=Reply(503))
        sagas.create(name, retry={"maxAttempts": 8, "initialBackoffSeconds": 2, "maxBackoffSeconds": 2})
    wait_until(lambda: resources.available("inventory") == ("False", "Unavailable"), "the outage to be told", 30)
    written = resources.all()["inventory"]["metadata"]["resourceVersion"]
    seen = sum(calls_of(participants, name) for name in names)
    wait_until(lambda: sum(calls_of(participants, name) for name in names) > seen + 1, "more probes", 30)
    assert resources.all()["inventory"]["metadata"]["resourceVersion"] == written
    for name in names:
        participants.say(name, RESERVE)
    for name in names:
        sagas.wait(name, "Completed", seconds=60)
    wait_until(lambda: resources.available("inventory") == ("True", "Answering"), "its end to be told", 40)
    told = lambda: {each for each in sagas.events("inventory") if each[1] in ("ParticipantDown", "ParticipantBack")}  # noqa: E731
    wait_until(lambda: told() == {("Warning", "ParticipantDown"), ("Normal", "ParticipantBack")}, "the Events of both")


def test_a_paused_participant_is_not_called_and_costs_its_sagas_nothing(
    sagas: Sagas, resources: Participants, participants: ScriptedParticipants
) -> None:
    resources.patch("inventory", state="Paused", pauseReason="the warehouse moves")
    wait_until(lambda: resources.available("inventory") == ("False", "Paused"), "the pause to be seen")
    sagas.create("o-held")
    wait_until(lambda: sagas.condition("o-held", "WaitingForDownstream").get("status") == "True", "it to wait")
    held = sagas.condition("o-held", "WaitingForDownstream")
    assert held["reason"] == "ParticipantPaused"
    assert "the warehouse moves" in held["message"]
    intervention = {"id": "1", "action": "RetryNow", "step": "inventory", "reason": "impatience"}
    sagas.patch("o-held", intervention=intervention)
    sagas.create("o-cancelled")
    wait_until(lambda: sagas.condition("o-cancelled", "WaitingForDownstream").get("status") == "True", "it to wait")
    sagas.patch("o-cancelled", state="Cancelled")
    sagas.wait("o-cancelled", "Compensating", seconds=30)  # the undo of what may have been called is held as well
    for name in ("o-held", "o-cancelled"):
        assert not [path for path in participants.paths(name) if path.startswith("/api/inventory")]
    assert sagas.step("o-held", "inventory").get("attempts", 0) == 0
    resources.patch("inventory", state="Active")
    sagas.wait("o-held", "Completed", seconds=30)
    sagas.wait("o-cancelled", "Compensated", seconds=30)
    assert sagas.step("o-held", "inventory")["attempts"] == 1


def test_a_pause_outlives_the_operator(
    shop: Shop, sagas: Sagas, resources: Participants, participants: ScriptedParticipants
) -> None:
    """The next one reads the resources before it calls anybody."""
    resources.patch("order", state="Paused")
    wait_until(lambda: resources.available("order") == ("False", "Paused"), "the pause to be seen")
    shop.operator.kill()
    names = [f"o-later-{number}" for number in range(5)]
    for name in names:
        sagas.create(name)
    shop.operator.start()
    for name in names:
        waits = lambda n=name: sagas.condition(n, "WaitingForDownstream").get("status") == "True"  # noqa: E731
        wait_until(waits, f"{name} to wait", seconds=40)
    assert not [call for name in names for call in participants.of(name)]
    resources.delete("order")  # as its settings say: Active
    for name in names:
        sagas.wait(name, "Completed", seconds=60)
    resources.apply("order")  # within minutes the operator makes it again


def test_calls_go_where_the_resource_says(
    sagas: Sagas, resources: Participants, participants: ScriptedParticipants
) -> None:
    elsewhere = ScriptedParticipants()
    try:
        resources.apply("payment", url=f"{elsewhere.url}/", callTimeoutSeconds=9)
        wait_until(lambda: resources.follows("payment"), "the operator to follow")
        sagas.create("o-elsewhere")
        sagas.wait("o-elsewhere", "Completed", seconds=30)
        assert elsewhere.paths("o-elsewhere") == ["/api/payments/process"]
        assert "/api/payments/process" not in participants.paths("o-elsewhere")
    finally:
        resources.apply("payment", url=participants.url)
        wait_until(lambda: resources.follows("payment"), "the operator to follow")
        elsewhere.stop()


def test_what_git_has_set_stays_and_the_rest_follows_the_settings(shop: Shop, resources: Participants) -> None:
    resources.apply("notification", maxConcurrentCalls=3, maxCallsPerSecond=7)
    shop.operator.stop()
    changed = {"ORDERSAGA_CALL_TIMEOUT": "2.5", "ORDERSAGA_MAX_CALLS_PER_PARTICIPANT": "16"}
    other = shop.operator_with(**changed)
    other.start()
    try:
        follows = lambda: resources.all()["notification"]["spec"]["callTimeoutSeconds"] == 2.5  # noqa: E731
        wait_until(follows, "the new settings to arrive", 40)
        notification = resources.all()["notification"]["spec"]
        assert (notification["maxConcurrentCalls"], notification["maxCallsPerSecond"]) == (3, 7)
        wait_until(lambda: resources.all()["shipping"]["spec"]["maxConcurrentCalls"] == 16, "the others to follow")
    finally:
        other.stop()
        shop.operator.start()
        settled = lambda: resources.all()["shipping"]["spec"]["callTimeoutSeconds"] == 4  # noqa: E731
        wait_until(settled, "the settings of before", 40)


@pytest.mark.parametrize(
    ("name", "spec", "why"),
    [
        ("warehouse", {}, "there is no such participant"),
        ("payment", {"url": "payment:8002"}, "spec.url"),
        ("payment", {"url": "http://user:secret@payment:8002"}, "spec.url"),
        ("payment", {"url": "file:///etc/passwd"}, "spec.url"),
        ("payment", {"callTimeoutSeconds": 0}, "callTimeoutSeconds"),
        ("payment", {"maxConcurrentCalls": 0}, "maxConcurrentCalls"),
        ("payment", {"maxCallsPerSecond": 0}, "maxCallsPerSecond"),
        ("payment", {"state": "Off"}, "spec.state"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_api_server(
    resources: Participants, name: str, spec: Json, why: str
) -> None:
    with pytest.raises(ApiException, match=why) as refused:
        resources.apply(name, **spec)
    assert refused.value.status == 422
