"""A resource that loses its finalizer, goes without a word, or is an older one than it was: somebody else's hand."""

import asyncio
from typing import Any

from kubernetes.client.exceptions import ApiException

from common.wire import Json
from saga_operator.engine.engine import Engine
from saga_operator.parts import Operator
from saga_operator.resource.body import Resource
from tests.operator.conftest import GROUP, PLURAL, VERSION, OperatorProcess, Sagas, wait_until
from tests.operator.inside import SoleHolder, eventually, until_idle
from tests.operator.scripted import Reply, ScriptedParticipants, refused

FINALIZERS = ["ordersaga.io/compensation"]


def replaced(sagas: Sagas, name: str, **spec: Any) -> Json:
    """`kubectl replace` from a manifest that names no finalizer."""

    def replace() -> Json | None:
        body = sagas.get(name)
        body["metadata"] = {key: body["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
        body["spec"].update(spec)
        try:
            return sagas.api.replace_namespaced_custom_object(GROUP, VERSION, sagas.namespace, PLURAL, name, body)  # type: ignore[no-any-return]
        except ApiException as error:
            if error.status == 409:
                return None  # kubectl reads and tries again as well
            raise

    return wait_until(replace, f"{name} to be replaced")


def test_a_replaced_resource_gets_its_finalizer_back_at_once_and_its_deletion_rolls_back(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    for name, spec in (("o-replaced", {}), ("o-replaced-and-changed", {"activeDeadlineSeconds": 777})):
        participants.say(name, "/api/shipping/schedule", always=refused("running", "wait"))
        sagas.create(name)
        wait_until(lambda n=name: sagas.status(n).get("currentStep") == "shipping", "the saga to wait")  # type: ignore[misc]
        assert replaced(sagas, name, **spec)["metadata"].get("finalizers") is None
        wait_until(lambda n=name: sagas.get(n)["metadata"].get("finalizers") == FINALIZERS, "the finalizer")  # type: ignore[misc]
        sagas.delete(name)
        wait_until(lambda n=name: "/api/orders/cancel" in participants.paths(n), "the rollback")  # type: ignore[misc]
        assert "/api/payments/refund" in participants.paths(name)


async def test_a_finalizer_comes_back_while_a_call_is_in_flight(
    engine: Engine, sagas: Sagas, holder: SoleHolder
) -> None:
    holder.sure.clear()
    engine.resource_seen(Resource(sagas.create("o-stripped-in-a-call")))
    await eventually(lambda: holder.asked > 0)
    sagas.patch_metadata("o-stripped-in-a-call", finalizers=None)
    engine.resource_seen(Resource(sagas.get("o-stripped-in-a-call")))
    await eventually(lambda: sagas.get("o-stripped-in-a-call")["metadata"].get("finalizers") == FINALIZERS)
    holder.sure.set()
    await until_idle(engine)
    assert sagas.status("o-stripped-in-a-call")["phase"] == "Completed"


async def test_a_saga_that_lost_its_finalizer_while_no_operator_ran_gets_it_back_before_the_next_call(
    engine: Engine, sagas: Sagas, holder: SoleHolder
) -> None:
    holder.sure.clear()
    sagas.create("o-stripped-before", finalizer=False)
    begun = [{"name": "order", "state": "Succeeded", "attempts": 1}]
    sagas.patch_status("o-stripped-before", phase="Running", currentStep="inventory", steps=begun)
    engine.resource_seen(Resource(sagas.get("o-stripped-before")))
    await eventually(lambda: sagas.get("o-stripped-before")["metadata"].get("finalizers") == FINALIZERS)
    holder.sure.set()
    await until_idle(engine)
    assert sagas.status("o-stripped-before")["phase"] == "Completed"


async def test_a_resync_puts_a_finalizer_back_whose_loss_no_event_told(
    inside: Operator, engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-stripped", "/api/shipping/schedule", always=refused("running", "wait"))
    engine.resource_seen(Resource(sagas.create("o-stripped")))
    await eventually(lambda: sagas.status("o-stripped").get("currentStep") == "shipping")
    sagas.patch_metadata("o-stripped", finalizers=None)
    await inside.resync.once()
    await eventually(lambda: sagas.get("o-stripped")["metadata"].get("finalizers") == FINALIZERS)
    participants.say("o-stripped", "/api/shipping/schedule")
    await until_idle(engine)


async def test_nothing_is_called_for_an_order_whose_resource_went_without_a_deletion_timestamp(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    """As the API server tells it: DELETED, with the object as it was, which nobody had asked to delete."""
    participants.say("o-vanished", "/api/payments/process", Reply(200, {"order_id": "o-vanished"}, delay=3.0))
    engine.resource_seen(Resource(sagas.create("o-vanished")))
    await eventually(lambda: "/api/payments/process" in participants.paths("o-vanished"))
    await eventually(lambda: sagas.step("o-vanished", "inventory").get("state") == "Succeeded")  # no write is to tell
    sagas.patch_metadata("o-vanished", finalizers=None)
    last = sagas.get("o-vanished")
    sagas.delete("o-vanished")
    engine.resource_deleted(Resource(last))
    await until_idle(engine)
    assert participants.paths("o-vanished")[-1] == "/api/payments/process"


async def test_nothing_is_called_for_an_order_whose_resource_goes_before_its_worker_has_begun(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    resource = Resource(sagas.create("o-gone-at-once", finalizer=False))
    engine.resource_seen(resource)
    engine.stop_worker(resource.uid)
    await until_idle(engine)
    assert participants.paths("o-gone-at-once") == []
    sagas.delete("o-gone-at-once")


async def test_a_call_that_waits_for_its_turn_is_not_made_when_the_resource_is_gone(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants, holder: SoleHolder
) -> None:
    holder.sure.clear()
    engine.resource_seen(Resource(sagas.create("o-vanished-in-the-queue")))
    await eventually(lambda: holder.asked > 0)
    sagas.patch_metadata("o-vanished-in-the-queue", finalizers=None)
    last = sagas.get("o-vanished-in-the-queue")
    sagas.delete("o-vanished-in-the-queue")
    engine.resource_deleted(Resource(last))
    holder.sure.set()
    await until_idle(engine)
    assert participants.paths("o-vanished-in-the-queue") == []


async def test_a_saga_goes_on_when_its_resource_is_made_again(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-again", "/api/shipping/schedule", always=refused("running", "wait"))
    engine.resource_seen(Resource(sagas.create("o-again")))
    await eventually(lambda: "/api/shipping/schedule" in participants.paths("o-again"))
    sagas.patch_metadata("o-again", finalizers=None)
    last = sagas.get("o-again")
    sagas.delete("o-again")
    engine.resource_deleted(Resource(last))
    engine.resource_seen(Resource(sagas.create("o-again")))
    participants.say("o-again", "/api/shipping/schedule")
    await until_idle(engine)
    assert sagas.status("o-again")["phase"] == "Completed"
    assert not [path for path in participants.paths("o-again") if path.endswith(("refund", "reject", "cancel"))]


async def test_a_restored_etcd_is_believed_by_a_saga_that_waits(
    inside: Operator, engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    """What is known of it here is from a later time than what the API server has."""
    engine.resource_seen(Resource(sagas.create("o-restored-live", state="Suspended")))
    await eventually(lambda: sagas.status("o-restored-live").get("phase") == "Suspended")
    future = sagas.get("o-restored-live")
    future["metadata"]["resourceVersion"] = str(int(future["metadata"]["resourceVersion"]) + 1_000_000_000)
    engine.resource_seen(Resource(future))
    await asyncio.sleep(0.1)  # it has nothing to write, so no conflict teaches it
    wish = sagas.patch("o-restored-live", state="Active")
    engine.resource_seen(Resource(wish))
    await inside.resync.once()
    await until_idle(engine)
    assert sagas.status("o-restored-live")["phase"] == "Completed"


async def test_versions_are_forgotten_when_a_list_is_older_than_what_was_seen(
    inside: Operator, engine: Engine, sagas: Sagas
) -> None:
    finished = sagas.create("o-before-the-restore")
    engine.resource_seen(Resource(finished))
    await until_idle(engine)
    future = sagas.get("o-before-the-restore")
    future["metadata"]["resourceVersion"] = str(int(future["metadata"]["resourceVersion"]) + 1_000_000_000)
    engine.resource_seen(Resource(future))  # finished, and seen at a version that the API server doesn't have any more
    before = engine.restorations
    await inside.resync.once()
    assert engine.restorations == before + 1
    await inside.resync.once()
    assert engine.restorations == before + 1
