"""Hazards that need a hand on the inside: late events, lost wake-ups, a decision that can't be recorded yet."""

import os
import signal
import time
from typing import Any

import pytest

from saga_operator.engine.engine import Engine
from saga_operator.parts import Operator
from saga_operator.resource.body import Resource
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.inside import SoleHolder, eventually, until_idle
from tests.operator.scripted import Reply, ScriptedParticipants, refused


async def test_a_finished_saga_is_not_run_again_by_a_stale_event(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    stale = sagas.create("o-stale")
    engine.resource_seen(Resource(stale))
    await until_idle(engine)
    calls = len(participants.of("o-stale"))
    assert sagas.status("o-stale")["phase"] == "Completed"
    assert engine.resource_seen(Resource(stale)) is False
    await until_idle(engine)
    assert len(participants.of("o-stale")) == calls == 6


async def test_a_restored_etcd_is_believed_when_it_lists_a_finished_saga_as_live(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    old = sagas.create("o-restored")
    engine.resource_seen(Resource(old))
    await until_idle(engine)
    assert engine.resource_seen(Resource(old), engine.before_list()) is True
    await until_idle(engine)


async def test_the_resync_takes_up_a_saga_whose_event_was_lost(inside: Operator, engine: Engine, sagas: Sagas) -> None:
    sagas.create("o-unseen")
    await inside.resync.once()
    await until_idle(engine)
    assert sagas.status("o-unseen")["phase"] == "Completed"


async def test_the_resync_clears_a_finalizer_that_a_crash_left_behind(
    inside: Operator, engine: Engine, sagas: Sagas
) -> None:
    engine.resource_seen(Resource(sagas.create("o-leftover")))
    await eventually(lambda: not sagas.get("o-leftover")["metadata"].get("finalizers"))
    await eventually(lambda: len(inside.finalizers) == 0)
    sagas.patch_metadata("o-leftover", finalizers=["ordersaga.io/compensation"])
    await inside.retention.once()
    await eventually(lambda: not sagas.get("o-leftover")["metadata"].get("finalizers"))


async def test_a_saga_whose_finalizer_others_took_off_is_archived_before_its_time_to_live_ends_it(
    inside: Operator, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    sagas.create("o-untold", finalizer=False, ttlSecondsAfterFinished=0)
    steps = [{"name": "confirmation", "state": "Succeeded"}]
    sagas.patch_status("o-untold", phase="Completed", completionTime="2026-01-01T00:00:00Z", steps=steps)
    await inside.retention.once()
    assert not sagas.exists("o-untold")
    assert "o-untold" in participants.archived


async def test_a_resource_that_is_already_going_without_our_finalizer_is_never_started(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    going = sagas.create("o-going", finalizer=False)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert engine.resource_seen(Resource(going)) is False
    assert participants.of("o-going") == []


async def test_an_object_that_leaves_the_selector_is_not_taken_for_deleted(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-left", "/api/orders/create", Reply(200, {"order_id": "o-left"}, delay=0.5))
    resource = sagas.create("o-left", finalizer=False)
    engine.resource_seen(Resource(resource))
    engine.resource_deleted(Resource(resource))  # DELETED, although no user asked for a deletion
    await until_idle(engine)
    assert sagas.status("o-left")["phase"] == "Completed"


async def test_a_failed_saga_keeps_its_finalizer(
    inside: Operator, engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    sagas.create("o-failed")
    stuck = [{"name": "payment", "state": "CompensationFailed", "attempts": 1, "compensation": {"attempts": 20}}]
    sagas.patch_status("o-failed", phase="Failed", failure={"step": "shipping", "reason": "X"}, steps=stuck)
    await inside.resync.once()
    assert "o-failed" in engine.workers.values()
    await eventually(lambda: len(inside.finalizers) == 0 and "/api/inventory/release" in participants.paths("o-failed"))
    assert sagas.get("o-failed")["metadata"]["finalizers"] == ["ordersaga.io/compensation"]
    by_hand = {"id": "h-1", "action": "MarkCompensated", "step": "payment", "reason": "refunded by hand"}
    engine.resource_seen(Resource(sagas.patch("o-failed", intervention=by_hand)))
    await until_idle(engine)
    assert sagas.status("o-failed")["phase"] == "Compensated"


async def test_nothing_is_called_while_the_lease_is_not_surely_ours(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants, holder: SoleHolder
) -> None:
    holder.sure.clear()
    engine.resource_seen(Resource(sagas.create("o-unsure")))
    await eventually(lambda: holder.asked > 0)
    assert participants.of("o-unsure") == []
    holder.sure.set()
    await until_idle(engine)
    assert sagas.status("o-unsure")["phase"] == "Completed"


async def test_a_stale_orchestrator_does_not_overwrite_a_decision(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-overtaken", "/api/payments/process", Reply(delay=1.0))
    stale = sagas.create("o-overtaken")
    failure = {"step": "payment", "reason": "DecidedElsewhere", "message": "by another orchestrator"}
    sagas.patch_status("o-overtaken", failure=failure)
    engine.resource_seen(Resource(stale))
    await until_idle(engine)
    assert sagas.status("o-overtaken")["phase"] == "Compensated"
    assert "/api/orders/reject" in participants.paths("o-overtaken")


def test_nothing_is_undone_before_the_decision_is_recorded(
    operator: OperatorProcess, control_plane: Any, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    if control_plane.apiserver is None:
        pytest.skip("the API server was given, so it is not ours to pause")
    apiserver = control_plane.apiserver.pid
    reply = refused("card_declined")
    reply.delay = 0.8
    participants.say("o-unrecorded", "/api/payments/process", reply)
    sagas.create("o-unrecorded")
    wait_until(lambda: "/api/payments/process" in participants.paths("o-unrecorded"), "payment to be called")
    os.kill(apiserver, signal.SIGSTOP)
    try:
        time.sleep(2.5)
        assert "/api/orders/reject" not in participants.paths("o-unrecorded")
    finally:
        os.kill(apiserver, signal.SIGCONT)
    sagas.wait("o-unrecorded", "Compensated", seconds=40)


def test_a_decision_of_another_orchestrator_is_adopted(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    reply = refused("running", "wait")
    reply.delay = 0.5
    participants.say("o-adopted", "/api/payments/process", always=reply)
    sagas.create("o-adopted")
    wait_until(lambda: sagas.step("o-adopted", "inventory").get("state") == "Succeeded", "inventory's record")
    failure = {"step": "payment", "reason": "DecidedElsewhere", "message": "by another orchestrator"}
    sagas.patch_status("o-adopted", failure=failure)
    status = sagas.wait("o-adopted", "Compensated")["status"]
    assert status["failure"]["reason"] == "DecidedElsewhere"
