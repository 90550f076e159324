"""What a stranger can make the participants answer: the operator neither lies, nor loops, nor waits for ever."""

import time

import pytest

from saga_operator.engine import worker as worker_module
from saga_operator.engine.calls.call_pace import BURST, PER_SECOND
from saga_operator.engine.engine import Engine
from saga_operator.metrics import CALLS_THROTTLED, SAGA_CALLS
from saga_operator.resource.body import Resource
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.inside import eventually, until_idle
from tests.operator.scripted import Reply, ScriptedParticipants, refused

DAY = 24 * 3600 * 1000


def stale(seen: int) -> Reply:
    return Reply(412, {"code": "stale_epoch", "detail": f"seen {seen}", "epoch": seen})


def test_an_order_that_a_stranger_closed_is_undone_all_the_same(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    rejected = Reply(200, {"order_id": "o-shut", "effect": "undone", "closed": True})
    participants.say("o-shut", "/api/orders/reject", rejected)
    participants.say("o-shut", "/api/orders/confirm", refused("compensated"))
    sagas.create("o-shut")
    status = sagas.wait("o-shut", "Compensated")["status"]
    undone = ["/api/shipping/cancel", "/api/payments/refund", "/api/inventory/release", "/api/orders/cancel"]
    assert participants.paths("o-shut")[-4:] == undone
    assert status["failure"]["reason"] == "OrderAlreadyCancelled"


def test_an_epoch_that_a_participant_has_seen_is_passed_in_one_jump_and_people_are_told(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    seen = int(time.time() * 1000) + 400_000
    participants.say("o-jump", "/api/inventory/reserve", stale(seen))
    sagas.create("o-jump", retry={"maxAttempts": 1})
    sagas.wait("o-jump", "Completed")
    epochs = [call.epoch for call in participants.of("o-jump") if call.path == "/api/inventory/reserve"]
    assert len(epochs) == 2
    assert epochs[1] > seen
    wait_until(lambda: ("Warning", "ParticipantError") in sagas.events("o-jump"), "an Event about it")


def test_an_epoch_that_nobody_can_pass_neither_loops_nor_stays_unseen_and_the_saga_ends_with_it(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-poison", "/api/payments/process", always=stale(2**63 - 2))
    sagas.create("o-poison", retry={"maxAttempts": 1})
    wait_until(lambda: sagas.condition("o-poison", "ParticipantError").get("status") == "True", "the condition")
    since, before = time.monotonic(), len(participants.of("o-poison"))
    wait_until(lambda: len(participants.of("o-poison")) >= before + 3, "it is asked again")
    calls = len(participants.of("o-poison")) - before
    assert calls <= 3 + (time.monotonic() - since) / 0.1  # and never without a pause
    assert sagas.status("o-poison")["phase"] == "Running", "it costs no attempt"
    assert max(call.epoch for call in participants.of("o-poison")) < time.time() * 1000 + DAY, "nor is it followed"
    participants.say("o-poison", "/api/payments/process")  # as it used to be
    sagas.wait("o-poison", "Completed", seconds=60)


async def test_no_answer_makes_a_saga_call_without_a_pause_even_if_its_back_off_fails(
    engine: Engine, sagas: Sagas, participants: ScriptedParticipants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "pause_before_the_next", lambda refused, jitter: 0.0)
    throttled = CALLS_THROTTLED.labels("order")
    participants.say("o-loop", "/api/orders/create", always=stale(7))
    began = time.monotonic()
    engine.resource_seen(Resource(sagas.create("o-loop")))
    await eventually(lambda: throttled._value.get() > 2)
    assert len(participants.of("o-loop")) <= BURST + (time.monotonic() - began) * PER_SECOND + 1
    assert SAGA_CALLS.collect()[0].samples[0].value >= BURST
    participants.say("o-loop", "/api/orders/create")
    await until_idle(engine)
    assert sagas.status("o-loop")["phase"] == "Completed"
