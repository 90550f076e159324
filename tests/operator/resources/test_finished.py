"""A finished saga that still has our finalizer: nobody lists it again and again, and its deletion is seen at once."""

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoordinationV1Api

from common.kube import Events, KubeClient, OrderSagas
from common.order_saga import FINALIZER
from common.wire import Json
from saga_operator.engine.deletions import Deletions
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.removals import BURST, Removals
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.body import Resource
from saga_operator.resource.times import from_wire
from tests.operator.conftest import NAMESPACE, OperatorProcess, Operators, Sagas, wait_until
from tests.operator.inside import eventually
from tests.operator.scripted import Reply, ScriptedParticipants
from tests.support.samples import order

AT_ONCE = 4.0
"""Seconds: two, and as much again for a machine that has other work."""


@pytest.fixture
def constant_load(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Callable[[], bool]:
    """A call is in flight from now on, for 18 seconds: there is no quiet moment. Whether that is so still."""
    name = f"o-load-{time.monotonic_ns() % 10**8}"
    for step in ORDER_SAGA:
        participants.say(name, str(step.do), Reply(200, {"order_id": name}, delay=3.0))
    sagas.create(name)
    wait_until(lambda: participants.paths(name) or None, "the load to begin")
    return lambda: sagas.status(name).get("phase") != "Completed"


def release(sagas: Sagas, name: str, **spec: int) -> None:
    """It has ended, and its finalizer is taken off."""
    sagas.create(name, **spec)
    sagas.wait(name, "Completed")
    wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers") or None, "its finalizer to be taken off")


def finish(sagas: Sagas, name: str, **spec: int) -> None:
    """It has ended, and has our finalizer (again)."""
    release(sagas, name, **spec)
    sagas.patch_metadata(name, finalizers=[FINALIZER])


def goes_at_once(sagas: Sagas, name: str) -> None:
    deleted = time.monotonic()
    sagas.delete(name)
    wait_until(lambda: not sagas.exists(name) or None, f"{name} to go")
    assert time.monotonic() - deleted < AT_ONCE


def released(sagas: Sagas, name: str) -> Json:
    """The finished saga, without its finalizer."""
    sagas.wait(name, "Completed")
    return wait_until(
        lambda: resource if not (resource := sagas.get(name))["metadata"].get("finalizers") else None,
        "its finalizer to be taken off",
    )


def test_who_wrote_a_finished_saga_is_no_longer_told(operator: OperatorProcess, sagas: Sagas) -> None:
    sagas.create("o-finished-alone")
    assert "managedFields" not in released(sagas, "o-finished-alone")["metadata"]


def test_who_applied_it_stays_its_owner(operator: OperatorProcess, sagas: Sagas) -> None:
    applied = order("o-finished-applied")
    before = sagas.apply("o-finished-applied", applied)
    after = released(sagas, "o-finished-applied")
    owners = [each for each in after["metadata"]["managedFields"] if each["operation"] == "Apply"]
    assert owners == [each for each in before["metadata"]["managedFields"] if each["operation"] == "Apply"] != []
    again = sagas.apply("o-finished-applied", applied)["metadata"]
    assert again["resourceVersion"] == after["metadata"]["resourceVersion"], "nothing to do for its owner"


def test_finalizers_of_others_stay_however_many_there_are(operator: OperatorProcess, sagas: Sagas) -> None:
    """The operator holds no more than 64 of them while an order waits."""
    others = [f"example.com/{n}" for n in range(100)]
    sagas.create("o-held-by-many", state="Suspended")
    sagas.patch_metadata("o-held-by-many", finalizers=others)  # without ours, which it has to add

    def held() -> list[str]:
        found: list[str] = sagas.get("o-held-by-many")["metadata"]["finalizers"]
        return found

    wait_until(lambda: FINALIZER in held() or None, "our finalizer to be added")
    assert held() == [*others, FINALIZER]
    sagas.patch_metadata("o-held-by-many", finalizers=others)
    wait_until(lambda: FINALIZER in held() or None, "our finalizer to be added again")
    assert held() == [*others, FINALIZER]
    sagas.patch("o-held-by-many", state="Active")
    sagas.wait("o-held-by-many", "Completed")
    wait_until(lambda: FINALIZER not in held() or None, "our finalizer to be taken off")
    assert held() == others


def test_a_finished_saga_that_is_deleted_goes_at_once(operator: OperatorProcess, sagas: Sagas) -> None:
    finish(sagas, "o-finished-deleted")
    goes_at_once(sagas, "o-finished-deleted")


def test_it_goes_at_once_after_a_restart_as_well(resting: None, operators: Operators, sagas: Sagas) -> None:
    first = operators.start()
    finish(sagas, "o-finished-before")
    finish(sagas, "o-finished-restart")
    first.kill()
    sagas.delete("o-finished-before")
    operators.start(ORDERSAGA_SWEEP_INTERVAL="3600")
    wait_until(lambda: not sagas.exists("o-finished-before") or None, "what was deleted without an operator to go")
    goes_at_once(sagas, "o-finished-restart")


class Noted:
    """In the place of the queue: whose finalizer is to be taken off, and whether at once."""

    def __init__(self) -> None:
        self.names: dict[str, bool] = {}

    def add(self, name: str, uid: str, *, urgent: bool) -> None:
        self.names[name] = urgent

    def list_begins(self) -> None:
        self.expiries: dict[str, float | None] = {}

    def listed(self, metadata: Resource) -> None:
        self.expiries[metadata.name] = metadata.noted_expiry


async def test_what_was_deleted_without_an_operator_is_found_in_one_look_and_no_live_saga(
    resting: None, operators: Operators, operator_kubeconfig: Path, sagas: Sagas
) -> None:
    first = operators.start()
    await asyncio.to_thread(release, sagas, "o-look-first")  # by then its first look at what had ended is over
    await asyncio.to_thread(finish, sagas, "o-look-deleted")
    await asyncio.to_thread(finish, sagas, "o-look-held")
    first.kill()
    sagas.create("o-look-live")
    for name in ("o-look-deleted", "o-look-live"):
        sagas.delete(name)
    noted: Any = Noted()
    async with KubeClient.from_config(operator_kubeconfig, user_agent="tests") as client:
        looking = asyncio.create_task(Deletions(OrderSagas(client, NAMESPACE), noted, noted).run())
        await eventually(lambda: {"o-look-deleted", "o-look-held"} <= noted.names.keys())
        sagas.delete("o-look-held")
        await eventually(lambda: bool(noted.names["o-look-held"]))
        looking.cancel()
    assert noted.names["o-look-deleted"] is True
    assert "o-look-live" not in noted.names


async def test_a_list_of_metadata_tells_when_the_time_to_live_of_a_finished_saga_is_over(
    operator: OperatorProcess, operator_kubeconfig: Path, sagas: Sagas
) -> None:
    await asyncio.to_thread(release, sagas, "o-look-week", ttlSecondsAfterFinished=604_800)
    await asyncio.to_thread(release, sagas, "o-look-always")
    noted: Any = Noted()
    async with KubeClient.from_config(operator_kubeconfig, user_agent="tests") as client:
        looking = asyncio.create_task(Deletions(OrderSagas(client, NAMESPACE), noted, noted).run())
        await eventually(lambda: {"o-look-week", "o-look-always"} <= getattr(noted, "expiries", {}).keys())
        looking.cancel()
    ended = from_wire(sagas.status("o-look-week")["completionTime"])
    assert noted.expiries["o-look-week"] == ended + 604_800
    assert noted.expiries["o-look-always"] == math.inf


def test_who_works_and_what_is_removed_is_told_in_events(resting: None, operators: Operators, sagas: Sagas) -> None:
    operators.start("teller")
    sagas.create("o-finished-told", ttlSecondsAfterFinished=1)
    wait_until(lambda: ("Normal", "Removed") in sagas.events("o-finished-told"), "an Event of the removal", 30.0)
    assert not sagas.exists("o-finished-told")
    assert ("Normal", "Completed") not in sagas.events("o-finished-told"), "an order that completes is no news"
    listed = sagas.core.list_namespaced_event(NAMESPACE, field_selector="involvedObject.kind=Lease").items
    [led] = [event for event in listed if event.message == "teller became leader"]
    assert (led.reason, led.involved_object.name) == ("LeaderElection", "ordersaga-operator")


async def test_many_removals_are_one_event_of_the_lease(operator_kubeconfig: Path, sagas: Sagas) -> None:
    """As `kubectl describe lease` finds it: by name, kind and uid."""
    lease = {"metadata": {"name": "many-removals", "namespace": NAMESPACE}, "spec": {}}
    made = await asyncio.to_thread(
        lambda: CoordinationV1Api(sagas.core.api_client).create_namespaced_lease(NAMESPACE, lease)
    )
    about = {**lease, "kind": "Lease", "apiVersion": "coordination.k8s.io/v1"}
    about["metadata"] = {**lease["metadata"], "uid": made.metadata.uid}
    async with KubeClient.from_config(operator_kubeconfig, user_agent="tests") as client:
        sender = EventSender(Events(client, "tests"))
        removals = Removals(sender, lambda: about)
        for number in range(BURST + 1_200):
            name = f"o-removed-{number}"
            removals.add(Resource({"metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}}))
        removals.tell()
        sending = asyncio.create_task(sender.run())

        def told() -> list[Any]:
            selector = f"involvedObject.uid={made.metadata.uid},involvedObject.kind=Lease"
            return list(sagas.core.list_namespaced_event(NAMESPACE, field_selector=selector).items)

        await eventually(lambda: bool(told()))
        sending.cancel()
    [event] = told()
    assert event.message == (
        "1,200 more finished sagas were removed, since the time to live is over, such as o-removed-20, o-removed-21, "
        "o-removed-22; `kubectl saga history` has their stories"
    )
    mine = sagas.core.list_namespaced_event(NAMESPACE, field_selector="reason=Removed").items
    assert sum(each.involved_object.name.startswith("o-removed-") for each in mine) == BURST


def test_its_time_to_live_ends_it_though_it_has_the_finalizer(operator: OperatorProcess, sagas: Sagas) -> None:
    sagas.create("o-finished-short", ttlSecondsAfterFinished=2)
    wait_until(lambda: not sagas.exists("o-finished-short") or None, "its time to live to be over")


def test_under_constant_load_it_keeps_the_finalizer_and_goes_at_once_when_it_is_deleted(
    constant_load: Callable[[], bool], sagas: Sagas
) -> None:
    sagas.create("o-finished-loaded")
    sagas.wait("o-finished-loaded", "Completed")
    time.sleep(2.0)
    assert sagas.get("o-finished-loaded")["metadata"]["finalizers"] == [FINALIZER]
    goes_at_once(sagas, "o-finished-loaded")
    assert constant_load()


def test_under_constant_load_its_time_to_live_ends_it(constant_load: Callable[[], bool], sagas: Sagas) -> None:
    sagas.create("o-finished-loaded-short", ttlSecondsAfterFinished=2)
    wait_until(lambda: not sagas.exists("o-finished-loaded-short") or None, "its time to live to be over")
    assert constant_load()
